"""Make `ssd_mobilenetv2_oidv4.xml` and `.bin` again, from the package index of npm, byte for byte.

Not part of the program: a record of where the weights come from, which anybody can check. On Linux x86-64 with Python
3.11 or later, in an empty virtual environment:

    npm pack @mediapipe/objectron@0.4.1675468480
    tar xzf mediapipe-objectron-0.4.1675468480.tgz
    pip install openvino==2026.4.1 numpy
    python perf/rebuild_ssd.py package/objectron_solution_packed_assets.data DIR

The network is cut out of the pack as MediaPipe publishes it. Only its weights are stored in less space: those of
convolutions as int8 with one scale for each output channel, those of depthwise convolutions and small ones as half
floats. OpenVINO unfolds them when it compiles; the arithmetic stays as it was. Nothing is learned or calibrated.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

for unwanted in ("openvino_telemetry", "openvino.tools.ovc"):
    sys.modules[unwanted] = None  # type: ignore[assignment]  # nothing is sent; see detection/openvino_cpu.py
import openvino  # noqa: E402
from openvino import opset13 as operations  # noqa: E402

NAME = "ssd_mobilenetv2_oidv4"
START, END = 184, 9_987_912  # of the network in the pack; objectron_solution_packed_assets_loader.js says so
# As MediaPipe itself gives it for object_detection_ssd_mobilenetv2_oidv4_fp16.tflite (third_party/external_files.bzl).
PUBLISHED_SHA256 = "d0a5255bf8c4f5a0bc4240741a76c41d5e939f7655078f945f50ab53a9375da6"
EXPECTED_SHA256 = {
    ".xml": "b52658f8fcf1eaad758f7232c0c338a89137aacc84aa475dd4cfd29e519d668a",
    ".bin": "b38b6c501bcf700866a6c0acfc5579154b72669ccb89c62518b78381386d9fdb",
}
SMALL = 4096  # weights fewer than this stay half floats
CLIPPINGS = (1, 0.97, 0.94, 0.91, 0.88, 0.85, 0.8, 0.75)  # of the largest weight of a channel
LEAST_SCALE = 2.0**-24  # the smallest half float


def main() -> int:
    """Make the files and compare them."""
    pack, folder = Path(sys.argv[1]), Path(sys.argv[2])
    published = pack.read_bytes()[START:END]
    if hashlib.sha256(published).hexdigest() != PUBLISHED_SHA256:
        print(f"{pack} does not hold the network expected")
        return 1
    core = openvino.Core()
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "published.tflite")
        file.write_bytes(published)
        model = core.read_model(file)
        for node in model.get_ordered_ops():
            if node.get_type_name() in ("Convolution", "GroupConvolution"):
                shrink(core, node)
        model.validate_nodes_and_infer_types()
        openvino.save_model(model, folder / f"{NAME}.xml", compress_to_fp16=True)
    is_same = True
    for suffix, expected in EXPECTED_SHA256.items():
        found = hashlib.sha256((folder / f"{NAME}{suffix}").read_bytes()).hexdigest()
        print(f"{NAME}{suffix} {found} {'as expected' if found == expected else f'EXPECTED {expected}'}")
        is_same &= found == expected
    return 0 if is_same else 1


def shrink(core: Any, convolution: Any) -> None:
    """Put weights of fewer bytes in place of a convolution's."""
    # Whatever the weights pass through (half floats, transpositions) is worked out by running that part alone.
    source = convolution.input(1).get_source_output()
    part = openvino.Model([operations.result(source)], [], "weights")
    weights = np.array(core.compile_model(part, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})([])[0], np.float32)
    if weights.size < SMALL or convolution.get_type_name() == "GroupConvolution":
        smaller = operations.convert(operations.constant(weights.astype(np.float16)), "f32")
    else:
        values, scales = packed(weights)
        smaller = operations.multiply(
            operations.convert(operations.constant(values), "f32"), operations.constant(scales)
        )
    convolution.input(1).replace_source_output(smaller.output(0))


def packed(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return int8 values and a scale for each output channel: of some clippings the one that loses least."""
    axes = tuple(range(1, weights.ndim))
    largest = np.abs(weights).max(axes, keepdims=True)
    largest[largest == 0] = 1
    tried = []
    for part in CLIPPINGS:
        scales = np.maximum((largest * part / 127).astype(np.float16).astype(np.float32), LEAST_SCALE)
        values = np.clip(np.round(weights / scales), -127, 127)
        loss = ((values * scales - weights) ** 2).sum(axes, keepdims=True)
        tried.append((loss, values, scales))
    loss, values, scales = tried[0]
    for other_loss, other_values, other_scales in tried[1:]:
        is_better = other_loss < loss
        loss = np.where(is_better, other_loss, loss)
        values = np.where(is_better, other_values, values)
        scales = np.where(is_better, other_scales, scales)
    return values.astype(np.int8), scales.astype(np.float32)


if __name__ == "__main__":
    sys.exit(main())
