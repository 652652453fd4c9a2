#!/usr/bin/env python3
"""Writes ../decode_goldens.jsonl: random ids, and the text that Hugging Face's
tokenizers library decodes them to. Run by hand (see ../../README.md).

    make_decode_goldens.py TOKENIZER_JSON OUTPUT

Half of the ids are short tokens, which are mostly parts of characters.
"""

import json
import random
import sys

import tokenizers


def main():
    path, output = sys.argv[1:]
    tokenizer = tokenizers.Tokenizer.from_file(path)
    rng = random.Random(20250609)
    with open(output, "w", encoding="utf-8") as f:
        for _ in range(200):
            ids = [rng.choice([rng.randrange(3, 600), rng.randrange(tokenizer.get_vocab_size())])
                   for _ in range(rng.randint(1, 14))]
            text = tokenizer.decode(ids, skip_special_tokens=False)
            line = {"ids": ids, "text": text}
            f.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
