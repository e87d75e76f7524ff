"""Goal: battle files are made from recorded outcomes, joined, and cleaned of what is measured on, and wrong use is a
sentence. Method: the real program on small files in a folder of its own."""
import json
import os
import subprocess
import tempfile
import unittest

BINARY = os.environ["BREVET_BINARY"]


def write(path, rows):
    with open(path, "w", encoding="utf-8") as out:
        out.writelines(json.dumps(row) + "\n" for row in rows)
    return path


def outcome(number, prompt, **scores):
    return {"id": f"q{number}", "dataset": "d", "prompt": prompt, "models": {k: {"score": v} for k, v in scores.items()}}


class Battles(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.data = write(self.folder + "/made.jsonl", [
            outcome(1, "Why is the sky blue over the sea?", weak=0, strong=1, other=1),
            outcome(2, "Name the capital of France.", weak=1, strong=1, other=0),
            outcome(3, "Add two and three, then halve it.", weak=1, strong=0, other=0)])

    def run_it(self, *arguments):
        done = subprocess.run([BINARY, "battles", *arguments], capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout, done.stderr

    def test_outcomes_become_battles_and_measured_prompts_go(self):
        out = self.folder + "/b.jsonl.gz"
        status, text, err = self.run_it("--data", self.data + "@weak,strong", "--out", out)
        self.assertEqual(status, 0, err)
        self.assertIn("3 strong against weak: 1 wins, 1 losses, 1 ties", text)
        again = self.folder + "/c.jsonl"
        measured = write(self.folder + "/measured.jsonl", [outcome(9, "name the capital of FRANCE", weak=1)])
        status, text, err = self.run_it("--battles", out, "--data", self.data, "--no-ties", "--without", measured,
                                        "--out", again)
        self.assertEqual(status, 0, err)
        self.assertIn("3 battles on 1 prompts removed", text)
        with open(again, encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        self.assertEqual(len(rows), 6)
        self.assertEqual({row["source"] for row in rows}, {"recorded:made.jsonl"})
        self.assertNotIn("Name the capital of France.", {row["prompt"] for row in rows})

    def test_wrong_use_is_a_sentence(self):
        out = self.folder + "/b.jsonl"
        for arguments, code in ((["--out", out], "no_battles"),
                                (["--data", self.data + "@weak,nobody", "--out", out], "unknown_model"),
                                (["--data", self.folder + "/none.jsonl", "--out", out], "data_file_unreadable"),
                                (["--battles", self.data, "--out", out], "broken_data_file"),
                                (["--data", self.data, "--without", self.data, "--out", out], "no_battles")):
            status, _, err = self.run_it(*arguments)
            self.assertEqual(status, 2, err)
            self.assertIn(code, err)
        self.assertFalse(os.path.exists(out))


if __name__ == "__main__":
    unittest.main()
