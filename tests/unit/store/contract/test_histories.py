"""Random histories: of one node, step by step against a model; of several at once, against what must hold of each."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from testing.stores import Node, Place

from camalert.errors import StoreError
from camalert.ipc.messages import MAX_TRIES, Outcome, StoreCode
from camalert.store.rows import retention
from camalert.store.rows.alerts import MailResult

WINDOW_S = 3600.0
STEPS = 60
NODES = 3


@dataclass
class Model:
    """What a store must have in it."""

    mails: dict[bytes, tuple[int, int]] = field(default_factory=dict)  # by mail_id: first alert and count
    digests: list[tuple[str, float, tuple[int, int]]] = field(default_factory=list)
    pictures: dict[int, bytes] = field(default_factory=dict)
    pending: dict[int, int] = field(default_factory=dict)  # tries
    outcomes: dict[int, str | None] = field(default_factory=dict)

    def expected(self, mail_id: bytes, digest: str, at_utc: float) -> StoreCode:
        """Return what a mail must be answered with."""
        if mail_id in self.mails:
            return StoreCode.STORED
        is_repeat = any(own == digest and abs(when - at_utc) <= WINDOW_S for own, when, _ in self.digests)
        return StoreCode.REPEATED if digest and is_repeat else StoreCode.STORED

    def take(self, mail_id: bytes, digest: str, at_utc: float, pictures: list[bytes], found: MailResult) -> None:
        """Take note of a mail that is new."""
        ids = [one.alert_id for one in found.pending]
        self.mails[mail_id] = (found.first_id, found.count)
        self.digests.append((digest, at_utc, (found.first_id, found.count)))
        for alert_id, picture in zip(ids, pictures, strict=True):
            assert alert_id not in self.pictures, "an id is given once"
            self.pictures[alert_id], self.pending[alert_id], self.outcomes[alert_id] = picture, 0, None

    def conclude(self, alert_id: int, outcome: Outcome) -> bool:
        """Take a verdict; return whether it is the last word on its picture."""
        if alert_id not in self.pending:
            return False
        if outcome is Outcome.DIED:
            self.pending[alert_id] += 1
            if self.pending[alert_id] < MAX_TRIES:
                return False
            outcome = Outcome.FAILED
        del self.pending[alert_id]
        self.outcomes[alert_id] = outcome.name.lower()
        return True


@pytest.mark.parametrize("seed", range(6))
def test_history_of_one_node_is_that_of_the_model(make_node: Callable[..., Node], seed: int) -> None:
    """Mails, repeats, verdicts, deletions and restarts in any order: the tables are what the model says."""
    chance, model, node = random.Random(seed), Model(), make_node()
    for _ in range(STEPS):
        match chance.choice(("mail", "mail", "again", "conclude", "conclude", "conclude", "delete", "restart")):
            case "mail" | "again" as what:
                is_new = what == "mail" or not model.mails
                mail_id = chance.randbytes(16) if is_new else chance.choice(list(model.mails))
                digest = chance.choice(["", "a", "b", "c"])
                at_utc = 1e9 + chance.randrange(20) * 1000.0
                pictures = [chance.randbytes(chance.randrange(1, 200)) for _ in range(chance.randrange(1, 4))]
                expected = model.expected(mail_id, digest, at_utc)
                is_known = mail_id in model.mails
                found = node.mail(*pictures, mail_id=mail_id, digest=digest, received_utc=at_utc)
                assert found.code is expected
                if is_known:
                    assert (found.first_id, found.count, found.pending) == (*model.mails[mail_id], ())
                elif found.code is StoreCode.REPEATED:
                    assert (found.first_id, found.count) in [ids for own, _, ids in model.digests if own == digest]
                else:
                    model.take(mail_id, digest, at_utc, pictures, found)
            case "conclude" if model.pictures:
                alert_id = chance.choice(list(model.pictures))
                outcome = chance.choice((Outcome.PERSON, Outcome.NOBODY, Outcome.DIED))
                assert node.conclude(alert_id, outcome).is_written == model.conclude(alert_id, outcome)
            case "delete" if model.pictures:
                alert_id = chance.choice(list(model.pictures))
                node.store.write(
                    lambda rows, own=alert_id: rows.execute("DELETE FROM alerts_alert WHERE id = ?", (own,))
                )
                for known in (model.pictures, model.pending, model.outcomes):
                    known.pop(alert_id, None)
            case "restart":
                node.store.close()
                node = make_node()
    assert dict(node.rows("SELECT id, snapshot FROM alerts_alert")) == model.pictures
    assert dict(node.rows("SELECT alert_id, tries FROM camalert_pending")) == model.pending
    assert dict(node.rows("SELECT alert_id, outcome FROM camalert_alert")) == model.outcomes
    assert {waiting.alert_id for waiting in node.pending()} == set(model.pending)
    _is_consistent(node)


@dataclass
class Said:
    """What the nodes were answered, in threads of their own."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    stored: dict[bytes, list[MailResult]] = field(default_factory=dict)
    codes: dict[str, list[StoreCode]] = field(default_factory=dict)  # by digest
    pictures: dict[int, bytes] = field(default_factory=dict)
    written: Counter[int] = field(default_factory=Counter)
    persons: Counter[int] = field(default_factory=Counter)
    deleted: set[int] = field(default_factory=set)
    faults: list[BaseException] = field(default_factory=list)


def test_history_of_several_nodes_keeps_every_promise(place: Place, make_node: Callable[..., Node]) -> None:
    """The same mails at the same moment, verdicts on the same pictures, retention and cams beside them.

    Each mail is stored once and each picture concluded once, whoever asks; what was answered is there.
    """
    said, seed = Said(), time.time_ns()
    make_node()
    mails = [(number.to_bytes(16, "little"), f"digest {number % 25}") for number in range(1, 41)]
    threads = [
        threading.Thread(target=_work, args=(place, said, mails, random.Random(seed + number)))
        for number in range(NODES)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert said.faults == [], f"seed {seed}"
    node = make_node()
    for mail_id, answers in said.stored.items():
        stored = {(one.first_id, one.count) for one in answers if one.code is StoreCode.STORED}
        assert len(stored) <= 1, f"{mail_id!r} has one answer; seed {seed}"
        assert sum(bool(one.pending) for one in answers) <= 1, f"it is examined for one of the nodes; seed {seed}"
    stored_once = Counter(digest for (digest,) in node.rows("SELECT digest FROM camalert_mail"))
    assert set(stored_once.values()) == {1}, f"of the same bytes one is stored; seed {seed}"
    assert set(stored_once) == {digest for _, digest in mails}
    there = dict(node.rows("SELECT id, snapshot FROM alerts_alert"))
    kept = {alert_id: picture for alert_id, picture in said.pictures.items() if alert_id not in said.deleted}
    assert there == kept, f"what was answered is there; seed {seed}"
    pending = {waiting.alert_id for waiting in node.pending()}
    for alert_id in kept:
        assert said.written[alert_id] == (0 if alert_id in pending else 1), f"concluded once; seed {seed}"
    detections = Counter(row_id for (row_id,) in node.rows("SELECT alert_id FROM camalert_detect"))
    assert {alert_id: count for alert_id, count in said.persons.items() if count} == detections
    _is_consistent(node)


def _work(place: Place, said: Said, mails: list[tuple[bytes, str]], chance: random.Random) -> None:
    """Be one node."""
    store = place.store()
    try:
        store.open()
        node, order = Node(store), chance.sample(mails, len(mails))
        for mail_id, digest in order:
            pictures = [chance.randbytes(300) for _ in range(2)]
            found = _until(lambda: node.mail(*pictures, mail_id=mail_id, digest=digest, received_utc=1e9))  # noqa: B023
            with said.lock:
                said.stored.setdefault(mail_id, []).append(found)
                for one, picture in zip(found.pending, pictures if found.pending else [], strict=True):
                    said.pictures[one.alert_id] = picture
            for waiting in _until(node.pending)[:2]:
                outcome = chance.choice((Outcome.PERSON, Outcome.NOBODY))
                written = _until(lambda: node.conclude(waiting.alert_id, outcome)).is_written  # noqa: B023
                with said.lock:
                    said.written[waiting.alert_id] += written
                    said.persons[waiting.alert_id] += written and outcome is Outcome.PERSON
            if chance.random() < 0.1 and (rows := node.rows("SELECT id FROM alerts_alert")):
                (gone,) = chance.choice(rows)
                count = _until(
                    lambda: store.write(
                        lambda rows: rows.execute("DELETE FROM alerts_alert WHERE id = ?", (gone,)).rowcount  # noqa: B023
                    )
                )
                with said.lock:
                    said.deleted |= {gone} if count else set()
            _until(lambda: store.write(retention.by_count))
        store.close()
    except BaseException as error:  # noqa: BLE001 - told to the test
        said.faults.append(error)


def _until(work: Callable[[], object]):  # type: ignore[no-untyped-def]
    """Ask again, as a camera does that read 451."""
    for _ in range(20):
        try:
            return work()
        except StoreError:
            time.sleep(0.02)
    return work()


def _is_consistent(node: Node) -> None:
    """Hold counts and references against the rows."""
    for table, facts, key in (
        ("alerts_alert", "camalert_alert", "alert_id"), ("alerts_detect", "camalert_detect", "detect_id"),
    ):  # fmt: skip
        assert node.rows(f"SELECT id FROM {table} ORDER BY id") == node.rows(
            f"SELECT {key} FROM {facts} ORDER BY {key}"
        )
        assert node.rows(f"SELECT rows FROM camalert_rows WHERE name = '{table}'") == node.rows(
            f"SELECT count(*) FROM {table}"
        )
    before = node.rows("SELECT id, alerts, detections, bytes FROM camalert_holder ORDER BY id")
    node.store.write(retention.recount_holders)
    assert node.rows("SELECT id, alerts, detections, bytes FROM camalert_holder ORDER BY id") == before
    assert node.rows(
        "SELECT v.id FROM camalert_visit v LEFT JOIN camalert_alert a ON a.alert_id = v.best_alert AND a.visit = v.id"
        " WHERE a.alert_id IS NULL"
    ) == [], "a visit has a best picture that is there"  # fmt: skip
    assert node.rows(
        "SELECT v.id FROM camalert_visit v WHERE unreviewed <> (SELECT count(*) FROM camalert_alert a"
        " WHERE a.visit = v.id AND a.reviewed_utc IS NULL)"
    ) == []  # fmt: skip
