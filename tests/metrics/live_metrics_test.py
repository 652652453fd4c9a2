"""What a cluster of four ranks exposes after it has answered one question."""

import collections
import os
import re
import shutil
import subprocess
import sys
import unittest
import urllib.request

sys.path.insert(0, os.path.join(os.getcwd(), "tools/local"))

import cluster  # pylint: disable=wrong-import-position

MODEL = "tools/nano/model"
SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")

ROUTER_MOVED = [
    "shoal_requests_total", "shoal_prompt_tokens_total", "shoal_output_tokens_total",
    "shoal_request_ttft_seconds_count", "shoal_request_itl_seconds_count",
    "shoal_request_e2e_seconds_count", "shoal_request_prompt_tokens_count",
    "shoal_request_output_tokens_count", "shoal_ep_ranks", "shoal_ep_epoch",
    "shoal_weights_load_progress_ratio", "shoal_build_info",
]
WORKER_MOVED = [
    "shoal_steps_total", "shoal_kv_blocks", "shoal_step_seconds_count",
    "shoal_exchange_seconds_total", "shoal_exchange_bytes_total", "shoal_expert_tokens_total",
    "shoal_weights_load_progress_ratio", "shoal_build_info",
]


def fetch(process):
  url = f"http://{process.ready(5)['metrics']}/metrics"
  with urllib.request.urlopen(url, timeout=10) as page:
    return page.read().decode()


def sums(page):
  """Each metric, summed over its labels."""
  total = collections.Counter()
  for line in page.splitlines():
    match = SAMPLE.fullmatch(line)
    if match and not line.startswith("#"):
      total[match.group(1)] += float(match.group(3))
  return total


class LiveMetricsTest(unittest.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    with cluster.LocalCluster(os.getcwd(), MODEL, ranks=4) as local:
      cls.idle = fetch(local.router)
      subprocess.run([local.shoalctl(), "--api=" + local.addresses["api"], "--temperature=0",
                      "chat", "What is 347 + 589?"], check=True, timeout=120)
      cls.router = fetch(local.router)
      cls.workers = [fetch(worker) for worker in local.workers]

  def test_every_page_is_clean(self):
    if shutil.which("promtool") is None:
      self.skipTest("promtool (Debian's prometheus) is not installed")
    for page in [self.router, *self.workers]:
      done = subprocess.run(["promtool", "check", "metrics"], input=page, text=True,
                            capture_output=True, check=False)
      self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

  def test_the_router_counted_the_request(self):
    idle, router = sums(self.idle), sums(self.router)
    for name in ROUTER_MOVED:
      self.assertGreater(router[name], 0, name)
    self.assertEqual(idle["shoal_requests_total"], 0)
    self.assertEqual(router["shoal_requests_total"], 1)
    self.assertEqual(router["shoal_requests_running"], 0)
    self.assertEqual(router["shoal_ep_ranks"], 4)

  def test_every_rank_took_part(self):
    for page in self.workers:
      worker = sums(page)
      for name in WORKER_MOVED:
        self.assertGreater(worker[name], 0, name)

  def test_tokens_per_expert_add_up(self):
    workers = sum((sums(page) for page in self.workers), collections.Counter())
    rows = workers["shoal_batch_tokens_sum"]
    # Three MoE layers, each row to four experts, each counted where it was computed.
    self.assertEqual(workers["shoal_expert_tokens_total"], rows * 3 * 4)

  def test_what_was_sent_was_received(self):
    sent = sum(value for page in self.workers for value in self.exchange_bytes(page, "sent"))
    received = sum(value for page in self.workers
                   for value in self.exchange_bytes(page, "received"))
    self.assertEqual(sent, received)
    self.assertGreater(sent, 0)

  def exchange_bytes(self, page, direction):
    for line in page.splitlines():
      match = SAMPLE.fullmatch(line)
      if match and match.group(1) == "shoal_exchange_bytes_total" and direction in match.group(2):
        yield float(match.group(3))


if __name__ == "__main__":
  unittest.main()
