"""The books behind the status."""

from __future__ import annotations

from dataclasses import replace

from camalert import config
from camalert.camerabook import Silence
from camalert.status import DAY_S, ChildStatus, Heard, Status, status_words
from camalert.statusbook import WORDS_CHARS, StatusBook

START = Status("1.0", "camalert", 7, written_utc=0, started_utc=0, state="starting", since_utc=0)


def make_book() -> StatusBook:
    """Open books at monotonic time 0."""
    return StatusBook(START, config.Status(silent_days=3), (), 0.0)


def test_statusbook_cameras_are_known_again_after_a_restart() -> None:
    """What is told of cameras is shown, missed, and taken over by the next run."""
    before = make_book()
    before.cameras.mailed("garage", "10.0.0.5", 1, 0.0)
    before.cameras.failed("garage", "10.0.0.5", "wrong password", 10.0)
    old = before.render(DAY_S, 100 * DAY_S)
    book = make_book()

    book.cameras.restore(old.cameras, 0.0, 100 * DAY_S)
    book.cameras.seen("gate", 4 * DAY_S, 0.0)

    assert [(camera.name, camera.last_failure) for camera in old.cameras] == [("garage", "wrong password")]
    assert book.cameras.new_silences(0.0) == [Silence("gate", 4.0)]
    assert book.cameras.mailed("gate", "10.0.0.6", 1, 0.0) == Silence("gate", 4.0, has_ended=True)
    assert [camera.name for camera in book.render(0.0, 100 * DAY_S).cameras] == ["garage", "gate"]


def test_statusbook_what_a_client_did_is_shown_whole_but_cut() -> None:
    """Names and words come from strangers: their length is bounded, and nothing else is lost."""
    book = make_book()
    heard = Heard(0.0, "mail_refused", "10.0.0.5", "garage", "x" * 1000, pictures=2, is_failure=True)

    book.heard(heard, 10.0)

    assert book.render(20.0, 1020.0).heard == (replace(heard, at_utc=1010.0, words="x" * WORDS_CHARS),)


def test_statusbook_figures_and_rates() -> None:
    """Counters count from the start, rates the last minute."""
    book = make_book()
    book.stored(3, 0.0)
    book.stored(1, 70.0)
    book.examined(70.0, is_person=True)
    book.examined(70.0, is_failed=True)
    book.counted(5, 42, 3)

    status = book.render(71.0, 71.0)

    assert (status.mails, status.pictures, status.examined, status.persons, status.failed) == (2, 4, 2, 1, 1)
    assert (status.pictures_per_minute, status.examined_per_minute) == (1.0, 2.0)
    assert (status.pending, status.alerts_today, status.detections_today) == (5, 42, 3)


def test_statusbook_children_keep_the_time_of_their_state() -> None:
    """Since when a child is what it is stays, however often it is told."""
    book = make_book()
    book.child(ChildStatus("smtp", "ready", 9), 10.0)
    book.child(ChildStatus("smtp", "ready", 9), 20.0)
    book.phase("running", 12.0)

    status = book.render(30.0, 1030.0)

    assert status.children == (ChildStatus("smtp", "ready", 9, since_utc=1010.0),)
    assert (status.state, status.since_utc) == ("running", 1012.0)


def test_statusbook_database_that_cannot_be_used_is_told_first() -> None:
    """systemd and the owner read that alarms are turned away, and why, for as long as it lasts."""
    book = make_book()
    book.phase("running", 1.0)
    book.database("the disk is full")

    words = status_words(book.render(2.0, 1002.0))
    book.database("")

    assert words.startswith("Degraded: no alarm can be stored: the disk is full; ")
    assert status_words(book.render(3.0, 1003.0)).startswith("Running")
