"""The cameras: who is missed, who is back, whose failure it was."""

from __future__ import annotations

from camalert import config
from camalert.camerabook import MAX_CAMERAS, CameraBook, Silence
from camalert.status import DAY_S, CameraStatus


def make_book(*cameras: config.Camera) -> CameraBook:
    """Open a book at monotonic time 0."""
    return CameraBook(config.Status(silent_days=3), cameras, 0.0)


def show(book: CameraBook, now: float, now_utc: float) -> tuple[CameraStatus, ...]:
    """Return what the status would show."""
    return book.render(lambda at: 0.0 if at is None else now_utc - (now - at))


def test_camerabook_silence_is_told_once_and_its_end_too() -> None:
    """A camera that dies is noticed after the configured days, once, and so is its return."""
    book = make_book()
    book.mailed("garage", "10.0.0.5", 1, 0.0)

    assert book.new_silences(2.9 * DAY_S) == []
    assert book.new_silences(3 * DAY_S) == [Silence("garage", 3.0)]
    assert book.new_silences(4 * DAY_S) == []
    assert book.mailed("garage", "10.0.0.5", 1, 5 * DAY_S) == Silence("garage", 5.0, has_ended=True)
    assert not any(camera.is_silent for camera in show(book, 5 * DAY_S, 0.0))


def test_camerabook_configured_camera_is_expected_from_the_start() -> None:
    """A camera that never sent anything since it was configured is silent too, after its own limit."""
    book = make_book(config.Camera(name="gate", silent_days=1))

    assert book.new_silences(DAY_S) == [Silence("gate", 1.0)]


def test_camerabook_configured_camera_that_was_never_heard_has_no_sign_of_life() -> None:
    """The time since which it is expected is not shown as a sign of life; a failure is one."""
    book = make_book(config.Camera(name="gate"))

    before = show(book, 60.0, 1000.0)[0]
    book.failed("gate", "10.0.0.5", "switch SSL off", 70.0)
    after = show(book, 80.0, 1020.0)[0]

    assert before.last_sign_utc == 0.0
    assert after.last_sign_utc == 1010.0


def test_camerabook_stranger_that_only_failed_is_not_missed() -> None:
    """A laptop that once tried a connection raises no alarm by staying away."""
    book = make_book()
    book.failed("", "10.0.0.77", "refused: not in the local network", 0.0)

    assert book.new_silences(30 * DAY_S) == []


def test_camerabook_failure_of_a_known_address_is_its_cameras() -> None:
    """A session that ended before the camera said its name is still put down to it."""
    book = make_book()
    book.mailed("garage", "10.0.0.5", 1, 0.0)

    book.failed("", "10.0.0.5", "TLS handshake failed", 10.0)

    (camera,) = show(book, 10.0, 1000.0)
    assert (camera.name, camera.last_failure, camera.last_failure_utc) == ("garage", "TLS handshake failed", 1000.0)
    assert camera.last_mail_utc == 990.0


def test_camerabook_recorder_with_many_cameras_keeps_its_address_apart() -> None:
    """A recorder's failed session is put down to its address, not to any one of its cameras."""
    book = make_book()
    book.mailed("front", "10.0.0.9", 1, 0.0)
    book.mailed("back", "10.0.0.9", 1, 0.0)

    book.failed("", "10.0.0.9", "wrong password", 1.0)

    failures = {camera.name: camera.failures for camera in show(book, 1.0, 1.0)}
    assert failures == {"front": 0, "back": 0, "10.0.0.9": 1}


def test_camerabook_restore_goes_on_counting_the_silence() -> None:
    """A restart does not give a dead camera another three days."""
    before = make_book()
    before.mailed("garage", "10.0.0.5", 1, 0.0)
    old = show(before, 2 * DAY_S, 100 * DAY_S)
    book = make_book()

    book.restore(old, 0.0, 100 * DAY_S)

    assert book.new_silences(0.9 * DAY_S) == []
    assert [silence.camera for silence in book.new_silences(1.1 * DAY_S)] == ["garage"]


def test_camerabook_restore_with_a_clock_set_back_is_harmless() -> None:
    """A machine without a clock of its own does not invent silences."""
    before = make_book()
    before.mailed("garage", "10.0.0.5", 1, 0.0)
    book = make_book()

    book.restore(show(before, 0.0, 1000 * DAY_S), 0.0, 1.0)

    assert book.new_silences(DAY_S) == []


def test_camerabook_what_the_database_remembers_counts_after_a_reboot() -> None:
    """A camera that died before a reboot is missed; one that was heard in this run is not made older."""
    book = make_book()
    book.mailed("gate", "10.0.0.5", 1, 10.0)

    book.seen("garage", 4 * DAY_S, 20.0)
    book.seen("gate", 5 * DAY_S, 20.0)
    book.seen("gone", 400 * DAY_S, 20.0)

    assert [silence.camera for silence in book.new_silences(30.0)] == ["garage"]
    assert [camera.name for camera in show(book, 30.0, 30.0)] == ["gate", "garage"]


def test_camerabook_invented_cameras_stay_within_memory() -> None:
    """A client that invents names cannot fill the memory, nor push a configured camera out."""
    book = make_book(config.Camera(name="gate"))

    for number in range(MAX_CAMERAS * 3):
        book.mailed(f"c{number}", "10.0.0.6", 1, float(number))

    names = {camera.name for camera in show(book, 1e6, 1e6)}
    assert len(names) == MAX_CAMERAS
    assert "gate" in names
