"""The day as a drawing, and the calendar's weeks."""

from __future__ import annotations

import datetime

from hypothesis import given
from hypothesis import strategies as st

from camalert.review import glance
from camalert.review.glance import ROW_PX, Sum, strip

DAY = datetime.date(2026, 11, 28)
SUMS = st.builds(Sum, st.sampled_from(["Garage", "garage ", "Terrace", ""]), st.integers(-1, 24),
                 st.integers(0, 100_000), st.integers(0, 100_000))  # fmt: skip


def test_spellings_of_a_camera_are_one_row_in_the_order_of_the_names() -> None:
    """A camera is one row, whichever way a mail writes it; the unnamed one comes last."""
    rows = strip(DAY, [Sum("", 3, 1, 0), Sum("Terrace", 2, 1, 1), Sum("garage", 2, 2, 1), Sum("Garage", 2, 3, 0)])

    assert [row.label for row in rows] == ["garage", "Terrace", "Unnamed camera"]
    assert [(cell.hour, cell.alarms, cell.people) for cell in rows[0].cells] == [(2, 5, 1)]


def test_last_hour_ends_with_the_day() -> None:
    """Its link leads to what is before midnight."""
    (row,) = strip(DAY, [Sum("Garage", 23, 1, 0)])

    assert (row.cells[0].since, row.cells[0].until) == ("2026-11-28 23:00", "2026-11-29 00:00")


def test_people_whose_alarms_are_gone_are_still_seen() -> None:
    """A picture of a person is kept longer than the alarm that it came with."""
    (row,) = strip(DAY, [Sum("Garage", 5, 0, 2)])

    assert (row.alarms, row.people) == (2, 2)


def test_many_cameras_share_the_last_row() -> None:
    """A hundred invented names do not push the cameras with people off the screen."""
    sums = [Sum(f"x{number}", 4, 1, 0) for number in range(100)] + [Sum("Garage", 4, 1, 1)]

    rows = strip(DAY, sums)

    assert len(rows) == glance.CAMERAS + 1
    assert "Garage" in [row.label for row in rows]
    assert (rows[-1].label, rows[-1].camera, rows[-1].alarms) == (glance.OTHERS, "", 101 - glance.CAMERAS)


@given(st.lists(SUMS, max_size=60))
def test_heights_stay_in_the_row_on_one_scale(sums: list[Sum]) -> None:
    """More is never lower, one is always seen, and people are never higher than the alarms they are among."""
    cells = sorted((cell.alarms, cell.alarms_px) for row in strip(DAY, sums) for cell in row.cells)

    assert [px for _, px in cells] == sorted(px for _, px in cells)
    for row in strip(DAY, sums):
        for cell in row.cells:
            assert 0 <= cell.people_px <= cell.alarms_px <= ROW_PX
            assert (cell.people_px > 0) == (cell.people > 0)


def test_calendar_has_whole_weeks() -> None:
    """From the Monday before the first to the Sunday after the last."""
    squares = glance.month_squares(datetime.date(2026, 11, 1))

    assert (squares[0], squares[-1]) == (datetime.date(2026, 10, 26), datetime.date(2026, 12, 6))
    assert glance.following(datetime.date(2026, 12, 31)) == datetime.date(2027, 1, 1)
    assert glance.preceding(datetime.date(2026, 1, 31)) == datetime.date(2025, 12, 1)
