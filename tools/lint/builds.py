"""Rules about BUILD files and the folders they describe.

A BUILD file is a subset of Python, so it is run with functions that record
what they are called with: comprehensions and variables need no parser.
"""

import dataclasses
import re
import sys

from tree import Finding

SOURCES = ('.cc', '.h', '.cu', '.cuh')
SOURCE_ATTRIBUTES = ('srcs', 'hdrs', 'textual_hdrs', 'data')
MAX_README_LINES = 60
# What visibility cannot say, because tests of the same package may: (user, used, why).
UNUSED_OUTSIDE_TESTS = (
    ('runtime/model', 'runtime/comm', 'the model knows no rank'),
)


@dataclasses.dataclass
class Target:
    """One call of a rule or macro in a BUILD file."""

    rule: str
    attributes: dict
    line: int

    @property
    def name(self):
        return self.attributes.get('name', '')

    def files(self):
        return [f.lstrip(':') for a in SOURCE_ATTRIBUTES
                for f in self.attributes.get(a) or [] if '//' not in f]


@dataclasses.dataclass
class Package:
    path: str  # of the folder; '' is the root
    targets: list
    settings: dict  # what package() was called with
    globs: list  # lines of calls of glob()

    @property
    def build(self):
        return f'{self.path}/BUILD' if self.path else 'BUILD'

    def within(self, folder):
        return (self.path + '/').startswith(folder)


class _Recorder(dict):
    """The globals of a BUILD file: any unknown name is a rule."""

    def __init__(self, package):
        super().__init__()
        self._package = package
        self['__builtins__'] = {'True': True, 'False': False, 'None': None, 'len': len, 'range': range,
                                'str': str, 'zip': zip, 'enumerate': enumerate, 'sorted': sorted}
        self['load'] = self._load
        self['package'] = package.settings.update
        self['select'] = lambda branches, **_: [v for b in branches.values() for v in b or []]
        self['glob'] = self._glob
        self['exports_files'] = lambda *_, **__: None
        self['licenses'] = lambda *_, **__: None

    def __missing__(self, name):
        if name in self['__builtins__']:
            raise KeyError(name)
        return lambda **attributes: self._package.targets.append(
            Target(name, attributes, _caller_line()))

    def _load(self, _file, *names, **_renamed):
        """Loaded constants are empty lists; loaded macros record their calls."""
        for name in names:
            if name.isupper():
                self[name] = []

    def _glob(self, patterns=(), **more):
        """Data may be globbed by a suffix of its own; sources are named."""
        patterns = list(patterns) + list(more.get('include', []))
        if not patterns or not all(re.search(r'\*\.\w+$', p) for p in patterns) or any(
                p.endswith(SOURCES + ('.py', '.proto')) for p in patterns):
            self._package.globs.append(_caller_line())
        return []


def _caller_line():
    frame = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename != 'BUILD':
        frame = frame.f_back
    return frame.f_lineno if frame else 0


def packages(tree):
    """Every package of the tree, by path."""
    ignored = tuple(tree.text('.bazelignore').split()) if '.bazelignore' in tree else ()
    found = {}
    for path in tree.paths('BUILD'):
        folder = path[:-len('/BUILD')] if '/' in path else ''
        if path.rsplit('/', 1)[-1] != 'BUILD' or (ignored and path.startswith(ignored)):
            continue
        package = Package(folder, [], {}, [])
        exec(compile(tree.text(path), 'BUILD', 'exec'), _Recorder(package))
        found[folder] = package
    return found


def check_package_line(tree):
    """Private by default, layering_check on, and no globs over sources."""
    findings = []
    for package in packages(tree).values():
        if package.settings.get('default_visibility') != ['//visibility:private']:
            findings.append(Finding(package.build, 1, 'the default visibility is not private'))
        if 'layering_check' not in package.settings.get('features', []):
            findings.append(Finding(package.build, 1, 'layering_check is not among the features'))
        findings += [Finding(package.build, line, 'glob(): name the files') for line in package.globs]
    return findings


def _package_of(path, known):
    folder = path.rsplit('/', 1)[0] if '/' in path else ''
    while folder not in known and folder:
        folder = folder.rsplit('/', 1)[0] if '/' in folder else ''
    return folder


def _variant(target):
    """What may differ between two targets that compile the same file."""
    return repr([target.attributes.get(a) for a in ('copts', 'defines', 'local_defines', 'linkopts')])


def check_sources(tree):
    """Every C++ file is in exactly one target (or in variants of one)."""
    known = packages(tree)
    owners = {}
    for package in known.values():
        for target in package.targets:
            for file in set(target.files()):
                path = f'{package.path}/{file}' if package.path else file
                owners.setdefault(path, []).append(target)
    findings = []
    for path in tree.paths(*SOURCES):
        targets = owners.get(path, [])
        if _package_of(path, known) not in known:
            findings.append(Finding(path, 0, 'is in no Bazel package'))
        elif not targets:
            findings.append(Finding(path, 0, 'is in no target of its package'))
        elif len({_variant(t) for t in targets}) < len(targets):
            names = ', '.join(t.name for t in targets)
            findings.append(Finding(path, 0, f'is in {len(targets)} targets: {names}'))
    return findings


def _tested(packages_by_path):
    """Paths of packages that a test in the same layer depends on, or that hold one."""
    found = set()
    for package in packages_by_path.values():
        layer = '/'.join(package.path.split('/')[:2]) + '/'
        for target in package.targets:
            if target.rule.endswith('_test'):
                found.add(package.path)
                labels = [d for d in target.attributes.get('deps') or [] if d.startswith('//')]
                found |= {d[2:].split(':')[0] for d in labels if (d[2:] + '/').startswith(layer)}
    return found


def check_tests(tree):
    """What is compiled in runtime/ and services/ is tested in its own layer."""
    known = packages(tree)
    tested = _tested(known)
    findings = []
    for package in known.values():
        if not package.within(('runtime/', 'services/')) or package.path in tested:
            continue
        compiled = [t for t in package.targets if t.rule in ('cc_library', 'cuda_library')
                    and t.attributes.get('srcs') and not t.attributes.get('testonly')]
        if compiled:
            findings.append(Finding(package.build, compiled[0].line,
                                    'no test in this package or layer depends on it'))
    return findings


def check_readmes(tree):
    """Every package has a README of at most a page; proto/ has one for all."""
    findings = []
    for package in packages(tree).values():
        readme = f'{package.path}/README.md' if package.path else 'README.md'
        if package.within('proto/'):
            readme = 'proto/README.md'
        if readme not in tree:
            findings.append(Finding(readme, 0, 'is missing: what the folder is for, its one invariant'))
        elif package.path and len(tree.text(readme).splitlines()) > MAX_README_LINES:
            findings.append(Finding(readme, 0, f'longer than a page ({MAX_README_LINES} lines)'))
    return findings


def _groups(root):
    """The package groups of the root, with what they include: name -> patterns."""
    direct = {t.name: t for t in root.targets if t.rule == 'package_group'}

    def patterns(name, seen):
        if name in seen or name not in direct:
            return set()
        attributes = direct[name].attributes
        found = set(attributes.get('packages', []))
        for included in attributes.get('includes', []):
            found |= patterns(included.split(':')[-1], seen | {name})
        return found

    return {name: patterns(name, frozenset()) for name in direct}


def _covers(patterns, folder):
    """Whether package patterns (//a/...) allow all packages of `folder`."""
    return any(p == '//...' or (p.endswith('/...') and
                                (folder + '/').startswith(p[2:-len('...')])) for p in patterns)


def check_layers(tree):
    """Every target of runtime/X is visible to //:X_users at most."""
    known = packages(tree)
    groups = _groups(known['']) if '' in known else {}
    findings = []
    for package in known.values():
        match = re.match(r'runtime/(\w+)', package.path)
        if not match:
            continue
        layer = match[1]
        allowed = groups.get(f'{layer}_users')
        if allowed is None:
            findings.append(Finding('BUILD', 0, f'no package_group {layer}_users'))
            continue
        for target in package.targets:
            for entry in target.attributes.get('visibility') or []:
                if not _visibility_allowed(entry, layer, package, groups, allowed):
                    findings.append(Finding(package.build, target.line,
                                            f'{target.name} is visible to {entry}, '
                                            f'beyond //:{layer}_users'))
    return findings


def check_purity(tree):
    """Outside tests, no target uses what UNUSED_OUTSIDE_TESTS says."""
    findings = []
    for package in packages(tree).values():
        for user, used, why in UNUSED_OUTSIDE_TESTS:
            if not package.within(user + '/'):
                continue
            for target in package.targets:
                if target.attributes.get('testonly') or target.rule.endswith('_test'):
                    continue
                for label in target.attributes.get('deps') or []:
                    if (label.removeprefix('//').split(':')[0] + '/').startswith(used + '/'):
                        findings.append(Finding(package.build, target.line,
                                                f'{target.name} uses {label}: {why}'))
    return findings


def _visibility_allowed(entry, layer, package, groups, allowed):
    if entry == '//visibility:private':
        return True
    label, _, name = entry.partition(':')
    folder = label[2:] if label.startswith('//') else package.path
    if name in ('__pkg__', '__subpackages__'):
        return (folder + '/').startswith(f'runtime/{layer}/') or _covers(allowed, folder)
    # A group of the root, or one of the package's own.
    group = groups.get(name) if label == '//' else _groups(package).get(name)
    return group is not None and all(_covers(allowed, p[2:].removesuffix('/...')) or
                                     p.startswith(f'//runtime/{layer}/') for p in group)
