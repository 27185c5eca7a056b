"""Hours of the week as the notifications page paints them."""

from __future__ import annotations

import pytest

pytest.importorskip("django", reason="the site is an extra")

from camalert.review.views.notifications import week_of


def test_hours_become_a_week() -> None:
    """A window over midnight belongs to two days; what begins within an hour cannot be painted."""
    assert week_of("") == "0" * 168
    assert week_of("Mon 22:00-02:00") == "0" * 22 + "11" + "11" + "0" * 142
    assert week_of("Sun").endswith("1" * 24)
    assert week_of("Mon 22:30-23:00") == ""
