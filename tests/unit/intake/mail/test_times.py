"""The camera's own time, in all the ways in which cameras write it."""

from __future__ import annotations

import datetime as dt

import pytest

from camalert.intake.mail.times import Moment, camera_time

MOMENT = dt.datetime(2026, 11, 28, 18, 23, 31)  # noqa: DTZ001 - local, as on a camera's clock
NOW = MOMENT.timestamp()
DAY_S = 86_400.0


def read(text: str, received_utc: float = NOW, names: tuple[str, ...] = (), date: str = "") -> Moment:
    return camera_time((text,), names, date, received_utc, DAY_S)


@pytest.mark.parametrize(
    "written",
    [
        "28/11/26 18:23:31", "11/28/26 06:23:31 PM", "26-11-28 18:23:31", "28.11.26, 18:23:31", "18:23:31 28/11/26",
        "Date: 2026-11-28\nTime: 18:23:31", "Date: 28/11/2026\r\nTime: 18:23:31", "2026-11-28\n18:23:31",
        "Time: 18:23:31\nDate: 2026-11-28", "Date: 28/11/26\nTime: 18:23:31", "2026-11-28 06:23:31 PM",
        "28.11.2026 um 18:23:31", "28/11/2026 at 6:23:31pm", "PM 6:23:31 28/11/2026", "Nov 28, 2026 6:23:31 PM",
        "Saturday 28 November 2026 06:23:31 PM", "28 de noviembre de 2026, 18:23:31", "28. November 2026 um 18:23:31",
        "28 novembre 2026 18:23:31", "28 listopada 2026, 18:23:31",
        "28 \u043d\u043e\u044f\u0431\u0440\u044f 2026 \u0433. 18:23:31",
        "28 Kas\u0131m 2026 18:23:31", "November 28th, 2026 at 6:23:31 p.m.",
        "2026\u5e7411\u670828\u65e5 18:23:31", "2026\u5e7411\u670828\u65e5 \u661f\u671f\u516d 18:23:31",
        "2026\u5e7411\u670828\u65e518\u65f623\u520631\u79d2", "2026\u5e7411\u670828\u65e5\u4e0b\u53486:23:31",
        "2026\u5e7411\u670828\u65e5 \u4e0b\u53486\u65f623\u520631\u79d2", "2026-11-28 \u4e0b\u5348 06:23:31",
        "2026/11/28,18:23:31",
    ],
)  # fmt: skip
def test_time_is_read_however_it_is_written(written: str) -> None:
    """Two figures or four, one line or two, twelve hours or twenty-four, in words of any language of the tables."""
    moment = read(written)

    assert moment.believed_utc == NOW
    assert moment.off_s == 0


@pytest.mark.parametrize(
    "name",
    [
        "2026-11-28_18-23-31.jpg", "2026-11-28-18-23-31.jpg", "261128182331.jpg", "20261128_182331.jpg",
        "2026\u5e7411\u670828\u65e518\u65f623\u520631\u79d2.mp4", "Yard_01_20261128182331.jpg",
    ],
)  # fmt: skip
def test_time_is_read_from_a_file_name(name: str) -> None:
    """Where the words have none."""
    assert read("x", names=(name,)).believed_utc == NOW


@pytest.mark.parametrize(
    ("zone", "hours"),
    [
        ("UTC-05:00", -5), ("UTC+5:30", 5.5), ("GMT+2", 2), ("GMT-3", -3), ("UTC", 0), ("Z", 0), ("+0200", 2),
        ("GMT+0800", 8), ("(UTC+01:00)", 1), ("UTC+8", 8),
    ],
)  # fmt: skip
def test_zone_counts_however_it_is_written(zone: str, hours: float) -> None:
    """A camera with a zone is read in its zone, not in ours."""
    utc = dt.datetime(2026, 11, 28, 18, 23, 31, tzinfo=dt.UTC).timestamp() - hours * 3600

    assert read(f"2026-11-28 18:23:31 {zone}", utc).believed_utc == utc


def test_clock_that_is_off_is_measured() -> None:
    """By what the mail calls its time; a date elsewhere in it may be believed and does not set the clock right."""
    hours = read("2026-11-28 13:23:31")
    never_set = read("2000-01-01 00:00:10", date="Sat, 28 Nov 2026 18:23:31")

    assert (hours.believed_utc, hours.off_s) == (NOW - 5 * 3600, -5 * 3600)
    assert never_set.believed_utc == NOW
    assert never_set.off_s is not None
    assert never_set.off_s < -26 * 365 * DAY_S
    assert read("no time") == Moment()


def test_serial_numbers_and_addresses_are_no_times() -> None:
    """Versions, addresses in the network and serial numbers stand in the same mails."""
    for text in (
        "IP Address: 192.168.1.20",
        "V4.30.085 build 200523",
        "S/N 200523182331",
        "10.0.0.12:8080",
        "31.11.26 18",
    ):
        assert read(text) == Moment(), text
