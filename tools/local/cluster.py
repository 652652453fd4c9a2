"""A Shoal cluster on this machine: one router, N workers, loopback only."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROUTER = "services/router/shoal-router"
WORKER = "services/worker/shoal-worker"
SHOALCTL = "tools/shoalctl/shoalctl"
TARGETS = ["//services/router:shoal-router", "//services/worker:shoal-worker",
           "//tools/shoalctl"]


class ClusterError(Exception):
  """A process died or did not get ready; the message says which and why."""


def build(quiet=False):
  """Builds the three programs; returns the folder they lie in."""
  cache = subprocess.run([os.path.join(ROOT, "tools/install"), "--cache"], check=True,
                         capture_output=True, text=True).stdout.strip()
  command = ["bazel", "build", "--disk_cache=" + cache, *TARGETS]
  if quiet or not sys.stderr.isatty():
    command[2:2] = ["--curses=no", "--show_progress_rate_limit=10"]
  out = subprocess.DEVNULL if quiet else None
  if subprocess.run(command, cwd=ROOT, stdout=out, stderr=out, check=False).returncode != 0:
    raise ClusterError("the build failed: " + " ".join(command))
  return os.path.join(ROOT, ".bazel/bin")


def stop_on_sigterm():
  """SIGTERM unwinds as Ctrl-C does: no process of a cluster stays behind."""
  def interrupt(*unused):
    raise KeyboardInterrupt
  signal.signal(signal.SIGTERM, interrupt)


class Process:
  """One of the cluster's processes: its `ready` line, its log."""

  def __init__(self, name, command, log_path):
    self.name = name
    self.log_path = log_path
    self._ready = {}
    self._ready_event = threading.Event()
    log = open(log_path, "ab")  # the child's; closed here at once
    with log:
      self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=log, start_new_session=True)
    threading.Thread(target=self._read, daemon=True).start()

  def _read(self):
    for line in self.popen.stdout:
      words = line.decode(errors="replace").split()
      if words[:1] == ["ready"]:
        self._ready = dict(word.split("=", 1) for word in words[1:])
        self._ready_event.set()
    self._ready_event.set()  # it ended
    self.popen.stdout.close()

  def ready(self, timeout):
    """The addresses of its `ready` line."""
    if not self._ready_event.wait(timeout):
      raise ClusterError(f"{self.name} was not ready after {timeout:.0f} s\n{self.log_end()}")
    if not self._ready:
      raise ClusterError(f"{self.name} ended before it was ready\n{self.log_end()}")
    return self._ready

  def log_end(self, lines=12):
    with open(self.log_path, errors="replace") as log:
      return f"the end of {self.log_path}:\n" + "".join(log.readlines()[-lines:])


class LocalCluster:
  """Use as a context manager: everything has stopped when it is left."""

  def __init__(self, bin_dir, model_folder, ranks=4, model_name="nano", api_port=0,
               control_port=0, metrics_port=0, kv_blocks=1024, devices=None,
               run_dir=None):
    self.bin_dir = bin_dir
    self.model_folder = os.path.abspath(model_folder)
    self.model_name = model_name
    self.ranks = ranks
    self.ports = {"api": api_port, "control": control_port, "metrics": metrics_port}
    self.kv_blocks = kv_blocks
    self.devices = devices or ["cpu"] * ranks  # by rank
    # Configurations and logs; removed in the end unless the caller gave it or an error ended it.
    self.run_dir = run_dir or tempfile.mkdtemp(prefix="shoal-")
    self._own_run_dir = run_dir is None
    self.router = None
    self.workers = []
    self.addresses = {}

  def __enter__(self):
    try:
      self.start()
    except BaseException:
      self.__exit__(*sys.exc_info())
      raise
    return self

  def __exit__(self, kind, *unused):
    self.stop()
    if self._own_run_dir and kind in (None, KeyboardInterrupt):
      shutil.rmtree(self.run_dir)

  def _config(self, file_name, **fields):
    path = os.path.join(self.run_dir, file_name + ".textproto")
    with open(path, "w") as file:
      for key, value in fields.items():
        text = f'"{value}"' if isinstance(value, str) else value
        file.write(f"{key}: {text}\n")
    return path

  def _spawn(self, name, program, config):
    return Process(name, [os.path.join(self.bin_dir, program), "--config=" + config],
                   os.path.join(self.run_dir, name + ".log"))

  def start(self):
    config = self._config(
        "router", cluster="local", model_folder=self.model_folder, model_name=self.model_name,
        api_listen=f"127.0.0.1:{self.ports['api']}",
        control_listen=f"127.0.0.1:{self.ports['control']}",
        metrics_listen=f"127.0.0.1:{self.ports['metrics']}", group_size=self.ranks)
    self.router = self._spawn("router", ROUTER, config)
    self.addresses = self.router.ready(30)
    for rank in range(self.ranks):
      self.workers.append(self._worker(rank))
    self.wait()

  def _worker(self, rank):
    name = f"rank-{rank}"
    config = self._config(
        name, cluster="local", name=name, model_folder=self.model_folder,
        model_name=self.model_name, router=self.addresses["control"],
        mesh_listen="127.0.0.1:0", generate_listen="127.0.0.1:0", metrics_listen="127.0.0.1:0",
        rank=rank, device=self.devices[rank], threads=1, kv_blocks=self.kv_blocks)
    return self._spawn(name, WORKER, config)

  def wait(self, timeout=120):
    """Returns when the group serves; a process that dies meanwhile is an error."""
    waiting = subprocess.Popen([self.shoalctl(), "wait", "--timeout=%ds" % timeout,
                                "--control=" + self.addresses["control"]])
    try:
      while waiting.poll() is None:
        for process in [self.router, *self.workers]:
          if process.popen.poll() is not None:
            raise ClusterError(f"{process.name} ended with {process.popen.returncode}\n"
                               f"{process.log_end()}")
        time.sleep(0.05)
    finally:
      waiting.kill()  # does nothing when it has ended
      waiting.wait()
    if waiting.returncode != 0:
      raise ClusterError(f"the group did not form; logs are in {self.run_dir}")

  def shoalctl(self):
    return os.path.join(self.bin_dir, SHOALCTL)

  def stop(self):
    """SIGTERM to all, workers first; SIGKILL to what is still there after 20 s."""
    processes = [p for p in [*self.workers, self.router] if p is not None]
    for process in processes:
      if process.popen.poll() is None:
        process.popen.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + 20
    for process in processes:
      try:
        process.popen.wait(max(0.1, deadline - time.monotonic()))
      except subprocess.TimeoutExpired:
        process.popen.kill()
        process.popen.wait()
    self.workers, self.router = [], None
