"""Makes testdata/goldens.json: what Hugging Face's own pipeline of logits processors leaves of some
rows of logits, and with which probabilities.

Not run in CI.  In an environment of its own:

    python3 -m venv VENV
    VENV/bin/pip install -r tests/parity/requirements.txt
    VENV/bin/python runtime/sampling/make_goldens.py runtime/sampling/testdata/goldens.json

The order of the processors is that of GenerationMixin; the script names none of them.  Presence and
frequency penalty are OpenAI's, which transformers has not: they are written out below.
"""

import importlib.metadata
import json
import sys

import numpy as np
import torch
from transformers import GenerationConfig, LogitsProcessor
from transformers.generation.utils import GenerationMixin

MARGIN = 1e-5  # no boundary of top_p or min_p is closer to a token than this


def row_of(spec):
    """16 u^power - 8 over the vocabulary, u in [0, 1) of 12 bits: exact in float32 for power 1, 2."""
    i = np.arange(spec["vocab"], dtype=np.uint64)
    bits = ((i * np.uint64(2654435761) + np.uint64(spec["seed"] * 40503)) % np.uint64(2**32)) >> np.uint64(20)
    u = bits.astype(np.float64) / 4096
    logits = (16 * u ** spec["power"] - 8).astype(np.float32)
    assert (logits.astype(np.float64) == 16 * u ** spec["power"] - 8).all()
    return torch.from_numpy(logits)[None]


class OpenAiPenalties(LogitsProcessor):
    """mu[j] - c[j] * frequency - float(c[j] > 0) * presence, c[j] counted over the output."""

    def __init__(self, prompt_length, frequency, presence):
        self.prompt_length, self.frequency, self.presence = prompt_length, frequency, presence

    def __call__(self, input_ids, scores):
        c = torch.bincount(input_ids[0, self.prompt_length:], minlength=scores.shape[-1]).to(torch.float32)
        return scores - c * self.frequency - (c > 0).to(torch.float32) * self.presence


def pipeline(case, ids, prompt_length):
    o = case["options"]
    config = GenerationConfig(
        do_sample=True,
        temperature=o.get("temperature", 1.0),
        top_k=o.get("top_k", 0),
        top_p=o.get("top_p", 1.0),
        min_p=o.get("min_p"),
        repetition_penalty=o.get("repetition_penalty", 1.0),
        min_new_tokens=o.get("min_tokens"),
        sequence_bias={(i,): b for i, b in o["logit_bias"]} if o.get("logit_bias") else None,
    )
    config._eos_token_tensor = torch.tensor(case["stop_tokens"]) if case.get("stop_tokens") else None
    allowed = case.get("allowed")
    return GenerationMixin()._get_logits_processor(
        generation_config=config,
        input_ids_seq_length=prompt_length,
        prefix_allowed_tokens_fn=(lambda batch, _: allowed) if allowed else None,
        logits_processor=[OpenAiPenalties(prompt_length, o.get("frequency_penalty", 0.0),
                                          o.get("presence_penalty", 0.0))],
        device="cpu",
    )


def check_margins(case, processors, ids, logits):
    """No token is so near a boundary that the last digit of a float decides."""
    o = case["options"]
    scores = logits
    for processor in processors:
        p = torch.softmax(scores.to(torch.float64), -1)[0]
        name = type(processor).__name__
        if name.startswith("TopP"):
            cumulative = torch.sort(p, descending=True)[0].cumsum(0)
            assert (cumulative - o["top_p"]).abs().min() > MARGIN * p.max(), (case["name"], "top_p")
        if name.startswith("MinP"):
            assert (p / p.max() - o["min_p"]).abs().min() > MARGIN, (case["name"], "min_p")
        if name.startswith("TopK"):
            kth = torch.sort(scores[0], descending=True)[0]
            assert kth[o["top_k"] - 1] > kth[o["top_k"]], (case["name"], "a tie at top_k")
        scores = processor(ids, scores)
    return scores


def golden(case):
    logits = row_of(case["row"])
    prompt, output = case.get("prompt", []), case.get("output", [])
    ids = torch.tensor([prompt + output], dtype=torch.int64)
    processors = pipeline(case, ids, len(prompt))
    scores = check_margins(case, processors, ids, logits)
    p = torch.softmax(scores.to(torch.float64), -1)[0]
    kept = torch.nonzero(scores[0] > -float("inf"))[:, 0].tolist()
    return {**case, "processors": [type(q).__name__ for q in processors],
            "kept": kept, "probabilities": [float(f"{p[i]:.9g}") for i in kept]}


SMALL, SKEWED, LARGE = ({"vocab": 61, "seed": 1, "power": 1}, {"vocab": 131, "seed": 2, "power": 2},
                        {"vocab": 4099, "seed": 3, "power": 1})
PROMPT, OUTPUT = [3, 5, 5, 17, 40, 8], [5, 9, 9, 9, 60, 17, 5, 22]
EVERYTHING = {"temperature": 1.7, "top_k": 30, "top_p": 0.9, "min_p": 0.02, "repetition_penalty": 1.2,
              "presence_penalty": 0.3, "frequency_penalty": 0.4, "min_tokens": 9,
              "logit_bias": [[7, 5.5], [33, -4.0], [9, 2.0]]}


def history(name, row, **options):
    return {"name": name, "row": row, "prompt": PROMPT, "output": OUTPUT, "options": options}


CASES = [
    {"name": "plain", "row": SMALL, "options": {}},
    {"name": "cold", "row": SMALL, "options": {"temperature": 0.6}},
    {"name": "hot", "row": SKEWED, "options": {"temperature": 1.9}},
    {"name": "top_k", "row": SKEWED, "options": {"top_k": 12}},
    {"name": "top_k of one", "row": SMALL, "options": {"top_k": 1}},
    {"name": "top_p", "row": SKEWED, "options": {"top_p": 0.8}},
    {"name": "top_p of a large row", "row": LARGE, "options": {"temperature": 0.6, "top_p": 0.3}},
    {"name": "min_p", "row": SKEWED, "options": {"min_p": 0.07}},
    {"name": "top_k, top_p", "row": LARGE, "options": {"temperature": 0.6, "top_k": 50, "top_p": 0.95}},
    {"name": "top_k, top_p, min_p", "row": LARGE, "options": {"top_k": 40, "top_p": 0.9, "min_p": 0.8}},
    {"name": "the tightest of three is min_p", "row": SMALL,
     "options": {"temperature": 1.3, "top_k": 20, "top_p": 0.97, "min_p": 0.3}},
    history("repetition", SMALL, repetition_penalty=1.3),
    history("repetition below 1", SKEWED, repetition_penalty=0.8, top_p=0.9),
    history("presence", SMALL, presence_penalty=1.5),
    history("frequency", SMALL, frequency_penalty=0.75),
    history("negative penalties", SKEWED, frequency_penalty=-0.5, presence_penalty=-1.0, temperature=0.8),
    history("all penalties", SKEWED, repetition_penalty=1.1, frequency_penalty=0.2, presence_penalty=0.6),
    {"name": "bias", "row": SMALL, "options": {"logit_bias": [[4, 3.5], [11, -100.0], [12, 9.25]], "top_k": 10}},
    history("bias and repetition", SMALL, repetition_penalty=1.5, logit_bias=[[5, 6.0], [9, -3.0], [60, 1.5]]),
    {**history("too early to stop", SMALL, min_tokens=9), "stop_tokens": [2, 44, 50]},
    {**history("late enough to stop", SMALL, min_tokens=8), "stop_tokens": [2, 44, 50]},
    {"name": "allowed", "row": SKEWED, "allowed": [0, 20, 37, 63, 64, 65, 77, 90, 100, 127, 128, 130],
     "options": {"temperature": 2.0, "top_p": 0.97}},
    {**history("everything", SKEWED, **EVERYTHING), "stop_tokens": [1, 59]},
    {**history("everything under a mask", SKEWED, **EVERYTHING), "stop_tokens": [1, 59],
     "allowed": list(range(0, 131, 3))},
]


def main():
    versions = {name: importlib.metadata.version(name) for name in ("numpy", "torch", "transformers")}
    lines = ",\n".join(json.dumps(golden(case)) for case in CASES)
    with open(sys.argv[1], "w") as file:
        file.write(f'{{"made_with": {json.dumps(versions)},\n"cases": [\n{lines}\n]}}\n')


if __name__ == "__main__":
    main()
