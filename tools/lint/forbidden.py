"""Things that may not stand in certain places, each with its reason.

Patterns are matched line by line. `text` decides what they see: code without
comments and literals, code without comments, or the file as it is.
"""

import dataclasses
import re

import cpp
from tree import Finding

CPP = ('.cc', '.h', '.cu', '.cuh')
ALL = ('',)
CUDA_FOLDERS = ('runtime/device/cuda/', 'tools/cuda_smoke/')
NCCL_FOLDERS = ('runtime/comm/nccl/', 'tools/cuda_smoke/')


@dataclasses.dataclass(frozen=True)
class Rule:
    """`pattern` may not occur in files under `within` but not under `outside`."""

    name: str
    pattern: str
    reason: str
    suffixes: tuple = CPP
    within: tuple = ('',)
    outside: tuple = ()
    text: str = 'code'  # 'code', 'literals' (code with literals) or 'all'
    in_tests: bool = True  # also in *_test.cc, *_benchmark.cc and in folders named testing


# Words are put together here, so that this file passes its own rules.
_UNFINISHED = '|'.join(['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X', 'HA' + 'CK'])

RULES = (
    Rule('environment', r'\b(?:secure_)?getenv\b',
         'configuration comes from flags and one file, read in main', within=('runtime/', 'services/')),
    Rule('grpc_outside_services', r'#\s*include\s*[<"](?:grpc|grpcpp|grpc\+\+)/|\.grpc\.pb\.h[>"]',
         'only services/ knows gRPC', outside=('services/', 'tests/', 'tools/'), text='literals'),
    Rule('proto_in_runtime', r'#\s*include\s*[<"](?:google/protobuf/|[^>"]*\.pb\.h)',
         'the runtime knows no wire format', within=('runtime/',), text='literals'),
    Rule('cuda_outside_its_folder', r'#\s*include\s*[<"](?:cuda|cublas|cutlass|cute/|nvtx|driver_types)',
         'CUDA stays behind Device, Ops and Communicator',
         outside=CUDA_FOLDERS + NCCL_FOLDERS, text='literals'),
    Rule('nccl_outside_its_folder', r'#\s*include\s*[<"]nccl', 'NCCL stays behind Communicator',
         outside=NCCL_FOLDERS, text='literals'),
    Rule('if_per_device', r'^\s*#\s*(?:if|ifdef|ifndef|elif)\b.*\b(?:__CUDACC__|__CUDA_ARCH__|\w*CUDA\w*|'
         r'__HIP\w*|\w*_GPU)\b', 'the choice of device is made in BUILD files, not in sources',
         outside=CUDA_FOLDERS + NCCL_FOLDERS),
    Rule('unfinished', rf'\b(?:{_UNFINISHED})\b', 'finish it or write it down as a limit',
         suffixes=ALL, outside=('LICENSE',), text='all'),
    Rule('sleep_in_test', r'\b(?:sleep_for|sleep_until|usleep|nanosleep|SleepFor|sleep)\s*\(',
         'a test waits for a condition, or drives a FakeClock',
         suffixes=('_test.cc', '_test.py', '_fixture.h', '_fixture.cc', '_testing.h', '_testing.cc'),
         outside=('tools/lint/',)),
    Rule('sleep_in_test', r'\bsleep(?:_for|_until)?\s*\(|\bSleepFor\s*\(',
         'a test waits for a condition', suffixes=('.cc', '.h', '.py'), within=('tests/',)),
    Rule('machine_path', r'(?<![\w.:/}$-])/(?:home|root|work|workspace|mnt|Users)/\w',
         'no path of one machine', suffixes=ALL, text='all'),
    Rule('fixed_tmp_path', r'(?<![\w.])/tmp/[A-Za-z]', 'use TEST_TMPDIR or mktemp', suffixes=ALL,
         text='all'),
    Rule('opaque_lock', r'\babsl::(?:Mutex|MutexLock|CondVar)\b|\bstd::(?:mutex|shared_mutex|'
         r'recursive_mutex|condition_variable(?:_any)?|lock_guard|unique_lock|scoped_lock)\b',
         'use runtime/base/mutex.h: sanitizer and thread-safety analysis see it',
         outside=('runtime/base/mutex.h',)),
    Rule('exception', r'\bthrow\b', 'errors are absl::Status', within=('runtime/', 'services/')),
    Rule('exit', r'(?<![\w.:>])(?:std::)?(?:_?exit|quick_exit|abort)\s*\(',
         'only main ends the process; CHECK is for bugs', within=('runtime/', 'services/'),
         outside=('runtime/base/check.cc',), in_tests=False),
    Rule('using_namespace', r'\busing\s+namespace\b', 'it leaks into every includer', suffixes=('.h', '.cuh')),
    Rule('private_public', r'#\s*define\s+(?:private|protected)\b', 'test the contract'),
    Rule('pragma_once', r'#\s*pragma\s+once\b', 'the include guard names the file', suffixes=('.h', '.cuh')),
    Rule('bare_include', r'#\s*include\s*"[^/"]+"', 'includes are relative to the root', text='literals'),
    Rule('libm', r'(?<![\w.>])(?:std::)?(?:exp|exp2|expm1|log|log2|log10|log1p|pow|sin|cos|tan|tanh|erf|'
         r'cbrt|hypot)f?\(', "the C library's last digit differs between machines; use our own",
         within=('runtime/device/cpu/', 'runtime/model/', 'runtime/moe/', 'runtime/kv/',
                 'runtime/sampling/'), in_tests=False),
    Rule('inexact_math', r'-ffast-math|-Ofast|-funsafe-math|-ffp-contract=(?:fast|on)|-fassociative-math',
         'results are bit for bit the same everywhere', suffixes=('BUILD', '.bzl', '.bazelrc'), text='all'),
)


def _seen(rule, tree, path):
    text = tree.text(path)
    if rule.text == 'all' or not path.endswith(CPP):
        return text
    return cpp.code_only(text) if rule.text == 'code' else cpp.without_comments(text)


def check_rule(rule, tree):
    findings = []
    for path in tree.paths(*rule.suffixes):
        if not path.startswith(rule.within) or path.startswith(rule.outside):
            continue
        if not rule.in_tests and re.search(r'_(?:test|benchmark)\.cc$|/testing/', path):
            continue
        for number, line in enumerate(_seen(rule, tree, path).splitlines(), 1):
            match = re.search(rule.pattern, line)
            if match:
                findings.append(Finding(path, number, f'{match[0].strip()!r}: {rule.reason}'))
    return findings


def check(tree):
    """All rules."""
    return [finding for rule in RULES for finding in check_rule(rule, tree)]


def check_guards(tree):
    """Every header's guard is SHOAL_ and its path."""
    findings = []
    for path in tree.paths('.h', '.cuh'):
        guard = 'SHOAL_' + re.sub(r'\W', '_', path).upper() + '_'
        code = cpp.without_comments(tree.text(path)).strip().splitlines()
        if code[:2] != [f'#ifndef {guard}', f'#define {guard}']:
            findings.append(Finding(path, 1, f'the include guard is not {guard}'))
    return findings
