"""Goal: cascades are trained from recorded answers, serve unseen questions near the reference's quality below its cost,
account every call, and say why; hand-set cascades read log-probabilities, and a user's checks; tuning data is written.
Method: the real program in front of recorded models, whose answers, costs and log-probabilities the test makes up."""
import json
import random
import subprocess
import os
import tempfile
import unittest

from gateway_harness import BREVET, Gateway

COSTS = {"small": 0.00001, "middle": 0.00005, "large": 0.0004}


def write_outcomes(path, count, seed):
    """Small's log-probability says how hard a question is for it; middle knows half of what small does not."""
    dice = random.Random(seed)
    with open(path, "w", encoding="utf-8") as out:
        for i in range(count):
            a, b = dice.randrange(100, 999), dice.randrange(100, 999)
            hard = dice.random()
            models = {}
            for model, right in (("small", 1 - hard), ("middle", 1 - hard / 2), ("large", .97)):
                good = dice.random() < right
                models[model] = {
                    "score": int(good), "cost_usd": COSTS[model], "input_tokens": 20, "output_tokens": 6,
                    "logprob_conf": round(-hard * (1 if model == "small" else .5) - .1 * dice.random(), 4),
                    "response": f"The answer is {a + b if good else a + b + 1 + dice.randrange(9)}."}
            out.write(json.dumps({"id": f"made{seed}-{i}", "dataset": "made", "prompt": f"What is {a} plus {b}? Number {i}.",
                                  "answer": str(a + b), "models": models}) + "\n")
    return path


CONFIG = """
server: {{address: 127.0.0.1, port: 0, threads: 2, data_dir: "{data}", drain_ms: 3000, log: warn}}
models:
  small:  {{upstream: recorded, file: "UNSEEN", logprobs: true}}
  middle: {{upstream: recorded, file: "UNSEEN", logprobs: true}}
  large:  {{upstream: recorded, file: "UNSEEN", logprobs: true}}
routes:
  frugal:  {{candidates: [small, middle, large], learning: {{enabled: false}},
             strategy: {{name: frugal_cascade, router: "FOLDER/frugal_cascade.router", keep: 0.95}}}}
  routing: {{candidates: [small, middle, large], learning: {{enabled: false}},
             strategy: {{name: cascade_routing, router: "FOLDER/cascade_routing.router", keep: 0.95}}}}
  plain:   {{candidates: [small, large], learning: {{enabled: false}},
             strategy: {{name: cascade, signal: logprob, threshold: -0.3}}}}
  checked: {{candidates: [small, large], learning: {{enabled: false}},
             strategy: {{name: cascade, signal: none, answer_checks: "number; lacks=13"}}}}
"""


def brevet(*arguments, cache):
    done = subprocess.run([BREVET, *arguments], capture_output=True, text=True, timeout=300, check=False,
                          env=dict(os.environ, BREVET_CACHE=cache))
    return done.returncode, done.stdout, done.stderr


class Cascades(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory(prefix="brevet-cascade-")
        cls.folder = cls.holder.name
        cls.data = write_outcomes(cls.folder + "/made.jsonl", 700, 1)
        cls.unseen = write_outcomes(cls.folder + "/unseen.jsonl", 300, 2)
        with open(cls.unseen, encoding="utf-8") as lines:
            cls.records = [json.loads(line) for line in lines]
        cls.said = {}
        for kind in ("frugal_cascade", "cascade_routing"):
            status, said, error = brevet("train", kind, "--data", cls.data + "@small,middle,large", "--out",
                                         f"{cls.folder}/{kind}.router", cache=cls.folder + "/cache")
            assert status == 0, error
            cls.said[kind] = said
        cls.gateway = Gateway(CONFIG.replace("FOLDER", cls.folder).replace("UNSEEN", cls.unseen))

    @classmethod
    def tearDownClass(cls):
        cls.gateway.stop()
        cls.holder.cleanup()

    def serve(self, route):
        """Every unseen question: quality, cost, decisions; each decision's cost is the sum of its calls to the cent."""
        right = cost = 0
        served = {}
        decisions = []
        for record in self.records:
            status, headers, body = self.gateway.chat(record["prompt"], model=route)
            self.assertEqual(status, 200, body)
            text = body["choices"][0]["message"]["content"]
            right += text == f"The answer is {record['answer']}."
            model = headers["x-brevet-model"]
            served[model] = served.get(model, 0) + 1
            self.assertEqual(text, record["models"][model]["response"])
            decision = self.gateway.call("GET", "/v1/decisions/" + headers["x-brevet-decision"])[2]
            paid = sum(record["models"][attempt["configuration"]]["cost_usd"] for attempt in decision["attempts"])
            self.assertAlmostEqual(float(headers["x-brevet-cost-usd"]), paid, places=10)
            cost += paid
            decisions.append((record, decision))
        count = len(self.records)
        return right / count, cost / count, served, decisions

    def reference(self):
        return sum(record["models"]["large"]["score"] for record in self.records) / len(self.records)

    def test_learned_cascades_keep_most_of_the_quality_at_a_part_of_the_cost(self):
        for route in ("frugal", "routing"):
            quality, cost, served, decisions = self.serve(route)
            # 300 questions: .95 promised, .91 is over two standard errors below.
            self.assertGreater(quality, .91 * self.reference(), route)
            self.assertLess(cost, .85 * COSTS["large"], route)
            self.assertGreater(len(served), 1, route)
            for _, decision in decisions:
                self.assertRegex(decision["reason"]["sentence"], "^Served by (small|middle|large)")

    def test_training_says_what_the_settings_cost(self):
        self.assertIn("accept_auroc", self.said["frugal_cascade"])
        self.assertIn("keeps at least", self.said["frugal_cascade"])
        self.assertIn("a right answer is worth", self.said["cascade_routing"])
        self.assertIn("strategy: {name: cascade_routing, router: ", self.said["cascade_routing"])

    def test_a_threshold_on_the_log_probability(self):
        _, _, _, decisions = self.serve("plain")
        for record, decision in decisions:
            sure = record["models"]["small"]["logprob_conf"] >= -.3
            models = [attempt["configuration"] for attempt in decision["attempts"]]
            self.assertEqual(models, ["small"] if sure else ["small", "large"])
            if not sure:
                self.assertIn("mean_logprob of its answer is -", decision["reason"]["sentence"])

    def test_the_users_own_checks(self):
        _, _, _, decisions = self.serve("checked")
        for record, decision in decisions:
            models = [attempt["configuration"] for attempt in decision["attempts"]]
            self.assertEqual(models, ["small", "large"] if "13" in record["models"]["small"]["response"] else ["small"])

    def test_streams_are_held_and_then_written(self):
        record = self.records[0]
        status, _, events = self.gateway.events(record["prompt"], model="plain")
        self.assertEqual(status, 200)
        self.assertEqual(events[-1], "[DONE]")
        text = "".join(choice["delta"].get("content") or "" for event in events[:-1]
                       for choice in json.loads(event)["choices"])
        self.assertIn(text, [outcome["response"] for outcome in record["models"].values()])

    def test_a_cascade_of_other_models_is_refused(self):
        config = CONFIG.replace("FOLDER", self.folder).replace("UNSEEN", self.unseen)
        with self.assertRaisesRegex(RuntimeError, "router_models_mismatch"):
            with Gateway(config.replace("middle: {{upstream: recorded", "other: {{upstream: recorded, id: middle")
                         .replace("[small, middle, large]", "[small, other, large]")):
                pass
        with self.assertRaisesRegex(RuntimeError, "budget_too_small"):
            with Gateway(config.replace("keep: 0.95", "budget_usd: 0.000000001")):
                pass
        status, _, error = brevet("train", "cascade_routing", "--data", self.unseen + "@small,large", "--fit-labels", "20",
                                  "--out", self.folder + "/x", cache=self.folder + "/cache")
        self.assertEqual(status, 2)
        self.assertIn("too_few_labels", error)

    def test_measuring_over_splits(self):
        status, said, error = brevet("cascade", "--data", self.data + "@small,middle,large", "--splits", "3", "--bootstrap",
                                     "50", cache=self.folder + "/cache")
        self.assertEqual(status, 0, error)
        for method in ("threshold", "frugal_cascade", "cascade_routing", "judge", "mixture"):
            self.assertIn(f"| {method} |", said)

    def test_tuning_data(self):
        out = self.folder + "/pairs.jsonl"
        status, said, error = brevet("tuning", "--data", self.data + "@small,large", "--format", "dpo", "--out", out,
                                     cache=self.folder + "/cache")
        self.assertEqual(status, 0, error)
        with open(self.data, encoding="utf-8") as lines:
            records = [json.loads(line)["models"] for line in lines]
        wanted = sum(models["large"]["score"] > models["small"]["score"] for models in records)
        with open(out, encoding="utf-8") as lines:
            pairs = [json.loads(line) for line in lines]
        self.assertEqual(len(pairs), wanted)
        self.assertEqual(set(pairs[0]), {"prompt", "chosen", "rejected"})
        self.assertIn(f"{wanted} examples of large", said)


if __name__ == "__main__":
    unittest.main()
