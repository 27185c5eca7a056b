"""An engine that ends its process on this machine: the next best one takes its place, for all detectors."""

from __future__ import annotations

from pathlib import Path

import pytest
from testing import pictures
from testing.faults import Act, Fault, Phase
from testing.faults_service import FaultedService


@pytest.mark.parametrize("act", [Act.SEGV, Act.EXIT_1, Act.HANG])
def test_engine_that_ends_its_detector_at_the_start_is_replaced(tmp_path: Path, act: Act) -> None:
    """An illegal instruction in a library is found out once, and alarms are examined all the same."""
    pytest.importorskip("openvino", reason="without a second engine there is nothing to fall back from")
    service = FaultedService(tmp_path / "service", detector__engine="auto", detector__processes=1)
    service.arsenal.arm(Fault(act, "detector-1", Phase.STARTING))
    try:
        service.start()

        [event] = service.wait_for("engine_replaced")
        assert (event["failed"], event["engine"]) == ("openvino", "opencv")
        assert service.send([pictures.person_jpeg()])[0] == 250
        service.wait_examined()
        assert service.count("alerts_detect") == 1
    finally:
        service.close()
