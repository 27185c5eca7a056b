"""Every table of the schema stays within a bound, whatever mails say."""

from __future__ import annotations

import itertools
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from camalert.config.schema import Config
from camalert.detection import known
from camalert.ipc.messages import StoreCode
from camalert.ipc.records import MailRecord, PictureRecord
from camalert.store import filesystem
from camalert.store.rows import outbox, retention
from camalert.store.rows.alerts import Intake
from camalert.store.rows.tables import day_of
from camalert.store.sqlite import deletions, schema
from camalert.visits.policy import Event, Target

ROOT = Path(__file__).parents[3]
NOW_UTC = 1_782_900_000.0
CONTENT = b"\xff\xd8 a picture \xff\xd9"
KEEP = 100
MAILS = 10_000
TARGETS = [Target(name, frozenset({"visit"}), min_score=score) for name, score in (("a", 0), ("b", 0), ("c", 0.9))]
FIXED = 20  # rows of tables that nobody outside adds to

# What each table may have after a flood, when upkeep has had its turns. A new table needs a line here, and a bound.
BOUNDS = {
    "alerts_alert": KEEP + 64 * 50,  # what is pending stays, of each address up to a bound
    "alerts_detect": KEEP,
    "camalert_alert": KEEP + 64 * 50,
    "camalert_detect": KEEP,
    "camalert_mail": 400 + KEEP + 64 * 50 + 64 * 20,  # those without rows, and those with
    "camalert_pending": 64 * 50 + 64 * 20,
    "camalert_clip": 64 * 20 + 100,
    "camalert_raw": 100,
    "camalert_camera": 300,
    "camalert_outbox": 50 + 3 * 20,  # those that are settled, and those that wait
    "camalert_switch": FIXED,
    "camalert_bin": 30,
    "camalert_name": FIXED,  # the owner's
    "camalert_visit": KEEP + 64 * 50,  # none without an alert
    "camalert_known": sum(known.MOST_OF_ALL.values()),
    "camalert_day": 2 * 50,
    "camalert_holder": retention.HOLDERS + retention.ADDRESSES + 1,
    "camalert_rows": FIXED,
    "camalert_meta": FIXED,
    "camalert_schema": FIXED,
    "django_migrations": FIXED,
    "sqlite_sequence": FIXED,
}


@pytest.fixture
def db(monkeypatch: pytest.MonkeyPatch) -> Iterator[sqlite3.Connection]:
    """A database with bounds that ten thousand mails pass by far."""
    for name, value in (
        ("PENDING_PICTURES", 50), ("PENDING_CLIPS", 20), ("MAILS_KEPT", 200), ("MAILS_AT_MOST", 400),
        ("CAMERAS_KEPT", 300), ("DAY_CAMERAS", 50), ("BIN_ROWS", 30),
    ):  # fmt: skip
        monkeypatch.setattr(retention, name, value)
    monkeypatch.setattr(outbox, "ROWS_KEPT", 50)
    monkeypatch.setattr(outbox, "WAITING_KEPT", 20)
    found = sqlite3.connect(":memory:", isolation_level=None)
    schema.prepare(found, schema.Limits(KEEP, KEEP), NOW_UTC)
    yield found
    found.close()


def tables_of(db: sqlite3.Connection) -> set[str]:
    return {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def tidy(db: sqlite3.Connection) -> None:
    """Do all that upkeep does without a bound by age or size, with a clock that it does not trust."""
    while (
        retention.by_count(db)
        + retention.of_mails(db, 0.0, "")
        + retention.of_bin(db, 0.0)
        + outbox.keep_up(db, TARGETS, NOW_UTC)
    ):
        pass


def hostile(number: int) -> MailRecord:
    """Return a mail unlike all others: a picture, a clip, bytes that nobody can read, or nothing."""
    kind = ("jpeg", "mp4", "raw", "")[number % 4]
    picture = PictureRecord(0, len(CONTENT), kind or "jpeg", f"{number}.x")
    return MailRecord(
        received_utc=NOW_UTC + number,
        subject=f"subject {number}",
        camera=f"camera {number}",
        event=f"event {number}",
        peer=f"10.{number % 3}.{number // 200 % 250}.{number % 200}",
        sender=f"{number}@example.org",
        digest=f"{number:x}",
        headers=f"X-Number: {number}",
        kind="alarm" if kind else "test",
        unreadable="why" if kind == "raw" else "",
        pictures=(picture,) if kind else (),
    )


def test_every_table_is_bounded_after_ten_thousand_hostile_mails(db: sqlite3.Connection) -> None:
    """Each with other words from another address: nothing grows without an end, and a new table has its line here."""
    intake = Intake(Config())
    refused = 0

    for number in range(MAILS):
        kept = intake.store(db, number.to_bytes(16, "big"), hostile(number), memoryview(CONTENT))
        refused += kept.code == StoreCode.FULL
        outbox.tell(db, [Event("visit", f"camera {number}", NOW_UTC, number, number, 0.5)], TARGETS, NOW_UTC + number)
        if number % 50 == 0 and kept.count:
            deletions.put(db, [deletions.Pair(kept.first_id, None)], "anna", NOW_UTC + number)
        if number % 500 == 0:
            tidy(db)
    tidy(db)

    assert tables_of(db) == set(BOUNDS)
    counts = {name: int(db.execute(f"SELECT count(*) FROM {name}").fetchone()[0]) for name in BOUNDS}
    assert {name: count for name, count in counts.items() if count > BOUNDS[name]} == {}
    assert refused, "what waits is bounded by a refusal, not by being forgotten"


def test_camera_that_is_known_does_not_give_way_to_invented_ones(db: sqlite3.Connection) -> None:
    """Twenty mails are worth more than one: its line and its sums by day stay, however many names come later."""
    intake = Intake(Config())
    numbers = itertools.count()

    def mail(camera: str, at_utc: float) -> None:
        record = MailRecord(received_utc=at_utc, camera=camera, peer="10.0.0.5", kind="test")
        intake.store(db, next(numbers).to_bytes(16, "big"), record, memoryview(b""))

    for _ in range(retention.KNOWN_MAILS):
        mail("garage", NOW_UTC)
    tomorrow_utc = NOW_UTC + 86_400
    for number in range(1000):
        mail(f"x{number}", tomorrow_utc)
    tidy(db)
    mail("garage", tomorrow_utc)

    day = day_of(tomorrow_utc, "local")
    assert db.execute("SELECT mails FROM camalert_camera WHERE name = 'garage'").fetchone() == (21,)
    assert db.execute("SELECT mails FROM camalert_day WHERE day = ? AND camera = 'garage'", (day,)).fetchone() == (1,)
    assert db.execute("SELECT sum(mails) FROM camalert_day WHERE day = ?", (day,)).fetchone() == (1001,)


def test_sender_with_too_much_in_the_queue_is_refused_with_the_reason_and_others_are_not(
    db: sqlite3.Connection,
) -> None:
    """What waits for its examination is never dropped; who sends more than can be examined is told so."""
    intake = Intake(Config())

    def picture(number: int, peer: str) -> tuple[StoreCode, str]:
        record = MailRecord(received_utc=NOW_UTC, peer=peer, pictures=(PictureRecord(0, len(CONTENT), "jpeg", ""),))
        kept = intake.store(db, number.to_bytes(16, "big"), record, memoryview(CONTENT))
        return kept.code, kept.reason

    codes = [picture(number, "10.0.0.66")[0] for number in range(60)]
    code, reason = picture(60, "10.0.0.66")

    assert codes == [StoreCode.STORED] * 50 + [StoreCode.FULL] * 10
    assert code == StoreCode.FULL
    assert "50 pictures" in reason
    assert picture(61, "10.0.0.5")[0] == StoreCode.STORED
    db.execute("DELETE FROM camalert_pending WHERE alert_id = 1")
    db.execute("UPDATE camalert_alert SET outcome = 'nobody' WHERE alert_id = 1")
    assert picture(62, "10.0.0.66")[0] == StoreCode.STORED


@pytest.mark.parametrize(
    ("kind", "free_bytes", "taken"),
    [("jpeg", 0, 11), ("mp4", 0, 11), ("jpeg", 80 * len(CONTENT), 21), ("mp4", 80 * len(CONTENT), 20)],
)
def test_bytes_that_wait_for_their_examination_are_bounded_by_sender_and_disk(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, kind: str, free_bytes: int, taken: int
) -> None:
    """Large pictures fill no disk with what is never removed; what is examined, or another's, does not count."""
    monkeypatch.setattr(retention, "PENDING_BYTES", 10 * len(CONTENT))
    monkeypatch.setattr(filesystem, "free_bytes", lambda _: free_bytes)
    intake = Intake(Config())
    numbers = itertools.count()

    def send(peer: str) -> StoreCode:
        record = MailRecord(received_utc=NOW_UTC, peer=peer, pictures=(PictureRecord(0, len(CONTENT), kind, ""),))
        return intake.store(db, next(numbers).to_bytes(16, "big"), record, memoryview(CONTENT)).code

    codes = [send("10.0.0.66") for _ in range(30)]

    assert codes == [StoreCode.STORED] * taken + [StoreCode.FULL] * (30 - taken)
    assert send("10.0.0.5") == StoreCode.STORED
    db.execute("UPDATE camalert_alert SET outcome = 'nobody' WHERE holder = (SELECT min(holder) FROM camalert_alert)")
    db.execute("UPDATE camalert_clip SET state = 'failed' WHERE holder = (SELECT min(holder) FROM camalert_clip)")
    assert send("10.0.0.66") == StoreCode.STORED


def test_each_line_of_the_budgets_names_tests_that_exist() -> None:
    """What a stranger can cause is bounded, and the bound is tested: by the test or the tests that the line names."""
    tests = list((ROOT / "tests").rglob("test_*.py"))
    known = {path.stem for path in tests}
    known |= {name for path in tests for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.M)}
    lines = [line for line in (ROOT / "docs/internals/budgets.md").read_text().splitlines() if line.startswith("| ")]

    budgets = [line for line in lines if not line.startswith("| what a sender")]

    assert len(budgets) > 30
    for line in budgets:
        named = re.findall(r"`(test_\w+)`", line.split("|")[-2])
        assert named, f"no test is named: {line}"
        assert set(named) <= known, line
