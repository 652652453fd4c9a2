"""Tests of results.py: whatever goes wrong must be counted."""

import json
import os
import tempfile
import unittest

from tools.ci import results

GTEST = """<testsuites><testsuite name="Queue">
  <testcase name="Good" status="run" result="completed" classname="Queue"/>
  <testcase name="Bad" status="run" result="completed" classname="Queue">
    <failure message="a.cc:3&#x0A;Expected 2"/>
  </testcase>
  <testcase name="NoGpu" status="run" result="skipped" classname="Queue">
    <skipped message="a.cc:9&#x0A;no GPU here"/>
  </testcase>
  <testcase name="DISABLED_Old" status="notrun" result="suppressed" classname="Queue"/>
</testsuite></testsuites>"""
BAZEL_CRASH = ('<testsuites><testsuite name="t"><testcase name="t">'
               '<error message="exited with error code 139"/></testcase></testsuite></testsuites>')
ONE_GOOD = '<testsuites><testsuite><testcase name="x" status="run"/></testsuite></testsuites>'
FINISHED = {'id': {'buildFinished': {}}, 'finished': {}}


def completed(label, success):
    body = {'success': True} if success else {}
    return {'id': {'targetCompleted': {'label': label}}, 'completed': body}


class ResultsTest(unittest.TestCase):

    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._folder.cleanup)

    def write(self, name, text):
        path = os.path.join(self._folder.name, name)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        return path

    def events(self, *events, name='test.bep.json'):
        return self.write(name, '\n'.join(json.dumps(e) for e in events))

    def result_of(self, label, status, xml):
        outputs = []
        if xml is not None:
            path = self.write(label.strip('/').replace(':', '_') + '.testxml', xml)
            outputs = [{'name': 'test.xml', 'uri': 'file://' + path}]
        return {'id': {'testResult': {'label': label}},
                'testResult': {'status': status, 'testActionOutput': outputs}}

    def count(self, *failed_parts):
        return results.count_folder(self._folder.name, failed_parts)

    def test_counts_the_cases_of_a_gtest_file(self):
        self.write('lint.xml', GTEST)
        counts = self.count()
        self.assertEqual(counts.summary(), '1 passed, 1 failed, 1 skipped')
        self.assertEqual(counts.failed, [('Queue Bad', 'a.cc:3')])
        self.assertEqual(counts.skipped, [('Queue NoGpu', 'no GPU here')])

    def test_counts_a_bazel_run(self):
        self.events(completed('//a:good', True), self.result_of('//a:t', 'PASSED', ONE_GOOD),
                    FINISHED)
        self.assertEqual(self.count().summary(), '1 passed, 0 failed')

    def test_a_crashed_test_is_one_failure(self):
        self.events(self.result_of('//a:t', 'FAILED', BAZEL_CRASH), FINISHED)
        self.assertEqual(self.count().summary(), '0 passed, 1 failed')

    def test_a_timeout_without_results_is_one_failure(self):
        self.events(self.result_of('//a:t', 'TIMEOUT', None), FINISHED)
        self.assertEqual(self.count().failed, [('//a:t', 'TIMEOUT')])

    def test_a_failed_test_whose_file_shows_no_failure_still_fails(self):
        self.events(self.result_of('//a:t', 'FAILED', ONE_GOOD), FINISHED)
        self.assertEqual(self.count().summary(), '1 passed, 1 failed')

    def test_a_test_without_a_single_case_fails(self):
        self.events(self.result_of('//a:t', 'PASSED', '<testsuites/>'), FINISHED)
        self.assertEqual(self.count().summary(), '0 passed, 1 failed')

    def test_unreadable_results_fail(self):
        self.events(self.result_of('//a:t', 'PASSED', '<testsuites>'), FINISHED)
        self.assertEqual(self.count().summary(), '0 passed, 1 failed')

    def test_a_target_that_does_not_build_fails_once_over_all_parts(self):
        for part in ('build', 'test'):
            self.events(completed('//a:b', False), FINISHED, name=part + '.bep.json')
        self.assertEqual(self.count().failed, [('//a:b', 'did not build (part build)')])

    def test_an_incompatible_target_is_skipped_by_name(self):
        self.events({'id': {'targetCompleted': {'label': '//cuda:t'}},
                     'aborted': {'reason': 'SKIPPED'}}, FINISHED)
        self.assertEqual([name for name, _ in self.count().skipped], ['//cuda:t'])

    def test_a_target_that_cannot_be_analyzed_fails(self):
        self.events({'id': {'targetCompleted': {'label': '//a:b'}},
                     'aborted': {'reason': 'ANALYSIS_FAILURE'}}, FINISHED)
        self.assertEqual(self.count().failed, [('//a:b', 'ANALYSIS_FAILURE (part test)')])

    def test_a_run_that_was_cut_off_fails(self):
        self.events(completed('//a:b', True))
        self.assertEqual(self.count().summary(), '0 passed, 1 failed')

    def test_a_failed_part_without_a_failed_case_fails(self):
        self.write('lint.xml', ONE_GOOD)
        self.assertEqual(self.count('install').failed, [('install', 'the part failed')])


if __name__ == '__main__':
    unittest.main()
