"""Runs fuzz targets and their planted twins, and says what came of it."""

import base64
import dataclasses
import glob
import json
import os
import re
import subprocess
import tempfile
import time
from xml.sax.saxutils import quoteattr

# Target -> the files that it is there to fuzz; its coverage is counted in them.
READERS = {
    'safetensors': ('runtime/weights/safetensors.cc', 'runtime/base/strict_json.cc'),
    'checkpoint': ('runtime/weights/checkpoint.cc',),
    'config': ('runtime/model/config.cc', 'runtime/model/config_fields.cc',
               'runtime/model/tensor_table.cc'),
    'tokenizer': ('runtime/text/tokenizer_json.cc', 'runtime/text/json_fields.cc'),
    'tokenizer_config': ('runtime/text/tokenizer_config.cc', 'runtime/text/chat_dialect.cc'),
    'mesh_frames': ('runtime/comm/tcp/frame.cc', 'runtime/comm/tcp/link.cc',
                    'runtime/comm/tcp/group.cc'),
    'mesh_hello': ('runtime/comm/tcp/hello.cc', 'runtime/comm/tcp/handshake.cc'),
    'dispatch_message': ('runtime/moe/dispatch_message.cc',),
}
# A planted bug that takes longer to find shows that the target is blunt.
PLANTED_SECONDS = 60
MAX_PRINTED_INPUT = 6000
LLVM = '/usr/lib/llvm-14/bin'
LIMITS = ('-max_len=8192', '-timeout=20', '-rss_limit_mb=2048')
# Ends that are no sign of a planted bug: a hang, or want of memory.
OTHER_END = re.compile(r'ERROR: libFuzzer: (timeout|out-of-memory|did not end)')
REASON = re.compile(r'CHECK failed.*|runtime error:.*|ERROR: AddressSanitizer:.*|'
                    r'ERROR: LeakSanitizer:.*|ERROR: libFuzzer:.*|terminate called.*|.*Assertion .*')


@dataclasses.dataclass
class Outcome:
    """What one run of one program came to."""

    kind: str  # 'fuzz' or 'planted'
    target: str
    text: str  # a line for people
    problem: str = ''  # why it failed; empty if it did not
    advice: str = ''  # how to see the failure again
    seconds: float = 0


class Programs:
    """Where the programs and their corpora lie."""

    def __init__(self, binaries, sources, crashes):
        self.binaries = binaries
        self.sources = sources  # the folder of this file
        self.crashes = crashes  # inputs that crashed are kept here

    def command(self, target, suffix):
        command = [os.path.join(self.binaries, f'{target}_{suffix}'), *LIMITS]
        dictionary = os.path.join(self.sources, 'dictionaries', f'{target}.dict')
        return command + ([f'-dict={dictionary}'] if os.path.exists(dictionary) else [])

    def corpus(self, target):
        return os.path.join(self.sources, 'corpus', target)


def _run(command, folder, seconds=None):
    """Runs `command` with `folder` for its files: (exit status, output, seconds taken)."""
    environment = dict(os.environ, TMPDIR=folder, UBSAN_OPTIONS='print_stacktrace=1',
                       ASAN_SYMBOLIZER_PATH=f'{LLVM}/llvm-symbolizer',
                       LLVM_PROFILE_FILE=f'{folder}/profile.raw')
    start = time.monotonic()
    try:
        done = subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=seconds, check=False)
        status, output = done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        status, output = -1, (late.stdout or b'') + b'\nERROR: libFuzzer: did not end by itself'
    return status, output.decode(errors='replace'), time.monotonic() - start


def _workplace():
    """A folder in memory: some targets write files for every input."""
    memory = '/dev/shm'
    return tempfile.TemporaryDirectory(prefix='fuzz-', dir=memory if os.path.isdir(memory) else None)


def _count(output, name):
    found = re.search(rf'^stat::{name}:\s+(\d+)', output, re.M)
    return int(found[1]) if found else 0


def reason_of(output):
    """The line of a libFuzzer log that says why it stopped."""
    found = REASON.search(output)
    return found[0].strip() if found else 'stopped without a reason'


def covered_lines(summary, readers):
    """(covered, all) lines of `readers`, from what llvm-cov export -summary-only prints."""
    covered = count = 0
    for reader in readers:
        files = [f for f in summary['data'][0]['files'] if f['filename'].endswith('/' + reader)]
        if len(files) != 1:
            raise LookupError(f'no coverage of {reader}')
        covered += files[0]['summary']['lines']['covered']
        count += files[0]['summary']['lines']['count']
    return covered, count


def _coverage(binary, folder, readers):
    merged = f'{folder}/profile'
    subprocess.run([f'{LLVM}/llvm-profdata', 'merge', '-o', merged, f'{folder}/profile.raw'], check=True)
    exported = subprocess.run([f'{LLVM}/llvm-cov', 'export', '-summary-only',
                               f'-instr-profile={merged}', binary],
                              stdout=subprocess.PIPE, check=True)
    return covered_lines(json.loads(exported.stdout), readers)


def _keep_crash(folder, programs, command):
    """Keeps the input that crashed; returns how to replay it."""
    found = glob.glob(f'{folder}/input-*')
    if not found:
        return 'no input was left'
    os.makedirs(programs.crashes, exist_ok=True)
    kept = os.path.join(programs.crashes, os.path.basename(command[0]) + os.path.basename(found[0])[len('input'):])
    with open(found[0], 'rb') as crashed, open(kept, 'wb') as file:
        content = crashed.read()
        file.write(content)
    advice = f'replay: {command[0]} {kept}'
    if len(content) <= MAX_PRINTED_INPUT:
        advice += f'\nthe input, elsewhere: base64 -d >input <<<{base64.b64encode(content).decode()}'
    return advice


def fuzz(target, programs, seconds):
    """Runs the target from its committed corpus for so long; it must find nothing."""
    with _workplace() as folder:
        os.mkdir(f'{folder}/new')
        command = programs.command(target, 'fuzzer')
        status, output, taken = _run(
            command + [f'-max_total_time={seconds}', '-print_final_stats=1',
                       f'-artifact_prefix={folder}/input-', f'{folder}/new', programs.corpus(target)],
            folder, seconds + 120)
        executed = _count(output, 'number_of_executed_units')
        text = f'{executed} inputs, {executed / max(taken, 1):.0f} a second'
        if status != 0:
            return Outcome('fuzz', target, text, f'{reason_of(output)} (status {status})',
                           _keep_crash(folder, programs, command) + '\n' + output[-6000:], taken)
        readers = READERS[target]
        covered, count = _coverage(command[0], folder, readers)
        text += f'; covered {covered} of {count} lines of {", ".join(readers)}'
        return Outcome('fuzz', target, text, seconds=taken)


def find_planted(target, programs):
    """Runs the planted twin from the same corpus until it falls over, which it must."""
    with _workplace() as folder:
        command = programs.command(target, 'planted') + [f'-artifact_prefix={folder}/input-']
        status, output, _ = _run(command + ['-runs=0', programs.corpus(target)], folder, 120)
        if status != 0:
            return Outcome('planted', target, 'found by the corpus alone',
                           f'the corpus shows it, so it proves nothing: {reason_of(output)}')
        os.mkdir(f'{folder}/new')
        status, output, taken = _run(
            command + [f'-max_total_time={PLANTED_SECONDS}', '-print_final_stats=1', '-seed=1',
                       f'{folder}/new', programs.corpus(target)], folder, PLANTED_SECONDS + 60)
        executed = _count(output, 'number_of_executed_units')
        if status == 0:
            text = f'not found in {executed} inputs'
            return Outcome('planted', target, text, text, seconds=taken)
        if OTHER_END.search(output):
            text = f'stopped after {executed} inputs, not by the bug: {reason_of(output)}'
            return Outcome('planted', target, text, text, seconds=taken)
        text = f'found after {executed} inputs, {taken:.1f} s: {reason_of(output)}'
        return Outcome('planted', target, text, seconds=taken)


def junit(outcomes):
    """The outcomes as a JUnit file."""
    lines = ['<testsuites><testsuite name="fuzz">']
    for outcome in outcomes:
        lines.append(f'<testcase classname={quoteattr(outcome.kind)} name={quoteattr(outcome.target)} '
                     f'time="{outcome.seconds:.1f}">')
        if outcome.problem:
            lines.append(f'<failure message={quoteattr(_printable(outcome.problem))}/>')
        lines.append('</testcase>')
    return '\n'.join(lines + ['</testsuite></testsuites>\n'])


def _printable(text):
    return ''.join(c if c.isprintable() else '?' for c in text)
