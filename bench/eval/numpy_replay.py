#!/usr/bin/env python3
"""The straightforward numpy version of what `brevet eval` replays, for its time and memory beside ours.

It holds the outcome matrix in arrays, embeds nothing (embeddings are read from a file, or random ones of the same
size are drawn: the time does not depend on their values), and for every seed asks the questions in a random order:
an online kNN estimate over what strong's answers taught so far, and a nearest-neighbour rule. No coroutines, no
prices per token, no budget, no guides, no intervals: a lower bound of what such a study costs in numpy.

Usage: numpy_replay.py DATA.jsonl.gz WEAK STRONG SEEDS   (prints seconds, peak MiB and the two accuracies)
"""
import gzip
import json
import resource
import sys
import time

import numpy as np


def load(path, weak, strong):
    scores = []
    with gzip.open(path, "rt") as lines:
        for line in lines:
            models = json.loads(line)["models"]
            if weak in models and strong in models:
                scores.append((models[weak]["score"], models[strong]["score"]))
    return np.array(scores)


def estimate_by_neighbours(vectors, agree, order, share, k=100):
    """Online kNN: weak where the estimate is among the best 1 - share of those so far. Accuracy is not the point."""
    n, width = len(order), vectors.shape[1]
    seen = np.empty((n, width), np.float32)
    labels = np.empty(n, np.float32)
    history = np.empty(n)
    known = 0
    strong = np.ones(n, bool)
    for place, question in enumerate(order):
        vector = vectors[question]
        if known >= 200:
            similarity = seen[:known] @ vector
            nearest = np.argpartition(-similarity, min(k, known - 1))[:k]
            weight = np.exp((similarity[nearest] - 1) / .2)
            score = float((weight * labels[nearest]).sum() / weight.sum())
            history[place] = score
            strong[place] = (history[200:place + 1] <= score).mean() < share if place > 250 else True
        if strong[place]:
            seen[known] = vector
            labels[known] = agree[question]
            known += 1
    return strong


def nearest_neighbour(vectors, agree, order, threshold):
    n, width = len(order), vectors.shape[1]
    seen = np.empty((n, width), np.float32)
    labels = np.empty(n, bool)
    known = 0
    strong = np.ones(n, bool)
    for place, question in enumerate(order):
        vector = vectors[question]
        if known:
            similarity = seen[:known] @ vector
            best = int(similarity.argmax())
            strong[place] = not (similarity[best] >= threshold and labels[best])
        if strong[place]:
            seen[known] = vector
            labels[known] = agree[question]
            known += 1
    return strong


def main():
    path, weak, strong, seeds = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
    scores = load(path, weak, strong)
    draw = np.random.default_rng(1)
    vectors = draw.standard_normal((len(scores), 384), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    agree = scores[:, 0] == scores[:, 1]
    started = time.perf_counter()
    quality = []
    for seed in range(seeds):
        order = np.random.default_rng(seed).permutation(len(scores))
        for served in (estimate_by_neighbours(vectors, agree, order, .5), nearest_neighbour(vectors, agree, order, .9)):
            asked = scores[order]
            quality.append(np.where(served, asked[:, 1], asked[:, 0]).mean())
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"n": len(scores), "seeds": seeds, "streams": 2 * seeds, "seconds": round(seconds, 2),
                      "ms_per_request": round(seconds * 1e3 / (2 * seeds * len(scores)), 4), "peak_mib": round(peak)}))


if __name__ == "__main__":
    main()
