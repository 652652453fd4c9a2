"""The random weights of runtime/model/testing/random_checkpoint.cc, bit for bit.

A value is a function of (tensor name, index, seed): FNV-1a of the name, splitmix64, 24 bits of it,
float32 arithmetic, rounded to bf16.
"""

import numpy as np

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def _name_hash(name):
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & _MASK
    return h


def _amplitude_and_offset(name, shape):
    if name.endswith("e_score_correction_bias"):
        return np.float32(0.05), np.float32(0)
    if len(shape) == 1:
        return np.float32(0.25), np.float32(1)
    if name.endswith("embed_tokens.weight"):
        return np.float32(1), np.float32(0)
    unit = np.float32(np.sqrt(np.float64(3.0) / np.float64(shape[1])))
    return (np.float32(2) * unit if name.endswith("lm_head.weight") else unit), np.float32(0)


def random_values(name, shape, seed):
    """float32 array of `shape`; every value is exact in bf16."""
    count = int(np.prod(shape))
    start = np.uint64(_name_hash(name) ^ ((seed * _GOLDEN) & _MASK))
    with np.errstate(over="ignore"):
        z = start + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    u = ((z >> np.uint64(40)).astype(np.int32) - (1 << 23)).astype(np.float32) * np.float32(2.0**-23)
    amplitude, offset = _amplitude_and_offset(name, shape)
    value = (offset + amplitude * u).astype(np.float32)
    return to_bf16(value).reshape(shape)


def to_bf16(values):
    """float32 rounded to bf16, to nearest even, as float32; no NaNs."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    bits = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(0xFFFF0000)
    return bits.view(np.float32)


def through_fp8(values):
    """The matrix that an FP8 checkpoint of `values` holds: e4m3 times the float32 scale of its
    128 x 128 block, as runtime/weights/quantize.cc stores it.  Blocks at the edges are smaller.
    Uniform weights give every block nearly the same scale, which would hide a scale taken from
    another block; so here, as in golden_case.cc, each is divided by 1, 2 or 4.
    """
    out = np.empty_like(values)
    for r in range(0, values.shape[0], 128):
        for c in range(0, values.shape[1], 128):
            block = values[r : r + 128, c : c + 128]
            scale = np.abs(block).max() / np.float32(448)
            x = (block / scale).astype(np.float64)
            # Three bits after the leading one; the exponent is -6 at least.
            exponent = np.maximum(np.floor(np.log2(np.maximum(np.abs(x), 2.0**-30))), -6)
            quantum = 2.0 ** (exponent - 3)
            scale = np.float64(scale) / 2 ** ((r // 128 + 2 * (c // 128)) % 3)
            out[r : r + 128, c : c + 128] = np.rint(x / quantum) * quantum * scale
    return out
