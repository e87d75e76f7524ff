#!/usr/bin/env python3
"""A second, plain implementation of the metrics of src/eval/metrics.h, for tests/metrics_reference.py and for reading data.

    third_party/reference/bin/python tools/reference_metrics.py FOLDER    # check figures of the recorded files as a table

Nothing is shared with the C++: a threshold is a mask over all questions, a hull is found by the farthest point from a
chord (or by trying all pairs), AUROC counts pairs. Needs numpy. `figures(case)` takes and returns what tests/metrics_lines.cc
reads and writes. Formulas: docs/evaluation-protocol.md.
"""
import gzip
import json
import math
import os
import sys

import numpy as np

REACHED = 1e-12


# ---- curves ----

def sweep(case):
    """Points (share, quality, cost) for every distinct score as threshold, strong where score >= threshold."""
    score = np.array(case["score"], float)
    weight = np.array(case["weights"], float) if case.get("weights") else np.ones(len(score))
    weak, strong = np.array(case["weak_quality"], float), np.array(case["strong_quality"], float)
    costs = bool(case.get("weak_cost"))
    weak_cost = np.array(case["weak_cost"], float) if costs else None
    strong_cost = np.array(case["strong_cost"], float) if costs else None
    if len(score) == 0 or weight.sum() == 0:
        return []
    out = []
    seen = np.unique(score[weight > 0])
    for threshold in [math.inf] + sorted(seen.tolist(), reverse=True):
        use = score >= threshold
        quality = np.average(np.where(use, strong, weak), weights=weight)
        cost = np.average(np.where(use, strong_cost, weak_cost), weights=weight) if costs else None
        out.append((np.average(use, weights=weight), quality, cost))
    return out


def anchored(points, weak, strong):
    by_share = {}
    for share, quality, cost in points:
        by_share.setdefault(share, []).append((quality, cost))
    middle = []
    for share in sorted(by_share):
        same = by_share[share]
        costs = [cost for _, cost in same]
        middle.append((share, float(np.mean([q for q, _ in same])), None if None in costs else float(np.mean(costs))))
    return [(0.0, weak[1], weak[2])] + middle + [(1.0, strong[1], strong[2])]


def gap(curve):
    if not curve or curve[0][0] != 0 or curve[-1][0] != 1 or not curve[-1][1] > curve[0][1]:
        return None
    return curve[-1][1] - curve[0][1]


def apgr(curve):
    if gap(curve) is None:
        return None
    shares, qualities = np.array([p[0] for p in curve]), np.array([p[1] for p in curve])
    recovered = (qualities - qualities[0]) / gap(curve)
    return float(np.trapezoid(recovered, shares))


def cpt(curve, recovered):
    if gap(curve) is None:
        return None
    target = curve[0][1] + recovered * gap(curve)
    above = np.array([p[1] for p in curve]) >= target - REACHED
    if not above.any():
        return None
    first = int(np.argmax(above))
    if first == 0:
        return curve[0][0]
    left, right = curve[first - 1], curve[first]
    return float(np.interp(target, [left[1], right[1]], [left[0], right[0]]))


def at_share(curve, share, column):
    shares = [p[0] for p in curve]
    if not curve or share < shares[0] or share > shares[-1]:
        return None
    for point in curve:
        if point[0] == share:
            return point[column]
    right = next(i for i, s in enumerate(shares) if s > share)
    a, b = curve[right - 1], curve[right]
    if a[column] is None or b[column] is None:
        return None
    return float(np.interp(share, [a[0], b[0]], [a[column], b[column]]))


# ---- hulls ----

def hull_by_pairs(points, cost):
    """The best quality of any point or mixture of two points that costs `cost` or less; None when none is so cheap."""
    best = None
    for c1, q1 in points:
        if c1 <= cost and (best is None or q1 > best):
            best = q1
        for c2, q2 in points:
            if c1 < cost < c2:
                mixed = q1 + (cost - c1) / (c2 - c1) * (q2 - q1)
                best = mixed if best is None else max(best, mixed)
    return best


def quick_hull(points):
    """Corners of the non-decreasing upper hull, by splitting at the farthest point above each chord."""
    array = np.array(sorted(set(map(tuple, points))), float)
    first = array[array[:, 0] == array[0, 0]][-1]
    best_quality = array[:, 1].max()
    last = array[array[:, 1] == best_quality][0]

    def between(a, b, inside):
        if len(inside) == 0:
            return []
        above = (b[0] - a[0]) * (inside[:, 1] - a[1]) - (b[1] - a[1]) * (inside[:, 0] - a[0])
        if above.max() <= 0:
            return []
        top = inside[int(np.argmax(above))]
        keep = inside[above > 0]
        return between(a, top, keep[keep[:, 0] < top[0]]) + [top] + between(top, b, keep[keep[:, 0] > top[0]])

    if last[0] <= first[0]:
        return [tuple(first)]
    inside = array[(array[:, 0] > first[0]) & (array[:, 0] < last[0])]
    return [tuple(p) for p in [first] + between(first, last, inside) + [last]]


def hull_quality(hull, cost):
    if not hull or cost < hull[0][0]:
        return None
    return float(np.interp(cost, [p[0] for p in hull], [p[1] for p in hull]))


def hull_cost(hull, quality):
    if not hull or quality > hull[-1][1]:
        return None
    return float(np.interp(quality, [p[1] for p in hull], [p[0] for p in hull]))


def aiq(points, low, high):
    if low is None or high is None or not low < high or not points or any(c is None for c, _ in points):
        return None
    hull = quick_hull(points)
    start = max(low, hull[0][0])
    if start >= high:
        return 0.0
    # The hull is straight between the costs of its corners, so a trapezoid over them is exact.
    corners = sorted({start, high} | {c for c, _ in hull if start < c < high})
    if len(points) <= 40:
        values = [hull_by_pairs(points, c) for c in corners]
    else:
        values = [hull_quality(hull, c) for c in corners]
    return float(np.trapezoid(values, corners)) / (high - low)


def arena(accuracy, usd_per_thousand):
    beta = .1
    cost = min(max(usd_per_thousand, .0044), 200)
    cheap = math.log(200 / cost) / math.log(200 / .0044)
    if beta * accuracy + cheap <= 0:
        return 0.0
    return (1 + beta) * accuracy * cheap / (beta * accuracy + cheap)


# ---- tables of outcomes ----

def cheapest(candidates):
    """Of (cost or None, index): known before unknown, then the lower cost, then the first."""
    return min(range(len(candidates)), key=lambda i: (candidates[i][0] is None, candidates[i][0] or 0, i))


def singles(quality, cost):
    out = []
    for q, c in zip(quality, cost):
        ran = [i for i, value in enumerate(q) if value is not None]
        if not ran:
            out.append((0.0, None, 0))
            continue
        paid = [c[i] for i in ran]
        out.append((float(np.mean([q[i] for i in ran])), None if None in paid else float(np.mean(paid)), len(ran)))
    return out


def oracle(quality, cost, among):
    choice, total_quality, total_cost = [], [], []
    for i in range(len(quality[0])):
        ran = [m for m in among if quality[m][i] is not None]
        if not ran:
            choice.append(-1)
            continue
        best = max(quality[m][i] for m in ran)
        tied = [m for m in ran if quality[m][i] == best]
        chosen = tied[cheapest([(cost[m][i], m) for m in tied])]
        choice.append(chosen)
        total_quality.append(best)
        total_cost.append(cost[chosen][i])
    n = len(total_quality)
    shares = [choice.count(m) / n if n else 0.0 for m in range(len(quality))]
    return (float(np.mean(total_quality)) if n else 0.0,
            None if n == 0 or None in total_cost else float(np.mean(total_cost)), choice, shares)


def auroc(score, label):
    score, label = np.array(score, float), np.array(label, bool)
    right, wrong = score[label], score[~label]
    if len(right) == 0 or len(wrong) == 0:
        return None
    won = 0.0
    for part in np.array_split(right, max(1, len(right) // 500)):
        won += np.sum(part[:, None] > wrong[None, :]) + .5 * np.sum(part[:, None] == wrong[None, :])
    return float(won / (len(right) * len(wrong)))


# ---- cases, as tests/metrics_lines.cc has them ----

def curve_figures(prefix, curve, case):
    points = [(cost, quality) for _, quality, cost in curve]
    out = {prefix + "share": [p[0] for p in curve], prefix + "quality": [p[1] for p in curve],
           prefix + "cost": [p[2] for p in curve], prefix + "apgr": apgr(curve), prefix + "cpt50": cpt(curve, .5),
           prefix + "cpt80": cpt(curve, .8),
           prefix + "quality_at": [at_share(curve, s, 1) for s in case["at_shares"]],
           prefix + "cost_at": [at_share(curve, s, 2) for s in case["at_shares"]]}
    if case["cost_min"] is not None:
        out[prefix + "aiq"] = aiq(points, case["cost_min"], case["cost_max"])
    return out


def figures(case):
    kind = case["kind"]
    if kind == "sweep":
        out = curve_figures("sweep_", sweep(case), case)
        out["auroc"] = auroc(case["score"], [s > w for s, w in zip(case["strong_quality"], case["weak_quality"])])
        return out
    if kind == "dial":
        weak, strong = case["always_weak"], case["always_strong"]
        out = curve_figures("dial_", anchored(case["points"], weak, strong), case)
        out["dial_pgr"] = [(q - weak[1]) / (strong[1] - weak[1]) if strong[1] > weak[1] else None
                           for _, q, _ in case["points"]]
        out["dial_mixture"] = [(1 - s) * weak[1] + s * strong[1] for s, _, _ in case["points"]]
        out["dial_arena"] = [None if c is None else arena(q, c) for _, q, c in case["points"]]
        return out
    if kind == "table":
        quality, cost = case["quality"], case["cost"]
        alone = singles(quality, cost)
        n = len(quality[0])
        whole = [m for m, (_, _, ran) in enumerate(alone) if ran == n and n > 0]
        out = {"single_quality": [s[0] for s in alone], "single_cost": [s[1] for s in alone],
               "single_n": [s[2] for s in alone], "best_single": None}
        if whole:
            top = max(alone[m][0] for m in whole)
            tied = [m for m in whole if alone[m][0] == top]
            out["best_single"] = tied[cheapest([(alone[m][1], m) for m in tied])]
        points = [(alone[m][1], alone[m][0]) for m in whole if alone[m][1] is not None]
        hull = quick_hull(points) if points else []
        out["zero_router"] = [hull_by_pairs(points, c) for c in case["at_costs"]]
        out["zero_router_cost"] = [hull_cost(hull, q) for q in case["at_qualities"]]
        for name, among in (("oracle_all", range(len(quality))), ("oracle_some", case["among"])):
            found = oracle(quality, cost, list(among))
            out[name + "_quality"], out[name + "_cost"], out[name + "_choice"], out[name + "_share"] = found
        return out
    if kind == "calibration":
        p = np.clip(np.array(case["predicted"], float), 0, 1)
        y = np.array(case["outcome"], float)
        which = np.minimum((p * 10).astype(int), 9)
        counts = np.bincount(which, minlength=10)
        mean = lambda values: [float(values[which == b].mean()) if counts[b] else 0.0 for b in range(10)]
        predicted, observed = mean(p), mean(y)
        return {"brier": float(np.mean((p - y) ** 2)), "bin_n": counts.tolist(), "bin_predicted": predicted,
                "bin_observed": observed,
                "ece": float(sum(c / len(p) * abs(a - b) for c, a, b in zip(counts, predicted, observed)))}
    if kind == "groups":
        group = np.array(case["group"])
        served, weak, strong = (np.array(case[k], float) for k in ("served", "weak", "strong"))
        use = np.array(case["is_strong"], float)
        lines = []
        for number in sorted(set(case["group"])):
            at = group == number
            reference = strong[at].mean()
            lines.append((number, int(at.sum()), float(served[at].mean() / reference) if reference > 0 else None,
                          float(use[at].mean())))
        worst = [line for line in lines if line[1] >= case["n_min"] and line[2] is not None]
        return {"group_n": [l[1] for l in lines], "group_retention": [l[2] for l in lines],
                "group_share": [l[3] for l in lines],
                "worst_group": min(worst, key=lambda l: l[2])[0] if worst else None,
                "quantiles": [float(np.quantile(served, .5)), float(np.quantile(weak, .99)), float(np.quantile(weak, .01))]}
    raise ValueError(kind)


# ---- recorded files ----

PAIRS = [  # file, weak, strong, which records
    ("routellm_mmlu", "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview", "all"),
    ("routellm_mmlu", "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview", "without high_school_mathematics"),
    ("routellm_gsm8k", "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview", "all"),
    ("routellm_gsm8k", "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview", "without contaminated"),
    ("routellm_mt_bench", "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview", "all"),
    ("routellm_mt_bench", "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview", "without contaminated"),
    ("mmlu_pro", "Meta-Llama-3_1-8B-Instruct", "gemini-1.5-pro-002", "all"),
    ("mmlu_pro", "Meta-Llama-3_1-8B-Instruct", "Meta-Llama-3_1-70B-Instruct", "all"),
    ("zeroeval_gsm", "Meta-Llama-3-8B-Instruct", "gpt-4o-2024-08-06", "all"),
    ("zeroeval_math_l5", "gpt-4o-mini-2024-07-18", "o1-mini-2024-09-12", "all"),
    ("llmrouter_uiuc", "qwen2.5-7b-instruct", "llama-3.1-nemotron-51b-instruct", "all"),
    ("routerbench_sample", "mistralai/mixtral-8x7b-chat", "gpt-4-1106-preview", "all"),
    ("cascade_logprob_mmlu", "gpt-4o-mini", "gpt-4o", "all"),
    ("cascade_logprob_mmlu", "llama3.1-8b", "llama3.1-405b", "all"),
    ("cascade_logprob_gsm8k", "gpt-4o-mini", "gpt-4o", "all"),
    ("self_consistency_date", "gpt-3.5-turbo:cot1", "gpt-4:cot1", "all"),
]


def read(folder, name):
    path = os.path.join(folder, name + ".jsonl.gz")
    if not os.path.exists(path):
        return None
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def selected(records, which):
    if which == "without high_school_mathematics":
        return [r for r in records if r.get("subject") != "high_school_mathematics"]
    if which == "without contaminated":
        return [r for r in records if not r.get("contaminated")]
    return records


def table_of(records, models):
    quality = [[r["models"].get(m, {}).get("score") for r in records] for m in models]
    cost = [[r["models"].get(m, {}).get("cost_usd") for r in records] for m in models]
    return quality, cost


def check_figures(folder):
    print("| file | weak | strong | records | n | weak | strong | oracle | oracle, all models | best single model | cost, strong = 1 |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    loaded = {}
    for name, weak, strong, which in PAIRS:
        if name not in loaded:
            loaded[name] = read(folder, name)
        if loaded[name] is None:
            continue
        records = [r for r in selected(loaded[name], which) if weak in r["models"] and strong in r["models"]]
        models = sorted({m for r in records for m in r["models"]})
        quality, cost = table_of(records, models)
        w, s = models.index(weak), models.index(strong)
        alone = singles(quality, cost)
        pair, everyone = oracle(quality, cost, [w, s]), oracle(quality, cost, list(range(len(models))))
        whole = [m for m in range(len(models)) if alone[m][2] == len(records)]
        best = max(whole, key=lambda m: alone[m][0])
        relative = "unknown" if alone[w][1] is None else f"{alone[w][1] / alone[s][1]:.4f}"
        print(f"| {name} | {weak} | {strong} | {which} | {len(records)} | {alone[w][0]:.4f} | {alone[s][0]:.4f} | {pair[0]:.4f} "
              f"| {everyone[0]:.4f} ({len(models)}) | {models[best]} {alone[best][0]:.4f} | {relative} |")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    check_figures(sys.argv[1])
