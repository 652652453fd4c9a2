"""Where bytes of a prompt could have gone: files, process metadata, sockets."""

import os
import urllib.request


def files_with(folder, needles):
  """Paths below `folder` whose content holds one of the needles (bytes)."""
  found = []
  for root, _, names in os.walk(folder):
    for name in names:
      path = os.path.join(root, name)
      with open(path, "rb") as file:
        content = file.read()
      if any(needle in content for needle in needles):
        found.append(path)
  return found


def page_has(url, needles):
  with urllib.request.urlopen(url, timeout=10) as page:
    content = page.read()
  return any(needle in content for needle in needles)


def process_has(pid, needles):
  """Whether the command line or environment of `pid` holds a needle."""
  content = b""
  for name in ("cmdline", "environ"):
    with open(f"/proc/{pid}/{name}", "rb") as file:
      content += file.read()
  return any(needle in content for needle in needles)


def core_dump_limit(pid):
  with open(f"/proc/{pid}/limits") as limits:
    for line in limits:
      if line.startswith("Max core file size"):
        return line.split()[4]
  return None


def _is_loopback(address):
  """`address` as /proc/net/tcp writes it: little-endian hex words, a port."""
  host = address.rpartition(":")[0]
  if len(host) == 8:
    return host.endswith("7F") or host == "0" * 8
  return host in ("0" * 32, "0" * 24 + "01000000") or host.startswith("0" * 16 + "FFFF0000") and (
      host.endswith("7F"))


def foreign_peers(pid):
  """Remote addresses of the process's TCP sockets that are not this machine."""
  inodes = set()
  for fd in os.listdir(f"/proc/{pid}/fd"):
    try:
      target = os.readlink(f"/proc/{pid}/fd/{fd}")
    except FileNotFoundError:
      continue  # closed meanwhile
    if target.startswith("socket:["):
      inodes.add(target[8:-1])
  foreign = []
  for table in ("tcp", "tcp6"):
    with open(f"/proc/{pid}/net/{table}") as file:
      for line in list(file)[1:]:
        words = line.split()
        if words[9] in inodes and not _is_loopback(words[2]):
          foreign.append(words[2])
  return foreign
