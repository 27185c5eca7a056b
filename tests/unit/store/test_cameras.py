"""What follows when the owner renames, merges and forgets cameras: all rows, later mails, and nothing else."""

from __future__ import annotations

import contextlib
import itertools
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camalert.config.schema import Camera, Config, Notify, Visits
from camalert.config.schema import Database as Settings
from camalert.errors import StoreError, StoreRefused
from camalert.identity import key
from camalert.ipc.messages import NOTE_BYTES, Outcome
from camalert.ipc.records import FrameRecord, MailRecord, NamesRecord, PersonRecord, PictureRecord, SwitchRecord
from camalert.store import cameras
from camalert.store.notes import names_changed, shared_words
from camalert.store.rows import switches
from camalert.store.rows.alerts import Intake, Rules, conclude
from camalert.store.sqlite import deletions, schema, tables, verify
from camalert.store.verdict import Verdict

NOW_UTC = 1_782_900_000.0
GAP_S = 90.0
PICTURE = b"\xff\xd8 a picture \xff\xd9"
RULES = Rules("utc", Visits(GAP_S))
ALL_ALIKE = itertools.count(1)


class House:
    """A database with mails and verdicts, and a configuration."""

    def __init__(self, path: Path, config: Config | None = None) -> None:
        base = config or Config()
        self.config = Config(
            database=Settings(path=str(path), timestamps="utc"), camera=base.camera, notify=base.notify
        )  # fmt: skip
        self.db = sqlite3.connect(path, isolation_level=None)
        schema.prepare(self.db, schema.Limits(1000, 1000), NOW_UTC)
        self._intake = Intake(self.config)

    def mail(self, camera: str, at_s: float = 0.0, *, peer: str = "10.0.0.5", kind: str = "jpeg", to: str = "") -> int:
        """Store a picture or a clip and return the id of its examination."""
        record = MailRecord(
            received_utc=NOW_UTC + at_s, taken_utc=NOW_UTC + at_s, camera=camera, peer=peer, kind="alarm",
            pictures=(PictureRecord(0, len(PICTURE), kind, "x"),), recipients=(to,) if to else (),
        )  # fmt: skip
        stored = self._intake.store(self.db, next(ALL_ALIKE).to_bytes(16, "big"), record, memoryview(PICTURE))
        return stored.pending[0].alert_id

    def person(self, alert_id: int) -> None:
        record = FrameRecord(alert_id, people=(PersonRecord(1, 2, 3, 4, 0.7),), best_score=0.7, threshold=0.5)
        verdict = Verdict(alert_id, Outcome.PERSON, record=record, annotated=PICTURE, snapshot=PICTURE)
        conclude(self.db, verdict, NOW_UTC + 10_000, RULES)

    def rows(self, query: str) -> list[Any]:
        return self.db.execute(query).fetchall()

    def names_in(self, table: str, column: str = "camera") -> set[str]:
        return {name for (name,) in self.rows(f"SELECT DISTINCT {column} FROM {table}")}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "alerts.sqlite3")
    with contextlib.closing(made.db):
        yield made


def test_rename_takes_every_row_along_and_later_mails(house: House) -> None:
    """Pictures, people, visits, sums, switches, clips that wait: all of it is the new name's, old spellings too."""
    house.person(house.mail("IPC 3"))
    clip = house.mail("ipc  3", 10.0, kind="mp4")
    switches.put(house.db, SwitchRecord("armed", "IPC 3", "off"), NOW_UTC)

    change = cameras.rename(house.config, " ipc 3 ", "Garage", NOW_UTC)
    later = house.mail("IPC 3", 1000.0)
    house.person(clip)
    house.person(later)

    assert (change.name, change.pictures, change.remarks) == ("Garage", 1, ())
    for table in ("camalert_mail", "camalert_alert", "camalert_detect", "camalert_visit", "camalert_day"):
        assert house.names_in(table) == {"Garage"}, table
    assert house.names_in("camalert_camera", "name") == {"Garage"}
    assert house.names_in("camalert_holder") == {"", "garage"}
    assert house.rows("SELECT camera, pictures FROM camalert_visit") == [("Garage", 2), ("Garage", 1)]
    assert house.rows("SELECT mails, alerts, detections FROM camalert_day") == [(3, 2, 3)]
    assert not switches.read(house.db, NOW_UTC).is_armed("GARAGE")
    assert switches.read(house.db, NOW_UTC).is_armed("IPC 3")
    assert verify.verify(Path(house.config.database.path)).is_sound


def test_rename_into_another_spelling_is_kept(house: House) -> None:
    """The camera writes its name small; the owner wants a capital, and mails to come have it."""
    house.mail("garage")
    cameras.rename(house.config, "garage", "Garage", NOW_UTC)
    house.mail("garage", 5.0)
    house.mail("GARAGE", 6.0)

    assert house.names_in("camalert_alert") == {"Garage"}
    assert cameras.known(house.db)[0].also == ()


def test_rename_again_and_back(house: House) -> None:
    """Whatever it was called in between, the camera's own name leads to its present one."""
    house.mail("a")
    cameras.rename(house.config, "a", "b", NOW_UTC)
    cameras.rename(house.config, "b", "c", NOW_UTC)
    house.mail("a", 1.0)
    house.mail("b", 2.0)
    assert house.names_in("camalert_alert") == {"c"}
    assert cameras.known(house.db)[0].also == ("a", "b")

    cameras.rename(house.config, "c", "a", NOW_UTC)
    house.mail("a", 3.0)
    assert house.names_in("camalert_alert") == {"a"}


def test_merge_adds_up_and_joins_visits(house: House) -> None:
    """Two names of one camera saw the same person: one visit, sums together, the other's switch stays."""
    for camera, at_s, peer in (("Gate", 0.0, "10.0.0.5"), ("10.0.0.6", 20.0, "10.0.0.6"), ("Gate", 40.0, "10.0.0.5")):
        house.person(house.mail(camera, at_s, peer=peer))
    house.person(house.mail("10.0.0.6", 5000.0, peer="10.0.0.6"))
    switches.put(house.db, SwitchRecord("armed", "Gate", "on"), NOW_UTC)
    switches.put(house.db, SwitchRecord("armed", "10.0.0.6", "off"), NOW_UTC)

    change = cameras.merge(house.config, "10.0.0.6", "gate", NOW_UTC)
    house.mail("10.0.0.6", 6000.0, peer="10.0.0.6")

    assert (change.name, change.pictures) == ("Gate", 2)
    assert house.rows("SELECT camera, pictures FROM camalert_visit ORDER BY began_utc") == [("Gate", 3), ("Gate", 1)]
    assert house.rows("SELECT camera, mails, detections, visits FROM camalert_day") == [("Gate", 5, 4, 2)]
    assert house.rows("SELECT name, mails, alerts, detections, last_peer FROM camalert_camera") == [
        ("Gate", 5, 5, 4, "10.0.0.6")
    ]
    assert switches.read(house.db, NOW_UTC).armed == {"gate": True}
    assert verify.verify(Path(house.config.database.path)).is_sound


def test_deleted_picture_follows_when_it_is_restored(house: House) -> None:
    """It was deleted under the old name; restored, it is the new name's, with its visit."""
    house.person(house.mail("old"))
    house.mail("old", 500.0)
    deletion = deletions.put(house.db, [deletions.Pair(1, 1)], "owner", NOW_UTC)
    cameras.rename(house.config, "old", "new", NOW_UTC)
    deletions.restore(house.db, [deletion], GAP_S)

    assert house.names_in("camalert_alert") == house.names_in("camalert_detect") == {"new"}
    assert house.rows("SELECT camera, known_as FROM camalert_visit") == [("new", "new")]


def test_forget_frees_all_its_names_and_keeps_pictures(house: House) -> None:
    """A camera that was sold is not listed; when its old name is heard again, it is that camera again."""
    house.mail("IPC 3")
    house.mail("new", 1.0)
    cameras.rename(house.config, "IPC 3", "Garage", NOW_UTC)
    cameras.forget(house.config, "garage", NOW_UTC)

    assert [camera.name for camera in cameras.known(house.db)] == ["new"]
    assert house.names_in("camalert_alert") == {"Garage", "new"}
    house.mail("IPC 3", 2.0)
    assert house.names_in("camalert_alert") == {"Garage", "new", "IPC 3"}
    with pytest.raises(StoreRefused, match="there is no camera garage"):
        cameras.forget(house.config, "garage", NOW_UTC)
    cameras.forget(house.config, "10.0.0.99", NOW_UTC, also=["10.0.0.99"])


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("nobody", "x", "there is no camera nobody$"),
        ("was", "x", "there is no camera was: it is called Yard now"),
        ("gate", "YARD", "there is a camera YARD already: merge the two"),
        ("gate", "  ", "a line of letters"),
        ("gate", "a\nb\x07", "a line of letters"),
        ("gate", "x" * 101, "at most 100 characters, this one has 101"),
        ("Porch", "x", r"a \[\[camera\]\] block of the configuration gives: first change it there to x"),
    ],
)
def test_rename_says_why_not(tmp_path: Path, old: str, new: str, reason: str) -> None:
    """Nothing is changed, and the sentence says what to do."""
    house = House(tmp_path / "alerts.sqlite3", Config(camera=(Camera(name="porch"),)))
    with contextlib.closing(house.db):
        for camera in ("gate", "was", "porch"):
            house.mail(camera)
        cameras.rename(house.config, "was", "Yard", NOW_UTC)
        before = list(house.db.iterdump())
        with pytest.raises(StoreRefused, match=reason):
            cameras.rename(house.config, old, new, NOW_UTC)
        assert list(house.db.iterdump()) == before


def test_configured_name_is_a_rows_new_name_but_never_renamed(tmp_path: Path) -> None:
    """The owner changed the block first: the stored rows follow; what the block names is not renamed by old words."""
    old = House(tmp_path / "alerts.sqlite3")
    old.mail("porch")
    old.mail("side")
    cameras.rename(old.config, "side", "Shed", NOW_UTC)
    old.db.close()
    blocks = Config(camera=(Camera(name="Front Porch"), Camera(name="Side")))
    house = House(tmp_path / "alerts.sqlite3", blocks)
    with contextlib.closing(house.db):
        assert cameras.rename(house.config, "porch", "front  porch", NOW_UTC).name == "Front Porch"
        house.mail("Side", 1.0)
        assert house.names_in("camalert_alert") == {"Front Porch", "Shed", "Side"}
        with pytest.raises(StoreRefused, match="first remove it"):
            cameras.forget(house.config, "side", NOW_UTC)
        assert cameras.rename(house.config, "Side", "Lane", NOW_UTC, fixed=()).name == "Lane"


def test_rename_says_whose_messages_end(tmp_path: Path) -> None:
    """A target that is told of the old name only would fall silent without a word."""
    targets = (Notify(name="phone", cameras=("IPC*",)), Notify(name="all"), Notify(name="both", cameras=("*",)))
    house = House(tmp_path / "alerts.sqlite3", Config(notify=targets))
    with contextlib.closing(house.db):
        house.mail("ipc 3")
        change = cameras.rename(house.config, "ipc 3", "Garage", NOW_UTC)
    assert change.remarks == ("`cameras` of the target phone names ipc 3: write Garage there, and reload",)


def test_names_are_bounded_and_fit_into_notes(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table has an end, and the rest of the service gets all of it in notes of the size that there is."""
    monkeypatch.setattr(cameras, "MOST_NAMES", 12)
    for number in range(13):
        house.mail(f"{number} {'ö' * 80}")
    for number in range(12):
        cameras.rename(house.config, f"{number} {'ö' * 80}", f"New {number}", NOW_UTC + number)
    with pytest.raises(StoreRefused, match="12 names stand for others already"):
        cameras.rename(house.config, f"12 {'ö' * 80}", "New 12", NOW_UTC)

    notes = [note.text for note in names_changed(house.db)]
    assert all(len(note) <= NOTE_BYTES for note in notes)
    found = [NamesRecord.decode(note) for note in notes]
    assert [record.is_first for record in found] == [True] + [False] * (len(found) - 1)
    assert [item.name for record in found for item in record.names] == [f"New {number}" for number in range(12)]


def test_forgotten_cameras_are_bounded(house: House) -> None:
    """The status hears of the latest ones; the older ones it has forgotten long ago."""
    for number in range(cameras.MOST_FORGOTTEN + 5):
        cameras.forget(house.config, f"gone {number}", NOW_UTC + number, also=[f"gone {number}"])
    names = house.names_in("camalert_name", "known_as")
    assert len(names) == cameras.MOST_FORGOTTEN
    assert "gone 4" not in names


def test_without_a_database_nothing_is_made(tmp_path: Path) -> None:
    """No empty database is left behind."""
    config = Config(database=Settings(path=str(tmp_path / "none")))
    with pytest.raises(StoreError, match="there is no database"):
        cameras.rename(config, "a", "b", NOW_UTC)
    assert not (tmp_path / "none").exists()


def test_words_are_shared_also_when_a_camera_was_renamed(house: House) -> None:
    """Two cameras of one mail account are told apart by their addresses, one of them has a name of the owner's."""
    for number in range(4):
        address = f"10.0.0.{5 + number % 2}"
        house.mail(address, float(number), peer=address, to="both@home.lan")
    assert shared_words(house.db) == ["both"]
    cameras.rename(house.config, "10.0.0.5", "Garage", NOW_UTC)
    assert shared_words(house.db) == ["both"]


def test_every_table_with_a_camera_follows() -> None:
    """Whoever adds a table with a camera says here how it follows."""
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        schema.prepare(connection, schema.Limits(10, 10), NOW_UTC)
        found = {
            (table, column)
            for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for _, column, *_ in connection.execute(f"PRAGMA table_info({table})")
            if column in ("camera", "known_as")
        }
    following = {
        (follower.table, column)
        for follower in cameras.FOLLOWING
        for column in (follower.written, follower.compared)
        if column
    }
    own = {("camalert_day", "camera"), ("camalert_name", "known_as")}  # sums are added up, and the names themselves
    later = {("camalert_clip", "camera"), ("camalert_bin", "camera")}  # a clip's is its mail's; the bin's when restored
    assert found - own - later == following
    assert tables.FIFTH_VERSION


NAMES = st.sampled_from(["a", "A ", "b", "c", "10.0.0.6"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("mail"), NAMES, st.booleans()),
        st.tuples(st.just("rename"), NAMES, NAMES),
        st.tuples(st.just("merge"), NAMES, NAMES),
        st.tuples(st.just("forget"), NAMES, st.just("")),
    ),
    max_size=14,
)


@given(steps=STEPS)
@settings(deadline=None, max_examples=60)
def test_whatever_is_renamed_the_rows_add_up(tmp_path_factory: pytest.TempPathFactory, steps: list[Any]) -> None:
    """After any steps: no picture is lost, sums are those of the rows, each camera has one spelling in its rows."""
    house = House(tmp_path_factory.mktemp("names") / "alerts.sqlite3")
    with contextlib.closing(house.db):
        for number, (what, first, second) in enumerate(steps):
            if what == "mail":
                alert_id = house.mail(first, number * 60.0)
                if second:
                    house.person(alert_id)
            else:
                with contextlib.suppress(StoreRefused):
                    arguments = (first,) if what == "forget" else (first, second)
                    getattr(cameras, what)(house.config, *arguments, NOW_UTC)
        mails = sum(what == "mail" for what, *_ in steps)
        people = sum(what == "mail" and second for what, _, second in steps)

        assert house.rows("SELECT coalesce(sum(mails), 0), coalesce(sum(detections), 0) FROM camalert_day") == [
            (mails, people)
        ]
        assert house.rows("SELECT count(*) FROM camalert_alert") == [(mails,)]
        by_name = "SELECT camera, count(*) FROM camalert_alert GROUP BY camera ORDER BY 1"
        assert house.rows(by_name) == house.rows(
            "SELECT camera, sum(mails) FROM camalert_day GROUP BY camera ORDER BY 1"
        )
        visits = house.rows("SELECT known_as, began_utc, last_utc FROM camalert_visit ORDER BY 1, 2")
        for (camera, _, last_utc), (other, began_utc, _) in itertools.pairwise(visits):
            assert camera != other or began_utc > last_utc + GAP_S
        targets = house.rows("SELECT known_as, name FROM camalert_name WHERE name <> ''")
        own = dict(targets)
        assert all(key(own.get(key(name), name)) == key(name) for name in own.values()), "one step leads to the name"
        assert verify.verify(Path(house.config.database.path)).is_sound
        assert json.dumps([note.text.decode() for note in names_changed(house.db)])
