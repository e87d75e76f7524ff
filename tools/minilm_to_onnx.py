#!/usr/bin/env python3
"""Writes a BERT sentence encoder (safetensors, fp32) as an ONNX file, with Python's standard library alone.

    tools/minilm_to_onnx.py model.safetensors model.onnx

Used by scripts/lib/deps.sh when the ready-made 8-bit file cannot be had. The graph has the inputs input_ids,
attention_mask, token_type_ids (int64 [batch, sequence]) and the output last_hidden_state (float [batch, sequence, width]).
Weights with a `classifier` (tools/finetune_bert.py) give logits (float [batch, classes]) instead, of the mean over all pieces.
Sizes are read from the weights; heads are 32 wide, as in every MiniLM with 384 or fewer units.
"""
import json
import mmap
import struct
import sys

HEAD_WIDTH = 32
EPSILON = 1e-12
FLOAT, INT64 = 1, 7


# The few messages of ONNX's protocol buffers that a model needs (field numbers of onnx.proto).
def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value & 0xFFFFFFFFFFFFFFFF)


def block(field, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


def attribute(name, value):
    if isinstance(value, float):
        return block(1, name) + varint(2 << 3 | 5) + struct.pack("<f", value) + number(20, 1)
    if isinstance(value, int):
        return block(1, name) + number(3, value) + number(20, 2)
    return block(1, name) + b"".join(number(8, v) for v in value) + number(20, 7)


def tensor(name, dims, kind, raw):
    return b"".join(number(1, d) for d in dims) + number(2, kind) + block(8, name) + block(9, raw)


def value_info(name, kind, dims):
    shape = b"".join(block(1, number(1, d) if isinstance(d, int) else block(2, d)) for d in dims)
    return block(1, name) + block(2, block(1, number(1, kind) + block(2, shape)))


class Graph:
    def __init__(self, weights):
        self.weights, self.nodes, self.initializers, self.known, self.count = weights, [], [], set(), 0

    def node(self, operation, inputs, **attributes):
        self.count += 1
        out = f"{operation}_{self.count}"
        self.nodes.append(b"".join(block(1, i) for i in inputs) + block(2, out) + block(3, out) + block(4, operation) +
                          b"".join(block(5, attribute(k, v)) for k, v in attributes.items()))
        return out

    def constant(self, values, kind=INT64, scalar=False):
        name = f"constant_{kind}_{'s' if scalar else 'v'}_{'_'.join(map(str, values))}"
        if name not in self.known:
            self.known.add(name)
            raw = struct.pack(f"<{len(values)}{'q' if kind == INT64 else 'f'}", *values)
            self.initializers.append(tensor(name, [] if scalar else [len(values)], kind, raw))
        return name

    def weight(self, name):
        if name not in self.known:
            self.known.add(name)
            shape, raw = self.weights[name]
            self.initializers.append(tensor(name, shape, FLOAT, raw))
        return name

    def linear(self, x, name):
        """x times the transposed matrix (stored as output x input), plus bias; ONNX Runtime folds the transposition."""
        matrix = self.node("Transpose", [self.weight(name + ".weight")], perm=[1, 0])
        return self.node("Add", [self.node("MatMul", [x, matrix]), self.weight(name + ".bias")])

    def norm(self, x, name):
        return self.node("LayerNormalization", [x, self.weight(name + ".weight"), self.weight(name + ".bias")],
                         axis=-1, epsilon=EPSILON)

    def scalar(self, value):
        return self.constant([value], FLOAT, scalar=True)


def read_safetensors(path):
    with open(path, "rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    size = struct.unpack("<Q", data[:8])[0]
    weights = {}
    for name, entry in json.loads(data[8:8 + size]).items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue  # position_ids are integers that the graph makes itself
        begin, end = entry["data_offsets"]
        weights[name.removeprefix("bert.")] = (entry["shape"], data[8 + size + begin:8 + size + end])
    return weights


def build(weights):
    graph = Graph(weights)
    width = weights["embeddings.word_embeddings.weight"][0][1]
    heads = width // HEAD_WIDTH
    layers = 1 + max(int(name.split(".")[2]) for name in weights if name.startswith("encoder.layer."))

    length = graph.node("Gather", [graph.node("Shape", ["input_ids"]), graph.constant([1], scalar=True)], axis=0)
    positions = graph.node("Range", [graph.constant([0], scalar=True), length, graph.constant([1], scalar=True)])
    pick = lambda table, index: graph.node("Gather", [graph.weight(f"embeddings.{table}_embeddings.weight"), index], axis=0)
    x = graph.node("Add", [graph.node("Add", [pick("word", "input_ids"), pick("token_type", "token_type_ids")]), pick("position", positions)])
    x = graph.norm(x, "embeddings.LayerNorm")
    # Added to the scores: 0 where attention is allowed, a large negative number where it is not.
    mask = graph.node("Unsqueeze", [graph.node("Cast", ["attention_mask"], to=FLOAT), graph.constant([1, 2])])
    mask = graph.node("Mul", [graph.node("Sub", [graph.scalar(1.0), mask]), graph.scalar(-10000.0)])
    split = graph.constant([0, 0, heads, HEAD_WIDTH])
    for layer in range(layers):
        at = f"encoder.layer.{layer}."
        part = lambda name, order: graph.node("Transpose", [graph.node("Reshape", [graph.linear(x, f"{at}attention.self.{name}"), split])], perm=order)
        query, key, value = part("query", [0, 2, 1, 3]), part("key", [0, 2, 3, 1]), part("value", [0, 2, 1, 3])
        scores = graph.node("Div", [graph.node("MatMul", [query, key]), graph.scalar(HEAD_WIDTH ** 0.5)])
        shares = graph.node("Softmax", [graph.node("Add", [scores, mask])], axis=-1)
        joined = graph.node("Transpose", [graph.node("MatMul", [shares, value])], perm=[0, 2, 1, 3])
        joined = graph.node("Reshape", [joined, graph.constant([0, 0, width])])
        x = graph.norm(graph.node("Add", [graph.linear(joined, at + "attention.output.dense"), x]), at + "attention.output.LayerNorm")
        # Gelu, in the form that ONNX Runtime recognises and fuses.
        inner = graph.linear(x, at + "intermediate.dense")
        bell = graph.node("Add", [graph.node("Erf", [graph.node("Div", [inner, graph.scalar(2.0 ** 0.5)])]), graph.scalar(1.0)])
        gelu = graph.node("Mul", [graph.node("Mul", [inner, bell]), graph.scalar(0.5)])
        x = graph.norm(graph.node("Add", [graph.linear(gelu, at + "output.dense"), x]), at + "output.LayerNorm")
    name, dims = "last_hidden_state", ["batch", "sequence", width]
    if "classifier.weight" in weights:
        # One text at a time, so nothing is padded and the mean is over all pieces.
        name, dims = "logits", ["batch", weights["classifier.weight"][0][0]]
        x = graph.linear(graph.node("ReduceMean", [x], axes=[1], keepdims=0), "classifier")
    graph.nodes.append(block(1, x) + block(2, name) + block(3, "output") + block(4, "Identity"))
    shape = ["batch", "sequence"]
    body = b"".join(block(1, n) for n in graph.nodes) + block(2, "encoder") + b"".join(block(5, i) for i in graph.initializers)
    body += b"".join(block(11, value_info(n, INT64, shape)) for n in ("input_ids", "attention_mask", "token_type_ids"))
    body += block(12, value_info(name, FLOAT, dims))
    return number(1, 8) + block(2, "brevet") + block(7, body) + block(8, block(1, "") + number(2, 17))


def main():
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    model = build(read_safetensors(sys.argv[1]))
    with open(sys.argv[2], "wb") as out:
        out.write(model)
    return 0


if __name__ == "__main__":
    sys.exit(main())
