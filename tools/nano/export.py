"""Writes a checkpoint as a Hugging Face model folder.

  python3 export.py --checkpoint PATH [--to FOLDER]
Tensor names, shapes and types are those of DeepSeek-V3's own checkpoints:
bfloat16, the gate's correction bias in float32, and the multi-token-prediction
module as one more layer with its copies of embedding and head. No library but
PyTorch is needed; the same checkpoint gives the same bytes.
"""

import argparse
import json
import os
import struct

import torch

import config
import model as nano
import tokens

SHARD_BYTES = 5_000_000
_ATTENTION = (
    ("q_a", "q_a_proj"),
    ("q_a_norm", "q_a_layernorm"),
    ("q_b", "q_b_proj"),
    ("kv_a", "kv_a_proj_with_mqa"),
    ("kv_a_norm", "kv_a_layernorm"),
    ("kv_b", "kv_b_proj"),
    ("o", "o_proj"),
)


def _mlp(prefix, gate, up, down):
    yield f"{prefix}.gate_proj.weight", gate
    yield f"{prefix}.up_proj.weight", up
    yield f"{prefix}.down_proj.weight", down


def _block(prefix, block):
    yield f"{prefix}.input_layernorm.weight", block.norm1
    yield f"{prefix}.post_attention_layernorm.weight", block.norm2
    for ours, theirs in _ATTENTION:
        yield f"{prefix}.self_attn.{theirs}.weight", getattr(block.attention, ours)
    mlp, prefix = block.mlp, f"{prefix}.mlp"
    if isinstance(mlp, nano.Mlp):
        yield from _mlp(prefix, *mlp.gate_up, mlp.down)
        return
    yield f"{prefix}.gate.weight", mlp.gate
    yield f"{prefix}.gate.e_score_correction_bias", mlp.bias
    for e in range(nano.E):
        gate, up = mlp.gate_up[e].split(nano.FE)
        yield from _mlp(f"{prefix}.experts.{e}", gate, up, mlp.down[e])
    yield from _mlp(f"{prefix}.shared_experts", *mlp.shared.gate_up, mlp.shared.down)


def named_tensors(net):
    """(name, tensor) of every tensor, in checkpoint order, final types."""

    def all_of():
        yield "model.embed_tokens.weight", net.embed
        for i, block in enumerate(net.blocks):
            yield from _block(f"model.layers.{i}", block)
        extra = f"model.layers.{len(net.blocks)}"
        yield f"{extra}.embed_tokens.weight", net.embed
        yield f"{extra}.enorm.weight", net.enorm
        yield f"{extra}.hnorm.weight", net.hnorm
        yield f"{extra}.eh_proj.weight", net.eh
        yield from _block(extra, net.mtp)
        yield f"{extra}.shared_head.norm.weight", net.mtp_norm
        yield f"{extra}.shared_head.head.weight", net.head
        yield "model.norm.weight", net.norm
        yield "lm_head.weight", net.head

    for name, tensor in all_of():
        bias = name.endswith("e_score_correction_bias")
        yield name, tensor.detach().to(torch.float32 if bias else torch.bfloat16).contiguous()


def _bytes(tensor):
    kind = torch.int16 if tensor.dtype == torch.bfloat16 else torch.int32
    return tensor.view(kind).numpy().tobytes()


def write_safetensors(path, items):
    """Writes (name, tensor) pairs as one safetensors file."""
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, tensor in items:
        size = tensor.numel() * tensor.element_size()
        header[name] = {
            "dtype": "BF16" if tensor.dtype == torch.bfloat16 else "F32",
            "shape": list(tensor.shape),
            "data_offsets": [at, at + size],
        }
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for _, tensor in items:
            f.write(_bytes(tensor))


def _write_json(path, data):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(data, f, indent=2, ensure_ascii=False)
        f.write("\n")


def export(net, folder):
    """Writes config, weights and index into the folder."""
    os.makedirs(folder, exist_ok=True)
    _write_json(os.path.join(folder, "config.json"), config.CONFIG)
    _write_json(os.path.join(folder, "generation_config.json"), config.GENERATION_CONFIG)
    shards, room = [[]], SHARD_BYTES
    for name, tensor in named_tensors(net):
        size = tensor.numel() * tensor.element_size()
        if size > room:
            shards.append([])
            room = SHARD_BYTES
        shards[-1].append((name, tensor))
        room -= size
    index, total = {}, 0
    for i, items in enumerate(shards, 1):
        file = f"model-{i:05d}-of-{len(shards):05d}.safetensors"
        write_safetensors(os.path.join(folder, file), items)
        index.update((name, file) for name, _ in items)
        total += sum(t.numel() * t.element_size() for _, t in items)
    _write_json(
        os.path.join(folder, "model.safetensors.index.json"),
        {"metadata": {"total_size": total}, "weight_map": index},
    )


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--checkpoint", required=True)
    p.add_argument("--to", default=tokens.MODEL_DIR)
    opt = p.parse_args()
    net = nano.Nano()
    net.load_state_dict(torch.load(opt.checkpoint)["model"])
    export(net, opt.to)


if __name__ == "__main__":
    main()
