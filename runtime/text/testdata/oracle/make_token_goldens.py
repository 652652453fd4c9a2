#!/usr/bin/env python3
"""Writes ../token_goldens.jsonl: texts, and what Hugging Face's tokenizers
library makes of them. Run by hand (see ../../README.md), not by the tests.

    make_token_goldens.py TOKENIZER_JSON OUTPUT

One object per line: the text; `ids` and `added`, the number and the digest of
its ids without and with added-token matching. A digest is the first 16 hex
digits of SHA-256 over the ids as little-endian 32-bit words.
"""

import hashlib
import json
import struct
import sys

import tokenizers

import corpus


def without_added_tokens(path):
    """The tokenizer with added tokens taken out: text stays text."""
    with open(path, encoding="utf-8") as f:
        spec = json.load(f)
    spec["added_tokens"] = []
    return tokenizers.Tokenizer.from_str(json.dumps(spec, ensure_ascii=False))


def digest(ids):
    packed = struct.pack(f"<{len(ids)}i", *ids)
    return [len(ids), hashlib.sha256(packed).hexdigest()[:16]]


def main():
    path, output = sys.argv[1:]
    plain = without_added_tokens(path)
    full = tokenizers.Tokenizer.from_file(path)
    with open(output, "w", encoding="utf-8") as f:
        for kind, text in corpus.texts():
            line = {
                "kind": kind,
                "text": text,
                "ids": digest(plain.encode(text, add_special_tokens=False).ids),
                "added": digest(full.encode(text, add_special_tokens=False).ids),
            }
            f.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
