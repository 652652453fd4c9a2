"""cuda_library, cuda_binary, cuda_test: .cu files compiled by nvcc.

All three are SKIPPED, by name, where @local_cuda found no nvcc.
"""

load("@local_cuda//:defs.bzl", "CUDA_HOME", "HAVE_CUDA", "NVCC")

_COMPATIBLE = [] if HAVE_CUDA else ["@platforms//:incompatible"]

def _nvcc_arguments(ctx, context, src, obj, dep):
    args = ctx.actions.args()
    args.add_all(["-c", src.path, "-o", obj.path, "-MMD", "-MF", dep.path])
    args.add_all(["-ccbin", "/usr/bin/g++-12", "-std=c++20", "-O3", "-lineinfo"])
    args.add_all(["-Xcompiler", "-fPIC,-Wall,-Wextra,-Werror,-ffp-contract=off"])
    args.add_all(["--expt-relaxed-constexpr", "--expt-extended-lambda", "-Werror", "all-warnings"])

    # nvcc takes the assignment of a [[nodiscard]] absl::Status for a discard.
    args.add_all(["-diag-suppress", "2810"])
    for arch in ctx.attr.archs:
        number = arch[len("sm_"):]
        args.add("-gencode=arch=compute_%s,code=%s" % (number, arch))
    args.add_all(ctx.attr.copts)
    args.add_all(context.defines, before_each = "-D")
    args.add_all([".", ctx.bin_dir.path], before_each = "-I")
    args.add_all(context.quote_includes, before_each = "-I")
    args.add_all(context.includes, before_each = "-I")
    args.add_all(context.system_includes, before_each = "-isystem")
    return args

def _cuda_objects_impl(ctx):
    context = cc_common.merge_cc_infos(cc_infos = [d[CcInfo] for d in ctx.attr.deps]).compilation_context
    objects = []
    for src in [f for f in ctx.files.srcs if f.extension == "cu"]:
        stem = "_nvcc/%s/%s" % (ctx.label.name, src.basename[:-len(".cu")])
        obj = ctx.actions.declare_file(stem + ".pic.o")
        dep = ctx.actions.declare_file(stem + ".d")
        ctx.actions.run(
            executable = NVCC,
            arguments = [_nvcc_arguments(ctx, context, src, obj, dep)],
            inputs = depset(ctx.files.srcs + ctx.files.hdrs, transitive = [context.headers]),
            outputs = [obj, dep],
            mnemonic = "NvccCompile",
            progress_message = "nvcc %s" % src.short_path,
            env = {"PATH": CUDA_HOME + "/bin:/usr/bin:/bin", "TMPDIR": "/tmp"},
        )
        objects.append(obj)
    return [DefaultInfo(files = depset(objects))]

_cuda_objects = rule(
    implementation = _cuda_objects_impl,
    attrs = {
        "archs": attr.string_list(),
        "copts": attr.string_list(),
        "deps": attr.label_list(providers = [CcInfo]),
        "hdrs": attr.label_list(allow_files = [".cuh", ".h"]),
        "srcs": attr.label_list(allow_files = [".cu", ".cuh", ".h"]),
    },
)

def cuda_library(name, srcs, hdrs = [], deps = [], archs = ["sm_90a"], copts = [], tags = [], visibility = None):
    """A cc_library whose .cu sources are compiled by nvcc for `archs`."""
    deps = deps + ["@local_cuda//:headers"]
    _cuda_objects(
        name = name + "_objects",
        srcs = srcs,
        hdrs = hdrs,
        archs = archs,
        copts = copts,
        tags = tags + ["manual"],
        target_compatible_with = _COMPATIBLE,
        deps = deps,
    )
    native.cc_library(
        name = name,
        srcs = [name + "_objects"],
        hdrs = hdrs,
        # One CUDA runtime in a program: it is linked once, at the end.
        linkstatic = True,
        tags = tags,
        target_compatible_with = _COMPATIBLE,
        visibility = visibility,
        deps = deps + ["@local_cuda//:cudart_static"],
    )

def cuda_binary(name, **kwargs):
    """A cc_binary over cuda_library targets."""
    native.cc_binary(name = name, target_compatible_with = _COMPATIBLE, **kwargs)

def cuda_test(name, tags = [], **kwargs):
    """A cc_test over cuda_library targets; it owns the GPU while it runs."""
    native.cc_test(
        name = name,
        linkstatic = True,
        tags = tags + ["gpu", "exclusive"],
        target_compatible_with = _COMPATIBLE,
        **kwargs
    )
