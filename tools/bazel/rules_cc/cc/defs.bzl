"""What Bazel 4.2 itself loads from @rules_cc, over the native rules.

Bazel's own C++ toolchain asks for @rules_cc and would download it. Debian's
bazel-rules-cc does not fit Bazel 4.2.3, and a build here reaches no network.
"""

def cc_library(**kwargs):
    native.cc_library(**kwargs)

def cc_binary(**kwargs):
    native.cc_binary(**kwargs)

def cc_test(**kwargs):
    native.cc_test(**kwargs)

def cc_import(**kwargs):
    native.cc_import(**kwargs)

def cc_toolchain(**kwargs):
    native.cc_toolchain(**kwargs)

def cc_toolchain_suite(**kwargs):
    native.cc_toolchain_suite(**kwargs)

def cc_toolchain_alias(**kwargs):
    native.cc_toolchain_alias(**kwargs)

def cc_libc_top_alias(**kwargs):
    native.cc_libc_top_alias(**kwargs)

def cc_host_toolchain_alias(**kwargs):
    native.cc_host_toolchain_alias(**kwargs)

def fdo_profile(**kwargs):
    native.fdo_profile(**kwargs)

def cc_flags_supplier(**_kwargs):
    """Loaded by Bazel, used by no target of ours."""

def compiler_flag(**_kwargs):
    """Loaded by Bazel, used by no target of ours."""
