#!/usr/bin/env python3
"""Goal: a route under a quality contract keeps its promise over HTTP: weak serves only after proof, stops when it turns bad or
changes its model id, a judge that hides errors is found out by its audits, and kill -9 leaves the same contract to the byte.
Method: the real binary in front of two models of the test's own, whose every answer the test knows to be right or wrong."""
import concurrent.futures
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from gateway_harness import BREVET, Gateway


class World:
    """Two models that add numbers. `weak_right(n)` says whether weak gets question n right."""

    def __init__(self):
        self.weak_right = lambda n: True
        self.weak_id = "weak-1"
        self.judge_says = {"judge": "[[C]]", "strong-id": None}  # None: the truth
        self.lock = threading.Lock()
        self.calls = {}
        world = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *args):
                pass

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                answer = world.answer(body)
                out = {"id": "x", "object": "chat.completion", "created": 1,
                       "model": world.weak_id if body["model"] == "weak-id" else body["model"],
                       "choices": [{"index": 0, "message": {"role": "assistant", "content": answer}, "finish_reason": "stop"}],
                       "usage": {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}}
                if body.get("stream"):
                    chunk = dict(out, object="chat.completion.chunk",
                                 choices=[{"index": 0, "delta": {"role": "assistant", "content": answer}, "finish_reason": None}])
                    last = dict(out, object="chat.completion.chunk", choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}])
                    data = b"".join(b"data: " + json.dumps(c).encode() + b"\n\n" for c in (chunk, last)) + b"data: [DONE]\n\n"
                    kind = "text/event-stream"
                else:
                    data, kind = json.dumps(out).encode(), "application/json"
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 256

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.port = self.server.server_address[1]

    def answer(self, body):
        model = body["model"]
        text = "\n".join(m["content"] for m in body["messages"])
        with self.lock:
            self.calls[model] = self.calls.get(model, 0) + 1
        if "Judge whether two answers" in text:
            said = self.judge_says.get(model)
            if said is not None:
                return said
            verses = set(re.findall(r"The tide of (\w+)", text))
            return "[[C]]" if len(verses) == 1 else ("[[A]]" if text.index("blue") < text.index("grey") else "[[B]]")
        n = int(re.search(r"number (\d+)", text).group(1))
        right = model != "weak-id" or self.weak_right(n)
        if "essay" in text:  # free text, which no check can compare
            if right and model == "weak-id":
                return f"The tide of blue rises over stone {n} while gulls circle high above the quiet harbour wall and sleep."
            colour = "blue" if right else "grey"
            return f"The tide of {colour} comes at dawn to stone {n}, and fishermen mend their nets beside the old pier again."
        return f"The answer is {n + 1 if right else n + 7}."

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def config(world, contract, more=""):
    """A configuration with the route `auto` under this contract."""
    def model(name, price):
        return (f'  {name}: {{{{base_url: "http://127.0.0.1:{world.port}/v1", id: {name}-id, price: {price}, retries: 0, '
                f'concurrent_max: 256}}}}\n')
    return ('server: {{address: 127.0.0.1, port: 0, threads: 2, data_dir: "{data}", drain_ms: 3000, log: warn}}\n'
            "models:\n" + model("weak", "{{input: 0.1, output: 0.2}}") + model("strong", "{{input: 2, output: 8}}") +
            model("judge", "{{input: 0.1, output: 0.2}}").replace("judge-id", "judge") +
            "routes:\n"
            "  auto:\n    strategy: always_weak\n    candidates: [weak, strong]\n"
            "    learning: {{guides: false, queue_max: 4096, parallel_max: 32}}\n"
            f"    contract: {contract}\n" + more)


class Client:
    """Sends numbered questions and keeps count of what was served."""

    def __init__(self, gateway, world):
        self.gateway, self.world = gateway, world
        self.local = threading.local()
        self.served = {"weak": 0, "strong": 0}
        self.wrong = 0
        self.reasons = {}
        self.sent = 0
        self.lock = threading.Lock()

    def one(self, n, text=None, headers=None, stream=False):
        body = {"model": "auto", "messages": [{"role": "user", "content": text or f"Add one to number {n}. Reply with a number."}]}
        if stream:
            body["stream"] = True
        for again in (False, True):
            connection = getattr(self.local, "connection", None)
            if connection is None:
                connection = self.local.connection = http.client.HTTPConnection("127.0.0.1", self.gateway.port, timeout=60)
            try:
                connection.request("POST", "/v1/chat/completions", json.dumps(body), dict({"content-type": "application/json"},
                                                                                         **(headers or {})))
                reply = connection.getresponse()
                raw = reply.read()
                break
            except (OSError, http.client.HTTPException):
                self.local.connection = None
                if again:
                    raise
        model, reason = reply.headers.get("x-brevet-model"), reply.headers.get("x-brevet-reason", "")
        right = str(n + 1).encode() in raw or b"blue" in raw
        with self.lock:
            self.sent += 1
            self.served[model] = self.served.get(model, 0) + 1
            self.wrong += 0 if right else 1
            self.reasons[reason.split(":")[0]] = self.reasons.get(reason.split(":")[0], 0) + 1
        return reply.status, model, reason, raw

    def send(self, start, count, threads=8, **more):
        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda n: self.one(n, **more), range(start, start + count)))


def contract(gateway):
    status, _, body = gateway.call("GET", "/v1/contract?route=auto")
    assert status == 200, body
    return body["contracts"][0] if body["contracts"] else None


def quiet(gateway):
    """Waits until no comparison is under way."""
    gateway.wait_until(lambda: all(g["checks"]["under_way"] == 0 for g in contract(gateway)["groups"]), 60)


def until_weak(client, start, most=2500):
    """Sends questions until weak serves; the number of the next one."""
    n = start
    while n < start + most:
        client.send(n, 100)
        n += 100
        quiet(client.gateway)
        if contract(client.gateway)["groups"][0]["certified"]["positions"] > 0 and client.one(n)[1] == "weak":
            return n + 1
        n += 1
    raise AssertionError("weak never served: " + json.dumps(contract(client.gateway)["groups"][0]))


CONTRACT = "{{retain: .9, confidence: .95, check_share_min: .2}}"


class ContractTest(unittest.TestCase):
    def setUp(self):
        self.world = World()

    def tearDown(self):
        self.world.close()

    def test_weak_serves_after_proof_and_stops_when_it_turns_bad(self):
        with Gateway(config(self.world, CONTRACT)) as gateway:
            client = Client(gateway, self.world)
            status, model, reason, _ = client.one(1)
            self.assertEqual((status, model), (200, "strong"))
            self.assertIn("contract_not_certified", reason)
            n = until_weak(client, 2)
            # Comparisons on their way are booked at their worst, so with many at once credit grows into full service.
            while client.served["weak"] <= 400 and client.sent < 3000:
                client.send(n, 200)
                n += 200
                quiet(gateway)
            self.assertGreater(client.served["weak"], 400)
            self.assertEqual(client.wrong, 0)
            said = contract(gateway)
            self.assertEqual(said["groups"][0]["state"], "serving")
            self.assertGreater(said["saved"]["serving_usd"], 0)
            # The same model id, and every answer wrong from here on.
            self.world.weak_right = lambda n: False
            client.send(n, 1200)
            n += 1200
            quiet(gateway)
            self.assertGreaterEqual(1 - client.wrong / client.sent, .9, "the promise, on what was served")
            before = client.served["weak"]
            client.send(n, 50)
            self.assertEqual(client.served["weak"], before, "strong serves now")
            said = contract(gateway)["groups"][0]
            self.assertIn(said["state"], ("alarm", "no_credit", "nothing_to_gain", "learning"))
            self.assertGreater(said["drift"]["alarms"] + said["refused"]["no_credit"], 0)
            text = subprocess.run([BREVET, "contract", "--url", f"http://127.0.0.1:{gateway.port}"], capture_output=True, text=True)
            self.assertEqual(text.returncode, 0, text.stderr)
            for words in ("at least 90 of 100", "it stands on", "where both are wrong alike", "net of learning"):
                self.assertIn(words, text.stdout)
            _, _, metrics = gateway.call("GET", "/metrics")
            self.assertIn(b'brevet_contract_weak_total{route="auto",group="rest"}', metrics)

    def test_streams_are_booked_before_their_first_byte(self):
        with Gateway(config(self.world, CONTRACT)) as gateway:
            client = Client(gateway, self.world)
            _, model, reason, raw = client.one(1, stream=True)
            self.assertEqual(model, "strong")
            self.assertIn("contract_not_certified", reason)
            self.assertTrue(raw.rstrip().endswith(b"[DONE]") or b"[DONE]" in raw)
            n = until_weak(client, 2)
            before = contract(gateway)["groups"][0]["weak_served"]
            _, model, _, raw = client.one(n, stream=True)
            self.assertEqual(model, "weak")
            self.assertIn(b"[DONE]", raw)
            self.assertEqual(contract(gateway)["groups"][0]["weak_served"], before + 1)
            # What may not be learned from cannot be compared, and so is not given to weak.
            _, model, reason, _ = client.one(n + 1, headers={"x-brevet-learn": "off"})
            self.assertEqual(model, "strong")
            self.assertIn("contract_not_checkable", reason)

    def test_another_model_id_is_certified_anew(self):
        with Gateway(config(self.world, CONTRACT)) as gateway:
            client = Client(gateway, self.world)
            n = until_weak(client, 1)
            self.world.weak_id = "weak-2"
            client.send(n, 30)  # the first answer that comes back tells
            quiet(gateway)
            status, model, reason, _ = client.one(n + 30)
            self.assertEqual((status, model), (200, "strong"))
            self.assertIn("contract_model_changed", reason)
            self.assertEqual(contract(gateway)["model_ids"]["weak"], ["weak-1", "weak-2"])

    def test_kill_9_leaves_the_same_contract(self):
        folder = tempfile.mkdtemp(prefix="brevet-contract-")
        self.addCleanup(shutil.rmtree, folder, True)
        data = os.path.join(folder, "data")
        with Gateway(config(self.world, CONTRACT), data=data) as gateway:
            client = Client(gateway, self.world)
            n = until_weak(client, 1)
            quiet(gateway)
            before = contract(gateway)
            gateway.stop(signal.SIGKILL)
        with Gateway(config(self.world, CONTRACT), data=data) as gateway:
            client = Client(gateway, self.world)
            _, model, _, _ = client.one(n)
            after = contract(gateway)
            self.assertEqual(after["restored_hash"], before["state_hash"])
            self.assertEqual(model, "weak", "what was certified still is")
            # And in the middle of work: nothing that was open may have been lost to the promise.
            sender = threading.Thread(target=lambda: self.quietly(client, n + 1, 400))
            sender.start()
            gateway.wait_until(lambda: contract(gateway)["requests"] > before["requests"] + 60, 60)
            gateway.stop(signal.SIGKILL)
            sender.join()
            served = client.served["weak"]
        with Gateway(config(self.world, CONTRACT), data=data) as gateway:
            client = Client(gateway, self.world)
            client.one(n + 1000)
            last = contract(gateway)
            self.assertGreaterEqual(last["weak_served"], served, "each was on disk before its first byte left")
            self.world.weak_right = lambda n: False
            client.send(n + 2000, 500)
            self.assertGreaterEqual(1 - client.wrong / max(1, last["requests"]), .9)

    @staticmethod
    def quietly(client, start, count):
        try:
            client.send(start, count)
        except (OSError, http.client.HTTPException):
            pass

    def test_the_kill_switch(self):
        with Gateway(config(self.world, CONTRACT)) as gateway:
            url = f"http://127.0.0.1:{gateway.port}"
            client = Client(gateway, self.world)
            n = until_weak(client, 1)
            off = subprocess.run([BREVET, "contract", "--url", url, "--route", "auto", "--turn", "off"],
                                 capture_output=True, text=True)
            self.assertEqual(off.returncode, 0, off.stderr)
            self.assertIn("An operator has stopped it", off.stdout)
            _, model, reason, _ = client.one(n)
            self.assertEqual(model, "strong")
            self.assertIn("contract_switched_off", reason)
            on = subprocess.run([BREVET, "contract", "--url", url, "--route", "auto", "--turn", "on"], capture_output=True,
                                text=True)
            self.assertEqual(on.returncode, 0, on.stderr)
            self.assertEqual(client.one(n + 1)[1], "weak")
            status, _, body = gateway.call("POST", "/v1/contract", {"route": "nowhere", "on": True})
            self.assertEqual((status, body["error"]["code"]), (404, "no_contract"))

    def test_a_judge_that_hides_errors_is_found_out_by_its_audits(self):
        # Free text: nobody but a judge can compare it, and this one calls everything the same.
        self.world.weak_right = lambda n: n % 4 == 0
        judged = "{{retain: .9, confidence: .95, check_share_min: .5, judge: judge, auditor: strong, audit_share: .5}}"
        with Gateway(config(self.world, judged)) as gateway:
            client = Client(gateway, self.world)
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                list(pool.map(lambda n: client.one(n, text=f"Write an essay on number {n}."), range(600)))
            quiet(gateway)
            said = contract(gateway)["groups"][0]
            self.assertGreater(self.world.calls.get("judge", 0), 500, "the judge was asked, in both orders")
            self.assertEqual(client.served["weak"], 0, "three quarters of its answers are wrong")
            self.assertEqual(said["certified"]["positions"], 0)
        self.world.weak_right = lambda n: True
        with Gateway(config(self.world, judged)) as gateway:
            client = Client(gateway, self.world)
            for start in range(0, 4000, 250):
                with concurrent.futures.ThreadPoolExecutor(8) as pool:
                    list(pool.map(lambda n: client.one(n, text=f"Write an essay on number {n}."), range(start, start + 250)))
                quiet(gateway)
                if client.served["weak"] > 0:
                    break
            self.assertGreater(client.served["weak"], 0, json.dumps(contract(gateway)["groups"][0]))

    def test_impossible_contracts_do_not_start(self):
        for contract_text, words in (("{{retain: 1}}", "leaves no answer"),
                                     ("{{judge: judge}}", "hide errors"),
                                     ("{{confidence: 1}}", "no finite number")):
            with self.assertRaises(RuntimeError) as refused:
                Gateway(config(self.world, contract_text))
            self.assertIn("contract_impossible", str(refused.exception))
            self.assertIn(words, str(refused.exception))

    def test_observing_tells_what_would_be_certified(self):
        with Gateway(config(self.world, CONTRACT).replace("strategy: always_weak", "strategy: always_weak\n    mode: observe")) as gateway:
            client = Client(gateway, self.world)
            client.send(1, 500)
            quiet(gateway)
            self.assertEqual(client.served["weak"], 0)
            said = contract(gateway)["groups"][0]
            self.assertGreater(said["checks"]["compared"], 400)
            self.assertEqual(said["certified"]["positions"], 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
