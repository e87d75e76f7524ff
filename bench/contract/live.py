#!/usr/bin/env python3
"""A contract over HTTP for many requests, with a silent change of the weak model half way and kill -9 in the middle.

The real binary in front of two models of this script's own (tests/contract_test.py), whose every answer it knows to be right
or wrong. Prints one JSON object: what was served, wrong answers against what the promise allows (largest excess at any moment),
requests from the change to the last weak answer, cost by tenths of the run against always-strong with learning included, and
whether the contract was the same to the byte after the kill.

  BREVET_BINARY=build/release/brevet python3 bench/contract/live.py --requests 100000 --json bench/results/contract-live.json
"""
import argparse
import concurrent.futures
import hashlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
import contract_test as parts  # noqa: E402
from gateway_harness import Gateway  # noqa: E402


def uniform(seed, n):
    return int.from_bytes(hashlib.sha256(f"{seed}:{n}".encode()).digest()[:8], "big") / 2**64


def money(gateway):
    _, _, report = gateway.call("GET", "/v1/report?route=auto")
    row = report["routes"][0]
    spent = sum(row["cost"][part]["usd_number"] for part in ("serve", "learn", "guide", "judge"))
    return spent, row["always_strong"]["usd_number"]


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--requests", type=int, default=100_000)
    arguments.add_argument("--agree", type=float, default=.985, help="share of questions that weak gets right before the change")
    arguments.add_argument("--agree-after", type=float, default=.6, help="and after it; the model id stays the same")
    arguments.add_argument("--retain", type=float, default=.95)
    arguments.add_argument("--check-share-min", type=float, default=.05)
    arguments.add_argument("--judged", action="store_true", help="free text: a judge that calls 75%% of wrong answers the same")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--threads", type=int, default=16)
    arguments.add_argument("--json", default="")
    flags = arguments.parse_args()

    world = parts.World()
    change = flags.requests // 2
    kill = flags.requests // 4
    world.weak_right = lambda n: uniform(flags.seed, n) < (flags.agree if n < change else flags.agree_after)
    if flags.judged:
        truth = world.answer

        def answer(body):
            text = "\n".join(m["content"] for m in body["messages"])
            if body["model"] == "judge" and "Judge whether two answers" in text and "grey" in text and "blue" in text:
                world.calls["judge"] = world.calls.get("judge", 0) + 1
                hidden = uniform(flags.seed + 7, hashlib.sha256("".join(sorted(text)).encode()).hexdigest()) < .75
                return "[[C]]" if hidden else ("[[A]]" if text.index("blue") < text.index("grey") else "[[B]]")
            return truth(body)

        world.answer = answer
        world.judge_says = {}
    judge = ", judge: judge, auditor: strong, audit_share: .3" if flags.judged else ""
    terms = "{{" + f"retain: {flags.retain}, confidence: .95, check_share_min: {flags.check_share_min}{judge}" + "}}"
    config = parts.config(world, terms)
    data = os.path.join(tempfile.mkdtemp(prefix="brevet-live-"), "data")
    started = time.monotonic()

    out = {"requests": flags.requests, "retain": flags.retain, "confidence": .95, "agree": flags.agree,
           "agree_after": flags.agree_after, "change_at": change, "kill_at": kill, "judged": flags.judged, "seed": flags.seed,
           "check_share_min": flags.check_share_min, "tenths": []}
    wrong = [False] * flags.requests
    weak = [False] * flags.requests
    block = max(1, flags.requests // 100)
    gateway = Gateway(config, data=data)
    client = parts.Client(gateway, world)
    spent_before = strong_before = 0.0

    def one(n):
        text = f"Write an essay on number {n}." if flags.judged else None
        status, model, _, raw = client.one(n, text=text)
        assert status == 200, raw
        weak[n] = model == "weak"
        wrong[n] = not (str(n + 1).encode() in raw or b"blue" in raw)

    try:
        with concurrent.futures.ThreadPoolExecutor(flags.threads) as pool:
            for start in range(0, flags.requests, block):
                if start <= kill < start + block:
                    parts.quiet(gateway)
                    before = parts.contract(gateway)
                    gateway.stop(signal.SIGKILL)
                    gateway = Gateway(config, data=data)
                    client = parts.Client(gateway, world)
                    one(start)
                    after = parts.contract(gateway)
                    out["kill_same_bytes"] = after["restored_hash"] == before["state_hash"]
                    start += 1
                    list(pool.map(one, range(start, min(start - 1 + block, flags.requests))))
                else:
                    list(pool.map(one, range(start, min(start + block, flags.requests))))
                end = min(start + block, flags.requests)
                if end % (flags.requests // 10) < block and end >= (len(out["tenths"]) + 1) * (flags.requests // 10):
                    spent, strong = money(gateway)
                    first = len(out["tenths"]) * (flags.requests // 10)
                    out["tenths"].append({
                        "to": end, "weak_share": round(sum(weak[first:end]) / (end - first), 4),
                        "wrong_share": round(sum(wrong[first:end]) / (end - first), 5),
                        "cost_of_always_strong": round((spent - spent_before) / (strong - strong_before), 4)
                        if strong > strong_before else None})
                    spent_before, strong_before = spent, strong
                    print(json.dumps(out["tenths"][-1]), file=sys.stderr, flush=True)
        parts.quiet(gateway)
        said = parts.contract(gateway)
    finally:
        gateway.stop()
        world.close()
        shutil.rmtree(os.path.dirname(data), ignore_errors=True)

    excess, total, worst = 0, 0, 0
    for n in range(flags.requests):
        total += wrong[n]
        excess = total - (1 - flags.retain) * (n + 1)
        worst = max(worst, excess)
    after = [n for n in range(change, flags.requests) if weak[n]]
    out.update({
        "weak_share": round(sum(weak) / flags.requests, 4), "wrong": total, "wrong_allowed": (1 - flags.retain) * flags.requests,
        "kept": 1 - total / flags.requests, "promise_kept_at_every_moment": worst <= 0,
        "largest_excess": worst, "first_weak": next((n for n in range(flags.requests) if weak[n]), None),
        "weak_served_after_change": len([n for n in after if n < change + flags.requests // 10]),
        "wrong_after_change": sum(wrong[change:change + flags.requests // 10]),
        "contract": {"state": said["groups"][0]["state"], "drift": said["groups"][0]["drift"],
                     "checks": {k: said["groups"][0]["checks"][k] for k in ("made", "compared", "never_came", "cost_share")}},
        "seconds": round(time.monotonic() - started, 1)})
    text = json.dumps(out, indent=1)
    print(text)
    if flags.json:
        pathlib.Path(flags.json).write_text(text + "\n")
    return 0 if out["promise_kept_at_every_moment"] and out.get("kill_same_bytes", True) else 1


if __name__ == "__main__":
    sys.exit(main())
