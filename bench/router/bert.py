#!/usr/bin/env python3
"""What fine-tuning is worth: the router `bert` beside kinds trained in C++, on the same splits and the same number of labels.

Of each split LABELS questions may be seen. Two thirds of them fine-tune (tools/finetune_bert.py), the others calibrate; the other kinds
are fitted on all of them. Everything is judged on the questions that nobody saw. Figures are means over splits; intervals are 95%,
bootstrap over test questions, the same resample for every router of a split.

Usage: BREVET_DATA=FOLDER bench/router/bert.py OUT.json [--labels 1500] [--splits 3] [--epochs 3]
BREVET_BINARY names the program (build/release/brevet); the environment is that of tools/finetune_bert.py.
"""
import argparse
import gzip
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WEAK, STRONG = "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"
LEFT_OUT = "high_school_mathematics"  # its strong answers were cut wrongly at the source
BESIDE = ["bert_head", "ensemble"]


def finetune_tool():
    spec = importlib.util.spec_from_file_location("finetune_bert", ROOT / "tools" / "finetune_bert.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    return tool


def enter_venv(tool):
    python = tool.VENV / "bin" / "python"
    if pathlib.Path(sys.prefix).resolve() == tool.VENV.resolve():
        return
    if not (tool.VENV / "ready").exists():
        sys.exit(f"{tool.VENV} is not there; run tools/finetune_bert.py once, which makes it")
    os.execv(python, [str(python), str(pathlib.Path(__file__).resolve()), *sys.argv[1:]])


def write_lines(path, records):
    with open(path, "w", encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(record) + "\n")


def figures(np, need, gain, order=None):
    """APGR and the strong shares that recover .5 and .8 of the gap, of one sample of the questions."""
    rows = np.arange(len(need)) if order is None else order
    by_need = rows[np.argsort(-need[rows], kind="stable")]
    recovered = np.concatenate([[0.0], np.cumsum(gain[by_need])])
    if recovered[-1] <= 0:
        return np.full(3, np.nan)
    share = recovered / recovered[-1]
    reached = np.maximum.accumulate(share)
    cpt = [float(np.argmax(reached >= goal)) / len(need) for goal in (0.5, 0.8)]
    return np.array([np.trapezoid(share, dx=1 / len(need)), *cpt])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--labels", type=int, default=1500)
    parser.add_argument("--splits", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=1000)
    options = parser.parse_args()
    tool = finetune_tool()
    enter_venv(tool)
    import numpy as np

    binary = os.environ.get("BREVET_BINARY", str(ROOT / "build" / "release" / "brevet"))
    rows = []
    with gzip.open(os.path.join(os.environ["BREVET_DATA"], "routellm_mmlu.jsonl.gz"), "rt", encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            if record.get("subject") != LEFT_OUT:
                rows.append((tool.rendered(record), 0, record))
    per_split = []
    for seed in range(1, options.splits + 1):
        with tempfile.TemporaryDirectory(prefix="brevet-bert-") as folder:
            seen, unseen = tool.split(rows, options.labels, seed)
            write_lines(folder + "/seen.jsonl", [record for _, _, record in seen])
            write_lines(folder + "/test.jsonl", [{"id": str(i), "prompt": text} for i, (text, _, _) in enumerate(unseen)])
            data = f"{folder}/seen.jsonl@{WEAK},{STRONG}"
            subprocess.run([sys.executable, str(ROOT / "tools" / "finetune_bert.py"), "--data", folder + "/seen.jsonl", "--models", f"{WEAK},{STRONG}",
                            "--labels", str(options.labels * 2 // 3), "--epochs", str(options.epochs), "--seed", str(seed), "--out", folder + "/bert"], check=True)
            routers = {"bert": folder + "/bert.router", **{kind: f"{folder}/{kind}.router" for kind in BESIDE}}
            subprocess.run([binary, "train", "bert", "--data", f"{folder}/bert/rest.jsonl@{WEAK},{STRONG}", "--classifier", folder + "/bert",
                            "--out", routers["bert"]], check=True, stdout=subprocess.DEVNULL)
            for kind in BESIDE:
                subprocess.run([binary, "train", kind, "--data", data, "--out", routers[kind]], check=True, stdout=subprocess.DEVNULL)
            said = subprocess.run([binary, "router", "predict", *routers.values(), "--prompts", folder + "/test.jsonl"], check=True, capture_output=True, text=True)
            need = {name: np.zeros(len(unseen)) for name in routers}
            for line in said.stdout.splitlines():
                row = json.loads(line)
                for name, prediction in zip(routers, row["said"]):
                    need[name][int(row["id"])] = prediction["need_strong"]
            gain = np.array([record["models"][STRONG]["score"] - record["models"][WEAK]["score"] for _, _, record in unseen], float)
            dice = np.random.default_rng(seed)
            resampled = {name: [] for name in routers}
            for _ in range(options.rounds):
                order = dice.integers(0, len(gain), len(gain))
                for name in routers:
                    resampled[name].append(figures(np, need[name], gain, order))
            per_split.append({"n": len(unseen), "point": {name: figures(np, need[name], gain) for name in routers},
                              "resampled": {name: np.array(values) for name, values in resampled.items()}})
            print(f"split {seed}: " + ", ".join(f"{name} {figures(np, need[name], gain)[0]:.3f}" for name in routers), file=sys.stderr)
    out = {"labels": options.labels, "splits": options.splits, "epochs": options.epochs, "n": [split["n"] for split in per_split], "routers": {}}
    bert = np.mean([split["resampled"]["bert"] for split in per_split], axis=0)
    for name in ["bert", *BESIDE]:
        point = np.mean([split["point"][name] for split in per_split], axis=0)
        drawn = np.mean([split["resampled"][name] for split in per_split], axis=0)
        row = {}
        for place, figure in enumerate(("apgr", "cpt50", "cpt80")):
            low, high = np.nanpercentile(drawn[:, place], [2.5, 97.5])
            row[figure] = {"mean": point[place], "low": low, "high": high}
        low, high = np.nanpercentile(bert[:, 0] - drawn[:, 0], [2.5, 97.5])
        row["bert_less_it_apgr"] = {"low": low, "high": high}
        out["routers"][name] = row
    pathlib.Path(options.out).write_text(json.dumps(out, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(out, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
