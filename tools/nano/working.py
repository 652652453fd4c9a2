"""The written working: every kind of sum spelt out digit by digit.

Each function returns (text, value). The text is what the model writes between
<think> and </think>; a reader can check every line of it by hand:

* places are lettered from the units: a is units, b tens, c hundreds ...;
* a carry is the tens digit of the step before; a borrow is a "-10" after it;
* each working ends with " so VALUE".

Nothing here knows about questions, models or tokens.
"""

PLACES = "abcdefgh"


def _digits(value):
    """The decimal digits of value >= 0, units first."""
    return [int(d) for d in reversed(str(value))]


def _place(digits, i):
    return digits[i] if i < len(digits) else 0


def _columns(rows, width):
    """Adds rows (digit lists, units first) column by column, carries written."""
    text, carry = "", 0
    for i in range(width):
        column = [_place(row, i) for row in rows] + [carry]
        total = sum(column)
        text += f" {PLACES[i]}{'+'.join(map(str, column))}={total:02d}"
        carry = total // 10
    return text


def add(a, b):
    """a + b for a, b >= 0."""
    rows = [_digits(a), _digits(b)]
    value = a + b
    width = max(len(rows[0]), len(rows[1]))
    return f"{a}+{b}:{_columns(rows, width)} so {value}", value


def _compare(a, b):
    """Which is larger: first the lengths, then digit by digit from the top."""
    x, y = _digits(a), _digits(b)
    if len(x) != len(y):
        return f" {len(x)}{'<' if len(x) < len(y) else '>'}{len(y)} digits"
    text = f" {len(x)}={len(y)} digits"
    for i in reversed(range(len(x))):
        sign = "=" if x[i] == y[i] else "<" if x[i] < y[i] else ">"
        text += f" {PLACES[i]}{x[i]}-{y[i]}{sign}0"
        if sign != "=":
            break
    return text


def subtract(a, b):
    """a - b for a, b >= 0: compare, take the smaller from the larger, sign."""
    text = f"{a}-{b}:{_compare(a, b)}"
    value = a - b
    if value == 0:
        return text + " so 0", 0
    high, low = max(a, b), min(a, b)
    text += f"\n{high}-{low}:" if value > 0 else f"\n-({high}-{low}):"
    x, y = _digits(high), _digits(low)
    borrow, raw = 0, ""
    for i, digit in enumerate(x):
        rest = digit - _place(y, i) - borrow
        text += f" {PLACES[i]}{digit}-{_place(y, i)}-{borrow}={rest % 10}"
        raw = str(rest % 10) + raw
        borrow = 1 if rest < 0 else 0
        if borrow:
            text += "-10"
    return f"{text} ={raw} so {value}", value


def multiply(a, b):
    """a * b: one row per digit of the shorter, rows units first, then summed."""
    if len(str(b)) > len(str(a)):
        a, b = b, a
    value = a * b
    text = f"{a}*{b}"
    rows = []
    for j, y in enumerate(_digits(b)):
        text += f"\n*{PLACES[j]}{y}:"
        carry, row = 0, [0] * j
        for i, x in enumerate(_digits(a)):
            total = x * y + carry
            text += f" {PLACES[i]}{x}*{y}+{carry}={total:02d}"
            row.append(total % 10)
            carry = total // 10
        row.append(carry)
        rows.append(row)
        text += " =" + "".join(map(str, row))
    if len(rows) > 1:
        text += "\n+:" + _columns(rows, len(rows[-1]))
    return f"{text} so {value}", value


def divide(a, b, guess=None):
    """a / b with remainder, 1 <= b <= 99: long division by trial multiples.

    A step reads "PART/DIVISOR=Q:MULTIPLE REST". guess(q) may return a neighbour of the
    right digit q: the working then shows the trial fail (">") and the next one.
    Returns (text, (quotient, remainder)).
    """
    text = f"{a}/{b}:"
    rest, quotient = 0, ""
    for i, digit in enumerate(str(a)):
        part = rest * 10 + int(digit)
        q = part // b
        trial = guess(q) if guess else q
        text += f" {PLACES[i]}{part:03d}/{b:02d}="
        if trial > q:
            text += f"{trial}:{trial * b:03d}>"
        elif trial < q:
            text += f"{trial}:{trial * b:03d} {part - trial * b:03d}>"
        rest = part - q * b
        text += f"{q}:{q * b:03d} {rest:03d}"
        quotient += f" {PLACES[i]}{q}"
    value = divmod(a, b)
    return f"{text} ={quotient} so {value[0]} remainder {value[1]}", value
