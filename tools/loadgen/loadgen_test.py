"""The load generator as it is run, against a cluster of two ranks that serves nano."""

import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.getcwd(), "tools/local"))

import cluster  # pylint: disable=wrong-import-position

LOADGEN = "tools/loadgen/loadgen"
MODEL = "tools/nano/model"
# The figures of a busy test machine are not looked at, so a late generator is no failure.
BASE = ["--max_lag=1h", "--connections=3", "--seed=7"]


class LoadgenTest(unittest.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    cls.local = cls.enterClassContext(cluster.LocalCluster(os.getcwd(), MODEL, ranks=2))

  def loadgen(self, *options):
    return subprocess.run([LOADGEN, "--api=" + self.local.addresses["api"], *BASE, *options],
                          capture_output=True, text=True, timeout=120, check=False)

  def report(self, *options):
    path = os.path.join(os.environ["TEST_TMPDIR"], "report.json")
    done = self.loadgen("--json=" + path, *options)
    self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
    with open(path, encoding="utf-8") as file:
      return json.load(file)

  def test_an_open_loop_with_all_there_is(self):
    report = self.report(
        "--arrivals=poisson:150", "--requests=200", "--prompt_tokens=uniform:3:40",
        "--output_tokens=lognormal:12:0.5:40", "--prefixes=3:70", "--cancels=0.15:4",
        "--slow_readers=0.1:200", "--temperature=1", "--deadline=60s", "--slo_ttft=30s")
    self.assertEqual(report["schema"], "shoal.loadgen.v1")
    self.assertEqual(report["options"]["prefixes"], "3:70")
    self.assertEqual(report["violations"]["count"], 0)
    outcomes = report["outcomes"]
    self.assertEqual(sum(outcomes.values()), 200)
    self.assertGreater(outcomes["cancelled"], 5)
    self.assertGreater(outcomes["LENGTH"], 100)
    self.assertLessEqual(set(outcomes), {"LENGTH", "STOP", "cancelled"})
    latency = report["latency_seconds"]
    for name in ("ttft", "e2e"):
      self.assertGreater(latency[name]["p50"], 0)
    self.assertLessEqual(latency["ttft"]["p50"], latency["e2e"]["p50"])
    self.assertEqual(report["goodput"]["requests"], latency["e2e"]["count"])
    self.assertGreater(report["throughput"]["output_tokens_per_second"], 0)

  def test_a_closed_loop_answers_the_same_at_any_concurrency(self):
    workload = ["--requests=60", "--prompt_tokens=uniform:3:40", "--output_tokens=fixed:12",
                "--temperature=0.8"]
    one = self.report("--arrivals=closed:1", *workload)
    many = self.report("--arrivals=closed:16", *workload)
    self.assertEqual(one["workload_digest"], many["workload_digest"])
    self.assertEqual(one["outputs_digest"], many["outputs_digest"])
    other = self.report("--arrivals=closed:16", *workload, "--seed=8")
    self.assertNotEqual(one["workload_digest"], other["workload_digest"])
    self.assertNotEqual(one["outputs_digest"], other["outputs_digest"])

  def test_a_trace_of_texts(self):
    path = os.path.join(os.environ["TEST_TMPDIR"], "trace")
    with open(path, "w", encoding="utf-8") as file:
      file.write("# at prompt output\n" + "".join(f"{i * 0.01} {i % 7 + 1} 5\n" for i in range(30)))
    report = self.report("--arrivals=trace:" + path, "--prompt=text")
    self.assertEqual(report["requests"], 30)
    self.assertGreaterEqual(report["seconds"], 0.29)
    self.assertEqual(report["violations"]["count"], 0)

  def test_exit_codes(self):
    late = self.loadgen("--requests=5", "--output_tokens=fixed:3", "--max_lag=1ns")
    self.assertEqual(late.returncode, 3, late.stdout + late.stderr)
    self.assertIn("VOID", late.stdout)
    bad = self.loadgen("--requests=5", "--arrivals=poisson:0")
    self.assertEqual(bad.returncode, 2)
    self.assertIn("--arrivals=poisson:0: RATE 0 is outside [0.001, 100000]", bad.stderr)
    unwritable = self.loadgen("--requests=5", "--json=/nowhere/report.json")
    self.assertEqual(unwritable.returncode, 2)
    self.assertIn("--json=/nowhere/report.json: not writable", unwritable.stderr)
    long = self.loadgen("--requests=5", "--prompt_tokens=fixed:5000")
    self.assertEqual(long.returncode, 2)
    self.assertIn("the model's context has 4096", long.stderr)


if __name__ == "__main__":
  unittest.main()
