"""How long files and functions may be.

Limits, not goals: a file is 300 lines and a function 40 as a rule.
"""

import ast

import cpp
from tree import Finding

CPP = ('.cc', '.h', '.cu', '.cuh')
MAX_FILE = 500
MAX_FUNCTION = 100
MAX_KERNEL = 150
MAX_PARAMETERS = 6
# A kernel's loop nest may be longer than a function that decides things.
KERNEL_FOLDERS = ('runtime/device/',)


def _is_script(tree, path):
    return '.' not in path.rsplit('/', 1)[-1] and tree.text(path).startswith('#!')


def check_files(tree):
    """No source file is longer than MAX_FILE lines."""
    findings = []
    for path in tree.paths():
        if path.endswith(CPP + ('.py', '.bzl', '.proto', 'BUILD')) or _is_script(tree, path):
            lines = len(tree.text(path).splitlines())
            if lines > MAX_FILE:
                findings.append(Finding(path, 0, f'{lines} lines; the limit is {MAX_FILE}'))
    return findings


def check_functions(tree):
    """No function is longer than MAX_FUNCTION lines, no kernel than MAX_KERNEL."""
    findings = []
    for path in tree.paths(*CPP):
        limit = MAX_KERNEL if path.startswith(KERNEL_FOLDERS) else MAX_FUNCTION
        for function in cpp.functions(tree.text(path)):
            if function.lines > limit:
                findings.append(Finding(path, function.first_line,
                                        f'{function.name} has {function.lines} lines; '
                                        f'the limit is {limit}'))
    for path in [p for p in tree.paths() if p.endswith('.py')
                 or (_is_script(tree, p) and 'python' in tree.text(p).split('\n', 1)[0])]:
        for node in ast.walk(ast.parse(tree.text(path))):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                lines = node.end_lineno - node.lineno + 1
                if lines > MAX_FUNCTION:
                    findings.append(Finding(path, node.lineno,
                                            f'{node.name} has {lines} lines; '
                                            f'the limit is {MAX_FUNCTION}'))
    return findings


def check_parameters(tree):
    """No function takes more than MAX_PARAMETERS; then it takes a struct."""
    findings = []
    for path in tree.paths(*CPP):
        for function in cpp.functions(tree.text(path)):
            if function.parameters > MAX_PARAMETERS:
                findings.append(Finding(path, function.first_line,
                                        f'{function.name} takes {function.parameters} '
                                        f'parameters; the limit is {MAX_PARAMETERS}'))
    return findings
