"""Times and numbers as the pages show them."""

from __future__ import annotations

import datetime
import time
import zoneinfo

import pytest
from django.utils import dateformat, timezone

from camalert.review.formats import ago, local_time, many, shown_moment, span


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0 seconds"), (1, "1 second"), (59.9, "59 seconds"), (60, "1 minute"), (7200, "2 hours"), (90_000, "1 day")],
)
def test_span_has_one_unit(seconds: float, text: str) -> None:
    """The largest that fits."""
    assert span(seconds) == text


def test_ago_has_the_exact_time_as_tooltip() -> None:
    """Of seconds since 1970 and of a local datetime alike."""
    moment = datetime.datetime.now() - datetime.timedelta(minutes=3, seconds=5)  # noqa: DTZ005 - local, as in the rows

    for each in (moment, moment.timestamp()):
        assert ago(each) == f'<time title="{moment:%Y-%m-%d %H:%M:%S}">3 minutes ago</time>'


def test_moment_needs_no_list_of_time_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small system has none, and the rows are in local time anyway."""
    monkeypatch.setattr(timezone, "get_default_timezone", lambda: zoneinfo.ZoneInfo("There/Is_None"))
    monkeypatch.setattr(dateformat, "get_default_timezone", lambda: zoneinfo.ZoneInfo("There/Is_None"))

    assert shown_moment("2026-11-22 14:03:05") == "2026-11-22 14:03:05"
    assert shown_moment(datetime.datetime(2026, 11, 22, 14, 3, 5)) == "2026-11-22 14:03:05"  # noqa: DTZ001 - as in the rows


@pytest.mark.parametrize("moment", [None, 0, 1e300, float("nan")])
def test_moment_that_never_was_is_never(moment: float | None) -> None:
    """A damaged row is a row like others."""
    assert ago(moment) == "never"


def test_moment_out_of_range_is_no_time() -> None:
    """Nothing breaks where a row holds nonsense."""
    assert local_time(1e300) == ""
    assert local_time(time.time())[:2] == "20"


def test_number_and_noun_agree() -> None:
    """One is singular."""
    assert [many(count, "alarm") for count in (0, 1, 2)] == ["0 alarms", "1 alarm", "2 alarms"]
