"""shoal_proto: .proto files to C++ (and gRPC) by Debian's protoc.

All imports are relative to one root, proto/, so a file is named in C++ as it
is in the schema: #include "shoal/v1/inference.pb.h".
"""

_ProtoSources = provider(doc = "A proto target's sources.", fields = {"sources": "depset of .proto files, transitive"})

_ROOT = "proto"

def _protoc(ctx, sources, args, outputs, what):
    arguments = ctx.actions.args()
    arguments.add_all(["-I" + _ROOT, "-I/usr/include"] + args)
    arguments.add_all([f.path for f in ctx.files.srcs])
    ctx.actions.run(
        executable = "/usr/bin/protoc",
        arguments = [arguments],
        inputs = sources,
        outputs = outputs,
        mnemonic = "Protoc" + what,
        progress_message = "protoc %s (%s)" % (ctx.label, what),
    )

def _proto_gen_impl(ctx):
    sources = depset(ctx.files.srcs, transitive = [d[_ProtoSources].sources for d in ctx.attr.deps])
    hdrs, srcs = [], []
    for f in ctx.files.srcs:
        if not f.short_path.startswith(_ROOT + "/"):
            fail("%s is outside the import root %s/" % (f.short_path, _ROOT))
        stem = f.short_path[len(ctx.label.package) + 1:-len(".proto")]
        for kind in [".pb"] + ([".grpc.pb"] if ctx.attr.grpc else []):
            hdrs.append(ctx.actions.declare_file(stem + kind + ".h"))
            srcs.append(ctx.actions.declare_file(stem + kind + ".cc"))
    out = ctx.bin_dir.path + "/" + _ROOT
    args = ["--cpp_out=" + out]
    if ctx.attr.grpc:
        args += ["--plugin=protoc-gen-grpc=/usr/bin/grpc_cpp_plugin", "--grpc_out=" + out]
    _protoc(ctx, sources, args, hdrs + srcs, "Cpp")
    descriptors = ctx.actions.declare_file(ctx.label.name + ".binpb")
    args = ["--include_imports", "--include_source_info", "--descriptor_set_out=" + descriptors.path]
    _protoc(ctx, sources, args, [descriptors], "Descriptors")
    return [
        DefaultInfo(files = depset(hdrs + srcs)),
        OutputGroupInfo(hdrs = depset(hdrs), srcs = depset(srcs), descriptors = depset([descriptors])),
        _ProtoSources(sources = sources),
    ]

_proto_gen = rule(
    implementation = _proto_gen_impl,
    attrs = {
        "deps": attr.label_list(providers = [_ProtoSources]),
        "grpc": attr.bool(),
        "srcs": attr.label_list(allow_files = [".proto"], mandatory = True),
    },
)

def _gen(label):
    if ":" in label:
        return label + "_gen"
    return label + ":" + label.split("/")[-1] + "_gen"

def shoal_proto(name, srcs, deps = [], grpc = False, visibility = None):
    """A cc_library of generated code.

    Args:
      name: the cc_library. NAME_descriptors is the FileDescriptorSet.
      srcs: .proto files below proto/.
      deps: other shoal_proto targets.
      grpc: whether the files hold services.
      visibility: of the library and the descriptors.
    """
    _proto_gen(name = name + "_gen", srcs = srcs, deps = [_gen(d) for d in deps], grpc = grpc, visibility = visibility)
    for group in ["hdrs", "srcs"]:
        native.filegroup(name = name + "_" + group, srcs = [name + "_gen"], output_group = group)
    native.filegroup(
        name = name + "_descriptors",
        srcs = [name + "_gen"],
        output_group = "descriptors",
        visibility = visibility,
    )
    native.cc_library(
        name = name,
        srcs = [name + "_srcs"],
        hdrs = [name + "_hdrs"],
        # Generated code; its warnings are not ours to mend.
        copts = ["-w"],
        strip_include_prefix = "/" + _ROOT,
        visibility = visibility,
        deps = deps + ["@system//:protobuf"] + (["@system//:grpc++"] if grpc else []),
    )
