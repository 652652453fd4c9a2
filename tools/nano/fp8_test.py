"""The converter turns nano into the FP8 form whose digest is committed."""

import os
import subprocess
import tempfile
import unittest

CONVERT = "tools/convert/shoal-convert"
MODEL = "tools/nano/model"


class Fp8Test(unittest.TestCase):

    def test_the_form_is_the_one_that_was_measured(self):
        with open("tools/nano/fp8_digest.txt") as file:
            expected = file.read().split()[0]
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [CONVERT, "--from=" + MODEL, "--to=" + os.path.join(folder, "fp8"), "--format=fp8"],
                check=True, capture_output=True, text=True)
        self.assertIn("digest " + expected, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
