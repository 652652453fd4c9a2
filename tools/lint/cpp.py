"""A scanner for C++ that knows just enough: comments, strings, functions.

It is no parser. It reads code as clang-format leaves it and is tested on the
shapes this tree uses; a function it fails to recognize is counted as part of
what surrounds it, never dropped.
"""

import dataclasses
import re

_TOKEN = re.compile(
    r'''(?P<comment>//(?:\\\n|[^\n])*|/\*.*?\*/)'''
    r'''|(?P<raw>R"(?P<delimiter>[^\s()\\]*)\(.*?\)(?P=delimiter)")'''
    r'''|(?P<string>"(?:\\.|[^"\\\n])*")'''
    r'''|(?P<char>(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+')''', re.DOTALL)
_DIRECTIVE = re.compile(r'^[ \t]*#(?:\\\n|[^\n])*', re.MULTILINE)


def _blank(text):
    return re.sub(r'[^\n]', ' ', text)


def without_comments(text):
    """`text` with comments blanked and every line where it was."""
    return _TOKEN.sub(lambda m: _blank(m[0]) if m['comment'] else m[0], text)


def code_only(text):
    """`text` with comments and the insides of literals blanked."""
    def replace(match):
        if match['comment']:
            return _blank(match[0])
        return match[0][0] + _blank(match[0][1:-1]) + match[0][-1]
    return _TOKEN.sub(replace, text)


@dataclasses.dataclass
class Function:
    """A function with a body; lines count from 1, both ends included."""

    name: str
    first_line: int
    last_line: int
    parameters: int
    head: str

    @property
    def lines(self):
        return self.last_line - self.first_line + 1


_TYPE = re.compile(r'^(?:template\s*<.*>\s*)?(?:requires\s.*?)?(?:typedef\s+)?'
                   r'(?:class|struct|union|enum)\b(?![^{]*\)\s*(?:const)?\s*$)', re.DOTALL)
_NAMESPACE = re.compile(r'^(?:inline\s+)?namespace\b|^extern\s+"')
_BODY_FOLLOWS = re.compile(
    r'(?:\)|\b(?:const|override|final|noexcept|mutable|try|volatile)|&&?|->[^;=]*)\s*$')
_INITIALIZERS = re.compile(r'\)\s*(?:noexcept\s*)?:\s*[\w:<>, ]+$|\)\s*(?:noexcept\s*)?:.*[\w>]$',
                           re.DOTALL)
_NAME = re.compile(r'(operator\s*(?:\(\)|\[\]|[^\s(]+)|~?[\w:]+)(?:<[^()]*>)?\s*$')


def functions(text):
    """The functions of a file in order; a nested lambda belongs to its function."""
    code = _DIRECTIVE.sub(lambda m: _blank(m[0]), code_only(text))
    found, stack = [], []
    start = 0  # of the head of the next block, at namespace or class level
    for match in re.finditer(r'[{};]', code):
        character, at = match[0], match.start()
        inside_function = any(kind == 'function' for kind, _ in stack)
        depth_kind = stack[-1][0] if stack else 'namespace'
        if character == '{':
            kind = 'block' if inside_function else _kind_of(code[start:at])
            stack.append((kind, (start, at)))
            if kind in ('namespace', 'type', 'function'):
                start = at + 1
        elif character == '}' and stack:
            kind, (head_start, head_end) = stack.pop()
            if kind == 'function':
                found.append(_function(code, head_start, head_end, at))
            if kind != 'initializer' and kind != 'block':
                start = at + 1
        elif character == ';' and depth_kind not in ('initializer', 'block', 'function'):
            start = at + 1
    return sorted(found, key=lambda f: f.first_line)


def _kind_of(head):
    """What a `{` after `head` opens, where `head` is not inside a function."""
    head = re.sub(r'^\s*(?:(?:public|private|protected)\s*:\s*)+', '', head).strip()
    if _NAMESPACE.search(head):
        return 'namespace'
    if _TYPE.search(head):
        return 'type'
    if '(' not in head or _open_parentheses(head) or head.endswith(('=', ',', 'return')):
        return 'initializer'
    if _INITIALIZERS.search(head) and not _BODY_FOLLOWS.search(head):
        return 'initializer'
    if re.search(r'\)\s*(?:noexcept\s*)?:[^:].*\}$', head, re.DOTALL):
        return 'function'  # Foo() : a_{1} {
    return 'function' if _BODY_FOLLOWS.search(head) else 'initializer'


def _open_parentheses(head):
    return head.count('(') > head.count(')')


def _function(code, head_start, head_end, end):
    head = code[head_start:head_end]
    skipped = len(head) - len(head.lstrip())
    access = re.match(r'\s*(?:(?:public|private|protected)\s*:\s*)+', head)
    if access:
        skipped = access.end()
    head = head[skipped:]
    name, parameters = _signature(head)
    return Function(name, code.count('\n', 0, head_start + skipped) + 1,
                    code.count('\n', 0, end) + 1, parameters, head)


def _signature(head):
    """The name and the number of parameters of a function's head."""
    opening = _parameter_list(head)
    before = head[:opening]
    name = _NAME.search(before)
    depth, angle, commas, content = 0, 0, 0, ''
    for character in head[opening:]:
        if character in '([{':
            depth += 1
        elif character in ')]}':
            depth -= 1
            if depth == 0:
                break
        elif character in '<>' and depth == 1:
            angle += 1 if character == '<' else -1
        elif character == ',' and depth == 1 and angle <= 0:
            commas += 1
        content += character
    empty = content[1:].strip() in ('', 'void')
    return (name[1] if name else '?'), (0 if empty else commas + 1)


def _parameter_list(head):
    """Where the parameter list opens: after the name, not in an attribute."""
    for match in re.finditer(r'\(', head):
        before = head[:match.start()].rstrip()
        word = re.search(r'([\w~]+|[^\w\s])$', before)
        if word and not re.fullmatch(r'__attribute__|target|alignas|decltype|requires|explicit|'
                                     r'noexcept|__launch_bounds__|[A-Z][A-Z0-9_]{3,}|\(',
                                     word[1]):
            if before.endswith('operator') and head[match.start():match.start() + 2] == '()':
                continue
            return match.start()
    return head.find('(')
