"""The rows of what is known of a camera: sightings, marks, bounds."""

from __future__ import annotations

import itertools
import json
import random
import sqlite3
from collections.abc import Iterator

import pytest

from camalert.config.schema import Config, Learn, Visits
from camalert.detection import known
from camalert.detection.known import LOOK_BYTES, Kind, Known
from camalert.ipc.messages import Outcome
from camalert.ipc.records import FrameRecord, LeftOutRecord, MailRecord, PersonRecord, PictureRecord
from camalert.store.queue import Waiting
from camalert.store.rows import learned
from camalert.store.rows.alerts import Conclusion, Intake, Rules, conclude, load
from camalert.store.rows.learned import MISSED, NOT_A_PERSON
from camalert.store.sqlite import schema
from camalert.store.verdict import Verdict

NOW = 1_782_900_000.0
HOUR_S = 3600.0
PICTURE = b"\xff\xd8 a picture \xff\xd9"
LEARN = Learn()
RULES = Rules("utc", Visits(), learn=LEARN)


def look(seed: int) -> bytes:
    return random.Random(seed).randbytes(LOOK_BYTES)


class House:
    """A database, and cameras whose pictures are concluded at once, as a detector would."""

    def __init__(self) -> None:
        self.db = sqlite3.connect(":memory:", isolation_level=None)
        schema.prepare(self.db, schema.Limits(10_000, 10_000), NOW)
        self._intake = Intake(Config())
        self._numbers = itertools.count(1)
        self.last = Conclusion(is_written=False)

    def mail(self, at_s: float, camera: str = "yard") -> int:
        record = MailRecord(
            received_utc=NOW + at_s, camera=camera, peer="10.0.0.5", pictures=(PictureRecord(0, len(PICTURE), "jpeg"),)
        )
        mail_id = next(self._numbers).to_bytes(16, "big")
        kept = self._intake.store(self.db, mail_id, record, memoryview(PICTURE))
        self.memory = kept.pending[0].memory
        return kept.pending[0].alert_id

    def see(self, at_s: float, seed: int, x: int = 100, camera: str = "yard", rules: Rules = RULES) -> int:
        """Take a picture in which something of a look is found at a place; return its id."""
        alert_id = self.mail(at_s, camera)
        objects = [one for one in known.unpacked(self.memory.known) if one.look == look(seed)]
        there = min(objects, key=lambda one: one.kind is Kind.WATCHED, default=None)
        if there is not None and there.kind is not Kind.WATCHED:
            left_out = (LeftOutRecord(x, 50, 40, 90, 0.8, there.id, 0.9),)
            record = FrameRecord(alert_id, height_px=400, width_px=600, left_out=left_out, best_score=0.8)
            verdict = Verdict(alert_id, Outcome.NOBODY, record=record)
        else:
            person = PersonRecord(x, 50, 40, 90, 0.8, look=known.written(look(seed)), known=there.id if there else 0)
            record = FrameRecord(alert_id, height_px=400, width_px=600, people=(person,), best_score=0.8)
            verdict = Verdict(alert_id, Outcome.PERSON, record=record, annotated=PICTURE)
        self.last = conclude(self.db, verdict, NOW + at_s, rules)
        return alert_id

    def mark(self, alert_id: int, mark: str | None) -> int:
        self.db.execute("UPDATE camalert_alert SET mark = ? WHERE alert_id = ?", (mark, alert_id))
        return learned.take_mark(self.db, [alert_id], mark, "anna", NOW)

    def objects(self, camera: str = "yard", settings: Learn = LEARN) -> list[Known]:
        return list(known.unpacked(learned.memory(self.db, camera, settings).known))

    def kinds(self) -> list[str]:
        return [kind for (kind,) in self.db.execute("SELECT kind FROM camalert_known ORDER BY id")]


@pytest.fixture
def house() -> Iterator[House]:
    found = House()
    yield found
    found.db.close()


def test_picture_takes_along_what_is_known_of_its_camera(house: House) -> None:
    """On both ways into a slot; and nothing of another camera."""
    house.see(0, seed=1)
    alert_id = house.mail(60)

    assert [one.look for one in known.unpacked(house.memory.known)] == [look(1)]
    picture = load(house.db, Waiting(alert_id, len(PICTURE)), LEARN)
    assert picture is not None
    assert picture.record.known == house.memory.known
    house.mail(61, camera="door")
    assert house.memory == learned.NOTHING


def test_not_a_person_said_once_is_known_from_then_on(house: House) -> None:
    """The next picture of it counts nobody, and the mark taken back lets it count again."""
    alert_id = house.see(0, seed=1)
    assert house.mark(alert_id, NOT_A_PERSON) == 1

    marked = next(one for one in house.objects() if one.kind is Kind.MARKED)
    assert marked.place.x == pytest.approx(100 / 600, abs=1e-6)
    assert marked.look == look(1)
    again = house.see(3600, seed=1)
    assert house.db.execute("SELECT outcome FROM camalert_alert WHERE alert_id = ?", (again,)).fetchone() == ("nobody",)
    assert [(one.alert_id, one.by, one.seen.moments) for one in learned.listed(house.db)] == [(again, "anna", 2)]

    house.mark(alert_id, None)
    assert learned.listed(house.db, "yard") == []


def test_mark_said_twice_is_one_object(house: House) -> None:
    """A second click, another device."""
    alert_id = house.see(0, seed=1)
    house.mark(alert_id, NOT_A_PERSON)
    house.mark(alert_id, NOT_A_PERSON)

    assert len(learned.listed(house.db)) == 1


def test_mark_is_meant_for_the_uncertain_beside_what_counted_too(house: House) -> None:
    """In another light they would count; those without a look teach nothing, and all go with the mark."""
    alert_id = house.mail(0)
    statue, coat, faint = (
        PersonRecord(x, 50, 40, 90, score, look=known.written(look(seed)) if seed else "")
        for x, score, seed in ((100, 0.8, 1), (300, 0.3, 2), (500, 0.25, 0))
    )
    record = FrameRecord(
        alert_id, height_px=400, width_px=600, people=(statue,), uncounted=(coat, faint), best_score=0.8
    )
    conclude(house.db, Verdict(alert_id, Outcome.PERSON, record=record, annotated=PICTURE), NOW, RULES)

    assert house.mark(alert_id, NOT_A_PERSON) == 2
    marked = {one.look: one.place.x for one in house.objects() if one.kind is Kind.MARKED}
    assert marked == {look(1): pytest.approx(100 / 600, abs=1e-6), look(2): pytest.approx(300 / 600, abs=1e-6)}
    assert house.mark(alert_id, None) == 2
    assert learned.listed(house.db) == []


def test_uncertain_never_push_out_what_counted_in_the_same_picture(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is place for one, it is for what was marked."""
    monkeypatch.setitem(known.MOST_OF_CAMERA, Kind.MARKED, 1)
    alert_id = house.mail(0)
    statue, coat = (PersonRecord(100 * n, 50, 40, 90, 0.9 / n, look=known.written(look(n))) for n in (1, 2))
    record = FrameRecord(alert_id, height_px=400, width_px=600, people=(statue,), uncounted=(coat,), best_score=0.9)
    conclude(house.db, Verdict(alert_id, Outcome.PERSON, record=record, annotated=PICTURE), NOW, RULES)

    house.mark(alert_id, NOT_A_PERSON)
    assert [one.look for one in house.objects() if one.kind is Kind.MARKED] == [look(1)]


def test_what_is_seen_for_hours_becomes_static_and_says_so(house: House) -> None:
    """Eight moments over six hours; until then it counts."""
    for number in range(8):
        house.see(number * HOUR_S, seed=1)
        assert bool(house.last.static) == (number == 7)

    [found] = house.last.static
    assert found.camera == "yard"
    assert "seen at 8 moments over 7 hours" in found.message
    assert house.kinds() == ["static"]
    house.see(9 * HOUR_S, seed=1)
    assert learned.listed(house.db, "YARD ")[0].seen.moments == 9


def test_person_who_moves_never_becomes_static(house: House) -> None:
    """Each picture has another look, wherever it is."""
    for number in range(40):
        house.see(number * HOUR_S, seed=number, x=100 + number % 3)

    assert set(house.kinds()) == {"watched"}


def test_nothing_is_watched_or_left_out_when_nobody_wants_it(house: House) -> None:
    """Each of the two ways can be switched off, and what was learned stays for when it is on again."""
    off = Learn(marks=False, static_sightings=0)
    house.see(0, seed=1, rules=Rules("utc", Visits(), learn=off))
    assert house.kinds() == []

    house.mark(house.see(10, seed=1), NOT_A_PERSON)
    assert house.objects(settings=off) == []
    assert {one.kind for one in house.objects()} == {Kind.MARKED, Kind.WATCHED}


def test_person_missed_where_something_is_known_makes_it_doubtful(house: House) -> None:
    """What was thought to be static is forgotten; what somebody marked must be more alike."""
    for number in range(8):
        house.see(number * HOUR_S, seed=1)
    house.mark(house.see(9 * HOUR_S, seed=1), MISSED)
    assert house.kinds() == []

    house.mark(house.see(10 * HOUR_S, seed=2), NOT_A_PERSON)
    house.mark(house.see(11 * HOUR_S, seed=2), MISSED)
    [marked] = [one for one in house.objects() if one.kind is Kind.MARKED]
    assert marked.needs == pytest.approx(0.93)


def test_scores_of_missed_people_travel_with_the_next_picture(house: House) -> None:
    """And go with the mark."""
    alert_id = house.mail(0)
    record = FrameRecord(alert_id, height_px=400, width_px=600, best_score=0.41)
    conclude(house.db, Verdict(alert_id, Outcome.NOBODY, record=record), NOW, RULES)
    house.mark(alert_id, MISSED)

    house.mail(1)
    assert house.memory.missed == (0.41,)
    assert learned.memory(house.db, "yard", Learn(threshold=False)).missed == ()
    house.mark(alert_id, None)
    assert learned.memory(house.db, "yard", LEARN).missed == ()


def test_judged_pictures_are_those_that_somebody_looked_at(house: House) -> None:
    """A mark says the opposite of the verdict; a false alarm that is known now speaks for no threshold."""
    first, second, third, _ = (house.see(number, seed=number) for number in range(4))
    house.db.execute("UPDATE camalert_alert SET reviewed_utc = 1 WHERE alert_id IN (?, ?)", (first, second))
    house.mark(third, NOT_A_PERSON)
    house.db.execute("UPDATE camalert_alert SET mark = 'not a person' WHERE alert_id = ?", (second,))

    assert sorted((one.score, one.has_person) for one in learned.judged(house.db, "yard")) == [
        (0.8, False),
        (0.8, True),
    ]


def test_forgotten_object_counts_again(house: House) -> None:
    """And whose it was is known."""
    house.mark(house.see(0, seed=1), NOT_A_PERSON)
    [found] = learned.listed(house.db)

    assert learned.forget(house.db, found.id) == "yard"
    assert learned.forget(house.db, found.id) is None
    assert learned.listed(house.db) == []


def test_objects_of_a_camera_are_bounded_and_what_stays_outlives_passers_by(house: House) -> None:
    """A busy pavement pushes out no statue."""
    house.see(0, seed=0)
    house.see(HOUR_S, seed=0)
    for number in range(1, 100):
        house.see(2 * HOUR_S + number, seed=number)

    assert len(house.kinds()) == known.WATCHED_A_CAMERA
    assert look(0) in {one.look for one in house.objects()}
    for number in range(1, 40):
        house.mark(house.see(3 * HOUR_S + number, seed=1000 + number), NOT_A_PERSON)
    assert house.kinds().count("marked") == known.MARKED_A_CAMERA


def test_objects_of_all_cameras_are_bounded(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any mail may invent a camera; what was marked stays."""
    monkeypatch.setitem(known.MOST_OF_ALL, Kind.WATCHED, 5)
    house.mark(house.see(0, seed=1), NOT_A_PERSON)
    for number in range(20):
        house.see(number, seed=2, camera=f"invented {number}")

    assert house.kinds().count("watched") == 5
    assert house.kinds().count("marked") == 1


def test_what_is_gone_is_forgotten(house: House) -> None:
    """A week later nobody remembers a passer-by, a month later no coat; a mark is never too old."""
    for number in range(8):
        house.see(number * HOUR_S, seed=1)
    house.mark(house.see(8 * HOUR_S, seed=2), NOT_A_PERSON)
    house.see(known.WATCHED_S + 10 * HOUR_S, seed=3)
    assert house.kinds() == ["static", "marked", "watched"]

    house.see(known.STATIC_S + 10 * HOUR_S, seed=4)
    assert house.kinds() == ["marked", "watched"]


@pytest.mark.parametrize(
    "spoilt",
    ["not json", "[1, null]", "{}", '[{"x": "a", "look": "b"}]', '[{"look": 5}]', json.dumps([{"x": -1, "y": 0}])],
)
def test_spoilt_rows_teach_nothing_and_stop_nothing(house: House, spoilt: str) -> None:
    """Another program may have written there."""
    alert_id = house.see(0, seed=1)
    house.db.execute("UPDATE camalert_alert SET people = ?, left_out = ?", (spoilt, spoilt))
    assert house.mark(alert_id, NOT_A_PERSON) == 0
    assert house.mark(alert_id, MISSED) == 0

    house.db.execute("UPDATE camalert_known SET look = 'short', kind = 'odd', x = 'left'")
    assert house.objects() == []
    house.see(10, seed=2)
    assert len(house.objects()) == 1


def test_sighting_of_another_cameras_object_is_not_believed(house: House) -> None:
    """A detector that a picture has taken over names what it likes."""
    house.see(0, seed=1)
    alert_id = house.mail(HOUR_S, camera="door")
    person = PersonRecord(1, 2, 3, 4, 0.9, look=known.written(look(5)), known=1)
    record = FrameRecord(alert_id, height_px=400, width_px=600, people=(person,), best_score=0.9)
    conclude(house.db, Verdict(alert_id, Outcome.PERSON, record=record, annotated=PICTURE), NOW, RULES)

    assert house.db.execute("SELECT moments FROM camalert_known WHERE id = 1").fetchone() == (1,)
