#!/usr/bin/env python3
"""Compares our sentence vectors with ONNX Runtime and the reference tokenizer called from Python, on the same model.

    third_party/reference/bin/python tests/encoder_reference.py [build/dev/tests/embed_lines]

Exits 1 when the cosine of any pair is below 1 - 1e-4 or fewer than 200 texts were compared.
"""
import os
import random
import subprocess
import sys

import numpy
import onnxruntime

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tokenizer_reference

FOLDER = os.path.dirname(tokenizer_reference.VOCABULARY)


class PythonEncoder:
    """Mean of the last layer over the pieces, unit length; 256 pieces, cut in the middle."""

    def __init__(self, threads=1):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(os.path.join(FOLDER, "model.onnx"), options, providers=["CPUExecutionProvider"])
        self.tokenizer, self.vocabulary = tokenizer_reference.reference()

    def embed(self, text):
        ids = self.tokenizer.encode(text).ids
        if len(ids) > 256:
            ids = ids[:128] + ids[-128:]
        ids = numpy.array([ids], dtype=numpy.int64)
        last = self.session.run(["last_hidden_state"], {
            "input_ids": ids, "attention_mask": numpy.ones_like(ids), "token_type_ids": numpy.zeros_like(ids)})[0][0]
        mean = last.mean(axis=0)
        return mean / numpy.linalg.norm(mean)


def main():
    program = sys.argv[1] if len(sys.argv) > 1 else os.path.join(tokenizer_reference.ROOT, "build", "dev", "tests", "embed_lines")
    python = PythonEncoder()
    texts = [s.encode() for s in tokenizer_reference.SENTENCES]
    texts += list(tokenizer_reference.generate(random.Random(11), python.vocabulary, 200))
    texts += [" ".join(tokenizer_reference.SENTENCES).encode(), " ".join(tokenizer_reference.SENTENCES * 20).encode()]
    ours = subprocess.run([program, FOLDER], input="".join(t.hex() + "\n" for t in texts).encode(), stdout=subprocess.PIPE, check=True)
    rows = [numpy.array(list(map(float, line.split()))) for line in ours.stdout.decode().splitlines()]
    cosines = [float(row @ python.embed(text.decode("utf-8", "replace"))) for row, text in zip(rows, texts)]
    print(f"{len(cosines)} of {len(texts)} texts compared, least cosine {min(cosines):.8f}")
    return 0 if len(cosines) == len(texts) >= 200 and min(cosines) >= 1 - 1e-4 else 1


if __name__ == "__main__":
    sys.exit(main())
