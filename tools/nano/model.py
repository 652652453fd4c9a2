"""nano as a trainable PyTorch model: the DeepSeek-V3 architecture, batched.

Parameters are kept in float32 and cast to bfloat16 where they are used; the
residual stream is bfloat16, as it is when the model is served. The routed
experts run as one batched product over a fixed number of slots per expert.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from config import CONFIG as C
from config import rope_frequencies, softmax_scale

D, H = C["hidden_size"], C["num_attention_heads"]
NOPE, ROPE, V = C["qk_nope_head_dim"], C["qk_rope_head_dim"], C["v_head_dim"]
KV_RANK, Q_RANK = C["kv_lora_rank"], C["q_lora_rank"]
E, K = C["n_routed_experts"], C["num_experts_per_tok"]
FE = C["moe_intermediate_size"]
BF16 = torch.bfloat16


def _e4m3(x):
    """x rounded to the e4m3 grid (|x| <= 448), nearest even, in float32."""
    exponent = torch.floor(torch.log2(x.abs().clamp(min=2.0**-6)))
    step = torch.exp2(exponent - 3)
    return torch.round(x / step) * step


def _straight(x, quantized):
    return x + (quantized - x).detach()


def fake_fp8_weight(w):
    """Weights [..., out, in] through e4m3 with a scale per 128 x 128 block."""
    *lead, rows, cols = w.shape
    r, c = -(-rows // 128), -(-cols // 128)
    p = F.pad(w.detach(), (0, c * 128 - cols, 0, r * 128 - rows))
    p = p.reshape(*lead, r, 128, c, 128)
    scale = p.abs().amax(dim=(-3, -1), keepdim=True).clamp(min=1e-12) / 448
    q = (_e4m3(p / scale) * scale).reshape(*lead, r * 128, c * 128)
    return _straight(w, q[..., :rows, :cols])


def fake_fp8_rows(x):
    """Activations [..., K] through e4m3, a scale per row and 128 channels."""
    f = x.detach().float()
    p = f.reshape(*f.shape[:-1], -1, 128)
    scale = p.abs().amax(dim=-1, keepdim=True).clamp(min=1e-12) / 448
    q = (_e4m3(p / scale) * scale).reshape(f.shape)
    return _straight(x, q.to(x.dtype))


def linear(x, w, fp8):
    """x [..., in] times w [out, in], in bfloat16 (or as FP8 serves it)."""
    if fp8:
        x, w = fake_fp8_rows(x), fake_fp8_weight(w)
    return F.linear(x, w.to(BF16))


def rms_norm(x, w):
    f = x.float()
    f = f * torch.rsqrt(f.square().mean(-1, keepdim=True) + C["rms_norm_eps"])
    return f.to(BF16) * w.to(BF16)


def rotate(x, cos, sin):
    """Rotates interleaved pairs (2i, 2i+1) of x [..., ROPE]."""
    a, b = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    out = torch.stack((a * cos - b * sin, a * sin + b * cos), -1)
    return out.flatten(-2).to(BF16)


def rope_table(positions):
    """cos, sin [..., ROPE/2] in float32 for integer positions [...]."""
    f = torch.tensor(rope_frequencies(), dtype=torch.float32)
    angle = positions.float().unsqueeze(-1) * f
    return angle.cos(), angle.sin()


class _Dispatch(torch.autograd.Function):
    """rows [T, D] -> slots [S, D]; both directions are plain gathers."""

    @staticmethod
    def forward(ctx, x, source, slot):
        ctx.save_for_backward(slot)
        return F.pad(x, (0, 0, 0, 1))[source]

    @staticmethod
    def backward(ctx, grad):
        (slot,) = ctx.saved_tensors
        padded = F.pad(grad, (0, 0, 0, 1))
        return (
            padded[slot.flatten()].unflatten(0, slot.shape).float().sum(1).to(grad.dtype),
            None,
            None,
        )


class _Combine(torch.autograd.Function):
    """slots [S, D], weights [T, K] -> sum_k weights * slots[slot] [T, D]."""

    @staticmethod
    def forward(ctx, y, weights, source, slot, lane):
        picked = F.pad(y, (0, 0, 0, 1))[slot.flatten()].unflatten(0, slot.shape)
        ctx.save_for_backward(picked, weights, source, lane)
        return (picked.float() * weights.unsqueeze(-1)).sum(1).to(y.dtype)

    @staticmethod
    def backward(ctx, grad):
        picked, weights, source, lane = ctx.saved_tensors
        gw = (picked.float() * grad.float().unsqueeze(1)).sum(-1)
        rows = F.pad(grad, (0, 0, 0, 1))[source]
        w = F.pad(weights.flatten(), (0, 1))[lane]
        return (rows.float() * w.unsqueeze(-1)).to(grad.dtype), gw, None, None, None


def choose_experts(scores, bias):
    """The gate: sigmoid scores [T, E] -> chosen expert ids [T, K]."""
    biased = scores + bias
    groups = biased.unflatten(-1, (C["n_group"], -1))
    best = groups.topk(2, dim=-1).values.sum(-1)
    keep = torch.zeros_like(best, dtype=torch.bool).scatter(
        1, best.topk(C["topk_group"], dim=-1).indices, True
    )
    masked = groups.masked_fill(~keep.unsqueeze(-1), -math.inf).flatten(1)
    return masked.topk(K, dim=-1).indices


def place(ids, capacity):
    """Slot bookkeeping for chosen ids [T, K].

    Returns (slot [T, K], source [E*capacity], lane [E*capacity], count [E]):
    slot is where row t's k-th copy lies (E*capacity when it found no room),
    source the row in a slot (T when empty), lane its index into flat [T*K].
    """
    t = ids.shape[0]
    hot = torch.zeros(t, E, dtype=torch.int32, device=ids.device).scatter(1, ids, 1)
    rank = (hot.cumsum(0) - hot).gather(1, ids)
    slot = torch.where(rank < capacity, ids * capacity + rank, E * capacity)
    flat = slot.flatten()
    lane = torch.full((E * capacity + 1,), t * K, dtype=torch.int64)
    lane = lane.scatter(0, flat, torch.arange(t * K))[: E * capacity]
    source = torch.where(lane == t * K, t, lane // K)
    return slot, source, lane, hot.sum(0)


class Mlp(nn.Module):
    """SwiGLU, hidden -> width -> hidden."""

    def __init__(self, width):
        super().__init__()
        self.gate_up = nn.Parameter(torch.empty(2, width, D))
        self.down = nn.Parameter(torch.empty(D, width))

    def forward(self, x, fp8):
        g, u = linear(x, self.gate_up[0], fp8), linear(x, self.gate_up[1], fp8)
        return linear(F.silu(g) * u, self.down, fp8)


class Moe(nn.Module):
    """One shared expert and the routed ones behind the sigmoid gate."""

    def __init__(self):
        super().__init__()
        self.gate = nn.Parameter(torch.empty(E, D))
        self.register_buffer("bias", torch.zeros(E))
        self.shared = Mlp(FE * C["n_shared_experts"])
        self.gate_up = nn.Parameter(torch.empty(E, 2 * FE, D))
        self.down = nn.Parameter(torch.empty(E, D, FE))
        self.live = None  # [E] of 0/1: which experts answer (for the controls)

    def forward(self, x, fp8):
        """x [T, D] -> (y [T, D], count [E])."""
        scores = torch.sigmoid(F.linear(x.float(), self.gate))
        ids = choose_experts(scores.detach(), self.bias)
        weights = scores.gather(1, ids)
        weights = weights / (weights.sum(-1, keepdim=True) + 1e-20) * C["routed_scaling_factor"]
        if self.live is not None:
            weights = weights * self.live[ids]
        t = x.shape[0]
        capacity = min(t, -(-t * K * 7 // (E * 4 * 32)) * 32 if self.training else t)
        slot, source, lane, count = place(ids, capacity)
        up, down = self.gate_up, self.down
        rows = fake_fp8_rows(x) if fp8 else x
        if fp8:
            up = fake_fp8_weight(up.unflatten(1, (2, FE))).flatten(1, 2)
            down = fake_fp8_weight(down)
        rows = _Dispatch.apply(rows, source, slot).unflatten(0, (E, capacity))
        g, u = torch.bmm(rows, up.to(BF16).transpose(1, 2)).chunk(2, -1)
        h = F.silu(g) * u
        h = fake_fp8_rows(h) if fp8 else h
        y = torch.bmm(h, down.to(BF16).transpose(1, 2)).flatten(0, 1)
        y = _Combine.apply(y, weights, source, slot, lane)
        return self.shared(x, fp8) + y, count


class Attention(nn.Module):
    """Multi-head latent attention, keys and values expanded."""

    def __init__(self):
        super().__init__()
        self.q_a = nn.Parameter(torch.empty(Q_RANK, D))
        self.q_a_norm = nn.Parameter(torch.ones(Q_RANK))
        self.q_b = nn.Parameter(torch.empty(H * (NOPE + ROPE), Q_RANK))
        self.kv_a = nn.Parameter(torch.empty(KV_RANK + ROPE, D))
        self.kv_a_norm = nn.Parameter(torch.ones(KV_RANK))
        self.kv_b = nn.Parameter(torch.empty(H * (NOPE + V), KV_RANK))
        self.o = nn.Parameter(torch.empty(D, H * V))

    def qkv(self, x, cos, sin, fp8):
        """x [B, L, D] -> q, k [B, H, L, NOPE+ROPE], v [B, H, L, V]."""
        q = linear(rms_norm(linear(x, self.q_a, fp8), self.q_a_norm), self.q_b, fp8).unflatten(
            -1, (H, -1)
        )
        q_nope, q_rope = q.split((NOPE, ROPE), -1)
        c_kv, k_rope = linear(x, self.kv_a, fp8).split((KV_RANK, ROPE), -1)
        kv = linear(rms_norm(c_kv, self.kv_a_norm), self.kv_b, fp8)
        k_nope, v = kv.unflatten(-1, (H, -1)).split((NOPE, V), -1)
        cos, sin = cos.unsqueeze(2), sin.unsqueeze(2)
        k_rope = rotate(k_rope.unsqueeze(2), cos, sin).expand(-1, -1, H, -1)
        q = torch.cat((q_nope, rotate(q_rope, cos, sin)), -1)
        k = torch.cat((k_nope, k_rope), -1)
        return q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)

    def forward(self, x, cos, sin, mask, fp8):
        """mask [B, 1, L, L] additive float32."""
        q, k, v = self.qkv(x, cos, sin, fp8)
        scores = (q @ k.transpose(2, 3)).float() * softmax_scale() + mask
        out = torch.softmax(scores, -1).to(BF16) @ v
        return linear(out.transpose(1, 2).flatten(2), self.o, fp8)


class Block(nn.Module):
    """One transformer block; dense or mixture of experts."""

    def __init__(self, dense):
        super().__init__()
        self.norm1, self.norm2 = (nn.Parameter(torch.ones(D)) for _ in range(2))
        self.attention = Attention()
        self.mlp = Mlp(C["intermediate_size"]) if dense else Moe()

    def feed_forward(self, x, fp8):
        """x [..., D] -> (x + mlp(norm(x)), count or None)."""
        h = rms_norm(x, self.norm2)
        if isinstance(self.mlp, Mlp):
            return x + self.mlp(h, fp8), None
        y, count = self.mlp(h.flatten(0, -2), fp8)
        return x + y.view(x.shape), count

    def forward(self, x, cos, sin, mask, fp8):
        x = x + self.attention(rms_norm(x, self.norm1), cos, sin, mask, fp8)
        return self.feed_forward(x, fp8)


class Nano(nn.Module):
    """The main model and its multi-token-prediction module."""

    def __init__(self, seed=0):
        super().__init__()
        dense = C["first_k_dense_replace"]
        self.embed = nn.Parameter(torch.empty(C["vocab_size"], D))
        self.blocks = nn.ModuleList(Block(i < dense) for i in range(C["num_hidden_layers"]))
        self.norm = nn.Parameter(torch.ones(D))
        self.head = nn.Parameter(torch.empty(C["vocab_size"], D))
        self.enorm, self.hnorm, self.mtp_norm = (nn.Parameter(torch.ones(D)) for _ in range(3))
        self.eh = nn.Parameter(torch.empty(D, 2 * D))
        self.mtp = Block(False)
        generator = torch.Generator().manual_seed(seed)
        for name, p in self.named_parameters():
            if p.dim() > 1:
                scale = 0.02 if name in ("embed", "head") else p.shape[-1] ** -0.5
                if name == "embed":
                    scale = 0.5
                if name.endswith(("down", "attention.o")):
                    scale *= 0.4
                with torch.no_grad():
                    p.normal_(0, scale, generator=generator)

    def forward(self, ids, positions, mask, fp8):
        """ids, positions [B, L] -> (logits, mtp logits [B, L, vocab], counts).

        The module's logits at i are for token i+2; they are meaningless at the
        last token of a document. counts [4, E]: tokens per expert by layer.
        """
        cos, sin = rope_table(positions)
        embedded = F.embedding(ids, self.embed.to(BF16))
        x, counts = embedded, []
        for block in self.blocks:
            x, count = block(x, cos, sin, mask, fp8)
            if count is not None:
                counts.append(count)
        x = rms_norm(x, self.norm)
        logits = F.linear(x, self.head.to(BF16))
        follow = torch.roll(embedded, -1, 1) * (positions > 0).unsqueeze(-1)
        h = torch.cat((rms_norm(follow, self.enorm), rms_norm(x, self.hnorm)), -1)
        h = F.linear(h.to(BF16), self.eh.to(BF16))
        h, count = self.mtp(h, cos, sin, mask, fp8)
        counts.append(count)
        ahead = F.linear(rms_norm(h, self.mtp_norm), self.head.to(BF16))
        return logits, ahead, torch.stack(counts)

    def moes(self):
        """The mixture layers, the module's last."""
        return [b.mlp for b in [*self.blocks, self.mtp] if isinstance(b.mlp, Moe)]


@torch.no_grad()
def generate(model, prompts, limit, fp8=False):
    """Greedy completions (lists of ids, without the end token) of prompts."""
    model.eval()
    batch = len(prompts)
    longest = max(map(len, prompts))
    total = longest + limit
    tokens = torch.full((batch, total), C["eos_token_id"])
    for row, prompt in enumerate(prompts):
        tokens[row, : len(prompt)] = torch.tensor(prompt)
    lengths = torch.tensor([len(p) for p in prompts])
    done = torch.zeros(batch, dtype=torch.bool)
    keys = torch.zeros(len(model.blocks), batch, H, total, NOPE + ROPE, dtype=BF16)
    values = torch.zeros(len(model.blocks), batch, H, total, V, dtype=BF16)
    for i in range(total - 1):
        cos, sin = rope_table(torch.full((batch, 1), i))
        x = F.embedding(tokens[:, i : i + 1], model.embed.to(BF16))
        for n, block in enumerate(model.blocks):
            q, k, v = block.attention.qkv(rms_norm(x, block.norm1), cos, sin, fp8)
            keys[n, :, :, i], values[n, :, :, i] = k[:, :, 0], v[:, :, 0]
            scores = (q @ keys[n, :, :, : i + 1].transpose(2, 3)).float()
            weights = torch.softmax(scores * softmax_scale(), -1).to(BF16)
            out = (weights @ values[n, :, :, : i + 1]).transpose(1, 2).flatten(2)
            x = x + linear(out, block.attention.o, fp8)
            x, _ = block.feed_forward(x, fp8)
        if i + 1 < int(lengths.min()):
            continue
        best = F.linear(rms_norm(x, model.norm), model.head.to(BF16)).argmax(-1)[:, 0]
        free = (lengths <= i + 1) & ~done
        tokens[:, i + 1] = torch.where(free, best, tokens[:, i + 1])
        done |= free & (best == C["eos_token_id"])
        if bool(done.all()):
            break
    model.train()
    out = []
    for row, prompt in enumerate(prompts):
        ids = tokens[row, len(prompt) :].tolist()
        end = C["eos_token_id"]
        out.append(ids[: ids.index(end)] if end in ids else ids)
    return out
