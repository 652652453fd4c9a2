"""Exact-answer accuracy on held-out problems, measured in PyTorch.

  python3 evaluate.py --checkpoint PATH --seed S --count N [--fp8] [--controls]
The figure that counts is the served one (tools/nano/accuracy); this one is for
watching the training.
"""

import argparse
import itertools

import torch

import grade
import model as nano
import task
import tokens

LIMIT = 400
BATCH = 250


def misses(net, problems, fp8):
    """The problems that the model gets wrong, with what it wrote."""
    coder = tokens.Tokenizer()
    wrong = []
    for at in range(0, len(problems), BATCH):
        part = problems[at : at + BATCH]
        out = nano.generate(net, [coder.prompt(p.question) for p in part], LIMIT, fp8)
        for problem, ids in zip(part, out):
            text = coder.decode(ids)
            if not grade.is_exact(text, problem.answer):
                wrong.append((problem, text))
    return wrong


def held_out(seed, per_kind):
    return [
        p
        for kind in task.KINDS
        for p in itertools.islice(task.held_out_stream(seed, kind), per_kind)
    ]


def summary(wrong, per_kind):
    """One line: exact answers per kind, given the misses."""
    bad = {k: sum(p.kind == k for p, _ in wrong) for k in task.KINDS}
    return ' '.join(f'{k} {per_kind - bad[k]}/{per_kind}' for k in task.KINDS)


def line(net, per_kind, fp8, seed='check'):
    """One line: exact answers per kind on per_kind problems of each."""
    return summary(misses(net, held_out(seed, per_kind), fp8), per_kind)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--checkpoint", required=True)
    p.add_argument("--seed", default="evaluate")
    p.add_argument("--count", type=int, default=500, help="over all kinds")
    p.add_argument("--fp8", action="store_true")
    p.add_argument("--controls", action="store_true")
    p.add_argument("--show", type=int, default=0, help="print N wrong replies")
    opt = p.parse_args()
    torch.set_num_threads(2)
    net = nano.Nano()
    net.load_state_dict(torch.load(opt.checkpoint)["model"])
    each = opt.count // len(task.KINDS)
    wrong = misses(net, held_out(opt.seed, each), opt.fp8)
    for problem, text in wrong[: opt.show]:
        print(f'{problem.question}\n{text}\nexpected {problem.reasoning}\n{problem.answer}\n')
    print('all experts:', summary(wrong, each), flush=True)
    if not opt.controls:
        return
    for name, dead in (("experts 0-3 zeroed", range(4)), ("all routed experts zeroed", range(16))):
        for moe in net.moes():
            moe.live = torch.ones(16)
            moe.live[list(dead)] = 0
        print(f"{name}:", line(net, each, opt.fp8, opt.seed), flush=True)


if __name__ == "__main__":
    main()
