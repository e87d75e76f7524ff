#!/usr/bin/env python3
"""FrugalGPT's published points (summary/*.csv of its repository, Apache-2.0): the cheapest cascade that is at least as good as the
best single model, on the authors' test splits. Usage: published.py frugalgpt_published_curves.json"""
import json
import sys

with open(sys.argv[1], encoding="utf-8") as file:
    files = json.load(file)["files"]
print("| data | best single model | its accuracy | cheapest cascade as good | cost beside it | best cascade |")
print("|---|---|---|---|---|---|")
for name, rows in sorted(files.items()):
    if "updatedmodel" in name:  # mixes costs of whole test sets with costs per question
        continue
    single = [row for row in rows if row["Method"] != "FrugalGPT"]
    cascades = [row for row in rows if row["Method"] == "FrugalGPT"]
    if not single or not cascades:
        continue
    best = max(single, key=lambda row: row["Test_acc"])
    good = [row for row in cascades if row["Test_acc"] >= best["Test_acc"]]
    top = max(cascades, key=lambda row: row["Test_acc"])
    cheapest = min(good, key=lambda row: row["Test_cost"]) if good else None
    print(f"| {name} | {best['Method']} | {best['Test_acc']:.4f} | " +
          (f"{cheapest['Test_acc']:.4f} | {cheapest['Test_cost'] / best['Test_cost']:.3f}" if cheapest else "none | -") +
          f" | {top['Test_acc']:.4f} |")
