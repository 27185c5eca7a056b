"""The outbox: what is told, to whom, once; and what becomes of it."""

from __future__ import annotations

import datetime
import itertools
import json
import sqlite3
from collections.abc import Iterator

import pytest

from camalert.config import hours
from camalert.config.schema import Config, Visits
from camalert.ipc.messages import Outcome
from camalert.ipc.records import FrameRecord, MailRecord, PersonRecord, PictureRecord, SwitchRecord, ToldRecord
from camalert.notify import outbox as reading
from camalert.store.rows import outbox, switches, visits
from camalert.store.rows.alerts import Intake, Rules, conclude
from camalert.store.sqlite import schema
from camalert.store.verdict import Verdict
from camalert.visits.policy import Event, Switches, Target

NOW = 1_782_900_000.0
GAP_S = 90.0
PICTURE = b"\xff\xd8 a picture \xff\xd9"
PHONE = Target("phone", frozenset({"visit", "better", "over"}), give_up_s=3600)
HOUSE = Target("house", frozenset({"visit"}), cameras=("door",))


class House:
    """A database that gets pictures with people."""

    def __init__(self, *targets: Target) -> None:
        self.targets = targets or (PHONE,)
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        schema.prepare(self.db, schema.Limits(1000, 1000), NOW)
        self._intake = Intake(Config())
        self._numbers = itertools.count(1)

    def sees(
        self, at_s: float, score: float = 0.8, camera: str = "Garage", kinds: tuple[str, ...] = ("person",)
    ) -> int:
        """Let a picture with a person come and be examined; return its alert."""
        record = MailRecord(NOW + at_s, camera=camera, peer="10.0.0.5", pictures=(PictureRecord(0, 9, "jpeg"),))
        kept = self._intake.store(self.db, next(self._numbers).to_bytes(16, "big"), record, memoryview(PICTURE))
        people = tuple(PersonRecord(1, 2, 3, 4, score, kind) for kind in kinds)
        car = PersonRecord(5, 6, 7, 8, 0.6, "car")
        found = FrameRecord(kept.first_id, camera=camera, best_score=score, people=people, others=(car,))
        verdict = Verdict(kept.first_id, Outcome.PERSON, record=found, annotated=b"marked")
        conclude(self.db, verdict, NOW + at_s, Rules("utc", Visits(GAP_S), self.targets))
        return kept.first_id

    def rows(self, columns: str = "target, event, state, reason") -> list[tuple[object, ...]]:
        return self.db.execute(f"SELECT {columns} FROM camalert_outbox ORDER BY id").fetchall()

    def reports(self, code: str, at_s: float, *, own: int = 1, tries: int = 0, wait_s: float = 0.0) -> object:
        told = ToldRecord(own, code, NOW + at_s, tries, wait_s, "because")
        return outbox.take(self.db, told, self.targets, NOW + at_s, 0.0)


@pytest.fixture
def house() -> Iterator[House]:
    found = House()
    yield found
    found.db.close()


def test_burst_of_two_hundred_pictures_is_one_message(house: House) -> None:
    """And the row has what the message is made of."""
    first = house.sees(0)
    for number in range(1, 200):
        house.sees(number)

    assert house.rows() == [("phone", "visit", "waiting", "")]
    [row] = reading.due(house.db, "phone", NOW + 300, frozenset())
    assert (row.camera, row.alert, row.pictures, row.visit) == ("Garage", first, 200, 1)
    assert row.boxes[0]["width"] == 3
    assert reading.picture(house.db, first, 1000) == b"marked"


def test_visit_of_another_time_and_another_camera_are_told_too(house: House) -> None:
    """Each by itself."""
    house.sees(0)
    house.sees(0, camera="Door")
    house.sees(1000)

    assert house.rows("camera, event") == [("Garage", "visit"), ("Door", "visit"), ("Garage", "visit")]


def test_clearly_better_picture_is_told_once(house: House) -> None:
    """One that is a little better is not worth a message."""
    for at_s, score in ((0, 0.5), (5, 0.6), (10, 0.7), (15, 0.99)):
        house.sees(at_s, score)

    assert house.rows("event, score") == [("visit", 0.5), ("better", 0.7)]


def test_visit_is_told_with_the_first_picture_that_is_sure_enough(house: House) -> None:
    """Somebody comes into the picture at its edge; until then the reason is kept, and each target has its own limit."""
    house.targets = (PHONE, Target("strict", frozenset({"visit", "better"}), min_score=0.7))
    house.sees(0, 0.5)
    house.sees(5, 0.6)
    assert house.rows()[1:] == [("strict", "visit", "silent", "score 0.50 below 0.70")]

    sure = house.sees(10, 0.8)
    house.sees(15, 0.9)

    assert house.rows("target, event, state, alert") == [
        ("phone", "visit", "waiting", 1),
        ("strict", "visit", "waiting", sure),
        ("phone", "better", "waiting", sure),
    ]


def test_visit_that_was_not_told_for_another_reason_stays_untold(house: House) -> None:
    """A surer picture arms nothing."""
    switches.put(house.db, SwitchRecord("armed", "", "off"), NOW)
    house.sees(0, 0.5)
    switches.put(house.db, SwitchRecord("armed", "", "on"), NOW)

    house.sees(5, 0.6)

    assert house.rows() == [("phone", "visit", "silent", "disarmed")]


def test_visit_that_is_over_is_told_with_its_length(house: House) -> None:
    """Once nothing has come for a while."""
    house.sees(0)
    house.sees(60)

    visits.keep_up(house.db, Visits(GAP_S), "utc", NOW + 100, house.targets)
    assert house.rows("event") == [("visit",)]
    visits.keep_up(house.db, Visits(GAP_S), "utc", NOW + 200, house.targets)
    visits.keep_up(house.db, Visits(GAP_S), "utc", NOW + 300, house.targets)

    assert house.rows("event") == [("visit",), ("over",)]
    row = reading.due(house.db, "phone", NOW + 300, frozenset())[1]
    assert (row.pictures, row.last_utc - row.began_utc) == (2, 60)


def test_who_is_not_told_has_the_reason(house: House) -> None:
    """Of each target its own."""
    house.targets = (PHONE, HOUSE)
    switches.put(house.db, SwitchRecord("snooze", "garage", until_utc=NOW + 60, by="anna"), NOW)

    house.sees(0)

    reasons = {target: reason for target, _, state, reason in house.rows() if state == "silent"}
    assert str(reasons["phone"]).startswith("snoozed by anna until")
    assert reasons["house"] == "camera Garage is none of door"
    assert reading.due(house.db, "phone", NOW + 1, frozenset()) == []


def test_cooldown_begins_with_a_message_that_was_sent(house: House) -> None:
    """One that failed starts none."""
    house.targets = (Target("phone", frozenset({"visit"}), cooldown_s=3600),)
    house.sees(0)
    house.sees(1000)
    assert [row[2] for row in house.rows()] == ["waiting", "waiting"]
    house.reports("sent", 1001)

    house.sees(2000)

    assert str(house.rows()[2][3]).startswith("cool-down until")


def test_report_is_written_once_however_often_it_comes(house: House) -> None:
    """The notifier says it until it sees it."""
    house.sees(0)

    assert house.reports("retry", 1) == ("phone", "waiting")
    assert house.reports("retry", 1) is None
    assert house.rows("tries, state, reason, due_utc") == [(1, "waiting", "because", NOW + 11)]
    assert house.reports("sent", 20, tries=1) == ("phone", "sent")
    assert house.reports("retry", 21, tries=2) is None
    assert house.rows("state, sent_utc") == [("sent", NOW + 20)]


def test_receiver_that_asks_for_longer_than_is_tried_is_given_up(house: House) -> None:
    """And the next message knows of it."""
    house.sees(0)
    house.reports("retry", 1, wait_s=7200)
    house.sees(1000)

    assert [row[2] for row in house.rows()] == ["given_up", "waiting"]
    lost = reading.lost(house.db, "phone")
    assert lost is not None
    assert (lost.count, lost.first_utc) == (1, NOW)
    house.reports("sent", 1001, own=2)
    assert reading.lost(house.db, "phone") is None


def test_id_of_a_message_stays_and_is_no_earlier_databases(house: House) -> None:
    """A mail provider drops a mail whose id it has had: the first visit of a new database is another message."""
    house.sees(0)
    house.reports("retry", 1)
    ids = [reading.due(house.db, "phone", NOW + at_s, frozenset())[0].key for at_s in (60, 600)]
    later = House()
    later.sees(86_400)

    [row] = reading.due(later.db, "phone", NOW + 86_400, frozenset())
    assert ids[0] == ids[1] != row.key
    assert later.rows("key") == house.rows("key")
    later.db.close()


def test_outbox_is_bounded_and_what_waits_stays_longer(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what waits for a target that is no more."""
    monkeypatch.setattr(outbox, "ROWS_KEPT", 10)
    monkeypatch.setattr(outbox, "WAITING_KEPT", 5)
    for number in range(1, 31):
        outbox.tell(house.db, [Event("visit", "x", NOW, number)], [PHONE, HOUSE], NOW)

    outbox.keep_up(house.db, [PHONE], NOW)

    states = dict(house.db.execute("SELECT state, count(*) FROM camalert_outbox GROUP BY state").fetchall())
    assert states["waiting"] == 5
    assert sum(states.values()) <= 15
    assert outbox.keep_up(house.db, [PHONE], NOW) == 0
    outbox.keep_up(house.db, [], NOW)
    assert house.db.execute("SELECT count(*) FROM camalert_outbox WHERE state = 'waiting'").fetchone() == (0,)


def test_state_of_a_camera_is_of_its_latest_visit_and_of_today(house: House) -> None:
    """However its name is written; people are counted by visit."""
    house.sees(-90_000, 0.9)
    house.sees(0, 0.5)
    house.sees(1000, 0.6, camera="garage")

    [state] = reading.camera_states(house.db, ["Garage"], NOW - 100, Switches(), NOW + 1000)

    assert (state.name, state.score, state.visits_today, state.people_today) == ("Garage", 0.6, 2, 2)
    assert state.last_seen_utc == NOW + 1000


def test_devices_are_bounded_and_for_cameras_with_visits(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name alone makes none."""
    monkeypatch.setattr(reading, "MOST_CAMERAS", 3)
    for number in range(5):
        house.sees(number, camera=f"x{number}")

    found = reading.camera_states(house.db, ["X4", "door"], NOW - 3600, Switches(), NOW + 10)

    assert [state.name for state in found] == ["X4", "x3", "x2"]
    assert found[0].is_person
    assert found[0].visits_today == 1


def test_digest_is_decided_once_and_says_what_was_seen(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over restarts and when the table is full; false alarms are counted and not shown."""
    monkeypatch.setattr(outbox, "ROWS_KEPT", 3)
    day = Target("mail", frozenset({"digest"}), cameras=("ga*",), digest_at=hours.parse_times("20:00"))
    eight = datetime.datetime.fromtimestamp(NOW, datetime.UTC).replace(hour=20, minute=0, second=0).timestamp()
    away_s = eight - NOW
    house.sees(away_s - 4000, 0.9)
    house.sees(away_s - 3000, 0.7)
    house.sees(away_s - 2000, camera="Door")
    house.sees(away_s + 30)
    house.db.execute("UPDATE camalert_alert SET mark = 'not a person' WHERE alert_id = 1")
    house.db.execute("DELETE FROM camalert_outbox")

    counts = [outbox.tell_digests(house.db, [day], eight + after_s, datetime.UTC) for after_s in (59, 61, 62, 3600)]

    assert counts == [0, 1, 0, 0]
    assert house.rows("target, event, state, at_utc, since_utc") == [
        ("mail", "digest", "waiting", eight, eight - 86_400)
    ]
    rows = reading.due(house.db, "mail", eight + 100, frozenset())
    found = reading.digest_of(house.db, rows, day, ["Door", "Gazebo"])
    assert [(line.camera, line.visits) for line in found.lines] == [("Garage", 2)]
    assert [visit.best_alert for visit in found.best] == [2]
    assert (found.false_alarms, found.silent) == (1, ("Gazebo",))
    house.db.execute("UPDATE camalert_outbox SET state = 'sent'")
    for number in range(1, 20):
        outbox.tell(house.db, [Event("visit", "x", NOW, number)], [HOUSE], eight)
    outbox.keep_up(house.db, [], eight + 3600)
    assert outbox.tell_digests(house.db, [day], eight + 3601, datetime.UTC) == 0


def test_digest_comes_with_its_owner(house: House) -> None:
    """Away at noon, home at six; presence that is said twice began with the first time."""
    home = Target("phone", frozenset({"digest"}), digest_at=hours.parse_times("home"))
    switches.put(house.db, SwitchRecord("presence", "", "home"), NOW)
    assert outbox.tell_digests(house.db, [home], NOW + 1) == 1  # of the day before, in which nobody came
    for at_s, value in ((100, "away"), (5000, "away"), (9000, "home"), (9100, "home")):
        switches.put(house.db, SwitchRecord("presence", "", value), NOW + at_s)
        house.sees(at_s + 10)

    assert [outbox.tell_digests(house.db, [home], NOW + at_s) for at_s in (9101, 9102)] == [1, 0]

    assert house.rows("state, reason, since_utc, at_utc")[0] == (
        "silent",
        "nobody was seen meanwhile",
        NOW - 86_400,
        NOW,
    )
    [row] = [row for row in house.rows("event, state, since_utc, at_utc") if row[0] == "digest" and row[1] == "waiting"]
    assert row[2:] == (NOW + 100, NOW + 9000)


def test_message_and_state_tell_a_dog_from_a_person(house: House) -> None:
    """Whoever asks for dogs is told of a dog, and the switch for people stays off."""
    house.sees(0, kinds=("dog",))
    row = reading.due(house.db, "phone", NOW + 5, frozenset())[0]
    (dogs,) = reading.camera_states(house.db, [], NOW - 3600, Switches(), NOW + 10)

    assert (row.objects, row.people) == ("dog", 0)
    assert (dogs.is_person, dogs.last_seen_utc, dogs.objects, dogs.visits_today) == (False, None, "dog", 1)

    house.sees(20, kinds=("person", "person", "dog"))
    (both,) = reading.camera_states(house.db, [], NOW - 3600, Switches(), NOW + 30)

    assert (both.is_person, both.last_seen_utc, both.objects) == (True, NOW + 20, "person,dog")
    assert house.db.execute("SELECT people, objects FROM camalert_visit").fetchall() == [(2, "person,dog")]


def test_what_else_was_seen_is_kept_beside_what_counts(house: House) -> None:
    """A car that nobody asked for is in the alarm's row, and no visit's."""
    house.sees(0)

    ((objects, others),) = house.db.execute("SELECT objects, others FROM camalert_alert").fetchall()
    assert objects == "person"
    assert [thing["kind"] for thing in json.loads(others)] == ["car"]
    assert house.db.execute("SELECT objects FROM camalert_visit").fetchall() == [("person",)]
