"""The networks as a model repository: one folder that Triton, OpenVINO Model Server and MLServer all can serve.

Each network becomes a file for each size of its input that an effort asks for. It takes bytes, so that an eighth of a
megapixel travels as such and not as numbers, and any number of pictures at once, so that a server can examine the
pictures of several detectors together.

Source: Triton's model repository and model configuration, OpenVINO Model Server's, and MLServer's model-settings.json.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from camalert.detection import council, engines, picodet, ssd, weights
from camalert.detection.looks import Size
from camalert.detection.openvino_cpu import Compiler
from camalert.detection.remote import INPUT, OUTPUTS, PICODET, SSD, model_name, outputs_of

MOST_PICTURES = 8  # examined together
DELAY_US = 2000  # how long a server waits for more of them
RUNTIME = "camalert_runtime.py"  # runs the files in MLServer, which has no OpenVINO of its own
VERSION = "1"


@dataclass(frozen=True, slots=True)
class Model:
    """One network for one size of its input."""

    network: str
    size: Size


def models_of(efforts: Collection[str]) -> tuple[Model, ...]:
    """Return what these efforts ask for, upright pictures included."""
    found: dict[Model, None] = {}
    for effort in efforts:
        for height, width in engines.sizes_of(effort):
            found[Model(PICODET, (height, width))] = None
            found[Model(PICODET, (width, height))] = None
        if engines.asks_ssd(effort):
            found[Model(SSD, council.SECOND)] = None
    return tuple(found)


def write(folder: Path, prefix: str, efforts: Collection[str]) -> Iterator[str]:
    """Write the repository into a folder, which may be there; yield the name of each model when it is written.

    Raises: EngineError when OpenVINO is not installed; OSError when a file cannot be written.
    """
    exporter = Exporter(Compiler(threads=1))
    written = []
    for model in models_of(efforts):
        name = model_name(prefix, model.network, model.size)
        place = folder / "models" / name
        (place / VERSION).mkdir(parents=True, exist_ok=True)
        exporter.save(model, place / VERSION / "model.xml")
        (place / "config.pbtxt").write_text(_for_triton(name, model), encoding="utf-8")
        (place / "model-settings.json").write_text(_for_mlserver(name), encoding="utf-8")
        written.append(name)
        yield name
    (folder / "openvino.json").write_text(_for_openvino(written), encoding="utf-8")
    for name in (RUNTIME, "README.md"):
        content = (resources.files("camalert.detection") / "serving" / name).read_text(encoding="utf-8")
        (folder / name).write_text(content, encoding="utf-8")


class Exporter:
    """Networks of OpenVINO, given a batch and an input of bytes."""

    def __init__(self, compiler: Compiler) -> None:
        import openvino  # noqa: PLC0415 - optional, and only after the compiler has kept its telemetry out
        from openvino import opset13, preprocess  # noqa: PLC0415

        self._compiler, self._openvino, self._ops, self._preprocess = compiler, openvino, opset13, preprocess

    def save(self, model: Model, path: Path) -> None:
        """Write the two files of a network."""
        try:
            self._openvino.save_model(self.network(model), path, compress_to_fp16=False)
        except RuntimeError as error:  # what it raises for a file that it cannot write
            raise OSError(errno.EIO, str(error).strip().splitlines()[-1], str(path)) from error

    def network(self, model: Model) -> Any:  # OpenVINO has no types
        """Return the network; its input is (n, height, width, 3) bytes, BGR."""
        if model.network == PICODET:
            network, layout, shape = self._compiler.read(weights.read(picodet.FILE)), "NCHW", [-1, 3, *model.size]
            mean, scale = [255 * x for x in picodet.MEAN_RGB], [255 * x for x in picodet.DEVIATION_RGB]
        else:
            network = self._compiler.read(weights.read(ssd.STRUCTURE), weights.read(ssd.WEIGHTS))
            layout, shape, mean, scale = "NHWC", [-1, *model.size, 3], [127.5] * 3, [127.5] * 3
        self._free_batch(network)
        network.reshape(shape)
        for output, name in zip(network.outputs, OUTPUTS[model.network], strict=True):
            output.get_tensor().set_names({name})
        network.inputs[0].get_tensor().set_names({INPUT})
        stage = self._preprocess.PrePostProcessor(network)
        kinds, colours = self._openvino.Type, self._preprocess.ColorFormat
        given = stage.input()
        given.tensor().set_element_type(kinds.u8).set_layout(self._openvino.Layout("NHWC")).set_color_format(
            colours.BGR
        )
        given.model().set_layout(self._openvino.Layout(layout))
        given.preprocess().convert_element_type(kinds.f32).convert_color(colours.RGB).mean(mean).scale(scale)
        return stage.build()

    def _free_batch(self, network: Any) -> None:
        """Let every reshape keep the batch that it gets: the files have one picture written into them."""
        for operation in network.get_ops():
            if operation.get_type_name() != "Reshape":
                continue
            pattern = operation.input_value(1).get_node()
            if pattern.get_type_name() == "Constant" and (values := pattern.data.copy()).size and values[0] == 1:
                values[0] = 0  # the same as before
                operation.input(1).replace_source_output(self._ops.constant(values).output(0))
                operation.set_attribute("special_zero", True)


def _for_triton(name: str, model: Model) -> str:
    height, width = model.size
    outputs = ",\n".join(
        f'  {{ name: "{output}" data_type: TYPE_FP32 dims: [ {", ".join(map(str, shape))} ] }}'
        for output, shape in outputs_of(model.network, model.size).items()
    )
    return f"""\
name: "{name}"
backend: "openvino"
max_batch_size: {MOST_PICTURES}
input [
  {{ name: "{INPUT}" data_type: TYPE_UINT8 dims: [ {height}, {width}, 3 ] }}
]
output [
{outputs}
]
dynamic_batching {{ max_queue_delay_microseconds: {DELAY_US} }}
"""


def _for_mlserver(name: str) -> str:
    settings = {
        "name": name,
        "implementation": f"{RUNTIME.removesuffix('.py')}.OpenvinoRuntime",
        "max_batch_size": MOST_PICTURES,
        "max_batch_time": DELAY_US / 1e6,
        "parameters": {"uri": f"./{VERSION}/model.xml", "version": VERSION},
    }
    return json.dumps(settings, indent=2) + "\n"


def _for_openvino(names: list[str]) -> str:
    models = [
        {"config": {"name": name, "base_path": f"/models/{name}", "plugin_config": {"PERFORMANCE_HINT": "THROUGHPUT"}}}
        for name in names
    ]
    return json.dumps({"model_config_list": models}, indent=2) + "\n"
