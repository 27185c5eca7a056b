"""The progress line."""

from __future__ import annotations

import io

import pytest

from camalert.cli.progress import Progress, bar, duration


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_without_terminal_is_silent() -> None:
    """A log file or a pipe gets no progress line."""
    stream = io.StringIO()

    with Progress(3, "pictures", stream) as progress:
        progress.advance()

    assert stream.getvalue() == ""


def test_progress_on_terminal_is_drawn_and_taken_away() -> None:
    """The line is there while the work goes on and leaves nothing behind."""
    stream = _Terminal()

    with Progress(3, "pictures", stream) as progress:
        progress.advance()

    assert "0/3 pictures" in stream.getvalue()
    assert stream.getvalue().endswith("\r\x1b[K")


def test_progress_of_unknown_total_begins_with_the_first_report() -> None:
    """Work that learns its size on the way shows nothing before."""
    stream = _Terminal()

    with Progress(0, "pages", stream) as progress:
        before = stream.getvalue()
        progress.reach(10, 20)

    assert before == ""
    assert "10/20 pages" in stream.getvalue()


@pytest.mark.parametrize(
    ("done", "elapsed_s", "line"),
    [
        (0, 1.0, "[........................] 0/40 pictures"),
        (10, 5.0, "[######..................] 10/40 pictures  2.0/s  15 s left"),
        (40, 20.0, "[########################] 40/40 pictures  2.0/s  0 s left"),
    ],
)
def test_bar_shows_count_rate_and_time_left(done: int, elapsed_s: float, line: str) -> None:
    """The line says how far, how fast and how long still."""
    assert bar(done, 40, "pictures", elapsed_s) == line


@pytest.mark.parametrize(("seconds", "words"), [(7.6, "8 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")])
def test_duration_uses_the_two_units_that_matter(seconds: float, words: str) -> None:
    """Nobody wants to read 7500 s."""
    assert duration(seconds) == words
