"""Times and numbers as the pages show them."""

from __future__ import annotations

import datetime
import time

import pytest

from camalert.review.formats import ago, local_time, many, span


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
