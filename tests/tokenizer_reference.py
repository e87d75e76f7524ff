#!/usr/bin/env python3
"""Compares our WordPiece pieces with the reference tokenizer (PyPI `tokenizers`) on many varied texts.

    third_party/reference/bin/python tests/tokenizer_reference.py [build/dev/tests/tokenize_lines]   # compare
    third_party/reference/bin/python tests/tokenizer_reference.py --golden > tests/data/wordpiece_golden.txt

The first form feeds the program one text a line (hexadecimal bytes) and compares every line of numbers; it exits 1 on
the first differences and names them. Texts are generated from a fixed seed: every code point once, words of the
vocabulary in many spellings, scripts, emoji, marks, control characters, malformed UTF-8, empty and very long texts.
The second form writes a small sample with the reference's answers, which the unit test reads.
"""
import os
import random
import subprocess
import sys
import time
import unicodedata

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VOCABULARY = os.path.join(os.environ.get("BREVET_THIRD_PARTY", os.path.join(ROOT, "third_party")), "minilm", "vocab.txt")
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def reference():
    with open(VOCABULARY, encoding="utf-8") as lines:
        vocabulary = {line.rstrip("\n"): number for number, line in enumerate(lines)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")])
    tokenizer.add_special_tokens(SPECIALS)
    return tokenizer, list(vocabulary)


SENTENCES = [
    "What is the capital of Burkina Faso, and how many people live there?",
    "Write a function `is_prime(n: int) -> bool` in Python; don't use sympy.",
    "Łódź, Kraków i Gdańsk — które miasto jest największe?",
    "Où est-ce qu'on peut acheter des œufs à 3,50 € près d'ici ?",
    "ΟΔΥΣΣΕΥΣ ὁ πολύτροπος· τίς ἦν;",
    "Почему небо голубое? Объясни ребёнку, пожалуйста.",
    "भारत की राजधानी क्या है? कृपया हिन्दी में उत्तर दें।",
    "ما هي عاصمة المغرب؟ أجب بِالتَّشْكِيلِ.",
    "מהי בירת ישראל? שָׁלוֹם",
    "日本の首都はどこですか。カタカナで答えてください。ﾊﾝｶｸ",
    "请用中文回答:1+1等于几?「引号」",
    "대한민국의 수도는 어디입니까? 한글로 답하세요.",
    "ประเทศไทยมีกี่จังหวัด ช่วยอธิบาย",
    "Thủ đô của Việt Nam là gì? Trả lời bằng tiếng Việt.",
    "İstanbul'un nüfusu kaçtır? IĞDIR ığdır",
    "Σ x_i² ≤ ∫₀^∞ e^{-x} dx ⇒ ½ ⊕ ∅ ∈ ℝ",
    "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽 🇩🇪 5️⃣ ☕️ (ノಠ益ಠ)ノ彡┻━┻",
    "{\"a\": [1, 2.5e-3, null], \"b\": \"\\u00e9\\n\"} // JSON?",
    "if (x != 0) { y /= x; } else { return std::nullopt; }",
    "https://example.org/a/b?c=d&e=%20#frag user@example.org +49 (0)89 1234-567",
]


def generate(rng, vocabulary, count):
    """Yields `count` byte strings."""
    words = [w[2:] if w.startswith("##") else w for w in vocabulary]
    blocks = [(0x20, 0x7F), (0x80, 0x24F), (0x250, 0x2FF), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x52F), (0x530, 0x5FF),
              (0x600, 0x6FF), (0x700, 0x8FF), (0x900, 0xDFF), (0xE00, 0xFFF), (0x1000, 0x11FF), (0x1200, 0x17FF),
              (0x1800, 0x1AFF), (0x1B00, 0x1CFF), (0x1D00, 0x1FFF), (0x2000, 0x206F), (0x2070, 0x2BFF), (0x2C00, 0x2FFF),
              (0x3000, 0x30FF), (0x3100, 0x4DFF), (0x4E00, 0x9FFF), (0xA000, 0xABFF), (0xAC00, 0xD7FF), (0xE000, 0xF8FF),
              (0xF900, 0xFDFF), (0xFE00, 0xFFFF), (0x10000, 0x10FFF), (0x11000, 0x11FFF), (0x16F00, 0x18FFF),
              (0x1B000, 0x1BCFF), (0x1D000, 0x1D7FF), (0x1E000, 0x1EFFF), (0x1F000, 0x1FAFF), (0x20000, 0x2FFFF),
              (0xE0000, 0xE01FF), (0x100000, 0x10FFFF)]
    marks = [chr(c) for c in range(0x110000) if unicodedata.combining(chr(c))]

    def block_char():
        low, high = rng.choice(blocks)
        c = rng.randint(low, high)
        return chr(c) if not 0xD800 <= c <= 0xDFFF else "?"

    def spell(word):
        kind = rng.randrange(8)
        if kind == 0:
            return word.upper()
        if kind == 1:
            return word.capitalize()
        if kind == 2:
            return "".join(c + (rng.choice(marks) if rng.random() < 0.4 else "") for c in word)
        if kind == 3:
            return unicodedata.normalize(rng.choice(["NFC", "NFD", "NFKC", "NFKD"]), word)
        if kind == 4:
            return word + rng.choice(words)
        if kind == 5:
            return "".join(rng.choice([c, c.upper()]) for c in word)
        return word

    def text():
        kind = rng.randrange(12)
        if kind <= 2:
            gap = lambda: rng.choice([" ", " ", " ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u3000", "-", ", ", ". ", "'", "\u200b", "\u2028", "/"])
            return "".join(spell(rng.choice(words)) + gap() for _ in range(rng.randint(1, 40)))
        if kind == 3:
            return "".join(block_char() for _ in range(rng.randint(1, 60)))
        if kind == 4:
            low, high = rng.choice(blocks)
            return "".join(chr(c) if not 0xD800 <= c <= 0xDFFF else " " for c in (rng.randint(low, high) for _ in range(rng.randint(1, 60))))
        if kind == 5:
            return "".join(rng.choice(["a", "e", "o", "ק", "ᄀ", "ü", "中", "𝅗", " "]) + "".join(rng.choice(marks) for _ in range(rng.randint(0, 6))) for _ in range(rng.randint(1, 20)))
        if kind == 6:
            sentence = list(rng.choice(SENTENCES))
            for _ in range(rng.randint(0, 8)):
                at = rng.randrange(len(sentence) + 1)
                sentence[at:at + rng.randint(0, 2)] = block_char()
            return "".join(sentence)
        if kind == 7:
            return " ".join(rng.choice(SENTENCES + SPECIALS + ["[sep]", "[CLS", "[[MASK]]"]) for _ in range(rng.randint(1, 5)))
        if kind == 8:
            return rng.choice(["a", "é", "x1", "ab", "ß", "한", "ֿ", "Ⅷ"]) * rng.randint(95, 105) + rng.choice(["", " end", "."])
        if kind == 9:
            return "".join(chr(rng.choice([rng.randint(0, 31), 127, rng.randint(128, 159), 0xAD, 0x200D, 0xFEFF, 32, 97, 98])) for _ in range(rng.randint(1, 40)))
        if kind == 10:
            return "".join(rng.choice("()[]{}<>=+-*/%^&|!~.,;:'\"`#@$_\\?0123456789 abcXYZ") for _ in range(rng.randint(1, 120)))
        return rng.choice(SENTENCES) + " " + "".join(rng.choice(marks + ["\u0345", "\u0f71", "\u302e", "\U00016ff0"]) for _ in range(rng.randint(1, 12)))

    yield b""
    yield b" \t\r\n"
    for made in range(count - 2):
        encoded = bytearray(text().encode("utf-8", "surrogatepass"))
        if made % 5 == 0:  # malformed
            for _ in range(rng.randint(1, 6)):
                at = rng.randrange(len(encoded) + 1)
                encoded[at:at + rng.randint(0, 2)] = rng.choice(
                    [bytes([rng.randrange(256)]), b"\xed\xa0\x80", b"\xc0\xaf", b"\xe4\xb8", b"\xf0\x9f\x98", b"\xf5\x80\x80\x80", b"\xef\xbf\xbd"])
        yield bytes(encoded)


def every_code_point():
    """Each code point inside a word, 64 a text, and after a mark that may have to move."""
    for start in range(0, 0x110000, 64):
        chars = [chr(c) for c in range(start, start + 64) if not 0xD800 <= c <= 0xDFFF]
        if chars:
            yield " ".join(f"ab{c}cd" for c in chars).encode()
            yield " ".join(f"a\u302e{c}\U00016ff0b" for c in chars).encode()


def main():
    tokenizer, vocabulary = reference()
    answer = lambda text: tokenizer.encode(text.decode("utf-8", "replace")).ids
    if sys.argv[1:] == ["--golden"]:
        print("# hexadecimal bytes of a text, then the reference's numbers; made by tests/tokenizer_reference.py --golden")
        texts = [s.encode() for s in SENTENCES] + [t for t in generate(random.Random(7), vocabulary, 340) if len(t) < 220]
        for text in texts:
            print(text.hex() + "\t" + " ".join(map(str, answer(text))))
        return 0
    if len(sys.argv) > 2:
        print(__doc__, file=sys.stderr)
        return 2
    program = sys.argv[1] if len(sys.argv) == 2 else os.path.join(ROOT, "build", "dev", "tests", "tokenize_lines")
    texts = [s.encode() for s in SENTENCES] + list(generate(random.Random(20240607), vocabulary, 20000)) + list(every_code_point())
    texts.append(" ".join(SENTENCES * 400).encode())
    texts.append(("x" * 300000).encode())
    texts.append(("é\u0301 " * 100000).encode())
    started = time.time()
    ours = subprocess.run([program, VOCABULARY], input="".join(t.hex() + "\n" for t in texts).encode(), stdout=subprocess.PIPE, check=True)
    lines = ours.stdout.decode().split("\n")[:-1]
    took = time.time() - started
    if len(lines) != len(texts):
        print(f"{len(texts)} texts went in, {len(lines)} lines came out")
        return 1
    different = pieces = 0
    for text, line in zip(texts, lines):
        expected = answer(text)
        pieces += len(expected)
        if list(map(int, line.split())) != expected:
            different += 1
            if different <= 10:
                print(f"differs on {text[:200]!r}\n  ours      {line[:300]}\n  reference {' '.join(map(str, expected))[:300]}")
    print(f"{len(texts)} texts, {pieces} pieces, {different} different (ours took {took:.1f} s)")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
