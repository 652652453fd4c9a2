"""Makes testdata/NAME.f32 for every case of testdata/mtp_cases.json: the MTP module's logits by
mtp_form.py on the case's random checkpoint, first those of all rows, then those of the chained rows.

Not run in CI.  In an environment of its own:

    python3 -m venv VENV
    VENV/bin/pip install numpy==1.26.4
    VENV/bin/python tests/parity/make_mtp_goldens.py tests/parity/testdata

The weights are not stored: random_weights.py and the C++ test make the same from the seed.
"""

import json
import pathlib
import sys

import numpy as np

from mtp_form import MtpForm
from random_weights import random_values

NUMPY = "1.26.4"


def token_ids(vocab, length):
    # As make_goldens.py, which needs torch.
    return [(i * i * 31 + i * 7 + 3) % vocab for i in range(length)]


def shapes(c):
    """Every tensor's name and shape."""
    hidden, heads, rank = c["hidden_size"], c["num_attention_heads"], c["kv_lora_rank"]
    nope, rope, v = c["qk_nope_head_dim"], c["qk_rope_head_dim"], c["v_head_dim"]
    table = (c["vocab_size"], hidden)

    def ffn(p, width):
        yield p + "gate_proj.weight", (width, hidden)
        yield p + "up_proj.weight", (width, hidden)
        yield p + "down_proj.weight", (hidden, width)

    yield "model.embed_tokens.weight", table
    for layer in range(c["num_hidden_layers"] + 1):
        p = f"model.layers.{layer}."
        a = p + "self_attn."
        yield p + "input_layernorm.weight", (hidden,)
        if c["q_lora_rank"] is None:
            yield a + "q_proj.weight", (heads * (nope + rope), hidden)
        else:
            yield a + "q_a_proj.weight", (c["q_lora_rank"], hidden)
            yield a + "q_a_layernorm.weight", (c["q_lora_rank"],)
            yield a + "q_b_proj.weight", (heads * (nope + rope), c["q_lora_rank"])
        yield a + "kv_a_proj_with_mqa.weight", (rank + rope, hidden)
        yield a + "kv_a_layernorm.weight", (rank,)
        yield a + "kv_b_proj.weight", (heads * (nope + v), rank)
        yield a + "o_proj.weight", (hidden, heads * v)
        yield p + "post_attention_layernorm.weight", (hidden,)
        if layer < c["first_k_dense_replace"]:
            yield from ffn(p + "mlp.", c["intermediate_size"])
            continue
        yield p + "mlp.gate.weight", (c["n_routed_experts"], hidden)
        yield p + "mlp.gate.e_score_correction_bias", (c["n_routed_experts"],)
        for expert in range(c["n_routed_experts"]):
            yield from ffn(f"{p}mlp.experts.{expert}.", c["moe_intermediate_size"])
        yield from ffn(p + "mlp.shared_experts.", c["n_shared_experts"] * c["moe_intermediate_size"])
    p = f"model.layers.{c['num_hidden_layers']}."
    yield p + "embed_tokens.weight", table
    yield p + "enorm.weight", (hidden,)
    yield p + "hnorm.weight", (hidden,)
    yield p + "eh_proj.weight", (hidden, 2 * hidden)
    yield p + "shared_head.norm.weight", (hidden,)
    yield p + "shared_head.head.weight", table
    yield "model.norm.weight", (hidden,)
    yield "lm_head.weight", table


def main(folder):
    if np.__version__ != NUMPY:
        sys.exit(f"numpy is {np.__version__}, but the goldens are made with {NUMPY}")
    manifest = json.loads((folder / "mtp_cases.json").read_text())
    for case in manifest["cases"]:
        config = {**manifest["base"], **case["config"]}
        if case["dense_module"]:
            config["first_k_dense_replace"] = config["num_hidden_layers"] + 1
        weights = {name: random_values(name, shape, case["seed"]) for name, shape in shapes(config)}
        ids = token_ids(config["vocab_size"], case["length"])
        drafts, second = MtpForm(config, weights).drafts(ids, case["chained"])
        np.concatenate([drafts, second]).astype("<f4").tofile(folder / f"{case['name']}.f32")
        print(f"{case['name']:24} {drafts.shape} + {second.shape}, rms {np.sqrt(np.mean(drafts**2)):.3f}")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
