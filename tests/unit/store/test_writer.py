"""The writer's turns: mails in, pictures out, verdicts in. One process, a real pool, channel and database."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from testing.storerig import ANNOTATED, JPEG, LAYOUT, MakeRig, Rig

from camalert.config.schema import Camera, Config
from camalert.ipc.messages import (
    Conclude,
    Concluded,
    Counted,
    Held,
    Loaded,
    Message,
    Outcome,
    Ping,
    Pong,
    Stage,
    Store,
    StoreCode,
    Stored,
)
from camalert.ipc.records import FrameRecord
from camalert.store.queue import CLIP_BASE
from camalert.store.verdict import Verdict

LARGE = JPEG * 8  # larger than a frame slot's encoded section


def one_loaded(rig: Rig, *pictures: bytes) -> Loaded:
    """Store a mail with a slot lent and return the picture that is loaded of it."""
    rig.turn(*rig.lend(1))
    rig.store(*(pictures or (JPEG,)))
    (loaded,) = rig.take(Loaded)
    return loaded


def test_mail_is_committed_byte_for_byte_with_its_facts(rig: Rig) -> None:
    """When Stored is sent, another program reads the same bytes, and what is known of the mail."""
    taken = time.mktime((2026, 7, 1, 12, 30, 5, 0, 0, -1))

    stored = rig.store(JPEG, b"\xff\xd8 second", taken_utc=taken, subject="x" * 300, recipients=("a@b", "c@d"))

    assert (stored.code, stored.first_id, stored.count) == (StoreCode.STORED, 1, 2)
    assert rig.rows("SELECT id, subject, timestamp, snapshot FROM alerts_alert") == [
        (1, "x" * 200, "2026-07-01 12:30:05", JPEG),
        (2, "x" * 200, "2026-07-01 12:30:05", b"\xff\xd8 second"),
    ]
    assert rig.rows("SELECT alert_id, camera, picture_name, outcome FROM camalert_alert") == [
        (1, "garage", "picture 0.jpg", None),
        (2, "garage", "picture 1.jpg", None),
    ]
    assert json.loads(rig.rows("SELECT recipients FROM camalert_mail")[0][0]) == ["a@b", "c@d"]
    assert rig.rows("SELECT alert_id, tries FROM camalert_pending") == [(1, 0), (2, 0)]


def test_timestamps_are_utc_when_the_configuration_says_so(make_rig: MakeRig) -> None:
    """The time of reception stands where the camera's own is not believed."""
    rig = make_rig(timestamps="utc")

    rig.store(JPEG, received_utc=86_400.0)

    assert rig.rows("SELECT timestamp FROM alerts_alert") == [("1970-01-02 00:00:00",)]


def test_picture_is_loaded_into_a_lent_slot_before_its_mail_is_answered(rig: Rig) -> None:
    """An undisturbed alarm is never read again: it goes from slot to slot, then the intake slot is free."""
    rig.turn(*rig.lend(1))
    rig.turn(rig.put_mail(JPEG, event="line crossing"))

    rig.take(Counted)
    rig.take(Pong)  # reads what was sent
    loaded, stored = rig.messages
    assert isinstance(loaded, Loaded)
    assert isinstance(stored, Stored)
    assert (loaded.alert_id, loaded.is_live, loaded.tries, loaded.picture_bytes) == (1, True, 0, len(JPEG))
    with rig.pool.encoded(loaded.slot) as encoded:
        assert bytes(encoded[: len(JPEG)]) == JPEG
    record = FrameRecord.decode(rig.pool.read_record(loaded.slot))
    assert (record.alert_id, record.camera, record.event, record.kind) == (1, "garage", "line crossing", "jpeg")


def test_writer_gives_signs_of_life_while_tables_are_made(make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The supervisor waits for one that upgrades a large database, and ends one that is silent."""
    monkeypatch.setattr("camalert.store.process.ALIVE_EVERY_S", 0.0)
    monkeypatch.setattr("camalert.store.sqlite.database.STEPS_A_SIGN", 200)  # nobody reads until the tables are there

    rig = make_rig()

    assert rig.take(Pong) != []
    rig.store(JPEG)
    assert rig.take(Pong) == []


def test_store_asked_twice_adds_nothing(rig: Rig) -> None:
    """A Store repeated to the successor of a dead writer is answered with the same ids."""
    first = rig.store(JPEG, JPEG, mail_id=b"m" * 16)

    rig.start()
    second = rig.store(JPEG, JPEG, mail_id=b"m" * 16)

    assert (second.code, second.first_id, second.count) == (StoreCode.STORED, first.first_id, 2)
    assert rig.rows("SELECT count(*) FROM alerts_alert") == [(2,)]


def test_same_mail_within_the_window_is_a_repeat(rig: Rig) -> None:
    """A camera that lost our 250 sends the same bytes; one that sends them an hour later means it."""
    now = time.time()
    codes = [
        rig.store(JPEG, digest="d", received_utc=at).code for at in (now, now + 100, now - 100, now + 3600, now + 3601)
    ]

    assert codes == [
        StoreCode.STORED,
        StoreCode.REPEATED,
        StoreCode.REPEATED,  # the clock was set back in between
        StoreCode.STORED,
        StoreCode.REPEATED,
    ]
    assert rig.rows("SELECT count(*) FROM alerts_alert") == [(2,)]


def test_upload_with_a_number_of_its_own_is_a_repeat_for_weeks(rig: Rig) -> None:
    """Cameras upload all their files again after a restart; one whose name is used again and again means it."""
    now, day_s = time.time(), 86_400

    lasting = [
        rig.store(JPEG, digest="d", is_lasting=True, received_utc=now + day_s * days).code for days in (0, 9, 31)
    ]
    others = [rig.store(JPEG, digest="e", received_utc=now + day_s * days).code for days in (0, 9)]

    assert lasting == [StoreCode.STORED, StoreCode.REPEATED, StoreCode.STORED]
    assert others == [StoreCode.STORED, StoreCode.STORED]


COLUMNS = '"reviewed" bool NOT NULL, "rank" integer NOT NULL, "the note" varchar(9) NOT NULL, "seen" datetime NOT NULL'


def test_columns_of_another_program_without_a_default_get_neutral_values(rig: Rig) -> None:
    """Django keeps defaults in its code: an alarm is stored all the same, before and after a restart."""
    for table in ("alerts_alert", "alerts_detect"):
        rig.rows(f"ALTER TABLE {table} RENAME TO old")
        rig.rows(
            f'CREATE TABLE {table} ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, "subject" varchar(200) NOT NULL,'
            f' "timestamp" datetime NOT NULL, "snapshot" BLOB NOT NULL, {COLUMNS})'
        )
        rig.rows("DROP TABLE old")

    assert rig.store(JPEG).code == StoreCode.STORED
    assert rig.rows("SELECT reviewed, rank, \"the note\", seen > '2000' FROM alerts_alert") == [(0, 0, "", 1)]


def test_same_mail_twice_in_one_batch_is_a_repeat(rig: Rig) -> None:
    """The rule holds within a transaction as well."""
    rig.turn(rig.put_mail(JPEG, digest="d", slot=0), rig.put_mail(JPEG, digest="d", slot=1))

    assert [stored.code for stored in rig.take(Stored)] == [StoreCode.STORED, StoreCode.REPEATED]


def test_repeat_rule_is_off_at_zero_seconds(make_rig: MakeRig) -> None:
    """0 switches it off."""
    config = Config()
    rig = make_rig(config=replace(config, intake=replace(config.intake, repeat_window_seconds=0.0)))

    assert [rig.store(JPEG, digest="d").code for _ in range(2)] == [StoreCode.STORED] * 2


def test_record_that_cannot_be_read_refuses_that_mail_alone(rig: Rig) -> None:
    """A defect in one slot does not keep the other mails of the batch from their commit."""
    broken, outside = rig.put_mail(JPEG, slot=0), rig.put_mail(JPEG, slot=1)
    rig.pool.write_record(0, b"{")

    rig.turn(broken, outside)

    assert [stored.code for stored in rig.take(Stored)] == [StoreCode.REFUSED, StoreCode.STORED]


def test_picture_outside_of_its_slot_is_refused(rig: Rig) -> None:
    """Nothing is stored that is not what the mail brought."""
    store = rig.put_mail(JPEG)
    record = rig.pool.read_record(0).replace(b'"offset":0', b'"offset":999999')
    rig.pool.write_record(0, record)

    rig.turn(store)

    (stored,) = rig.take(Stored)
    assert stored.code == StoreCode.REFUSED


def test_mail_without_pictures_is_a_sign_of_life(rig: Rig) -> None:
    """A test mail makes no alert and is remembered with its camera."""
    stored = rig.store(kind="test", peer="192.168.1.5")

    assert (stored.code, stored.count) == (StoreCode.STORED, 0)
    assert rig.rows("SELECT name, last_kind, last_peer, mails, alerts FROM camalert_camera") == [
        ("garage", "test", "192.168.1.5", 1, 0)
    ]


def test_unreadable_mail_is_kept_raw(rig: Rig) -> None:
    """What no reader understands is kept as it came, and makes no alert."""
    stored = rig.store(b"From nowhere", unreadable="no boundary")

    assert stored.count == 0
    assert rig.rows("SELECT r.raw, m.unreadable FROM camalert_raw r JOIN camalert_mail m ON m.id = r.mail") == [
        (b"From nowhere", "no boundary")
    ]
    assert rig.rows("SELECT count(*) FROM camalert_pending") == [(0,)]


def test_camera_that_is_not_examined_is_only_stored(make_rig: MakeRig) -> None:
    """The facts say that nobody looked at it because the owner wants it so."""
    rig = make_rig(config=replace(Config(), camera=(Camera(name="garage", examine=False),)))
    rig.turn(*rig.lend())

    rig.store(JPEG)

    assert rig.take(Loaded) == []
    ((outcome, reason),) = rig.rows("SELECT outcome, reason FROM camalert_alert")
    assert outcome == "unexamined"
    assert "not examined" in reason


def test_person_makes_one_detection_with_its_facts(rig: Rig) -> None:
    """The detection carries the alert's subject and time, its boxes and score; the alert points at it."""
    loaded = one_loaded(rig)

    rig.turn(rig.conclusion(loaded, Outcome.PERSON))

    assert len(rig.take(Concluded)) == 1
    ((alert_time,),) = rig.rows("SELECT timestamp FROM alerts_alert")
    assert rig.rows("SELECT * FROM alerts_detect") == [(1, "a mail", alert_time, ANNOTATED)]
    ((score, people, camera, alert_id),) = rig.rows("SELECT best_score, people, camera, alert_id FROM camalert_detect")
    assert (score, camera, alert_id) == (0.9, "garage", 1)
    assert json.loads(people) == [{"x": 1, "y": 2, "width": 3, "height": 4, "score": 0.9, "kind": "person"}]
    assert rig.rows("SELECT objects FROM camalert_detect") == [("person",)]
    assert rig.rows("SELECT outcome, detect_id, best_score FROM camalert_alert") == [("person", 1, 0.9)]
    assert rig.rows("SELECT count(*) FROM camalert_pending") == [(0,)]
    assert rig.rows("SELECT alerts, detections FROM camalert_day") == [(1, 1)]


def test_nobody_leaves_the_reason_and_no_detection(rig: Rig) -> None:
    """Why a picture was not counted as a person can be read."""
    rig.turn(rig.conclusion(one_loaded(rig), Outcome.NOBODY))

    assert rig.rows("SELECT outcome, reason, best_score, threshold FROM camalert_alert") == [
        ("nobody", "why", 0.25, 0.5)
    ]
    assert rig.rows("SELECT count(*) FROM alerts_detect") == [(0,)]


def test_failed_picture_keeps_its_reason(rig: Rig) -> None:
    """A picture that cannot be decoded stays, with the reason."""
    rig.turn(rig.conclusion(one_loaded(rig), Outcome.FAILED, reason="not examined: truncated"))

    assert rig.rows("SELECT outcome, reason FROM camalert_alert") == [("failed", "not examined: truncated")]
    assert rig.rows("SELECT snapshot FROM alerts_alert") == [(JPEG,)]


def test_verdict_of_a_deleted_alert_writes_nothing(rig: Rig) -> None:
    """The owner deleted the alert while it was examined."""
    loaded = one_loaded(rig)
    rig.writer._store.write(lambda found: found.execute("DELETE FROM alerts_alert"))

    rig.turn(rig.conclusion(loaded, Outcome.PERSON))

    assert len(rig.take(Concluded)) == 1
    assert rig.rows("SELECT count(*) FROM alerts_detect") == [(0,)]


def test_verdict_repeated_to_a_successor_is_written_once(rig: Rig) -> None:
    """A Conclude that a dead writer left unanswered may be committed already."""
    conclude = rig.conclusion(one_loaded(rig), Outcome.PERSON)
    rig.turn(conclude)

    rig.start()
    rig.turn(Held(conclude.slot, conclude.generation, conclude.alert_id), conclude)

    assert len(rig.take(Concluded)) == 2
    assert rig.rows("SELECT count(*) FROM alerts_detect") == [(1,)]


def test_verdict_repeated_after_its_slot_was_used_again_changes_nothing(
    rig: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    """A writer may die when it has put the next picture into the slot and not yet told of the commit."""
    conclude = rig.conclusion(one_loaded(rig), Outcome.PERSON)
    rig.turn(conclude)
    rig.pool.write_record(conclude.slot, FrameRecord(alert_id=99).encode())

    rig.start()
    rig.turn(Held(conclude.slot, conclude.generation, conclude.alert_id), conclude)

    assert rig.rows("SELECT alert_id, outcome FROM camalert_alert") == [(conclude.alert_id, "person")]
    assert rig.rows("SELECT count(*) FROM alerts_detect") == [(1,)]
    assert "examination_failed" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("outcome", "code", "expected"),
    [
        (Outcome.DIED, -11, "killed by SIGSEGV"),
        (Outcome.DIED, 1, "exited with code 1"),
        (Outcome.HUNG, 0, "did not finish in time"),
    ],
)
def test_second_death_over_a_picture_gives_it_up_with_the_reason(
    rig: Rig, outcome: Outcome, code: int, expected: str
) -> None:
    """The first try is counted before the second begins; then the alert is failed and keeps its row."""
    first = one_loaded(rig)
    rig.turn(Conclude(first.slot, first.generation, 1, outcome, Stage.DECODE, 1, code), *rig.lend(2))
    (again,) = rig.take(Loaded)
    assert (again.alert_id, again.tries, again.is_live) == (1, 1, False)

    rig.turn(Conclude(again.slot, again.generation, 1, outcome, Stage.DECODE, again.tries + 1, code), *rig.lend(1))

    assert rig.take(Loaded) == []
    ((outcome_text, reason),) = rig.rows("SELECT outcome, reason FROM camalert_alert")
    assert outcome_text == "failed"
    assert expected in reason
    assert rig.rows("SELECT snapshot FROM alerts_alert") == [(JPEG,)]


def test_tries_are_counted_across_restarts(rig: Rig) -> None:
    """A picture that kills a process before and after a restart of the service is given up as well."""
    first = one_loaded(rig)
    rig.turn(Conclude(first.slot, first.generation, 1, Outcome.DIED, Stage.DECODE, 1, -9))

    rig.start()
    rig.turn(*rig.lend())

    (loaded,) = rig.take(Loaded)
    assert loaded.tries == 1


def test_death_that_is_not_the_pictures_fault_counts_no_try(rig: Rig) -> None:
    """It waits behind all others, as often as it takes."""
    for _ in range(5):
        rig.store(JPEG)
    rig.turn(*rig.lend(2))
    loaded = rig.take(Loaded)[0]

    for number in range(3):
        rig.turn(Conclude(loaded.slot, loaded.generation, loaded.alert_id, Outcome.SPARED, Stage.DETECT, 0, -11))
        assert rig.rows("SELECT tries FROM camalert_pending") == [(0,)] * 5
        [following] = rig.take(Loaded)
        assert following.alert_id != loaded.alert_id, number
        loaded = following
    assert rig.rows("SELECT count(*) FROM camalert_alert WHERE outcome IS NOT NULL") == [(0,)]


@pytest.mark.parametrize(
    ("field", "value"), [("subject", 5), ("received_utc", 2**70), ("recipients", {}), ("pictures", 7)]
)
def test_mail_whose_record_lies_is_refused_and_the_others_are_kept(rig: Rig, field: str, value: object) -> None:
    """A process that was taken over costs its own mail; the writer lives, and so does what came with it."""
    lie, truth = rig.put_mail(JPEG, slot=0), rig.put_mail(JPEG, slot=1)
    table = json.loads(rig.pool.read_record(0))
    rig.pool.write_record(0, json.dumps(table | {field: value}).encode())

    rig.turn(lie, truth)

    assert {stored.mail_id: stored.code for stored in rig.take(Stored)} == {
        lie.mail_id: StoreCode.REFUSED,
        truth.mail_id: StoreCode.STORED,
    }


@pytest.mark.parametrize("lie", [{"height_px": 2**70}, {"engine": {}}, {"people": [{"x": "1"}]}, {"best_score": 7}])
def test_frame_whose_record_lies_counts_as_a_try(rig: Rig, lie: dict[str, object]) -> None:
    """No value out of a slot reaches the database unchecked."""
    loaded = one_loaded(rig)
    conclude = rig.conclusion(loaded, Outcome.NOBODY)
    table = json.loads(rig.pool.read_record(loaded.slot))
    rig.pool.write_record(loaded.slot, json.dumps(table | lie).encode())

    rig.turn(conclude)

    assert rig.rows("SELECT alert_id, tries FROM camalert_pending") == [(1, 1)]


@pytest.mark.parametrize("what", ["record", "other alert", "no picture"])
def test_result_that_cannot_be_trusted_counts_as_a_try(rig: Rig, what: str) -> None:
    """A detector that scribbles into its slot makes no row of it."""
    loaded = one_loaded(rig)
    conclude = rig.conclusion(loaded, Outcome.PERSON)
    if what == "record":
        rig.pool.write_record(loaded.slot, b"nonsense")
    elif what == "other alert":
        rig.pool.write_record(loaded.slot, FrameRecord(alert_id=77).encode())
    else:
        with rig.pool.encoded(loaded.slot) as encoded:
            encoded[:4] = b"text"

    rig.turn(conclude)

    assert rig.rows("SELECT alert_id, tries FROM camalert_pending") == [(1, 1)]
    assert rig.rows("SELECT count(*) FROM alerts_detect") == [(0,)]


def test_backlog_is_loaded_oldest_first_and_leaves_a_slot_for_live_pictures(rig: Rig) -> None:
    """What an earlier run left pending is examined in order, beside what comes in."""
    for _ in range(5):
        rig.store(JPEG)
    rig.start()

    rig.turn(*rig.lend(3))

    assert [(loaded.alert_id, loaded.is_live) for loaded in rig.take(Loaded)] == [(1, False), (2, False)]
    rig.store(JPEG)
    assert [(loaded.alert_id, loaded.is_live) for loaded in rig.take(Loaded)] == [(6, True)]


def test_live_pictures_without_a_slot_go_before_the_backlog(rig: Rig) -> None:
    """Those of this run first, then what was there before."""
    for _ in range(3):
        rig.store(JPEG)
    rig.start()
    rig.store(JPEG)

    rig.turn(*rig.lend(3))

    assert [loaded.alert_id for loaded in rig.take(Loaded)] == [4, 1]


def test_held_alerts_are_not_loaded_again(rig: Rig) -> None:
    """What is examined since before this writer began is left alone."""
    for _ in range(3):
        rig.store(JPEG)
    rig.start()

    rig.turn(Held(5, 99, 1), *rig.lend(3))

    assert [loaded.alert_id for loaded in rig.take(Loaded)] == [2, 3]


def test_every_pending_picture_is_loaded_once_in_an_overload(rig: Rig) -> None:
    """More than the live queue holds, slots that come and go: each is examined exactly once."""
    lent = {lend.slot: lend for lend in rig.lend(3)}
    rig.turn(*lent.values())
    for number in range(100):
        rig.store(b"%b%d" % (JPEG, number))
    seen: list[int] = []

    while loaded := rig.take(Loaded):
        seen += [message.alert_id for message in loaded]
        rig.turn(*(rig.conclusion(message, Outcome.NOBODY) for message in loaded))

    # The reserve is for live pictures: the last slot is never given to the backlog.
    assert sorted(seen) == list(range(1, 101))
    assert rig.rows("SELECT count(*) FROM camalert_pending") == [(0,)]


def test_large_picture_waits_for_the_large_slot(rig: Rig) -> None:
    """Small slots are not for it, and the large one is not for small pictures."""
    rig.turn(*rig.lend(3), *rig.lend(large=True))

    rig.store(LARGE, slot=2)
    rig.store(LARGE, slot=2)
    rig.store(JPEG)

    loaded = {message.alert_id: message.slot for message in rig.take(Loaded)}
    assert loaded == {1: LAYOUT.large_frame, 3: LAYOUT.frames[0]}


def clip_loaded(rig: Rig) -> Loaded:
    """Store a mail with a clip and return its Loaded."""
    rig.turn(*rig.lend(large=True))
    stored = rig.store(b"a clip", picture_kind="mp4")
    assert (stored.code, stored.count) == (StoreCode.STORED, 0)
    (loaded,) = rig.take(Loaded)
    assert loaded.is_clip
    assert loaded.alert_id == CLIP_BASE + 1
    return loaded


def test_clip_becomes_an_alert_with_its_best_picture(rig: Rig) -> None:
    """The clip is kept byte for byte before the 250; its alert and detection come with the verdict."""
    loaded = clip_loaded(rig)
    assert rig.rows("SELECT clip, state FROM camalert_clip") == [(b"a clip", "pending")]
    assert rig.rows("SELECT count(*) FROM alerts_alert") == [(0,)]
    best = b"\xff\xd8 best \xff\xd9"
    with rig.pool.encoded(loaded.slot) as encoded:
        encoded[5000 : 5000 + len(best)] = best

    rig.turn(
        rig.conclusion(loaded, Outcome.PERSON, pictures=((4000, 7), (5000, len(best))), best_index=1, reason="seen")
    )

    assert rig.rows("SELECT snapshot, subject FROM alerts_alert") == [(best, "a mail")]
    assert rig.rows("SELECT snapshot, subject FROM alerts_detect") == [(ANNOTATED, "a mail")]
    assert rig.rows("SELECT state, alert_id FROM camalert_clip") == [("examined", 1)]
    assert rig.rows("SELECT clip, outcome, detect_id, camera FROM camalert_alert") == [(1, "person", 1, "garage")]


def test_clip_without_a_picture_keeps_the_reason(rig: Rig) -> None:
    """A clip that cannot be read is not lost: it stays in its table with the reason, and makes no empty alert."""
    loaded = clip_loaded(rig)

    rig.turn(rig.conclusion(loaded, Outcome.FAILED, reason="not examined: no video"))

    assert rig.rows("SELECT state, reason, clip FROM camalert_clip") == [
        ("failed", "not examined: no video", b"a clip")
    ]
    assert rig.rows("SELECT count(*) FROM alerts_alert") == [(0,)]
    assert rig.rows("SELECT count(*) FROM camalert_pending") == [(0,)]


def test_clip_goes_with_its_alert(rig: Rig) -> None:
    """Deleting the alert deletes the clip that it was made from."""
    loaded = clip_loaded(rig)
    with rig.pool.encoded(loaded.slot) as encoded:
        encoded[:4] = b"\xff\xd8\xff\xd9"
    rig.turn(rig.conclusion(loaded, Outcome.NOBODY, pictures=((0, 4),), best_index=-1))

    rig.writer._store.write(lambda found: found.execute("DELETE FROM alerts_alert"))

    assert rig.rows("SELECT count(*) FROM camalert_clip") == [(0,)]


def test_picture_beyond_the_largest_slot_is_given_up_with_the_reason(rig: Rig) -> None:
    """A pool made smaller since: the picture stays, and the reason says why nobody looked at it."""
    rig.store(JPEG)
    bigger = bytes(LAYOUT.largest_bytes + 5000)
    rig.writer._store.write(lambda found: found.execute("UPDATE alerts_alert SET snapshot = ?", (bigger,)))
    rig.writer._store.write(lambda found: found.execute("UPDATE camalert_pending SET bytes = ?", (len(bigger),)))
    rig.start()

    rig.turn(*rig.lend(large=True))
    rig.turn()

    ((outcome, reason),) = rig.rows("SELECT outcome, reason FROM camalert_alert")
    assert outcome == "failed"
    assert "exceeds" in reason


def test_ping_is_answered_and_figures_are_told(rig: Rig) -> None:
    """A sign of life from the working loop, and what the status shows."""
    rig.store(JPEG)
    rig.writer._notes._count_at = 0.0

    rig.turn(Ping(7))

    assert rig.take(Pong) == [Pong(7)]
    assert rig.take(Counted)[-1] == Counted(pending=1, alerts_today=1, detections_today=0, visits_today=0)


def test_answers_carry_what_was_asked(rig: Rig) -> None:
    """Slot, generation and mail id come back as they went."""
    store = rig.put_mail(JPEG, slot=1)

    rig.turn(store)

    (stored,) = rig.take(Stored)
    assert Store(stored.slot, stored.generation, stored.mail_id) == store


def test_first_picture_is_passed_on_while_the_disk_works(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """An alarm in a quiet house is decoded while the disk takes it in; its answer still waits for the disk."""
    rig.turn(*rig.lend(2))
    rig.take(Loaded)
    told_before_each_sync: list[list[Message]] = []
    sync = rig.writer._store._wal_sync.sync

    def late_sync() -> None:
        told = list(iter(rig.channel.receive, None))
        told_before_each_sync.append([message for message in told if isinstance(message, (Loaded, Stored))])
        rig.messages.extend(told)
        sync()

    monkeypatch.setattr(rig.writer._store._wal_sync, "sync", late_sync)

    rig.turn(rig.put_mail(JPEG))
    assert [type(message) for message in told_before_each_sync[0]] == [Loaded]
    assert len(rig.take(Loaded)) == len(rig.take(Stored)) == 1

    told_before_each_sync.clear()  # upkeep may have synced, too
    rig.turn(rig.put_mail(JPEG))
    assert told_before_each_sync[0] == [], "one that waits for another anyway wakes nobody for itself"
    assert len(rig.take(Loaded)) == len(rig.take(Stored)) == 1


def test_picture_given_up_in_a_replaced_database_is_not_given_up_in_the_new_one(rig: Rig, tmp_path: Path) -> None:
    """The new file's alert of the same id is another alert."""
    rig.store(JPEG)
    other = Rig(tmp_path / "other")
    other.store(b"\xff\xd8 other")
    other.close()
    os.replace(other.path, rig.path)
    rig.writer._store.read(lambda connection: connection.execute("SELECT 1").fetchone())  # which opens the new one
    record = FrameRecord(alert_id=1, reason="not examined: it is too large")
    rig.writer._batch.give_up(Verdict(1, Outcome.FAILED, Stage.DECODE, record=record))

    rig.turn()

    assert rig.rows("SELECT alert_id FROM camalert_pending") == [(1,)]
