"""Goal: a router is trained from a made file, serves with reasons, understands RouteLLM's names, is calibrated on other
questions, and a damaged file is refused at the start and at a reload under load, without a dropped request.
Method: the real program with its encoder in front of the fake upstream; two topics, one of which weak cannot do."""
import json
import os
import pathlib
import random
import signal
import subprocess
import tempfile
import threading
import unittest

from gateway_harness import BREVET, Gateway

THINGS = ["apples", "bread", "cheese", "rice", "soup", "salad", "pasta", "beans", "cake", "honey", "butter", "eggs"]
PLACES = ["Rome", "Lyon", "Oslo", "Cairo", "Lima", "Delhi", "Quito", "Porto", "Turin", "Kyoto", "Accra", "Riga"]


def easy(i):
    return f"How do I cook {THINGS[i % 12]} with {THINGS[(i // 12) % 12]} for {i} guests in {PLACES[(i * 5) % 12]}?"


def hard(i):
    return (f"Prove that the integral of x to the power {i % 13 + 2} times the sine of {i % 7 + 1} x from 0 to "
            f"{i % 11 + 1} pi is finite, number {i}.")


def write_outcomes(path, count, seed, swapped=False):
    """Weak is right on cooking in 95% and on integrals in 10%; strong in 95% of both."""
    dice = random.Random(seed)
    with open(path, "w", encoding="utf-8") as out:
        for i in range(count):
            for kind, text in (("easy", easy(i + seed * 1000)), ("hard", hard(i + seed * 1000))):
                weak = dice.random() < (.95 if (kind == "easy") != swapped else .1)
                strong = dice.random() < .95
                out.write(json.dumps({
                    "id": f"{kind}{seed}-{i}", "dataset": "made", "prompt": text,
                    "models": {"weak": {"score": int(weak), "cost_usd": 0.0001}, "strong": {"score": int(strong), "cost_usd": 0.001}},
                }) + "\n")
    return path


CONFIG = """
server: {{address: 127.0.0.1, port: 0, threads: 2, data_dir: "{data}", drain_ms: 3000, log: info}}
models:
  weak:   {{upstream: openai, base_url: "http://127.0.0.1:{port}/v1", id: weak-id, price: {{input: 0.1, output: 0.2}}, tools: false}}
  strong: {{upstream: openai, base_url: "http://127.0.0.1:{port}/v1", id: strong-id, price: {{input: 2, output: 8}}}}
routes:
  auto:   {{candidates: [weak, strong], learning: {{enabled: false}},
            strategy: {{name: KIND, router: "ROUTER", threshold: 0.5}}}}
"""
KIND = "bert_head"


def brevet(*arguments, cache=None):
    done = subprocess.run([BREVET, *arguments], capture_output=True, text=True, timeout=300, check=False,
                          env=dict(os.environ, **({"BREVET_CACHE": cache} if cache else {})))
    return done.returncode, done.stdout, done.stderr


class Routers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory(prefix="brevet-router-")
        cls.folder = cls.holder.name
        cls.data = write_outcomes(cls.folder + "/made.jsonl", 120, 1)
        cls.more = write_outcomes(cls.folder + "/more.jsonl", 120, 2)
        cls.other = write_outcomes(cls.folder + "/other.jsonl", 120, 1, swapped=True)
        cls.router = cls.folder + "/good.router"
        status, cls.said, error = cls.train(cls.data, cls.router)
        assert status == 0, error

    @classmethod
    def tearDownClass(cls):
        cls.holder.cleanup()

    @classmethod
    def train(cls, data, out, *more, kind=KIND):
        return brevet("train", kind, "--data", data + "@weak,strong", "--out", out, *more, cache=cls.folder + "/cache")

    def gateway(self, router):
        return Gateway(CONFIG.replace("KIND", KIND).replace("ROUTER", router))

    def test_training_says_what_it_learned(self):
        self.assertIn("240 labelled requests of made.jsonl (scores), 240 of them used; weak, strong.", self.said)
        self.assertRegex(self.said, r"strong is better than weak in 4\d\.\d%")
        self.assertRegex(self.said, r"Out of fold, n = 240: APGR 0\.[789]\d*, AUROC 0\.[89]\d*, Brier 0\.\d+")
        self.assertRegex(self.said, r"strong share +10%")
        self.assertIn(f"strategy: {{name: {KIND}, router: {self.router}, threshold: 0.", self.said)
        status, shown, error = brevet("router", "show", self.router)
        self.assertEqual(status, 0, error)
        self.assertIn(f"{KIND} router, SHA-256", shown)
        self.assertIn("models          weak, strong", shown)
        self.assertIn("mean cost, USD  0.0001, 0.001", shown)
        self.assertIn("240 labelled requests", shown)
        self.assertIn(f"by: brevet train {KIND} --data", shown)

    def test_the_same_data_gives_the_same_router(self):
        again = self.folder + "/again.router"
        self.assertEqual(self.train(self.data, again)[0], 0)
        numbers = lambda path: pathlib.Path(path).read_bytes().split(b"\n", 2)[2]
        self.assertEqual(numbers(self.router), numbers(again))

    def test_labels_can_be_few_and_the_rest_calibrates(self):
        few = self.folder + "/few.router"
        status, said, error = self.train(self.data, few, "--fit-labels", "100")
        self.assertEqual(status, 0, error)
        self.assertRegex(said, r"240 labelled requests of made.jsonl \(scores\), (100|9\d) of them used")
        status, said, error = brevet("calibrate", "--router", few, "--data", self.data + "@weak,strong", "--strong-share", ".5",
                                     cache=self.folder + "/cache")
        self.assertEqual(status, 0, error)
        self.assertRegex(said, r"240 questions of made.jsonl; (100|9\d) taught the router, or are near what did, and are left out")
        self.assertIn("Chosen: 0.", said)

    def test_calibrating_on_other_questions(self):
        calibrate = lambda *goal: brevet("calibrate", "--router", self.router, "--data", self.more + "@weak,strong", *goal,
                                         cache=self.folder + "/cache")
        status, said, error = calibrate("--quality", ".9")
        self.assertEqual(status, 0, error)
        self.assertIn("0 taught the router", said)
        self.assertRegex(said, r"questions that did not choose it:\n +0\.\d+ +[3-6]\d\.\d% \[")
        status, said, error = calibrate("--budget-usd-per-day", "6", "--requests-per-day", "10000")
        self.assertEqual(status, 0, error)
        self.assertIn("At 10000 requests a day that is", said)
        self.assertEqual(calibrate("--budget-usd-per-day", ".01", "--requests-per-day", "10000")[0], 1)
        status, _, error = calibrate()
        self.assertEqual(status, 2)
        self.assertIn("(one_goal", error)
        status, _, error = brevet("calibrate", "--router", self.router, "--data", self.data + "@weak,strong", "--strong-share",
                                  ".5", cache=self.folder + "/cache")
        self.assertEqual(status, 2, "everything taught it")
        self.assertIn("too_few_outcomes", error)

    def test_battles_teach_as_well(self):
        battles = self.folder + "/made.battles.jsonl"
        self.assertEqual(brevet("battles", "--data", self.data + "@weak,strong", "--out", battles)[0], 0)
        out = self.folder + "/battles.router"
        status, said, error = brevet("train", "mf", "--battles", battles, "--models", "weak,strong", "--out", out,
                                     cache=self.folder + "/cache")
        self.assertEqual(status, 0, error)
        self.assertIn("made.battles.jsonl (battles)", said)
        self.assertRegex(said, r"APGR not known, AUROC 0\.[89]\d*")
        status, _, error = brevet("calibrate", "--router", out, "--data", self.more + "@weak,strong", "--strong-share", ".5",
                                  cache=self.folder + "/cache")
        self.assertEqual(status, 0, error)
        status, _, error = brevet("train", "mf", "--battles", battles, "--out", out, cache=self.folder + "/cache")
        self.assertEqual(status, 2)
        self.assertIn("(models_needed", error)

    def test_an_interrupted_fit_says_so_and_writes_nothing(self):
        out = self.folder + "/interrupted.router"
        # So many passes that it cannot be through before the signal comes.
        fit = subprocess.Popen([BREVET, "train", "mf{epochs=10000;rank=1024}", "--data", self.data + "@weak,strong", "--out", out],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env=dict(os.environ, BREVET_CACHE=self.folder + "/cache"))
        while "is better than" not in fit.stdout.readline():
            self.assertIsNone(fit.poll(), "it ended before it fitted")
        fit.send_signal(signal.SIGTERM)
        _, error = fit.communicate(timeout=120)
        self.assertEqual(fit.returncode, 130, error)
        self.assertIn("(interrupted)", error)
        self.assertFalse(os.path.exists(out))

    def test_prompts_are_predicted_without_a_gateway(self):
        prompts = self.folder + "/prompts.jsonl"
        with open(prompts, "w", encoding="utf-8") as file:
            for i, text in enumerate([easy(5), hard(5)]):
                file.write(json.dumps({"id": f"p{i}", "prompt": text}) + "\n")
        status, said, error = brevet("router", "predict", self.router, self.router, "--prompts", prompts, "--embeddings",
                                     cache=self.folder + "/cache")
        self.assertEqual(status, 0, error)
        lines = [json.loads(line) for line in said.splitlines()]
        self.assertEqual([line["id"] for line in lines], ["p0", "p1"])
        self.assertLess(lines[0]["said"][0]["need_strong"], .5)
        self.assertGreater(lines[1]["said"][0]["need_strong"], .5)
        self.assertEqual(lines[0]["said"][0], lines[0]["said"][1])
        self.assertAlmostEqual(sum(x * x for x in lines[0]["embedding"]), 1, 4)
        self.assertIn("2 predictions,", error)
        status, _, error = brevet("router", "predict", self.router, "--prompts", self.router, cache=self.folder + "/cache")
        self.assertEqual(status, 2)
        self.assertIn("bad_prompt_line", error)

    def test_wrong_use_is_a_sentence(self):
        for arguments, code in (
                (("train",), "missing_key"),
                (("train", "nonsense", "--data", self.data + "@weak,strong", "--out", self.folder + "/x"), "unknown_router"),
                (("train", KIND, "--data", self.data, "--out", self.folder + "/x"), "models_needed"),
                (("train", KIND, "--out", self.folder + "/x"), "one_source"),
                (("train", KIND, "--data", self.data + "@weak,none", "--out", self.folder + "/x"), "unknown_model"),
                (("router", "show", self.data), "router_corrupt"),
                (("router", "show", self.folder + "/nowhere"), "router_unreadable")):
            status, _, error = brevet(*arguments, cache=self.folder + "/cache")
            self.assertEqual(status, 2, arguments)
            self.assertIn(f"({code}", error)
        status, said, _ = brevet("train", "--list")
        self.assertEqual(status, 0)
        self.assertIn(KIND, said)

    def test_it_serves_with_reasons_and_understands_routellm_names(self):
        with self.gateway(self.router) as gateway:
            status, headers, _ = gateway.chat(easy(500))
            self.assertEqual((status, headers["x-brevet-model"], headers["x-brevet-reason"]), (200, "weak", "router_weak"))
            decision = gateway.call("GET", "/v1/decisions/" + headers["x-brevet-decision"])[2]
            self.assertRegex(decision["reason"]["sentence"],
                             rf"Served by weak because {KIND} expects the answer of strong to be better with probability "
                             r"(0\.\d\d|under \.01), needed 0.50\.")
            self.assertEqual(decision["strategy"], KIND)
            self.assertEqual(gateway.chat(hard(500))[1]["x-brevet-model"], "strong")
            far = gateway.chat("Schreibe ein Gedicht über den Mond.")[1]
            self.assertEqual((far["x-brevet-model"], far["x-brevet-reason"]), ("strong", "unfamiliar_request"))
            tools = gateway.chat(easy(501), tools=[{"type": "function", "function": {"name": "f"}}])[1]
            self.assertEqual((tools["x-brevet-model"], tools["x-brevet-reason"]), ("strong", "only_capable"))
            named = lambda name: gateway.chat(easy(500), name)
            self.assertEqual(named(f"router-{KIND}-0")[1]["x-brevet-model"], "strong")
            self.assertEqual(named(f"router-{KIND}-0.9")[1]["x-brevet-model"], "weak")
            route = lambda name: gateway.call("POST", "/v1/route", {"model": name, "messages": [
                {"role": "user", "content": easy(500)}]})
            self.assertIn("needed 0.00", json.dumps(route(f"router-{KIND}-0")[2]))
            for name, code in ((f"router-{KIND}-1.5", "bad_threshold"), (f"router-{KIND}-half", "bad_threshold"),
                               (f"router-{KIND}", "bad_threshold"), ("router-nonsense-0.5", "unknown_router")):
                for answer in (named(name), route(name)):
                    self.assertEqual((answer[0], answer[2]["error"]["code"]), (400, code), name)

    def test_a_damaged_or_unfitting_file_is_refused_at_the_start(self):
        bytes_ = bytearray(pathlib.Path(self.router).read_bytes())
        bytes_[-5] ^= 1
        damaged = pathlib.Path(self.folder, "damaged.router")
        damaged.write_bytes(bytes_)
        config = pathlib.Path(self.folder, "check.yaml")
        check = lambda text: (config.write_text(text.format(data=self.folder + "/d", port=9)),
                              brevet("config", "--check", str(config)))[1]
        good = CONFIG.replace("KIND", KIND)
        self.assertEqual(check(good.replace("ROUTER", "good.router"))[0], 0, "relative to the configuration")
        for text, code in ((good.replace("ROUTER", "damaged.router"), "router_corrupt"),
                           (good.replace("ROUTER", "nowhere.router"), "router_unreadable"),
                           (good.replace("ROUTER", "good.router").replace("weak:", "other:").replace("[weak", "[other"),
                            "router_models_mismatch"),
                           (CONFIG.replace("KIND", "random_mixture").replace("ROUTER", "good.router").replace(", threshold: 0.5", ""),
                            "router_not_read"),
                           (good.replace(', router: "ROUTER"', ""), "router_missing")):
            status, _, error = check(text)
            self.assertEqual(status, 2, code)
            self.assertIn(f"({code}", error)
        config.write_text(good.replace("ROUTER", "damaged.router").format(data=self.folder + "/d", port=9))
        status, _, error = brevet("serve", "--config", str(config))
        self.assertNotEqual(status, 0)
        self.assertIn("its numbers are cut or were changed", error)

    def test_a_reload_under_load_drops_nothing_and_keeps_the_old_on_a_bad_file(self):
        swapped = self.folder + "/swapped.router"
        self.assertEqual(self.train(self.other, swapped)[0], 0)
        live = pathlib.Path(self.folder, "live.router")
        live.write_bytes(pathlib.Path(self.router).read_bytes())
        with self.gateway(str(live)) as gateway:
            ended = threading.Event()
            seen = []

            def load(worker):
                i = worker * 100_000
                while not ended.is_set():
                    status, headers, _ = gateway.chat(easy(500 + i % 50) if i % 2 else hard(500 + i % 50))
                    seen.append((status, headers.get("x-brevet-reason")))
                    i += 1

            workers = [threading.Thread(target=load, args=(n,)) for n in range(3)]
            for worker in workers:
                worker.start()
            try:
                answers = lambda text: gateway.chat(text)[1]["x-brevet-model"]
                self.assertEqual(answers(easy(500)), "weak")

                def replace(source):
                    temporary = live.with_suffix(".new")
                    temporary.write_bytes(source)
                    temporary.rename(live)
                    gateway.process.send_signal(signal.SIGHUP)

                replace(pathlib.Path(swapped).read_bytes())
                gateway.wait_until(lambda: answers(easy(500)) == "strong" and answers(hard(500)) == "weak")
                replace(pathlib.Path(self.router).read_bytes()[:-100])
                gateway.wait_until(lambda: "the old one stays" in gateway.log())
                self.assertIn("router_corrupt", gateway.log())
                self.assertEqual(answers(hard(500)), "weak", "the router of before")
                replace(pathlib.Path(self.router).read_bytes())
                gateway.wait_until(lambda: answers(easy(500)) == "weak")
                count = len(seen)
                gateway.wait_until(lambda: len(seen) > count + 30)
            finally:
                ended.set()
                for worker in workers:
                    worker.join()
            self.assertEqual({status for status, _ in seen}, {200})
            self.assertLessEqual({reason for _, reason in seen}, {"router_weak", "router_strong", "unfamiliar_request"})


if __name__ == "__main__":
    unittest.main()
