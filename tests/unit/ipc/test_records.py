"""Records survive their encoding, and nothing else passes for them."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert.config.schema import Intake
from camalert.errors import ProtocolError
from camalert.intake.mail.reader import FIELD_CHARACTERS, HEADER_CHARACTERS, MAX_RECIPIENTS
from camalert.ipc.messages import NOTE_BYTES
from camalert.ipc.records import (
    EventRecord,
    FrameRecord,
    MailRecord,
    NoteRecord,
    PersonRecord,
    PictureRecord,
    SwitchRecord,
    ToldRecord,
)

MAIL = MailRecord(1.5, pictures=(PictureRecord(0, 10, "jpeg"),))
FRAME = FrameRecord(7, people=(PersonRecord(1, 2, 3, 4, 0.5),), pictures=((0, 9), (9, 20)))
NOTE = NoteRecord("camera_known", camera="gate", seen_utc=5.0)
TOLD = ToldRecord(7, "retry", 5.0, reason="HTTP 500")
HAPPENED = EventRecord("silent", 5.0, "gate", "no mail")
SWITCH = SwitchRecord("snooze", "gate", until_utc=5.0, by="anna")
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["\ud800", 2**70, -(2**63), 1e308]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def test_record_of_a_mail_survive() -> None:
    """The writer reads what smtp wrote, in any script."""
    record = MailRecord(
        received_utc=1.5,
        subject="报警 仓库 'ä' \ud800",
        recipients=("a@b", "c"),
        pictures=(PictureRecord(0, 10, "jpeg", "../../etc/passwd"),),
    )

    found = MailRecord.decode(record.encode())

    assert found.pictures == record.pictures
    assert found.recipients == record.recipients
    assert found.subject.startswith("报警 仓库 'ä' ")


def test_record_of_a_mail_too_long_give_up_their_headers_first() -> None:
    """Long headers cost themselves, never the alarm."""
    record = MailRecord(received_utc=1.5, subject="kept", headers="x" * 200_000)

    found = MailRecord.decode(record.encode(limit_bytes=4096))

    assert found.subject == "kept"
    assert found.headers == ""


@pytest.mark.parametrize("character", ["\x01", "\U0001f4f7", "a", '"'])
def test_record_of_the_most_pictures_fit_whatever_they_are_called(character: str) -> None:
    """Names give way; a mail of as many pictures as are allowed can always be stored."""
    field = character * FIELD_CHARACTERS
    (most,) = (item.metadata["high"] for item in dataclasses.fields(Intake) if item.name == "max_pictures")
    record = MailRecord(
        received_utc=1.5, subject=field, camera=field, event=field, camera_time=field, peer="fe80::1", helo=field,
        login=field, sender=field, recipients=(field,) * MAX_RECIPIENTS, headers=character * HEADER_CHARACTERS,
        pictures=tuple(PictureRecord(26_214_400, 26_214_400, "jpeg", character * 120) for _ in range(int(most))),
    )  # fmt: skip

    found = MailRecord.decode(record.encode())

    assert [one.length for one in found.pictures] == [one.length for one in record.pictures]
    assert found.recipients == record.recipients


def test_record_of_a_frame_survive() -> None:
    """The writer reads what the detector wrote."""
    record = FrameRecord(7, camera="gate", people=(PersonRecord(1, 2, 3, 4, 0.5),), pictures=((0, 9), (9, 20)))

    assert FrameRecord.decode(record.encode()) == record


@pytest.mark.parametrize("block", [b"", b"[]", b"{", b'{"alert_id": 1, "surprise": 2}', b'{"people": []}', b"\xff"])
def test_block_that_is_no_record_is_refused(block: bytes) -> None:
    """A block that a dying process left half written is told apart."""
    with pytest.raises(ProtocolError):
        FrameRecord.decode(block)


def _places(record: Any) -> list[tuple[str, ...]]:
    """Return the paths to all values of a block."""
    table = json.loads(record.encode())
    found = [(item.name,) for item in fields(record)]
    for name in ("pictures", "people"):
        found += [(name, "0"), *((name, "0", key) for key in (table.get(name) or [{}])[0] if isinstance(key, str))]
    return found


@pytest.mark.parametrize(
    "record", [MAIL, FRAME, NOTE, TOLD, SWITCH, HAPPENED], ids=lambda record: type(record).__name__
)
@given(data=st.data(), value=ANY_JSON)
def test_any_json_in_any_field_is_refused_or_of_its_type(record: Any, data: st.DataObject, value: object) -> None:
    """Whoever reads a slot gets what the field declares, or one clean error; never a crash further down."""
    table = json.loads(record.encode())
    *way, last = data.draw(st.sampled_from(_places(record)))
    target: Any = table
    for step in way:
        target = target.setdefault(step, [{}]) if isinstance(target, dict) else target[int(step)]
    if isinstance(target, list):
        target[int(last)] = value
    elif isinstance(target, dict):
        target[last] = value
    block = json.dumps(table).encode("utf-8", "surrogatepass")

    try:
        found = type(record).decode(block)
    except ProtocolError:
        return
    again = type(record).decode(found.encode())
    assert again == found
    assert hash(found) is not None


@given(st.binary(max_size=200) | ANY_JSON.map(lambda value: json.dumps(value).encode("utf-8", "surrogatepass")))
def test_any_bytes_are_a_record_or_one_clean_error(block: bytes) -> None:
    """Half a block, other JSON and noise are all told apart in the same way."""
    for kind in (MailRecord, FrameRecord, NoteRecord, ToldRecord, SwitchRecord, EventRecord):
        with contextlib.suppress(ProtocolError):
            assert isinstance(kind.decode(block), kind)


@pytest.mark.parametrize(
    "block", [b"[" * 60_000, b'{"alert_id":' + b"9" * 5000 + b"}", b'{"alert_id":1,"kind":"\\ud800"}']
)
def test_json_made_to_break_its_reader_is_refused(block: bytes) -> None:
    """Nesting without end, numbers of thousands of digits, half a surrogate pair."""
    with pytest.raises(ProtocolError):
        FrameRecord.decode(block)


@pytest.mark.parametrize(
    "lie",
    [{"height_px": 2**70}, {"height_px": -1}, {"height_px": True}, {"height_px": 1.5}, {"best_score": 1.01},
     {"threshold": float("nan")}, {"decode_ms": float("inf")}, {"engine": {}}, {"people": {}}, {"pictures": [[1]]},
     {"pictures": [[1, 2, 3]]}, {"best_index": -2}, {"alert_id": None}],
    ids=str,
)  # fmt: skip
def test_record_out_of_its_range_is_refused(lie: dict[str, object]) -> None:
    """A process that was taken over cannot end the writer with a number that SQLite does not hold."""
    with pytest.raises(ProtocolError, match=next(iter(lie))):
        FrameRecord.decode(json.dumps({"alert_id": 7} | lie).encode())


@given(st.builds(NoteRecord, *[st.text(max_size=2000)] * 5))
def test_note_of_any_length_stays_a_note(note: NoteRecord) -> None:
    """Control characters take six bytes each in JSON; what is cut is a sentence, never the JSON around it."""
    block = note.encode()

    assert len(block) <= NOTE_BYTES
    found = NoteRecord.decode(block)
    assert note.message.encode("utf-8", "replace").decode().startswith(found.message)


@given(st.builds(ToldRecord, st.just(7), st.text(max_size=2000), st.just(1.0), reason=st.text(max_size=5000)))
def test_told_of_any_length_stays_one(told: ToldRecord) -> None:
    """The reason is what gives way."""
    block = told.encode()

    assert len(block) <= NOTE_BYTES
    assert ToldRecord.decode(block).outbox_id == 7


@given(st.builds(EventRecord, st.text(), st.just(1.0), st.text(max_size=2000), st.text(max_size=5000)))
def test_event_of_any_length_stays_one(event: EventRecord) -> None:
    """The sentence gives way first, then the name."""
    block = event.encode()

    assert len(block) <= NOTE_BYTES
    EventRecord.decode(block)


def test_switch_of_a_name_too_long_is_refused() -> None:
    """Cut, it would be about another camera, or about all."""
    with pytest.raises(ProtocolError, match="exceeds"):
        SwitchRecord("armed", "x" * NOTE_BYTES).encode()


def test_note_that_fits_is_not_cut() -> None:
    """The owner reads the whole sentence."""
    note = NoteRecord("session_failed", "warning", "gate", "10.0.0.5", "x" * 590, is_failure=True)

    assert NoteRecord.decode(note.encode()) == note
