"""Whose row gives way: nobody loses rows to somebody else's burst while holding less than a fair share."""

from __future__ import annotations

import itertools
import sqlite3
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert.config.schema import Config, Visits
from camalert.ipc.messages import Outcome
from camalert.ipc.records import FrameRecord, MailRecord, PictureRecord
from camalert.store import queue
from camalert.store.rows import retention
from camalert.store.rows.alerts import Intake, Rules, conclude
from camalert.store.rows.tables import ALERTS, BOTH, DETECTIONS, DjangoTable
from camalert.store.sqlite import schema, tables
from camalert.store.verdict import Verdict

NOW_UTC = 1_782_900_000.0
PICTURE = b"\xff\xd8 a picture \xff\xd9"
_numbers = itertools.count(1)


class House:
    """A database in memory that takes mails and verdicts as the writer's does."""

    def __init__(self, keep: int) -> None:
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        schema.prepare(self.db, schema.Limits(keep, keep), NOW_UTC)
        self._intake = Intake(Config())

    def mail(self, camera: str, peer: str, *, pictures: int = 1, at: float = NOW_UTC) -> list[int]:
        """Store a mail and return its alerts' ids."""
        placed = tuple(PictureRecord(0, len(PICTURE), "jpeg", "a.jpg") for _ in range(pictures))
        record = MailRecord(received_utc=at, subject="s", camera=camera, peer=peer, pictures=placed)
        kept = self._intake.store(self.db, next(_numbers).to_bytes(16, "big"), record, memoryview(PICTURE))
        return list(range(kept.first_id, kept.first_id + kept.count))

    def examine(self, alerts: list[int], outcome: Outcome = Outcome.NOBODY) -> None:
        """Conclude the examination of alerts."""
        for alert_id in alerts:
            record = FrameRecord(alert_id=alert_id, reason="why")
            conclude(
                self.db, Verdict(alert_id, outcome, record=record, annotated=PICTURE), NOW_UTC, Rules("utc", Visits())
            )

    def alarm(self, camera: str, peer: str, outcome: Outcome = Outcome.NOBODY, **mail: Any) -> list[int]:
        """Store a mail and conclude it."""
        alerts = self.mail(camera, peer, **mail)
        self.examine(alerts, outcome)
        return alerts

    def ids(self, table: DjangoTable = ALERTS) -> set[int]:
        return {row[0] for row in self.db.execute(f"SELECT id FROM {table.name}")}

    def of(self, camera: str, table: DjangoTable = ALERTS) -> int:
        query = f"SELECT count(*) FROM {table.facts} WHERE camera = ?"
        return int(self.db.execute(query, (camera,)).fetchone()[0])

    def counts(self) -> list[tuple[Any, ...]]:
        query = "SELECT id, alerts, detections, bytes FROM camalert_holder ORDER BY id"
        return self.db.execute(query).fetchall()


@pytest.fixture
def house() -> Iterator[House]:
    found = House(200)
    yield found
    found.db.close()


STRANGERS = {
    "unnamed, from elsewhere": lambda number: ("", "10.0.0.66"),
    "a name a mail, from elsewhere": lambda number: (f"x{number}", "10.0.0.66"),
    "under the camera's name, from elsewhere": lambda number: ("garage", "10.0.0.66"),
    "unnamed, from the camera's address": lambda number: ("", "10.0.0.5"),
    "a name a mail, from the camera's address": lambda number: (f"x{number}", "10.0.0.5"),
    "a name and an address a mail": lambda number: (f"x{number}", f"10.0.1.{number % 250}"),
    "an IPv6 address a mail": lambda number: ("", f"fd00::{number:x}"),
}


@pytest.mark.parametrize("is_examined", [True, False], ids=["examined", "pending"])
@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS.keys())
def test_burst_of_a_stranger_removes_no_alarm_of_a_camera(stranger: Any, is_examined: bool) -> None:
    """However a stranger names himself: a camera that holds less than its share loses nothing, and the limit holds."""
    house = House(1000)
    before = [alert for _ in range(25) for alert in house.alarm("garage", "10.0.0.5", Outcome.PERSON)]
    detections = house.ids(DETECTIONS)
    few = [alert for _ in range(2) for alert in house.alarm("attic", "10.0.0.6")]

    for number in range(25):
        alerts = house.mail(*stranger(number), pictures=64)
        if is_examined:
            house.examine(alerts, Outcome.PERSON)

    assert set(before + few) <= house.ids()
    assert detections <= house.ids(DETECTIONS)
    if is_examined:
        while retention.by_count(house.db):  # what was pending when its own mail was stored
            pass
        assert set(before + few) <= house.ids()
        assert len(house.ids()) == 1000
        assert len(house.ids(DETECTIONS)) == 1000
    house.db.close()


def test_thousand_names_one_row_each_cost_a_camera_at_the_same_address_nothing(house: House) -> None:
    """Names beyond the bound share one holder, so that each new one pays for itself."""
    before = [alert for _ in range(2) for alert in house.alarm("garage", "10.0.0.5")]

    for number in range(1000):
        house.alarm(f"x{number}", "10.0.0.5")

    assert set(before) <= house.ids()
    assert len(house.counts()) <= retention.CAMERAS + 2


def test_thousand_addresses_share_one_place(house: House) -> None:
    """Addresses beyond the bound are held together: the table of holders stays small and the first ones keep theirs."""
    before = [alert for _ in range(2) for alert in house.alarm("garage", "10.0.0.5")]

    for number in range(1000):
        house.alarm("", f"10.1.{number // 250}.{number % 250}")

    assert set(before) <= house.ids()
    assert len(house.counts()) <= retention.ADDRESSES + 2


def test_holders_are_bounded_in_all(house: House) -> None:
    """Many names at many addresses: first come, first served, and not more than a few rows beyond the bound."""
    for number in range(3000):
        house.mail(f"x{number // 60}", f"10.1.0.{number % 60}")

    assert len(house.counts()) <= retention.HOLDERS + retention.ADDRESSES + 1


def test_two_busy_cameras_end_with_equal_shares(house: House) -> None:
    """Who holds more gives way until both hold the same."""
    for _ in range(300):
        house.alarm("road", "10.0.0.7")
    for _ in range(150):
        house.alarm("garden", "10.0.0.8")

    assert abs(house.of("road") - house.of("garden")) <= 2
    assert len(house.ids()) == 200


def test_cameras_of_one_recorder_share_what_its_address_has(house: House) -> None:
    """Behind one address the camera with the most gives way."""
    for _ in range(300):
        house.alarm("channel 1", "10.0.0.9")
    quiet = [alert for _ in range(20) for alert in house.alarm("channel 2", "10.0.0.9")]
    for _ in range(100):
        house.alarm("channel 1", "10.0.0.9")

    assert set(quiet) <= house.ids()


def test_people_stay_ten_times_as_long_and_marked_rows_longer(house: House) -> None:
    """Of a camera's own rows plain ones go first; even so people do not stay for ever, nor keep new alarms out."""
    person = house.alarm("road", "10.0.0.7", Outcome.PERSON)[0]
    marked = house.alarm("road", "10.0.0.7")[0]
    house.db.execute("UPDATE camalert_alert SET mark = 'missed a person' WHERE alert_id = ?", (marked,))
    plain = house.alarm("road", "10.0.0.7")[0]

    for _ in range(1500):
        newest = house.alarm("road", "10.0.0.7")[0]
        assert newest in house.ids()
    assert plain not in house.ids()
    assert {person, marked} <= house.ids()
    for _ in range(700):
        house.alarm("road", "10.0.0.7")
    assert person not in house.ids()
    assert marked in house.ids()


def test_newest_row_survives_its_own_insert_among_people_only(house: House) -> None:
    """A table full of people has a place for what a shell or cams inserts next."""
    for _ in range(200):
        house.alarm("road", "10.0.0.7", Outcome.PERSON)

    for table in BOTH:
        cursor = house.db.execute(
            f"INSERT INTO {table.name} (subject, timestamp, snapshot) VALUES ('s', '2026-07-01', x'ff')"
        )
        assert cursor.lastrowid in house.ids(table)
        assert len(house.ids(table)) == 200


def test_long_silent_holder_gives_way_in_the_end(house: House) -> None:
    """An address that is used no more does not keep its share for ever; one that is silent for weeks keeps it."""
    for _ in range(100):
        house.alarm("old", "10.0.0.4")
    for _ in range(100):
        house.alarm("new", "10.0.0.5")
    house.db.execute("UPDATE camalert_holder SET last_utc = strftime('%s', 'now') - 86400 * 20")
    house.db.execute("UPDATE camalert_holder SET last_utc = strftime('%s', 'now') WHERE camera = 'new'")
    for _ in range(50):
        house.alarm("new", "10.0.0.5", at=time.time())
    assert house.of("old") >= 99

    house.db.execute("UPDATE camalert_holder SET last_utc = strftime('%s', 'now') - 86400 * 400 WHERE camera = 'old'")
    for _ in range(150):
        house.alarm("new", "10.0.0.5", at=time.time())
    assert house.of("old") < 20  # a thirteenth of what is sent now


@pytest.mark.parametrize("table", BOTH, ids=[table.name for table in BOTH])
def test_rows_of_another_program_that_still_adds_some_keep_their_share(house: House, table: DjangoTable) -> None:
    """They are not those of a sender who fell silent when the database became ours, years ago."""
    years_ago_utc = time.time() - 3 * 365 * 86_400
    house.db.execute("UPDATE camalert_holder SET last_utc = ? WHERE id = 0", (years_ago_utc,))
    add = f"INSERT INTO {table.name} (subject, timestamp, snapshot) VALUES ('s', datetime('now', ?), x'ff')"
    for number in range(300):
        house.alarm(f"c{number % 3}", f"10.0.0.{number % 3}", Outcome.PERSON, at=time.time())
    house.db.execute(add, ("+2 years",))  # its clock was wrong once
    house.db.execute(add, ("-1 hour",))
    retention.note_others(house.db, time.time())
    for _ in range(300):
        house.db.execute(add, ("-1 hour",))

    assert 48 <= house.of("", table) <= 52
    (last_utc,) = house.db.execute("SELECT last_utc FROM camalert_holder WHERE id = 0").fetchone()
    assert time.time() - 2 * 3600 < last_utc <= time.time()


def test_rows_from_before_are_those_of_a_silent_sender(house: House) -> None:
    """When nobody adds any, their age stays what it is."""
    years_ago_utc = time.time() - 3 * 365 * 86_400
    house.db.execute("UPDATE camalert_holder SET last_utc = ? WHERE id = 0", (years_ago_utc,))
    house.db.execute(
        "INSERT INTO alerts_alert (subject, timestamp, snapshot) VALUES ('s', '2020-01-01 00:00:00.5', '')"
    )
    house.alarm("garage", "10.0.0.5", at=time.time())
    retention.note_others(house.db, time.time())

    assert house.db.execute("SELECT last_utc FROM camalert_holder WHERE id = 0").fetchone() == (years_ago_utc,)


def test_young_rows_that_give_way_are_counted(house: House) -> None:
    """What a burst removes on its own day is known, for the warning."""
    (now_utc,) = house.db.execute("SELECT (julianday('now') - 2440587.5) * 86400.0").fetchone()
    for _ in range(203):
        house.alarm("road", "10.0.0.7", at=now_utc)

    assert house.db.execute("SELECT young FROM camalert_rows WHERE name = 'alerts_alert'").fetchone() == (3,)


@pytest.mark.parametrize(
    ("peer", "known"),
    [
        ("192.168.1.5", "192.168.1.5"),
        ("::ffff:192.168.1.5", "192.168.1.5"),
        ("fe80::1%eth0", "fe80::/64"),
        ("fd00::1:2:3:4", "fd00::/64"),
        ("fd00:0:0:1::9", "fd00:0:0:1::/64"),
        ("", ""),
        ("?", "?"),
    ],
)
def test_sender_is_an_address_or_an_ipv6_network(peer: str, known: str) -> None:
    """A device may take any address of its IPv6 network, so all of them are one sender."""
    assert queue.sender_of(peer) == known


# How an owner puts rows back that may be there already.
RESTORING = {
    "ignore": "INSERT OR IGNORE INTO alerts_alert VALUES (?, 's', 'x', x'ffff')",
    "replace": "INSERT OR REPLACE INTO alerts_alert VALUES (?, 's', 'x', x'ffffff')",
    "upsert": "INSERT INTO alerts_alert VALUES (?, 's', 'x', x'ff') ON CONFLICT (id) DO UPDATE SET subject = 'again'",
}

EVENTS = st.lists(
    st.tuples(st.sampled_from(["mail", "foreign", "mark", "delete", "person", *RESTORING]), st.integers(0, 5)),
    max_size=60,
)


@given(EVENTS)
def test_holders_counts_are_right_after_any_order_of_events(events: list[tuple[str, int]]) -> None:
    """Whoever inserts, marks and deletes: what a holder has is what its rows say, and no table passes its limit."""
    house = House(12)
    for event, number in events:
        if event in ("mail", "person"):
            house.alarm(
                f"c{number % 3}", f"10.0.0.{number % 2}", Outcome.PERSON if event == "person" else Outcome.NOBODY
            )
        elif event in RESTORING:
            house.db.execute(RESTORING[event], (number + 1,))
        elif event == "foreign":
            house.db.execute("INSERT INTO alerts_alert (subject, timestamp, snapshot) VALUES ('s', 'x', x'ff')")
        elif event == "mark":
            house.db.execute("UPDATE camalert_alert SET mark = 'not a person' WHERE alert_id % 6 = ?", (number,))
        else:
            house.db.execute("DELETE FROM alerts_alert WHERE id % 6 = ?", (number,))

    counted = house.counts()
    retention.recount_holders(house.db)

    assert counted == house.counts()
    assert all(len(house.ids(table)) <= 12 for table in BOTH)
    assert dict(house.db.execute("SELECT name, rows FROM camalert_rows")) == {
        table.name: len(house.ids(table)) for table in BOTH
    }
    house.db.close()


@pytest.mark.parametrize("statement", RESTORING.values(), ids=RESTORING)
def test_rows_put_back_that_are_there_already_cost_no_other(house: House, statement: str) -> None:
    """A backup that is poured into a full table is no reason to remove what both have."""
    for number in range(250):
        house.alarm(f"c{number % 3}", f"10.0.0.{number % 3}")
    before = house.ids()
    for alert_id in sorted(before):
        house.db.execute(statement, (alert_id,))
    assert house.ids() == before

    house.alarm("c0", "10.0.0.0")
    assert len(house.ids()) == 200


def test_database_of_the_first_version_gets_its_holders(tmp_path: Any) -> None:
    """An upgrade knows whose the rows are that were there before, and how large they are; later rows count on."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    for table in BOTH:
        db.execute(tables.django_table(table))
    for statement in tables.FIRST_VERSION:
        db.execute(statement)
    db.execute("CREATE TABLE camalert_schema (version INTEGER NOT NULL PRIMARY KEY, applied_utc REAL NOT NULL)")
    db.execute("INSERT INTO camalert_schema VALUES (1, 0)")
    mail = (
        "INSERT INTO camalert_mail (mail_id, digest, received_utc, first_id, count, peer, helo, login, sender,"
        " recipients, subject, camera, event, camera_time, kind, unreadable, headers)"
        " VALUES (randomblob(16), '', 5, ?, 1, ?, '', '', '', '[]', '', ?, '', '', 'alarm', '', '')"
    )
    for number, (camera, peer) in enumerate([("Garage", "10.0.0.5"), ("garage ", "10.0.0.5"), ("", "fd00::7")], 1):
        db.execute(mail, (number, peer, camera))
        db.execute("INSERT INTO alerts_alert VALUES (?, 's', '2026-07-01', ?)", (number, bytes(100 * number)))
        db.execute("INSERT INTO camalert_alert (alert_id, subject, timestamp, mail, camera, outcome)"
                   " VALUES (?, 's', '2026-07-01', ?, ?, 'nobody')", (number, number, camera))  # fmt: skip
    db.execute("INSERT INTO camalert_raw VALUES (3, 5, 7, x'01020304050607')")

    schema.prepare(db, schema.Limits(0, 0), NOW_UTC)

    query = "SELECT address, camera, alerts, bytes FROM camalert_holder WHERE bytes ORDER BY address"
    raw = ("", "", 0, 7)  # of nobody: to say whose it is would mean to write it once more
    assert db.execute(query).fetchall() == [raw, ("10.0.0.5", "garage", 2, 300), ("fd00::/64", "", 1, 300)]
    db.execute("DELETE FROM alerts_alert WHERE id = 2")
    db.execute("DELETE FROM camalert_mail WHERE id = 3")
    assert db.execute(query).fetchall() == [("10.0.0.5", "garage", 1, 100), ("fd00::/64", "", 1, 300)]
    db.close()
