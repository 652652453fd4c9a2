"""A fuzz target, and the same with a planted bug."""

_DEPS_OF_ALL = [
    ":fuzz",
    "//runtime/base:check",
    "@absl//:status",
    "@absl//:strings",
]

def fuzz_target(name, srcs, planted_source, deps):
    """Makes NAME_fuzzer, and NAME_planted with a bug in it.

    Both need --config=fuzz and are left out of //... (tests/fuzz/run builds them).
    The planted bug is planted/NAME.patch, a change of the one production source
    `planted_source`; the program's own object of that source comes before the
    library's, so nothing else differs. If the patch does not apply, or fuzzily,
    the build fails.

    Args:
      name: the target's name
      srcs: what defines LLVMFuzzerTestOneInput
      planted_source: label of the source that planted/NAME.patch changes
      deps: what the sources include
    """
    native.cc_library(
        name = name + "_target",
        testonly = True,
        srcs = srcs,
        tags = ["manual"],
        deps = _DEPS_OF_ALL + deps,
        alwayslink = True,
    )
    native.cc_binary(
        name = name + "_fuzzer",
        testonly = True,
        linkopts = ["-fsanitize=fuzzer"],
        tags = ["manual"],
        deps = [name + "_target"],
    )
    native.genrule(
        name = name + "_planted_source",
        testonly = True,
        srcs = [planted_source, "planted/%s.patch" % name],
        outs = ["planted/%s.cc" % name],
        cmd = "patch --follow-symlinks --fuzz=0 --silent --output=$@ $(SRCS)",
        tags = ["manual"],
    )
    native.cc_binary(
        name = name + "_planted",
        testonly = True,
        srcs = ["planted/%s.cc" % name],
        # The patched source belongs to another package, with deps of its own.
        features = ["-layering_check"],
        linkopts = ["-fsanitize=fuzzer"],
        tags = ["manual"],
        deps = [name + "_target"],
    )
