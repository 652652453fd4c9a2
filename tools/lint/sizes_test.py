"""Each size limit: at the limit is fine, one beyond is found."""

import unittest

import sizes
from tree import Tree


def function(lines):
    return 'int f() {\n' + '  x();\n' * (lines - 2) + '}\n'


class SizesTest(unittest.TestCase):

    def test_files(self):
        for path in ('a.cc', 'a.h', 'a.py', 'a.bzl', 'a.proto', 'x/BUILD'):
            self.assertEqual(sizes.check_files(Tree({path: '\n' * 500})), [])
            self.assertEqual(len(sizes.check_files(Tree({path: '\n' * 501}))), 1, path)
        self.assertEqual(len(sizes.check_files(Tree({'run': '#!/bin/bash\n' * 501}))), 1)
        self.assertEqual(sizes.check_files(Tree({'weights.json': '\n' * 9999})), [])

    def test_functions(self):
        self.assertEqual(sizes.check_functions(Tree({'a.cc': function(100)})), [])
        found = sizes.check_functions(Tree({'a.cc': '\n' + function(101)}))
        self.assertEqual([(f.path, f.line) for f in found], [('a.cc', 2)])
        self.assertIn('101 lines', found[0].message)

    def test_kernels_may_be_longer(self):
        kernel = 'runtime/device/cpu/k.cc'
        self.assertEqual(sizes.check_functions(Tree({kernel: function(150)})), [])
        self.assertEqual(len(sizes.check_functions(Tree({kernel: function(151)}))), 1)

    def test_python_functions(self):
        def python(lines):
            return 'def f():\n' + '    x()\n' * (lines - 1)
        self.assertEqual(sizes.check_functions(Tree({'a.py': python(100)})), [])
        self.assertEqual(len(sizes.check_functions(Tree({'a.py': python(101)}))), 1)
        script = {'run': '#!/usr/bin/env python3\n' + python(101)}
        self.assertEqual(len(sizes.check_functions(Tree(script))), 1)

    def test_parameters(self):
        six, seven = 'int a, int b, int c, int d, int e, int f', 'T<a, b> g'
        self.assertEqual(sizes.check_parameters(Tree({'a.h': f'void x({six}) {{}}'})), [])
        found = sizes.check_parameters(Tree({'a.h': f'void x({six}, {seven}) {{}}'}))
        self.assertEqual(len(found), 1)


if __name__ == '__main__':
    unittest.main()
