"""Copies a checkpoint folder with some routed experts' weights zeroed.

  python3 zero_experts.py --from DIR --to DIR --experts 0-3
A control for accuracy measurements: what the experts matter. Standard library
only; works on any safetensors checkpoint of the DeepSeek-V3 layout.
"""

import argparse
import json
import os
import re
import shutil
import struct

EXPERT = re.compile(r"model\.layers\.\d+\.mlp\.experts\.(\d+)\.\w+\.weight")


def zero_shard(path, experts):
  """Zeroes the matching tensors of one file in place; returns how many."""
  with open(path, "r+b") as file:
    (size,) = struct.unpack("<Q", file.read(8))
    header = json.loads(file.read(size))
    zeroed = 0
    for name, tensor in header.items():
      match = EXPERT.fullmatch(name)
      if not match or int(match.group(1)) not in experts:
        continue
      begin, end = tensor["data_offsets"]
      file.seek(8 + size + begin)
      file.write(bytes(end - begin))
      zeroed += 1
  return zeroed


def copy_with_zeros(source, target, experts):
  """Copies the folder and zeroes the experts; returns how many tensors.

  digests.json stays behind: workers would rightly refuse the zeros.
  """
  os.makedirs(target, exist_ok=True)
  zeroed = 0
  for name in sorted(os.listdir(source)):
    path = os.path.join(target, name)
    if not os.path.isfile(os.path.join(source, name)) or name == "digests.json":
      continue
    shutil.copyfile(os.path.join(source, name), path)
    if name.endswith(".safetensors"):
      zeroed += zero_shard(path, experts)
  if zeroed == 0:
    raise ValueError(f"{source}: no routed expert matches {sorted(experts)}")
  return zeroed


def main():
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument("--from", dest="source", required=True)
  parser.add_argument("--to", dest="target", required=True)
  parser.add_argument("--experts", required=True, help="FIRST-LAST")
  options = parser.parse_args()
  first, last = map(int, options.experts.split("-"))
  count = copy_with_zeros(options.source, options.target, set(range(first, last + 1)))
  print(f"{count} tensors zeroed in {options.target}")


if __name__ == "__main__":
  main()
