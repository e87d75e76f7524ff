#!/usr/bin/env python3
"""Markdown tables of docs/routers-measured.md from the JSON files that bench/router/measure.sh leaves.

Usage: bench/router/tables.py OUT [PIECE...]     (standard library only)
"""
import json
import os
import sys

REFERENCE = "average3"
BASELINES = {"always_weak", "always_strong", "best_single", "random_mixture", "zero_router", "oracle", "oracle_all", "exact_lookup"}


def short(value, digits=3):
    text = f"{value:.{digits}f}"
    return text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text


def mean(figure, digits=3):
    if figure is None:
        return "-"
    value = figure["mean"] if isinstance(figure, dict) else figure
    return short(value, digits)


def interval(figure, digits=3, factor=1, sign=False):
    if not figure:
        return "-"
    plus = lambda x: ("+" if sign and x >= 0 else "") + short(x * factor, digits)
    text = plus(figure["mean"])
    if figure.get("ci95"):
        low, high = figure["ci95"]
        text += f" [{plus(low)}, {plus(high)}]"
    return text


def load(folder, piece):
    path = os.path.join(folder, piece + ".json")
    if not os.path.exists(path):
        return None
    with open(path) as file:
        return json.load(file)


def pair_of(report, dataset, a, b, metric):
    """The difference a - b, whichever way round the file has it."""
    for row in report["pairwise"]:
        if row["dataset"] != dataset or row["metric"] != metric:
            continue
        if (row["a"], row["b"]) == (a, b):
            return row
        if (row["a"], row["b"]) == (b, a):
            turned = dict(row, mean=-row["mean"])
            if row.get("ci95"):
                turned["ci95"] = [-row["ci95"][1], -row["ci95"][0]]
            return turned
    return None


def heading(report, dataset):
    rows = [row for row in report["rows"] if row["dataset"] == dataset and row["splits"] > 1]
    splits = rows[0]["splits"] if rows else 1
    labels = rows[0]["labels"] if rows else 0
    n = rows[0]["n"] if rows else report["rows"][0]["n"]
    return f"n = {n} test questions of the first split, {splits} splits, {labels} labels."


def pair_table(report, reference=REFERENCE):
    out = []
    for dataset in [one["name"] for one in report["datasets"]]:
        out += [heading(report, dataset), ""]
        out += [
            f"| router | APGR [95%] | CPT50 [95%] | CPT80 | APGR less {reference}'s [95%] | CPT50 less {reference}'s [95%] | Brier | ECE | AUROC |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        rows = [
            row
            for row in report["rows"]
            if row["dataset"] == dataset and row["apgr"] and row["strategy"] not in BASELINES | {"knn"} and " over " not in row["strategy"]
        ]
        for row in sorted(rows, key=lambda row: -row["apgr"]["mean"]):
            name = row["strategy"]
            out.append(
                f"| {label(name)} | {interval(row['apgr'])} | {interval(row['cpt50'])} | {mean(row['cpt80'])} | "
                f"{interval(pair_of(report, dataset, name, reference, 'apgr'), sign=True)} | "
                f"{interval(pair_of(report, dataset, name, reference, 'cpt50'), sign=True)} | "
                f"{mean(row['brier'], 4)} | {mean(row['ece'])} | {mean(row['auroc'])} |"
            )
        out.append("")
    return out


def label(name):
    return "knn (router)" if name == "knn{trained=true}" else name


def curve_table(report):
    """APGR by number of labels; all counts on the same test questions."""
    out = []
    for dataset in [one["name"] for one in report["datasets"]]:
        rows = [row for row in report["rows"] if row["dataset"] == dataset and row["splits"] > 1]
        further = []
        counts = sorted({row["labels"] for row in rows + further})
        out += [f"n = {rows[0]['n']} test questions, {rows[0]['splits']} splits.", ""]
        out += ["| router | " + " | ".join(f"{count:,}" for count in counts) + " |", "|---" * (len(counts) + 1) + "|"]
        by = {}
        for row in rows + further:
            if " over " not in row["strategy"] and row["strategy"] != "knn" and row["apgr"]:
                by.setdefault(row["strategy"], {})[row["labels"]] = row["apgr"]
        last = lambda item: -item[1][counts[-1]]["mean"] if counts[-1] in item[1] else 0
        for name, found in sorted(by.items(), key=last):
            out.append(f"| {label(name)} | " + " | ".join(interval(found.get(count)) for count in counts) + " |")
        out.append("")
    return out


def many_table(report):
    out = []
    for dataset in [one["name"] for one in report["datasets"]]:
        rows = [row for row in report["rows"] if row["dataset"] == dataset and " over " in row["strategy"]]
        if not rows:
            continue
        first = rows[0]
        out += [f"n = {first['n']} test questions of the first split, {first['splits']} splits, {first['labels']} labels.", ""]
        costs = any(row["aiq"] for row in rows)
        out.append(
            "| router | "
            + ("AIQ [95%] | AIQ less Zero router's [95%], points | " if costs else "quality %, [95%] | ")
            + "best by prediction less best single model [95%], points | over its own shuffle [95%], points |"
        )
        out.append("|---" * (5 if costs else 4) + "|")
        key = (lambda row: -row["aiq"]["mean"]) if costs else (lambda row: -row["quality"]["mean"])
        for row in sorted(rows, key=key):
            name = row["strategy"]
            cells = [label(name.split(" over ")[0])]
            if costs:
                cells += [interval(row["aiq"]), interval(pair_of(report, dataset, name, "zero_router", "aiq"), 2, 100, True)]
            else:
                cells.append(interval(row["quality"], 1, 100))
            cells += [interval(pair_of(report, dataset, name, "best_single", "quality"), 2, 100, True), interval(row["shuffle_gain"], 2, 100, True)]
            out.append("| " + " | ".join(cells) + " |")
        for name in ("best_single", "zero_router", "oracle_all"):
            row = next(row for row in report["rows"] if row["dataset"] == dataset and row["strategy"] == name)
            figure = interval(row["aiq"]) if costs else interval(row["quality"], 1, 100)
            if costs and not row["aiq"]:
                figure = f"quality {interval(row['quality'], 1, 100)}%"
            out.append(f"| *{name}, first split* | {figure} |" + " - |" * (3 if costs else 2))
        out.append("")
    return out


SHORT = {
    "routellm_mmlu": "RouteLLM MMLU", "routellm_gsm8k": "RouteLLM GSM8K", "mmlu_pro": "MMLU-Pro Llama",
    "mmlu_pro@gemini-1.5-flash-002,gemini-1.5-pro-002": "MMLU-Pro gemini", "llmrouter_uiuc": "UIUC", "routerbench_sample": "RouterBench",
}


def transfer_table(report):
    """APGR fitted on a row's set and tested on a column's."""
    sets = [one["name"] for one in report["datasets"]]
    out = []
    strategies = []
    for row in report["transfer"]:
        if row["strategy"] not in strategies and row["strategy"] != "knn":
            strategies.append(row["strategy"])
    for strategy in strategies:
        out += [f"**{label(strategy)}**: APGR [95%], fitted on the row, tested on the column", "", "| | " + " | ".join(SHORT.get(one, one) for one in sets) + " |", "|---" * (len(sets) + 1) + "|"]
        for source in sets:
            cells = [SHORT.get(source, source)]
            for target in sets:
                found = [row for row in report["transfer"] if (row["strategy"], row["fitted_on"], row["tested_on"]) == (strategy, source, target)]
                text = interval(found[0]["apgr"], 2) if found else "-"
                cells.append(f"*{text}*" if source == target else text)
            out.append("| " + " | ".join(cells) + " |")
        out.append("")
    return out


def peers_table(report):
    out = ["| router | beside | rank correlation | largest difference | APGR ours, theirs | fit, s: ours (six fits and calibration), theirs (one) | predict, us: ours, theirs |", "|---|---|---|---|---|---|---|"]
    for row in report["rows"]:
        fit = f"{row['fit_s_ours']:.2f}, " + ("-" if not row["fit_s_theirs"] else f"{row['fit_s_theirs']:.2f}")
        rank = f"{row['rank_correlation']:.4f}" + ("" if row["deterministic"] else " (random start)")
        out.append(
            f"| `{row['router']}` | {row['peer']} | {rank} | {row['largest_difference']:.1e} | {short(row['apgr_ours'])}, {short(row['apgr_theirs'])} | {fit} | "
            f"{row['predict_us_ours']:.1f}, {row['predict_us_theirs']:.0f} |"
        )
    return out + [""]


def robustness_table(report):
    variants = []
    for row in report["rows"]:
        if row["variant"] not in variants:
            variants.append(row["variant"])
    n = {row["variant"]: row["n"] for row in report["rows"]}
    out = ["| router | " + " | ".join(f"{name} (n = {n[name]})" for name in variants) + " |", "|---" * (len(variants) + 1) + "|"]
    kinds = sorted({row["router"] for row in report["rows"]})
    for kind in kinds:
        cells = [kind]
        for name in variants:
            row = next(row for row in report["rows"] if (row["router"], row["variant"]) == (kind, name))
            low, high = row["ci95"]
            cells.append(f"{100 * row['changed']:.0f} [{100 * low:.0f}, {100 * high:.0f}], {100 * row['strong_before']:.0f} to {100 * row['strong_after']:.0f}")
        out.append("| " + " | ".join(cells) + " |")
    return out + [""]


def ablation_table(report):
    """Every row against its own kind with default inputs and labels."""
    out = []
    for dataset in [one["name"] for one in report["datasets"]]:
        out += [heading(report, dataset), "", "| router | inputs | labels | APGR [95%] | less the same router's default [95%] |", "|---|---|---|---|---|"]
        rows = [row for row in report["rows"] if row["dataset"] == dataset and row["apgr"] and row["strategy"] not in BASELINES | {"knn"} and " over " not in row["strategy"]]
        plain = {"knn": "knn{trained=true}"}
        for row in sorted(rows, key=lambda row: row["strategy"]):
            kind, _, rest = row["strategy"].partition("{")
            told = dict(part.split("=") for part in rest.rstrip("}").split(";") if "=" in part)
            default = plain.get(kind, kind)
            against = pair_of(report, dataset, row["strategy"], default, "apgr") if row["strategy"] != default else None
            out.append(
                f"| {kind} | {told.get('inputs', 'embedding')} | {told.get('labels', 'gain')} | {interval(row['apgr'])} | "
                f"{interval(against, sign=True) if against else '-'} |"
            )
        out.append("")
    return out


TABLES = {
    "mmlu": pair_table,
    "mmlu_without_hsm": pair_table,
    "curve_low": curve_table,
    "curve_high": curve_table,
    "gsm8k": pair_table,
    "pro_llama": pair_table,
    "pro_gemini": pair_table,
    "routerbench": lambda report: many_table(report) + pair_table(report, "knn{trained=true}"),
    "uiuc": lambda report: many_table(report) + pair_table(report, "knn{trained=true}"),
    "transfer": transfer_table,
    "hybrid_mt_bench": lambda report: pair_table(report, "hybrid_det"),
    "hybrid_date": lambda report: pair_table(report, "hybrid_det"),
    "peers": peers_table,
    "robustness": robustness_table,
    "ablation_ensemble": ablation_table,
    "ablation_knn": ablation_table,
    "ablation_svm": ablation_table,
    "ablation_bert_head": ablation_table,
    "ablation_mf": ablation_table,
    "static_ensemble": ablation_table,
    "static_knn": ablation_table,
    "static_svm": ablation_table,
    "static_bert_head": ablation_table,
    "static_mf": ablation_table,
    "static_uiuc": lambda report: many_table(report) + ablation_table(report),
}


def main():
    folder = sys.argv[1]
    for piece in sys.argv[2:] or TABLES:
        report = load(folder, piece)
        if report is None:
            print(f"({piece}: not measured)\n")
            continue
        print(f"### {piece}\n")
        print("\n".join(TABLES[piece](report)))


if __name__ == "__main__":
    main()
