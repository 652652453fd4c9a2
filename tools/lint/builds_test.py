"""Every rule about BUILD files has a planted violation."""

import unittest

import builds
from tree import Tree

LINE = 'package(default_visibility = ["//visibility:private"], features = ["layering_check"])\n'
ROOT = LINE + '''
package_group(name = "base_users", packages = ["//..."])
package_group(name = "engine_users", packages = ["//services/worker/..."])
package_group(name = "moe_users", includes = [":engine_users"], packages = ["//runtime/model/..."])
'''
LIBRARY = 'cc_library(name = "a", srcs = ["a.cc"], hdrs = ["a.h"])\n'
TEST = 'cc_test(name = "a_test", srcs = ["a_test.cc"])\n'


def tree(build, **files):
    """runtime/moe with this BUILD file and empty sources."""
    contents = {'BUILD': ROOT, 'runtime/moe/BUILD': build}
    contents.update({'runtime/moe/' + name: '' for name in files.get('sources', ())})
    return Tree(contents)


def messages(findings):
    return ' '.join(str(f) for f in findings)


class BuildsTest(unittest.TestCase):

    def test_package_line(self):
        self.assertEqual(builds.check_package_line(tree(LINE)), [])
        self.assertEqual(len(builds.check_package_line(tree(LIBRARY))), 2)
        public = LINE.replace('private', 'public')
        self.assertIn('not private', messages(builds.check_package_line(tree(public))))
        data = LINE + '\nfilegroup(name = "d", srcs = glob(["golden/*.json"]))'
        self.assertEqual(builds.check_package_line(tree(data)), [])
        globbed = LINE + '\ncc_library(name = "a", srcs = glob(["*.cc"]))'
        self.assertIn(':3: glob', messages(builds.check_package_line(tree(globbed))))

    def test_a_source_in_no_target(self):
        found = builds.check_sources(tree(LINE + LIBRARY, sources=('a.cc', 'a.h', 'b.cc')))
        self.assertEqual([f.path for f in found], ['runtime/moe/b.cc'])

    def test_a_source_in_no_package(self):
        found = builds.check_sources(Tree({'runtime/x/a.cc': ''}))
        self.assertIn('no Bazel package', messages(found))

    def test_a_source_in_two_targets(self):
        twice = LINE + LIBRARY + LIBRARY.replace('"a"', '"b"')
        found = builds.check_sources(tree(twice, sources=('a.cc',)))
        self.assertIn('2 targets: a, b', messages(found))

    def test_variants_by_comprehension_are_one_target(self):
        build = LINE + '''
[cc_test(name = "k_%s_test" % v, srcs = ["k_test.cc"], copts = ["-m" + v]) for v in ["a", "b"]]
'''
        self.assertEqual(builds.check_sources(tree(build, sources=('k_test.cc',))), [])

    def test_a_library_without_a_test(self):
        self.assertEqual(builds.check_tests(tree(LINE + LIBRARY + TEST)), [])
        self.assertIn(':2: no test', messages(builds.check_tests(tree(LINE + LIBRARY))))
        above = {'BUILD': ROOT, 'runtime/moe/x/BUILD': LINE + LIBRARY,
                 'runtime/moe/BUILD': LINE + TEST.replace(')', ', deps = ["//runtime/moe/x:a"])')}
        self.assertEqual(builds.check_tests(Tree(above)), [])
        above['runtime/kv/BUILD'] = above.pop('runtime/moe/BUILD')
        self.assertEqual(len(builds.check_tests(Tree(above))), 1)
        header_only = LINE + 'cc_library(name = "a", hdrs = ["a.h"])'
        self.assertEqual(builds.check_tests(tree(header_only)), [])

    def test_readmes(self):
        files = {'runtime/moe/BUILD': LINE, 'runtime/moe/README.md': 'x\n' * 60}
        self.assertEqual(builds.check_readmes(Tree(files)), [])
        files['runtime/moe/README.md'] = 'x\n' * 61
        self.assertIn('longer', messages(builds.check_readmes(Tree(files))))
        del files['runtime/moe/README.md']
        self.assertIn('missing', messages(builds.check_readmes(Tree(files))))

    def check_visibility(self, *entries):
        library = f'cc_library(name = "a", hdrs = ["a.h"], visibility = {list(entries)!r})'
        return builds.check_layers(tree(LINE + library))

    def test_visibility_within_the_layer(self):
        self.assertEqual(self.check_visibility(
            '//:moe_users', '//:engine_users', '//visibility:private', '//runtime/moe:__subpackages__',
            ':__subpackages__', '//runtime/model:__pkg__', '//services/worker/x:__subpackages__'), [])

    def test_visibility_beyond_the_layer(self):
        for entry in ('//visibility:public', '//runtime/base:__pkg__', '//runtime:__subpackages__',
                      '//services:__subpackages__', '//:base_users', '//:no_such_group'):
            self.assertEqual(len(self.check_visibility(entry)), 1, entry)

    def test_the_model_knows_no_rank_outside_its_tests(self):
        def model(attributes, label='//runtime/comm/loopback'):
            target = f'cc_library(name = "m", deps = ["{label}"], {attributes})'
            return builds.check_purity(Tree({'runtime/model/BUILD': LINE + target}))
        self.assertIn('m uses //runtime/comm/loopback', messages(model('')))
        self.assertEqual(len(model('', '//runtime/comm:communicator')), 1)
        self.assertEqual(model('testonly = True'), [])
        self.assertEqual(model('', '//runtime/comma:x'), [])

    def test_a_layer_without_a_group(self):
        found = builds.check_layers(Tree({'BUILD': ROOT, 'runtime/new/BUILD': LINE}))
        self.assertIn('no package_group new_users', messages(found))

    def test_ignored_folders_are_no_packages(self):
        files = {'BUILD': ROOT, '.bazelignore': 'a/b\n', 'a/b/BUILD': '', 'c/BUILD': LINE}
        self.assertEqual(sorted(builds.packages(Tree(files))), ['', 'c'])


if __name__ == '__main__':
    unittest.main()
