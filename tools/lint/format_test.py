"""clang-format finds and mends a badly written file."""

import os
import tempfile
import unittest

import format as clang_format
from tree import Tree


class FormatTest(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        self.write('.clang-format', 'BasedOnStyle: Google\n')

    def write(self, name, text):
        with open(os.path.join(self.root, name), 'w', encoding='utf-8') as file:
            file.write(text)

    def test_finds_and_fixes(self):
        self.write('good.cc', 'int a;\nint* b;\n')
        self.write('bad.cc', 'int a;\nint   *b;\n')
        tree = Tree({'good.cc': '', 'bad.cc': '', 'notes.md': ''})
        found = clang_format.check(tree, self.root)
        self.assertEqual([(f.path, f.line) for f in found], [('bad.cc', 2)])
        clang_format.fix(tree, self.root)
        self.assertEqual(clang_format.check(tree, self.root), [])

    def test_a_broken_style_file_is_a_finding(self):
        self.write('.clang-format', 'NoSuchKey: 1\n')
        self.write('good.cc', 'int a;\n')
        self.assertEqual(len(clang_format.check(Tree({'good.cc': ''}), self.root)), 1)


if __name__ == '__main__':
    unittest.main()
