"""@local_cuda: the CUDA toolkit where there is one, incompatible stubs elsewhere."""

_LIBRARIES = """
package(default_visibility = ["//visibility:public"])

cc_library(
    name = "headers",
    hdrs = {headers},
    includes = ["include"],
    target_compatible_with = {compatible},
)

# Static, so that a test needs only the driver on the machine that runs it.
cc_library(
    name = "cudart_static",
    srcs = {cudart},
    linkopts = ["-ldl", "-lrt", "-lpthread"],
    linkstatic = True,
    target_compatible_with = {compatible},
    deps = [":headers"],
)

# Collectives between GPUs.
cc_library(
    name = "nccl",
    linkopts = {search} + ["-lnccl"],
    target_compatible_with = {compatible},
    deps = [":headers"],
)

# Dense FP8 GEMM with 128x128 block scales (CUDA 12.9 and later).
cc_library(
    name = "cublasLt",
    linkopts = {search} + ["-lcublasLt"],
    target_compatible_with = {compatible},
    deps = [":headers"],
)
"""

def _cuda_configure_impl(rctx):
    root = rctx.os.environ.get("CUDA_HOME", "/usr/local/cuda")
    nvcc = rctx.path(root + "/bin/nvcc")
    have = nvcc.exists
    lib = root + "/lib64"
    if have:
        rctx.symlink(root + "/include", "include")
        rctx.symlink(lib, "lib")
    rctx.file("defs.bzl", "HAVE_CUDA = %r\nCUDA_HOME = %r\nNVCC = %r\n" % (have, root, str(nvcc)))
    rctx.file("BUILD", _LIBRARIES.format(
        headers = "[\"include\"]" if have else "[]",
        cudart = "[\"lib/libcudart_static.a\"]" if have else "[]",
        compatible = "[]" if have else "[\"@platforms//:incompatible\"]",
        search = repr(["-L" + lib, "-Wl,-rpath," + lib]),
    ))

cuda_configure = repository_rule(
    implementation = _cuda_configure_impl,
    configure = True,
    environ = ["CUDA_HOME"],
    local = True,
)
