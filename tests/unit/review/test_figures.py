"""What the figures page says."""

from __future__ import annotations

import datetime

from hypothesis import given
from hypothesis import strategies as st

from camalert.review.figures import DaySum, Total, bars, by_camera, keeping, total

TODAY = datetime.date(2026, 11, 29)
SUMS = st.builds(DaySum, st.sampled_from(["2026-11-29", "2026-11-28", "2026-10-01"]),
                 st.sampled_from(["Garage", "garage", "Terrace", ""]),
                 st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))  # fmt: skip


def test_how_much_less_there_is_to_look_at() -> None:
    """Rounded down: nobody is promised what is not so."""
    assert Total(4212, 311, 96).less_percent == 92
    assert Total(4212, 290).less_percent == 93
    assert Total(5, 5).less_percent == 0
    assert Total(1, 3).less_percent == 0  # people whose alarm was of the day before
    assert Total().less_percent is None


def test_bars_have_every_day_and_one_scale() -> None:
    """A day without alarms is an empty place, and the highest day fills the drawing."""
    days = [DaySum("2026-11-29", "Garage", 3, 1, 1), DaySum("2026-11-29", "Terrace", 1, 0, 0),
                  DaySum("2026-11-27", "Garage", 2, 2, 1), DaySum("2026-01-01", "Garage", 900, 0, 0)]  # fmt: skip

    found = bars(days, TODAY, 3)

    assert [(bar.day, bar.total.alarms, bar.alarms_height) for bar in found] == [
        ("2026-11-27", 2, 50.0), ("2026-11-28", 0, 0.0), ("2026-11-29", 4, 100.0),
    ]  # fmt: skip


def test_cameras_with_the_most_false_alarms_come_first() -> None:
    """Spellings are one camera, and one that only has flags is listed as well."""
    found = by_camera(
        [DaySum("2026-11-29", "Garage", 5, 5, 1), DaySum("2026-11-29", "terrace", 3, 0, 0),
         DaySum("2026-11-28", "Terrace", 1, 1, 1)], {"TERRACE": 2, "Shed": 1},
    )  # fmt: skip

    assert [(each.camera, each.total.nobody, each.flagged) for each in found] == [
        ("terrace", 3, 2), ("Shed", 0, 1), ("Garage", 0, 0),
    ]  # fmt: skip


def test_how_long_rows_stay() -> None:
    """What is kept, at the rate of the last week."""
    found = keeping(812, 1000, "2026-11-23 14:02:00", 1050)

    assert (found.a_day, found.days and round(found.days, 1), found.percent) == (150.0, 6.7, 81)
    assert keeping(5, 1000, "", 0).days is None
    assert keeping(5, None, "", 70) == keeping(5, 0, "", 70)
    assert keeping(5, None, "", 70).percent == 0


@given(st.lists(SUMS, max_size=30))
def test_charts_stay_in_their_frames(sums: list[DaySum]) -> None:
    """Whatever the sums are, nothing is drawn beyond the edge."""
    for bar in bars(sums, TODAY):
        assert 0 <= bar.people_height <= 100
        assert 0 <= bar.alarms_height <= 100
    for each in by_camera(sums, {}):
        assert 0 <= each.people_width <= 100
        assert 0 <= each.alarms_width <= 100
    assert total(sums).alarms == sum(each.alarms for each in sums)
