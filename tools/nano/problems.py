"""Prints held-out problems as JSON lines: {"kind", "question", "answer"}.

  python3 problems.py --seed S --count N [--kind add|sub|mul|div|word]
The same seed and count give the same problems; any seed will do.
"""

import argparse
import itertools
import json

import task


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--seed", default="0")
    p.add_argument("--count", type=int, default=100)
    p.add_argument("--kind", choices=task.KINDS)
    opt = p.parse_args()
    stream = task.held_out_stream(opt.seed, opt.kind)
    for problem in itertools.islice(stream, opt.count):
        print(
            json.dumps(
                {"kind": problem.kind, "question": problem.question, "answer": problem.answer},
                ensure_ascii=False,
            )
        )


if __name__ == "__main__":
    main()
