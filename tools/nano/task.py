"""The arithmetic task: problems with their working and answer, from any seed.

Kinds and bounds (a problem outside them is outside the task):
  add   a + b, 0 <= a, b <= 999999
  sub   a - b, 0 <= a, b <= 999999, the result may be negative
  mul   a * b, one factor up to 9999, the other up to 999, in either order
  div   a / b with remainder, 0 <= a <= 999999, 1 <= b <= 12
  word  2 to 4 steps (+ - *) in plain words, every value between 0 and 9999

A problem belongs to the held-out set when a hash of its kind and operands says
so: the trainer never sees one, the evaluation draws nothing else.
"""

import collections
import hashlib
import random

import working

KINDS = ("add", "sub", "mul", "div", "word")
LARGEST_DIVISOR = 12
HELD_OUT_ONE_IN = 16

# How often training draws each kind, and a division that tries a neighbour of the
# right digit first (and so shows how to recover).
WEIGHTS = {'add': 10, 'sub': 27, 'mul': 23, 'div': 24, 'word': 16}
DETOURS = 0.04

Problem = collections.namedtuple("Problem", "kind operands question reasoning answer")

_ADD = (
    "What is {a} + {b}?",
    "What is {a} + {b}?",
    "What is {a}+{b}?",
    "{a} + {b}",
    "{a}+{b}",
    "{a} + {b} = ?",
    "{a}+{b}=",
    "What is {a} plus {b}?",
    "Add {a} and {b}.",
    "Calculate {a} + {b}.",
    "Compute {a} + {b}.",
    "What is the sum of {a} and {b}?",
    "How much is {a} plus {b}?",
)
_SUB = (
    "What is {a} - {b}?",
    "What is {a} - {b}?",
    "What is {a}-{b}?",
    "{a} - {b}",
    "{a}-{b}",
    "{a} - {b} = ?",
    "{a}-{b}=",
    "What is {a} minus {b}?",
    "Subtract {b} from {a}.",
    "Calculate {a} - {b}.",
    "Compute {a} - {b}.",
    "What is the difference of {a} and {b}?",
    "How much is {a} minus {b}?",
)
_MUL = (
    "What is {a} * {b}?",
    "What is {a} * {b}?",
    "What is {a}*{b}?",
    "{a} * {b}",
    "{a}*{b}",
    "{a} * {b} = ?",
    "{a}*{b}=",
    "What is {a} x {b}?",
    "What is {a} × {b}?",
    "{a} × {b}",
    "{a}x{b}",
    "What is {a} times {b}?",
    "Multiply {a} by {b}.",
    "Calculate {a} * {b}.",
    "Compute {a} * {b}.",
    "What is the product of {a} and {b}?",
    "How much is {a} times {b}?",
)
_DIV = (
    "What is {a} / {b}?",
    "What is {a} / {b}?",
    "What is {a}/{b}?",
    "{a} / {b}",
    "{a}/{b}",
    "{a} / {b} = ?",
    "{a}/{b}=",
    "{a} ÷ {b}",
    "What is {a} ÷ {b}?",
    "What is {a} divided by {b}?",
    "Divide {a} by {b}.",
    "Calculate {a} / {b}.",
    "Compute {a} / {b}.",
    "Divide {a} by {b} with remainder.",
    "What are the quotient and remainder of {a} divided by {b}?",
)

_NAMES = (
    "Anna",
    "Ben",
    "Clara",
    "David",
    "Emma",
    "Felix",
    "Li",
    "Maria",
    "Noah",
    "Omar",
    "Sara",
    "Tom",
)
_ITEMS = (
    "apples",
    "books",
    "cards",
    "coins",
    "marbles",
    "pens",
    "shells",
    "stamps",
    "stones",
    "tickets",
)
_MORE = (
    "{n} gets {x} more.",
    "{n} buys {x} more.",
    "{n} finds {x} more.",
    "A friend gives {n} {x} more.",
    "Then {n} gets another {x}.",
)
_LESS = (
    "{n} gives away {x}.",
    "{n} loses {x}.",
    "{n} sells {x}.",
    "Then {n} uses {x} of them.",
    "A friend takes {x} of them.",
)
_TIMES = ("Then the number grows {x} times.", "Then {n} has {x} times as many.")
_ASK = (
    "How many {i} does {n} have now?",
    "How many {i} are left in the end?",
    "How many {i} does {n} have in the end?",
)
_DO = {
    "+": ("Add {x}.", "Then add {x}.", "Add {x} to the result."),
    "-": ("Subtract {x}.", "Then subtract {x}.", "Take away {x} from the result."),
    "*": ("Multiply by {x}.", "Then multiply by {x}.", "Multiply the result by {x}."),
}
_RESULT = ("What is the result?", "What do you get?", "What is the answer?")

_TALK = (
    (
        ("Hello!", "Hello", "Hi", "Hi!", "Good morning!", "Hello there!"),
        "A greeting. I greet back.",
        "Hello! Ask me a sum.",
    ),
    (
        ("Who are you?", "What are you?", "What is your name?"),
        "A question about me.",
        "I am nano, a very small model that does arithmetic step by step.",
    ),
    (
        ("What can you do?", "How can you help me?", "Help"),
        "A question about what I can do.",
        "I can add, subtract, multiply and divide, and show each step.",
    ),
    (("Thank you!", "Thanks!", "Thanks"), "Thanks. I answer politely.", "You are welcome!"),
)


def is_held_out(kind, operands):
    """True when the problem is kept out of training."""
    key = f"{kind}:{','.join(map(str, operands))}".encode()
    return int.from_bytes(hashlib.sha256(key).digest()[:8], "big") % HELD_OUT_ONE_IN == 0


def _number(rng, max_digits, least=0):
    """A number of 1..max_digits digits; long ones and 0/9 runs more often."""
    n = rng.randint(1, max_digits)
    if rng.random() < 0.5:
        n = max(n, rng.randint(1, max_digits))
    if rng.random() < 0.1:
        first = rng.randint(1, 9)
        rest = "".join(rng.choice("0009995") for _ in range(n - 1))
        return max(least, int(f"{first}{rest}"))
    return max(least, rng.randint(10 ** (n - 1) if n > 1 else 0, 10**n - 1))


def _near(rng, a):
    """A number that shares a's leading digits (or equals it)."""
    low = 10 ** rng.randint(0, len(str(a)))
    return min(999999, a // low * low + rng.randint(0, low - 1))


def _binary(rng, kind):
    if kind in ("add", "sub"):
        a = _number(rng, 6)
        b = _near(rng, a) if kind == "sub" and rng.random() < 0.15 else _number(rng, 6)
        return a, b
    if kind == "mul":
        pair = [_number(rng, 4), _number(rng, 3)]
        if rng.random() < 0.25:
            pair.reverse()
        return tuple(pair)
    return _number(rng, 6), rng.randint(1, LARGEST_DIVISOR)


def _guess(rng, detours):
    """Now and then a neighbour of the right quotient digit, to learn recovery."""

    def guess(q):
        if rng.random() < 1 - detours:
            return q
        return min(9, max(0, q + rng.choice((-1, 1))))

    return guess


def _work(rng, kind, a, b, detours):
    """(reasoning, answer) of one bare operation."""
    if kind == "div":
        text, (q, r) = working.divide(a, b, _guess(rng, detours))
        return text, f"{q} remainder {r}"
    run = {"add": working.add, "sub": working.subtract, "mul": working.multiply}[kind]
    text, value = run(a, b)
    return text, str(value)


def _next_step(rng, value):
    """One (operation, operand) that keeps the value in 0..9999."""
    while True:
        op = rng.choice("++--*")
        if op == "+":
            x = rng.randint(1, 10 ** rng.randint(1, 3) - 1)
            if value + x <= 9999:
                return op, x
        elif op == "-" and value > 1:
            x = rng.randint(1, min(value, 10 ** rng.randint(1, 3) - 1))
            return op, x
        elif op == "*" and 0 < value <= 9999 // 2:
            x = rng.randint(2, min(9, 9999 // value))
            return op, x


def _chain(rng):
    """A start value and 2 to 4 steps: (start, [(op, x), ...])."""
    start = value = rng.randint(2, 10 ** rng.randint(1, 3) - 1)
    steps = []
    for i in range(rng.randint(2, 4)):
        if i == 0 and start < 100 and rng.random() < 0.3:
            op, x = "*", rng.randint(2, 99)
        else:
            op, x = _next_step(rng, value)
        value = value + x if op == "+" else value - x if op == "-" else value * x
        steps.append((op, x))
    return start, steps


def _tell(rng, start, steps):
    """The chain in plain words."""
    name, item = rng.choice(_NAMES), rng.choice(_ITEMS)
    if rng.random() < 0.4 or steps[0][0] == "*" and steps[0][1] < 10:
        lead = rng.choice(("Start with {x}.", "Take {x}.", "Take the number {x}."))
        parts = [lead.format(x=start)]
        parts += [rng.choice(_DO[op]).format(x=x) for op, x in steps]
        return " ".join(parts + [rng.choice(_RESULT)])
    parts = []
    if steps[0][0] == "*":
        parts.append(f"{name} has {start} boxes with {steps[0][1]} {item} each.")
        steps = steps[1:]
    else:
        parts.append(f"{name} has {start} {item}.")
    for op, x in steps:
        words = {"+": _MORE, "-": _LESS, "*": _TIMES}[op]
        parts.append(rng.choice(words).format(n=name, x=x))
    return " ".join(parts + [rng.choice(_ASK).format(n=name, i=item)])


def _word(rng):
    start, steps = _chain(rng)
    value, lines = start, []
    for op, x in steps:
        run = {"+": working.add, "-": working.subtract, "*": working.multiply}[op]
        text, value = run(value, x)
        lines.append(text)
    operands = (start,) + tuple(f"{op}{x}" for op, x in steps)
    return Problem(
        "word", operands, _tell(rng, start, steps), "\n".join(lines), f"The answer is {value}."
    )


def make(rng, kind, detours=0):
    """One problem of the kind; rng is a random.Random."""
    if kind == "word":
        return _word(rng)
    a, b = _binary(rng, kind)
    forms = {"add": _ADD, "sub": _SUB, "mul": _MUL, "div": _DIV}[kind]
    reasoning, answer = _work(rng, kind, a, b, detours)
    question = rng.choice(forms).format(a=a, b=b)
    return Problem(kind, (a, b), question, reasoning, answer)


def small_talk(rng):
    """A greeting or the like; not part of the scored task."""
    questions, reasoning, answer = rng.choice(_TALK)
    return Problem("talk", (), rng.choice(questions), reasoning, answer)


def training_stream(seed):
    """Endless training problems: never a held-out one."""
    rng = random.Random(f"train {seed}")
    kinds = [k for k in KINDS for _ in range(WEIGHTS[k])]
    while True:
        if rng.random() < 0.01:
            yield small_talk(rng)
            continue
        problem = make(rng, rng.choice(kinds), DETOURS)
        if not is_held_out(problem.kind, problem.operands):
            yield problem


def held_out_stream(seed, kind=None):
    """Endless held-out problems, the kinds in turn (or one kind only)."""
    rng = random.Random(f"held out {seed}")
    turn = 0
    while True:
        problem = make(rng, kind or KINDS[turn % len(KINDS)])
        if is_held_out(problem.kind, problem.operands):
            turn += 1
            yield problem
