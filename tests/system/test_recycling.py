"""Detectors that are replaced for their age: the work goes on, and nobody calls it a failure."""

from __future__ import annotations

from collections.abc import Callable

from testing import pictures
from testing.service import ServiceUnderTest


def test_detector_is_replaced_after_so_many_pictures(make_service: Callable[..., ServiceUnderTest]) -> None:
    """Native libraries leak: a detector that has examined enough makes room for a new one, and nothing is lost."""
    service = make_service(detector__recycle_pictures=3).start()
    for number in range(6):
        assert service.send([pictures.unique_jpeg(number)])[0] == 250

    service.wait_for("detector_recycled", child="detector-1")
    service.wait_for("child_ready", child="detector-1", count=2)

    assert service.send([pictures.person_jpeg()])[0] == 250
    service.wait_examined()
    assert service.count("camalert_alert WHERE outcome = 'nobody'") == 6
    assert service.count("alerts_detect") == 1
    assert not service.find("child_exited", level="warning")


def test_detector_is_replaced_when_it_has_grown(make_service: Callable[..., ServiceUnderTest]) -> None:
    """A limit of memory does the same as a number of pictures."""
    service = make_service(detector__recycle_bytes=1_000_000).start()

    service.wait_for("detector_recycled", child="detector-1")
    service.wait_for("child_ready", child="detector-1", count=2)

    assert service.send([pictures.person_jpeg()])[0] == 250
    service.wait_examined()
    assert service.count("alerts_detect") == 1
