"""Abseil as Debian ships it: one cc_library per absl_*.pc."""

load("//tools/bazel:system.bzl", "words")

_PC_DIR = "/usr/lib/x86_64-linux-gnu/pkgconfig"

def _parse_pc(text):
    """The (requires, libs) of one .pc file; both lists of words."""
    requires, libs = [], []
    for line in text.split("\n"):
        if line.startswith("Requires:"):
            for clause in line[len("Requires:"):].split(","):
                clause_words = words(clause.strip())
                if clause_words:
                    requires.append(clause_words[0])
        elif line.startswith("Libs:"):
            libs = [w for w in words(line[len("Libs:"):]) if not w.startswith("-L")]
    return requires, libs

def _system_absl_impl(rctx):
    build = [
        "package(default_visibility = [\"//visibility:public\"])\n",
        # Programs for a GPU machine must run without Debian's libraries.
        "config_setting(name = \"static\", define_values = {\"absl\": \"static\"})\n",
    ]
    found = [f for f in rctx.path(_PC_DIR).readdir() if f.basename.startswith("absl_") and f.basename.endswith(".pc")]
    if not found:
        fail("no %s/absl_*.pc; run tools/install" % _PC_DIR)
    for pc in found:
        requires, libs = _parse_pc(rctx.read(pc))
        static = ["-l:lib" + w[2:] + ".a" if w.startswith("-labsl_") else w for w in libs]
        build.append("""
cc_library(
    name = %r,
    linkopts = select({":static": %r, "//conditions:default": %r}),
    deps = %r,
)
""" % (
            pc.basename[len("absl_"):-len(".pc")],
            static,
            libs,
            [":" + r[len("absl_"):] for r in requires],
        ))
    rctx.file("BUILD", "".join(build))

system_absl = repository_rule(
    implementation = _system_absl_impl,
    configure = True,
    local = True,
)
