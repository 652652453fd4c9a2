"""Makes testdata/NAME.f32 for every case of testdata/cases.json: the logits of all positions, of
Hugging Face transformers in float32 on the CPU on the case's random checkpoint.

Not run in CI.  In an environment of its own:

    python3 -m venv VENV
    VENV/bin/pip install -r tests/parity/requirements.txt
    VENV/bin/python tests/parity/make_goldens.py tests/parity/testdata [NAME...]

The weights are not stored: random_weights.py and the C++ tests make the same from the seed.
A golden is written only if float64_form.py, which shares no code with transformers, agrees.
"""

import importlib.metadata
import json
import pathlib
import sys

import numpy as np
import torch
from transformers import DeepseekV2Config, DeepseekV2ForCausalLM, DeepseekV3Config, DeepseekV3ForCausalLM

from float64_form import Float64Form, softmax_scale
from random_weights import random_values, through_fp8, to_bf16

FAMILY = {
    "deepseek_v2": (DeepseekV2Config, DeepseekV2ForCausalLM),
    "deepseek_v3": (DeepseekV3Config, DeepseekV3ForCausalLM),
}
# What transformers' configurations do not take, or would act on.
OURS_ALONE = ("architectures", "torch_dtype", "quantization_config")
AGREEMENT = 3e-6  # relative L2 of the golden against the float64 form


def token_ids(vocab, length):
    # Any fixed sequence without a short period.
    return [(i * i * 31 + i * 7 + 3) % vocab for i in range(length)]


def checkpoint_values(config, name, shape, seed):
    """The tensor as a checkpoint of this config means it."""
    values = random_values(name, shape, seed)
    linear = ".layers." in name and len(shape) == 2 and not name.endswith("mlp.gate.weight")
    if config.get("quantization_config") is None or not linear:
        return values
    values = through_fp8(values)
    # DeepSeek's own code dequantizes this one to bf16, to absorb it.
    return to_bf16(values) if name.endswith("kv_b_proj.weight") else values


def mend_v2(model, config):
    """What transformers' deepseek_v2 leaves out of DeepSeek's published code (README.md)."""

    def normalize(_, __, chosen):
        expert, weight = chosen
        return expert, weight / (weight.sum(dim=-1, keepdim=True) + 1e-20)

    for layer in model.model.layers:
        layer.self_attn.scaling = softmax_scale(config)
        if config["norm_topk_prob"] and hasattr(layer.mlp, "gate"):
            layer.mlp.gate.register_forward_hook(normalize)


def positive_choices(gate, inputs, chosen):
    """transformers masks closed groups with 0.0, DeepSeek with -inf: the same above zero."""
    x = inputs[0].reshape(-1, gate.weight.shape[1])
    biased = torch.sigmoid(x @ gate.weight.T) + gate.e_score_correction_bias
    if biased.gather(1, chosen[0]).min() <= 0:
        sys.exit("a chosen expert's biased score is not positive: the masks 0.0 and -inf differ")


def make(case, config):
    torch.manual_seed(0)
    torch.set_num_threads(1)
    made, model_class = FAMILY[config["model_type"]]
    parsed = made(**json.loads(json.dumps({k: v for k, v in config.items() if k not in OURS_ALONE})))
    parsed._attn_implementation = "eager"
    model = model_class(parsed).to(torch.float32).eval()
    state = model.state_dict()
    for name, tensor in state.items():
        if tensor.numel() > 0:
            tensor.copy_(torch.from_numpy(checkpoint_values(config, name, tuple(tensor.shape), case["seed"])))
    if config["model_type"] == "deepseek_v2":
        mend_v2(model, config)
    else:
        for layer in model.model.layers[config["first_k_dense_replace"] :]:
            layer.mlp.gate.register_forward_hook(positive_choices)
    ids = token_ids(config["vocab_size"], case["length"])
    with torch.no_grad():
        logits = model(torch.tensor([ids]), use_cache=False).logits[0].numpy()
    second = Float64Form(config, {name: tensor.numpy() for name, tensor in state.items()}).logits(ids)
    apart = np.linalg.norm(logits - second) / np.linalg.norm(second)
    rms = np.sqrt(np.mean(np.square(second)))
    print(f"{case['name']:24} {logits.shape}, rms {rms:.3f}, {apart:.2g} from the float64 form")
    if not apart <= AGREEMENT:
        sys.exit(f"{case['name']}: {apart} from the float64 form, more than {AGREEMENT}")
    return logits


def main(folder, names):
    for line in (pathlib.Path(__file__).parent / "requirements.txt").read_text().split():
        package, wanted = line.split("==")
        found = importlib.metadata.version(package)
        if found != wanted:
            sys.exit(f"{package} is {found}, but the goldens are made with {wanted}")
    manifest = json.loads((folder / "cases.json").read_text())
    for case in manifest["cases"]:
        if not names or case["name"] in names:
            config = {**manifest["base"], **case["config"]}
            make(case, config).astype("<f4").tofile(folder / f"{case['name']}.f32")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2:])
