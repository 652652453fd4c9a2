"""nano's tokenizer, in DeepSeek-V3's form.

merges.txt was learned once, by byte-pair encoding over 20,000 problems of the
task, and is frozen: a change of the task's words must not renumber the vocabulary.

`python3 tokens.py` writes model/tokenizer.json and model/tokenizer_config.json,
the same bytes each time. Tokenizer is a small encoder for the trainer: it knows
the pre-tokenizer only for ASCII, "×" and "÷" (all that the task writes); the
served model uses the full one.
"""

import json
import os
import re

FOLDER = os.path.dirname(os.path.abspath(__file__))
MODEL_DIR = os.path.join(FOLDER, "model")
VOCAB_SIZE = 512
BOS, EOS, PAD = ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>")
# R1's added tokens, in R1's order: (content, special).
ADDED = (
    ("<think>", False),
    ("</think>", False),
    ("<｜fim▁hole｜>", False),
    ("<｜fim▁begin｜>", False),
    ("<｜fim▁end｜>", False),
    ("<｜User｜>", False),
    ("<｜Assistant｜>", False),
    ("<|EOT|>", True),
    ("<｜tool▁calls▁begin｜>", False),
    ("<｜tool▁calls▁end｜>", False),
    ("<｜tool▁call▁begin｜>", False),
    ("<｜tool▁call▁end｜>", False),
    ("<｜tool▁outputs▁begin｜>", False),
    ("<｜tool▁outputs▁end｜>", False),
    ("<｜tool▁output▁begin｜>", False),
    ("<｜tool▁output▁end｜>", False),
    ("<｜tool▁sep｜>", False),
)
FIRST_ADDED = VOCAB_SIZE - len(ADDED)

# V3's three splits; only the first differs: one digit at a time.
SPLITS = (
    r"\p{N}",
    "[一-龥぀-ゟ゠-ヿ]+",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+"
    "|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
    "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+",
)
_PUNCT = "!-/:-@\\[-`{-~×÷"
_WORDS = re.compile(
    "[0-9]|[!-/:-@\\[-`{-~][A-Za-z]+|[^\r\nA-Za-z0-9%s]?[A-Za-z]+"
    "| ?[%s]+[\r\n]*|\\s*[\r\n]+|\\s+(?![^\\s0-9])|\\s+" % (_PUNCT, _PUNCT)
)


def _byte_alphabet():
    """GPT-2's printable character for each byte value."""
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {b: chr(b) for b in keep}
    for b in range(256):
        if b not in table:
            table[b] = chr(256 + len(table) - len(keep))
    return table


_ALPHABET = _byte_alphabet()


def split_words(text):
    """Pre-tokens of ordinary text (no added tokens), in the byte alphabet."""
    words = []
    for part in re.split("([0-9])", text):
        words += _WORDS.findall(part)
    return ["".join(_ALPHABET[b] for b in w.encode()) for w in words]


def _join(piece, pair):
    out = []
    for symbol in piece:
        if out and (out[-1], symbol) == pair:
            out[-1] += symbol
        else:
            out.append(symbol)
    return tuple(out)


def build():
    """(tokenizer.json, tokenizer_config.json) as dictionaries."""
    alphabet = sorted(_ALPHABET.values())
    with open(os.path.join(FOLDER, "merges.txt"), encoding="utf-8") as f:
        merges = [line.split() for line in f]
    vocab = [BOS, EOS, PAD, *alphabet, *("".join(m) for m in merges)]
    assert len(set(vocab)) == FIRST_ADDED
    specials = [(i, vocab[i], True) for i in range(3)]
    added = specials + [(FIRST_ADDED + i, c, s) for i, (c, s) in enumerate(ADDED)]
    splits = [
        {"type": "Split", "pattern": {"Regex": p}, "behavior": "Isolated", "invert": False}
        for p in SPLITS
    ]
    splits.append(
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    )
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": i,
                "content": c,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": not s or c == "<|EOT|>",
                "special": s,
            }
            for i, c, s in added
        ],
        "normalizer": {"type": "Sequence", "normalizers": []},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": splits},
        "post_processor": {
            "type": "ByteLevel",
            "add_prefix_space": True,
            "trim_offsets": False,
            "use_regex": True,
        },
        "decoder": {
            "type": "ByteLevel",
            "add_prefix_space": True,
            "trim_offsets": True,
            "use_regex": True,
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": {t: i for i, t in enumerate(vocab)},
            "merges": [" ".join(m) for m in merges],
        },
    }
    return tokenizer, _config()


def _config():
    def token(content):
        return {
            "__type": "AddedToken",
            "content": content,
            "lstrip": False,
            "normalized": True,
            "rstrip": False,
            "single_word": False,
        }

    with open(os.path.join(FOLDER, "chat_template.jinja"), encoding="utf-8") as f:
        template = f.read()
    return {
        "add_bos_token": True,
        "add_eos_token": False,
        "bos_token": token(BOS),
        "clean_up_tokenization_spaces": False,
        "eos_token": token(EOS),
        "legacy": True,
        "model_max_length": 4096,
        "pad_token": token(EOS),
        "sp_model_kwargs": {},
        "unk_token": None,
        "tokenizer_class": "LlamaTokenizerFast",
        "chat_template": template,
    }


class Tokenizer:
    """Encodes the task's text as model/tokenizer.json does."""

    def __init__(self, path=os.path.join(MODEL_DIR, "tokenizer.json")):
        with open(path, encoding="utf-8") as f:
            data = json.load(f)
        self._vocab = data["model"]["vocab"]
        self._ranks = {tuple(m.split(" ")): i for i, m in enumerate(data["model"]["merges"])}
        self.added = {t["content"]: t["id"] for t in data["added_tokens"]}
        self._pieces = {i: t for t, i in self._vocab.items()}
        self._pieces.update({i: t for t, i in self.added.items()})
        self._bytes = {c: b for b, c in _ALPHABET.items()}
        self._cache = {}

    def encode(self, text):
        """Ids of ordinary text; nothing in it becomes a special token."""
        ids = []
        for word in split_words(text):
            if word not in self._cache:
                self._cache[word] = self._merge(word)
            ids += self._cache[word]
        return ids

    def _merge(self, word):
        piece = tuple(word)
        while len(piece) > 1:
            best = min(zip(piece, piece[1:]), key=lambda p: self._ranks.get(p, 1 << 30))
            if best not in self._ranks:
                break
            piece = _join(piece, best)
        return [self._vocab[s] for s in piece]

    def prompt(self, question, history=(), system=""):
        """The R1 chat prompt, up to and with "<think>\\n".

        history holds the earlier turns, (question, reply without reasoning).
        """
        user, assistant = self.added["<｜User｜>"], self.added["<｜Assistant｜>"]
        ids = [self.added[BOS], *self.encode(system)]
        for asked, reply in history:
            ids += [user, *self.encode(asked), assistant, *self.encode(reply), self.added[EOS]]
        return ids + [
            user,
            *self.encode(question),
            assistant,
            self.added["<think>"],
            *self.encode("\n"),
        ]

    def completion(self, problem):
        """What the model must write for the problem, with the end token."""
        return [
            *self.encode(problem.reasoning + "\n"),
            self.added["</think>"],
            *self.encode(f"\n\n{problem.answer}"),
            self.added[EOS],
        ]

    def decode(self, ids):
        """Text of ids, special tokens as their content."""
        out = b""
        for i in ids:
            piece = self._pieces[i]
            out += piece.encode() if piece in self.added else bytes(self._bytes[c] for c in piece)
        return out.decode("utf-8", "replace")


def main():
    os.makedirs(MODEL_DIR, exist_ok=True)
    for name, data in zip(("tokenizer.json", "tokenizer_config.json"), build()):
        with open(os.path.join(MODEL_DIR, name), "w", encoding="utf-8") as f:
            json.dump(data, f, ensure_ascii=False, indent=2)
            f.write("\n")


if __name__ == "__main__":
    main()
