"""Goal: what an operator does with a gateway tells the truth: configuration check, reload, memory of one tenant.
Method: the real program; configuration files and a store that the test fills by asking questions."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

from gateway_harness import BREVET, CONFIG, Gateway

TWO_TENANTS = CONFIG + "\ntenants:\n  one: {{keys: [{{env: KEY_ONE}}]}}\n  two: {{keys: [{{env: KEY_TWO}}]}}\n"
KEYS = {"KEY_ONE": "key-one", "KEY_TWO": "key-two"}


def brevet(*arguments):
    done = subprocess.run([BREVET, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


class Check(unittest.TestCase):
    def check(self, route):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "brevet.yaml")
            path.write_text("models: {a: {upstream: simulated}, b: {upstream: simulated}, c: {upstream: simulated}}\n"
                            "routes: {auto: %s}\n" % route)
            return brevet("config", "--check", str(path))

    def test_a_shadow_plan_cannot_serve(self):
        status, _, said = self.check("{candidates: [a, c], strategy: rar_shadow}")
        self.assertEqual(status, 2)
        self.assertIn("shadow_plan_cannot_serve", said)

    def test_a_candidate_that_would_never_be_called_is_refused(self):
        status, _, said = self.check("{candidates: [a, b, c]}")
        self.assertEqual(status, 2)
        self.assertIn("contradictory", said)
        self.assertIn("lists b, which would never be called", said)
        status, said, warned = self.check("{candidates: [a, c]}")
        self.assertEqual((status, warned), (0, ""))
        self.assertIn("good, 3 models", said)

    def test_the_judge_is_configuration(self):
        self.assertEqual(self.check("{candidates: [a, c], learning: {judge: reference, tau_guide: 0.5}}")[0], 0)
        status, _, said = self.check("{candidates: [a, c], learning: {judge: somebody}}")
        self.assertEqual(status, 2)
        self.assertIn("bad_value", said)


class Reload(unittest.TestCase):
    def test_what_only_a_restart_can_apply_is_refused_and_nothing_of_it_applied(self):
        with Gateway(CONFIG.replace("log: warn", "log: info")) as gateway:
            self.assertIn("http://127.0.0.1:%d/v1" % gateway.port, gateway.log())
            path = pathlib.Path(gateway.folder, "brevet.yaml")
            text = path.read_text()
            path.write_text(text.replace("threads: 2", "threads: 3") +
                            "\n  later: {strategy: always_strong, candidates: [weak, strong]}\n")
            gateway.process.send_signal(signal.SIGHUP)
            gateway.wait_until(lambda: "restart_needed" in gateway.log())
            self.assertEqual(gateway.chat("x", "later")[0], 404)
            path.write_text(text + "  here: {candidates: [weak, strong]}\n")
            gateway.process.send_signal(signal.SIGHUP)
            gateway.wait_until(lambda: gateway.chat("x", "here")[0] == 200)

    def test_a_changed_model_is_asked_and_a_changed_local_one_needs_a_restart(self):
        with Gateway(CONFIG.replace("log: warn", "log: info")) as gateway:
            path = pathlib.Path(gateway.folder, "brevet.yaml")
            text = path.read_text()
            answered_by = lambda: gateway.chat("x", "best")[2]["model"]
            self.assertEqual(answered_by(), "strong-id-2024")
            path.write_text(text.replace("id: strong-id", "id: stronger-id") + "\n")
            gateway.process.send_signal(signal.SIGHUP)
            gateway.wait_until(lambda: answered_by() == "stronger-id-2024")
            path.write_text(text.replace("id: strong-id", "id: strongest-id")
                                .replace("routes:", "  here: {upstream: local, file: small.gguf}\nroutes:", 1))
            gateway.process.send_signal(signal.SIGHUP)
            gateway.wait_until(lambda: "restart_needed" in gateway.log())
            self.assertIn("a local model was added", gateway.log())
            self.assertEqual(answered_by(), "stronger-id-2024", "nothing of a refused file is applied")

    def test_a_model_that_did_not_change_keeps_its_breaker(self):
        with Gateway(CONFIG.replace("log: warn", "log: info")) as gateway:
            down = lambda: gateway.call("GET", "/health/readiness")[2]["models"]["down"]
            self.assertEqual(down(), "up")
            gateway.wait_until(lambda: gateway.chat("x", "down")[0] >= 500 and down() != "up")
            path = pathlib.Path(gateway.folder, "brevet.yaml")
            path.write_text(path.read_text() + "\n  later: {strategy: always_strong, candidates: [weak, strong]}\n")
            gateway.process.send_signal(signal.SIGHUP)
            gateway.wait_until(lambda: gateway.chat("x", "later")[0] == 200)
            self.assertNotEqual(down(), "up", "a fresh client has a fresh breaker")


class MemoryOfOneTenant(unittest.TestCase):
    def test_show_export_import_and_forget_keep_to_it(self):
        with tempfile.TemporaryDirectory() as folder:
            data = os.path.join(folder, "data")
            keeps_text = TWO_TENANTS.replace("auto:   {{strategy: adaptive, candidates: [weak, strong]}}",
                                             "auto:   {{candidates: [weak, strong], store: text}}")
            with Gateway(keeps_text, data=data, environment=KEYS) as gateway:
                for name, key in KEYS.items():
                    bearer = {"authorization": "Bearer " + key}
                    status, headers, _ = gateway.chat(f"What is 2 + 2, asked by {name}?", "auto", bearer)
                    self.assertEqual(status, 200)
                    said = {"decision_id": headers["x-brevet-decision"], "score": 1, "comment": f"remark of {name}"}
                    self.assertEqual(gateway.call("POST", "/v1/feedback", said, bearer)[0], 200)
                learned = lambda: sum(float(line.split()[-1]) for line in gateway.call("GET", "/metrics")[2].decode()
                                      .splitlines() if line.startswith("brevet_outcomes_learned_total"))
                gateway.wait_until(lambda: learned() >= 2)
            memory = lambda *arguments: brevet("memory", *arguments, "--data-dir", data)
            listed = memory("list", "--tenant", "one")[1].split()
            self.assertTrue(listed and listed[0].startswith("s"), listed)
            name = listed[0]
            self.assertEqual(memory("show", name, "--tenant", "one")[0], 0)
            status, said, wrong = memory("show", name, "--tenant", "two")
            self.assertNotEqual(status, 0)
            self.assertIn("unknown_memory_id", wrong)
            self.assertEqual(said, "")
            both, own = os.path.join(folder, "both.jsonl"), os.path.join(folder, "own.jsonl")
            self.assertEqual(memory("export", both)[0], 0)
            self.assertEqual(memory("export", own, "--tenant", "one")[0], 0)
            tenants = lambda path: {json.loads(line)["partition"]["tenant"]
                                    for line in pathlib.Path(path).read_text().splitlines()[1:]}
            self.assertEqual(tenants(both), {"one", "two"})
            self.assertEqual(tenants(own), {"one"})
            status, _, said = memory("import", both, "--tenant", "one")
            self.assertNotEqual(status, 0)
            self.assertIn("other_tenant", said)
            self.assertEqual(memory("import", own, "--tenant", "one")[0], 0)
            status, _, said = memory("forget", "--tenant", "one")
            self.assertEqual(status, 0)
            self.assertRegex(said, "Forgot 1 skills, 0 guides, 2 outcomes")
            self.assertRegex(said, "and 2 decisions, 1 feedback of one")
            left = b"".join(path.read_bytes() for path in pathlib.Path(data).iterdir())
            for gone in (b"asked by KEY_ONE", b"remark of KEY_ONE"):
                self.assertNotIn(gone, left)
            for kept in (b"asked by KEY_TWO", b"remark of KEY_TWO"):
                self.assertIn(kept, left)
            self.assertEqual(memory("list", "--tenant", "one")[1], "Nothing is remembered yet.\n")
            self.assertNotEqual(memory("list", "--tenant", "two")[1], "Nothing is remembered yet.\n")


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
