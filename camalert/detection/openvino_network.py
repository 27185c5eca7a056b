"""The person detector run by OpenVINO, the fast way on any x86-64 or ARM processor with a wheel.

Importing OpenVINO sends a usage event and leaves a file in the home folder, unless its telemetry package cannot be
imported; its own stub takes over then. Nothing here leaves the house. Its model converter is half of the import's time
and may be missing in the same way.
"""

from __future__ import annotations

import sys

from camalert.detection.picodet import Floats, Network
from camalert.errors import EngineError

# Made to fail when OpenVINO imports them.
UNWANTED = ("openvino_telemetry", "openvino.tools.ovc")


def load(model: bytes, threads: int) -> Network:
    """Compile the network for this processor; the first picture of each input size takes some 0.2 s more.

    Args:
        threads: How many threads one inference may use.
    Raises: EngineError when OpenVINO cannot be loaded or refuses the model.
    """
    for name in UNWANTED:
        sys.modules[name] = None  # type: ignore[assignment]  # makes the import fail, as wanted
    try:
        import openvino  # noqa: PLC0415 - optional, and only after the lines above
    except (ImportError, OSError) as error:
        raise EngineError(f"OpenVINO cannot be loaded: {error}") from error
    core = openvino.Core()
    any_size = core.read_model(model=model, weights=b"")
    properties = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        # Pinned, every detector process would choose the same cores.
        "ENABLE_CPU_PINNING": False,
    }
    compiled = {}

    def run(blob: Floats) -> tuple[Floats, Floats]:
        height, width = blob.shape[2:]
        if (height, width) not in compiled:
            sized = any_size.clone()  # shares the weights; reading again takes 9 MB more
            sized.reshape([1, 3, height, width])
            compiled[height, width] = core.compile_model(sized, "CPU", properties).create_infer_request()
        request = compiled[height, width]
        request.infer({"image": blob}, share_inputs=True)
        return request.get_tensor("scores").data, request.get_tensor("dists").data

    return run
