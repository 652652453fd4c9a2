"""Every step of every written working is re-checked by plain arithmetic."""

import itertools
import re
import unittest

import task
import working


def check_columns(test, text, rows):
    """Columns " a1+2+0=03": digits from rows (texts), carries, sums. Returns
    the digits written, highest first, with the last carry in front."""
    steps = re.findall(r' ([a-h])((?:\d\+)+\d)=(\d\d)', text)
    carry, out = 0, ''
    for i, (label, terms, total) in enumerate(steps):
        test.assertEqual(label, 'abcdefgh'[i])
        *digits, brought = map(int, terms.split('+'))
        test.assertEqual(digits, [int(r[::-1][i]) if i < len(r) else 0 for r in rows])
        test.assertEqual(brought, carry)
        test.assertEqual(sum(digits) + carry, int(total))
        carry, out = int(total) // 10, str(int(total) % 10) + out
    test.assertEqual(len(steps), max(map(len, rows)))
    return f'{carry}{out}'


def check_add(test, text):
    a, b, rest, value = re.fullmatch(r'(\d+)\+(\d+):(.*) so (\d+)', text).groups()
    test.assertEqual(int(check_columns(test, rest, [a, b])), int(a) + int(b))
    test.assertEqual(int(value), int(a) + int(b))
    return int(value)


def check_comparison(test, text, a, b):
    """" 3=3 digits c3-5<0": lengths, then digits from the top to the first that differs."""
    true = {'<': int.__lt__, '=': int.__eq__, '>': int.__gt__}
    lengths, places = text.strip().split(' digits')
    x, sign, y = lengths
    test.assertEqual((int(x), int(y)), (len(a), len(b)))
    test.assertTrue(true[sign](len(a), len(b)))
    signs = [sign]
    for i, place in enumerate(places.split()):
        label, x, y, sign = re.fullmatch(r'([a-f])(\d)-(\d)([<=>])0', place).groups()
        test.assertEqual((label, x, y), ('abcdef'[len(a) - 1 - i], a[i], b[i]))
        test.assertTrue(true[sign](int(x) - int(y), 0), text)
        signs.append(sign)
    test.assertTrue(all(s == '=' for s in signs[:-1]))
    difference = int(a) - int(b)
    test.assertEqual(signs[-1], '<' if difference < 0 else '>' if difference else '=')


def check_borrows(test, text, high, low):
    """ " a3-5-0=8-10": digits, borrow brought, difference. Returns the digits written."""
    steps = re.findall(r' ([a-h])(\d)-(\d)-(\d)=(\d)(-10)?(?= )', text)
    borrow, out = 0, ''
    for i, (label, x, y, brought, digit, lent) in enumerate(steps):
        test.assertEqual(label, 'abcdefgh'[i])
        test.assertEqual(x, high[::-1][i])
        test.assertEqual(y, low[::-1][i] if i < len(low) else '0')
        test.assertEqual(int(brought), borrow)
        test.assertEqual(int(x) - int(y) - borrow, int(digit) - (10 if lent else 0))
        borrow, out = int(bool(lent)), digit + out
    test.assertEqual((borrow, len(steps)), (0, len(high)))
    return out


def check_subtract(test, text):
    first, *second = text.split('\n')
    a, b, comparison = re.match(r'(\d+)-(\d+):(.*?)(?: so 0)?$', first).groups()
    check_comparison(test, comparison, a, b)
    if not second:
        test.assertEqual(a, b)
        test.assertTrue(text.endswith(' so 0'))
        return 0
    sign, high, low, steps, raw, value = re.fullmatch(
        r'(-?)\(?(\d+)-(\d+)\)?:(.*) =(\d+) so (-?\d+)', second[0]
    ).groups()
    test.assertEqual(check_borrows(test, steps + ' ', high, low), raw)
    test.assertEqual({high, low}, {a, b})
    test.assertEqual(int(sign + raw), int(a) - int(b))
    test.assertEqual(value, str(int(a) - int(b)))
    return int(value)


def check_multiply(test, text):
    body, value = text.rsplit(' so ', 1)
    (a, b), lines = body.split('\n')[0].split('*'), body.split('\n')[1:]
    rows = []
    for place, digit in enumerate(reversed(b)):
        header, steps, row = re.fullmatch(r'(\*[a-c]\d):(.*) =(\d+)', lines.pop(0)).groups()
        test.assertEqual(header, f'*{"abc"[place]}{digit}')
        carry = 0
        found = re.findall(r' ([a-h])(\d)\*(\d)\+(\d)=(\d\d)', steps)
        for i, (label, x, y, brought, total) in enumerate(found):
            test.assertEqual((label, x, y), ('abcdefgh'[i], a[::-1][i], digit))
            test.assertEqual(int(brought), carry)
            test.assertEqual(int(x) * int(y) + carry, int(total))
            carry = int(total) // 10
        test.assertEqual(len(found), len(a))
        test.assertEqual(int(row[::-1]), int(a) * int(digit) * 10**place)
        rows.append(row[::-1])
    if len(rows) > 1:
        test.assertTrue(lines[0].startswith('+:'))
        test.assertEqual(int(check_columns(test, lines.pop(0), rows)), int(value))
    test.assertEqual(lines, [])
    test.assertEqual(value, str(int(a) * int(b)))
    return int(value)


def check_divide(test, text):
    a, b, steps, digits, q, r = re.fullmatch(
        r'(\d+)/(\d+):(.*) =((?: [a-h]\d)+) so (\d+) remainder (\d+)', text
    ).groups()
    b, rest, found = int(b), 0, ''
    for i, step in enumerate(re.findall(r' [a-h]\d{3}/[^a-h]*(?= |$)', steps)):
        label, part, divisor, trials = re.match(r' ([a-h])(\d{3})/(\d\d)=(.*)', step).groups()
        test.assertEqual(int(divisor), b)
        test.assertEqual(label, 'abcdefgh'[i])
        test.assertEqual(int(part), rest * 10 + int(a[i]))
        *failed, good = trials.split('>')
        for trial in failed:
            digit, multiple, left = re.fullmatch(r'(\d):(\d{3})(?: (\d{3}))?', trial).groups()
            test.assertEqual(int(multiple), int(digit) * b)
            if left is None:
                test.assertGreater(int(multiple), int(part))
            else:
                test.assertEqual(int(left), int(part) - int(multiple))
                test.assertGreaterEqual(int(left), b)
        digit, multiple, left = re.fullmatch(r'(\d):(\d{3}) (\d{3})', good).groups()
        test.assertEqual(int(multiple), int(digit) * b)
        test.assertEqual(int(left), int(part) - int(multiple))
        test.assertLess(int(left), b)
        rest, found = int(left), found + digit
    test.assertEqual(''.join(f' {x}{y}' for x, y in zip('abcdefgh', found)), digits)
    test.assertEqual((int(q), int(r)), divmod(int(a), b))
    return int(q), int(r)


class WorkingTest(unittest.TestCase):

    def test_bare_operations(self):
        checks = {'add': check_add, 'sub': check_subtract, 'mul': check_multiply,
                  'div': check_divide}
        for stream in (task.training_stream('working'), task.held_out_stream('working')):
            for problem in itertools.islice(stream, 2000):
                if problem.kind not in checks:
                    continue
                value = checks[problem.kind](self, problem.reasoning)
                self.assertEqual(problem.answer, f'{value[0]} remainder {value[1]}'
                                 if problem.kind == 'div' else str(value))

    def test_some_divisions_show_a_failed_trial(self):
        stream = task.training_stream('trials')
        texts = [p.reasoning for p in itertools.islice(stream, 1000) if p.kind == 'div']
        self.assertTrue(any('>' in t for t in texts))

    def test_word_problems(self):
        for problem in itertools.islice(task.held_out_stream('words', 'word'), 700):
            start, *steps = problem.operands
            value, checks = start, []
            for step in steps:
                op, x = step[0], int(step[1:])
                value = value + x if op == '+' else value - x if op == '-' else value * x
                self.assertTrue(0 <= value <= 9999)
                checks.append({'+': check_add, '-': check_subtract, '*': check_multiply}[op])
            routines = re.split(r'(?<=so )(\d+)(?:\n|$)', problem.reasoning)
            texts = [t + v for t, v in zip(routines[::2], routines[1::2])]
            self.assertEqual(len(texts), len(checks))
            for text, check in zip(texts, checks):
                last = check(self, text)
            self.assertEqual(problem.answer, f'The answer is {value}.')
            self.assertEqual(last, value)

    def test_a_wrong_step_is_found(self):
        text, _ = working.add(347, 589)
        with self.assertRaises(AssertionError):
            check_add(self, text.replace('a7+9+0=16', 'a7+9+0=15'))
        text, _ = working.subtract(12, 47)
        with self.assertRaises(AssertionError):
            check_subtract(self, text.replace('b1-4<0', 'b1-4>0'))
        text, _ = working.multiply(8312, 467)
        with self.assertRaises(AssertionError):
            check_multiply(self, text.replace('d8*7+2=58', 'd8*7+2=56'))
        text, _ = working.divide(98765, 43)
        with self.assertRaises(AssertionError):
            check_divide(self, text.replace('2:086', '2:085'))

    def test_corners(self):
        for a, b in itertools.product((0, 1, 9, 10, 99, 100, 999999), repeat=2):
            self.assertEqual(check_add(self, working.add(a, b)[0]), a + b)
            self.assertEqual(check_subtract(self, working.subtract(a, b)[0]), a - b)
            if b in range(1, 100):
                self.assertEqual(check_divide(self, working.divide(a, b)[0]), divmod(a, b))
        for a, b in itertools.product((0, 5, 10, 9999), (0, 7, 100, 999)):
            self.assertEqual(check_multiply(self, working.multiply(a, b)[0]), a * b)


if __name__ == '__main__':
    unittest.main()
