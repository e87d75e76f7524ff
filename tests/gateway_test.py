#!/usr/bin/env python3
"""Goal: the gateway as a program does what its users rely on. Method: the real binary over real sockets in front of a fake
upstream that misbehaves on request. Run: BREVET_BINARY=build/dev/brevet python3 tests/gateway_test.py"""
import json
import signal
import socket
import sys
import unittest

import fake_upstream
from gateway_harness import CONFIG, Gateway

G = None


def setUpModule():
    global G
    G = Gateway()


def tearDownModule():
    G.stop()


class Whole(unittest.TestCase):
    def test_pass_through_is_byte_stable_upstream(self):
        odd = ('{ "model":"weak" , "messages":[{"role":"user","content":"do:echo_body","cache_control":{"type":"ephemeral"}}],'
               '"x_unknown":  [1.50, 2e3,"\\u00e9"],"metadata":{"b":1,"a":2}}')
        status, _, body = G.call("POST", "/v1/chat/completions", odd.encode())
        self.assertEqual(status, 200)
        self.assertEqual(body["choices"][0]["message"]["content"], odd.replace('"weak"', '"weak-id"'))
        self.assertEqual(body["x_unknown"], {"kept": [1, 2.5, "é"]})

    def test_named_model_bypasses_routing_and_is_accounted(self):
        status, headers, body = G.chat("hello", "strong")
        self.assertEqual((status, body["model"]), (200, "strong-id-2024"))
        self.assertGreater(float(headers["x-brevet-cost-usd"]), 0)
        decision = self.decision(headers)
        self.assertEqual(decision["attempts"][0]["configuration"], "strong")
        self.assertFalse(decision["route"])

    def decision(self, headers):
        def get():
            status, _, body = G.call("GET", "/v1/decisions/" + headers["x-brevet-decision"])
            return body if status == 200 else None
        return G.wait_until(get)

    def test_route_names_model_reason_and_decision(self):
        status, headers, body = G.chat("What is the capital of France?")
        self.assertEqual(status, 200)
        self.assertTrue(headers["x-brevet-reason"])
        self.assertEqual(headers["x-brevet-model"], "strong")
        self.assertEqual(self.decision(headers)["route"], "auto")

    def test_tools_pass_and_go_to_the_reference(self):
        tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]
        status, headers, body = G.chat("do:tool never asked before", tools=tools)
        self.assertEqual(status, 200)
        self.assertEqual(body["choices"][0]["message"]["tool_calls"][0]["function"]["name"], "weather")
        self.assertEqual(headers["x-brevet-model"], "strong")

    def test_images_pass(self):
        content = [{"type": "text", "text": "do:echo_body"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]
        status, headers, body = G.call("POST", "/v1/chat/completions", {"model": "auto", "messages": [{"role": "user", "content": content}]})
        self.assertEqual(status, 200)
        self.assertIn("image_url", body["choices"][0]["message"]["content"])

    def test_logprobs_that_we_add_are_hidden_and_asked_ones_kept(self):
        _, _, body = G.chat("plain", "cheap")
        self.assertFalse(body["choices"][0].get("logprobs"))
        _, _, body = G.chat("plain", "weak", logprobs=True)
        self.assertTrue(body["choices"][0]["logprobs"]["content"])

    def test_client_credentials_are_not_forwarded(self):
        G.chat("credential check", "weak", {"authorization": "Bearer sk-client-secret"})
        self.assertNotIn("sk-client-secret", json.dumps(G.upstream_log()))

    def test_failing_weak_falls_back_with_a_reason(self):
        status, headers, body = G.chat("hello", "fallback")
        self.assertEqual((status, headers["x-brevet-model"]), (200, "strong"))
        states = [(a["configuration"], a["state"]) for a in self.decision(headers)["attempts"]]
        self.assertEqual(states, [("down", "failed"), ("strong", "done")])

    def test_observe_serves_strong(self):
        for number in range(5):
            _, headers, _ = G.chat(f"observe {number}", "watch")
            self.assertEqual(headers["x-brevet-model"], "strong")

    def test_exact_repeat_is_learned(self):
        # Both fake models answer with their own name first, so agreement has to be on the checkable core.
        question = "Which letter? The answer is (B)."
        _, first, _ = G.chat(question)
        self.assertEqual(first["x-brevet-model"], "strong")
        served_weak = lambda: G.chat(question)[1]["x-brevet-model"] == "weak"
        G.wait_until(served_weak)

    def test_a_clients_word_is_learned(self):
        question = "Which letter is it now? The answer is (B)."
        served = lambda: G.chat(question)[1]
        G.wait_until(lambda: served()["x-brevet-model"] == "weak")
        status, _, _ = G.call("POST", "/v1/feedback", {"decision_id": served()["x-brevet-decision"], "score": 0})
        self.assertEqual(status, 200)
        G.wait_until(lambda: served()["x-brevet-model"] == "strong")

    def test_dry_run_calls_no_model(self):
        before = len(G.upstream_log())
        status, _, body = G.call("POST", "/v1/route", {"model": "auto", "messages": [{"role": "user", "content": "dry " * 5}]})
        self.assertEqual(status, 200)
        self.assertTrue(body["reason"])
        self.assertEqual([e for e in G.upstream_log()[before:] if "dry dry" in e["body"]], [])

    def test_feedback(self):
        _, headers, _ = G.chat("feedback please", "best")
        status, _, _ = G.call("POST", "/v1/feedback", {"decision_id": headers["x-brevet-decision"], "score": 1})
        self.assertEqual(status, 200)
        status, _, body = G.call("POST", "/v1/feedback", {"decision_id": "dec_nope", "score": 1})
        self.assertEqual((status, body["error"]["code"]), (404, "unknown_decision"))
        status, _, body = G.call("POST", "/v1/feedback", {"decision_id": headers["x-brevet-decision"], "score": 7})
        self.assertEqual(status, 400)


class Streamed(unittest.TestCase):
    def text(self, events):
        chunks = [json.loads(e) for e in events if e != "[DONE]"]
        return "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks if c.get("choices"))

    def test_stream_is_whole_and_ends_once(self):
        for model in ("weak", "best", "auto"):
            status, headers, events = G.events("stream this to me please", model)
            self.assertEqual(status, 200)
            self.assertTrue(headers["content-type"].startswith("text/event-stream"))
            self.assertIn("says: stream this to me please", self.text(events))
            self.assertEqual(events.count("[DONE]"), 1)
            finishes = [c["choices"][0]["finish_reason"] for c in map(json.loads, events[:-1]) if c.get("choices")]
            self.assertEqual([f for f in finishes if f], ["stop"])

    def test_usage_is_asked_for_but_hidden_unless_wanted(self):
        _, _, events = G.events("usage", "weak")
        self.assertFalse(any("usage" in json.loads(e) and json.loads(e)["usage"] for e in events if e != "[DONE]"))
        _, _, events = G.events("usage", "weak", stream_options={"include_usage": True})
        usage = [json.loads(e)["usage"] for e in events if e != "[DONE]" and json.loads(e).get("usage")]
        self.assertEqual(len(usage), 1)

    def test_first_token_comes_before_the_last_is_sent(self):
        connection = G.connect()
        connection.request("POST", "/v1/chat/completions", json.dumps(
            {"model": "best", "stream": True, "messages": [{"role": "user", "content": "do:slow " + "word " * 20}]}))
        response = connection.getresponse()
        first = response.readline()
        self.assertTrue(first.startswith(b"data: "), first)
        self.assertFalse(G.upstream_log()[-1]["done"])
        response.read()
        connection.close()

    def test_cut_stream_ends_in_band_without_done(self):
        _, headers, events = G.events("do:cut a longer text than one piece", "best")
        self.assertNotIn("[DONE]", events)
        self.assertIn("error", json.loads(events[-1]))
        self.assertEqual(json.loads(events[-1])["error"]["code"], "upstream_stream_cut")

    def test_one_bad_event_does_not_end_a_stream(self):
        _, _, events = G.events("do:badsse a longer text than one piece", "best")
        self.assertEqual(events[-1], "[DONE]")

    def test_tool_deltas(self):
        tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}]
        _, _, events = G.events("do:tool streamed", "auto", tools=tools)
        calls = [c["choices"][0]["delta"]["tool_calls"][0] for c in map(json.loads, events[:-1])
                 if c["choices"] and c["choices"][0]["delta"].get("tool_calls")]
        self.assertEqual("".join(c["function"].get("arguments", "") for c in calls), '{"city":"Paris"}')

    def test_hang_up_cancels_upstream_and_is_accounted(self):
        connection = G.connect()
        connection.request("POST", "/v1/chat/completions", json.dumps(
            {"model": "best", "stream": True, "messages": [{"role": "user", "content": "do:slow hang-up " + "word " * 200}]}))
        response = connection.getresponse()
        response.readline()
        decision_id = response.headers["x-brevet-decision"]
        connection.sock.shutdown(socket.SHUT_RDWR)
        connection.close()
        entry = G.wait_until(lambda: next((e for e in G.upstream_log() if "hang-up" in e["body"] and e["hung_up"]), None))
        self.assertFalse(entry["done"])

        def cancelled():
            status, _, body = G.call("GET", "/v1/decisions/" + decision_id)
            return status == 200 and body["state"] == "cancelled" and body
        self.assertIsNotNone(G.wait_until(cancelled)["attempts"][0]["cost"]["usd_number"])

    def test_hang_up_of_a_whole_request_cancels_upstream(self):
        connection = G.connect()
        connection.request("POST", "/v1/chat/completions", json.dumps(
            {"model": "best", "messages": [{"role": "user", "content": "do:hang whole-hang-up"}]}))
        G.wait_until(lambda: any("whole-hang-up" in e["body"] for e in G.upstream_log()))
        connection.sock.shutdown(socket.SHUT_RDWR)
        connection.close()
        G.wait_until(lambda: any("whole-hang-up" in e["body"] and e["hung_up"] for e in G.upstream_log()))


class Errors(unittest.TestCase):
    def expect(self, answer, status, code):
        got, _, body = answer
        self.assertEqual((got, body["error"]["code"] if isinstance(body, dict) else body), (status, code))
        self.assertGreater(len(body["error"]["message"]), 20)

    def post(self, raw):
        return G.call("POST", "/v1/chat/completions", raw)

    def test_bad_requests(self):
        self.expect(self.post(b"{"), 400, "bad_json")
        self.expect(self.post(b""), 400, "empty_body")
        self.expect(self.post(b"\xff\xfe"), 400, "bad_json")
        self.expect(self.post(b"[]"), 400, "wrong_type")
        self.expect(self.post(b'{"messages":[{"role":"user","content":"x"}]}'), 400, "missing_field")
        self.expect(self.post(b'{"model":"auto","messages":[]}'), 400, "bad_value")
        self.expect(self.post(b'{"model":"auto"}'), 400, "missing_field")
        self.expect(self.post(b'{"model":"auto","messages":"x"}'), 400, "wrong_type")
        self.expect(self.post(b'{"model":"auto","messages":[{"role":"user","content":5}]}'), 400, "wrong_type")
        self.expect(self.post(b'{"model":7,"messages":[{"role":"user","content":"x"}]}'), 400, "wrong_type")
        self.expect(self.post(b'{"model":"auto","messages":[{"role":"user","content":"x"}],"stream":"yes"}'), 400, "wrong_type")
        deep = b"[" * 10000 + b"]" * 10000
        self.expect(self.post(b'{"model":"auto","messages":[{"role":"user","content":"x"}],"x":' + deep + b"}"), 400, "json_too_deep")

    def test_unknown_model_names_the_nearest(self):
        answer = G.chat("x", "strnog")
        self.expect(answer, 404, "model_not_found")
        self.assertIn("strong", answer[2]["error"]["message"])

    def test_oversized_body(self):
        status, _, body = self.post(b'{"model":"auto","messages":[{"role":"user","content":"' + b"x" * (33 << 20) + b'"}]}')
        self.assertEqual((status, body["error"]["code"]), (413, "body_too_large"))

    def test_provider_errors_are_passed_on(self):
        self.expect(G.chat("do:e400", "strong"), 400, "context_length_exceeded")
        status, _, body = G.chat("do:e401", "strong")
        # The operator's key is wrong, not the client's: never a 401 that tells the client to change its own key.
        self.assertEqual((status, body["error"]["code"]), (502, "invalid_api_key"))

    def test_retries(self):
        self.assertEqual(G.chat("do:e500once a", "strong")[0], 200)
        self.assertEqual(G.chat("do:e429once a", "strong")[0], 200)
        self.assertEqual(G.chat("do:dropfirst a", "strong")[0], 200)

    def test_garbage_and_down(self):
        self.expect(G.chat("do:garbage", "strong"), 502, "upstream_bad_json")
        self.expect(G.chat("hello", "down"), 502, "upstream_unreachable")

    def test_unknown_paths_and_methods(self):
        self.assertEqual(G.call("GET", "/v1/nothing")[0], 404)
        self.assertEqual(G.call("DELETE", "/v1/models")[0], 405)

    def test_raw_garbage_on_the_socket(self):
        for raw in (b"\x16\x03\x01\x02\x00", b"GET\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
                    b"GET / HTTP/1.1\r\n" + b"a: " + b"b" * 100_000 + b"\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", G.port), timeout=20) as connection:
                try:
                    connection.sendall(raw)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass
                except ConnectionError:
                    pass
        self.assertEqual(G.call("GET", "/health")[0], 200)


class Surface(unittest.TestCase):
    def test_models(self):
        _, _, body = G.call("GET", "/v1/models")
        self.assertEqual(body["object"], "list")
        self.assertLessEqual({"auto", "weak", "strong"}, {m["id"] for m in body["data"]})
        self.assertEqual(G.call("GET", "/v1/models/auto")[2]["id"], "auto")
        self.assertEqual(G.call("GET", "/v1/models/nope")[0], 404)

    def test_health_never_calls_a_model(self):
        # Models of its own names, so that no late shadow of another test counts.
        with Gateway(CONFIG.replace("-id", "-asked-for-health")) as gateway:
            for path in ("/health", "/health/liveness", "/health/liveliness", "/health/readiness"):
                self.assertEqual(gateway.call("GET", path)[0], 200, path)
        self.assertEqual([e for e in G.upstream_log() if "asked-for-health" in e["body"]], [])

    def test_metrics(self):
        G.chat("count me", "best")
        _, _, raw = G.call("GET", "/metrics")
        text = raw.decode()
        self.assertIn("brevet_requests_total", text)
        self.assertIn("brevet_cost_usd_total", text)


    def test_bounds_of_memory_and_learning_are_configuration_and_show_in_metrics(self):
        config = CONFIG.replace("models:", "memory: {{partitions_max: 1}}\nmodels:", 1).replace(
            "auto:   {{strategy: adaptive, candidates: [weak, strong]}}",
            "auto:   {{strategy: adaptive, candidates: [weak, strong], learning: {{allowance: 1, request_bytes_max: 2000}}}}")
        with Gateway(config) as gateway:
            def metric(name):
                lines = gateway.call("GET", "/metrics")[2].decode().splitlines()
                return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))
            for system in ("Be brief.", "Be polite."):  # a partition each
                messages = [{"role": "system", "content": system}, {"role": "user", "content": "What is a brevet?"}]
                before = metric("brevet_outcomes_learned_total")
                gateway.call("POST", "/v1/chat/completions", {"model": "auto", "messages": messages})
                gateway.wait_until(lambda: metric("brevet_outcomes_learned_total") > before)
            self.assertEqual(metric("brevet_memory_partitions "), 1)
            self.assertEqual(metric("brevet_memory_partitions_evicted_total"), 1)
            self.assertEqual(metric("brevet_memory_skills "), 1)
            self.assertGreater(metric("brevet_memory_bytes "), 1000)
            self.assertEqual(metric('brevet_shadows_refused_total{reason="too_large"}'), 0)
            gateway.chat("word " * 500)
            self.assertEqual(metric('brevet_shadows_refused_total{reason="too_large"}'), 1)


class Learning(unittest.TestCase):
    """Off the request path, through the whole program."""

    ROUTE = "auto:   {{strategy: adaptive, candidates: [weak, strong]}}"

    def report(self, gateway):
        rows = [row for row in gateway.call("GET", "/v1/report")[2]["routes"] if row["route"] == "auto"]
        return rows[0] if rows else None

    def learned(self, learning, text):
        config = CONFIG.replace(self.ROUTE, self.ROUTE[:-2] + ", learning: {{allowance: 1, %s}}}}" % learning)
        self.assertNotEqual(config, CONFIG)
        gateway = Gateway(config)
        self.addCleanup(gateway.stop)
        start = len(gateway.upstream_log())
        self.assertEqual(gateway.chat(text)[0], 200)
        gateway.wait_until(lambda: "brevet_outcomes_learned_total 1" in gateway.call("GET", "/metrics")[2].decode() or
                           "brevet_cannot_tell_total 1" in gateway.call("GET", "/metrics")[2].decode())
        return gateway, gateway.upstream_log()[start:]

    def test_the_reference_judges_where_nothing_else_can(self):
        text = "do:essay Describe the sea in a few words."
        gateway, calls = self.learned("guides: false, judge: reference", text)
        report = self.report(gateway)
        self.assertEqual((report["agreement"]["weak_alone"]["same"], report["agreement"]["weak_alone"]["cannot_tell"]), (1, 0))
        self.assertEqual(report["cost"]["judge"]["known"], 2)
        judged = [json.loads(call["body"])["messages"][1]["content"] for call in calls if "Judge whether two answers" in call["body"]]
        self.assertEqual(len(judged), 2)
        first = [prompt.index("Waves come") < prompt.index("A wide blue") for prompt in judged]
        self.assertEqual(sorted(first), [False, True], "one in each order")
        self.assertEqual({call["model"] for call in calls if "Judge whether" in call["body"]}, {"strong-id"})

    def test_without_a_judge_nothing_is_told(self):
        gateway, _ = self.learned("guides: false", "do:essay Describe the sea in a few words.")
        self.assertEqual(self.report(gateway)["agreement"]["weak_alone"]["cannot_tell"], 1)

    def test_a_guide_that_carries_the_answer_is_dropped(self):
        text = "do:leak Which option names the colour of the sky?\nA. red\nB. blue\nC. green\nD. pink\nAnswer with the letter."
        gateway, calls = self.learned("guides: true", text)
        report = self.report(gateway)
        self.assertEqual((report["guides"]["leaked"], report["guides"]["written"]), (1, 0))
        self.assertEqual(report["agreement"]["weak_alone"]["different"], 1)
        self.assertEqual(len([1 for call in calls if "Write a guide" in call["body"]]), 1)
        self.assertEqual([call for call in calls if "rule out the three" in call["body"]], [], "weak never sees it")
        metrics = gateway.call("GET", "/metrics")[2].decode()
        self.assertIn("brevet_guides_leaked_total 1", metrics)
        self.assertIn("brevet_memory_guides 0", metrics)


class Drain(unittest.TestCase):
    def test_sigterm_lets_requests_end(self):
        gateway = Gateway()
        connection = gateway.connect()
        connection.request("POST", "/v1/chat/completions", json.dumps(
            {"model": "best", "stream": True, "messages": [{"role": "user", "content": "do:slow drain " + "w " * 30}]}))
        response = connection.getresponse()
        response.readline()
        gateway.process.send_signal(signal.SIGTERM)
        rest = response.read()
        connection.close()
        self.assertIn(b"data: [DONE]", rest)
        self.assertEqual(gateway.process.wait(20), 0)
        gateway.stop()


class Keys(unittest.TestCase):
    def test_client_keys_make_tenants(self):
        config = CONFIG + '\ntenants:\n  team: {{keys: [{{env: TEAM_KEY}}]}}\n  other: {{keys: [{{env: OTHER_KEY}}]}}\n'
        with Gateway(config, environment={"TEAM_KEY": "key-team", "OTHER_KEY": "key-other"}) as gateway:
            status, _, body = gateway.chat("x", "best")
            self.assertEqual((status, body["error"]["code"]), (401, "missing_key"))
            self.assertEqual(gateway.chat("x", "best", {"authorization": "Bearer wrong"})[0], 401)
            status, headers, _ = gateway.chat("x", "best", {"authorization": "Bearer key-team"})
            self.assertEqual(status, 200)
            path = "/v1/decisions/" + headers["x-brevet-decision"]
            gateway.wait_until(lambda: gateway.call("GET", path, headers={"x-api-key": "key-team"})[0] == 200)
            self.assertEqual(gateway.call("GET", path, headers={"x-api-key": "key-other"})[0], 404)


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
