"""The control's checkpoint differs in the named experts alone, and says no digest that is not so."""

import os
import tempfile
import unittest

import zero_experts

MODEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "model")


class ZeroExpertsTest(unittest.TestCase):

  def test_zeroes_the_named_experts_and_drops_the_digests(self):
    with tempfile.TemporaryDirectory() as scratch:
      # 4 experts x 3 matrices in every MoE layer.
      zeroed = zero_experts.copy_with_zeros(MODEL, scratch, set(range(0, 4)))
      self.assertGreater(zeroed, 0)
      self.assertEqual(zeroed % 12, 0)
      self.assertEqual({n for n in os.listdir(MODEL) if n != "digests.json"},
                       set(os.listdir(scratch)))
      for name in os.listdir(scratch):
        with open(os.path.join(MODEL, name), "rb") as a, open(os.path.join(scratch, name), "rb") as b:
          before, after = a.read(), b.read()
        self.assertEqual(len(before), len(after))
        if not name.endswith(".safetensors"):
          self.assertEqual(before, after)

  def test_an_unknown_expert_is_an_error(self):
    with tempfile.TemporaryDirectory() as scratch:
      with self.assertRaises(ValueError):
        zero_experts.copy_with_zeros(MODEL, scratch, {99})


if __name__ == "__main__":
  unittest.main()
