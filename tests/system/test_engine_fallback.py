"""An engine that ends its processes: the next best one takes its place, and without one no picture pays for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from testing import pictures
from testing.faults import Act, Fault, Phase
from testing.faults_service import FaultedService
from testing.waiting import until

from camalert.supervisor.stages import BLAME_PICTURES


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


def test_engine_that_dies_of_every_picture_is_replaced_and_no_picture_fails(tmp_path: Path) -> None:
    """It passed its self-test, so that only real pictures show it: the next engine examines all of them."""
    pytest.importorskip("openvino", reason="without a second engine there is nothing to fall back from")
    service = FaultedService(tmp_path / "service", detector__engine="auto", detector__processes=2)
    service.arsenal.break_engines("openvino")
    try:
        service.start()

        for number in range(8):
            assert service.send([pictures.cat_jpeg()], f"alarm {number}")[0] == 250
        [event] = service.wait_for("engine_replaced")
        service.wait_examined()

        assert (event["failed"], event["engine"]) == ("openvino", "opencv")
        assert service.query("SELECT DISTINCT outcome FROM camalert_alert") == [("nobody",)]
        service.wait_for("examination_resumed")
        until(lambda: service.status()["engine"] == "opencv" and service.is_whole(), "all detectors with the other", 60)
    finally:
        service.close()


def test_engine_without_a_successor_leaves_all_pictures_pending_until_it_works(tmp_path: Path) -> None:
    """Nothing is marked failed, the status says what is wrong, and once it is mended all is examined."""
    service = FaultedService(tmp_path / "service", detector__processes=1, decode__processes=1)
    service.arsenal.break_engines("opencv")
    mails = 2 * BLAME_PICTURES
    try:
        service.start()

        for number in range(mails):
            assert service.send([pictures.cat_jpeg()], f"alarm {number}")[0] == 250
        [event] = service.wait_for("examination_blocked")
        assert "the detector crashed or hung on 3 or more different pictures" in event["message"]
        assert event["engine"] == "opencv"
        until(lambda: service.status().get("examination_problem") == event["message"], "it in the status")
        service.wait_for("child_exited", child="detector-1", count=mails + 2)
        assert service.count("camalert_pending") == mails
        assert service.query("SELECT count(*) FROM camalert_alert WHERE outcome IS NOT NULL") == [(0,)]

        service.arsenal.break_engines()
        service.wait_examined()

        service.wait_for("examination_resumed")
        assert service.query("SELECT outcome, count(*) FROM camalert_alert") == [("nobody", mails)]
        until(lambda: not service.status().get("examination_problem"), "the status well again")
    finally:
        service.close()
