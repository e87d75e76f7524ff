"""Goal: choosing a model from the command line tells the truth and fits a terminal: import keeps what was known, a
constraint on the unknown is neither won nor lost, measured outcomes decide where there are any.
Method: the real program; tables and outcome files that the test writes."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

from gateway_harness import BREVET

TABLE = {
    "sample_spec": {"mode": "one of: chat"},
    "gpt-4o": {"mode": "chat", "litellm_provider": "openai", "input_cost_per_token": 3e-06, "output_cost_per_token": 1.2e-05,
               "max_input_tokens": 128000, "supports_vision": True},
    "host/Meta-Llama-3.1-8B-Instruct": {"mode": "chat", "litellm_provider": "host", "input_cost_per_token": 5e-08,
                                        "output_cost_per_token": 5e-08, "max_input_tokens": 8192,
                                        "supports_function_calling": True},
    "odd": {"mode": "chat", "supports_vision": "perhaps"},
    "painter": {"mode": "image_generation"},
}


class Models(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.own = str(pathlib.Path(self.folder.name, "deep", "own.json"))
        self.table = pathlib.Path(self.folder.name, "table.json")
        self.table.write_text(json.dumps(TABLE, indent=1))

    def models(self, *arguments):
        done = subprocess.run([BREVET, "models", "--catalogue", self.own, *arguments], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
        if "--json" not in arguments:
            for line in done.stdout.splitlines():
                if self.folder.name not in line:  # a path of the user's may be longer than a line
                    self.assertLessEqual(len(line), 100, line)
        return done.returncode, done.stdout, done.stderr

    def json(self, *arguments):
        status, out, error = self.models(*arguments, "--json")
        self.assertEqual(error, "")
        return json.loads(out)

    def names(self, rows):
        return [row["name"] for row in rows]

    def test_lists_shows_and_helps(self):
        status, out, _ = self.models("list", "llama-3.1")
        self.assertEqual(status, 0)
        self.assertIn("llama-3.1-8b-instruct", out)
        self.assertNotIn("gpt-4o", out)
        status, out, _ = self.models("show", "Meta-Llama-3_1-8B-Instruct", "--device", "iphone-16")
        self.assertEqual(status, 0)
        for piece in ("LicenseRef-Llama-3.1-Community (community)", "[llama-3.1]", "2024-07-23", "q4_k", "5.55 GB",
                      "weights = parameters x bits / 8"):
            self.assertIn(piece, out)
        status, _, error = self.models("show", "llama-3.1-9b")
        self.assertEqual(status, 2)
        self.assertIn("llama-3.1-8b-instruct", error)
        self.assertIn("unknown_model", error)
        self.assertIn("312", self.models("devices")[1])
        for command in ((), ("list",), ("show",), ("devices",), ("import",), ("select",)):
            status, out, _ = self.models(*command, "--help")  # models() checks the width of every line
            self.assertEqual(status, 0)
        self.assertIn("--local-only", out)

    def test_import_merges_and_keeps_its_provenance(self):
        told = self.json("import", str(self.table))
        self.assertEqual((told["rows"], told["not_text"], len(told["broken"])), (4, 1, 1))
        self.assertEqual((told["models_added"], told["models_changed"], told["facts_changed"]), (1, 1, 1))
        self.assertEqual(len(told["sha256"]), 64)
        facts = self.json("show", "gpt-4o")["facts"]
        self.assertEqual(facts["price"]["input"], "3")
        self.assertEqual(facts["sources"]["price"], told["source"])
        self.assertEqual(facts["sources"]["licence"], "openai-2024")
        self.assertEqual(facts["capabilities"]["tools"], True, "what the table does not say stays")
        self.assertIn(told["date"], self.models("show", "gpt-4o")[1])
        self.assertIn("host/Meta-Llama-3.1-8B-Instruct", self.models("show", "llama-3.1-8b-instruct")[1])
        # A second table without gpt-4o deletes nothing; the user's own word is never replaced.
        written = json.loads(pathlib.Path(self.own).read_text())
        written["models"]["gpt-4o"]["sources"]["price"] = "own"
        written["models"]["gpt-4o"]["price"] = {"input": "1", "output": "1"}
        pathlib.Path(self.own).write_text(json.dumps(written))
        self.table.write_text(json.dumps({"other": {"mode": "chat"}, "gpt-4o": TABLE["gpt-4o"]}))
        told = self.json("import", str(self.table))
        self.assertEqual(told["facts_kept"], 1)
        self.assertEqual(self.json("show", "gpt-4o")["facts"]["price"]["input"], "1")
        self.assertIn("host/", self.models("list", "host")[1])

    def test_a_broken_file_names_line_and_field_and_changes_nothing(self):
        status, _, error = self.models("import", "--strict", str(self.table))
        self.assertEqual(status, 2)
        self.assertIn("odd.supports_vision", error)
        self.assertIn("bad_model_file", error)
        self.assertFalse(os.path.exists(self.own))
        self.table.write_text('{"a": {"mode": "chat"},\n "b": {')
        status, _, error = self.models("import", str(self.table))
        self.assertEqual(status, 2)
        self.assertIn("line 2", error)
        pathlib.Path(self.own).parent.mkdir()
        pathlib.Path(self.own).write_text('{"format": 1,\n"models": {"m": {"contxt": 3}}}')
        status, _, error = self.models("list")
        self.assertEqual(status, 2)
        self.assertIn("line 2: models.m.contxt", error)

    def test_an_unknown_fact_neither_wins_nor_loses(self):
        wish = ("select", "--need", "tools", "--licence", "permissive", "--local-only", "--limit", "0")
        out = self.json(*wish)
        unsure = {row["name"]: row["reasons"] for row in out["cannot_tell"]}
        self.assertIn("mixtral-8x7b-instruct-v0.1", unsure)
        self.assertIn("whether it has tools is not known", unsure["mixtral-8x7b-instruct-v0.1"][0]["reason"])
        meet = self.names(out["meet"])
        self.assertIn("qwen2.5-7b-instruct", meet)
        fallen = self.names(out["fell_out"])
        self.assertIn("gpt-4o", fallen)
        self.assertFalse(set(meet) & set(unsure) | set(meet) & set(fallen) | set(unsure) & set(fallen))
        rejected = self.json(*wish, "--unknown", "reject")
        self.assertEqual(rejected["cannot_tell"], [])
        self.assertIn("mixtral-8x7b-instruct-v0.1", self.names(rejected["fell_out"]))
        allowed = self.json(*wish, "--unknown", "allow", "--benchmark", "MMLU")
        row = [row for row in allowed["meet"] if row["name"] == "mixtral-8x7b-instruct-v0.1"]
        self.assertEqual(len(row), 1)
        self.assertTrue(row[0]["allowed_unknowns"], "allowed, and still said")
        status, told, _ = self.models(*wish, "--explain")
        self.assertEqual(status, 0)
        self.assertIn("gpt-4o: licence LicenseRef-Proprietary is proprietary; runs at its provider only", told)

    def test_measured_outcomes_decide_where_there_are_any(self):
        data = pathlib.Path(self.folder.name, "outcomes.jsonl")
        rows = []
        for i in range(40):
            rows.append({"id": str(i), "dataset": "d", "prompt": "p" * 40, "models": {
                "gpt-4o": {"score": int(i < 36), "cost_usd": 0.002}, "dear": {"score": int(i < 30), "cost_usd": 0.003},
                "small": {"score": int(i < 20), "input_tokens": 100, "output_tokens": 10},
                "free": {"score": 1}, **({"rare": {"score": 1, "cost_usd": 0.001}} if i < 5 else {})}})
        data.write_text("\n".join(map(json.dumps, rows)))
        out = self.json("select", "--data", str(data), "--name", "small=gpt-4o-mini", "--min-quality", ".8")
        self.assertEqual(self.names(out["meet"]), ["small", "gpt-4o", "dear"])
        small, large, dear = out["meet"]
        self.assertEqual((small["on_front"], large["on_front"], dear["on_front"]), (True, True, False))
        self.assertEqual((small["quality"], small["measured"]["n"], small["cost_basis"]), (.5, 40, "priced"))
        # 100 x 0.15 + 10 x 0.6 USD per million, a thousand times.
        self.assertAlmostEqual(small["cost"], .021)
        self.assertAlmostEqual(large["cost"], 2)
        self.assertAlmostEqual(large["gain_over_next_cheaper"]["mean"], .4)
        self.assertEqual(out["cheapest_with_quality"], "gpt-4o")
        unsure = {row["name"]: row["reasons"][0]["reason"] for row in out["cannot_tell"]}
        self.assertIn("40 of its 40 answers have no recorded cost", unsure["free"])
        self.assertIn("only 5 of the 40 records", unsure["rare"])
        status, told, _ = self.models("select", "--data", str(data), "--name", "small=gpt-4o-mini")
        self.assertIn("+40.0 [", told)
        status, told, _ = self.models("select", "--data", str(data), "--name", "small=gpt-4o-mini", "--limit", "1")
        self.assertIn("+40.0 [", told, "the front is shown whole")
        self.assertIn("and 1 more, none of the front", told)

    def test_a_device_decides_by_memory_and_speed(self):
        out = self.json("select", "--device", "iphone-16", "--limit", "0")
        self.assertIn("llama-3.1-8b-instruct", self.names(out["fell_out"]))
        self.assertIn("smollm2-135m-instruct", self.names(out["cannot_tell"]), "fits; no published figure is known")
        big = self.json("select", "--device-tops", "1000", "--device-memory-gb", "2000", "--device-bandwidth-gbs", "4000",
                        "--benchmark", "MMLU", "--limit", "0")
        names = self.names(big["meet"])
        self.assertIn("llama-3.1-405b-instruct", names)
        self.assertIn("deepseek-r1", self.names(big["cannot_tell"]), "the size of its cache is not known")
        self.assertEqual(big["cost_unit"], "request s")
        half = self.json("select", "--device-memory-gb", "2000", "--limit", "0")
        self.assertEqual(half["meet"], [], "without compute and bandwidth no speed is known")

    def test_wrong_use_is_said(self):
        for arguments, piece in (
                (("select", "--need", "flying"), "bad_value, --need"), (("select", "--licence", "free"), "--licence"),
                (("select", "--mix", "0:0"), "--mix"), (("select", "--max-price", "cheap"), "--max-price"),
                (("select", "--device", "toaster"), "iphone-16"), (("select", "--min-speed", "5"), "--device"),
                (("select", "--benchmark", "Nonsense"), "MMLU")):
            status, _, error = self.models(*arguments)
            self.assertEqual(status, 2, arguments)
            self.assertIn(piece, error)
        self.assertEqual(self.models("select", "--need", "flying")[1], "")
        self.assertEqual(self.models("select", "--max-price", "0")[0], 1, "nothing meets it")


if __name__ == "__main__":
    unittest.main()
