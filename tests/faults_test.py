#!/usr/bin/env python3
"""Goal: whatever an upstream or a configuration does wrong, the user gets one clear sentence with a stable code, nothing is
lost, and the gateway lives on. Method: the real binary in front of an upstream that breaks in every way we know, and started
on configurations with one mistake each. Run: BREVET_BINARY=build/dev/brevet python3 tests/faults_test.py"""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import unittest

from gateway_harness import BREVET, CONFIG, Gateway

# Short deadlines: what is late here is late by design, and no test waits for anything else.
HASTY = """
server: {{address: 127.0.0.1, port: 0, threads: 2, data_dir: "{data}", log: info}}
models:
  hasty:  {{upstream: openai, base_url: "http://127.0.0.1:{port}/v1", price: {{input: 1, output: 1}}, retries: 0,
            first_token_timeout_ms: 300, total_timeout_ms: 3000, connect_timeout_ms: 300}}
  brief:  {{upstream: openai, base_url: "http://127.0.0.1:{port}/v1", price: {{input: 1, output: 1}}, retries: 0,
            first_token_timeout_ms: 1500, total_timeout_ms: 1500, connect_timeout_ms: 300}}
  strong: {{upstream: openai, base_url: "http://127.0.0.1:{port}/v1", price: {{input: 2, output: 8}}, retries: 0}}
routes:
  saved: {{strategy: always_weak, candidates: [hasty, strong], learning: {{enabled: false}}}}
"""


class Upstream(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway(HASTY)

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()

    def broken(self, what, status, code, model="strong"):
        """A whole request that fails so; its decision is kept with the same code."""
        got, headers, body = self.gateway.chat(f"do:{what} a text longer than one piece", model)
        self.assertEqual((got, body["error"]["code"]), (status, code), body)
        self.assertGreater(len(body["error"]["message"]), 20)
        self.kept(headers, "failed", code)
        # A failure now and then must not open the breaker of the next test.
        self.assertEqual(self.gateway.chat("well again", model)[0], 200)

    def kept(self, headers, state, code):
        def get():
            status, _, decision = self.gateway.call("GET", "/v1/decisions/" + headers["x-brevet-decision"])
            return status == 200 and decision
        decision = self.gateway.wait_until(get)
        self.assertEqual((decision["state"], decision["error"]["code"]), (state, code))

    def broken_stream(self, what, code, model="strong"):
        """A streamed request that fails after its first byte: the error is the last event, and no [DONE] follows."""
        status, headers, events = self.gateway.events(f"do:{what} a text longer than one piece", model)
        self.assertEqual(status, 200)
        self.assertFalse("[DONE]" in events, "a fake [DONE] follows a broken stream")
        error = json.loads(events[-1])["error"]
        self.assertEqual(error["code"], code, error)
        self.assertGreater(len(error["message"]), 20)
        self.kept(headers, "failed", code)
        self.assertEqual(self.gateway.chat("well again", model)[0], 200)

    def test_garbage_instead_of_an_answer(self):
        self.broken("garbage", 502, "upstream_bad_json")
        self.broken("redirect", 502, "upstream_unexpected_status")
        self.broken("raw", 502, "upstream_bad_http")

    def test_closed_before_or_within_the_answer(self):
        self.broken("silent_close", 502, "upstream_unreachable")
        self.broken("half", 502, "upstream_answer_cut")

    def test_an_answer_that_began_is_not_asked_for_again(self):
        # A second call would be answered well, and charged twice.
        with Gateway(HASTY.replace("retries: 0", "retries: 2")) as gateway:
            for stream in (False, True):
                text = f"do:halfheader stream={stream}"
                status, _, body = gateway.chat(text, "strong", stream=stream)
                self.assertEqual((status, body["error"]["code"]), (502, "upstream_answer_cut"), body)
                self.assertEqual(len([1 for entry in gateway.upstream_log() if text in entry["body"]]), 1)

    def test_slower_than_the_deadlines(self):
        # A whole answer has one deadline; only a stream has a first token.
        self.broken("hang", 504, "upstream_timeout", "hasty")
        status, _, body = self.gateway.chat("do:hang a", "hasty", stream=True)
        self.assertEqual((status, body["error"]["code"]), (504, "upstream_first_token_timeout"))
        self.broken_stream("stuck", "upstream_timeout", "hasty")
        status, headers, events = self.gateway.events("do:slow " + "word " * 60, "brief")
        self.assertEqual((status, json.loads(events[-1])["error"]["code"]), (200, "upstream_timeout"))
        self.kept(headers, "failed", "upstream_timeout")

    def test_broken_streams(self):
        self.broken_stream("cut", "upstream_stream_cut")
        self.broken_stream("inband", "upstream_stream_error")
        self.broken_stream("bigevent", "upstream_too_large")

    def test_a_stream_of_no_events_is_an_error(self):
        status, headers, body = self.gateway.chat("do:htmlstream a", "strong", stream=True)
        self.assertEqual((status, body["error"]["code"]), (502, "upstream_stream_cut"))
        self.kept(headers, "failed", "upstream_stream_cut")

    def test_a_finished_stream_without_done_is_whole(self):
        _, _, events = self.gateway.events("do:nodone a text longer than one piece", "strong")
        self.assertEqual(events[-1], "[DONE]")

    def test_a_whole_answer_where_a_stream_was_asked_for(self):
        status, _, events = self.gateway.events("do:nostream a text longer than one piece", "strong")
        self.assertEqual((status, events[-1]), (200, "[DONE]"))
        text = "".join(c["choices"][0]["delta"].get("content") or "" for c in map(json.loads, events[:-1]) if c["choices"])
        self.assertIn("a text longer than one piece", text)

    def test_a_late_weak_model_is_replaced_by_the_reference(self):
        status, headers, _ = self.gateway.chat("do:lateweak question", "saved", stream=True)
        self.assertEqual((status, headers["x-brevet-model"]), (200, "strong"))

    def test_the_breaker_opens_and_says_so(self):
        with Gateway(HASTY) as gateway:
            codes = [gateway.chat("do:e500 x", "strong")[2]["error"]["code"] for _ in range(12)]
            self.assertEqual(codes[-1], "upstream_breaker_open")
            status, headers, body = gateway.chat("x", "strong")
            self.assertEqual(status, 503)
            self.assertTrue(headers["retry-after"])
            self.assertIn("upstream_error", body["error"]["message"])


MODELS = """models:
  small: {base_url: "http://127.0.0.1:1/v1"}
  large: {base_url: "http://127.0.0.1:2/v1"}
"""
# (configuration, code, what the sentence must name)
MISTAKES = [
    ("modles: {}", "unknown_key", "did you mean `models`"),
    (MODELS + "server: {adress: x}", "unknown_key", "did you mean `address`"),
    ("a: [1, 2", "config_syntax", "brevet.yaml"),
    ("", "missing_key", "`models`"),
    ("server: {port: many}", "wrong_type", "server.port"),
    (MODELS + "server: {port: 70000}", "bad_value", "65535"),
    (MODELS + "routes: {auto: {candidates: [smal, large]}}", "unknown_model", "did you mean `small`"),
    (MODELS + "routes: {auto: {candidates: [small]}}", "contradictory", "only one"),
    (MODELS + "routes: {auto: {candidates: [small, large], mode: observe, learning: {enabled: false}}}", "contradictory", "observe"),
    (MODELS + "routes: {auto: {candidates: [small, large], strategy: adaptve}}", "unknown_strategy", "adaptive"),
    (MODELS + "routes: {auto: {candidates: [small, large], strategy: {name: rar, tau_skil: .9}}}", "unknown_option", "Did you mean 'tau_skill'"),
    (MODELS + "routes: {auto: {candidates: [small, large], strategy: {name: rar, tau_skill: 9}}}", "bad_option", "tau_skill"),
    ("models: {a: {base_url: \"http://x\", key_env: BREVET_NOT_SET}}", "missing_env", "BREVET_NOT_SET"),
    ("models: {a: {base_url: \"ftp://x\"}}", "bad_value", "http://"),
    (MODELS.replace("}", ", ca_file: /nonexistent.pem}", 1).replace("http", "https", 1), "bad_ca_file", "/nonexistent.pem"),
    ("models: {a: {upstream: recorded, file: /nonexistent.jsonl}}", "data_file_unreadable", "/nonexistent.jsonl"),
    ("models: {a: {upstream: simulated, file: /nonexistent.json}}", "profile_unreadable", "/nonexistent.json"),
    ("models: {a: {upstream: local, server: /bin/true, file: /nonexistent.gguf}}", "local_model_missing", "/nonexistent.gguf"),
    (MODELS + "server: {address: 203.0.113.1, port: 0}\ntenants: {t: {keys: [{env: HOME}]}}", "bad_address", "203.0.113.1"),
    (MODELS + "server: {data_dir: /proc/nonexistent}", "data_dir_unusable", "/proc/nonexistent"),
]


class Start(unittest.TestCase):
    def start(self, arguments):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([os.path.abspath(BREVET), "serve", *arguments], cwd=folder, timeout=60, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return done.returncode, done.stdout + done.stderr

    def refused(self, config, code, names):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "brevet.yaml")
            path.write_text(config)
            exit_code, said = self.start(["--config", str(path), "--port", "0"])
        self.assertIn(exit_code, (1, 2), said)
        self.assertIn(code, said)
        self.assertIn(names, said)
        self.assertNotIn("terminate", said)

    def test_mistakes(self):
        for config, code, names in MISTAKES:
            with self.subTest(config=config):
                self.refused(config, code, names)

    def test_a_missing_file(self):
        exit_code, said = self.start(["--config", "/nonexistent/brevet.yaml"])
        self.assertEqual(exit_code, 2, said)
        self.assertIn("config_unreadable", said)

    def test_a_misspelt_option(self):
        exit_code, said = self.start(["--confg", "x"])
        self.assertEqual(exit_code, 2, said)
        self.assertIn("--confg", said)

    def test_a_taken_port(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            exit_code, said = self.start(["--port", port])
        self.assertNotEqual(exit_code, 0)
        self.assertIn("address_in_use", said)
        self.assertIn(port, said)

    def test_a_data_folder_serves_one_gateway(self):
        with Gateway() as gateway:
            exit_code, said = self.start(["--port", "0", "--data-dir", gateway.data])
        self.assertNotEqual(exit_code, 0)
        self.assertIn("store_locked", said)

    def test_what_is_no_database(self):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "brevet.db").write_bytes(b"this is no database, and longer than a header of SQLite is " * 40)
            exit_code, said = self.start(["--port", "0", "--data-dir", folder])
            self.assertNotEqual(exit_code, 0)
            self.assertRegex(said, "store_corrupt|store_unreadable")
            self.assertIn(b"no database", pathlib.Path(folder, "brevet.db").read_bytes(), "it must not be overwritten")


class Reload(unittest.TestCase):
    def test_sighup_loads_a_good_file_and_keeps_the_old_one_for_a_bad(self):
        with Gateway(CONFIG.replace("log: warn", "log: info")) as gateway:
            path = pathlib.Path(gateway.folder, "brevet.yaml")
            text = path.read_text()
            self.assertEqual(gateway.chat("x", "later")[0], 404)
            path.write_text(text + "\n  later: {strategy: always_strong, candidates: [weak, strong]}\n")
            gateway.process.send_signal(signal.SIGHUP)
            gateway.wait_until(lambda: gateway.chat("x", "later")[0] == 200)
            path.write_text(text.replace("strategy:", "stratgey:"))
            gateway.process.send_signal(signal.SIGHUP)
            gateway.wait_until(lambda: "unknown_key" in gateway.log())
            self.assertTrue(re.search("the old one stays.*stratgey", gateway.log()), gateway.log())
            self.assertEqual(gateway.chat("x", "later")[0], 200)

    def test_sighup_changes_client_keys(self):
        keys = "\ntenants:\n  team: {{keys: [{{env: TEAM_KEY}}]}}\n"
        with Gateway(CONFIG + keys, environment={"TEAM_KEY": "key-team", "NEXT_KEY": "key-next"}) as gateway:
            ask = lambda key: gateway.chat("x", "best", {"authorization": "Bearer " + key})[0]
            self.assertEqual((ask("key-team"), ask("key-next")), (200, 401))
            path = pathlib.Path(gateway.folder, "brevet.yaml")
            path.write_text(path.read_text().replace("TEAM_KEY", "NEXT_KEY"))
            gateway.process.send_signal(signal.SIGHUP)
            gateway.wait_until(lambda: ask("key-next") == 200)
            self.assertEqual(ask("key-team"), 401)


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
