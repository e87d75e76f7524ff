#!/usr/bin/env python3
"""Goal: `brevet record` killed at any moment goes on without paying twice, never passes its budget and ends with the file that an
undisturbed run writes. Method: the real binary against `brevet upstream --simulated` with faults on the wire, through a proxy that
counts every request and every answer by question and model, so that what was asked is known from outside; SIGKILL at seeded
moments (counted in requests, not in time); then the file goes through `brevet eval` unchanged. Standard library only.
Run: BREVET_BINARY=build/dev/brevet python3 tests/record_test.py"""
import collections
import decimal
import gzip
import http.client
import http.server
import json
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import unittest

from gateway_harness import BREVET, CONFIG, Gateway

PRICES = {"weak-sim": (".15", ".6"), "strong-sim": ("2.5", "10")}
COUNT = 60


class Upstream:
    """`brevet upstream --simulated` behind a proxy that counts."""

    def __init__(self, faults=""):
        command = [BREVET, "upstream", "--simulated", "--port", "0"] + (["--faults", faults] if faults else [])
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.behind = int(re.search(r"127\.0\.0\.1:(\d+)/v1", self.process.stdout.readline()).group(1))
        self.lock = threading.Lock()
        self.asked = collections.Counter()     # (question, model): requests that arrived
        self.answered = collections.Counter()  # those with a whole answer, which a provider would bill
        self.worked = collections.Counter()    # those that a provider may bill: whole, cut or garbled
        self.on_request = None                 # called with the number of requests so far
        self.requests = 0
        outer = self

        class Proxy(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                outer.serve(self)

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, *_):
                if not isinstance(sys.exc_info()[1], OSError):  # a killed recorder resets its connections
                    super().handle_error(*_)

        self.server = Server(("127.0.0.1", 0), Proxy)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def serve(self, request):
        body = request.rfile.read(int(request.headers["content-length"]))
        asked = json.loads(body)
        judge = asked["messages"][0]["content"].startswith("Judge whether")
        key = (asked["messages"][-1]["content"], asked["model"], "judge" if judge else "answer")
        with self.lock:
            self.requests += 1
            self.asked[key] += 1
            number = self.requests
        connection = http.client.HTTPConnection("127.0.0.1", self.behind, timeout=60)
        connection.request("POST", request.path, body, {"content-type": "application/json"})
        response = connection.getresponse()
        try:
            answer, cut = response.read(), False
        except http.client.IncompleteRead as error:
            answer, cut = error.partial, True
        connection.close()
        if response.status == 200:
            with self.lock:
                self.worked[key] += 1
                if not cut and answer.startswith(b"{"):
                    self.answered[key] += 1
        if self.on_request:
            self.on_request(number)
        try:
            request.send_response(response.status)
            request.send_header("content-type", "application/json")
            if response.getheader("retry-after"):
                request.send_header("retry-after-ms", "1")
            request.send_header("content-length", str(len(answer) + (100 if cut else 0)))
            request.end_headers()
            request.wfile.write(answer)
            request.wfile.flush()
        except OSError:
            pass  # the recorder was killed
        request.close_connection = cut

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.process.terminate()
        self.process.wait(30)
        self.process.stdout.close()


def journal_of(path):
    events = []
    for line in pathlib.Path(path).read_text().split("\n"):
        try:
            events.append(json.loads(line[9:]))
        except ValueError:
            pass  # a torn last line
    return events


def records_of(path):
    opened = gzip.open(path, "rt") if str(path).endswith(".gz") else open(path)
    with opened as file:
        return {record["id"]: record for record in map(json.loads, file)}


class RecordTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="brevet-record-")
        self.upstreams = []
        self.prompts = self.path("prompts.jsonl")
        self.write_prompts(self.questions())

    def tearDown(self):
        for upstream in self.upstreams:
            upstream.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write_prompts(self, questions):
        pathlib.Path(self.prompts).write_text("".join(json.dumps(q) + "\n" for q in questions))

    @classmethod
    def setUpClass(cls):
        text = subprocess.run([BREVET, "upstream", "--simulated", "--questions", "1000"], capture_output=True, text=True, check=True)
        cls.world = [json.loads(line) for line in text.stdout.splitlines()]

    def questions(self, kind="number", count=COUNT):
        """Questions of the simulated world, with a field that nobody knows."""
        return [dict(q, source="set-" + q["id"]) for q in self.world if q["kind"] == kind][:count]

    def upstream(self, faults=""):
        made = Upstream(faults)
        self.upstreams.append(made)
        lines = ["models:"] + [
            f'  {name}: {{base_url: "http://127.0.0.1:{made.port}/v1", price: {{input: {price[0]}, output: {price[1]}}}, '
            f'logprobs: true, retries: 2}}' for name, price in PRICES.items()]
        pathlib.Path(self.path("models.yaml")).write_text("\n".join(lines) + "\n")
        return made

    def command(self, out, *more, models="weak-sim,strong-sim", budget="1", scorer="number"):
        return [BREVET, "record", "--prompts", self.prompts, "--out", self.path(out), "--config", self.path("models.yaml"),
                "--models", models, "--scorer", scorer, "--budget-usd", budget, "--max-tokens", "64",
                "--json", self.path("summary.json"), *more]

    def run_record(self, out, *more, status=0, **how):
        done = subprocess.run(self.command(out, *more, **how), capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        if os.path.exists(self.path("summary.json")):
            self.summary = json.loads(pathlib.Path(self.path("summary.json")).read_text())
        return done.stdout + done.stderr

    def kill_at(self, upstream, out, request, **how):
        """Starts a recording and kills it when its request of that number has been answered upstream."""
        process = subprocess.Popen(self.command(out, **how), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        before = upstream.requests
        upstream.on_request = lambda number: process.send_signal(signal.SIGKILL) if number == before + request else None
        process.wait(300)
        upstream.on_request = None
        return process.returncode

    def assert_budget(self, journal, budget):
        """Charged plus what is open never passes the budget at any line of the journal."""
        open_calls, spent, most = {}, decimal.Decimal(0), decimal.Decimal(0)
        for event in journal:
            if event["event"] == "intent":
                open_calls[event["n"]] = decimal.Decimal(event["booked_usd"])
            elif event["event"] == "result":
                open_calls.pop(event["n"])
                spent += decimal.Decimal(event["charged_usd"])
            most = max(most, spent + sum(open_calls.values()))
        self.assertLessEqual(most, decimal.Decimal(budget))
        return spent + sum(open_calls.values())

    @staticmethod
    def cells(records, drop=("latency_ms",)):
        return {(i, name): {k: v for k, v in cell.items() if k not in drop}
                for i, record in records.items() for name, cell in record["models"].items()}

    def test_killed_twice_and_more(self):
        """With faults on the wire: no paid call twice, the budget held, and the file of an undisturbed run at the end."""
        self.upstream()
        self.run_record("whole.jsonl")
        whole = self.cells(records_of(self.path("whole.jsonl")))
        self.assertEqual(len(whole), 2 * COUNT)
        mean = lambda model: sum(cell["score"] for (_, name), cell in whole.items() if name == model) / COUNT
        self.assertGreater(mean("strong-sim"), mean("weak-sim"), "declared competences .89 and .60")
        self.assertTrue(all("logprob_conf" in cell for cell in whole.values()))

        upstream = self.upstream("429=0.06,5xx=0.06,cut=0.04,garbage=0.03,slow=0.03:20ms,seed=11")
        budget = "0.4"
        out = "killed.jsonl.gz"
        rng = random.Random(5)
        kills = sum(self.kill_at(upstream, out, rng.randint(5, 25), budget=budget) == -signal.SIGKILL for _ in range(4))
        self.assertGreaterEqual(kills, 2)
        self.assertFalse(os.path.exists(self.path(out)), "a killed run writes no half file")
        # Cut, garbled and lost answers are not repeated, so some outcomes must be missing; refused ones are asked again.
        for _ in range(10):
            self.run_record(out, budget=budget, status=4)
            if not self.summary["failed"]:
                break
        self.assertEqual(self.summary["unknown_left"], self.summary["outcomes_missing"])

        journal = journal_of(self.path(out + ".journal"))
        spent = self.assert_budget(journal, budget)
        self.assertEqual(spent, decimal.Decimal(self.summary["spent_usd"]))
        intents = {e["n"]: e for e in journal if e["event"] == "intent"}
        results = {e["n"]: e for e in journal if e["event"] == "result"}
        lost = set(intents) - set(results)
        self.assertEqual(len(lost), self.summary["lost"])
        # From outside: nobody was billed twice for one question and model.
        self.assertEqual([k for k, n in upstream.worked.items() if n > 1], [])
        # And the journal agrees with it: every answer that it has was given, and each that was given is an answer or a call that
        # was lost in the kill.
        prompts = {q["id"]: q["prompt"] for q in self.questions()}
        where = lambda e: (prompts[e["id"]], e["configuration"], "answer")
        kept = {where(intents[n]) for n, e in results.items() if e["answered"]}
        self.assertLessEqual(kept, set(upstream.answered))
        self.assertLessEqual(set(upstream.answered) - kept, {where(intents[n]) for n in lost})
        # Whatever may have been billed is charged.
        charged = {where(intents[n]) for n in lost}
        charged |= {where(intents[n]) for n, e in results.items() if decimal.Decimal(e["charged_usd"]) > 0}
        self.assertLessEqual(set(upstream.worked), charged)

        killed = self.cells(records_of(self.path(out)))
        self.assertEqual(killed, {key: whole[key] for key in killed}, "what there is equals an undisturbed run")
        # On request what is unknown is asked again, and then nothing is missing.
        for _ in range(20):
            done = subprocess.run(self.command(out, "--retry-unknown", budget="4"), capture_output=True, text=True, timeout=300)
            if done.returncode == 0:
                break
            self.assertEqual(done.returncode, 4, done.stdout + done.stderr)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(self.cells(records_of(self.path(out))), whole)
        self.assert_budget(journal_of(self.path(out + ".journal")), "4")
        self.assertTrue(any(n > 1 for n in upstream.worked.values()), "the flag pays again, and the count from outside shows it")
        self.run_record(out, budget="4")
        self.assertEqual((self.summary["calls"], self.summary["reused"]), (0, len(whole)))

    def test_eval_and_models_read_it(self):
        self.upstream()
        self.run_record("mine.jsonl.gz")
        result = self.path("eval.json")
        done = subprocess.run(
            [BREVET, "eval", "--data", self.path("mine.jsonl.gz"), "--models", "weak-sim,strong-sim", "--strategies", "rar",
             "--seeds", "2", "--no-encoder", "--bootstrap", "50", "--fit-labels", "20", "--calibration-labels", "10",
             "--cache", self.path("cache"), "--json", result], capture_output=True, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        rows = {row["strategy"]: row for row in json.loads(pathlib.Path(result).read_text())["rows"]}
        for name in ("always_weak", "always_strong", "oracle"):
            self.assertIsNotNone(rows[name]["cost_usd"], rows[name])
        for metric in ("cost_usd", "quality"):
            self.assertGreater(rows["always_strong"][metric]["mean"], rows["always_weak"][metric]["mean"])

    def test_budget_ends_it_and_more_goes_on(self):
        upstream = self.upstream()
        said = self.run_record("b.jsonl", budget="0.008", status=3)
        self.assertIn("--budget-usd", said)
        self.assert_budget(journal_of(self.path("b.jsonl.journal")), "0.008")
        first = upstream.requests
        self.assertGreater(first, 4)
        records_of(self.path("b.jsonl"))
        self.run_record("b.jsonl", budget="1")
        self.assertEqual(upstream.requests, 2 * COUNT)
        self.assertGreater(upstream.requests, first)

    def test_an_outcome_file_gets_further_models(self):
        upstream = self.upstream()
        self.run_record("one.jsonl", models="weak-sim")
        before = records_of(self.path("one.jsonl"))
        self.prompts = self.path("one.jsonl")
        hints = self.path("hints.txt")
        pathlib.Path(hints).write_text("Add the tens first, then the ones, and check the carry.")
        requests = upstream.requests
        self.run_record("two.jsonl", "--guide", "hints=" + hints, models="weak-sim,weak-sim|g=hints,weak-sim|s=3", budget="3")
        self.assertEqual(upstream.requests - requests, len(before) * 4)
        after = records_of(self.path("two.jsonl"))
        for i, record in after.items():
            self.assertEqual(list(record["models"]), ["weak-sim", "weak-sim|g=hints", "weak-sim|s=3"])
            self.assertEqual(record["models"]["weak-sim"], before[i]["models"]["weak-sim"])
            self.assertEqual(record["source"], "set-" + i, "fields that nobody knows are kept")
            three = record["models"]["weak-sim|s=3"]
            self.assertEqual(len(three["samples"]), 3)
            self.assertAlmostEqual(three["score"], sum(three["sample_scores"]) / 3)

    def test_the_judge_is_paid_within_the_budget(self):
        upstream = self.upstream()
        self.write_prompts(self.questions(count=10))
        self.run_record("j.jsonl", "--judge", "strong-sim", "--against", "strong-sim", scorer="judge")
        records = records_of(self.path("j.jsonl")).values()
        different = sum(len({cell["response"] for cell in record["models"].values()}) == 2 for record in records)
        self.assertGreater(different, 2)
        self.assertEqual(self.summary["judged"], different)
        self.assertEqual([n for key, n in upstream.asked.items() if key[2] == "judge"], [1] * 2 * different)
        self.assertGreater(float(self.summary["judge_spent_usd"]), 0)
        self.assert_budget(journal_of(self.path("j.jsonl.journal")), "1")
        for record in records:
            self.assertEqual(record["models"]["strong-sim"]["score"], .5)
            self.assertIn(record["models"]["weak-sim"]["score"], (0, .5, 1))

    def test_a_program_scores(self):
        self.upstream()
        asked = self.questions(count=6)
        self.write_prompts(asked)
        said = self.run_record("c.jsonl", "--command", f'case "$BREVET_ID" in {asked[0]["id"]}) exit 5;; {asked[1]["id"]}) exit 1;; esac; echo .75',
                               models="weak-sim", scorer="command", status=4)
        self.assertIn("command_exit_5", said)
        records = records_of(self.path("c.jsonl"))
        self.assertEqual(sorted(r["models"]["weak-sim"]["score"] for r in records.values()), [0, .75, .75, .75, .75])
        self.assertEqual(len(records), 5, "what the program could not score is left out")

    def test_choices(self):
        self.upstream()
        self.write_prompts(self.questions("choice", 20))
        self.run_record("l.jsonl", scorer="choice")
        cells = self.cells(records_of(self.path("l.jsonl")))
        self.assertEqual(len(cells), 40)
        self.assertEqual([cell for cell in cells.values() if cell["pred"] not in list("ABCDE")], [])
        self.assertGreater(sum(cell["score"] for cell in cells.values()), 10)

    def test_decisions_of_a_running_gateway(self):
        config = CONFIG.replace("cheap:  {{", "cheap:  {{store: text, ").replace("best:   {{", "best:   {{store: text, ")
        with Gateway(config) as gateway:
            def ask(text, model, *scores):
                decision = gateway.chat(text, model)[1]["x-brevet-decision"]
                for score in scores:
                    status = gateway.call("POST", "/v1/feedback", {"decision_id": decision, "score": score})[0]
                    self.assertEqual(status, 200)
                return decision
            ask("The answer is (A).", "cheap", 1, 0)
            ask("The answer is (A).", "best", 1)
            ask("The answer is (B).", "cheap", .5)
            ask("nobody said a word", "cheap")
            last = ask("text is not kept", "auto", 1)
            gateway.wait_until(lambda: gateway.call("GET", "/v1/decisions/" + last)[0] == 200)
            done = subprocess.run([BREVET, "record", "--from-decisions", "--data-dir", gateway.data, "--out", self.path("d.jsonl")],
                                  capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertEqual(gateway.chat("still there", "cheap")[0], 200)
        records = {r["prompt"]: r for r in records_of(self.path("d.jsonl")).values()}
        self.assertEqual(set(records), {"The answer is (A).", "The answer is (B)."}, done.stdout)
        models = records["The answer is (A)."]["models"]
        self.assertEqual({name: cell["score"] for name, cell in models.items()}, {"weak": .5, "strong": 1})
        self.assertGreater(models["strong"]["cost_usd"], models["weak"]["cost_usd"])
        self.assertIn("1 without feedback", done.stdout)

    def test_mistakes_cost_nothing(self):
        upstream = self.upstream()
        cases = [(["--models", "other"], "unknown_model"), (["--models", "weak-sim|t=cot"], "unknown_transform"),
                 (["--models", "weak-sim|g=none"], "unknown_guide"), (["--scorer", "exakt"], "unknown_scorer"),
                 (["--budget-usd", "much"], "bad_budget"), (["--scorer", "choice"], "bad_answer_key"),
                 (["--scorer", "command"], "missing_scorer_option"), (["--url", "http://127.0.0.1:9"], "contradictory"),
                 (["--temperature", "9"], "bad_temperature")]
        for flags, code in cases:
            command = self.command("m.jsonl")
            for flag, value in zip(flags[::2], flags[1::2]):
                if flag in command:
                    command[command.index(flag) + 1] = value
                else:
                    command += [flag, value]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 2, (flags, done.stdout + done.stderr))
            self.assertIn(f"({code}", done.stderr)
        pathlib.Path(self.prompts).write_text('{"prompt":"a","answer":"1"}\n{"prompt":7}\n')
        self.assertIn(":2: field prompt", self.run_record("m.jsonl", status=2))
        self.assertEqual(upstream.requests, 0)

    def test_interrupted_it_ends_cleanly(self):
        upstream = self.upstream()
        process = subprocess.Popen(self.command("i.jsonl"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        upstream.on_request = lambda number: process.send_signal(signal.SIGINT) if number == 10 else None
        self.assertEqual(process.wait(120), 130)
        journal = journal_of(self.path("i.jsonl.journal"))
        self.assertEqual(sum(e["event"] == "intent" for e in journal), sum(e["event"] == "result" for e in journal))
        self.assertGreater(len(records_of(self.path("i.jsonl"))), 0)

    def test_unknown_prices(self):
        upstream = self.upstream()
        url = ["record", "--prompts", self.prompts, "--out", self.path("u.jsonl"), "--url", f"http://127.0.0.1:{upstream.port}",
               "--models", "weak-sim", "--scorer", "number"]
        done = subprocess.run([BREVET, *url], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, upstream.requests), (2, 0))
        self.assertIn("(unknown_price", done.stderr)
        done = subprocess.run([BREVET, *url, "--allow-unknown-cost", "7"], capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, upstream.requests), (3, 7), done.stdout + done.stderr)
        for record in records_of(self.path("u.jsonl")).values():
            self.assertNotIn("cost_usd", record["models"]["weak-sim"])


if __name__ == "__main__":
    unittest.main()
