"""What a store does with mails and verdicts when nothing goes wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from testing.stores import MARKED, Node, Place

from camalert.config.schema import Config
from camalert.ipc.messages import MAX_TRIES, Outcome, StoreCode
from camalert.ipc.records import SwitchRecord
from camalert.store.queue import CLIP_BASE, FETCH_ROWS
from camalert.store.rows import retention, switches
from camalert.store.rows.retention import Young
from camalert.store.rows.tables import timestamp_of

PICTURE = b"\xff\xd8" + bytes(range(256)) * 8 + b"\xff\xd9"


def test_mail_is_kept_byte_for_byte_and_pending(node: Node) -> None:
    """Zeros, high bytes and backslashes among them; each picture waits for its examination."""
    found = node.mail(PICTURE, b"\x00\\x00'", subject="Größe 'x' %s ? :a", event="motion")

    assert (found.code, found.count, len(found.pending)) == (StoreCode.STORED, 2, 2)
    ids = [one.alert_id for one in found.pending]
    assert node.rows("SELECT id, snapshot FROM alerts_alert ORDER BY id") == [
        (ids[0], PICTURE), (ids[1], b"\x00\\x00'"),
    ]  # fmt: skip
    assert node.rows("SELECT subject, camera, event, bytes FROM camalert_alert ORDER BY alert_id") == [
        ("Größe 'x' %s ? :a", "garage", "motion", len(PICTURE)), ("Größe 'x' %s ? :a", "garage", "motion", 6),
    ]  # fmt: skip
    assert sorted(waiting.alert_id for waiting in node.pending()) == ids


def test_facts_follow_the_row_that_another_program_adds_edits_and_deletes(node: Node) -> None:
    """Cams, and whoever has a shell, writes Django's two tables and no other."""
    insert = (
        "INSERT INTO alerts_detect (subject, timestamp, snapshot) VALUES ('s', '2026-07-01 12:00:00', ?) RETURNING id"
    )
    [row_id] = node.store.write(lambda rows: rows.execute(insert, (PICTURE,)).fetchone())
    assert node.rows("SELECT detect_id, subject, timestamp, bytes FROM camalert_detect") == [
        (row_id, "s", "2026-07-01 12:00:00", len(PICTURE))
    ]

    node.store.write(lambda rows: rows.execute("UPDATE alerts_detect SET subject = 'other'"))
    assert node.rows("SELECT subject FROM camalert_detect") == [("other",)]

    node.store.write(lambda rows: rows.execute("DELETE FROM alerts_detect"))
    assert node.rows("SELECT count(*) FROM camalert_detect") == [(0,)]


def test_mail_asked_for_again_is_answered_with_its_ids(make_node: Callable[..., Node]) -> None:
    """By the successor of a writer that died before it could answer, or on another node."""
    first = make_node().mail(PICTURE, PICTURE, mail_id=b"m" * 16)

    again = make_node().mail(PICTURE, PICTURE, mail_id=b"m" * 16)

    assert (again.code, again.first_id, again.count, again.pending) == (StoreCode.STORED, first.first_id, 2, ())


def test_same_bytes_are_a_repeat_within_the_window_on_either_side(make_node: Callable[..., Node]) -> None:
    """Also on another node, and when the clock was set back."""
    one, other = make_node(), make_node()
    codes = [
        node.mail(PICTURE, digest="d", received_utc=1e9 + later_s).code
        for node, later_s in ((one, 0), (other, 100), (one, -3600), (other, 3601), (one, 7300))
    ]

    assert [code.name for code in codes] == ["STORED", "REPEATED", "REPEATED", "STORED", "STORED"]


def test_verdict_of_a_person_is_a_detection_once(make_node: Callable[..., Node]) -> None:
    """With its marked picture, a visit, and the end of its place in the queue; a second verdict changes nothing."""
    node, other = make_node(), make_node()
    alert_id = node.mail(PICTURE).first_id

    written = [each.conclude(alert_id, Outcome.PERSON).is_written for each in (node, other, node)]

    assert written == [True, False, False]
    assert node.rows("SELECT snapshot FROM alerts_detect") == [(MARKED,)]
    assert node.rows("SELECT outcome, best_score, objects FROM camalert_alert") == [("person", 0.9, "person")]
    assert node.rows("SELECT pictures, state, best_alert, unreviewed FROM camalert_visit") == [(1, "open", alert_id, 1)]
    assert node.rows("SELECT mails, alerts, detections, visits FROM camalert_day") == [(1, 1, 1, 1)]
    assert node.pending() == []


def test_unfinished_examination_gets_its_tries_and_then_fails_with_the_reason(node: Node) -> None:
    """The count is in the row, whoever examines it."""
    alert_id = node.mail(PICTURE).first_id

    found = [node.conclude(alert_id, Outcome.DIED, exit=-11) for _ in range(MAX_TRIES)]

    assert [one.is_written for one in found] == [False] * (MAX_TRIES - 1) + [True]
    assert [one.retry and one.retry.tries for one in found] == [*range(1, MAX_TRIES), None]
    ((outcome, reason),) = node.rows("SELECT outcome, reason FROM camalert_alert")
    assert outcome == "failed"
    assert "SIGSEGV" in reason


def test_clip_becomes_an_alert_by_its_examination(node: Node) -> None:
    """Until then it is no row of Django's; one of which no picture came keeps the reason."""
    kept, failed = (node.mail(b"a clip" * 9, kind="mp4").pending[0].alert_id for _ in range(2))
    assert kept > CLIP_BASE
    assert [waiting.alert_id for waiting in node.pending(is_large=True)] == [kept, failed]
    assert node.rows("SELECT count(*) FROM alerts_alert") == [(0,)]

    node.conclude(kept, Outcome.PERSON, snapshot=PICTURE)
    node.conclude(failed, Outcome.FAILED)

    assert node.rows("SELECT a.snapshot, f.outcome, f.clip FROM alerts_alert a JOIN camalert_alert f ON alert_id = id"
                     ) == [(PICTURE, "person", kept - CLIP_BASE)]  # fmt: skip
    assert node.rows("SELECT state FROM camalert_clip ORDER BY id") == [("examined",), ("failed",)]


def test_pending_pictures_come_oldest_first_without_those_that_are_known(node: Node) -> None:
    """However many are known, all others are found in the end."""
    ids = [node.mail(PICTURE).first_id for _ in range(5)]

    assert [waiting.alert_id for waiting in node.pending(known=frozenset(ids[1:3]))] == [ids[0], *ids[3:]]
    known: set[int] = set()
    while found := node.pending(known=frozenset(known)):
        assert len(found) <= FETCH_ROWS
        known |= {waiting.alert_id for waiting in found}
    assert known == set(ids)


def test_loaded_picture_has_what_its_mail_says(node: Node) -> None:
    """And is None when it is concluded."""
    node.mail(PICTURE, camera="Door", sender="a@b", recipients=("c@d", "é@f"), peer="10.0.0.7")
    (waiting,) = node.pending()

    found = node.load(waiting)

    assert found is not None
    assert (found.content, found.tries, waiting.sender) == (PICTURE, 0, "10.0.0.7")
    assert (found.record.camera, found.record.sender, found.record.recipients) == ("Door", "a@b", ("c@d", "é@f"))
    node.conclude(waiting.alert_id, Outcome.NOBODY)
    assert node.load(waiting) is None


def test_deleted_alert_leaves_the_queue(node: Node) -> None:
    """Whoever deletes it."""
    node.mail(PICTURE)
    node.store.write(lambda rows: rows.execute("DELETE FROM alerts_alert"))

    assert node.pending() == []
    assert node.rows("SELECT count(*) FROM camalert_alert") == [(0,)]


def test_visits_are_those_of_the_pictures_sorted_by_time(node: Node) -> None:
    """In whatever order their verdicts come; a best picture that goes leaves the visit another one."""
    ids = [node.mail(PICTURE, received_utc=1e9 + at_s).first_id for at_s in (0, 60, 120, 1000)]
    for index in (2, 0, 3, 1):
        node.conclude(ids[index], Outcome.PERSON)
    seen = "SELECT pictures, began_utc, last_utc FROM camalert_visit ORDER BY began_utc"
    assert node.rows(seen) == [(3, 1e9, 1e9 + 120), (1, 1e9 + 1000, 1e9 + 1000)]

    [(best,)] = node.rows("SELECT best_alert FROM camalert_visit WHERE pictures = 3")
    node.store.write(lambda rows: rows.execute("DELETE FROM alerts_alert WHERE id = ?", (best,)))
    [(other,)] = node.rows("SELECT best_alert FROM camalert_visit WHERE pictures = 3")
    assert other in set(ids) - {best}
    node.store.write(lambda rows: rows.execute("DELETE FROM alerts_alert WHERE id = ?", (ids[3],)))
    assert node.rows("SELECT count(*), sum(unreviewed) FROM camalert_visit") == [(1, 2)]


def test_switch_is_there_once_as_it_was_set_last(node: Node) -> None:
    """Whoever sets it."""
    for value in ("off", "on", "off"):
        node.store.write(
            lambda rows, value=value: switches.put(rows, SwitchRecord("armed", value=value, camera="Door"), 5.0)
        )

    assert node.store.read(lambda rows: switches.read(rows, 6.0)).armed == {"door": False}


def test_rows_beyond_the_limit_give_way_and_never_a_pending_one(make_node: Callable[..., Node]) -> None:
    """The largest sender's oldest go; what is to be examined stays; who has a person on it stays longer."""
    node = make_node(keep_alerts=10, keep_detections=10)
    first = [node.mail(PICTURE, peer="10.0.0.66").first_id for _ in range(20)]
    small = node.mail(PICTURE, peer="10.0.0.7").first_id
    node.conclude(first[0], Outcome.PERSON)
    for alert_id in (*first[1:15], small):
        node.conclude(alert_id, Outcome.NOBODY)

    while node.store.write(retention.by_count):
        pass

    left = {row_id for (row_id,) in node.rows("SELECT id FROM alerts_alert")}
    assert len(left) == 10
    assert {first[0], small, *first[15:]} <= left
    assert node.rows("SELECT rows FROM camalert_rows WHERE name = 'alerts_alert'") == [(10,)]


@pytest.mark.parametrize("zone", ["utc", "local"])
def test_timestamps_are_written_in_the_zone_of_the_configuration(place: Place, zone: str) -> None:
    """The same text stands in Django's table, as a site reads it, and in the facts."""
    store = place.store(timestamps=zone)
    store.open()
    node = Node(store, Config(database=replace(place.settings, timestamps=zone)))
    now_utc = time.time()
    node.mail(PICTURE, received_utc=now_utc)

    assert node.rows("SELECT timestamp FROM camalert_alert") == [(timestamp_of(now_utc, zone),)]
    store.close()


def test_rows_by_age_and_old_mails_go(node: Node) -> None:
    """In steps of a few rows, until nothing is left to do."""
    for number in range(12):
        node.conclude(node.mail(PICTURE, received_utc=1e6 + number).first_id, Outcome.NOBODY)
    young = node.mail(PICTURE)

    while node.store.write(lambda rows: retention.by_age(rows, "2001-01-01 00:00:00")):
        pass

    assert node.rows("SELECT id FROM alerts_alert") == [(young.first_id,)]


def test_second_opening_changes_nothing(make_node: Callable[..., Node]) -> None:
    """Neither rows nor counts, and there is nothing to warn of."""
    node = make_node()
    node.mail(PICTURE)
    before = node.rows("SELECT name, rows, keep FROM camalert_rows ORDER BY name")

    other = make_node()

    assert other.rows("SELECT name, rows, keep FROM camalert_rows ORDER BY name") == before
    assert other.store.take_warnings() == []
    assert other.store.epoch


def test_rows_that_gave_way_young_are_told_once_with_who_sends_the_most(node: Node) -> None:
    """The warning of the upkeep: whose rows they were to be, and whose the newest are."""
    for _ in range(3):
        node.mail(PICTURE)
    node.store.write(
        lambda rows: rows.execute(
            "UPDATE camalert_rows SET young = 2, holder = (SELECT max(holder) FROM camalert_alert)"
            " WHERE name = 'alerts_alert'"
        )
    )

    found = [node.store.write(retention.take_young) for _ in range(2)]

    assert found == [Young(2, "garage", "10.0.0.5", "garage", "10.0.0.5"), Young(0, "", "", "", "")]
