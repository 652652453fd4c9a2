#!/usr/bin/env python3
"""Prints the digest that ../../char_class_test.cc expects: the class of every
code point as Hugging Face's regular expressions see it. Run by hand."""

import hashlib

from tokenizers import Regex
from tokenizers.pre_tokenizers import Split

BITS = {r"\p{N}": 1, r"\p{L}": 2, r"\p{M}": 4, r"\p{P}": 8, r"\p{S}": 16, r"\s": 32}
BLOCK = 4096


def main():
    classes = bytearray(0x110000)
    code_points = [c for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
    for pattern, bit in BITS.items():
        remove = Split(Regex(pattern), "removed")
        for first in range(0, len(code_points), BLOCK):
            block = code_points[first:first + BLOCK]
            kept = set()
            for _, (begin, end) in remove.pre_tokenize_str("".join(map(chr, block))):
                kept.update(range(begin, end))
            for i, c in enumerate(block):
                if i not in kept:
                    classes[c] |= bit
    print(hashlib.sha256(classes).hexdigest())


if __name__ == "__main__":
    main()
