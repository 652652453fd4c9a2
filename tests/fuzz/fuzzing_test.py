"""Tests of fuzzing.py with programs that stand in for fuzzers."""

import os
import stat
import tempfile
import unittest
from unittest import mock
from xml.etree import ElementTree

from tests.fuzz import fuzzing

STATS = 'echo "stat::number_of_executed_units: 1200"\n'
# Leaves an input where libFuzzer would.
CRASH = ('for word; do case $word in -artifact_prefix=*) printf boom >"${word#*=}crash-1";; esac; done\n'
         'echo "a.cc:3: CHECK failed: x == y (1 vs. 2)"; exit 77\n')


class FuzzingTest(unittest.TestCase):

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        os.makedirs(self.path('corpus/config'))
        self.programs = fuzzing.Programs(self.path(''), self.path(''), self.path('crashes'))

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def program(self, name, body):
        with open(self.path(name), 'w', encoding='utf-8') as file:
            file.write('#!/bin/bash\n' + body)
        os.chmod(self.path(name), stat.S_IRWXU)

    def test_a_crash_is_kept_with_how_to_replay_it(self):
        self.program('config_fuzzer', STATS + CRASH)
        outcome = fuzzing.fuzz('config', self.programs, 1)
        self.assertIn('CHECK failed: x == y (1 vs. 2)', outcome.problem)
        kept = self.path('crashes/config_fuzzer-crash-1')
        with open(kept, encoding='utf-8') as file:
            self.assertEqual(file.read(), 'boom')
        self.assertIn(kept, outcome.advice)
        self.assertIn('Ym9vbQ==', outcome.advice)

    def test_a_quiet_run_reports_coverage(self):
        self.program('config_fuzzer', STATS)
        with mock.patch.object(fuzzing, '_coverage', return_value=(7, 9)):
            outcome = fuzzing.fuzz('config', self.programs, 1)
        self.assertEqual(outcome.problem, '')
        self.assertIn('1200 inputs', outcome.text)
        self.assertIn('covered 7 of 9 lines of runtime/model/config.cc', outcome.text)

    def test_a_planted_bug_must_be_found(self):
        self.program('config_planted', STATS)
        self.assertIn('not found in 1200', fuzzing.find_planted('config', self.programs).problem)

    def test_a_planted_bug_must_not_be_found_by_the_corpus_alone(self):
        self.program('config_planted', CRASH)
        self.assertIn('proves nothing', fuzzing.find_planted('config', self.programs).problem)

    def test_a_found_planted_bug_is_good(self):
        self.program('config_planted', '[[ " $* " == *" -runs=0 "* ]] && exit 0\n' + STATS + CRASH)
        outcome = fuzzing.find_planted('config', self.programs)
        self.assertEqual(outcome.problem, '')
        self.assertIn('found after 1200 inputs', outcome.text)

    def test_a_hang_is_not_the_planted_bug(self):
        hang = 'echo "ERROR: libFuzzer: timeout after 60 seconds"\nexit 70\n'
        self.program('config_planted', '[[ " $* " == *" -runs=0 "* ]] && exit 0\n' + STATS + hang)
        self.assertIn('not by the bug', fuzzing.find_planted('config', self.programs).problem)

    def test_coverage_counts_the_readers_alone(self):
        def file(name, covered, count):
            return {'filename': name, 'summary': {'lines': {'covered': covered, 'count': count}}}
        summary = {'data': [{'files': [file('/x/runtime/a.cc', 3, 4), file('/x/runtime/b.cc', 1, 9),
                                       file('/x/runtime/c.cc', 5, 5)]}]}
        self.assertEqual(fuzzing.covered_lines(summary, ('runtime/a.cc', 'runtime/c.cc')), (8, 9))
        with self.assertRaises(LookupError):
            fuzzing.covered_lines(summary, ('runtime/d.cc',))

    def test_junit_names_what_failed(self):
        root = ElementTree.fromstring(fuzzing.junit([
            fuzzing.Outcome('fuzz', 'config', 'x'),
            fuzzing.Outcome('planted', 'config', 'x', 'not <found>\x00')]))
        cases = list(root.iter('testcase'))
        self.assertEqual(len(cases), 2)
        self.assertIsNone(cases[0].find('failure'))
        self.assertEqual(cases[1].find('failure').get('message'), 'not <found>?')


if __name__ == '__main__':
    unittest.main()
