"""The messages that travel between the supervisor and its children.

Pure: used by every process; `wire` turns them into datagrams. A message is made of numbers only; words (subjects,
reasons, boxes) travel as JSON in the slot (see `words`).

Children speak in the past tense (`Ready`, `Stored`), the supervisor in the imperative (`Decode`, `Stop`). Two
messages pass through the supervisor unchanged in meaning: `Store` (smtp to writer) and `Stored` (writer to smtp).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

NOTE_BYTES = 1024  # a `Noted` text is cut to this


class StoreCode(enum.IntEnum):
    """Say what became of a mail."""

    STORED = 1  # committed now
    REPEATED = 2  # the same bytes came within the repeat window; nothing was added
    BUSY = 3  # the database is locked or unwritable for now: 451
    FULL = 4  # no space or read-only: 452
    REFUSED = 5  # the words in the slot could not be read: 451 and a defect of ours


class Outcome(enum.IntEnum):
    """Say how the examination of a picture ended."""

    PERSON = 1
    NOBODY = 2
    FAILED = 3  # the reason is in the slot's words
    DIED = 4  # a decoder or detector ended while it worked on it
    HUNG = 5  # a decoder or detector passed its deadline


class Stage(enum.IntEnum):
    """Name the two stages of an examination."""

    DECODE = 1
    DETECT = 2


@dataclass(frozen=True, slots=True)
class Ready:
    """A child has started and can take work. `pid` is its own."""

    pid: int


@dataclass(frozen=True, slots=True)
class Ping:
    """Ask a child's main loop for a sign of life."""

    number: int


@dataclass(frozen=True, slots=True)
class Pong:
    """Answer a `Ping`."""

    number: int


@dataclass(frozen=True, slots=True)
class Stop:
    """Finish what is begun and exit with 0; the smtp process drains."""


@dataclass(frozen=True, slots=True)
class Noted:
    """Something without a slot: UTF-8 JSON of at most `NOTE_BYTES`, an object with the key `event`.

    Told once; one that is lost with its sender is missing in the status and nowhere else.
    """

    text: bytes


@dataclass(frozen=True, slots=True)
class Store:
    """A mail lies in an intake slot: commit it. `mail_id`, 16 bytes, is unique; asking twice adds nothing."""

    slot: int
    generation: int
    mail_id: bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """The answer to `Store`, after the commit: alert ids `first_id` … `first_id + count - 1`."""

    slot: int
    generation: int
    mail_id: bytes
    code: int
    first_id: int
    count: int


@dataclass(frozen=True, slots=True)
class Lend:
    """A free frame slot is the writer's, to load a pending picture into.

    Told once: after each `Concluded` the slot is the writer's again, under the generation that follows.
    """

    slot: int
    generation: int


@dataclass(frozen=True, slots=True)
class Held:
    """Tell a new writer that this alert is being examined already, so that it does not load it again."""

    slot: int
    generation: int
    alert_id: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """The writer put a picture into a frame slot. `tries` counts earlier examinations that a process died of."""

    slot: int
    generation: int
    alert_id: int
    picture_bytes: int
    tries: int
    is_clip: bool
    is_live: bool


@dataclass(frozen=True, slots=True)
class Decode:
    """Turn the encoded picture `index` of a frame slot into a frame (for a clip: `frames` pictures first)."""

    slot: int
    generation: int
    picture_bytes: int
    index: int
    is_clip: bool


@dataclass(frozen=True, slots=True)
class Decoded:
    """The frame is in the slot, or `is_failed` and the words say why. `pictures` counts those of a clip, else 1."""

    slot: int
    generation: int
    is_failed: bool
    pictures: int


@dataclass(frozen=True, slots=True)
class Detect:
    """Look for people in the frame of a slot."""

    slot: int
    generation: int


@dataclass(frozen=True, slots=True)
class Detected:
    """Detection is done: the words hold boxes, scores and reason; the annotated JPEG is in the slot for PERSON."""

    slot: int
    generation: int
    outcome: int


@dataclass(frozen=True, slots=True)
class Conclude:
    """Write the verdict of an alert. For DIED and HUNG the writer counts a try and gives up at the second."""

    slot: int
    generation: int
    alert_id: int
    outcome: int
    stage: int
    tries: int
    exit: int


@dataclass(frozen=True, slots=True)
class Concluded:
    """The verdict is committed (or was before, or waits): the frame slot is the writer's again, in its next lease."""

    slot: int
    generation: int
    alert_id: int


@dataclass(frozen=True, slots=True)
class Counted:
    """The writer's figures for status and systemd, at most once a second."""

    pending: int
    alerts_today: int
    detections_today: int


Message = (
    Ready | Ping | Pong | Stop | Noted | Store | Stored | Lend | Held | Loaded
    | Decode | Decoded | Detect | Detected | Conclude | Concluded | Counted
)  # fmt: skip
