"""Python stubs of the public API, generated from proto/ when first imported.

Needs Debian's python3-grpcio, python3-protobuf, protobuf-compiler and
protobuf-compiler-grpc. Exports inference_pb2 and inference_pb2_grpc.
"""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile

_PROTO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../proto")
_out = tempfile.mkdtemp(prefix="shoal-stubs-")
atexit.register(shutil.rmtree, _out, ignore_errors=True)
subprocess.run(
    ["protoc", "-I", _PROTO, "--python_out", _out, "--grpc_out", _out,
     "--plugin=protoc-gen-grpc=/usr/bin/grpc_python_plugin",
     os.path.join(_PROTO, "shoal/v1/inference.proto")], check=True)
sys.path.insert(0, _out)

from shoal.v1 import inference_pb2  # pylint: disable=wrong-import-position
from shoal.v1 import inference_pb2_grpc  # pylint: disable=wrong-import-position

__all__ = ["inference_pb2", "inference_pb2_grpc"]
