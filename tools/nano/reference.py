"""The DeepSeek-V3 forward pass in float32 NumPy, straight from the paper.

An independent reference for nano-sized models: it reads a Hugging Face folder
(config.json, safetensors, bfloat16 or float32) and shares no code with the
trainer. Slow and plain on purpose. Equations refer to arXiv 2412.19437.

  python3 reference.py FOLDER ID [ID ...]   prints the next token of each position
"""

import json
import math
import os
import struct
import sys

import numpy as np

_TYPES = {"BF16": np.uint16, "F32": np.float32}


def read_safetensors(path):
    """{name: float32 array} of one file."""
    with open(path, "rb") as f:
        (size,) = struct.unpack("<Q", f.read(8))
        header = json.loads(f.read(size))
        data = f.read()
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        raw = np.frombuffer(data[begin:end], _TYPES[entry["dtype"]])
        if entry["dtype"] == "BF16":
            raw = (raw.astype(np.uint32) << 16).view(np.float32)
        tensors[name] = raw.reshape(entry["shape"])
    return tensors


def load(folder):
    """(config, {name: array}) of a model folder."""
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as f:
        config = json.load(f)
    index = os.path.join(folder, "model.safetensors.index.json")
    with open(index, encoding="utf-8") as f:
        files = sorted(set(json.load(f)["weight_map"].values()))
    weights = {}
    for file in files:
        weights.update(read_safetensors(os.path.join(folder, file)))
    return config, weights


def rms_norm(x, weight, eps):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * weight


def silu(x):
    return x / (1 + np.exp(-x))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def yarn_frequencies(c):
    """Inverse frequencies [rope/2] after YaRN's interpolation by parts."""
    dim, base = c["qk_rope_head_dim"], c["rope_theta"]
    f = base ** (-np.arange(0, dim, 2) / dim)
    s = c.get("rope_scaling")
    if not s:
        return f
    wrap = s["original_max_position_embeddings"] / (2 * math.pi)
    low, high = (
        dim * math.log(wrap / s[k]) / (2 * math.log(base)) for k in ("beta_fast", "beta_slow")
    )
    low, high = max(math.floor(low), 0), min(math.ceil(high), dim - 1)
    ramp = np.clip((np.arange(dim // 2) - low) / max(high - low, 1e-3), 0, 1)
    return f / s["factor"] * ramp + f * (1 - ramp)


def softmax_scale(c):
    scale = (c["qk_nope_head_dim"] + c["qk_rope_head_dim"]) ** -0.5
    s = c.get("rope_scaling")
    if s and s.get("mscale_all_dim"):
        m = 0.1 * s["mscale_all_dim"] * math.log(s["factor"]) + 1
        scale *= m * m
    return scale


def rotate(x, frequencies):
    """Rotary embedding of x [tokens, ..., rope]: pairs (2i, 2i+1), position = row.

    cos and sin carry YaRN's factor mscale / mscale_all_dim, which is 1 here.
    """
    angle = np.arange(len(x))[:, None] * frequencies
    angle = angle.reshape(len(x), *([1] * (x.ndim - 2)), -1)
    a, b = x[..., 0::2], x[..., 1::2]
    out = np.empty_like(x)
    out[..., 0::2] = a * np.cos(angle) - b * np.sin(angle)
    out[..., 1::2] = a * np.sin(angle) + b * np.cos(angle)
    return out


class Reference:
    """A loaded model. Methods take and return float32 arrays [tokens, ...]."""

    def __init__(self, folder):
        self.config, self._weights = load(folder)
        self._eps = self.config["rms_norm_eps"]
        self._frequencies = yarn_frequencies(self.config)

    def _w(self, name):
        return self._weights[f"{name}.weight"]

    def _norm(self, x, name):
        return rms_norm(x, self._w(name), self._eps)

    def attention(self, x, prefix):
        """Multi-head latent attention, expanded form (equations 1 to 11)."""
        c = self.config
        heads, nope = c["num_attention_heads"], c["qk_nope_head_dim"]
        rank, v_dim = c["kv_lora_rank"], c["v_head_dim"]
        q = self._norm(x @ self._w(f"{prefix}.q_a_proj").T, f"{prefix}.q_a_layernorm")
        q = (q @ self._w(f"{prefix}.q_b_proj").T).reshape(len(x), heads, -1)
        latent = x @ self._w(f"{prefix}.kv_a_proj_with_mqa").T
        c_kv = self._norm(latent[:, :rank], f"{prefix}.kv_a_layernorm")
        k_rope = rotate(latent[:, rank:], self._frequencies)
        kv = (c_kv @ self._w(f"{prefix}.kv_b_proj").T).reshape(len(x), heads, nope + v_dim)
        q_rope = rotate(q[..., nope:], self._frequencies)
        scores = np.einsum("qhd,khd->hqk", q[..., :nope], kv[..., :nope])
        scores += np.einsum("qhd,kd->hqk", q_rope, k_rope)
        scores *= softmax_scale(c)
        future = np.triu(np.ones((len(x), len(x)), bool), 1)
        weights = softmax(np.where(future, -np.inf, scores))
        out = np.einsum("hqk,khd->qhd", weights, kv[..., nope:])
        return out.reshape(len(x), -1) @ self._w(f"{prefix}.o_proj").T

    def mlp(self, x, prefix):
        gate = silu(x @ self._w(f"{prefix}.gate_proj").T)
        return gate * (x @ self._w(f"{prefix}.up_proj").T) @ self._w(f"{prefix}.down_proj").T

    def gate(self, x, prefix):
        """Chosen experts and weights, both [tokens, top_k] (equations 13 to 16).

        Experts come in falling order of biased score; ties go to the lower index.
        """
        c = self.config
        scores = 1 / (1 + np.exp(-(x @ self._w(f"{prefix}.gate").T)))
        biased = scores + self._weights[f"{prefix}.gate.e_score_correction_bias"]
        groups = biased.reshape(len(x), c["n_group"], -1)
        best = np.sort(groups, -1)[..., -2:].sum(-1)
        kept = np.argsort(-best, -1, kind="stable")[:, : c["topk_group"]]
        allowed = np.zeros(best.shape, bool)
        np.put_along_axis(allowed, kept, True, -1)
        masked = np.where(allowed[..., None], groups, -np.inf)
        masked = masked.reshape(len(x), -1)
        ids = np.argsort(-masked, -1, kind="stable")[:, : c["num_experts_per_tok"]]
        weights = np.take_along_axis(scores, ids, -1)
        if c["norm_topk_prob"]:
            weights = weights / (weights.sum(-1, keepdims=True) + 1e-20)
        return ids, weights * c["routed_scaling_factor"]

    def moe(self, x, prefix):
        """Shared expert plus the weighted sum of the chosen ones (equation 12)."""
        y = self.mlp(x, f"{prefix}.shared_experts")
        ids, weights = self.gate(x, prefix)
        for expert in range(self.config["n_routed_experts"]):
            rows, lane = np.nonzero(ids == expert)
            if len(rows):
                out = self.mlp(x[rows], f"{prefix}.experts.{expert}")
                y[rows] += weights[rows, lane, None] * out
        return y

    def block(self, x, layer):
        prefix = f"model.layers.{layer}"
        x = x + self.attention(self._norm(x, f"{prefix}.input_layernorm"), f"{prefix}.self_attn")
        h = self._norm(x, f"{prefix}.post_attention_layernorm")
        dense = layer < self.config["first_k_dense_replace"]
        return x + (self.mlp if dense else self.moe)(h, f"{prefix}.mlp")

    def hidden(self, ids):
        """Last hidden states after the final norm [tokens, hidden]."""
        x = self._w("model.embed_tokens")[np.asarray(ids)]
        for layer in range(self.config["num_hidden_layers"]):
            x = self.block(x, layer)
        return self._norm(x, "model.norm")

    def logits(self, hidden):
        return hidden @ self._w("lm_head").T

    def ahead(self, ids, hidden):
        """The prediction module (equations 21 to 23): row i predicts token i+2.

        Row i takes the embedding of token i+1 first, then hidden row i; row 0's
        embedding is zero. Returns logits [tokens-1, vocab].
        """
        prefix = f"model.layers.{self.config['num_hidden_layers']}"
        follow = self._w(f"{prefix}.embed_tokens")[np.asarray(ids)[1:]].copy()
        follow[0] = 0
        pair = np.concatenate(
            (self._norm(follow, f"{prefix}.enorm"), self._norm(hidden[:-1], f"{prefix}.hnorm")), -1
        )
        x = pair @ self._w(f"{prefix}.eh_proj").T
        x = self.block(x, self.config["num_hidden_layers"])
        return self._norm(x, f"{prefix}.shared_head.norm") @ self._w(f"{prefix}.shared_head.head").T


def main():
    model = Reference(sys.argv[1])
    ids = [int(i) for i in sys.argv[2:]]
    print(*model.logits(model.hidden(ids)).argmax(-1))


if __name__ == "__main__":
    main()
