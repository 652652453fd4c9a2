"""Counts test results from the files that the tools themselves wrote.

Bazel's build event stream (*.bep.json, one JSON object a line) says which
targets were built, tested or skipped, and where each test's JUnit file lies.
Parts that Bazel does not run write JUnit files (*.xml) of their own.

The unit is one test case. A target that did not build, a test that left no
results, and a part that failed without a failed case count as one failure each:
nothing that went wrong can vanish from the count.
"""

import dataclasses
import json
import os
import urllib.parse
import xml.etree.ElementTree as ElementTree


@dataclasses.dataclass
class Counts:
    """What happened, as names with a reason."""

    passed: int = 0
    failed: list = dataclasses.field(default_factory=list)
    skipped: list = dataclasses.field(default_factory=list)

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def summary(self):
        line = f'{self.passed} passed, {len(self.failed)} failed'
        return line + (f', {len(self.skipped)} skipped' if self.skipped else '')


def count_junit(path, label=None):
    """Counts the cases of one JUnit file; `label` goes before their names."""
    counts = Counts()
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        counts.failed.append((label or path, f'no readable results: {error}'))
        return counts
    for case in root.iter('testcase'):
        parts = [label, case.get('classname'), case.get('name')]
        name = ' '.join(p for p in parts if p)
        problem = case.find('failure')
        if problem is None:
            problem = case.find('error')
        skipped = case.find('skipped')
        if problem is not None:
            counts.failed.append((name, _first_line(problem.get('message') or problem.text)))
        elif skipped is not None or case.get('result') == 'skipped':
            message = '' if skipped is None else skipped.get('message') or skipped.text
            counts.skipped.append((name, _reason(message)))
        elif case.get('status') != 'notrun':
            counts.passed += 1
    return counts


def count_events(path):
    """Counts what one Bazel run reports in its build event file."""
    counts = Counts()
    part = os.path.basename(path).split('.')[0]
    finished = False
    with open(path, encoding='utf-8') as events:
        for line in events:
            event = json.loads(line)
            finished = finished or 'finished' in event
            counts.add(_count_event(event, part))
    if not finished:
        counts.failed.append((f'part {part}', 'Bazel did not finish'))
    return counts


def _count_event(event, part):
    identity = event.get('id', {})
    if 'testResult' in identity:
        return _count_test(identity['testResult']['label'], event.get('testResult'), event)
    label = identity.get('targetCompleted', {}).get('label')
    if label is None:
        return Counts()
    aborted = event.get('aborted')
    if aborted is not None:
        if aborted.get('reason') == 'SKIPPED':
            return Counts(skipped=[(label, 'not for this machine (no CUDA toolkit)')])
        reason = aborted.get('description') or aborted.get('reason')
        return Counts(failed=[(label, f'{_first_line(reason)} (part {part})')])
    if not event.get('completed', {}).get('success', False):
        return Counts(failed=[(label, f'did not build (part {part})')])
    return Counts()


def _count_test(label, result, event):
    if result is None:
        reason = event.get('aborted', {}).get('description', 'was not run')
        return Counts(failed=[(label, _first_line(reason))])
    status = result.get('status', 'NO_STATUS')
    counts = Counts()
    for output in result.get('testActionOutput', []):
        if output['name'] == 'test.xml':
            path = urllib.parse.unquote(urllib.parse.urlparse(output['uri']).path)
            counts = count_junit(path, label)
    if status not in ('PASSED', 'FLAKY') and not counts.failed:
        counts.failed.append((label, status))
    elif status == 'PASSED' and not counts.passed and not counts.skipped:
        counts.failed.append((label, 'passed without a single test case'))
    return counts


def count_folder(folder, failed_parts=()):
    """Counts every results file in `folder`."""
    counts = Counts()
    for name in sorted(os.listdir(folder)):
        path = os.path.join(folder, name)
        if name.endswith('.bep.json'):
            counts.add(count_events(path))
        elif name.endswith('.xml'):
            counts.add(count_junit(path))
    # A target that fails to build fails in several parts: say it once.
    counts.failed = _first_of_each_name(counts.failed)
    counts.skipped = _first_of_each_name(counts.skipped)
    if failed_parts and not counts.failed:
        counts.failed += [(part, 'the part failed') for part in failed_parts]
    return counts


def _first_of_each_name(entries):
    first = {}
    for name, reason in entries:
        first.setdefault(name, reason)
    return list(first.items())


def _first_line(text):
    lines = (text or '').strip().splitlines()
    return lines[0] if lines else 'no reason given'


def _reason(text):
    """The message of a skipped case; gtest puts file:line on the first line."""
    lines = (text or '').strip().splitlines()
    return lines[-1] if lines else 'no reason given'
