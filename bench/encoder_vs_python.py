#!/usr/bin/env python3
"""Time per text, ours against ONNX Runtime called from Python: same model, texts, threads, machine and run.

    third_party/reference/bin/python bench/encoder_vs_python.py build/release/bench/encoder_bench [--threads 1] [--rounds 7]

Both sides go from text to unit vector (reference tokenizer and numpy in Python). Rounds alternate, so that a change of
the machine's load meets both; the figure is the median ratio of rounds with its range. Exits 1 when a ratio exceeds 1.1.
"""
import argparse
import os
import random
import statistics
import subprocess
import sys
import time

import onnxruntime

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests"))
from encoder_reference import FOLDER, PythonEncoder


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("program")
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--rounds", type=int, default=7)
    arguments.add_argument("--texts", type=int, default=40)
    options = arguments.parse_args()
    python = PythonEncoder(options.threads)
    rng = random.Random(5)
    words = [w for w in python.vocabulary if w.isascii() and w.isalpha() and len(w) > 2]
    groups = {pieces: [" ".join(rng.choice(words) for _ in range(pieces - 2)) for _ in range(options.texts)] for pieces in (16, 64, 128)}
    for pieces, texts in groups.items():
        assert all(len(python.tokenizer.encode(t).ids) == pieces for t in texts)
    feed = "\n\n".join("\n".join(texts) for texts in groups.values()) + "\n"
    ours, theirs = {p: [] for p in groups}, {p: [] for p in groups}
    for _ in range(options.rounds):
        out = subprocess.run([options.program, FOLDER, str(options.threads)], input=feed, text=True, stdout=subprocess.PIPE, check=True).stdout
        for line in out.splitlines():
            pieces, median = line.split()[:2]
            ours[int(pieces)].append(float(median))
        for pieces, texts in groups.items():
            times = []
            for i in range(-5, len(texts)):
                begin = time.perf_counter()
                python.embed(texts[max(i, 0)])
                if i >= 0:
                    times.append((time.perf_counter() - begin) * 1000)
            theirs[pieces].append(statistics.median(times))
    source = os.path.join(FOLDER, "SOURCE")
    print("encoder:", open(source).read().strip() if os.path.exists(source) else FOLDER)
    with open("/proc/cpuinfo") as lines:
        cpu = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown processor")
    print(f"machine: {cpu}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; onnxruntime {onnxruntime.__version__} on the Python side")
    print(f"{options.threads} thread(s), {options.rounds} alternating rounds of {options.texts} texts, median per round")
    print("pieces   ours ms   python ms   ratio ours/python (least .. most)")
    worst = 0
    for pieces in groups:
        ratios = [a / b for a, b in zip(ours[pieces], theirs[pieces])]
        worst = max(worst, statistics.median(ratios))
        print(f"{pieces:6d} {statistics.median(ours[pieces]):9.2f} {statistics.median(theirs[pieces]):11.2f}   "
              f"{statistics.median(ratios):.3f} ({min(ratios):.3f} .. {max(ratios):.3f})")
    return 0 if worst <= 1.1 else 1


if __name__ == "__main__":
    sys.exit(main())
