#!/usr/bin/env python3
"""Goal: strategies of several calls hold what they promise over real sockets: voting, blending, ranking, fusing, searching, nested
in each other, with faults, cancelled in the middle, and accounted to the last unit of money.
Method: the real binary in front of a made-up upstream that plays the game of 24, answers a number question at a temperature
by its seed, judges with a declared error and position bias, and fails or hangs where it is told to. Nothing here says
anything about real models."""
import decimal
import hashlib
import http.client
import itertools
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unittest
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BREVET = os.environ.get("BREVET_BINARY", "build/dev/brevet")
PRICES = {"small": (decimal.Decimal("0.10"), decimal.Decimal("0.20")), "medium": (decimal.Decimal("0.50"), decimal.Decimal("1")),
          "shaky": (decimal.Decimal("0.10"), decimal.Decimal("0.20")), "large": (decimal.Decimal("2"), decimal.Decimal("8"))}
FLIPS, FIRST_BIAS, MISJUDGED = 0.1, 0.2, 0.05


def chance(*parts):
    """Uniform in [0, 1), a function of the parts alone."""
    return int(hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()[:12], 16) / 16**12


# ---- The game of 24 --------------------------------------------------------------------------------------------------

def moves(numbers):
    for (i, a), (j, b) in itertools.permutations(list(enumerate(numbers)), 2):
        rest = [n for k, n in enumerate(numbers) if k not in (i, j)]
        for op in "+-*/":
            if (op in "+*" and i > j) or (op == "/" and b == 0):
                continue
            value = a + b if op == "+" else a - b if op == "-" else a * b if op == "*" else a / b
            left = [value] + rest
            done = len(left) == 1 and value == 24
            yield f"{'DONE: ' if done else ''}{a} {op} {b} = {value} (left: {' '.join(map(str, left))})", left


SOLVABLE = {}


def solvable(numbers):
    key = tuple(sorted(numbers))
    if key not in SOLVABLE:
        SOLVABLE[key] = numbers[0] == 24 if len(numbers) == 1 else any(solvable(left) for _, left in moves(numbers))
    return SOLVABLE[key]


def checks(text, numbers):
    """Does the text hold steps that make 24 of the numbers, each used once? Computed here, not believed."""
    left = sorted(numbers)
    for a, op, b, value in re.findall(r"(-?[\d/]+) ([+*/-]) (-?[\d/]+) = (-?[\d/]+)", text):
        a, b, value = Fraction(a), Fraction(b), Fraction(value)
        for number in (a, b):
            if number not in left:
                return False
            left.remove(number)
        if op == "/" and b == 0:
            return False
        if {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else None}[op] != value:
            return False
        left.append(value)
    return left == [24]


def play(system, user, seed):
    """What the upstream says in a prompt about the game of 24."""
    start = [Fraction(n) for n in re.search(r"Make 24 of ([\d ]+)", user).group(1).split()]
    steps = re.findall(r"\(left: ([^)]*)\)", user)
    numbers = [Fraction(n) for n in steps[-1].split()] if steps else start
    if system.startswith("Propose the next step"):
        lines = sorted((text for text, _ in moves(numbers)), key=lambda text: chance("order", text))
        return "\n".join(f"{i + 1}. {text}" for i, text in enumerate(lines))
    if system.startswith("Judge whether these steps"):
        right = solvable(numbers) != (chance("judge", user, seed) < MISJUDGED)
        return "I looked ahead.\n" + ("likely" if right else "impossible")
    if steps:  # asked for the answer, with the steps behind the question
        return "\n".join(re.findall(r"^.*\(left: .*$", user, re.M))
    # Alone it takes a step that looks good each time.
    out = []
    while len(numbers) > 1:
        text, numbers = min(moves(numbers), key=lambda move: chance("greedy", move[0]))
        out.append(text)
    return "\n".join(out)


class State:
    def __init__(self):
        self.lock = threading.Lock()
        self.bodies = []
        self.spent = decimal.Decimal(0)  # of everything that was answered whole, in USD
        self.hanging = 0
        self.released = threading.Event()


STATE = State()


class Upstream(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with STATE.lock:
            STATE.bodies.append(body)
            test = STATE.released  # one a test: a call let go by its end is not part of the next one's bill
        messages = {message["role"]: message["content"] for message in body["messages"]}
        user, system, model = messages["user"], messages.get("system", ""), body["model"]
        seed = body.get("seed", -1)
        if "fail:" + model in user and not system:
            return self.reply(503, b'{"error":{"message":"down","type":"server_error"}}')
        if "hang:" + model in user and not system:
            with STATE.lock:
                STATE.hanging += 1
            test.wait(30)
        if system.startswith("Judge whether two answers"):
            text = self.judge(user)
        elif system.startswith("Write the best answer"):
            drafts = re.findall(r"Draft \d+:\n(-+[-=]*)\n(.*?)\n\1\n", user, re.S)
            text = "fused(" + ", ".join(sorted(draft for _, draft in drafts)) + ")"
        elif "Make 24 of" in user:
            text = play(system, user, seed)
        elif "What is 6 times 7" in user:
            sure = {"small": .55, "medium": .8, "large": 1}[model]
            if body.get("temperature") and seed >= 0:
                text = "42" if chance("sample", user, seed) < sure else str(40 + int(chance("wrong", seed) * 4) % 2)
            else:
                text = "42" if model == "large" else "41"
            if "Final answer:" in user:
                text = f"6 sevens are what is asked for.\nFinal answer: {text}"
        else:
            text = f"{model} says so"
        input_tokens, output_tokens = len(json.dumps(body["messages"])) // 4 + 1, len(text) // 4 + 1
        price_in, price_out = PRICES[model]
        with STATE.lock:
            if test is STATE.released:
                STATE.spent += (price_in * input_tokens + price_out * output_tokens) / 1_000_000
        answer = {"id": "x", "object": "chat.completion", "created": 1, "model": model,
                  "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
                  "usage": {"prompt_tokens": input_tokens, "completion_tokens": output_tokens,
                            "total_tokens": input_tokens + output_tokens}}
        if not body.get("stream"):
            return self.reply(200, json.dumps(answer).encode())
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        usage = answer.pop("usage")
        for piece in re.findall(r"\S+\s*", text) + [None]:
            delta = {"content": piece} if piece else {}
            chunk = dict(answer, object="chat.completion.chunk",
                         choices=[{"index": 0, "delta": delta, "finish_reason": None if piece else "stop"}])
            self.event(json.dumps(chunk))
        self.event(json.dumps(dict(answer, object="chat.completion.chunk", choices=[], usage=usage)))
        self.event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def judge(self, user):
        """Likes the answer of the better model, but for the declared flips and the declared love of the first."""
        first, second = (re.search(rf"Answer {letter}:\n(-+[-=]*)\n(.*?)\n\1\n", user, re.S).group(2) for letter in "AB")
        rank = ["small", "medium", "large"]
        place = lambda text: next((rank.index(name) for name in rank if name in text), -1)
        better = "[[A]]" if place(first) > place(second) else "[[B]]"
        if chance("flip", user) < FLIPS:
            better = "[[B]]" if better == "[[A]]" else "[[A]]"
        if chance("bias", user) < FIRST_BIAS:
            better = "[[A]]"
        return "That decides it.\n" + better

    def event(self, data):
        raw = f"data: {data}\n\n".encode()
        self.wfile.write(f"{len(raw):x}\r\n".encode() + raw + b"\r\n")

    def reply(self, status, data):
        try:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            pass  # the gateway hung up, which is what some tests are about


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


CONFIG = """
server: {{address: 127.0.0.1, port: 0, threads: 2, data_dir: "{data}", drain_ms: 2000, log: warn}}
models:
  small:  {{base_url: "http://127.0.0.1:{port}/v1", price: {{input: 0.10, output: 0.20}}, retries: 0}}
  medium: {{base_url: "http://127.0.0.1:{port}/v1", price: {{input: 0.50, output: 1}}, retries: 0}}
  shaky:  {{base_url: "http://127.0.0.1:{port}/v1", price: {{input: 0.10, output: 0.20}}, retries: 0}}
  large:  {{base_url: "http://127.0.0.1:{port}/v1", price: {{input: 2, output: 8}}, retries: 0}}
routes:
  single: {{candidates: [small, large], strategy: always_weak, learning: {{enabled: false}}}}
  vote:
    candidates: [small, large]
    strategy: {{name: self_consistency, samples: 9}}
    learning: {{enabled: false}}
  vote_or_large:
    candidates: [small, large]
    strategy: {{name: self_consistency, samples: 5, agreement_min: 1}}
    learning: {{enabled: false}}
  reasoned: {{candidates: ["small|t=cot", large], strategy: always_weak, learning: {{enabled: false}}}}
  blend: {{candidates: [small, medium, large], strategy: blended, learning: {{enabled: false}}}}
  shaky_blend: {{candidates: [shaky, large], strategy: blended, learning: {{enabled: false}}}}
  ranked: {{candidates: [small, medium, large], strategy: {{name: blender, judge: medium}}, learning: {{enabled: false}}}}
  fused: {{candidates: [small, medium, large], strategy: {{name: blender, fuse: 2}}, learning: {{enabled: false}}}}
  tree:
    candidates: [small, large]
    strategy: {{name: tree_of_thoughts, thoughts: 40, breadth: 5, evaluations: 3}}
    calls_max: 700
    learning: {{enabled: false}}
  nested:
    candidates:
      - {{name: self_consistency, as: voters, samples: 3, at_once: 3, candidates: ["small|t=cot"]}}
      - {{name: blender, as: panel, rank: agreement, candidates: [small, {{name: blended, candidates: [medium]}}, large]}}
    strategy: always_strong
    learning: {{enabled: false}}
  learning_side:
    candidates: [{{name: self_consistency, as: voters, samples: 5, candidates: [medium]}}, large]
    strategy: rar
    learning: {{allowance: 1}}
  quick:
    candidates: [small, medium, large]
    strategy: {{name: blender, rank: agreement}}
    deadline_ms: 600
    learning: {{enabled: false}}
"""


class ComposeTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="brevet-compose-")
        cls.upstream = Server(("127.0.0.1", 0), Upstream)
        threading.Thread(target=cls.upstream.serve_forever, daemon=True).start()
        path = pathlib.Path(cls.folder, "brevet.yaml")
        path.write_text(CONFIG.format(data=os.path.join(cls.folder, "data"), port=cls.upstream.server_address[1]))
        port_file = pathlib.Path(cls.folder, "port")
        cls.process = subprocess.Popen([BREVET, "serve", "--config", str(path), "--port-file", str(port_file)])
        for _ in range(3000):
            if port_file.exists() and port_file.read_text().strip():
                break
            if cls.process.poll() is not None:
                raise RuntimeError("the gateway did not start")
            time.sleep(0.02)
        cls.port = int(port_file.read_text())

    @classmethod
    def tearDownClass(cls):
        STATE.released.set()
        cls.process.send_signal(signal.SIGTERM)
        cls.process.wait(30)
        cls.upstream.shutdown()
        shutil.rmtree(cls.folder, ignore_errors=True)

    def setUp(self):
        with STATE.lock:
            STATE.bodies.clear()
            STATE.spent = decimal.Decimal(0)
            STATE.hanging = 0
            STATE.released = threading.Event()

    def request(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, json.dumps(body) if body else None, headers or {})
        response = connection.getresponse()
        raw = response.read().decode()
        connection.close()
        return response.status, response.headers, raw

    def ask(self, route, text, headers=None, **more):
        status, reply_headers, raw = self.request(
            "POST", "/v1/chat/completions", dict({"model": route, "messages": [{"role": "user", "content": text}]}, **more),
            headers)
        self.assertEqual(status, 200, raw)
        body = json.loads(raw)
        decision = json.loads(self.request("GET", "/v1/decisions/" + reply_headers["x-brevet-decision"])[2])
        return body["choices"][0]["message"]["content"], decision, reply_headers

    def assert_accounted(self, decision):
        """What the upstream knows that it was paid is what the decision says that it cost, to the last digit."""
        self.assertEqual(decimal.Decimal(decision["cost"]["usd"]), STATE.spent)

    def test_votes_are_right_where_one_call_is_wrong(self):
        self.assertEqual(self.ask("single", "What is 6 times 7?")[0], "41")
        self.setUp()
        text, decision, _ = self.ask("vote", "What is 6 times 7?")
        self.assertEqual(text, "42")
        self.assertIn("samples agree", decision["reason"]["sentence"])
        self.assertLessEqual(len(STATE.bodies), 9)
        self.assertEqual(sorted(body["seed"] for body in STATE.bodies), list(range(len(STATE.bodies))))
        self.assertTrue(all(body["temperature"] == 0.7 for body in STATE.bodies))
        self.assert_accounted(decision)

    def test_samples_that_disagree_are_deferred(self):
        text, decision, headers = self.ask("vote_or_large", "What is 6 times 7?")
        self.assertEqual((text, headers["x-brevet-model"]), ("42", "large"))
        self.assertEqual(decision["reason"]["code"], "agreement_low")
        self.assertLess(len(STATE.bodies), 7)
        self.assert_accounted(decision)

    def test_reasoning_is_paid_and_not_shown(self):
        text, decision, _ = self.ask("reasoned", "What is 6 times 7?", max_tokens=20)
        self.assertEqual(text, "41")
        self.assertIn("step by step", STATE.bodies[0]["messages"][0]["content"])
        self.assertEqual(STATE.bodies[0]["max_tokens"], 20 + 1024)
        self.assertGreater(decision["attempts"][0]["prompt_bytes_added"], 100)
        self.assert_accounted(decision)
        shown, _, _ = self.ask("reasoned", "What is 6 times 7?", {"x-brevet-reasoning": "show"})
        self.assertEqual(shown, "6 sevens are what is asked for.\nFinal answer: 41")

    def test_held_answers_are_streamed_after_they_are_accepted(self):
        for route, wanted in (("reasoned", "41"), ("vote", "42")):
            status, _, raw = self.request(
                "POST", "/v1/chat/completions",
                {"model": route, "messages": [{"role": "user", "content": "What is 6 times 7?"}], "stream": True})
            self.assertEqual(status, 200)
            events = [line[6:] for line in raw.split("\n") if line.startswith("data: ")]
            self.assertEqual(events[-1], "[DONE]")
            text = "".join(json.loads(event)["choices"][0]["delta"].get("content") or "" for event in events[:-1]
                           if json.loads(event)["choices"])
            self.assertEqual(text, wanted)

    def test_a_blend_draws_among_all_and_streams(self):
        seen = {self.ask("blend", f"Hello number {i}")[2]["x-brevet-model"] for i in range(30)}
        self.assertEqual(seen, {"small", "medium", "large"})
        _, _, raw = self.request("POST", "/v1/chat/completions",
                                 {"model": "blend", "messages": [{"role": "user", "content": "Hello"}], "stream": True})
        self.assertIn('"delta": {"content": "says "}', raw.replace('"delta":{', '"delta": {').replace('":"', '": "'))

    def test_a_blend_replaces_who_is_down(self):
        replaced = 0
        for i in range(12):
            text, decision, _ = self.ask("shaky_blend", f"fail:shaky turn {i}")
            self.assertEqual(text, "large says so")
            replaced += decision["reason"]["code"] == "blended_again"
        self.assertGreater(replaced, 0)

    def test_a_judge_that_errs_still_ranks_in_both_orders(self):
        """With a tenth of verdicts turned and a fifth given to the first place the best of three still wins mostly."""
        won = 0
        for i in range(20):
            self.setUp()
            text, decision, _ = self.ask("ranked", f"Describe the sea, number {i}.")
            won += text == "large says so"
            self.assertEqual(len(STATE.bodies), 3 + 6)
            self.assertEqual(sum(attempt["purpose"] == "judge" for attempt in decision["attempts"]), 6)
            self.assert_accounted(decision)
        self.assertGreaterEqual(won, 14)

    def test_the_best_are_fused_and_a_missing_one_degrades(self):
        text, decision, _ = self.ask("fused", "Describe the sea. fail:small")
        self.assertEqual(text, "fused(large says so, medium says so)")
        self.assertIn("small failed", decision["reason"]["sentence"])
        self.assert_accounted(decision)

    def test_a_tree_search_solves_puzzles_that_a_single_call_fails(self):
        puzzles = ["4 5 6 10", "1 2 4 7", "3 3 8 8", "4 9 10 13", "2 3 5 12", "5 5 5 9"]
        alone = searched = calls = 0
        for puzzle in puzzles:
            numbers = [Fraction(n) for n in puzzle.split()]
            self.assertTrue(solvable(numbers))
            alone += checks(self.ask("single", f"Make 24 of {puzzle} with + - * / and each number once.")[0], numbers)
            self.setUp()
            text, decision, _ = self.ask("tree", f"Make 24 of {puzzle} with + - * / and each number once.")
            searched += checks(text, numbers)
            self.assert_accounted(decision)
            self.assertLessEqual(len(STATE.bodies), 700)
            calls += len(STATE.bodies)
        print(f"single call: {alone} of {len(puzzles)}; tree search: {searched}, {calls / len(puzzles):.0f} calls each")
        self.assertEqual(alone, 0)
        self.assertGreaterEqual(searched, 4)

    def test_strategies_nest_and_every_call_is_in_the_record(self):
        text, decision, headers = self.ask("nested", "What is 6 times 7?")
        self.assertEqual(headers["x-brevet-model"], "panel")
        [panel] = decision["attempts"]
        self.assertEqual([part["configuration"] for part in panel["parts"]], ["small", "blended", "large"])
        self.assertEqual(panel["parts"][1]["parts"][0]["configuration"], "medium")
        self.assertEqual(len(STATE.bodies), 3)
        self.assertEqual(text, "41")
        self.assert_accounted(decision)

    def test_rar_learns_what_its_composed_weak_side_can(self):
        self.assertEqual(self.ask("learning_side", "What is 6 times 7?")[2]["x-brevet-model"], "large")
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            text, decision, headers = self.ask("learning_side", "What is 6 times 7?")
            if headers["x-brevet-model"] == "voters":
                break
            time.sleep(0.05)
        self.assertEqual(headers["x-brevet-model"], "voters")
        self.assertEqual(text, "42")
        self.assertTrue(decision["exact_repeat"])
        self.assertGreaterEqual(len(decision["attempts"][0]["parts"]), 3)

    def test_the_deadline_holds_for_the_whole(self):
        started = time.monotonic()
        text, decision, _ = self.ask("quick", "hang:large Describe the sea.")
        STATE.released.set()
        self.assertLess(time.monotonic() - started, 20)
        self.assertIn(text, ("small says so", "medium says so"))
        self.assertIn("large failed (deadline_exceeded)", decision["reason"]["sentence"])

    def test_a_client_that_hangs_up_stops_all_calls(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("POST", "/v1/chat/completions", json.dumps(
            {"model": "ranked", "messages": [{"role": "user", "content": "hang:small hang:medium hang:large bye"}]}))
        deadline = time.monotonic() + 30
        while STATE.hanging < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertEqual(STATE.hanging, 3)
        connection.sock.close()
        connection.close()
        newest = {}
        while time.monotonic() < deadline:
            recent = json.loads(self.request("GET", "/v1/decisions?limit=20")[2])
            found = [d for d in recent.get("decisions", recent.get("data", [])) if d.get("route") == "ranked" and
                     d.get("state") == "cancelled"]
            if found:
                newest = found[0]
                break
            time.sleep(0.05)
        STATE.released.set()
        self.assertTrue(newest, "the decision says that it was cancelled")
        self.assertEqual(len(STATE.bodies), 3, "nothing was called afterwards")


if __name__ == "__main__":
    unittest.main(verbosity=2)
