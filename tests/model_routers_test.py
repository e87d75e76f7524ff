"""Goal: routers that need a model beside the encoder, and a gateway with another encoder, work from command to decision. Method: the
real program; simulated models that grade in advance, the fake upstream for what goes wrong, a static encoder distilled from the real one."""
import importlib.util
import json
import pathlib
import struct
import subprocess
import tempfile
import unittest

from gateway_harness import BREVET, Gateway
from router_test import brevet, easy, hard, write_outcomes

GRADED = """
server: {{address: 127.0.0.1, port: 0, threads: 2, data_dir: "{data}", drain_ms: 3000, log: warn}}
models:
  weak-sim:   {{upstream: simulated}}
  strong-sim: {{upstream: simulated}}
  down:       {{upstream: openai, base_url: "http://127.0.0.1:9/v1", retries: 0, connect_timeout_ms: 500}}
  mute:       {{upstream: openai, base_url: "http://127.0.0.1:{port}/v1", price: {{input: 1, output: 1}}}}
routes:
  graded: {{candidates: [weak-sim, strong-sim], learning: {{enabled: false}}, strategy: {{name: causal_llm, model: strong-sim, threshold: 0.5}}}}
  itself: {{candidates: [weak-sim, strong-sim], learning: {{enabled: false}}, strategy: causal_llm}}
  broken: {{candidates: [weak-sim, strong-sim], learning: {{enabled: false}}, strategy: {{name: causal_llm, model: down}}}}
  silent: {{candidates: [weak-sim, strong-sim], learning: {{enabled: false}}, strategy: {{name: causal_llm, model: mute}}}}
"""

STATIC = """
server: {{address: 127.0.0.1, port: 0, threads: 2, data_dir: "{data}", drain_ms: 3000, log: warn, encoder: {{static: "STATIC"}}}}
models:
  weak:   {{upstream: openai, base_url: "http://127.0.0.1:{port}/v1", id: weak-id, price: {{input: 0.1, output: 0.2}}}}
  strong: {{upstream: openai, base_url: "http://127.0.0.1:{port}/v1", id: strong-id, price: {{input: 2, output: 8}}}}
routes:
  auto:   {{candidates: [weak, strong], learning: {{enabled: false}}, strategy: {{name: bert_head, router: "ROUTER", threshold: 0.5}}}}
"""


CLASSIFIED = STATIC.replace(', encoder: {{static: "STATIC"}}', "").replace("bert_head", "bert")


def write_classifier(folder, sure=6.0):
    """A BERT of one idle layer, as tools/finetune_bert.py exports it: "prove" and "integral" speak for strong, "cook" against."""
    path = pathlib.Path(__file__).resolve().parent.parent / "tools" / "minilm_to_onnx.py"
    spec = importlib.util.spec_from_file_location("minilm_to_onnx", path)
    onnx = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(onnx)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "prove", "integral", "cook", "the", "of", "in", "with", "is"]
    width, inner = 32, 64
    weights = {}

    def put(name, rows, cols=None, at=None, fill=0.0):
        values = [fill] * (rows * (cols or 1))
        for place, value in (at or {}).items():
            values[place[0] * (cols or 1) + place[1]] = value
        weights[name] = ([rows] if cols is None else [rows, cols], struct.pack(f"<{len(values)}f", *values))

    speaks = {(words.index("prove"), 0): 1.0, (words.index("integral"), 0): 1.0, (words.index("cook"), 1): 1.0}
    put("embeddings.word_embeddings.weight", len(words), width, speaks)
    put("embeddings.position_embeddings.weight", 512, width)
    put("embeddings.token_type_embeddings.weight", 2, width)
    layer = "encoder.layer.0."
    for norm in ("embeddings.LayerNorm", layer + "attention.output.LayerNorm", layer + "output.LayerNorm"):
        put(norm + ".weight", width, fill=1.0)
        put(norm + ".bias", width)
    for name, rows, cols in (("attention.self.query", width, width), ("attention.self.key", width, width), ("attention.self.value", width, width),
                             ("attention.output.dense", width, width), ("intermediate.dense", inner, width), ("output.dense", width, inner)):
        put(layer + name + ".weight", rows, cols)
        put(layer + name + ".bias", rows)
    put("classifier.weight", 3, width, {(0, 0): sure, (0, 1): -sure, (2, 1): sure})
    put("classifier.bias", 3)
    folder = pathlib.Path(folder)
    folder.mkdir(exist_ok=True)
    (folder / "model.onnx").write_bytes(onnx.build(weights))
    (folder / "vocab.txt").write_text("".join(word + "\n" for word in words))


class FineTuned(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory(prefix="brevet-bert-")
        cls.folder = cls.holder.name
        cls.data = write_outcomes(cls.folder + "/made.jsonl", 120, 1)
        cls.more = write_outcomes(cls.folder + "/more.jsonl", 120, 2)
        write_classifier(cls.folder + "/bert")
        cls.router = cls.folder + "/bert.router"
        status, cls.said, error = cls.train(cls.router)
        assert status == 0, error

    @classmethod
    def tearDownClass(cls):
        cls.holder.cleanup()

    @classmethod
    def train(cls, out, classifier="bert"):
        return brevet("train", "bert", "--data", cls.data + "@weak,strong", "--classifier", cls.folder + "/" + classifier, "--out", out,
                      cache=cls.folder + "/cache")

    def test_its_word_is_calibrated_on_other_questions(self):
        self.assertRegex(self.said, r"Out of fold, n = 240: APGR 0\.7\d*, AUROC 0\.[89]\d*, Brier 0\.[01]\d*")
        status, shown, error = brevet("router", "show", self.router)
        self.assertEqual(status, 0, error)
        self.assertRegex(shown, r"classifier +bert, ")
        status, said, error = brevet("calibrate", "--router", self.router, "--data", self.more + "@weak,strong", "--quality", ".9",
                                     cache=self.folder + "/cache")
        self.assertEqual(status, 0, error)
        self.assertIn("Chosen: 0.", said)

    def test_it_serves_with_reasons(self):
        with Gateway(CLASSIFIED.replace("ROUTER", self.router)) as gateway:
            for text, model in ((easy(500), "weak"), (hard(500), "strong")):
                headers = gateway.chat(text)[1]
                self.assertEqual((headers["x-brevet-model"], headers["x-brevet-reason"]), (model, "router_" + model))
                decision = gateway.call("GET", "/v1/decisions/" + headers["x-brevet-decision"])[2]
                self.assertRegex(decision["reason"]["sentence"], r"because bert expects the answer of strong to be better with probability")

    def test_predictions_are_those_of_the_network(self):
        status, said, error = brevet("router", "predict", self.router, "--prompts", self.more, cache=self.folder + "/cache")
        self.assertEqual(status, 0, error)
        need = {}
        for line in said.splitlines():
            row = json.loads(line)
            need.setdefault(row["id"].rstrip("0123456789-"), set()).add(row["said"][0]["need_strong"])
        self.assertLess(max(need["easy"]), .3)
        self.assertGreater(min(need["hard"]), .6)

    def test_another_network_in_the_folder_is_refused(self):
        write_classifier(self.folder + "/other", sure=5.0)
        router = self.folder + "/other.router"
        self.assertEqual(self.train(router, "other")[0], 0)
        write_classifier(self.folder + "/other", sure=4.0)
        config = pathlib.Path(self.folder, "other.yaml")
        config.write_text(CLASSIFIED.replace("ROUTER", "other.router").format(data=self.folder + "/d", port=9))
        status, _, error = brevet("config", "--check", str(config))
        self.assertEqual(status, 2)
        self.assertIn("(router_classifier_mismatch", error)
        status, _, error = brevet("router", "predict", router, "--prompts", self.more, cache=self.folder + "/cache")
        self.assertEqual(status, 2)
        self.assertIn("router_classifier_mismatch", error)

    def test_without_a_classifier_it_says_what_is_missing(self):
        status, _, error = brevet("train", "bert", "--data", self.data + "@weak,strong", "--out", self.folder + "/x.router", cache=self.folder + "/cache")
        self.assertEqual(status, 2)
        self.assertIn("(not_classified", error)


class AskedForAGrade(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gateway = Gateway(GRADED)
        said = subprocess.run([BREVET, "upstream", "--simulated", "--questions", "200"], capture_output=True, text=True, timeout=60, check=True).stdout
        cls.questions = [json.loads(line)["prompt"] for line in said.splitlines()]

    @classmethod
    def tearDownClass(cls):
        cls.gateway.__exit__(None, None, None)

    def decision(self, question, route):
        status, headers, body = self.gateway.chat(question, route)
        self.assertEqual(status, 200, body)
        return headers, self.gateway.call("GET", "/v1/decisions/" + headers["x-brevet-decision"])[2]

    def test_grades_decide_and_their_call_is_accounted(self):
        reasons = {}
        for question in self.questions[:60]:
            headers, decision = self.decision(question, "graded")
            reason = headers["x-brevet-reason"]
            reasons[reason] = reasons.get(reason, 0) + 1
            self.assertEqual(headers["x-brevet-model"], {"label_weak": "weak-sim", "label_strong": "strong-sim"}[reason])
            label, served = decision["attempts"]
            self.assertEqual((label["configuration"], label["purpose"], label["usage"]["output_tokens"]), ("strong-sim", "judge", 1))
            self.assertEqual((served["configuration"], served["purpose"]), (headers["x-brevet-model"], "serve"))
            self.assertRegex(decision["reason"]["sentence"], r"strong-sim, asked for a grade, expects the answer of strong-sim to be better with probability \d\.\d\d")
            parts = [float(attempt["cost"]["usd"]) for attempt in decision["attempts"]]
            self.assertGreater(min(parts), 0)
            self.assertAlmostEqual(float(decision["cost"]["usd"]), sum(parts), places=12)
        self.assertGreater(min(reasons.get("label_weak", 0), reasons.get("label_strong", 0)), 5, reasons)

    def test_without_a_model_the_weak_one_is_asked(self):
        _, decision = self.decision(self.questions[70], "itself")
        self.assertEqual(decision["attempts"][0]["configuration"], "weak-sim")

    def test_what_is_no_grade_means_strong_with_the_reason(self):
        for question, route, reason in ((self.questions[80], "broken", "label_failed"), (self.questions[80], "silent", "no_logprobs"),
                                        ("What is the capital of France?", "graded", "no_label")):
            headers, _ = self.decision(question, route)
            self.assertEqual((headers["x-brevet-model"], headers["x-brevet-reason"]), ("strong-sim", reason))

    def test_streamed_answers_hold_nothing_of_the_grade(self):
        status, headers, events = self.gateway.events(self.questions[90], "graded")
        self.assertEqual((status, events[-1]), (200, "[DONE]"))
        text = "".join(json.loads(event)["choices"][0]["delta"].get("content") or "" for event in events[:-1] if json.loads(event)["choices"])
        whole = self.gateway.chat(self.questions[90], headers["x-brevet-model"])[2]["choices"][0]["message"]["content"]
        self.assertEqual(text, whole)

    def test_grades_are_calibrated_on_known_outcomes(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "brevet.yaml")
            path.write_text(GRADED.format(data=folder + "/data", port=9))
            data = pathlib.Path(folder, "made.jsonl")
            with open(data, "w", encoding="utf-8") as out:
                for i, question in enumerate(self.questions):
                    known = {name: self.gateway.chat(question, name)[2]["choices"][0]["message"]["content"] for name in ("weak-sim", "strong-sim")}
                    # Who answers as strong does counts as right.
                    weak = known["weak-sim"].rstrip(".").split()[-1] == known["strong-sim"].rstrip(".").split()[-1]
                    out.write(json.dumps({"id": str(i), "dataset": "simulated", "prompt": question, "models": {
                        "weak-sim": {"score": int(weak)}, "strong-sim": {"score": 1}}}) + "\n")
            router = folder + "/asked.router"
            train = lambda model: brevet("train", "causal_llm", "--data", str(data) + "@weak-sim,strong-sim", "--ask", model, "--config", str(path),
                                         "--out", router, cache=folder + "/cache")
            status, _, error = train("mute")
            self.assertEqual(status, 2)
            self.assertIn("(not_classified", error)
            status, said, error = train("strong-sim")
            self.assertEqual(status, 0, error)
            self.assertRegex(said, r"strong-sim graded 200 of 200 questions for 0\.\d+ USD\.")
            self.assertRegex(said, r"Out of fold, n = 200: APGR 0\.\d+, AUROC 0\.[5-9]\d*, Brier")
            status, shown, error = brevet("router", "show", router)
            self.assertEqual(status, 0, error)
            self.assertRegex(shown, r"classifier +strong-sim, ")
            served = GRADED.replace("strategy: causal_llm", f'strategy: {{{{name: causal_llm, router: "{router}"}}}}')
            with Gateway(served) as gateway:
                headers = gateway.chat(self.questions[3], "itself")[1]
                decision = gateway.call("GET", "/v1/decisions/" + headers["x-brevet-decision"])[2]
                self.assertEqual(decision["attempts"][0]["configuration"], "strong-sim", "whom the router was calibrated on")
                self.assertIn(headers["x-brevet-reason"], ("label_weak", "label_strong"))
            path.write_text(served.replace("router: \"", "model: weak-sim, router: \"").format(data=folder + "/data", port=9))
            status, _, error = brevet("config", "--check", str(path))
            self.assertEqual(status, 2)
            self.assertIn("(router_classifier_mismatch", error)

    def test_a_model_that_is_not_there_is_refused_at_the_start(self):
        with tempfile.TemporaryDirectory() as folder:
            config = pathlib.Path(folder, "brevet.yaml")
            config.write_text(GRADED.replace("model: down", "model: dwon").format(data=folder + "/data", port=9))
            status, _, error = brevet("config", "--check", str(config))
            self.assertEqual(status, 2)
            self.assertIn("(unknown_model", error)


class StaticEncoder(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory(prefix="brevet-static-")
        cls.folder = cls.holder.name
        cls.data = write_outcomes(cls.folder + "/made.jsonl", 120, 1)
        cls.file = cls.folder + "/my.static"
        status, cls.said, error = brevet("encoder", "distil", "--out", cls.file, "--data", cls.data, "--dimension", "128")
        assert status == 0, error
        cls.router = cls.folder + "/static.router"
        status, cls.trained, error = cls.train(cls.router, "--encoder", cls.file)
        assert status == 0, error

    @classmethod
    def tearDownClass(cls):
        cls.holder.cleanup()

    @classmethod
    def train(cls, out, *more):
        return brevet("train", "bert_head", "--data", cls.data + "@weak,strong", "--out", out, *more, cache=cls.folder + "/cache")

    def test_the_file_says_what_it_is(self):
        self.assertRegex(self.said, r"my\.static written in \d+ s, \d+ bytes, SHA-256")
        status, shown, error = brevet("encoder", "show", self.file)
        self.assertEqual(status, 0, error)
        self.assertRegex(shown, r"dimension +128")
        self.assertRegex(shown, r"weighted by +240 texts")
        self.assertIn("by: brevet encoder distil --out", shown)
        status, _, error = brevet("encoder", "show", self.data)
        self.assertEqual(status, 2)
        self.assertIn("(static_encoder_corrupt", error)

    def test_a_router_learns_and_serves_on_it(self):
        self.assertRegex(self.trained, r"Out of fold, n = 240: APGR 0\.7\d*, AUROC 0\.[89]\d*")
        with Gateway(STATIC.replace("STATIC", self.file).replace("ROUTER", self.router)) as gateway:
            self.assertEqual(gateway.chat(easy(500))[1]["x-brevet-model"], "weak")
            self.assertEqual(gateway.chat(hard(500))[1]["x-brevet-model"], "strong")

    def test_routers_of_the_other_encoder_are_refused(self):
        full = self.folder + "/full.router"
        self.assertEqual(self.train(full)[0], 0)
        for config, router in ((STATIC.replace("STATIC", self.file), full),
                               (STATIC.replace(', encoder: {{static: "STATIC"}}', ""), self.router)):
            path = pathlib.Path(self.folder, "wrong.yaml")
            path.write_text(config.replace("ROUTER", router).format(data=self.folder + "/data", port=9))
            status, _, error = brevet("serve", "--config", str(path))
            self.assertNotEqual(status, 0)
            self.assertIn("router_encoder_mismatch", error)
        status, _, error = brevet("router", "predict", full, "--prompts", self.data, "--encoder", self.file)
        self.assertEqual(status, 2)
        self.assertIn("router_encoder_mismatch", error)

    def test_a_damaged_file_is_refused(self):
        bytes_ = bytearray(pathlib.Path(self.file).read_bytes())
        bytes_[len(bytes_) // 2] ^= 1
        damaged = pathlib.Path(self.folder, "damaged.static")
        damaged.write_bytes(bytes_)
        status, _, error = self.train(self.folder + "/x.router", "--encoder", str(damaged))
        self.assertNotEqual(status, 0)
        self.assertIn("its numbers are cut or were changed", error)


if __name__ == "__main__":
    unittest.main()
