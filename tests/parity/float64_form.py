"""DeepSeek-V2/V3 in float64 NumPy, from the papers and DeepSeek's published modeling code: the second
opinion that every golden must agree with.  Keys and values are built for every head, experts are
loops, groups that are not chosen are -inf.
"""

import math

import numpy as np


def _magnitude(factor, mscale):
    return 1.0 if factor <= 1 else 0.1 * mscale * math.log(factor) + 1.0


def softmax_scale(config):
    scale = (config["qk_nope_head_dim"] + config["qk_rope_head_dim"]) ** -0.5
    yarn = config["rope_scaling"]
    return scale if yarn is None else scale * _magnitude(yarn["factor"], yarn.get("mscale_all_dim", 0)) ** 2


def _rotations(config, length):
    """exp(i position frequency) with YaRN's magnitude, [length, rope / 2] complex."""
    dim, theta, yarn = config["qk_rope_head_dim"], config["rope_theta"], config["rope_scaling"]
    i = np.arange(dim // 2)
    frequency = theta ** (-2.0 * i / dim)
    magnitude = 1.0
    if yarn is not None:
        context = yarn["original_max_position_embeddings"]

        def dimension(turns):
            return dim * math.log(context / (turns * 2 * math.pi)) / (2 * math.log(theta))

        low = max(math.floor(dimension(yarn["beta_fast"])), 0)
        high = min(math.ceil(dimension(yarn["beta_slow"])), dim - 1)
        ramp = np.clip((i - low) / max(high - low, 0.001), 0, 1)
        frequency = frequency / yarn["factor"] * ramp + frequency * (1 - ramp)
        magnitude = _magnitude(yarn["factor"], yarn.get("mscale", 1)) / _magnitude(
            yarn["factor"], yarn.get("mscale_all_dim", 0))
    return magnitude * np.exp(1j * np.outer(np.arange(length), frequency))


def _rotate(x, turns):
    """x [length, ..., rope]: the pairs (2i, 2i + 1) are complex numbers."""
    shape = (turns.shape[0],) + (1,) * (x.ndim - 2) + (turns.shape[1],)
    y = (x[..., 0::2] + 1j * x[..., 1::2]) * turns.reshape(shape)
    return np.stack([y.real, y.imag], axis=-1).reshape(x.shape)


class Float64Form:
    def __init__(self, config, weights):
        """weights: name -> array, dequantized."""
        self._c = config
        self._w = {name: np.asarray(value, np.float64) for name, value in weights.items()}

    def logits(self, ids):
        """[positions, vocab]"""
        return self.hidden(ids) @ self._w["lm_head.weight"].T

    def hidden(self, ids):
        """[positions, hidden]: after the final norm."""
        x = self._w["model.embed_tokens.weight"][ids]
        for layer in range(self._c["num_hidden_layers"]):
            x = self._block(layer, x)
        return self._norm("model.norm.weight", x)

    def _block(self, layer, x):
        p = f"model.layers.{layer}."
        x = x + self._attention(p + "self_attn.", self._norm(p + "input_layernorm.weight", x))
        u = self._norm(p + "post_attention_layernorm.weight", x)
        dense = layer < self._c["first_k_dense_replace"]
        return x + (self._ffn(p + "mlp.", u) if dense else self._moe(p + "mlp.", u))

    def _norm(self, name, x):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self._c["rms_norm_eps"]) * self._w[name]

    def _attention(self, p, h):
        c, w, length = self._c, self._w, len(h)
        heads, nope, rank = c["num_attention_heads"], c["qk_nope_head_dim"], c["kv_lora_rank"]
        if c["q_lora_rank"] is None:
            q = h @ w[p + "q_proj.weight"].T
        else:
            q = self._norm(p + "q_a_layernorm.weight", h @ w[p + "q_a_proj.weight"].T) @ w[p + "q_b_proj.weight"].T
        q = q.reshape(length, heads, -1)
        down = h @ w[p + "kv_a_proj_with_mqa.weight"].T
        up = self._norm(p + "kv_a_layernorm.weight", down[:, :rank]) @ w[p + "kv_b_proj.weight"].T
        up = up.reshape(length, heads, -1)
        turns = _rotations(c, length)
        score = np.einsum("thd,shd->hts", q[..., :nope], up[..., :nope])
        score += np.einsum("thd,sd->hts", _rotate(q[..., nope:], turns), _rotate(down[:, rank:], turns))
        score *= softmax_scale(c)
        score[:, np.triu(np.ones((length, length), bool), 1)] = -np.inf
        share = np.exp(score - score.max(-1, keepdims=True))
        share /= share.sum(-1, keepdims=True)
        o = np.einsum("hts,shd->thd", share, up[..., nope:]).reshape(length, -1)
        return o @ w[p + "o_proj.weight"].T

    def _ffn(self, p, x):
        gate = x @ self._w[p + "gate_proj.weight"].T
        return (gate / (1 + np.exp(-gate)) * (x @ self._w[p + "up_proj.weight"].T)) @ self._w[p + "down_proj.weight"].T

    def _choose(self, p, x):
        """Experts and their weights, both [positions, k]."""
        c = self._c
        v3 = c["topk_method"] == "noaux_tc"
        logit = x @ self._w[p + "gate.weight"].T
        if v3:
            score = 1 / (1 + np.exp(-logit))
            biased = score + self._w[p + "gate.e_score_correction_bias"]
        else:
            score = np.exp(logit - logit.max(-1, keepdims=True))
            score /= score.sum(-1, keepdims=True)
            biased = score.copy()
        if c["topk_method"] != "greedy":
            grouped = np.sort(biased.reshape(len(x), c["n_group"], -1))
            of_group = grouped[..., -2:].sum(-1) if v3 else grouped[..., -1]
            closed = np.argsort(-of_group, kind="stable")[:, c["topk_group"] :]
            for t, groups in enumerate(closed):
                biased.reshape(len(x), c["n_group"], -1)[t, groups] = -np.inf
        expert = np.argsort(-biased, kind="stable")[:, : c["num_experts_per_tok"]]
        weight = np.take_along_axis(score, expert, 1)
        if c["norm_topk_prob"]:
            weight /= weight.sum(-1, keepdims=True) + 1e-20
        return expert, weight * c["routed_scaling_factor"]

    def _moe(self, p, x):
        y = self._ffn(p + "shared_experts.", x) if self._c["n_shared_experts"] else np.zeros_like(x)
        for t, (experts, weights) in enumerate(zip(*self._choose(p, x))):
            for expert, weight in zip(experts, weights):
                y[t] += weight * self._ffn(f"{p}experts.{expert}.", x[t])
        return y
