"""Law 1 through the front door: sampled tokens do not depend on the cluster."""

import concurrent.futures
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.getcwd(), "tools/local"))

import cluster  # pylint: disable=wrong-import-position

MODEL = "tools/nano/model"
# At temperature 2 every token is a fresh draw over the whole vocabulary: a
# logit that differed would soon pick another token, and the rest would follow.
QUESTIONS = [(f"What is {a} * {b}?", seed) for seed, (a, b) in
             enumerate([(12, 7), (8312, 467), (99, 101), (5, 5), (640, 31), (7777, 3)])]


def cpu_flags():
  with open("/proc/cpuinfo") as info:
    for line in info:
      if line.startswith("flags"):
        return set(line.split(":")[1].split())
  return set()


def devices_here():
  flags = cpu_flags()
  devices = ["cpu/portable"]
  if {"avx512f", "avx512bw", "avx512vl", "avx512dq"} <= flags:
    devices.append("cpu/avx512")
  if {"amx_tile", "amx_bf16"} <= flags:
    devices.append("cpu/amx")
  return devices


def ask(local, question, seed):
  """The sampled output: reasoning and text."""
  done = subprocess.run(
      [local.shoalctl(), "--api=" + local.addresses["api"], "--temperature=2", f"--seed={seed}",
       "--max_tokens=60", "chat", question], capture_output=True, timeout=240, check=True)
  return done.stdout


def answers(devices, together):
  """Of one rank per device, one after the other or all at once."""
  with cluster.LocalCluster(os.getcwd(), MODEL, ranks=len(devices), devices=devices) as local:
    with concurrent.futures.ThreadPoolExecutor(len(QUESTIONS) if together else 1) as pool:
      return list(pool.map(lambda qs: ask(local, *qs), QUESTIONS))


class ServedBitwiseTest(unittest.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.expected = answers(["cpu/portable"], together=False)

  def test_another_seed_gives_another_answer(self):
    self.assertEqual(len(set(self.expected)), len(QUESTIONS))  # else equality would say nothing

  def test_four_processes_and_batch_mates(self):
    self.assertEqual(answers(["cpu"] * 4, together=True), self.expected)

  def test_each_instruction_set(self):
    for device in devices_here()[1:]:
      self.assertEqual(answers([device], together=False), self.expected, device)

  def test_ranks_on_different_cpu_types(self):
    devices = devices_here()
    if len(devices) < 2:
      self.skipTest("this machine has neither AVX-512 nor AMX: there is no second CPU type")
    mixed = [devices[i % len(devices)] for i in range(4)]
    self.assertEqual(answers(mixed, together=True), self.expected)


if __name__ == "__main__":
  unittest.main()
