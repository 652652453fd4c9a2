"""Every rule of the table has a planted violation and an innocent neighbour."""

import unittest

import forbidden
from tree import Tree

UNFINISHED = 'TO' + 'DO'

# (rule, path, text that must be found)
PLANTED = (
    ('environment', 'runtime/engine/engine.cc', 'auto p = getenv("X");'),
    ('environment', 'services/router/main.cc', 'auto p = std::getenv("X");'),
    ('grpc_outside_services', 'runtime/a.cc', '#include <grpcpp/grpcpp.h>'),
    ('grpc_outside_services', 'deploy/a.cc', '#include "shoal/v1/inference.grpc.pb.h"'),
    ('proto_in_runtime', 'runtime/a.h', '#include "shoal/v1/config.pb.h"'),
    ('cuda_outside_its_folder', 'runtime/device/ops.h', '#include <cuda_runtime.h>'),
    ('cuda_outside_its_folder', 'services/a.cc', '#include "cublasLt.h"'),
    ('nccl_outside_its_folder', 'runtime/device/cuda/a.cc', '#include <nccl.h>'),
    ('if_per_device', 'runtime/moe/a.cc', '#ifdef SHOAL_USE_CUDA'),
    ('if_per_device', 'runtime/moe/a.h', '#if defined(__CUDACC__)'),
    ('unfinished', 'README.md', f'{UNFINISHED}: say more'),
    ('unfinished', 'runtime/a.cc', f'// {UNFINISHED}(me)'),
    ('sleep_in_test', 'runtime/a_test.cc', 'std::this_thread::sleep_for(x);'),
    ('sleep_in_test', 'tools/a_test.py', 'time.sleep(1)'),
    ('sleep_in_test', 'tests/cluster/fixture.cc', 'absl::SleepFor(x);'),
    ('machine_path', 'README.md', 'see /ho' + 'me/me/notes'),
    ('fixed_tmp_path', 'runtime/a_test.cc', 'Open("/tm' + 'p/x")'),
    ('opaque_lock', 'runtime/a.h', 'absl::Mutex mu_;'),
    ('opaque_lock', 'services/a.cc', 'std::lock_guard<std::mutex> l(mu_);'),
    ('exception', 'runtime/a.cc', 'throw std::runtime_error("x");'),
    ('exit', 'services/a.cc', 'exit(1);'),
    ('exit', 'runtime/a.cc', 'std::abort();'),
    ('using_namespace', 'runtime/a.h', 'using namespace std;'),
    ('private_public', 'runtime/a_test.cc', '#define private public'),
    ('pragma_once', 'runtime/a.h', '#pragma once'),
    ('bare_include', 'runtime/a.cc', '#include "a.h"'),
    ('libm', 'runtime/device/cpu/a.cc', 'x = std::exp(y);'),
    ('libm', 'runtime/sampling/a.h', 'x = logf(y);'),
    ('inexact_math', 'runtime/device/cpu/BUILD', 'copts = ["-ffast-math"]'),
)

# (path, text in which nothing may be found)
INNOCENT = (
    ('tools/client.cc', 'auto p = getenv("X");'),
    ('runtime/a.cc', '// getenv, throw and absl::Mutex are not used here'),
    ('runtime/a.cc', 'Fail("throw sleep_for(");'),
    ('services/a.cc', '#include <grpcpp/grpcpp.h>'),
    ('tests/cluster/a_test.cc', '#include "shoal/v1/inference.grpc.pb.h"'),
    ('runtime/device/cuda/a.cu', '#include <cuda_runtime.h>\n#if defined(__CUDA_ARCH__)'),
    ('runtime/comm/nccl/a.cc', '#include <nccl.h>'),
    ('runtime/device/cpu/a.cc', '#if defined(__x86_64__)'),
    ('runtime/kv/fake_test.cc', 'std::abort();'),
    ('runtime/device/cpu/a.cc', 'x = std::sqrt(y) + Exp(y) + v.exp(y);'),
    ('runtime/device/reference/a.cc', 'x = std::exp(y);'),
    ('runtime/model/testing/naive.cc', 'x = std::pow(y, 2);'),
    ('runtime/base/mutex.h', 'std::mutex mu_;'),
    ('runtime/engine/a.cc', 'absl::Duration sleep = wake.Sleep(1); loop.exit(2);'),
    ('runtime/a.cc', '#include "runtime/base/check.h"\n#include <string>'),
    ('README.md', 'https://example.org/home/me and $HOME/notes, ./work/x, a/root/b'),
    ('tools/x', 'DIR=$(mktemp -d "${TMPDIR:-/tmp}/x.XXXX")'),
)


def rules_named(name):
    return [rule for rule in forbidden.RULES if rule.name == name]


class ForbiddenTest(unittest.TestCase):

    def test_planted_violations_are_found_by_their_rule(self):
        for name, path, text in PLANTED:
            tree = Tree({path: '\n' + text + '\n'})
            found = [f for rule in rules_named(name) for f in forbidden.check_rule(rule, tree)]
            self.assertEqual([(f.path, f.line) for f in found], [(path, 2)], (name, text))

    def test_every_rule_has_a_planted_violation(self):
        planted = {name for name, _, _ in PLANTED}
        self.assertEqual(planted, {rule.name for rule in forbidden.RULES})

    def test_innocent_neighbours_are_left_alone(self):
        for path, text in INNOCENT:
            self.assertEqual(forbidden.check(Tree({path: text + '\n'})), [], (path, text))

    def test_guards(self):
        guard = 'SHOAL_RUNTIME_BASE_A_H_'
        good = f'// What.\n\n#ifndef {guard}\n#define {guard}\n#endif\n'
        self.assertEqual(forbidden.check_guards(Tree({'runtime/base/a.h': good})), [])
        self.assertEqual(len(forbidden.check_guards(Tree({'runtime/base/b.h': good}))), 1)
        self.assertEqual(len(forbidden.check_guards(Tree({'runtime/base/a.h': 'int x;\n'}))), 1)


if __name__ == '__main__':
    unittest.main()
