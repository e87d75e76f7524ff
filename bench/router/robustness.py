#!/usr/bin/env python3
"""How often does each router change its mind when a question is only written differently?

Routers are trained by `brevet train` on 1,500 questions of RouteLLM's MMLU answers; 500 others are asked as recorded and in rule-made variants
that leave the right answer alone: typing errors, case, other wording by rules, padding, words of another language by a dictionary. The threshold
is the one that sends half of the questions, as recorded, to strong, and it stays. A question unlike the training data goes to strong, as it is
served. A second list has 24 questions of our own in English and German (two_languages.tsv). Seeded; standard library only.

Usage: BREVET_DATA=FOLDER bench/router/robustness.py OUT.json [--seed 1]
"""
import argparse
import json
import math
import os
import random
import re
import subprocess
import sys

from peers import ROOT, STRONG, WEAK, split, write_lines

KINDS = ["average3", "ensemble", "knn", "mlp", "svm", "sw_ranking", "mf", "bert_head", "hybrid_det", "zooter", "cluster", "uniroute"]
FAMILIARITY_MIN = 0.01
KEYS = ["qwertyuiop", "asdfghjkl", "zxcvbnm"]
OTHER_WORDS = [
    (r"\bWhich of the following\b", "Which one of these"), (r"\bwhich of the following\b", "which one of these"), (r"\bWhat is\b", "Tell me what is"),
    (r"\bAccording to\b", "In the view of"), (r"\bbest describes\b", "most accurately describes"), (r"\bHow many\b", "What number of"),
    (r"\bWhy\b", "For what reason"), (r"\bmost likely\b", "probably"), (r"\bFind\b", "Determine"), (r"\bCalculate\b", "Work out"),
    (r"\bexample\b", "instance"), (r"\bgreater than\b", "larger than"), (r"\bbecause\b", "since"), (r"\bas a result of\b", "owing to"),
    (r"\bstatement\b", "claim"), (r"\bbegin\b", "start"), (r"\bbegan\b", "started"), (r"\bcorrect\b", "right"), (r"\bmust\b", "has to"),
    (r"\bhowever\b", "yet"), (r"\bAnswer:", "Your answer:"),
]
GERMAN = dict(
    pair.split(":")
    for pair in (
        "the:die a:ein an:ein of:von in:in is:ist are:sind was:war were:waren and:und or:oder not:nicht to:zu for:für with:mit by:durch on:auf at:bei "
        "from:aus that:dass which:welche what:was who:wer when:wann where:wo why:warum how:wie many:viele much:viel this:diese these:diese following:folgenden "
        "would:würde should:sollte could:könnte can:kann may:darf must:muss will:wird has:hat have:haben had:hatte be:sein been:gewesen it:es its:seine he:er "
        "she:sie they:sie his:sein her:ihr their:ihre if:wenn then:dann because:weil as:als than:als between:zwischen after:nach before:vor during:während "
        "all:alle none:keine some:einige most:meisten more:mehr less:weniger only:nur both:beide one:eins two:zwei three:drei four:vier true:wahr false:falsch "
        "answer:Antwort question:Frage statement:Aussage correct:richtig best:beste number:Zahl value:Wert time:Zeit year:Jahr people:Leute man:Mann woman:Frau "
        "law:Gesetz state:Staat court:Gericht patient:Patient cell:Zelle function:Funktion energy:Energie water:Wasser example:Beispiel likely:wahrscheinlich"
    ).split()
)


def typos(text, rng):
    """One letter of a word in eight is dropped, doubled, swapped with its neighbour, or hit beside the key; digits and labels stay."""

    def spoil(match):
        word = match.group(0)
        if len(word) < 4 or rng.random() > 0.125:
            return word
        at = rng.randrange(1, len(word) - 1)
        how = rng.randrange(4)
        if how == 0:
            return word[:at] + word[at + 1 :]
        if how == 1:
            return word[:at] + word[at] + word[at:]
        if how == 2:
            return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
        row = next((row for row in KEYS if word[at].lower() in row), None)
        if row is None:
            return word
        near = row[max(0, row.index(word[at].lower()) - 1)]
        return word[:at] + near + word[at + 1 :]

    return re.sub(r"[A-Za-z]+", spoil, text)


def other_words(text, rng):
    for pattern, to in OTHER_WORDS:
        text = re.sub(pattern, to, text)
    return rng.choice(["Please think about this question. ", "Here is something I would like to know. ", "Could you help me with this one? "]) + text


def padded(text, rng):
    before = ["Hello! I hope you are well.", "I am preparing for an exam next week and have a question.", "Thanks for your help with the last one."]
    after = ["Thank you very much in advance.", "Take your time.", "I will read your answer this evening."]
    return rng.choice(before) + "\n\n\n" + text + "\n\n" + rng.choice(after) + "\n"


def german_words(text, rng):
    del rng

    def other(match):
        word = match.group(0)
        to = GERMAN.get(word.lower())
        return word if to is None or len(word) == 1 else (to[:1].upper() + to[1:] if word[0].isupper() else to)

    return re.sub(r"[A-Za-z]+", other, text)


VARIANTS = {
    "typing errors": typos,
    "lower case": lambda text, rng: text.lower(),
    "upper case": lambda text, rng: text.upper(),
    "other words": other_words,
    "padding": padded,
    "German words": german_words,
}


def wilson(hits, n, z=1.959964):
    p = hits / n
    middle, width = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return [(middle - width) / (1 + z * z / n), (middle + width) / (1 + z * z / n)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--labels", type=int, default=1500)
    parser.add_argument("--test", type=int, default=500)
    flags = parser.parse_args()
    binary = os.environ.get("BREVET_BINARY", os.path.join(ROOT, "build/release/brevet"))
    folder = os.path.splitext(os.path.abspath(flags.out))[0] + ".work"
    os.makedirs(folder, exist_ok=True)
    train, test = split(os.path.join(os.environ["BREVET_DATA"], "routellm_mmlu.jsonl.gz"), flags.labels, flags.test)
    train_file = os.path.join(folder, "train.jsonl")
    write_lines(train_file, train)
    routers = []
    for kind in KINDS:
        routers.append(os.path.join(folder, kind + ".router"))
        subprocess.run([binary, "train", kind, "--data", f"{train_file}@{WEAK},{STRONG}", "--out", routers[-1]], check=True, stdout=subprocess.DEVNULL)

    def said(prompts, name):
        path = os.path.join(folder, name.replace(" ", "_") + ".jsonl")
        write_lines(path, [{"id": str(i), "prompt": prompt} for i, prompt in enumerate(prompts)])
        run = subprocess.run([binary, "router", "predict", *routers, "--prompts", path], check=True, capture_output=True, text=True)
        return [json.loads(line)["said"] for line in run.stdout.splitlines()]

    def need(one):
        return 2.0 if one is None or one["familiarity"] < FAMILIARITY_MIN else one["need_strong"]

    texts = [record["prompt"] for record in test]
    recorded = said(texts, "recorded")
    with open(os.path.join(ROOT, "bench/router/two_languages.tsv")) as file:
        pairs = [line.rstrip("\n").split("\t") for line in file]
    changed = {}
    for name, change in VARIANTS.items():
        rng = random.Random(f"{flags.seed} {name}")
        changed[name] = (recorded, said([change(text, rng) for text in texts], name))
    changed["English to German"] = (said([pair[0] for pair in pairs], "english"), said([pair[1] for pair in pairs], "german"))

    rows = []
    for k, kind in enumerate(KINDS):
        threshold = sorted(need(line[k]) for line in recorded)[len(recorded) // 2]
        for name, (before, after) in changed.items():
            was = [need(line[k]) >= threshold for line in before]
            now = [need(line[k]) >= threshold for line in after]
            flips = sum(a != b for a, b in zip(was, now))
            moved = [abs(a[k]["need_strong"] - b[k]["need_strong"]) for a, b in zip(before, after) if a[k] and b[k]]
            rows.append({
                "router": kind, "variant": name, "n": len(was), "changed": flips / len(was), "ci95": wilson(flips, len(was)),
                "strong_before": sum(was) / len(was), "strong_after": sum(now) / len(now),
                "unfamiliar_before": sum(need(line[k]) == 2.0 for line in before) / len(was),
                "unfamiliar_after": sum(need(line[k]) == 2.0 for line in after) / len(was),
                "need_moved": sum(moved) / max(1, len(moved)),
            })
    with open(flags.out, "w") as file:
        json.dump({"seed": flags.seed, "labels": len(train), "rows": rows}, file, indent=1)
    names = list(changed)
    print("| router | " + " | ".join(names) + " |\n" + "|---" * (len(names) + 1) + "|")
    for kind in KINDS:
        of = {row["variant"]: row for row in rows if row["router"] == kind}
        cells = [f"{100 * of[name]['changed']:.0f}% ({100 * of[name]['strong_after']:.0f}%)" for name in names]
        print(f"| {kind} | " + " | ".join(cells) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
