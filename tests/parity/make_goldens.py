"""Makes testdata/logits.f32, what parity_test compares with: logits of Hugging Face transformers'
DeepseekV3ForCausalLM in float32 on the CPU, on the random checkpoint of testdata/config.json.
And testdata/router_margin.f32: how clearly each position's experts were chosen.

Not run in CI.  In an environment of its own:

    python3 -m venv VENV
    VENV/bin/pip install torch==2.6.0 transformers==4.51.3 numpy==1.26.4
    VENV/bin/python tests/parity/make_goldens.py tests/parity/testdata

The weights are not stored: random_weights.py and the C++ test make the same from the seed.
"""

import json
import pathlib
import sys

import numpy as np
import torch
import transformers
from transformers import DeepseekV3Config, DeepseekV3ForCausalLM

from random_weights import random_values

VERSIONS = {"torch": "2.6.0", "transformers": "4.51.3", "numpy": "1.26.4"}
SEED = 11
LENGTH = 150  # more than two attention tiles, and past the original context that YaRN stretches


def token_ids(vocab, length):
    # Any fixed sequence without a short period.
    return [(i * i * 31 + i * 7 + 3) % vocab for i in range(length)]


def router_margin(gate, x, config):
    """[tokens]: by how much the last group and the last expert that were chosen beat the first that was not."""
    scores = torch.sigmoid(x @ gate.weight.T) + gate.e_score_correction_bias
    groups = scores.view(len(x), config.n_group, -1).topk(2, dim=-1)[0].sum(dim=-1)
    ranked = groups.sort(dim=-1, descending=True)
    of_groups = ranked[0][:, config.topk_group - 1] - ranked[0][:, config.topk_group]
    open_groups = torch.zeros_like(groups).scatter_(1, ranked[1][:, : config.topk_group], 1)
    per_group = config.n_routed_experts // config.n_group
    inside = scores.masked_fill(open_groups.repeat_interleave(per_group, 1) == 0, float("-inf"))
    ranked = inside.sort(dim=-1, descending=True)[0]
    k = config.num_experts_per_tok
    return torch.minimum(of_groups, ranked[:, k - 1] - ranked[:, k])


def main(folder):
    found = {
        "torch": torch.__version__.split("+")[0],
        "transformers": transformers.__version__,
        "numpy": np.__version__,
    }
    if found != VERSIONS:
        sys.exit(f"versions are {found}, but the goldens are made with {VERSIONS}")
    fields = json.loads((folder / "config.json").read_text())
    torch.manual_seed(0)
    torch.set_num_threads(1)
    config = DeepseekV3Config(**{k: v for k, v in fields.items() if k not in ("architectures", "torch_dtype")})
    config._attn_implementation = "eager"
    model = DeepseekV3ForCausalLM(config).to(torch.float32).eval()
    state = model.state_dict()
    for name, tensor in state.items():
        tensor.copy_(torch.from_numpy(random_values(name, tuple(tensor.shape), SEED)))
    margins = []
    for layer in model.model.layers[config.first_k_dense_replace :]:
        layer.mlp.gate.register_forward_hook(
            lambda gate, inputs, _: margins.append(
                router_margin(gate, inputs[0].reshape(-1, config.hidden_size), config)))
    ids = token_ids(config.vocab_size, LENGTH)
    with torch.no_grad():
        logits = model(torch.tensor([ids]), use_cache=False).logits[0]
    margin = torch.stack(margins).min(dim=0)[0]  # over layers
    logits.numpy().astype("<f4").tofile(folder / "logits.f32")
    margin.detach().numpy().astype("<f4").tofile(folder / "router_margin.f32")
    print(f"{len(state)} tensors, logits {tuple(logits.shape)}, rms {logits.pow(2).mean().sqrt():.4f}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
