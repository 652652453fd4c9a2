"""Times our tokenizer beside Hugging Face's on one corpus; see `compare`.

    beside_hf.py TIMED_TOKENIZER TOKENIZER_JSON CORPUS_FOLDER
"""

import array
import os
import pathlib
import statistics
import subprocess
import sys
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import tokenizers  # noqa: E402  reads the environment

ROUNDS = 3
DECODED_TOGETHER = [64, 1]  # a router pushes ids one by one


class Ours:
    """timed_tokenizer.cc, in a process of its own."""

    def __init__(self, program, tokenizer_json):
        self.process = subprocess.Popen([program, tokenizer_json], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.load_seconds = float(self.process.stdout.readline())

    def tell(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return [float(number) for number in self.process.stdout.readline().split()]


class HuggingFace:
    def __init__(self, tokenizer_json):
        start = time.process_time()
        self.tokenizer = tokenizers.Tokenizer.from_file(tokenizer_json)
        self.load_seconds = time.process_time() - start

    def one_by_one(self, texts):
        return [self.tokenizer.encode(text, add_special_tokens=False) for text in texts]

    def batch(self, texts):
        """Without character offsets, which ours does not make either."""
        return self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)

    def seconds(self, how, texts):
        """With an empty word cache, as for texts that were never seen."""
        self.tokenizer.model._clear_cache()
        start = time.process_time()
        encodings = how(texts)
        return time.process_time() - start, encodings


def check_equal(kind, ours, encodings, scratch):
    ours.tell(f"ids {scratch}")
    expected = array.array("i")
    for encoding in encodings:
        expected.extend(encoding.ids)
        expected.append(-1)
    if scratch.read_bytes() != expected.tobytes():
        sys.exit(f"{kind}: the ids differ")
    scratch.unlink()


def measure(kind, path, ours, peer):
    """A row of the table: ours and the peer's faster way, by turns."""
    data = path.read_bytes()
    texts = data.decode().split("\0")
    ours.tell(f"read {path}")
    ways = [peer.batch, peer.one_by_one]
    trial = [peer.seconds(way, texts) for way in ways]
    best = min((0, 1), key=lambda i: trial[i][0])
    first_seconds, steps = ours.tell("encode")
    ours_seconds, peer_seconds = [first_seconds], [trial[best][0]]
    decode = {together: [] for together in DECODED_TOGETHER}
    check_equal(kind, ours, trial[best][1], path.with_suffix(".ids"))
    del trial
    for _ in range(ROUNDS):
        ours_seconds.append(ours.tell("encode")[0])
        for together, rates in decode.items():
            seconds, tokens = ours.tell(f"decode {together}")
            rates.append(tokens / seconds)
        peer_seconds.append(peer.seconds(ways[best], texts)[0])
    our_rate = len(data) / statistics.median(ours_seconds[1:]) / 1e6
    peer_rate = len(data) / statistics.median(peer_seconds) / 1e6
    print(f"| {kind} | {len(data) / 1e6:.1f} MB | {our_rate:.0f} | {peer_rate:.1f} "
          f"({ways[best].__name__}) | {our_rate / peer_rate:.1f} | {steps / len(data):.2f} | "
          + " | ".join(f"{statistics.median(rates) / 1e6:.0f}" for rates in decode.values())
          + " |", flush=True)


def main():
    program, tokenizer_json, folder = sys.argv[1:]
    ours, peer = Ours(program, tokenizer_json), HuggingFace(tokenizer_json)
    print(f"load: ours {ours.load_seconds:.2f} s, tokenizers {tokenizers.__version__} "
          f"{peer.load_seconds:.2f} s\n")
    print("| text | size | ours MB/s | tokenizers MB/s (its faster way) | ratio | merge steps per byte "
          + "".join(f"| decode M tokens/s, {together} at a time " for together in DECODED_TOGETHER) + "|")
    print("|---|---|---|---|---|---|---|---|")
    for path in sorted(pathlib.Path(folder).iterdir(), key=lambda p: p.stat().st_mtime_ns):
        measure(path.name, path, ours, peer)


if __name__ == "__main__":
    main()
