"""An exported folder through the NumPy reference agrees with the trainer.

Run by hand (needs PyTorch and NumPy, so Bazel does not know it).
"""

import hashlib
import json
import os
import pathlib
import tempfile
import unittest

import numpy as np
import torch

import export
import model as nano
import reference


def median_row_error(got, want):
    """The median, because bfloat16 flips an expert in the odd row with a near tie."""
    rows = np.linalg.norm(got - want, axis=-1) / np.linalg.norm(want, axis=-1)
    return float(np.median(rows))


def digests(folder):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in pathlib.Path(folder).iterdir()
    }


class ExportTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.net = nano.Nano(seed=3).eval()
        for i, moe in enumerate(cls.net.moes()):
            moe.bias += torch.linspace(-0.05, 0.05, nano.E).roll(5 * i)
        cls.folder = tempfile.TemporaryDirectory()
        export.export(cls.net, cls.folder.name)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_reference_agrees(self):
        ids = torch.randint(3, 512, (1, 61), generator=torch.Generator().manual_seed(1))
        n = ids.shape[1]
        future = torch.ones(n, n, dtype=torch.bool).triu(1)
        mask = torch.zeros(1, 1, n, n).masked_fill(future, -1e9)
        with torch.no_grad():
            logits, ahead, _ = self.net(ids, torch.arange(n)[None], mask, False)
        model = reference.Reference(self.folder.name)
        hidden = model.hidden(ids[0].tolist())
        self.assertLess(median_row_error(logits[0].float().numpy(), model.logits(hidden)), 0.02)
        self.assertLess(
            median_row_error(ahead[0, :-1].float().numpy(), model.ahead(ids[0].tolist(), hidden)),
            0.02,
        )

    def test_index_covers_every_tensor(self):
        with open(os.path.join(self.folder.name, 'model.safetensors.index.json')) as f:
            index = json.load(f)
        files = set(index['weight_map'].values())
        self.assertGreaterEqual(len(files), 2)
        found, size = {}, 0
        for file in files:
            for name, tensor in reference.read_safetensors(
                os.path.join(self.folder.name, file)
            ).items():
                found[name] = file
                size += tensor.size * (4 if name.endswith('bias') else 2)
        self.assertEqual(found, index['weight_map'])
        self.assertEqual(size, index['metadata']['total_size'])

    def test_same_model_same_bytes(self):
        with tempfile.TemporaryDirectory() as other:
            export.export(self.net, other)
            self.assertEqual(digests(other), digests(self.folder.name))


if __name__ == '__main__':
    unittest.main()
