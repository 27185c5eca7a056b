"""Clocks that jump: at boot without a battery, by NTP, by hand, and in cameras that believe it is 1970."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator

import pytest
from testing import mails, pictures
from testing.audit import audit
from testing.faults_service import Camera, FaultedService

YEAR_1970 = datetime.datetime(1970, 1, 1, 0, 5, tzinfo=datetime.UTC).timestamp()
YEAR_2107 = datetime.datetime(2107, 1, 1, tzinfo=datetime.UTC).timestamp()


@pytest.fixture
def faulted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultedService]:
    """Return a service whose clock the test sets."""
    service = FaultedService(tmp_path_factory.mktemp("clock") / "service", database__keep_days=30)
    yield service
    service.close()


def test_clock_that_jumps_loses_nothing_and_keeps_the_order(faulted: FaultedService) -> None:
    """From 1970 to now, an hour back, into the future and back again: no process ends, ids are in order of arrival."""
    faulted.arsenal.set_clock(YEAR_1970 - time.time())
    faulted.start()
    faulted.wait_whole()
    subjects = []
    for name, offset_s in (
        ("in 1970", YEAR_1970 - time.time()),
        ("after NTP", 0.0),
        ("an hour back", -3600.0),
        ("in the future", YEAR_2107 - time.time()),
        ("now again", 0.0),
    ):
        faulted.arsenal.set_clock(offset_s)
        camera = Camera(faulted, name)
        camera.send()
        camera.insist()
        faulted.wait_examined()
        subjects.append(name)

    assert audit(faulted.database, faulted.record) == []
    rows = faulted.query("SELECT subject, timestamp FROM alerts_alert ORDER BY id")
    assert [subject for subject, _ in rows] == subjects
    years = [datetime.datetime.fromisoformat(timestamp).year for _, timestamp in rows]
    assert years[0] == 1970
    assert years[3] == 2107
    assert not faulted.find("child_exited")
    assert not faulted.find("supervisor_stalled"), "deadlines do not follow the clock on the wall"


def test_repeat_is_known_although_the_clock_went_back(faulted: FaultedService) -> None:
    """A camera that lost its 250 sends again, while NTP sets the clock."""
    faulted.start()
    mail = mails.alarm([pictures.cat_jpeg()])
    assert mails.deliver(faulted.port, mail)[0] == 250

    faulted.arsenal.set_clock(-60.0)
    assert mails.deliver(faulted.port, mail)[0] == 250

    assert faulted.count("alerts_alert") == 1


def test_camera_in_1970_gets_the_time_of_receipt(faulted: FaultedService) -> None:
    """What a camera without a clock says of the time is kept, and not believed."""
    faulted.start()
    mail = mails.alarm([pictures.cat_jpeg()]).replace(
        b"Motion was detected.", b"Motion was detected.\r\nTime: 1970-01-01 00:00:12"
    )
    mail = b"Date: Thu, 01 Jan 1970 00:00:12 +0000\r\n" + mail

    assert mails.deliver(faulted.port, mail)[0] == 250

    [(timestamp,)] = faulted.query("SELECT timestamp FROM alerts_alert")
    age_s = time.time() - datetime.datetime.fromisoformat(timestamp).timestamp()
    assert abs(age_s) < 120
