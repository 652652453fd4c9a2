#!/usr/bin/env python3
"""Writes ../chat_goldens.jsonl: conversations, and what the real Jinja
templates make of them. Run by hand (see ../../README.md), not by the tests.

    make_chat_goldens.py OUTPUT TOKENIZER_JSON NAME=CONFIG_OR_JINJA...

NAME is a dialect of ../../chat_dialect.h; its template comes from a
tokenizer_config.json or a bare .jinja file. One object per line: the messages,
and per dialect the SHA-256 of the rendered string (16 hex digits) with and
without the generation prompt, and the digest of the prompt's ids where no text
in it looks like an added token (then Hugging Face's encoding of the string is
the right one). The tokenizer is DeepSeek-V3's, with the two placeholders that
R1 names <think> and </think> named so.
"""

import hashlib
import json
import sys

import jinja2
import tokenizers

import conversations
import make_token_goldens

BOS = "<｜begin▁of▁sentence｜>"
THINK = {"<｜place▁holder▁no▁798｜>": "<think>", "<｜place▁holder▁no▁799｜>": "</think>"}
# The dialects in which an assistant turn has content and tool calls.
BESIDE_CALLS = ["deepseek-r1"]
# Words that a tokenizer would take for tokens inside text.
LOOKS_LIKE_TOKEN = ["<｜", "<think>", "</think>"]


def read_template(path):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    if path.endswith(".json"):
        text = json.loads(text)["chat_template"]
    # As transformers sets it up.
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(text)


def read_tokenizer(path):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    for old, new in THINK.items():
        text = text.replace(old, new)
    return tokenizers.Tokenizer.from_str(text)


def looks_like_token(value):
    if isinstance(value, dict):
        return any(looks_like_token(v) for v in value.values())
    if isinstance(value, list):
        return any(looks_like_token(v) for v in value)
    return isinstance(value, str) and any(w in value for w in LOOKS_LIKE_TOKEN)


def text_digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def main():
    output, tokenizer_path, *pairs = sys.argv[1:]
    templates = {name: read_template(path)
                 for name, path in (pair.split("=", 1) for pair in pairs)}
    tokenizer = read_tokenizer(tokenizer_path)
    with open(output, "w", encoding="utf-8") as f:
        for messages in conversations.conversations():
            line = {"messages": messages}
            for name, template in templates.items():
                if not conversations.fits(messages, name in BESIDE_CALLS):
                    continue
                prompt, closed = (
                    template.render(messages=messages, bos_token=BOS,
                                    add_generation_prompt=add)
                    for add in (True, False))
                line[name] = {"prompt": text_digest(prompt), "closed": text_digest(closed)}
                if not looks_like_token(messages):
                    ids = tokenizer.encode(prompt, add_special_tokens=False).ids
                    line[name]["ids"] = make_token_goldens.digest(ids)
            f.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
