"""Trains nano on the CPU. See README.md for the exact command.

Same seed, steps, PyTorch build and thread count: same weights. Checkpoints go to
--out every --save steps; a run that is started again goes on from the last.
"""

import argparse
import os
import time

import torch
import torch.nn.functional as F

import batches
import evaluate
import model as nano

BIAS_STEP = 0.002
MTP_WEIGHT = 0.3
WARM_UP = 150


def options():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--out", required=True, help="folder for checkpoints")
    p.add_argument("--steps", type=int, default=7000)
    p.add_argument("--rows", type=int, default=9, help="rows per batch")
    p.add_argument("--rate", type=float, default=3e-3)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--save", type=int, default=250)
    p.add_argument("--check", type=int, default=500, help="accuracy every N")
    p.add_argument("--compile", action="store_true", help="needs PyTorch 2")
    return p.parse_args()


def learning_rate(step, steps, peak):
    """Linear warm-up, then linear decay to nearly nothing."""
    if step < WARM_UP:
        return peak * (step + 1) / WARM_UP
    return peak * max(0.004, (steps - step) / (steps - WARM_UP))


def tensors(batch):
    """(ids, positions, additive mask, weights, weights two ahead) of a batch."""
    ids, positions, document, mask = map(torch.from_numpy, batch)
    same = document.unsqueeze(1) == document.unsqueeze(2)
    seen = same & torch.ones(batches.ROW, batches.ROW, dtype=torch.bool).tril()
    additive = torch.zeros(seen.shape).masked_fill(~seen, -1e9).unsqueeze(1)
    one = F.pad(mask[:, 1:], (0, 1))
    two = F.pad(mask[:, 2:], (0, 2)) * (F.pad(document[:, 2:], (0, 2)) == document)
    return ids, positions, additive, one, two


def losses(net, ids, positions, mask, one, two, fp8):
    """(main loss, module's loss, tokens per expert)."""
    logits, ahead, counts = net(ids, positions, mask, fp8)

    def mean(x, shift, weight):
        target = torch.roll(ids, -shift, 1).flatten()
        each = F.cross_entropy(x.flatten(0, 1).float(), target, reduction="none")
        return (each * weight.flatten()).sum() / weight.sum()

    return mean(logits, 1, one), mean(ahead, 2, two), counts


def balance(net, counts):
    """DeepSeek's balancing: biases of busy experts down, of idle ones up."""
    for moe, count in zip(net.moes(), counts.float()):
        moe.bias += BIAS_STEP * torch.sign(count.mean() - count)
        moe.bias -= moe.bias.mean()


def optimizer_of(net, rate):
    matrices = [p for p in net.parameters() if p.dim() > 1]
    vectors = [p for p in net.parameters() if p.dim() == 1]
    return torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.05}, {"params": vectors, "weight_decay": 0.0}],
        lr=rate,
        betas=(0.9, 0.95),
        eps=1e-9,
    )


def save(path, net, optimizer, step):
    state = {"model": net.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
    torch.save(state, path + ".new")
    os.replace(path + ".new", path)


def main():
    opt = options()
    torch.set_num_threads(opt.threads)
    torch.manual_seed(opt.seed)
    os.makedirs(opt.out, exist_ok=True)
    path = os.path.join(opt.out, "last.pt")
    net = nano.Nano(opt.seed)
    optimizer = optimizer_of(net, opt.rate)
    data = batches.Batches(opt.seed, opt.rows)
    begin = 0
    if os.path.exists(path):
        state = torch.load(path)
        net.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        begin = state["step"]
        for _ in range(begin):
            data.next()
    run = torch.compile(losses, dynamic=False) if opt.compile else losses
    print("parameters", sum(p.numel() for p in net.parameters()), flush=True)
    started, seen = time.time(), 0
    for step in range(begin, opt.steps):
        fp8 = step >= opt.steps * 9 // 10
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, opt.steps, opt.rate)
        inputs = tensors(data.next())
        main_loss, mtp_loss, counts = run(net, *inputs, fp8)
        optimizer.zero_grad(set_to_none=True)
        (main_loss + MTP_WEIGHT * mtp_loss).backward()
        norm = torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        if step < opt.steps * 19 // 20:
            balance(net, counts)
        seen += inputs[0].numel()
        if step % 25 == 0 or step == begin + 4:
            load = (counts.max(1).values / counts.float().mean(1)).tolist()
            print(
                f"step {step} loss {main_loss.item():.4f} mtp {mtp_loss.item():.4f}"
                f" norm {norm.item():.2f} busiest {max(load):.2f}"
                f" tokens/s {seen / (time.time() - started):.0f}",
                flush=True,
            )
            started, seen = time.time(), 0
        if (step + 1) % opt.save == 0 or step + 1 == opt.steps:
            save(path, net, optimizer, step + 1)
        if (step + 1) % opt.check == 0:
            print("check", step + 1, evaluate.line(net, 20, fp8), flush=True)
    save(os.path.join(opt.out, "final.pt"), net, optimizer, opt.steps)


if __name__ == "__main__":
    main()
