"""The texts on which token ids are compared with Hugging Face tokenizers.

Seeded: every run writes the same texts. Each is a mixture of one kind, short
enough that the whole corpus stays a small file.
"""

import random

ENGLISH = """The engine owns time; the model is pure. A token travels to its
experts and back. Don't worry, we've seen it before: they'd, I'll, you're,
it's, 'twas. Mr. O'Neill paid $3.50 (about 3,20 euros) for "fish & chips" at
12:45 p.m. on 4/7/2021! Naive cafes, co-operation, e-mail, state-of-the-art.
WHO, NASA and the U.S.A. met in 1984; version 2.0.1-rc3 was tagged v2_0_1.
Is 0.1 + 0.2 == 0.3? No... it is 0.30000000000000004, see IEEE-754-2008.
Send it to someone@example.org or https://example.org/a/b?c=d&e=f#g .""".split()

CHINESE = """今天天气很好，我们去公园散步吧。模型把每个词送到专家那里，再把结果取回来。
价格是１２３元（约合20美元）。“你好！”他说：“请问图书馆在哪里？” 二〇二四年十月十日
中華人民共和國與臺灣使用不同的字體。人工智能、机器学习、深度学习……龥龦㐀㐁𠀀𠀁
请解释一下Transformer模型的self-attention机制，并给出Python代码示例。""".split()

JAPANESE = """今日はいい天気ですね。コーヒーを一杯お願いします。東京タワーの高さは333メートルです。
がぎぐげご ガギグゲゴ か\u3099き\u3099 ﾊﾝｶｸｶﾀｶﾅ ヴァイオリン ー゛゜ヽヾゝゞ・ 〇 々 〆
「吾輩は猫である。」名前はまだ無い。どこで生れたかとんと見当がつかぬ。ラーメン🍜を食べた！""".split()

OTHER = """Привет, мир! Съешь же ещё этих мягких французских булок. Γειά σου Κόσμε
مرحبا بالعالم ١٢٣٤٥ שלום עולם नमस्ते दुनिया १२३ สวัสดีชาวโลก ๑๒๓ 안녕하세요 세계
Zażółć gęślą jaźń Příliš žluťoučký kůň Größe Straße naïveté œuvre ﬁnale İstanbul
ខ្ញុំ བོད་ སිංහල தமிழ் ქართული Հայերեն አማርኛ ᏣᎳᎩ ⵜⴰⵎⴰⵣⵉⵖⵜ""".split()

CODE = [
    "def f(x):\n    return x ** 2  # square\n\n",
    "for (int i = 0; i < n; ++i) {\n\tsum += a[i]*b[i];\n}\n",
    'std::cout << "Hello, world!\\n" << std::endl;\r\n',
    "if (!ok) { return absl::InvalidArgumentError(\"bad\"); }\n",
    "SELECT id, name FROM users WHERE age >= 18 ORDER BY name DESC;\n",
    "const g = async ({a, b}) => await fetch(`/api/${a}?b=${b}`);\n",
    '{"name": "shoal", "version": [1, 2, 3], "null": null}\n',
    "<div class=\"x\">&nbsp;</div>\n<!-- comment -->\n",
    "#include <vector>\n#define MAX(a,b) ((a)>(b)?(a):(b))\n",
    "x = 0xDEADBEEF; y = 1e-9; z = 1_000_000; w = .5\n",
    "git commit -m 'fix: off-by-one' && git push --force-with-lease\n",
    "\\frac{a}{b} = \\sum_{i=1}^{n} x_i^2 \\le \\infty\n",
]

EMOJI = ["😀", "👍🏽", "👩‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪🇯🇵", "❤️", "☃", "✌🏿", "🤷‍♀️", "🫠",
         "©", "™", "→", "∑", "√2", "½", "Ⅻ", "①②", "₿", "☎️", "🀄", "𝔘𝔫𝔦", "𝟘𝟙𝟚"]

MARKS = ["e\u0301", "a\u0300\u0323", "o\u0308", "n\u0303", "\u0301", "\u0301\u0302x",
         "q\u0307\u0323", "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L", "\u20dd1", "क\u094d", "\u200d", "\u200b", "\ufeff"]

SPACES = [" ", "  ", "   ", "\t", "\n", "\r\n", "\r", "\n\n", " \n", "\n ", "\u00a0",
          "\u3000", "\u2003", "\u0085", "\u2028", "\x0b", "\x0c", "\t\t", "    ", "        "]

# Markers that stay text: the ids are those of an encoding without added tokens.
FORGED = ["<｜User｜>", "<｜Assistant｜>", "<think>", "</think>", "<｜end▁of▁sentence｜>",
          "<｜tool▁calls▁begin｜>", "<|EOT|>", "｜", "▁", "<｜"]


def words(rng, source, n):
    return " ".join(rng.choice(source) for _ in range(n))


def digits(rng, n):
    return "".join(rng.choice("0123456789") for _ in range(n))


def digit_runs(rng):
    parts = []
    for _ in range(rng.randint(3, 10)):
        parts.append(digits(rng, rng.randint(1, 17)))
        parts.append(rng.choice(["", " ", ",", ".", "-", "a", "年", "٣", "½", "\n", "e"]))
    return "".join(parts)


def space_runs(rng):
    parts = []
    for _ in range(rng.randint(4, 14)):
        parts.extend(rng.choice(SPACES) for _ in range(rng.randint(1, 5)))
        parts.append(rng.choice(["a", "Word", "7", ".", "»", "漢", "\x01", "é", ""]))
    return "".join(parts)


def soup(rng):
    pools = [ENGLISH, CHINESE, JAPANESE, OTHER, CODE, EMOJI, MARKS, SPACES, FORGED]
    return "".join(rng.choice(rng.choice(pools)) for _ in range(rng.randint(2, 20)))


def any_code_points(rng):
    """Anything Unicode allows, unassigned and control characters included."""
    blocks = [(0x00, 0x7F), (0x80, 0x2FF), (0x300, 0x36F), (0x2000, 0x2BFF),
              (0x3000, 0x30FF), (0x4E00, 0x9FFF), (0xA000, 0xD7FF),
              (0xE000, 0xFFFF), (0x10000, 0x1FFFF), (0x20000, 0x10FFFF)]
    chars = []
    for _ in range(rng.randint(1, 40)):
        low, high = rng.choice(blocks)
        chars.append(chr(rng.randint(low, high)))
    return "".join(chars)


KINDS = {
    "english": lambda rng: words(rng, ENGLISH, rng.randint(5, 60)),
    "chinese": lambda rng: "".join(rng.choice(CHINESE) for _ in range(rng.randint(1, 4))),
    "japanese": lambda rng: "".join(rng.choice(JAPANESE) for _ in range(rng.randint(1, 5))),
    "other": lambda rng: words(rng, OTHER, rng.randint(2, 15)),
    "code": lambda rng: "".join(rng.choice(CODE) for _ in range(rng.randint(1, 5))),
    "emoji": lambda rng: "".join(rng.choice(EMOJI + [" ", "a"]) for _ in range(rng.randint(2, 15))),
    "marks": lambda rng: "".join(rng.choice(MARKS + [" ", "b", "1", "."])
                                 for _ in range(rng.randint(2, 15))),
    "digits": digit_runs,
    "spaces": space_runs,
    "soup": soup,
    "any": any_code_points,
}

FIXED = ["", " ", "\n", "a", "  a", "a  ", "a \n ", " \n\n  x", "1234567", "\u0301", "x" * 600,
         "=" * 300, " " * 257 + "y", "\n" * 100, "的" * 200, "é" * 130, "ab" * 150 + "!" * 90]


def texts(seed=20250607, per_kind=45):
    """Yields (kind, text)."""
    rng = random.Random(seed)
    for text in FIXED:
        yield "fixed", text
    for kind, make in KINDS.items():
        for _ in range(per_kind):
            yield kind, make(rng)
