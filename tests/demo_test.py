"""Goal: the first thing that people run works: `brevet demo` on simulated and on recorded models.
Method: the real program; its summary, its figures, and the sockets that it holds are looked at."""
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import unittest

BREVET = os.environ.get("BREVET_BINARY", "build/dev/brevet")
QUESTIONS = 60


def write_data_file(path, costs=None):
    """Lettered questions of two topics: `w` is right on one of them only, `s` on both; tokens are recorded, prices are in a
    file, or `costs` has the recorded cost by model."""
    with open(path, "w") as out:
        for i in range(QUESTIONS):
            easy = i % 2 == 0
            topic = "colour of flower" if easy else "orbit of moon"
            out.write(json.dumps({
                "schema": 1, "id": "q%d" % i, "dataset": "made-up",
                "prompt": "Which option names the %s number %d?" % (topic, i),
                "choices": {"label": list("ABCD"), "text": ["choice %s%d" % (c, i) for c in "ABCD"]}, "answer": "B",
                "models": {
                    "w": {"score": 1 if easy else 0, "pred": "B" if easy else "C",
                          "response": "The answer is (%s)." % ("B" if easy else "C"), "input_tokens": 40,
                          "output_tokens": 6, "latency_ms": 100, **({"cost_usd": costs["w"]} if costs else {})},
                    "s": {"score": 1, "pred": "B", "response": "The answer is (B).",
                          "input_tokens": 40, "output_tokens": 6, "latency_ms": 400,
                          **({"cost_usd": costs["s"]} if costs else {})}}}) + "\n")


PRICES = {"version": "made-up", "models": {"w": {"input": 0.1, "output": 0.2}, "s": {"input": 2, "output": 8}}}


def tcp_sockets(pid):
    """(state, local port, remote port) of every IPv4 TCP socket of a process."""
    mine = set()
    for name in os.listdir("/proc/%d/fd" % pid):
        try:
            found = re.match(r"socket:\[(\d+)\]", os.readlink("/proc/%d/fd/%s" % (pid, name)))
        except FileNotFoundError:  # closed meanwhile
            continue
        if found:
            mine.add(found.group(1))
    out = []
    for line in pathlib.Path("/proc/%d/net/tcp" % pid).read_text().splitlines()[1:]:
        part = line.split()
        if part[9] in mine:
            out.append((part[3], int(part[1].split(":")[1], 16), int(part[2].split(":")[1], 16)))
    return out


class Demo(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="brevet-demo-test-")
        self.addCleanup(self.folder.cleanup)
        self.figures_path = pathlib.Path(self.folder.name, "figures.json")

    def demo(self, *flags):
        done = subprocess.run([BREVET, "demo", "--port", "0", "--json", str(self.figures_path), *flags],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout, json.loads(self.figures_path.read_text())

    def check_summary(self, said, weak, strong):
        for line in (r"  Brevet +[\d.]+% +[\d.]+ .* of it for learning; [\d.]+% to strong",
                     r"  its own decisions, shuffled +[\d.]+% +[\d.]+",
                     r"  always %s +[\d.]+%% +1\.00" % re.escape(strong),
                     r"  always %s +[\d.]+%% +[\d.]+" % re.escape(weak),
                     r"  Last quarter alone: [\d.]+% to strong, quality [\d.]+%",
                     r"  Learned: \d+ skills, \d+ guides, from \d+ shadow calls"):
            self.assertRegex(said, line)
        self.assertNotIn("requests failed", said)
        self.assertNotIn("unknown", said)

    def test_simulated_models(self):
        said, figures = self.demo("--requests", "200", "--exit")
        self.check_summary(said, "weak-sim", "strong-sim")
        self.assertIn("Brevet asks 200 questions", said)
        self.assertIn("SIMULATED", said)
        self.assertEqual((figures["n"], figures["failed"]), (200, 0))
        self.assertGreater(int(re.search(r"from (\d+) shadow calls", said).group(1)), 0)

    def test_recorded_models(self):
        data = pathlib.Path(self.folder.name, "made-up.jsonl")
        write_data_file(data)
        prices = pathlib.Path(self.folder.name, "prices.json")
        prices.write_text(json.dumps(PRICES))
        said, figures = self.demo("--data", str(data), "--models", "w,s", "--prices", str(prices), "--exit")
        self.check_summary(said, "w", "s")
        self.assertIn("RECORDED", said)
        self.assertEqual((figures["n"], figures["failed"]), (QUESTIONS, 0))
        # What the file says, whatever was routed: the models' own shares of right answers.
        self.assertRegex(said, r"always s +100\.0%")
        self.assertRegex(said, r"always w +50\.0%")

    def test_recorded_costs_travel_and_need_no_prices(self):
        data = pathlib.Path(self.folder.name, "made-up.jsonl")
        write_data_file(data, {"w": 0.001, "s": 0.02})
        said, figures = self.demo("--data", str(data), "--models", "w,s", "--exit")
        self.check_summary(said, "w", "s")
        # Every question costs the same, so always-weak is exactly a twentieth.
        self.assertRegex(said, r"always w +50\.0% +0\.05")
        # The player reads cost and basis from the gateway's headers.
        for what in ("serving_cost", "always_strong_cost"):
            self.assertEqual((figures[what]["unknown"], figures[what]["basis"]), (0, "recorded"), what)
        strong = figures["strong_calls"]
        self.assertGreaterEqual(figures["serving_cost"]["usd"] + 1e-9, 0.02 * strong + 0.001 * (QUESTIONS - strong))

    @unittest.skipUnless(pathlib.Path("/proc/self/net/tcp").exists(), "needs Linux's list of sockets")
    def test_the_gateway_calls_its_models_over_http(self):
        data = pathlib.Path(self.folder.name, "made-up.jsonl")
        write_data_file(data)
        for flags in (["--requests", "40"], ["--data", str(data), "--models", "w,s"]):
            with self.subTest(flags=flags):
                process = subprocess.Popen([BREVET, "demo", "--port", "0", "--stay", *flags],
                                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                           stderr=subprocess.STDOUT, text=True)
                try:
                    said = ""
                    while "The gateway stays up" not in said:
                        line = process.stdout.readline()
                        self.assertTrue(line, said)
                        said += line
                    gateway = int(re.search(r"http://127\.0\.0\.1:(\d+)/v1", said).group(1))
                    sockets = tcp_sockets(process.pid)
                    listening = {local for state, local, _ in sockets if state == "0A"}
                    self.assertIn(gateway, listening)
                    upstream = listening - {gateway}
                    self.assertEqual(len(upstream), 1, sockets)
                    # Connections are kept for the next call, so the gateway's own ends are still there.
                    self.assertTrue([s for s in sockets if s[0] == "01" and s[2] in upstream], sockets)
                    process.send_signal(signal.SIGTERM)
                    self.assertEqual(process.wait(60), 0)
                finally:
                    if process.poll() is None:
                        process.kill()
                        process.wait()
                    process.stdout.close()

    def test_wrong_use_says_what_to_do(self):
        data = pathlib.Path(self.folder.name, "made-up.jsonl")
        write_data_file(data)
        for flags, code in ((["--data", str(data)], "missing_models"),
                            (["--data", str(data), "--models", "w,nobody"], "no_questions"),
                            (["--strategy", "nothing"], "unknown_strategy"),
                            (["--strategy", "rar_shadow"], "shadow_plan_cannot_serve")):
            done = subprocess.run([BREVET, "demo", "--port", "0", "--requests", "5", "--exit", *flags],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  text=True, timeout=120)
            self.assertNotEqual(done.returncode, 0, flags)
            self.assertIn(code, done.stdout)


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
