"""Make `picodet_s_512x384.onnx` again, from the package index, byte for byte.

Not part of the program: a record of where the weights come from, which anybody can check. On Linux x86-64 with Python
3.11 or 3.12, in an empty virtual environment:

    pip install --no-deps paddlelabel-ml==1.0.0 paddle2onnx==1.1.0
    pip install six onnx numpy
    python perf/rebuild_picodet.py picodet_s_512x384.onnx

The network as published ends in the suppression of overlapping boxes and knows 80 classes. What camalert runs is
the part before that end, for the classes that `camalert.detection.picodet` names, with operations joined where that
changes nothing but the time.
"""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import onnx  # type: ignore[import-not-found, unused-ignore]  # only for this script
from onnx import NodeProto, TensorProto, helper, numpy_helper

EXPECTED_SHA256 = "9b03bde5098eb0843cec6a67e7b36b68faa5ef46a98354553f82fde767fee5c2"
HEIGHT, WIDTH = 384, 512  # written into the file; engines may feed other multiples of 64
STRIDES = (8, 16, 32, 64)
PUBLISHED_CLASSES, PERSON = 80, 0  # the order of COCO's classes
# bicycle, car, motorcycle, bus, train, truck, boat; bird to giraffe; backpack, handbag, suitcase: `picodet.KINDS`
OTHERS = (1, 2, 3, 5, 6, 7, 8, *range(14, 24), 24, 26, 28)
SIDES_TIMES_BINS = 32


class Graph:
    """The nodes that lead to some outputs, in order, and every constant by name."""

    def __init__(self, published: onnx.GraphProto) -> None:
        self.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in published.initializer}
        for node in published.node:
            if node.op_type == "Constant":
                self.constants[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
        self.nodes = list(published.node)
        self.maker = {name: node for node in self.nodes for name in node.output}

    def cut(self, outputs: list[str]) -> None:
        """Keep only what the outputs are made from."""
        needed: set[str] = set()
        waiting = list(outputs)
        while waiting:
            name = waiting.pop()
            if name in self.maker and name not in needed:
                needed.update(self.maker[name].output)
                waiting.extend(self.maker[name].input)
        self.nodes = [node for node in self.nodes if node.output[0] in needed and node.op_type != "Constant"]

    def remove(self, dropped: list[NodeProto]) -> None:
        """Take nodes out."""
        gone = {id(node) for node in dropped}
        self.nodes = [node for node in self.nodes if id(node) not in gone]

    def single(self, name: str) -> float | None:
        """Return a constant of one number, None for anything else."""
        value = self.constants.get(name)
        return float(value.ravel()[0]) if value is not None and value.size == 1 else None


def main() -> int:
    """Convert, cut, join, write and compare."""
    target = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        published = Path(folder) / "published.onnx"
        convert(published)
        graph = Graph(onnx.load(published).graph)
    scores, distances = ends(graph)
    graph.cut(scores + distances)
    fold_normalisation(graph)
    join_hard_swish(graph)
    others, qualities = split_others(graph, scores)
    keep_person(graph, scores)
    outputs = {
        "scores": (scores, 1),
        "dists": (distances, SIDES_TIMES_BINS),
        "others": (others, len(OTHERS)),
        "quality": (qualities, 1),
    }
    onnx.save(assemble(graph, outputs), target)
    found = hashlib.sha256(target.read_bytes()).hexdigest()
    verdict = "as expected" if found == EXPECTED_SHA256 else "NOT as expected"
    sys.stdout.write(f"{target}: SHA-256 {found}, {verdict}\n")
    return 0 if found == EXPECTED_SHA256 else 1


def convert(target: Path) -> None:
    """Turn the package's Paddle model into ONNX with the converter's own command."""
    package = importlib.util.find_spec("paddlelabel_ml")
    if package is None or not package.submodule_search_locations:
        raise SystemExit("paddlelabel-ml is not installed; see the top of this file")
    weights = Path(package.submodule_search_locations[0]) / "model" / "PicoDet" / "ckpt"
    subprocess.run(
        [
            str(Path(sys.executable).parent / "paddle2onnx"),
            *("--model_dir", weights, "--model_filename", "model.pdmodel"),
            *("--params_filename", "model.pdiparams", "--save_file", target, "--opset_version", "11"),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def ends(graph: Graph) -> tuple[list[str], list[str]]:
    """Find, for each stride, the class scores and the distances before they become boxes."""
    suppression = next(node for node in graph.nodes if node.op_type == "NonMaxSuppression")
    boxes, all_scores = suppression.input[:2]
    scores = [graph.maker[name].input[0] for name in graph.maker[all_scores].input]
    # From the boxes back to where the four sides were one tensor: the split that takes them apart.
    split = graph.maker[boxes]
    while split.op_type != "Split":
        split = graph.maker[split.input[0]]
    distances = []
    for name in graph.maker[split.input[0]].input:
        turned = graph.maker[name]
        while turned.op_type != "Transpose":
            turned = graph.maker[turned.input[0]]
        distances.append(turned.input[0])
    return scores, distances


def fold_normalisation(graph: Graph) -> None:
    """Put each batch normalisation into the weights of the convolution before it."""
    uses = Counter(name for node in graph.nodes for name in node.input)
    folded = []
    for node in graph.nodes:
        convolution = graph.maker.get(node.input[0])
        if node.op_type != "BatchNormalization" or convolution is None or convolution.op_type != "Conv":
            continue
        if uses[node.input[0]] != 1:
            continue
        # In double precision: the file's bytes depend on how the products are rounded.
        scale, shift, mean, variance = (graph.constants[name].astype(np.float64) for name in node.input[1:5])
        epsilon = next((item.f for item in node.attribute if item.name == "epsilon"), 1e-5)
        factor = scale / np.sqrt(variance + epsilon)
        weights = graph.constants[convolution.input[1]].astype(np.float64)
        bias = graph.constants[convolution.input[2]].astype(np.float64) if len(convolution.input) > 2 else 0.0
        weights_name, bias_name = (f"{convolution.output[0]}.{part}" for part in ("w", "b"))
        graph.constants[weights_name] = (weights * factor.reshape(-1, 1, 1, 1)).astype(np.float32)
        graph.constants[bias_name] = ((bias - mean) * factor + shift).astype(np.float32)
        del convolution.input[1:]
        convolution.input.extend((weights_name, bias_name))
        convolution.output[0] = node.output[0]
        graph.maker[node.output[0]] = convolution
        folded.append(node)
    graph.remove(folded)


def join_hard_swish(graph: Graph) -> None:
    """Write x * clip(x + 3, 0, 6) / 6, four nodes, as the one operation it is."""
    joined = []
    for node in graph.nodes:
        divisor = graph.single(node.input[1]) if node.op_type == "Div" else None
        if divisor is None or abs(divisor - 6) > 1e-6:
            continue
        product = graph.maker[node.input[0]]
        clip = graph.maker.get(product.input[1]) if product.op_type == "Mul" else None
        if clip is None or clip.op_type != "Clip":
            continue
        total = graph.maker[clip.input[0]]
        if total.op_type != "Add" or total.input[0] != product.input[0]:
            continue
        source = product.input[0]
        joined += [product, clip, total]
        node.op_type = "HardSwish"
        del node.input[:]
        del node.attribute[:]
        node.input.append(source)
    graph.remove(joined)


def split_others(graph: Graph, scores: list[str]) -> tuple[list[str], list[str]]:
    """Add outputs of their own for the other classes that are kept.

    The score of a class is the root of class times quality. `cv2.dnn` cannot multiply many classes by one quality, so
    both are outputs, and that is left to who reads them.

    Returns: For each stride, the classes, and the quality.
    """
    others, qualities = [], []
    for name in scores:
        for factor in graph.maker[graph.maker[name].input[0]].input:
            sigmoid = graph.maker[factor]
            convolution = graph.maker[sigmoid.input[0]]
            if graph.constants[convolution.input[1]].shape[0] != PUBLISHED_CLASSES:
                qualities.append(factor)
                continue
            made = copy.deepcopy(convolution)
            for place in (1, 2):  # weights, bias
                kept = convolution.input[place] + ".o"
                graph.constants[kept] = graph.constants[convolution.input[place]][list(OTHERS)].copy()
                made.input[place] = kept
            made.output[0] = convolution.output[0] + ".o"
            others.append(factor + ".o")
            graph.nodes += [made, helper.make_node(sigmoid.op_type, (made.output[0],), (others[-1],))]
    return others, qualities


def keep_person(graph: Graph, scores: list[str]) -> None:
    """Drop 79 of the 80 outputs of the convolutions that make the class scores."""
    for name in scores:
        root = graph.maker[name]  # of class score times quality
        for factor in graph.maker[root.input[0]].input:
            convolution = graph.maker[graph.maker[factor].input[0]]
            if convolution.op_type != "Conv":
                continue
            if graph.constants[convolution.input[1]].shape[0] != PUBLISHED_CLASSES:
                continue
            for place in (1, 2):  # weights, bias
                cut = convolution.input[place] + ".p"
                graph.constants[cut] = graph.constants[convolution.input[place]][PERSON : PERSON + 1].copy()
                convolution.input[place] = cut


def assemble(graph: Graph, outputs: dict[str, tuple[list[str], int]]) -> onnx.ModelProto:
    """Join the strides of each output, whose rows are told, and make a checked model of it."""
    nodes = list(graph.nodes)
    for output, (parts, rows) in outputs.items():
        shape = f"{output}.shape"
        graph.constants[shape] = np.array((1, rows, -1), np.int64)
        flat = [f"{output}.{stride}" for stride in STRIDES]
        nodes += [helper.make_node("Reshape", (part, shape), (name,)) for part, name in zip(parts, flat, strict=True)]
        nodes.append(helper.make_node("Concat", flat, (output,), axis=2))
    for node in nodes:
        node.name = node.output[0]  # the parts of a node that was split had its name, and OpenCV 4 wants each name once
    used = {name for node in nodes for name in node.input}
    cells = sum(-(-WIDTH // stride) * -(-HEIGHT // stride) for stride in STRIDES)

    def floats(name: str, *shape: int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    made = helper.make_graph(
        nodes,
        "picodet_s",
        [floats("image", 1, 3, HEIGHT, WIDTH)],
        [floats(name, 1, rows, cells) for name, (_, rows) in outputs.items()],
        [
            numpy_helper.from_array(np.ascontiguousarray(value), name)
            for name, value in graph.constants.items()
            if name in used
        ],
    )
    # Operation set 14 is the first with HardSwish. The producer's name is part of the checksum.
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 14)], producer_name="build_picodet")
    model.ir_version = 8
    onnx.checker.check_model(model)
    return onnx.shape_inference.infer_shapes(model, strict_mode=True)


if __name__ == "__main__":
    sys.exit(main())
