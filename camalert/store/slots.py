"""Between the slots and the database: a mail out of its intake slot, a picture into a frame slot, a verdict out of it.

The slots are shared memory that other processes write; what is read from there is checked before it is used.
"""

from __future__ import annotations

from dataclasses import replace

from camalert.errors import ProtocolError
from camalert.ipc.messages import Conclude, Outcome, Stage
from camalert.ipc.pool import Pool
from camalert.ipc.records import FrameRecord, MailRecord
from camalert.store.queue import Lease
from camalert.store.verdict import Verdict
from camalert.system.logs import log

JPEG_START, JPEG_END = b"\xff\xd8", b"\xff\xd9"


def read_mail(pool: Pool, slot: int) -> MailRecord:
    """Return the record of an intake slot.

    Raises: ProtocolError when it cannot be read, or names bytes outside of the slot.
    """
    record = MailRecord.decode(pool.read_record(slot))
    length = pool.slots[slot].encoded.length
    for picture in record.pictures:
        if picture.offset < 0 or picture.length < 0 or picture.offset + picture.length > length:
            raise ProtocolError(f"a picture of {picture.length} bytes at {picture.offset} exceeds the slot's {length}")
    return record


def write_picture(pool: Pool, lease: Lease, record: FrameRecord, content: bytes | memoryview) -> None:
    """Put an encoded picture and its record into a frame slot.

    Raises: ProtocolError when it does not fit.
    """
    with pool.encoded(lease.slot) as encoded:
        if len(content) > len(encoded):
            raise ProtocolError(f"a picture of {len(content)} bytes exceeds the largest frame slot's {len(encoded)}")
        encoded[: len(content)] = content
    pool.write_record(lease.slot, record.encode())


def read_verdict(pool: Pool, message: Conclude) -> Verdict:
    """Take a verdict out of its slot, so that the slot is free whenever the commit comes."""
    outcome, stage = Outcome(message.outcome), Stage(message.stage)
    bare = Verdict(message.alert_id, outcome, stage, message.tries, message.exit)
    if outcome in (Outcome.DIED, Outcome.HUNG, Outcome.SPARED):
        return bare  # a process that crashed in the middle of its work may have left anything
    try:
        record = FrameRecord.decode(pool.read_record(message.slot))
        if record.alert_id != message.alert_id:
            raise ProtocolError(f"the slot's record is of alert {record.alert_id}, not {message.alert_id}")
        annotated = snapshot = b""
        if outcome is Outcome.PERSON:
            annotated = _jpeg(pool, message.slot, record.annotated_offset, record.annotated_bytes)
        if bare.is_clip and record.pictures:
            snapshot = _jpeg(pool, message.slot, *record.pictures[max(0, record.best_index)])
    except (ProtocolError, IndexError):  # also of a repeat, whose slot holds the next picture by now
        return bare
    except Exception as error:  # noqa: BLE001 - of this slot alone, which another process has written
        log.error("verdict_unreadable", alert_id=message.alert_id, message=f"{type(error).__name__}: {error}")
        return bare
    return replace(bare, record=record, annotated=annotated, snapshot=snapshot)


def _jpeg(pool: Pool, slot: int, offset: int, length: int) -> bytes:
    with pool.encoded(slot) as encoded:
        if offset < 0 or length <= 0 or offset + length > len(encoded):
            raise ProtocolError(f"a picture of {length} bytes at {offset} exceeds the slot's {len(encoded)}")
        found = bytes(encoded[offset : offset + length])
    if not (found.startswith(JPEG_START) and found.endswith(JPEG_END)):
        raise ProtocolError(f"what is at {offset} is not a whole JPEG file")
    return found
