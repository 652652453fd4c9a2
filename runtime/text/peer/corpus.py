"""The texts on which the tokenizer is timed beside Hugging Face's.

Real text comes from Debian packages, each fetched by apt-get and unpacked into
the cache folder; what Debian has none of is seeded and says so. A document is
a page or a source file, cut at line ends to 32 KB at most. None is repeated.

    corpus.py CACHE    writes CACHE/corpus/KIND, documents with a NUL between
"""

import gzip
import hashlib
import html
import pathlib
import random
import re
import subprocess
import sys

PACKAGES = {
    "english": ["debian-reference-en", "developers-reference", "manpages", "manpages-dev"],
    "chinese": ["debian-reference-zh-cn", "manpages-zh"],
    "japanese": ["debian-reference-ja", "manpages-ja", "manpages-ja-dev"],
    "code": ["libc6-dev", "libstdc++-12-dev", "libpython3.11-stdlib", "libpython3.11-minimal"],
}
DOCUMENT_BYTES = 32_000
KIND_BYTES = 4_000_000
SYNTHETIC_BYTES = 1_000_000

SCRIPTS = {"chinese": re.compile("[\u4e00-\u9fff]"), "japanese": re.compile("[\u3040-\u30ff\u4e00-\u9fff]")}


def unpacked(cache, package):
    """The folder with the package's files."""
    folder = cache / "packages" / package
    if not folder.is_dir():
        work = cache / "download" / package
        work.mkdir(parents=True, exist_ok=True)
        folder.parent.mkdir(exist_ok=True)
        subprocess.run(["apt-get", "-q", "download", package], cwd=work, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        subprocess.run(["dpkg-deb", "-x", str(next(work.glob("*.deb"))), str(folder)], check=True)
    return folder


def prose_of(path):
    """A page's sentences: HTML without its tags, a man page without its requests."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    text = data.decode("utf-8", errors="replace")
    if "<html" in text[:2000]:
        text = re.sub(r"(?s)<(head|script|style)\b.*?</\1>", "", text)
        text = html.unescape(re.sub(r"(?s)<[^>]*>", "", text))
    elif re.search(r"(?m)^\.(TH|Dd|so)\b", text):
        lines = []
        for line in text.split("\n"):
            if line.startswith((".B ", ".I ", ".SH ", ".BR ", ".IR ")):
                line = line.split(" ", 1)[1]
            if not line.startswith((".", "'")):
                lines.append(line)
        text = re.sub(r"\\f[A-Z]|\\f\(..|\\&|\\c", "", "\n".join(lines)).replace("\\-", "-")
    return re.sub(r"\n{3,}", "\n\n", text.replace("\ufffd", ""))


def in_script(text, script):
    """The lines that are written in the script rather than in Latin letters."""
    keep = [line for line in text.split("\n") if 3 * len(script.findall(line)) >= len(line)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(keep))


def cut(text):
    """The text in documents of at most about DOCUMENT_BYTES, cut at line ends."""
    lines, size = [], 0
    for line in text.replace("\0", "").splitlines(keepends=True):
        lines.append(line)
        size += len(line.encode())
        if size >= DOCUMENT_BYTES:
            yield "".join(lines)
            lines, size = [], 0
    yield "".join(lines)


def pages(cache, kind):
    for package in PACKAGES[kind]:
        for path in sorted(unpacked(cache, package).rglob("*")):
            if path.is_symlink() or not path.is_file():
                continue
            if kind == "code":
                source = path.suffix in (".py", ".h") or "include" in path.parts
                text = path.read_bytes().decode("utf-8", errors="ignore") if source else ""
            else:
                page = path.suffix in (".html", ".gz") and "changelog" not in path.name
                text = prose_of(path) if page else ""
            if kind in SCRIPTS:
                text = in_script(text, SCRIPTS[kind])
            yield from cut(text)


def documents(cache, kind):
    """KIND_BYTES of the kind's documents in a seeded order, each once."""
    distinct = {hashlib.sha256(text.encode()).digest(): text for text in pages(cache, kind)
                if len(text) > 200}
    texts = list(distinct.values())
    random.Random(17).shuffle(texts)
    taken, size = [], 0
    for text in texts:
        if size >= KIND_BYTES:
            break
        taken.append(text)
        size += len(text.encode())
    return taken


def seeded(make, size=SYNTHETIC_BYTES):
    """Documents of 4 kB from a generator of short strings."""
    rng = random.Random(18)
    texts, total = [], 0
    while total < size:
        parts, length = [], 0
        while length < 4000:
            parts.append(make(rng))
            length += len(parts[-1].encode())
        texts.append("".join(parts))
        total += length
    return texts


def emoji(rng):
    base = chr(rng.choice([rng.randint(0x1F600, 0x1F64F), rng.randint(0x1F300, 0x1F5FF),
                           rng.randint(0x1F900, 0x1F9FF), rng.randint(0x2600, 0x27BF)]))
    tail = rng.choice(["", "", "", "\ufe0f", chr(rng.randint(0x1F3FB, 0x1F3FF)), "\u200d\U0001F525"])
    return base + tail + rng.choice(["", "", " ", " ok ", "!\n"])


def digits(rng):
    number = str(rng.randint(0, 10 ** rng.randint(1, 18)))
    return number + rng.choice([" ", ", ", "\n", ".", "-", "+", " = "])


def mixed(real):
    """Paragraphs of all the real kinds, by turns."""
    rng = random.Random(19)
    paragraphs = [p for texts in real.values() for text in texts[-20:] for p in text.split("\n\n")]
    rng.shuffle(paragraphs)
    return list(cut("\n".join(paragraphs)))


def corpora(cache):
    real = {kind: documents(cache, kind) for kind in ("english", "code", "chinese", "japanese")}
    han = random.Random(20)
    return {
        **real,
        "mixed": mixed(real),
        "emoji (seeded)": seeded(emoji),
        "digits (seeded)": seeded(digits),
        "1 MB of a": ["a" * 1_000_000],
        "1 MB of ab": ["ab" * 500_000],
        "1 MB of Han (seeded)": ["".join(chr(han.randint(0x4E00, 0x9FA5)) for _ in range(333_333))],
        "1 MB of letters (seeded)": ["".join(han.choices("abcdefghijklmnopqrstuvwxyz", k=1_000_000))],
        "1 MB of blanks": [" " * 1_000_000],
    }


def main():
    cache = pathlib.Path(sys.argv[1])
    (cache / "corpus").mkdir(parents=True, exist_ok=True)
    for kind, texts in corpora(cache).items():
        data = "\0".join(texts).encode()
        (cache / "corpus" / kind).write_bytes(data)
        print(f"{kind}: {len(texts)} documents, {len(data):,} bytes")


if __name__ == "__main__":
    main()
