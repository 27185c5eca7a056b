"""OpenVINO on the processor: loaded without its telemetry, and compiling networks in the precision that is faster here.

Left alone, OpenVINO takes half floats wherever the processor has instructions for them. Of two servers with the same
instructions (AVX512_BF16) one needs 0.55 of the time of 32-bit floats for it, the other 1.7. No flag of the processor
tells them apart, so a network is tried both ways.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from camalert.errors import EngineError

# Importing OpenVINO sends a usage event and leaves a file in the home folder, unless its telemetry package cannot be
# imported; its own stub takes over then. Its model converter is half of the import's time.
UNWANTED = ("openvino_telemetry", "openvino.tools.ovc")

DEVICE = "CPU"
FULL = "f32"
HINT = "INFERENCE_PRECISION_HINT"
TRIALS = 3
# What half floats must save to be taken: scores are calibrated in 32 bits, and detectors that start side by side
# should not differ by chance.
LEAST_GAIN = 0.1


@dataclass(frozen=True, slots=True)
class Precision:
    """The numbers that a network computes with here."""

    name: str  # as OpenVINO calls it: f32, bf16, f16
    message: str  # with what decided it, for log and `check`


class Compiler:
    """Networks for this processor.

    Args:
        threads: How many threads one inference may use.

    Raises: EngineError when OpenVINO cannot be loaded.
    """

    def __init__(self, threads: int) -> None:
        for name in UNWANTED:
            sys.modules[name] = None  # type: ignore[assignment]  # makes the import fail, as wanted
        try:
            import openvino  # noqa: PLC0415 - optional, and only after the lines above
        except (ImportError, OSError) as error:
            raise EngineError(f"OpenVINO cannot be loaded: {error}") from error
        self._core = openvino.Core()
        self._properties: dict[str, Any] = {
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
            # Pinned, every detector process would choose the same cores.
            "ENABLE_CPU_PINNING": False,
            HINT: FULL,
        }

    def read(self, model: bytes, weights: bytes = b"", outputs: Collection[str] = ()) -> Any:  # OpenVINO has no types
        """Read a network, ONNX, or OpenVINO's own form with its weights.

        Args:
            model: The file.
            weights: The other file of OpenVINO's own form.
            outputs: Those that are kept, and what only leads to others is not computed; none: all.
        """
        network = self._core.read_model(model=model, weights=weights)
        for result in network.get_results():
            if outputs and not result.input_value(0).get_names() & set(outputs):
                network.remove_result(result)
        return network

    def compile(self, network: Any) -> Any:
        """Return a request that runs a network whose inputs have their sizes."""
        return self._core.compile_model(network, DEVICE, self._properties).create_infer_request()

    def choose_precision(self, network: Any) -> Precision:
        """Run a network in 32-bit floats and in what OpenVINO would take; keep the faster for all that follow."""
        own_choice = {key: value for key, value in self._properties.items() if key != HINT}
        try:
            own = self._core.compile_model(network, DEVICE, own_choice)
            name = own.get_property(HINT).get_type_name()
        except RuntimeError as error:  # the processor says it can, and OpenVINO finds that it cannot
            return Precision(FULL, f"{FULL}; OpenVINO's own choice fails: {str(error).strip().splitlines()[-1]}")
        if name == FULL:
            return Precision(FULL, FULL)
        requests = {FULL: self.compile(network), name: own.create_infer_request()}
        took_ms: dict[str, list[float]] = {FULL: [], name: []}
        for request in requests.values():
            request.infer()  # the first run prepares memory
        for _ in range(TRIALS):
            for precision, request in requests.items():
                started = time.process_time()
                request.infer()
                took_ms[precision].append((time.process_time() - started) * 1000)
        chosen = faster(name, min(took_ms[name]), min(took_ms[FULL]))
        self._properties[HINT] = chosen.name
        return chosen


def faster(name: str, own_ms: float, full_ms: float) -> Precision:
    """Choose between 32-bit floats and the processor's half floats by the CPU time that a look took in each."""
    if own_ms < full_ms * (1 - LEAST_GAIN):
        return Precision(name, f"{name}: {own_ms:.0f} ms of CPU a look, {full_ms:.0f} in {FULL}")
    return Precision(FULL, f"{FULL}: {full_ms:.0f} ms of CPU a look, {own_ms:.0f} in {name}")
