"""Goal: `brevet eval` keeps the interface that scripts rely on, gives the same bytes for the same seed, goes on
after an interruption, and refuses bad use with a sentence and a code. Method: the real program on made files."""
import gzip
import json
import os
import pathlib
import random
import signal
import subprocess
import tempfile
import time
import unittest

BREVET = os.environ["BREVET_BINARY"]
METRICS = ["quality", "retention", "strong_share", "cost_usd", "cost_rel", "apgr", "cpt50", "cpt80", "aiq",
           "shuffle_gain"]
BASELINES = ["always_weak", "always_strong", "best_single", "random_mixture", "zero_router", "exact_lookup", "oracle",
             "oracle_all", "knn"]


def records(count, models=("small@v1", "mid", "large"), costs=True, seed=1):
    draw = random.Random(seed)
    for i in range(count):
        easy = draw.random() < .5
        out = {"id": f"made/{i}", "dataset": "made", "subject": "easy" if easy else "hard", "extra": {"unknown": [1]},
               "prompt": f"{'Add' if easy else 'Name the capital of'} item {draw.randrange(10**9)} number {i}?",
               "choices": ["one", "two", "three"], "models": {}}
        for rank, model in enumerate(models):
            right = rank == len(models) - 1 or draw.random() < (.9 if easy else .2)
            cell = {"score": float(right), "pred": "A" if right else "BC"[rank % 2]}
            if costs:
                cell["cost_usd"] = .000123 * 10 ** rank
            out["models"][model] = cell
        yield out


# Three kinds of request with words of their own; the weak model is right on the first and wrong on the last.
KINDS = {
    "cooking": (["bread", "tomato soup", "rice", "pancakes", "roast potatoes", "an omelette", "apple pie", "noodles"],
                "In the kitchen: how should one prepare {} for {} guests so that it is well cooked and seasoned?", .95),
    "gardening": (["roses", "cabbage", "an apple tree", "tulips", "a hedge", "strawberries", "moss", "a lawn"],
                  "In the garden: when is the best week to plant or cut {} on a plot of {} square metres?", .6),
    "law": (["a lease", "a will", "a patent", "an employment contract", "a trust", "a merger", "bail", "a mortgage"],
            "In court: which clause of {} does the statute of limitations void after {} months, says the judge?", .05),
}


def talk(count, seed=3):
    draw = random.Random(seed)
    for i in range(count):
        topic = draw.choice(sorted(KINDS))
        things, text, weak_right = KINDS[topic]
        right = draw.random() < weak_right
        cell = lambda score, cost: {"score": float(score), "cost_usd": cost}
        yield {"id": f"talk/{i}", "dataset": "talk", "subject": topic,
               "prompt": text.format(draw.choice(things), draw.randrange(2, 10**4)),
               "models": {"small": cell(right, .0001), "large": cell(1, .001)}}


def encoder_is_there():
    """Whether this build finds its sentence encoder; asked of the program, which says it as people are told."""
    with tempfile.TemporaryDirectory() as folder:
        data = pathlib.Path(folder) / "few.jsonl"
        data.write_text("".join(json.dumps(row) + "\n" for row in talk(12)))
        done = subprocess.run([BREVET, "eval", "--data", str(data), "--models", "small,large", "--strategies",
                               "always_weak", "--bootstrap", "5", "--fit-labels", "3", "--calibration-labels", "0",
                               "--cache", folder], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=300)
    if done.returncode != 0 and "encoder_unreadable" not in done.stderr:
        raise AssertionError(done.stderr)
    return done.returncode == 0


class Eval(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = pathlib.Path(self.folder.name)
        self.environment = dict(os.environ, BREVET_CACHE=str(self.path / "cache"))

    def write(self, name, rows, compressed=False):
        path = self.path / name
        text = "".join(json.dumps(row) + "\n" for row in rows)
        if compressed:
            with gzip.open(path, "wt") as out:
                out.write(text)
        else:
            path.write_text(text)
        return str(path)

    def run_eval(self, *arguments, encoder=False):
        command = [BREVET, "eval", *arguments] + ([] if encoder else ["--no-encoder"])
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=300, env=self.environment)
        return done.returncode, done.stdout, done.stderr

    def evaluate(self, *arguments, encoder=False):
        out = self.path / "out.json"
        status, said, complained = self.run_eval(*arguments, "--json", str(out), encoder=encoder)
        self.assertEqual(status, 0, complained)
        return json.loads(out.read_text()), said

    def test_rows_and_metrics_as_scripts_expect_them(self):
        one = self.write("one.jsonl", records(250))
        two = self.write("two.jsonl.gz", records(200, models=("a", "b"), costs=False, seed=2), compressed=True)
        report = self.path / "report.html"
        found, said = self.evaluate("--data", one, "--data", two + "@a,b", "--models", "small@v1,large",
                                    "--strategies", "rar,adaptive{outcomes_min=20;guides=false}", "--seeds", "2",
                                    "--order", "random", "--fit-labels", "50", "--calibration-labels", "40", "--at",
                                    "strong_share=.5", "--bootstrap", "100", "--report", str(report))
        rows = {(row["dataset"], row["strategy"]): row for row in found["rows"]}
        for data in ("one", "two"):
            for name in BASELINES + ["rar", "adaptive{outcomes_min=20;guides=false}"]:
                row = rows[data, name]
                self.assertGreater(row["n"], 0)
                self.assertGreaterEqual(row["seeds"], 1)
                for metric in METRICS:
                    self.assertIn(metric, row)
                    if row[metric] is not None:
                        self.assertEqual(set(row[metric]), {"mean", "ci95"})
                if (data, name) != ("two", "zero_router"):  # a hull over costs needs costs
                    self.assertIsNotNone(row["quality"], (data, name))
            strong = rows[data, "always_strong"]
            self.assertEqual(strong["strong_share"]["mean"], 1)
            self.assertEqual(strong["retention"]["mean"], 1)
        self.assertAlmostEqual(rows["one", "always_strong"]["cost_rel"]["mean"], 1)
        self.assertAlmostEqual(rows["one", "always_weak"]["cost_rel"]["mean"], .01)
        self.assertAlmostEqual(rows["one", "always_strong"]["cost_usd"]["mean"], .0123)
        self.assertIsNone(rows["two", "always_strong"]["cost_usd"], "an unknown cost is never zero")
        self.assertIsNone(rows["two", "always_strong"]["cost_rel"])
        self.assertAlmostEqual(rows["two", "random_mixture"]["strong_share"]["mean"], .5)
        self.assertIn("always_strong", said)
        page = report.read_text()
        self.assertIn("<svg", page)
        self.assertNotIn("http://", page.replace("http://www.w3.org", ""))
        self.assertNotIn("<script src", page)

    def test_a_ladder_and_all_models_of_the_file(self):
        data = self.write("ladder.jsonl", records(250))
        found, _ = self.evaluate("--data", data, "--models", "small@v1,mid,large", "--strategies", "always_weak",
                                 "--seeds", "1", "--fit-labels", "50", "--calibration-labels", "0", "--bootstrap", "50")
        pair, _ = self.evaluate("--data", data, "--models", "small@v1,large", "--strategies", "always_weak", "--seeds",
                                "1", "--fit-labels", "50", "--calibration-labels", "0", "--bootstrap", "50")
        of = lambda report, name: next(row for row in report["rows"] if row["strategy"] == name)
        self.assertLess(of(found, "oracle")["cost_rel"]["mean"], of(pair, "oracle")["cost_rel"]["mean"])
        self.assertEqual(of(found, "oracle")["cost_rel"], of(found, "oracle_all")["cost_rel"])
        self.assertEqual(of(pair, "oracle_all")["cost_rel"], of(found, "oracle_all")["cost_rel"])

    def test_same_seed_same_bytes_but_for_timing(self):
        data = self.write("bytes.jsonl", records(200))
        arguments = ["--data", data, "--models", "small@v1,large", "--strategies", "adaptive{outcomes_min=20}",
                     "--seeds", "2", "--fit-labels", "40", "--calibration-labels", "20", "--bootstrap", "50"]
        texts = []
        for _ in range(2):
            found, _ = self.evaluate(*arguments)
            timing = found.pop("timing")
            self.assertGreater(timing["wall_s"], 0)
            texts.append(json.dumps(found))
        self.assertEqual(texts[0], texts[1])

    def test_an_interrupted_run_goes_on(self):
        data = self.write("long.jsonl", records(1500))
        out = self.path / "out.json"
        command = [BREVET, "eval", "--data", data, "--models", "small@v1,large", "--strategies", "adaptive",
                   "--seeds", "20", "--fit-labels", "100", "--no-encoder", "--threads", "1", "--bootstrap", "20",
                   "--json", str(out)]
        started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                   env=self.environment)
        streams = self.path / "cache" / "streams"
        for _ in range(3000):
            if streams.is_dir() and len(list(streams.glob("*.stream"))) >= 3:
                break
            time.sleep(.02)
        started.send_signal(signal.SIGINT)
        _, said = started.communicate(timeout=120)
        self.assertEqual(started.returncode, 130, said)
        self.assertIn("interrupted", said)
        kept = len(list(streams.glob("*.stream")))
        self.assertGreaterEqual(kept, 3)
        self.assertFalse(out.exists())
        again = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=300,
                               env=self.environment)
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("rows", json.loads(out.read_text()))
        self.assertEqual(list(streams.glob("*.stream")), [])

    def test_with_the_real_encoder_what_is_fitted_beats_its_shuffle(self):
        if not encoder_is_there():
            self.skipTest("the sentence encoder is not in third_party/minilm: nothing was evaluated with embeddings")
        data = self.write("talk.jsonl", talk(360))
        cool = self.write("cool.jsonl", talk(150, seed=4))
        arguments = ["--data", data, "--data", cool, "--models", "small,large", "--strategies",
                     "rar,knn,adaptive{outcomes_min=30}", "--seeds", "2", "--fit-labels", "90", "--calibration-labels",
                     "60", "--bootstrap", "100", "--budget-share", "2"]
        found, said = self.evaluate(*arguments, encoder=True)
        rows = {(row["dataset"], row["strategy"]): row for row in found["rows"]}
        knn = rows["talk", "knn"]
        self.assertEqual(knn["verdict"], "beats its own shuffle", knn)
        self.assertGreater(knn["shuffle_gain"]["ci95"][0], .05)
        self.assertGreater(knn["auroc"]["mean"], .75)
        for name in ("rar", "adaptive{outcomes_min=30}"):
            self.assertIsNotNone(rows["talk", name]["quality"])
        # Labels are charged, and the learning lines say so.
        self.assertGreater(knn["cost_rel_with_learning"]["mean"], knn["cost_rel"]["mean"])
        sets = {one["name"]: one for one in found["datasets"]}
        self.assertIn("knn", [line["strategy"] for line in sets["talk"]["learning"]])
        self.assertEqual(sets["talk"]["embedding"]["cost_usd"], 0)
        self.assertEqual(sets["talk"]["embedding"]["texts"], 360)
        self.assertGreater(found["timing"]["embedding"][0]["ms_per_text"], 0)
        # What it was fitted on tells it of the other set, with the threshold kept.
        carried = next(row for row in found["transfer"]
                       if row["fitted_on"] == "talk" and row["tested_on"] == "cool" and row["strategy"] == "knn")
        self.assertGreater(carried["n"], 0)
        self.assertGreater(carried["apgr"]["mean"], .6)
        self.assertGreater(carried["carried"]["mixture_gain"]["mean"], .05)
        self.assertIn("transfer: threshold kept", said)
        # Two runs at once on an empty cache: neither disturbs the other, and both say what one alone said.
        shared = dict(self.environment, BREVET_CACHE=str(self.path / "shared"))
        outs = [self.path / f"together{i}.json" for i in range(2)]
        runs = [subprocess.Popen([BREVET, "eval", *arguments, "--json", str(out)], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=shared)
                for out in outs]
        for run in runs:
            self.assertEqual(run.wait(timeout=300), 0, run.stderr.read())
            run.stderr.close()
        for out in outs:
            again = json.loads(out.read_text())
            for report in (again, found):
                report.pop("timing", None)
                report["run"].pop("command", None)
            self.assertEqual(again, found)
        self.assertEqual([path.name for path in (self.path / "shared").rglob("*.part")], [])

    def test_trained_routers_are_fitted_here_and_compared_in_pairs(self):
        data = self.write("talk.jsonl", talk(400))
        arguments = ["--data", data, "--models", "small,large", "--strategies", "bert_head,svm{epsilon=.1}", "--seeds", "1",
                     "--fit-labels", "100,60", "--splits", "2", "--calibration-labels", "60", "--bootstrap", "50"]
        blind, _ = self.evaluate(*arguments)
        row = next(row for row in blind["rows"] if row["strategy"] == "bert_head")
        self.assertIsNone(row["apgr"])
        self.assertIn("could not be fitted", row["note"])
        if not encoder_is_there():
            self.skipTest("the sentence encoder is not in third_party/minilm: no router was fitted")
        found, said = self.evaluate(*arguments, encoder=True)
        for name in ("bert_head", "svm{epsilon=.1}"):
            rows = [row for row in found["rows"] if row["strategy"] == name]
            self.assertEqual([(row["labels"], row["splits"]) for row in rows], [(100, 2), (60, 2)])
            for row in rows:
                self.assertGreater(row["apgr"]["mean"], .7)
                self.assertGreater(row["auroc"]["mean"], .7)
        pairs = {(one["a"], one["b"], one["metric"]): one for one in found["pairwise"]}
        pair = pairs["bert_head", "svm{epsilon=.1}", "apgr"]
        self.assertEqual(pair["splits"], 2)
        self.assertLessEqual(pair["ci95"][0], pair["mean"])
        self.assertIn("pairwise: a", said)

    def test_bad_use_is_a_sentence_with_a_code(self):
        data = self.write("good.jsonl", records(60))
        broken = self.write("broken.jsonl", list(records(3)))
        with open(broken, "a") as out:
            out.write('{"id":"x","dataset":"made","prompt":"p","models":{"a":{"score":"high"}}}\n')
        for arguments, code in [
                (["--data", data, "--models", "small@v1"], "missing_models"),
                (["--data", data, "--models", "small@v1,huge"], "unknown_model"),
                (["--data", data, "--models", "small@v1,large", "--strategies", "adaptve"], "unknown_strategy"),
                (["--data", data, "--models", "small@v1,large", "--strategies", "knn{kk=3}"], "unknown_option"),
                (["--data", data, "--models", "small@v1,large", "--strategies", "mlp{unitz=3}"], "unknown_option"),
                (["--data", data, "--models", "small@v1,large", "--splits", "2", "--order", "random+repeats=.2"],
                 "contradictory"),
                (["--data", data, "--models", "small@v1,large", "--at", "strong_share=2"], "bad_operating_point"),
                (["--data", data, "--models", "small@v1,large", "--drop", "everything"], "bad_drop"),
                (["--data", data, "--models", "small@v1,large", "--order", "sideways"], "bad_order"),
                (["--data", broken, "--models", "a,b"], "broken_data_file"),
                (["--data", str(self.path / "none.jsonl"), "--models", "a,b"], "data_file_unreadable")]:
            status, _, said = self.run_eval(*arguments)
            self.assertNotEqual(status, 0, arguments)
            self.assertRegex(said, rf"\({code}[,)]", arguments)
        self.assertIn("broken.jsonl:4: field models.a.score", self.run_eval("--data", broken, "--models", "a,b")[2])

    def test_orders_with_repeats_paraphrases_and_sessions(self):
        data = self.write("orders.jsonl", records(150))
        for order in ("topic-blocked", "drifting", "random+repeats=.3+paraphrases=.5", "random+sessions=3"):
            found, _ = self.evaluate("--data", data, "--models", "small@v1,large", "--strategies", "rar", "--seeds", "1",
                                     "--fit-labels", "20", "--calibration-labels", "10", "--order", order, "--no-dials",
                                     "--bootstrap", "20")
            self.assertEqual(found["run"]["order"].split("+")[0], order.split("+")[0])
            row = next(row for row in found["rows"] if row["strategy"] == "exact_lookup")
            if "repeats" in order:
                self.assertLess(row["strong_share"]["mean"], 1, "repeats of easy questions were not recognised")


if __name__ == "__main__":
    unittest.main()
