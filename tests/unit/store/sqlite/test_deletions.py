"""What people delete goes into the bin and comes back as it was, or is deleted for good after a day."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from camalert.config.schema import Config, Visits
from camalert.ipc.messages import Outcome
from camalert.ipc.records import FrameRecord, MailRecord, PersonRecord, PictureRecord
from camalert.store.queue import CLIP_BASE
from camalert.store.rows import retention, visits
from camalert.store.rows.alerts import Intake, Rules, conclude
from camalert.store.sqlite import deletions, schema
from camalert.store.sqlite.deletions import Pair
from camalert.store.sqlite.verify import verify
from camalert.store.verdict import Verdict

NOW_UTC = 1_782_900_000.0
PICTURE = b"\xff\xd8 a picture \xff\xd9"
MARKED = b"\xff\xd8 marked \xff\xd9"
GAP_S = 90.0
RULES = Rules("utc", Visits(GAP_S))


class House:
    """A database file with mails and verdicts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.db = sqlite3.connect(path, isolation_level=None)
        schema.prepare(self.db, schema.Limits(1000, 1000), NOW_UTC)
        self._intake = Intake(Config())
        self._numbers = itertools.count(1)

    def mail(self, at_s: float, *, kind: str = "jpeg") -> int:
        record = MailRecord(
            received_utc=NOW_UTC + at_s, taken_utc=NOW_UTC + at_s, camera="garage", peer="10.0.0.5", kind="alarm",
            subject="a mail", pictures=(PictureRecord(0, len(PICTURE), kind, "x"),),
        )  # fmt: skip
        mail_id = next(self._numbers).to_bytes(16, "big")
        return self._intake.store(self.db, mail_id, record, memoryview(PICTURE)).pending[0].alert_id

    def person(self, at_s: float, score: float = 0.7, *, kind: str = "jpeg") -> Pair:
        """Store a picture and find somebody in it."""
        waiting = self.mail(at_s, kind=kind)
        record = FrameRecord(waiting, people=(PersonRecord(1, 2, 3, 4, score),), best_score=score, threshold=0.5)
        verdict = Verdict(waiting, Outcome.PERSON, record=record, annotated=MARKED, snapshot=PICTURE)
        conclude(self.db, verdict, NOW_UTC + 100, RULES)
        return Pair(*self.db.execute("SELECT alert_id, detect_id FROM camalert_alert ORDER BY 1 DESC").fetchone())

    def delete(self, *pairs: Pair, now_utc: float = NOW_UTC) -> int:
        return deletions.put(self.db, pairs, "anna", now_utc)

    def rows(self, query: str) -> list[Any]:
        return self.db.execute(query).fetchall()

    def everything(self) -> dict[str, list[Any]]:
        """Return all that a deletion with its restoration must leave as it was."""
        names = ("alerts_alert", "alerts_detect", "camalert_alert", "camalert_detect", "camalert_clip",
                 "camalert_visit", "camalert_rows", "camalert_holder", "camalert_day", "camalert_bin")  # fmt: skip
        return {name: self.rows(f"SELECT * FROM {name} ORDER BY 1, 2") for name in names}

    def bin_ids(self) -> list[int]:
        return [row[0] for row in self.rows("SELECT id FROM camalert_bin ORDER BY id")]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    found = House(tmp_path / "alerts.sqlite3")
    yield found
    assert [each.message for each in verify(found.path).findings if each.is_fault] == []
    found.db.close()


def test_restored_pictures_are_as_if_nothing_had_happened(house: House) -> None:
    """Rows, facts, marks, visit, clip, counts and ids."""
    pairs = [house.person(0), house.person(10, 0.9), house.person(20, kind="mp4")]
    house.db.execute("UPDATE camalert_alert SET reviewed_utc = 7.0, mark = 'not a person' WHERE alert_id = 2")
    before = house.everything()

    house.delete(*pairs)
    gone = {name: house.rows(f"SELECT count(*) FROM {name}")[0][0] for name in before}
    kept_bytes = house.rows("SELECT sum(bytes) FROM camalert_holder")
    restored = deletions.restore(house.db, house.bin_ids(), GAP_S)

    assert gone["alerts_alert"] == gone["alerts_detect"] == gone["camalert_visit"] == 0
    assert gone["camalert_clip"] == 1
    assert kept_bytes == [(sum(row[0] for row in _bytes(before)),)], "what the bin keeps is still its sender's"
    assert restored == pairs
    after = house.everything()
    assert after.pop("camalert_visit") == [(*row[:10], "over", *row[11:]) for row in before.pop("camalert_visit")]
    assert after == before


def _bytes(tables: dict[str, list[Any]]) -> list[tuple[int]]:
    return [(row[5],) for row in tables["camalert_holder"]]


def test_what_is_deleted_together_has_one_number(house: House) -> None:
    """A large deletion is several transactions, and one thing to restore."""
    first, second, third = (house.person(at_s) for at_s in (0, 1000, 2000))

    deletion = house.delete(first)
    assert deletions.put(house.db, [second], "anna", NOW_UTC, deletion) == deletion
    assert house.delete(third) != deletion

    assert house.rows("SELECT count(*) FROM camalert_bin GROUP BY deletion ORDER BY deletion") == [(2,), (1,)]


def test_picture_of_a_visit_that_went_on_joins_it_again(house: House) -> None:
    """The best picture leaves and comes back; what came meanwhile stays."""
    best, other = house.person(0, 0.9), house.person(10, 0.6)
    house.delete(best)
    assert house.rows("SELECT best_alert, unreviewed FROM camalert_visit") == [(other.alert_id, 1)]
    house.person(20, 0.5)

    deletions.restore(house.db, house.bin_ids(), GAP_S)

    assert house.rows("SELECT best_alert, unreviewed, pictures FROM camalert_visit") == [(best.alert_id, 3, 3)]


def test_picture_whose_visit_has_a_successor_is_left_to_upkeep(house: House) -> None:
    """Visits of a camera never overlap, also when one comes back."""
    house.delete(house.person(0), house.person(100))
    house.person(50)

    deletions.restore(house.db, house.bin_ids(), GAP_S)
    while visits.keep_up(house.db, Visits(GAP_S), "utc", NOW_UTC + 1000):
        pass

    assert house.rows("SELECT began_utc, last_utc FROM camalert_visit") == [(NOW_UTC, NOW_UTC + 100)]
    assert house.rows("SELECT count(*) FROM camalert_alert WHERE visit IS NULL") == [(0,)]


def test_picture_deleted_while_it_waits_is_not_examined_after_it(house: House) -> None:
    """The queue has passed it by; its row says so."""
    waiting = house.mail(0)
    house.delete(Pair(waiting, None))
    assert house.rows("SELECT * FROM camalert_pending") == []

    deletions.restore(house.db, house.bin_ids(), GAP_S)

    assert house.rows("SELECT outcome, reason FROM camalert_alert") == [("unexamined", deletions.UNEXAMINED)]


def test_row_of_another_program_comes_back_too(house: House) -> None:
    """Without a mail, a camera or a verdict."""
    house.db.execute("INSERT INTO alerts_detect (subject, timestamp, snapshot) VALUES ('cams', '2026-01-01', x'01')")
    before = house.everything()

    house.delete(Pair(None, 1))
    assert deletions.restore(house.db, house.bin_ids(), GAP_S) == [Pair(None, 1)]

    assert house.everything() == before


def test_place_that_another_program_has_taken_is_not_written_over(house: House) -> None:
    """Ids come again only where somebody has set the counters back."""
    pair = house.person(0)
    house.delete(pair)
    house.db.execute("DELETE FROM sqlite_sequence WHERE name = 'alerts_alert'")
    house.db.execute("INSERT INTO alerts_alert (subject, timestamp, snapshot) VALUES ('new', '2026-01-01', x'02')")

    assert deletions.restore(house.db, house.bin_ids(), GAP_S) == []

    assert house.rows("SELECT subject FROM alerts_alert") == [("new",)]
    deletions.remove(house.db, house.bin_ids())


def test_columns_of_another_program_do_not_stop_a_restoration(house: House) -> None:
    """They get a neutral value, as in every row that the service adds."""
    pair = house.person(0)
    house.db.execute("ALTER TABLE alerts_alert ADD COLUMN stars integer NOT NULL DEFAULT 3")
    house.delete(pair)

    assert deletions.restore(house.db, house.bin_ids(), GAP_S) == [pair]


def test_bin_is_emptied_after_a_day_with_the_clips(house: House) -> None:
    """The younger deletion stays."""
    old, young = house.person(0, kind="mp4"), house.person(1000)
    house.delete(old, now_utc=NOW_UTC)
    house.delete(young, now_utc=NOW_UTC + 5)

    while retention.of_bin(house.db, NOW_UTC + 5):
        pass

    assert house.rows("SELECT alert_id FROM camalert_bin") == [(young.alert_id,)]
    assert house.rows("SELECT * FROM camalert_clip") == []


@pytest.mark.parametrize(("rows", "size_bytes"), [(2, 1 << 30), (100, 2 * (len(PICTURE) + len(MARKED)))])
def test_bin_is_bounded_and_the_first_deleted_goes_first(
    house: House, monkeypatch: pytest.MonkeyPatch, rows: int, size_bytes: int
) -> None:
    """By rows and by bytes."""
    monkeypatch.setattr(retention, "BIN_ROWS", rows)
    monkeypatch.setattr(retention, "BIN_BYTES", size_bytes)
    pairs = [house.person(at_s * 1000) for at_s in range(5)]
    for number, pair in enumerate(pairs):
        house.delete(pair, now_utc=NOW_UTC + number)

    while retention.of_bin(house.db, 0.0):
        pass

    assert house.rows("SELECT alert_id FROM camalert_bin ORDER BY id") == [(pair.alert_id,) for pair in pairs[-2:]]


def test_bin_gives_way_before_anything_else(house: House) -> None:
    """What nobody wants any more goes before what somebody keeps."""
    pairs = [house.person(at_s * 1000) for at_s in range(4)]
    house.delete(pairs[3])

    retention.free(house.db, 1, {"10.0.0.5"}, "2026-01-01 00:00:00")

    assert house.bin_ids() == []
    assert house.rows("SELECT count(*) FROM alerts_alert") == [(3,)]


def test_visit_is_reviewed_when_its_pictures_are(house: House) -> None:
    """By whatever way: a mark of review, one taken back, a new picture, a deletion, two visits that become one."""

    def unreviewed() -> list[int]:
        return [row[0] for row in house.rows("SELECT unreviewed FROM camalert_visit ORDER BY began_utc")]

    first, second = house.person(0), house.person(150)
    assert unreviewed() == [1, 1]
    house.db.execute("UPDATE camalert_alert SET reviewed_utc = 1.0 WHERE alert_id = ?", (first.alert_id,))
    house.db.execute("UPDATE camalert_alert SET reviewed_utc = 2.0 WHERE alert_id = ?", (first.alert_id,))
    assert unreviewed() == [0, 1]
    third = house.person(75)
    assert unreviewed() == [2]
    house.db.execute("DELETE FROM alerts_alert WHERE id = ?", (second.alert_id,))
    assert unreviewed() == [1]
    house.db.execute("UPDATE camalert_alert SET reviewed_utc = 1.0 WHERE alert_id = ?", (third.alert_id,))
    assert unreviewed() == [0]
    house.db.execute("UPDATE camalert_alert SET reviewed_utc = NULL")
    assert unreviewed() == [2]
    assert third.alert_id < CLIP_BASE
