"""Between the slots and the database: a mail out of its intake slot, a picture into a frame slot, a verdict out of it.

The slots are shared memory that other processes write; what is read from there is checked before it is used.
"""

from __future__ import annotations

from camalert.errors import ProtocolError
from camalert.messages import Conclude, Outcome, Stage
from camalert.pool import Pool
from camalert.store.queue import Lease
from camalert.store.verdict import Verdict
from camalert.words import FrameWords, MailWords

JPEG_START = b"\xff\xd8"


def mail_words(pool: Pool, slot: int) -> MailWords:
    """Return the words of an intake slot.

    Raises: ProtocolError when they cannot be read, or name bytes outside of the slot.
    """
    words = MailWords.decode(pool.read_words(slot))
    room = pool.slots[slot].encoded.length
    for picture in words.pictures:
        if picture.offset < 0 or picture.length < 0 or picture.offset + picture.length > room:
            raise ProtocolError(f"a picture of {picture.length} bytes at {picture.offset} exceeds the slot's {room}")
    return words


def put(pool: Pool, lease: Lease, words: FrameWords, content: bytes | memoryview) -> None:
    """Put an encoded picture and its words into a frame slot.

    Raises: ProtocolError when it does not fit.
    """
    with pool.encoded(lease.slot) as encoded:
        if len(content) > len(encoded):
            raise ProtocolError(f"a picture of {len(content)} bytes exceeds the largest frame slot's {len(encoded)}")
        encoded[: len(content)] = content
    pool.write_words(lease.slot, words.encode())


def verdict(pool: Pool, message: Conclude) -> Verdict:
    """Take a verdict out of its slot, so that the slot is free whenever the commit comes."""
    outcome, stage = Outcome(message.outcome), Stage(message.stage)
    bare = Verdict(message.alert_id, outcome, stage, message.tries, message.exit)
    if outcome in (Outcome.DIED, Outcome.HUNG):
        return bare  # a process that ended in the middle of its work may have left anything
    try:
        words = FrameWords.decode(pool.read_words(message.slot))
        if words.alert_id != message.alert_id:
            raise ProtocolError(f"the slot's words are of alert {words.alert_id}, not {message.alert_id}")
        annotated = b""
        if outcome is Outcome.PERSON:
            annotated = _jpeg(pool, message.slot, words.annotated_offset, words.annotated_bytes)
        snapshot = b""
        if bare.is_clip and words.pictures:
            snapshot = _jpeg(pool, message.slot, *words.pictures[max(0, words.best_index)])
    except (ProtocolError, IndexError):
        return bare
    return Verdict(message.alert_id, outcome, stage, message.tries, message.exit, words, annotated, snapshot)


def _jpeg(pool: Pool, slot: int, offset: int, length: int) -> bytes:
    with pool.encoded(slot) as encoded:
        if offset < 0 or length <= 0 or offset + length > len(encoded):
            raise ProtocolError(f"a picture of {length} bytes at {offset} exceeds the slot's {len(encoded)}")
        found = bytes(encoded[offset : offset + length])
    if not found.startswith(JPEG_START):
        raise ProtocolError(f"what lies at {offset} is not a JPEG file")
    return found
