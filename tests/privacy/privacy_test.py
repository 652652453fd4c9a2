"""Law 6 on a real cluster, and the scanner on planted leaks."""

import os
import subprocess
import sys
import tempfile
import unittest
import uuid

sys.path.insert(0, os.path.join(os.getcwd(), "tools/local"))
sys.path.insert(0, os.path.join(os.getcwd(), "tests/privacy"))

import cluster  # pylint: disable=wrong-import-position
import scan  # pylint: disable=wrong-import-position

MODEL = "tools/nano/model"


class ScannerTest(unittest.TestCase):
  """The saboteurs: what the law's test must find."""

  NEEDLES = [b"zebra-secret"]

  def test_a_logged_prompt_is_found(self):
    with tempfile.TemporaryDirectory() as folder:
      os.mkdir(os.path.join(folder, "deep"))
      path = os.path.join(folder, "deep", "router.log")
      with open(path, "w") as log:
        log.write('level=info event="got" prompt="say zebra-secret twice"\n')
      self.assertEqual(scan.files_with(folder, self.NEEDLES), [path])
      self.assertEqual(scan.files_with(folder, [b"other"]), [])

  def test_a_prompt_on_a_command_line_is_found(self):
    process = subprocess.Popen([sys.executable, "-c", "print(flush=True); input()",
                                "zebra-secret"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
      process.stdout.readline()  # it runs
      self.assertTrue(scan.process_has(process.pid, self.NEEDLES))
      self.assertFalse(scan.process_has(process.pid, [b"other"]))
    finally:
      process.communicate(b"\n")

  def test_an_outside_address_is_told_from_loopback(self):
    is_loopback = scan._is_loopback  # pylint: disable=protected-access
    self.assertTrue(is_loopback("0100007F:1F90"))
    self.assertTrue(is_loopback("00000000:0000"))
    self.assertTrue(is_loopback("0000000000000000FFFF00000100007F:1F90"))
    self.assertFalse(is_loopback("08080808:0035"))
    self.assertFalse(is_loopback("0000000000000000FFFF000008080808:0035"))


class PrivacyTest(unittest.TestCase):

  def ask(self, local, question, *flags):
    done = subprocess.run([local.shoalctl(), "--api=" + local.addresses["api"], *flags, "chat",
                           question], capture_output=True, timeout=120, check=False)
    return done.stdout

  def test_nothing_of_prompt_or_output_is_left_anywhere(self):
    canary = "zebra" + uuid.uuid4().hex
    run_dir = self.enterContext(tempfile.TemporaryDirectory())
    with cluster.LocalCluster(os.getcwd(), MODEL, ranks=2, run_dir=run_dir) as local:
      output = self.ask(local, f"{canary} What is 347 + 589?", "--temperature=0", "--max_tokens=200")
      self.assertGreater(len(output), 20)
      self.ask(local, canary * 2_000)  # refused: more tokens than the context
      dying = subprocess.Popen([local.shoalctl(), "--api=" + local.addresses["api"], "chat",
                                f"{canary} What is 987654 - 345678?"], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
      dying.stdout.read(1)  # it generates
      local.workers[1].popen.kill()
      output += dying.communicate(timeout=60)[0]
      needles = [canary.encode(), canary.encode().hex().encode()]
      # Pieces of the output, too long to stand in a log by chance.
      needles += [output[i:i + 24] for i in range(0, len(output) - 24, 24)]
      processes = [local.router, local.workers[0]]
      for process in processes:
        self.assertFalse(scan.process_has(process.popen.pid, needles), process.name)
        self.assertEqual(scan.core_dump_limit(process.popen.pid), "0", process.name)
        self.assertEqual(scan.foreign_peers(process.popen.pid), [], process.name)
        metrics = process.ready(5)["metrics"]
        self.assertFalse(scan.page_has(f"http://{metrics}/metrics", needles), process.name)
    self.assertEqual(scan.files_with(run_dir, needles), [])
    self.assertGreater(os.path.getsize(os.path.join(run_dir, "router.log")), 0)


if __name__ == "__main__":
  unittest.main()
