#!/usr/bin/env python3
"""Goal: a real small model (SmolLM2-135M-Instruct through llama-server) serves as the weak one, whole and streamed, with a
guide really in its prompt. Method: the gateway starts llama-server itself; the strong side is the fake upstream, which writes
a guide when asked; the decision's record and the model's own token counts show that the guide was in the prompt."""
import json
import os
import sys

from gateway_harness import Gateway

third_party = os.environ.get("BREVET_THIRD_PARTY", "third_party")
if not os.path.exists(os.path.join(third_party, "llama/bin/llama-server")):
    print("llama-server is not there; scripts/lib/deps.sh local builds it")
    sys.exit(77)

CONFIG = """
server: {{address: 127.0.0.1, port: 0, threads: 2, data_dir: "{data}", log: info}}
models:
  smol:   {{upstream: local, price: {{input: 0.01, output: 0.01}}, logprobs: true}}
  strong: {{upstream: openai, base_url: "http://127.0.0.1:{port}/v1", id: strong-id, price: {{input: 2, output: 8}}}}
routes:
  auto:  {{strategy: rar, candidates: [smol, strong], learning: {{allowance: 1, budget_share: 10}}}}
  cheap: {{strategy: always_weak, candidates: [smol, strong], learning: {{enabled: false}}}}
"""

with Gateway(CONFIG) as gateway:
    status, headers, body = gateway.chat("Say hello.", "smol", max_tokens=16)
    assert status == 200 and body["choices"][0]["message"]["content"].strip(), body
    assert body["usage"]["completion_tokens"] > 0
    print("whole:", json.dumps(body["choices"][0]["message"]["content"]))
    status, headers, events = gateway.events("Count to five.", "cheap", max_tokens=24)
    text = "".join(json.loads(e)["choices"][0]["delta"].get("content") or "" for e in events if e != "[DONE]" and json.loads(e)["choices"])
    assert status == 200 and events[-1] == "[DONE]" and text.strip(), events
    assert headers["x-brevet-model"] == "smol"
    print("streamed:", json.dumps(text))

    # Questions that the small model and the fake strong one answer differently: the shadow tries weak alone, has the strong
    # one write a guide, and tries weak again with it. Its own decision shows every call. An answer that is cut at its bound
    # compares as "cannot tell" and asks for no guide, so several questions are tried until one goes all the way.
    def shadow_of(parent):
        status, _, decision = gateway.call("GET", "/v1/decisions/" + parent)
        shadows = decision.get("shadows") if status == 200 else None
        status, _, decision = gateway.call("GET", "/v1/decisions/" + shadows[0]) if shadows else (0, 0, 0)
        return status == 200 and decision

    seen = guided = None
    for a, b in ((17, 23), (12, 31), (41, 7), (19, 19), (8, 56), (64, 3), (25, 13), (9, 77)):
        question = f"What is {a} times {b}? Answer with the number only."
        status, headers, body = gateway.chat(question, "auto", max_tokens=128, temperature=0)
        if headers["x-brevet-model"] != "strong":
            continue
        seen = gateway.wait_until(lambda: shadow_of(headers["x-brevet-decision"]), 120)
        calls = [(c["configuration"], c["purpose"]) for c in seen["attempts"]]
        print("shadow:", calls)
        assert calls[0] == ("smol", "learn"), calls
        guided = [c for c in seen["attempts"] if c["purpose"] == "learn" and "|g=" in c["configuration"]]
        if guided:
            break
    assert guided, "no shadow went as far as a guide"
    alone = seen["attempts"][0]["usage"]["input_tokens"]
    with_guide = guided[0]["usage"]["input_tokens"]
    assert with_guide > alone + 5, (alone, with_guide)
    print(f"the guide is in the small model's prompt: {alone} tokens alone, {with_guide} with it; 1 passed, 0 failed")
