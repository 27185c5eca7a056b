"""The state behind the status, and of the cameras: who is missed, who is back, whose failure it was."""

from __future__ import annotations

from dataclasses import replace

from camalert.config import schema as config
from camalert.identity import ESTABLISHED_MAILS
from camalert.ipc.messages import Counted
from camalert.status.model import DAY_S, CameraStatus, ChildStatus, MailActivity, Status
from camalert.status.text import summary
from camalert.status.tracker import (
    FORGET_DAYS,
    MAX_CAMERAS,
    MAX_PER_ADDRESS,
    MAX_REPORTED,
    MESSAGE_CHARS,
    AddressChange,
    CameraTracker,
    Forgotten,
    Silence,
    StatusTracker,
)

START = Status("1.0", 7, written_utc=0, started_utc=0, state="starting", since_utc=0)


def make_status_tracker() -> StatusTracker:
    """Start at monotonic time 0."""
    return StatusTracker(START, config.Status(silent_days=3), (), 0.0)


def test_statustracker_cameras_are_known_again_after_a_restart() -> None:
    """What is told of cameras is shown, missed, and taken over by the next run."""
    before = make_status_tracker()
    before.cameras.mailed("garage", "10.0.0.5", 1, 0.0)
    before.cameras.failed("garage", "10.0.0.5", "wrong password", 10.0)
    old = before.render(DAY_S, 100 * DAY_S)
    tracker = make_status_tracker()

    tracker.cameras.restore(old.cameras, 0.0, 100 * DAY_S)
    tracker.cameras.restore([CameraStatus("gate", 96 * DAY_S, 96 * DAY_S)], 0.0, 100 * DAY_S)

    assert [(camera.name, camera.last_failure) for camera in old.cameras] == [("garage", "wrong password")]
    assert tracker.cameras.new_silences(0.0) == [Silence("gate", 4.0)]
    assert tracker.cameras.mailed("gate", "10.0.0.6", 1, 0.0) == Silence("gate", 4.0, has_ended=True)
    assert [camera.name for camera in tracker.render(0.0, 100 * DAY_S).cameras] == ["garage", "gate"]


def test_statustracker_what_a_client_did_is_shown_whole_but_cut() -> None:
    """Names and messages come from strangers: their length is bounded, and nothing else is lost."""
    tracker = make_status_tracker()
    heard = MailActivity(0.0, "mail_refused", "10.0.0.5", "garage", "x" * 1000, pictures=2, is_failure=True)

    tracker.activity(heard, 10.0)

    assert tracker.render(20.0, 1020.0).mail_activity == (replace(heard, at_utc=1010.0, message="x" * MESSAGE_CHARS),)


def test_statustracker_figures_and_rates() -> None:
    """Counters count from the start, rates the last minute."""
    tracker = make_status_tracker()
    tracker.stored(3, 0.0)
    tracker.stored(1, 70.0)
    tracker.examined(70.0, is_person=True)
    tracker.examined(70.0, is_failed=True)
    tracker.counted = Counted(5, 42, 3, 2)

    status = tracker.render(71.0, 71.0)

    assert (status.mails, status.pictures, status.examined, status.persons, status.failed) == (2, 4, 2, 1, 1)
    assert (status.pictures_per_minute, status.examined_per_minute) == (1.0, 2.0)
    assert (status.pending, status.alerts_today, status.detections_today) == (5, 42, 3)


def test_statustracker_children_keep_the_time_of_their_state() -> None:
    """Since when a child is what it is stays, however often it is told."""
    tracker = make_status_tracker()
    tracker.child(ChildStatus("smtp", "ready", 9), 10.0)
    tracker.child(ChildStatus("smtp", "ready", 9), 20.0)
    tracker.phase("running", 12.0)

    status = tracker.render(30.0, 1030.0)

    assert status.children == (ChildStatus("smtp", "ready", 9, since_utc=1010.0),)
    assert (status.state, status.since_utc) == ("running", 1012.0)


def test_statustracker_child_that_came_back_unseen_is_new() -> None:
    """Died and ready again between two looks: its time is that of the new process."""
    tracker = make_status_tracker()
    tracker.child(ChildStatus("smtp", "ready", 9), 10.0)
    tracker.child(ChildStatus("smtp", "ready", 10), 20.0)

    assert tracker.render(30.0, 1030.0).children == (ChildStatus("smtp", "ready", 10, since_utc=1020.0),)


def test_statustracker_worker_that_is_to_blame_degrades_the_service() -> None:
    """systemd and the owner read that pictures wait, and why."""
    tracker = make_status_tracker()
    tracker.phase("running", 1.0)
    tracker.examination_problem = "the detector dies"

    assert tracker.render(2.0, 2.0).degraded() == ["cannot examine pictures: the detector dies"]
    tracker.examination_problem = ""
    assert tracker.render(2.0, 2.0).degraded() == []


def test_statustracker_database_that_cannot_be_used_is_told_first() -> None:
    """systemd and the owner read that alarms are turned away, and why, for as long as it lasts."""
    tracker = make_status_tracker()
    tracker.phase("running", 1.0)
    tracker.database_problem = "the disk is full"

    said = summary(tracker.render(2.0, 1002.0))
    tracker.database_problem = ""

    assert said.startswith("Degraded: cannot store alarms: the disk is full; ")
    assert summary(tracker.render(3.0, 1003.0)).startswith("Running")


def make_tracker(*cameras: config.Camera) -> CameraTracker:
    """Open a tracker at monotonic time 0."""
    return CameraTracker(config.Status(silent_days=3), cameras, 0.0)


def show(tracker: CameraTracker, now: float, now_utc: float) -> tuple[CameraStatus, ...]:
    """Return what the status would show."""
    return tracker.render(lambda at: 0.0 if at is None else now_utc - (now - at))


def test_cameratracker_silence_is_told_once_and_its_end_too() -> None:
    """A camera that dies is noticed after the configured days, once, and so is its return."""
    tracker = make_tracker()
    tracker.mailed("garage", "10.0.0.5", 1, 0.0)

    assert tracker.new_silences(2.9 * DAY_S) == []
    assert tracker.new_silences(3 * DAY_S) == [Silence("garage", 3.0)]
    assert tracker.new_silences(4 * DAY_S) == []
    assert tracker.mailed("garage", "10.0.0.5", 1, 5 * DAY_S) == Silence("garage", 5.0, has_ended=True)
    assert not any(camera.is_silent for camera in show(tracker, 5 * DAY_S, 0.0))


def test_cameratracker_configured_camera_is_expected_from_the_start() -> None:
    """A camera that never sent anything since it was configured is silent too, after its own limit."""
    tracker = make_tracker(config.Camera(name="gate", silent_days=1))

    assert tracker.new_silences(DAY_S) == [Silence("gate", 1.0)]


def test_cameratracker_configured_camera_that_was_never_heard_has_no_sign_of_life() -> None:
    """The time since which it is expected is not shown as a sign of life; a failure is one."""
    tracker = make_tracker(config.Camera(name="gate"))

    before = show(tracker, 60.0, 1000.0)[0]
    tracker.failed("gate", "10.0.0.5", "switch SSL off", 70.0)
    after = show(tracker, 80.0, 1020.0)[0]

    assert before.last_seen_utc == 0.0
    assert after.last_seen_utc == 1010.0


def test_cameratracker_stranger_that_only_failed_is_not_missed() -> None:
    """A laptop that once tried a connection raises no alarm by staying away."""
    tracker = make_tracker()
    tracker.failed("", "10.0.0.77", "refused: not in the local network", 0.0)

    assert tracker.new_silences(30 * DAY_S) == []


def test_cameratracker_failure_of_a_known_address_is_its_cameras() -> None:
    """A session that ended before the camera said its name is still put down to it."""
    tracker = make_tracker()
    tracker.mailed("garage", "10.0.0.5", 1, 0.0)

    tracker.failed("", "10.0.0.5", "TLS handshake failed", 10.0)

    (camera,) = show(tracker, 10.0, 1000.0)
    assert (camera.name, camera.last_failure, camera.last_failure_utc) == ("garage", "TLS handshake failed", 1000.0)
    assert camera.last_mail_utc == 990.0


def test_cameratracker_recorder_with_many_cameras_keeps_its_address_apart() -> None:
    """A recorder's failed session is put down to its address, not to any one of its cameras."""
    tracker = make_tracker()
    tracker.mailed("front", "10.0.0.9", 1, 0.0)
    tracker.mailed("back", "10.0.0.9", 1, 0.0)

    tracker.failed("", "10.0.0.9", "wrong password", 1.0)

    failures = {camera.name: camera.failures for camera in show(tracker, 1.0, 1.0)}
    assert failures == {"front": 0, "back": 0, "10.0.0.9": 1}


def test_cameratracker_restore_goes_on_counting_the_silence() -> None:
    """A restart does not give a dead camera another three days."""
    before = make_tracker()
    before.mailed("garage", "10.0.0.5", 1, 0.0)
    old = show(before, 2 * DAY_S, 100 * DAY_S)
    tracker = make_tracker()

    tracker.restore(old, 0.0, 100 * DAY_S)

    assert tracker.new_silences(0.9 * DAY_S) == []
    assert [news.camera for news in tracker.new_silences(1.1 * DAY_S)] == ["garage"]


def test_cameratracker_restore_with_a_clock_set_back_is_harmless() -> None:
    """A machine without a clock of its own does not invent silences."""
    before = make_tracker()
    before.mailed("garage", "10.0.0.5", 1, 0.0)
    tracker = make_tracker()

    tracker.restore(show(before, 0.0, 1000 * DAY_S), 0.0, 1.0)

    assert tracker.new_silences(DAY_S) == []


def test_cameratracker_what_the_database_remembers_counts_after_a_reboot() -> None:
    """A camera that died before a reboot is missed; one that was heard in this run is not made older."""
    tracker = make_tracker()
    tracker.mailed("gate", "10.0.0.5", 1, 10.0)

    for name, age_s in (("garage", 4 * DAY_S), ("gate", 5 * DAY_S), ("gone", 400 * DAY_S)):
        heard_utc = 1000 * DAY_S - age_s
        tracker.restore([CameraStatus(name, heard_utc, heard_utc, heard_utc)], 20.0, 1000 * DAY_S)

    assert [news.camera for news in tracker.new_silences(30.0)] == ["garage"]
    assert [camera.name for camera in show(tracker, 30.0, 30.0)] == ["gate", "garage"]


def test_cameratracker_invented_cameras_stay_within_memory() -> None:
    """A client that invents names cannot fill the memory, nor push a configured camera out."""
    tracker = make_tracker(config.Camera(name="gate"))

    for number in range(MAX_CAMERAS * 3):
        tracker.mailed(f"c{number}", f"10.0.0.{number // 8}", 1, float(number))

    names = {camera.name for camera in show(tracker, 1e6, 1e6)}
    assert len(names) == MAX_CAMERAS
    assert "gate" in names


# --- silence can be ended ---------------------------------------------------------------------------------------------


def test_cameratracker_silence_that_does_not_count_any_more_ends_by_reload_and_restart() -> None:
    """With `silent_days = 0` nobody is silent, at once; a longer limit too takes a silence back."""
    tracker = make_tracker()
    tracker.mailed("garage", "10.0.0.5", 1, 0.0)
    tracker.new_silences(4 * DAY_S)
    before = show(tracker, 4 * DAY_S, 100 * DAY_S)
    assert before[0].is_silent

    for days in (0, 5):
        restarted = CameraTracker(config.Status(silent_days=days), (), 0.0)
        restarted.restore(before, 0.0, 100 * DAY_S)
        assert not show(restarted, 0.0, 0.0)[0].is_silent
        assert restarted.new_silences(0.0) == []
    tracker.expect(config.Status(silent_days=0), (), 4 * DAY_S)

    assert not show(tracker, 4 * DAY_S, 0.0)[0].is_silent
    assert tracker.new_silences(20 * DAY_S) == []


def test_cameratracker_forgotten_camera_is_missed_no_more() -> None:
    """A camera that was sold goes when its owner says so; a configured one goes with its block only."""
    tracker = make_tracker(config.Camera(name="gate"))
    tracker.mailed("Garage", "10.0.0.5", 1, 0.0)

    assert not tracker.forget("garage", -1.0), "it was seen since then"
    assert tracker.forget(" garage ", 0.0)
    assert not tracker.forget("gate", 0.0)
    assert not tracker.forget("nobody", 0.0)
    assert [camera.name for camera in show(tracker, 0.0, 0.0)] == ["gate"]


def test_cameratracker_renamed_camera_keeps_what_is_known_of_it() -> None:
    """The status shows the new name, for notes as well that still have the old one; a configured name stays."""
    tracker = make_tracker(config.Camera(name="gate"))
    tracker.mailed("IPC 3", "10.0.0.5", 1, 0.0)
    tracker.mailed("gate", "10.0.0.6", 1, 0.0)

    assert tracker.learn_renamed({"ipc 3": "Garage", "gate": "Yard"}, is_first=True) == [("IPC 3", "Garage")]
    assert tracker.learn_renamed({"ipc 3": "Garage"}, is_first=True) == []
    tracker.mailed("ipc 3", "10.0.0.5", 1, 5.0)

    assert [(camera.name, camera.mails) for camera in show(tracker, 5.0, 5.0)] == [("gate", 1), ("Garage", 2)]


def test_cameratracker_merged_cameras_are_one() -> None:
    """What was seen last counts, mails add up, and neither's address is reported as a stranger's."""
    tracker = make_tracker()
    tracker.mailed("a", "10.0.0.5", 1, 0.0)
    tracker.mailed("b", "10.0.0.6", 0, 0.0)
    tracker.failed("b", "10.0.0.6", "refused", 4.0)
    tracker.learn_renamed({"b": "a"}, is_first=True)

    [camera] = show(tracker, 5.0, 5.0)
    assert (camera.name, camera.mails, camera.failures, camera.last_failure) == ("a", 2, 1, "refused")
    assert camera.last_picture_utc == 0.0
    assert camera.last_seen_utc == 4.0
    assert not isinstance(tracker.mailed("b", "10.0.0.6", 1, 8 * DAY_S), AddressChange)


def test_cameratracker_restored_camera_has_its_present_name() -> None:
    """A camera was renamed while the service was down: its old status is the new name's."""
    tracker = make_tracker()
    tracker.learn_renamed({"ipc 3": "Garage"}, is_first=True)
    tracker.restore([CameraStatus("IPC 3", 1.0, 1.0)], 10.0, 10.0)

    assert [camera.name for camera in show(tracker, 10.0, 10.0)] == ["Garage"]


def test_cameratracker_camera_nobody_configured_is_forgotten_by_itself() -> None:
    """A silence has an end: after a month it is said that the camera is gone, once; a configured one is missed on."""
    tracker = make_tracker(config.Camera(name="gate"))
    tracker.mailed("garage", "10.0.0.5", 1, 0.0)
    tracker.failed("", "10.0.0.77", "refused", 0.0)
    tracker.new_silences(FORGET_DAYS * DAY_S)

    assert tracker.new_silences((FORGET_DAYS + 1) * DAY_S) == [Forgotten("garage", FORGET_DAYS + 1)]
    assert [camera.name for camera in show(tracker, 40 * DAY_S, 0.0)] == ["gate"]


def test_cameratracker_names_are_the_same_however_they_are_written() -> None:
    """What the configuration calls garage and the mails Garage is one camera, with one silence."""
    tracker = make_tracker(config.Camera(name="garage", silent_days=5))
    tracker.mailed(" Garage", "10.0.0.5", 1, 0.0)

    assert tracker.new_silences(4 * DAY_S) == []
    assert tracker.new_silences(5 * DAY_S) == [Silence("garage", 5.0)]
    assert len(show(tracker, 0.0, 0.0)) == 1


# --- silence cannot be faked ------------------------------------------------------------------------------------------


def settled(days: float = 10.0) -> CameraTracker:
    """Open a tracker in which garage has mailed from its address for some days."""
    tracker = make_tracker()
    for day in range(int(days) + 1):
        assert tracker.mailed("garage", "10.0.0.5", 1, day * DAY_S) is None
    return tracker


def test_cameratracker_mail_from_another_address_is_told_and_is_no_sign_of_life() -> None:
    """Whoever cut the camera off and mails under its name does not hide its silence, and is named, once."""
    tracker = settled()

    told = [tracker.mailed("garage", "10.0.0.66", 1, (10 + hours / 24) * DAY_S) for hours in range(1, 40)]

    assert told[0] == AddressChange("garage", "10.0.0.66", "10.0.0.5", 10 + 1 / 24)
    assert "from 10.0.0.66; for 10 days this camera was at 10.0.0.5" in str(getattr(told[0], "message", ""))
    assert set(told[1:]) == {None}
    (camera,) = show(tracker, 12 * DAY_S, 12 * DAY_S)
    assert (camera.address, camera.other_address) == ("10.0.0.5", "10.0.0.66")
    assert camera.last_seen_utc == 10 * DAY_S
    assert camera.last_mail_utc > 11 * DAY_S


def test_cameratracker_silence_is_not_ended_from_another_address_without_a_word() -> None:
    """A silent camera stays silent, and the word about the other address is the only one."""
    tracker = settled()
    assert tracker.new_silences(14 * DAY_S) == [Silence("garage", 4.0)]

    assert isinstance(tracker.mailed("garage", "10.0.0.66", 1, 14 * DAY_S), AddressChange)

    assert show(tracker, 14 * DAY_S, 0.0)[0].is_silent


def test_cameratracker_camera_that_moved_is_itself_again_after_some_days() -> None:
    """Another address that alone has the name for two days is the camera's: before it counts as silent."""
    tracker = settled()
    news = [tracker.mailed("garage", "10.0.0.6", 1, (10 + half / 2) * DAY_S) for half in range(1, 20)]
    silences = [tracker.new_silences((10 + half / 2) * DAY_S) for half in range(1, 20)]

    assert [type(one) for one in news if one] == [AddressChange]
    assert not any(silences)
    assert show(tracker, 20 * DAY_S, 0.0)[0].address == "10.0.0.6"
    assert show(tracker, 20 * DAY_S, 0.0)[0].other_address == ""


def test_cameratracker_name_that_two_addresses_use_stays_the_first_ones() -> None:
    """While the camera itself is heard, nobody else becomes it, however long he uses its name."""
    tracker = settled()
    for half in range(1, 60):
        tracker.mailed("garage", "10.0.0.66", 1, (10 + half / 2) * DAY_S)
        tracker.mailed("garage", "10.0.0.5", 1, (10 + half / 2) * DAY_S + 60)

    assert show(tracker, 40 * DAY_S, 0.0)[0].address == "10.0.0.5"


def test_cameratracker_camera_that_is_being_set_up_may_move() -> None:
    """In the first week a new address is worth no word."""
    tracker = make_tracker()

    assert [tracker.mailed("garage", f"10.0.0.{number}", 1, number * DAY_S) for number in range(6)] == [None] * 6
    assert show(tracker, 0.0, 0.0)[0].address == "10.0.0.5"


def test_cameratracker_lines_about_other_addresses_are_bounded() -> None:
    """A stranger with many addresses fills neither the log nor the memory."""
    tracker = settled()

    told = [tracker.mailed("garage", f"10.0.1.{number}", 1, 10.5 * DAY_S) for number in range(100)]

    assert len([one for one in told if one]) == MAX_REPORTED


def test_cameratracker_restart_keeps_address_last_picture_and_failure() -> None:
    """After a restart the status says what it said before: no "never", and no forgotten address."""
    tracker = settled()
    tracker.mailed("garage", "10.0.0.66", 1, 10.5 * DAY_S)
    tracker.failed("garage", "10.0.0.5", "wrong password", 10.6 * DAY_S)
    before = show(tracker, 11 * DAY_S, 100 * DAY_S)
    after = make_tracker()

    after.restore(before, 5.0, 100 * DAY_S)

    (old,), (new,) = before, show(after, 5.0, 100 * DAY_S)
    assert old.last_picture_utc == new.last_picture_utc > 0
    assert (new.last_failure, new.last_failure_utc) == (old.last_failure, old.last_failure_utc)
    assert (new.address, new.other_address, new.mails) == (old.address, old.other_address, old.mails)
    assert after.mailed("garage", "10.0.0.66", 1, 60.0) is None


# --- strangers' names -------------------------------------------------------------------------------------------------


def test_cameratracker_established_camera_gives_way_to_no_newcomer() -> None:
    """However many names are invented, from whatever addresses, a camera with twenty mails is missed when it dies."""
    tracker = make_tracker()
    for number in range(ESTABLISHED_MAILS):
        tracker.mailed("garage", "10.0.0.5", 1, float(number))

    for number in range(3 * MAX_CAMERAS):
        tracker.mailed(f"c{number}", f"10.0.{number % 250}.6", 1, 100.0 + number)

    assert "garage" in {camera.name for camera in show(tracker, 1e4, 1e4)}
    assert "garage" in {news.camera for news in tracker.new_silences(4 * DAY_S)}


def test_cameratracker_names_of_one_address_push_out_its_own_only() -> None:
    """A young camera is safe from a stranger who invents names at one address."""
    tracker = make_tracker()
    tracker.mailed("garage", "10.0.0.5", 1, 0.0)

    for number in range(3 * MAX_CAMERAS):
        tracker.mailed(f"c{number}", "10.0.0.6", 1, 1.0 + number)

    names = {camera.name for camera in show(tracker, 1e4, 1e4)}
    assert "garage" in names
    assert len(names) == MAX_PER_ADDRESS + 1


def test_cameratracker_full_of_established_cameras_takes_no_newcomer() -> None:
    """When every place is a camera's that sent twenty mails, a newcomer is not watched and nobody is pushed out."""
    tracker = make_tracker()
    for number in range(MAX_CAMERAS):
        for _ in range(ESTABLISHED_MAILS):
            tracker.mailed(f"c{number}", f"10.0.{number}.5", 1, 0.0)

    assert tracker.mailed("late", "10.1.0.1", 1, 1.0) is None
    assert "late" not in {camera.name for camera in show(tracker, 1.0, 1.0)}
    assert len(show(tracker, 1.0, 1.0)) == MAX_CAMERAS


def test_clock_that_is_off_is_told_once() -> None:
    """And when it has changed, at most once a day; not again after a restart; mails may come a little late."""
    tracker = CameraTracker(config.Status(), (), 0.0)
    tracker.mailed("Garage", "10.0.0.5", 1, 0.0)
    mails = ((-18_120, 0.0), (-18_100, 9.0), (60, 10.0), (7300, 11.0), (-18_100, 2 * DAY_S), (7300, 3 * DAY_S))

    told = [tracker.timed("garage", "10.0.0.5", off_s, now) for off_s, now in mails]

    assert [bool(news) for news in told] == [True, False, False, False, False, True]
    assert told[0] is not None
    assert "5 h 2 min behind" in told[0].message
    assert [tracker.timed("garage", "", off_s, 9 * DAY_S) for off_s in (-1700, 119)] == [None, None]
    tracker.timed("garage", "", 7300, 9 * DAY_S)
    restarted = CameraTracker(config.Status(), (), 0.0)
    restarted.restore(tracker.render(lambda at: 1e9 + (at or 0.0)), 0.0, 1e9)
    assert restarted.timed("Garage", "10.0.0.5", 7300, 0.0) is None
    assert restarted.render(lambda at: at or 0.0)[0].clock == "2 h 1 min ahead"
    assert restarted.timed("nobody", "10.0.0.9", 7300, 0.0) is None
