"""clang-format over every C++ file, with the style at the root."""

import re
import subprocess

from tree import Finding

CLANG_FORMAT = 'clang-format-14'
SUFFIXES = ('.cc', '.h', '.cu', '.cuh')
_WARNING = re.compile(r'^(.+?):(\d+):\d+: error: (code should be clang-formatted)')


def check(tree, root):
    """Every C++ file is as clang-format writes it. Reads the files below `root`."""
    paths = tree.paths(*SUFFIXES)
    if not paths:
        return []
    run = subprocess.run([CLANG_FORMAT, '--dry-run', '--Werror', *paths], cwd=root,
                         capture_output=True, text=True, check=False)
    first = {}
    for line in run.stderr.splitlines():
        match = _WARNING.match(line)
        if match:
            first.setdefault(match[1], int(match[2]))
    if run.returncode != 0 and not first:
        return [Finding('.clang-format', 0, run.stderr.strip().splitlines()[0])]
    return [Finding(path, line, 'not as clang-format writes it; run tools/lint/lint --fix')
            for path, line in first.items()]


def fix(tree, root):
    """Rewrites every C++ file below `root` in place."""
    subprocess.run([CLANG_FORMAT, '-i', *tree.paths(*SUFFIXES)], cwd=root, check=True)
