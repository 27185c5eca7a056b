"""The rows of visits: one verdict at a time, deletions by anybody, rows from before there were visits."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest

from camalert.config.schema import Config, Visits
from camalert.ipc.messages import Outcome
from camalert.ipc.records import FrameRecord, MailRecord, PersonRecord, PictureRecord
from camalert.store.queue import CLIP_BASE
from camalert.store.rows import visits
from camalert.store.rows.alerts import Intake, Rules, conclude
from camalert.store.sqlite import schema, tables
from camalert.store.verdict import Verdict
from camalert.visits.policy import Target

NOW_UTC = 1_782_900_000.0
GAP_S = 90.0
PICTURE = b"\xff\xd8 a picture \xff\xd9"
RULES = Rules("utc", Visits(GAP_S))


class House:
    """A database with mails and verdicts."""

    def __init__(self) -> None:
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        schema.prepare(self.db, schema.Limits(1000, 1000), NOW_UTC)
        self._intake = Intake(Config())
        self._numbers = itertools.count(1)

    def mail(self, at_s: float, camera: str = "garage", *, kind: str = "jpeg", late_s: float = 1.0) -> int:
        """Store a picture or a clip taken `at_s`, and return the id of its examination."""
        record = MailRecord(
            received_utc=NOW_UTC + at_s + late_s, taken_utc=NOW_UTC + at_s, camera=camera, peer="10.0.0.5",
            kind="alarm", pictures=(PictureRecord(0, len(PICTURE), kind, "x"),),
        )  # fmt: skip
        mail_id = next(self._numbers).to_bytes(16, "big")
        return self._intake.store(self.db, mail_id, record, memoryview(PICTURE)).pending[0].alert_id

    def person(self, alert_id: int, score: float = 0.7, people: int = 1, rules: Rules = RULES) -> None:
        """Conclude an examination with people."""
        boxes = (PersonRecord(1, 2, 3, 4, score),) * people
        record = FrameRecord(alert_id, people=boxes, best_score=score, threshold=0.5)
        verdict = Verdict(alert_id, Outcome.PERSON, record=record, annotated=PICTURE, snapshot=PICTURE)
        conclude(self.db, verdict, NOW_UTC + 10_000, rules)

    def nobody(self, alert_id: int) -> None:
        record = FrameRecord(alert_id, best_score=0.1, threshold=0.5)
        conclude(self.db, Verdict(alert_id, Outcome.NOBODY, record=record), NOW_UTC + 10_000, RULES)

    def visits(self, columns: str = "camera, began_utc, last_utc, pictures") -> list[Any]:
        rows = self.db.execute(f"SELECT {columns} FROM camalert_visit ORDER BY began_utc").fetchall()
        return [
            tuple(value - NOW_UTC if isinstance(value, float) and value > 1e9 else value for value in row)
            for row in rows
        ]

    def end(self, now_s: float) -> int:
        return visits.keep_up(self.db, Visits(GAP_S), "utc", NOW_UTC + now_s)


@pytest.fixture
def house() -> Iterator[House]:
    found = House()
    yield found
    found.db.close()


def test_pictures_with_people_of_one_camera_are_one_visit(house: House) -> None:
    """Cameras have visits of their own, whatever the capitals; who was not seen makes none."""
    for at_s, camera in ((0, "Garage"), (30, "door"), (60, "garage "), (120, "GARAGE"), (400, "garage")):
        house.person(house.mail(at_s, camera))
    house.nobody(house.mail(500, "garden"))

    assert house.visits() == [("Garage", 0, 120, 3), ("door", 30, 30, 1), ("garage", 400, 400, 1)]
    assert house.db.execute("SELECT camera, visits FROM camalert_day WHERE visits ORDER BY camera").fetchall() == [
        ("Garage", 1), ("door", 1), ("garage", 1),
    ]  # fmt: skip


def test_late_verdict_makes_one_visit_of_two(house: House) -> None:
    """A picture that is examined last joins by its time, and so does a clip."""
    clip = house.mail(80, kind="mp4")
    first, last = house.mail(0), house.mail(160)
    house.person(last, 0.9, people=2)
    house.person(first, 0.6)
    assert house.visits("pictures") == [(1,), (1,)]

    assert clip >= CLIP_BASE
    house.person(clip, 0.8)

    assert house.visits("began_utc, last_utc, pictures, people, best_alert, best_score") == [(0, 160, 3, 2, last, 0.9)]
    visit = house.visits("id")[0]
    assert house.db.execute("SELECT DISTINCT visit FROM camalert_alert").fetchall() == [visit]
    assert house.db.execute("SELECT sum(visits) FROM camalert_day").fetchone() == (1,)


def test_what_was_told_of_a_visit_goes_with_it_into_another(house: House) -> None:
    """The page of a visit still says who was told, and why not, when it was two."""
    middle, first, last = house.mail(80), house.mail(0), house.mail(160)
    targets = (Target("phone", frozenset({"visit"})), Target("strict", frozenset({"visit"}), min_score=0.99))
    for alert_id in (first, last, middle):
        house.person(alert_id, rules=Rules("utc", Visits(GAP_S), targets))

    [(visit,)] = house.visits("id")
    told = house.db.execute("SELECT visit, target, state FROM camalert_outbox ORDER BY id").fetchall()
    assert told == [(visit, "phone", "waiting"), (visit, "strict", "silent")] * 2


def test_deleted_pictures_leave_their_visit(house: House) -> None:
    """Whoever deletes: the next best picture stands for the visit, its counts stay, and it goes with the last one."""
    alerts = [house.mail(at_s) for at_s in (0, 10, 20)]
    for alert_id, score in zip(alerts, (0.6, 0.9, 0.8), strict=True):
        house.person(alert_id, score)

    house.db.execute("DELETE FROM alerts_detect")
    assert house.visits("pictures, best_alert") == [(3, alerts[1])]
    house.db.execute("DELETE FROM alerts_alert WHERE id = ?", (alerts[0],))
    assert house.visits("pictures, best_alert, best_score") == [(3, alerts[1], 0.9)]
    house.db.execute("DELETE FROM alerts_alert WHERE id = ?", (alerts[1],))
    assert house.visits("pictures, best_alert, best_score") == [(3, alerts[2], 0.8)]
    house.db.execute("DELETE FROM alerts_alert WHERE id = ?", (alerts[2],))
    assert house.visits() == []


def test_visit_is_over_when_nothing_came_and_nothing_waits(house: House) -> None:
    """Not while a picture of the same time waits for its examination; another camera's keeps nobody."""
    waiting, seen = house.mail(30), house.mail(0)
    house.mail(0, "door")
    house.person(seen)

    assert house.end(80) == 0
    assert house.end(500) == 0
    house.nobody(waiting)
    house.mail(400)
    assert house.end(80) == 0
    assert house.end(500) == 1
    assert house.visits("state") == [("over",)]

    house.person(house.mail(60))
    assert house.visits("state, pictures") == [("open", 2)]


def test_visit_of_a_camera_with_a_wrong_clock_is_over_by_our_clock(house: House) -> None:
    """A camera that is hours ahead or behind leaves no visit open for hours, and ends none too early."""
    house.person(house.mail(7200, late_s=-7200))

    assert house.end(80) == 0
    assert house.end(100) == 1


def test_rows_from_before_are_grouped_a_few_at_a_time(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """An upgrade takes no longer for many rows: they join their visits afterwards, and are over."""
    for at_s in (0, 30, 60, 1000, 1030):
        house.person(house.mail(at_s), 0.5 + at_s / 10_000)
    whole = house.visits("camera, began_utc, last_utc, pictures, people, best_alert, best_score")
    house.db.execute("UPDATE camalert_alert SET visit = NULL")
    house.db.execute("DELETE FROM camalert_visit")
    house.db.execute("UPDATE camalert_alert SET people = '[spoilt' WHERE alert_id = 1")
    monkeypatch.setattr(visits, "OLD_ROWS_A_STEP", 2)

    assert [house.end(5000) for _ in range(4)] == [2, 2, 1, 0]

    assert house.visits("camera, began_utc, last_utc, pictures, people, best_alert, best_score") == whole
    assert house.visits("state") == [("over",), ("over",)]
    plan = house.db.execute(f"EXPLAIN QUERY PLAN {visits.OLD_ROWS}", (1,)).fetchall()
    assert [step[3] for step in plan] == ["SCAN camalert_alert USING INDEX camalert_alert_unvisited"]


def test_database_of_the_second_version_gets_its_visits() -> None:
    """The upgrade makes the tables, and upkeep finds the rows that were there."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    schema.prepare(db, schema.Limits(0, 0), NOW_UTC, (tables.FIRST_VERSION, tables.SECOND_VERSION))
    db.execute("INSERT INTO alerts_alert VALUES (1, 's', '2026-07-01 12:00:00', x'ff')")
    db.execute("UPDATE camalert_alert SET camera = 'door', outcome = 'person', received_utc = 5, best_score = 0.7")

    schema.prepare(db, schema.Limits(0, 0), NOW_UTC)
    visits.keep_up(db, Visits(GAP_S), "utc", NOW_UTC)

    assert db.execute(
        "SELECT camera, began_utc, pictures, people, best_score, state FROM camalert_visit"
    ).fetchall() == [("door", 5.0, 1, 1, 0.7, "over")]
    db.close()
