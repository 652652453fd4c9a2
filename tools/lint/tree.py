"""The files that are linted, and what a rule says about them."""

import dataclasses
import os
import subprocess


@dataclasses.dataclass(frozen=True, order=True)
class Finding:
    """One violation. `line` counts from 1; 0 is the file as a whole."""

    path: str
    line: int
    message: str

    def __str__(self):
        return f'{self.path}:{self.line}: {self.message}'


class Tree:
    """Paths relative to the root, '/'-separated, with their text.

    Tests make one from a dict, so that a rule is tried on planted files.
    """

    def __init__(self, files):
        self._files = dict(files)

    @classmethod
    def from_checkout(cls, root):
        """Every tracked file of a git checkout that is text."""
        names = subprocess.run(['git', '-C', root, 'ls-files', '-z'], check=True,
                               capture_output=True, text=True).stdout.split('\0')
        files = {}
        for name in filter(None, names):
            path = os.path.join(root, name)
            if not os.path.isfile(path):
                continue  # deleted, not yet committed
            with open(path, 'rb') as file:
                data = file.read()
            if b'\0' not in data[:8192]:
                files[name] = data.decode('utf-8', errors='replace')
        return cls(files)

    def paths(self, *suffixes):
        """Sorted paths that end in one of `suffixes`; all without any."""
        return sorted(p for p in self._files if not suffixes or p.endswith(suffixes))

    def text(self, path):
        return self._files[path]

    def __contains__(self, path):
        return path in self._files
