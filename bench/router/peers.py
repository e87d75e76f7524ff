#!/usr/bin/env python3
"""Routers beside the published Python on one split: same predictions where the method is deterministic, and both times in one run.

RouteLLM's own functions (PyPI `routellm`: similarity-weighted ranking, matrix factorisation's forward pass, the BERT router's arithmetic) get
our embeddings in place of the paid ones; RouterBench's routers are scikit-learn estimators there (k neighbours, linear SVR, MLP), so those are
asked. Predictions of the other side go through the calibration curve in our router's file, because ours leave the router calibrated.

Usage: BREVET_DATA=FOLDER bench/router/peers.py OUT.json [--labels 1500] [--test 1500]
Makes a virtual environment in third_party/peers on first use (RouteLLM needs torch: several GB). Exits 1 where a deterministic method agrees
to less than .99 in rank.
"""
import argparse
import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VENV = os.environ.get("BREVET_PEERS", os.path.join(ROOT, "third_party", "peers"))
PACKAGES = ["routellm==0.2.0", "scikit-learn", "scipy"]
WEAK, STRONG = "mistralai/Mixtral-8x7B-Instruct-v0.1", "gpt-4-1106-preview"
RANK_MIN = 0.99
TIMED = 200


def enter_venv():
    """Runs this script again under the environment's own interpreter."""
    python = os.path.join(VENV, "bin", "python")
    if os.path.abspath(sys.prefix) == os.path.abspath(VENV):
        return
    if not os.path.exists(os.path.join(VENV, "ready")):
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
        subprocess.run([python, "-m", "pip", "--disable-pip-version-check", "install", "-q", *PACKAGES], check=True)
        open(os.path.join(VENV, "ready"), "w").close()
    os.execv(python, [python, os.path.abspath(__file__), *sys.argv[1:]])


def split(path, labels, test):
    """Records by a hash of their question, each question once: first `labels` of them, then `test`."""
    seen, records = set(), []
    with gzip.open(path, "rt") as file:
        for line in file:
            record = json.loads(line)
            key = hashlib.sha256((record["prompt"] + json.dumps(record.get("choices"))).encode()).hexdigest()
            if key in seen or record.get("subject") == "high_school_mathematics":
                continue
            seen.add(key)
            records.append((key, record))
    records.sort(key=lambda one: one[0])
    records = [record for _, record in records]
    return records[:labels], records[labels : labels + test]


def write_lines(path, records):
    with open(path, "w") as file:
        for record in records:
            file.write(json.dumps(record) + "\n")


class Ours:
    """The command line: what it fits, how long that takes, what it says."""

    def __init__(self, binary, folder, train, test):
        self.binary, self.folder = binary, folder
        self.train_file, self.test_file = os.path.join(folder, "train.jsonl"), os.path.join(folder, "test.jsonl")
        write_lines(self.train_file, train)
        write_lines(self.test_file, [{key: record[key] for key in ("id", "prompt", "choices", "system_prompt") if record.get(key)} for record in test])

    def fit(self, kind):
        name = re.sub(r"\W+", "_", kind)
        out = os.path.join(self.folder, name + ".router")
        said = subprocess.run(
            [self.binary, "train", kind, "--data", f"{self.train_file}@{WEAK},{STRONG}", "--out", out], check=True, capture_output=True, text=True
        ).stdout
        return out, float(re.search(r"in ([0-9.]+) s", said).group(1))

    def predict(self, routers, prompts, embeddings=False):
        run = subprocess.run(
            [self.binary, "router", "predict", *routers, "--prompts", prompts] + (["--embeddings"] if embeddings else []),
            check=True, capture_output=True, text=True,
        )
        micros = [float(us) for us in re.findall(r"predictions, ([0-9.]+) us", run.stderr)]
        return [json.loads(line) for line in run.stdout.splitlines()], micros


def read_artefact(path):
    """Tensors of a router's file: a line of magic, a line of JSON, then float32 in the order of their names."""
    import numpy as np

    with open(path, "rb") as file:
        file.readline()
        head = json.loads(file.readline())
        values = np.frombuffer(file.read(), "<f4")
    tensors, at = {}, 0
    shapes = dict(head["tensors"])
    for name in sorted(shapes):
        count = int(np.prod(shapes[name]))
        tensors[name] = values[at : at + count].reshape(shapes[name])
        at += count
    return tensors


def curve_of(tensors):
    import numpy as np

    x, y = tensors["calibration.need"]
    return lambda raw: np.interp(raw, x, y)


def apgr(need, weak, strong):
    import numpy as np

    order = np.argsort(-np.asarray(need), kind="stable")
    gain = (strong - weak)[order]
    recovered = np.concatenate([[0], np.cumsum(gain)])
    return float(np.trapezoid(recovered, dx=1 / len(gain)) / recovered[-1])


def timed_each(function, count):
    started = time.perf_counter()
    for i in range(count):
        function(i)
    return (time.perf_counter() - started) / count * 1e6


def routellm_modules():
    """RouteLLM as it comes; its client of the paid embedding service is replaced before anybody calls it."""
    os.environ.setdefault("OPENAI_API_KEY", "unused")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    import routellm.routers.matrix_factorization.model as mf
    import routellm.routers.routers as routers

    return routers, mf


class FakeClient:
    """Gives the embedding that was put there, however the text reads."""

    def __init__(self):
        self.vector = None
        self.embeddings = self
        self.data = [self]

    def create(self, input, model):
        return self

    @property
    def embedding(self):
        return self.vector


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--labels", type=int, default=1500)
    parser.add_argument("--test", type=int, default=1500)
    flags = parser.parse_args()
    enter_venv()

    import warnings

    import numpy as np
    import pandas as pd
    from scipy.stats import spearmanr
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsRegressor
    from sklearn.neural_network import MLPRegressor
    from sklearn.svm import LinearSVR

    warnings.simplefilter("ignore", FutureWarning)  # of scikit-learn, about arguments that RouteLLM gives
    data = os.environ["BREVET_DATA"]
    folder = os.path.splitext(os.path.abspath(flags.out))[0] + ".work"
    os.makedirs(folder, exist_ok=True)
    train, test = split(os.path.join(data, "routellm_mmlu.jsonl.gz"), flags.labels, flags.test)
    ours = Ours(os.environ.get("BREVET_BINARY", os.path.join(ROOT, "build/release/brevet")), folder, train, test)
    scores = lambda records, model: np.array([record["models"][model]["score"] for record in records], dtype=float)
    y_weak, y_strong, t_weak, t_strong = scores(train, WEAK), scores(train, STRONG), scores(test, WEAK), scores(test, STRONG)

    kinds = ["knn{k=10;bandwidth=0}", "knn{k=40;bandwidth=0}", "knn", "svm", "svm{cost=1;squared=false;passes_max=10000}", "sw_ranking", "mf", "bert_head",
             "hybrid_det", "mlp"]
    fitted = {kind: ours.fit(kind) for kind in kinds}
    files = [fitted[kind][0] for kind in kinds]
    prompts = os.path.join(folder, "train_prompts.jsonl")
    write_lines(prompts, [{key: record[key] for key in ("id", "prompt", "choices", "system_prompt") if record.get(key)} for record in train])
    x = np.array([line["embedding"] for line in ours.predict(files[:1], prompts, True)[0]], dtype=np.float64)
    lines, micros = ours.predict(files, ours.test_file, True)
    q = np.array([line["embedding"] for line in lines], dtype=np.float64)
    said = {kind: np.array([line["said"][k]["need_strong"] for line in lines]) for k, kind in enumerate(kinds)}
    rows = []

    def compare(kind, peer, raw, fit_s, serve_us, deterministic=True):
        tensors = read_artefact(fitted[kind][0])
        theirs = curve_of(tensors)(np.asarray(raw))
        row = {
            "router": kind, "peer": peer, "deterministic": deterministic, "n": len(test),
            "rank_correlation": float(spearmanr(theirs, said[kind]).statistic),
            "largest_difference": float(np.abs(theirs - said[kind]).max()),
            "apgr_ours": apgr(said[kind], t_weak, t_strong), "apgr_theirs": apgr(raw, t_weak, t_strong),
            "fit_s_ours": fitted[kind][1], "fit_s_theirs": fit_s,
            "predict_us_ours": micros[kinds.index(kind)], "predict_us_theirs": serve_us,
        }
        rows.append(row)
        print(json.dumps(row), flush=True)

    def of_models(kind, peer, make, deterministic=True):
        """One estimator per model, as RouterBench has it; the need is the difference of what they predict."""
        started = time.perf_counter()
        models = [make().fit(x, y) for y in (y_weak, y_strong)]
        fit_s = time.perf_counter() - started
        raw = models[1].predict(q) - models[0].predict(q)
        us = timed_each(lambda i: [model.predict(q[i : i + 1]) for model in models], TIMED)
        compare(kind, peer, raw, fit_s, us, deterministic)

    for k in (10, 40):
        of_models(f"knn{{k={k};bandwidth=0}}", f"RouterBench kNN (scikit-learn, k={k}, cosine)",
                  lambda: KNeighborsRegressor(n_neighbors=k, metric="cosine", algorithm="brute"))
    of_models("knn", "scikit-learn kNN, k=400, weights exp(-distance/.2)",
              lambda: KNeighborsRegressor(n_neighbors=400, metric="cosine", algorithm="brute", weights=lambda d: np.exp(-d / 0.2)))
    of_models("svm", "scikit-learn LinearSVR, squared, C=.01",
              lambda: LinearSVR(C=0.01, epsilon=0, loss="squared_epsilon_insensitive", dual=True, max_iter=100000, tol=1e-6))
    of_models("svm{cost=1;squared=false;passes_max=10000}", "RouterBench SVM (LinearSVR, absolute, C=1)",
              lambda: LinearSVR(C=1, epsilon=0, loss="epsilon_insensitive", max_iter=1000000, tol=1e-6))
    of_models("mlp", "RouterBench MLP (MLPRegressor, 100 units, early stopping, alpha 1)",
              lambda: MLPRegressor(hidden_layer_sizes=(100,), alpha=1.0, batch_size=64, early_stopping=True, n_iter_no_change=10, random_state=1), deterministic=False)

    three = np.where(y_strong > y_weak, 0, np.where(y_strong == y_weak, 1, 2))
    started = time.perf_counter()
    head = LogisticRegression(C=1 / 10, tol=1e-8, max_iter=10000).fit(x, three)
    fit_s = time.perf_counter() - started
    compare("bert_head", "scikit-learn multinomial logistic regression, C=1/10", head.predict_proba(q)[:, 0], fit_s,
            timed_each(lambda i: head.predict_proba(q[i : i + 1]), TIMED))
    started = time.perf_counter()
    det = LogisticRegression(C=2 / 20, tol=1e-8, max_iter=10000).fit(x, (y_weak >= y_strong).astype(int))
    fit_s = time.perf_counter() - started
    compare("hybrid_det", "scikit-learn logistic regression, C=2/20 (two classes, each penalised)", 1 - det.predict_proba(q)[:, 1], fit_s,
            timed_each(lambda i: det.predict_proba(q[i : i + 1]), TIMED))

    routers, mf_module = routellm_modules()
    import torch

    client = FakeClient()
    sw = routers.SWRankingRouter.__new__(routers.SWRankingRouter)
    winner = np.where(y_strong > y_weak, "model_a", np.where(y_strong < y_weak, "model_b", "tie"))
    sw.strong_model, sw.weak_model, sw.embedding_model = "strong", "weak", "none"
    sw.arena_df = pd.DataFrame({"model_a": 1, "model_b": 0, "winner": winner})
    sw.arena_conv_embedding, sw.model2tier = x, {"weak": 0, "strong": 1}
    routers.OPENAI_CLIENT = client

    def rank(i):
        client.vector = q[i]
        return sw.calculate_strong_win_rate("")

    started = time.perf_counter()
    raw = np.array([rank(i) for i in range(len(test))])
    compare("sw_ranking", "RouteLLM SWRankingRouter.calculate_strong_win_rate", raw, 0.0, (time.perf_counter() - started) / len(test) * 1e6)

    tensors = read_artefact(fitted["mf"][0])
    model = mf_module.MFModel(dim=tensors["head"].shape[0], num_models=2, text_dim=x.shape[1], num_classes=1, use_proj=True)
    mf_module.OPENAI_CLIENT = client
    with torch.no_grad():
        model.P.weight.copy_(torch.tensor(tensors["model_vectors"].copy()))
        model.text_proj[0].weight.copy_(torch.tensor(tensors["projection"].T.copy()))
        model.classifier[0].weight.copy_(torch.tensor(tensors["head"][None, :].copy()))

    def factorised(i):
        client.vector = q[i].astype(np.float32).tolist()
        return model.pred_win_rate(1, 0, "")

    raw = np.array([factorised(i) for i in range(len(test))])
    compare("mf", "RouteLLM MFModel.pred_win_rate on our weights", raw, None, timed_each(factorised, TIMED))

    # Their own training, at the values of their script: another start and other noise, so ranks need not agree.
    import routellm.routers.matrix_factorization.train_matrix_factorization as training

    names = ["weak", "strong"]
    training.MODEL_IDS.clear()
    training.MODEL_IDS.update({name: i for i, name in enumerate(names)})
    decided = [{"model_a": "strong", "model_b": "weak", "idx": i, "winner": "model_a" if y_strong[i] > y_weak[i] else "model_b"}
               for i in range(len(train)) if y_strong[i] != y_weak[i]]
    np.save(os.path.join(folder, "train.npy"), x.astype(np.float32))
    torch.set_num_threads(1)
    learned = training.MFModel_Train(dim=128, num_models=2, num_prompts=len(train), text_dim=x.shape[1], npy_path=os.path.join(folder, "train.npy"))
    batches = training.PairwiseDataset(decided).get_dataloaders(64)
    started = time.perf_counter()
    training.train_loops(learned, batches, batches, lr=3e-4, weight_decay=1e-5, alpha=0.1, num_epochs=100, device="cpu",
                         evaluator=lambda *unused: (0.0, 0.0))
    fit_s = time.perf_counter() - started
    with torch.no_grad():
        model.P.weight.copy_(learned.P.weight)
        model.text_proj[0].weight.copy_(learned.text_proj.weight)
        model.classifier[0].weight.copy_(learned.classifier.weight)
    raw = np.array([factorised(i) for i in range(len(test))])
    compare("mf", "RouteLLM train_loops, then MFModel.pred_win_rate", raw, fit_s, timed_each(factorised, TIMED), deterministic=False)

    bert = routers.BERTRouter.__new__(routers.BERTRouter)
    weights = read_artefact(fitted["bert_head"][0])["weights"].astype(np.float64)
    logits = np.hstack([q, np.ones((len(q), 1))]) @ weights.T
    at = {"i": 0}
    bert.tokenizer = lambda *args, **more: {}
    bert.model = lambda **more: type("Out", (), {"logits": torch.tensor(logits[at["i"]][None, :])})

    def classified(i):
        at["i"] = i
        return bert.calculate_strong_win_rate("")

    raw = np.array([classified(i) for i in range(len(test))])
    compare("bert_head", "RouteLLM BERTRouter.calculate_strong_win_rate on our weights", raw, None, timed_each(classified, TIMED))

    with open(flags.out, "w") as file:
        json.dump({"labels": len(train), "test": len(test), "rows": rows}, file, indent=1)
    bad = [row["peer"] for row in rows if row["deterministic"] and not row["rank_correlation"] > RANK_MIN]
    print("rank correlation at most %.2f: %s" % (RANK_MIN, ", ".join(bad)) if bad else "all deterministic methods agree in rank")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
