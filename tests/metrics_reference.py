#!/usr/bin/env python3
"""Compares the metrics of src/eval with tools/reference_metrics.py to 1e-9, on random cases and on recorded files.

    third_party/reference/bin/python tests/metrics_reference.py [build/dev/tests/metrics_lines]

Random cases come from a fixed seed: with and without ties, weights, costs, missing models, no gap, one question. Recorded files
are read from $BREVET_DATA where it is set: a score made of each question's text is swept over them, which is no router but
exercises every metric at full size. Exits 1 on the first differences, 77 (skipped) without numpy or the program.
"""
import json
import math
import os
import random
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tools"))
try:
    import reference_metrics as reference
except ModuleNotFoundError as missing:
    print(f"skipped: {missing}; scripts/test --full installs it into third_party/reference")
    sys.exit(77)

TOLERANCE = 1e-9
SHARES = [0, .1, .25, .5, .77, 1, 1.2]


def sweep_case(rng, n):
    kind = rng.randrange(4)
    levels = rng.choice([1, 3, 20, None])
    score = [rng.random() if levels is None else float(rng.randrange(levels)) for _ in range(n)]
    quality = (lambda: float(rng.random() < .6)) if kind % 2 else rng.random
    weak, strong = [quality() for _ in range(n)], [quality() for _ in range(n)]
    if rng.random() < .6:
        strong = [min(1.0, s + .3 * rng.random()) for s in strong]
    case = {"kind": "sweep", "score": score, "weak_quality": weak, "strong_quality": strong, "weights": None,
            "weak_cost": None, "strong_cost": None, "cost_min": None, "cost_max": None, "at_shares": SHARES}
    if rng.random() < .5:
        case["weights"] = [rng.randrange(4) for _ in range(n)]
    if rng.random() < .8:
        # Also a strong model that is cheaper on some questions: then cost does not rise along the dial.
        case["weak_cost"] = [rng.random() * 1e-3 for _ in range(n)]
        case["strong_cost"] = [rng.random() * rng.choice([1e-2, 1e-3]) for _ in range(n)]
    return with_bounds(case, rng)


def with_bounds(case, rng):
    if rng.random() < .9:
        case["cost_min"], case["cost_max"] = sorted((rng.random() * 1e-3, rng.random() * 6e-3))
    return case


def dial_case(rng):
    costs = rng.random() < .8
    point = lambda s: [s, rng.random(), rng.random() * 5e-3 if costs or rng.random() < .5 else None]
    points = [point(rng.choice([rng.random(), .5, 0.0, 1.0])) for _ in range(rng.randrange(12))]
    weak, strong = [0, rng.random() * .7, 1e-4 * rng.random()], [1, .3 + rng.random() * .7, 4e-3 + 1e-3 * rng.random()]
    case = {"kind": "dial", "points": points, "always_weak": weak, "always_strong": strong, "cost_min": None,
            "cost_max": None, "at_shares": [s for s in SHARES if s not in (0, 1)]}
    return with_bounds(case, rng)


def table_case(rng):
    models, n = rng.randrange(1, 7), rng.randrange(1, 60)
    quality, cost = [], []
    for _ in range(models):
        missing, unknown = rng.choice([0, 0, .3, 1]), rng.choice([0, 0, .3, 1])
        quality.append([None if rng.random() < missing else float(rng.randrange(3)) / 2 for _ in range(n)])
        cost.append([None if rng.random() < unknown else rng.choice([1e-3, rng.random() * 1e-2]) for _ in range(n)])
    return {"kind": "table", "quality": quality, "cost": cost, "among": rng.sample(range(models), rng.randrange(1, models + 1)),
            "at_costs": [rng.random() * 1e-2 for _ in range(8)], "at_qualities": [rng.random() for _ in range(8)]}


def calibration_case(rng):
    n = rng.randrange(1, 200)
    return {"kind": "calibration", "predicted": [rng.choice([rng.random(), round(rng.random(), 1), 1.2]) for _ in range(n)],
            "outcome": [rng.choice([0.0, 1.0, rng.random()]) for _ in range(n)]}


def groups_case(rng):
    n = rng.randrange(1, 200)
    value = lambda: [rng.choice([0.0, 1.0, rng.random()]) for _ in range(n)]
    return {"kind": "groups", "group": [rng.randrange(9) for _ in range(n)], "served": value(), "weak": value(),
            "strong": [0.0] * n if rng.random() < .1 else value(), "is_strong": [float(rng.random() < .5) for _ in range(n)],
            "n_min": rng.randrange(1, 30)}


def recorded_cases(folder, rng):
    for name, weak, strong, which in reference.PAIRS:
        records = reference.read(folder, name)
        if records is None:
            continue
        records = [r for r in reference.selected(records, which) if weak in r["models"] and strong in r["models"]]
        models = [weak, strong] + sorted({m for r in records for m in r["models"]} - {weak, strong})[:9]
        quality, cost = reference.table_of(records, models)
        known = all(c is not None for c in cost[0] + cost[1])
        # Many ties: the number of words of the question.
        score = [float(len(r.get("prompt", "").split()) % 97) for r in records]
        case = {"kind": "sweep", "score": score, "weak_quality": quality[0], "strong_quality": quality[1], "weights": None,
                "weak_cost": cost[0] if known else None, "strong_cost": cost[1] if known else None, "cost_min": None,
                "cost_max": None, "at_shares": SHARES}
        if known:
            case["cost_min"], case["cost_max"] = (sum(c) / len(c) for c in cost[:2])
        yield f"{name} {which} sweep", case
        yield f"{name} {which} weighted", {**case, "weights": [rng.randrange(4) for _ in records]}
        yield f"{name} {which} table", {"kind": "table", "quality": quality, "cost": cost, "among": [0, 1],
                                        "at_costs": [10 ** -k for k in range(1, 7)], "at_qualities": [.5, .7, .8]}


def differences(ours, theirs, path=""):
    """Text of the first place where two figures, or lists of them, are not the same; None when there is none."""
    if isinstance(theirs, (list, tuple)):
        if not isinstance(ours, list) or len(ours) != len(theirs):
            return f"{path}: {len(ours) if isinstance(ours, list) else ours} against {len(theirs)} entries"
        for i, (a, b) in enumerate(zip(ours, theirs)):
            if found := differences(a, b, f"{path}[{i}]"):
                return found
        return None
    if ours is None or theirs is None:
        return None if ours is theirs else f"{path}: {ours} against {theirs}"
    if not math.isfinite(ours) or abs(ours - theirs) > TOLERANCE:
        return f"{path}: {ours!r} against {theirs!r}"
    return None


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "build", "dev", "tests", "metrics_lines")
    if not os.access(program, os.X_OK):
        print(f"skipped: {program} is not built")
        return 77
    rng = random.Random(20260101)
    cases = [(f"sweep {i}", sweep_case(rng, rng.choice([0, 1, 2, 7, 40, 300]))) for i in range(400)]
    cases += [(f"dial {i}", dial_case(rng)) for i in range(400)]
    cases += [(f"table {i}", table_case(rng)) for i in range(300)]
    cases += [(f"calibration {i}", calibration_case(rng)) for i in range(100)]
    cases += [(f"groups {i}", groups_case(rng)) for i in range(100)]
    generated = len(cases)
    if folder := os.environ.get("BREVET_DATA"):
        cases += list(recorded_cases(folder, rng))
    done = subprocess.run([program], input="".join(json.dumps(case) + "\n" for _, case in cases), capture_output=True,
                          text=True, check=False)
    if done.returncode != 0:
        print(done.stderr)
        return 1
    lines = done.stdout.splitlines()
    if len(lines) != len(cases):
        print(f"{len(lines)} answers to {len(cases)} cases")
        return 1
    failed, compared, empty = 0, 0, 0
    for (name, case), line in zip(cases, lines):
        ours, theirs = json.loads(line), reference.figures(case)
        for key, value in theirs.items():
            compared += 1
            empty += value is None
            if key not in ours:
                found = f"{key}: missing"
            else:
                found = differences(ours[key], value, key)
            if found and failed < 20:
                print(f"{name}: {found}")
            failed += bool(found)
    recorded = len(cases) - generated
    source = f"{recorded} cases from recorded files" if recorded else "no recorded files (BREVET_DATA is not set)"
    print(f"metrics: {failed} of {compared} figures differ by more than {TOLERANCE} ({empty} of them do not apply); "
          f"{generated} random cases, {source}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
