#!/usr/bin/env python3
"""Tables of bench/rar/run.sh's results as Markdown. Usage: report.py FOLDER > docs/rar-results-tables.md"""
import json
import pathlib
import sys

folder = pathlib.Path(sys.argv[1])


def load(name):
    path = folder / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def mean(rows, key):
    values = [r[key] for r in rows if r[key] is not None]
    return sum(values) / len(values) if values else float("nan")


def stages(name, title):
    run = load(name)
    if not run:
        return
    print(f"\n### {title}\n")
    print("| strategy | stage | strong calls | strong share | shadow calls | guide calls | accuracy | to ideal static | to always-strong | "
          "strong calls against ideal static | gain over mixture, points | cost with learning |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    for row in run["rows"]:
        for stage in sorted({s["stage"] for s in row["stages"]}):
            rows = [s for s in row["stages"] if s["stage"] == stage]
            print(f"| `{row['strategy']}` | {stage} | {mean(rows, 'strong_calls'):.0f} | {mean(rows, 'strong_share'):.3f} | "
                  f"{mean(rows, 'shadow_calls'):.0f} | {mean(rows, 'guide_calls'):.0f} | {mean(rows, 'quality'):.4f} | "
                  f"{mean(rows, 'relative_to_ideal'):.3f} | {mean(rows, 'retention'):.3f} | "
                  f"{mean(rows, 'strong_calls_against_ideal') * 100:+.1f}% | {mean(rows, 'gain') * 100:+.2f} | {mean(rows, 'cost_rel'):.3f} |")
    first = run["rows"][0]["stages"]
    orders = len({s["order"] for s in first})
    print(f"\n{run['dataset']}, weak {run['weak']}, strong {run['strong']}, {run['transport'].replace('_', ' ')}; n = {first[0]['n']} a stage, "
          f"mean of {orders} order(s). Always-weak {mean(first, 'always_weak'):.4f}, always-strong {mean(first, 'always_strong'):.4f}, "
          f"ideal static router {mean(first, 'ideal_static'):.4f} at a strong share of {mean(first, 'ideal_static_strong_share'):.3f}.")


def passes(name, title):
    run = load(name)
    if not run:
        return
    print(f"\n### {title}\n")
    print("| strategy | orders | strong share | accuracy | to always-strong | random mixture | gain, points [95%: questions and orders] | "
          "[95%: questions only] | shadow calls a request | cost with learning |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for row in run["rows"]:
        rows = [s for s in row["stages"] if s["stage"] == 1]
        gain = lambda key: (f"{row[key]['mean'] * 100:+.2f} [{row[key]['ci95'][0] * 100:+.2f}, {row[key]['ci95'][1] * 100:+.2f}]"
                            if key in row else f"{mean(rows, 'gain') * 100:+.2f}")
        print(f"| `{row['strategy']}` | {len(rows)} | {mean(rows, 'strong_share'):.3f} | {mean(rows, 'quality'):.4f} | {mean(rows, 'retention'):.3f} | "
              f"{mean(rows, 'random_mixture'):.4f} | {gain('gain')} | {gain('gain_questions_only').split(' ', 1)[-1]} | "
              f"{mean(rows, 'shadow_calls') / rows[0]['n']:.2f} | {mean(rows, 'cost_rel'):.3f} |")
    print(f"\n{run['dataset']}, weak {run['weak']}, strong {run['strong']}, {run['transport'].replace('_', ' ')}; n = {run['n']} questions "
          f"({run['dropped']} left out: repeats, contaminated, or without both models).")


def guides():
    print("\n### Guides, simulated\n")
    print("| arm | strategy | strong share | quality | to always-strong | served by weak | guides kept | guide calls | cost with learning |")
    print("|---|---|---|---|---|---|---|---|---|")
    for arm in ("none", "useful", "placebo"):
        run = load(f"guides_{arm}")
        for row in run["rows"] if run else []:
            s = row["stages"][0]
            print(f"| {arm} | `{row['strategy']}` | {s['strong_share']:.3f} | {s['quality']:.4f} | {s['retention']:.3f} | "
                  f"{s['n'] - s['strong_calls']} | {s['guides']} | {s['guide_calls']} | {s['cost_rel']:.3f} |")


stages("stages_http", "Five stages over one shuffled subset of 2,000 (mmlu_pro, over HTTP)")
passes("pass_http", "One pass over everything (mmlu_pro, over HTTP)")
passes("pass_orders", "One pass over everything, several orders (mmlu_pro, in process)")
stages("mmlu_stages", "Five stages over one shuffled subset of 2,000 (routellm_mmlu, in process)")
passes("mmlu_pass", "One pass over everything (routellm_mmlu, in process)")
passes("mmlu_pass_without_hsm", "The same without high_school_mathematics, whose strong answers are faulty at the source")
guides()
