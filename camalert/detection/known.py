"""What is known of a camera's scene: things that look like people to the networks and are none.

An object is known by its place and by its look there. It comes from a mark (*not a person*) or from the pictures
themselves: what was seen in one place with one look over hours, at different moments, does not move. Whoever stands in
front of it changes the look of its place, and counts; so does whoever moves.

    found, nothing known there ──▶ watched ──▶ seen at enough moments over enough hours ──▶ static
                                      └──────▶ marked: not a person ──▶ known
"""

from __future__ import annotations

import base64
import binascii
import enum
import math
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from operator import mul

LOOK_ROWS, LOOK_COLUMNS, DIRECTIONS = 6, 3, 8  # of a look: cells of the place, directions of edges in each
LOOK_BYTES = LOOK_ROWS * LOOK_COLUMNS * DIRECTIONS

SAME_PLACE = 0.5  # two boxes are in one place when they share this part of their union
# In another light the network may give the same thing half of its box, or one half as large again. It is the same when
# the place looks as good as unchanged: whoever stands there leaves less than this of the likeness.
NEAR_PLACE, UNCHANGED = 0.4, 0.9
LIKE = 0.65  # the cosine of two looks from which on they are of one thing, as measured in docs/internals/detection.md
STRICTEST = 0.97  # the most that can be asked: noise alone takes as much away
STRICTER = 0.03  # above the likeness of a picture in which somebody was missed

MOMENT_S = 600.0  # sightings that are closer together are of one moment
WATCHED_S = 7 * 86_400.0  # without a sighting, after which an object is forgotten
STATIC_S = 30 * 86_400.0
WATCHED_A_CAMERA, STATIC_A_CAMERA, MARKED_A_CAMERA = 12, 12, 24  # more make room for the newest
WATCHED, STATIC, MARKED_OBJECTS = 1024, 1024, 1024  # of all cameras


class Kind(enum.Enum):
    """What an object is; the values stand in records and in the database."""

    WATCHED = "watched"  # found, and counts; it may turn out not to move
    STATIC = "static"  # does not move
    MARKED = "marked"  # somebody said that it is no person


_KINDS = (Kind.MARKED, Kind.STATIC, Kind.WATCHED)  # the one that says most first; their order is that of `packed`
MOST_OF_RECORD = WATCHED_A_CAMERA + STATIC_A_CAMERA + MARKED_A_CAMERA
_ROW = struct.Struct(f"<QB5f{LOOK_BYTES}s")
MOST_OF_CAMERA = {Kind.WATCHED: WATCHED_A_CAMERA, Kind.STATIC: STATIC_A_CAMERA, Kind.MARKED: MARKED_A_CAMERA}
MOST_OF_ALL = {Kind.WATCHED: WATCHED, Kind.STATIC: STATIC, Kind.MARKED: MARKED_OBJECTS}


@dataclass(frozen=True, slots=True)
class Place:
    """A box in shares of the frame, from its upper left: so it means the same in every size that a camera sends."""

    x: float
    y: float
    width: float
    height: float

    def overlap(self, other: Place) -> float:
        """Return the share of the union that two places have in common, from 0 to 1."""
        wide = min(self.x + self.width, other.x + other.width) - max(self.x, other.x)
        tall = min(self.y + self.height, other.y + other.height) - max(self.y, other.y)
        if wide <= 0 or tall <= 0:
            return 0.0
        common = wide * tall
        return common / (self.width * self.height + other.width * other.height - common)


@dataclass(frozen=True, slots=True)
class Known:
    """An object that is known of a camera."""

    id: int
    kind: Kind
    place: Place
    look: bytes
    needs: float = LIKE  # the likeness from which on it is the same

    @property
    def counts(self) -> bool:
        """Tell whether a person found there counts all the same."""
        return self.kind is Kind.WATCHED


@dataclass(frozen=True, slots=True)
class Recognised:
    """That what was found is an object that is known."""

    known: Known
    likeness: float  # of its place now and when it was learned, up to 1


@dataclass(frozen=True, slots=True)
class Sightings:
    """When an object was seen."""

    first_utc: float
    last_utc: float
    moments: int  # that are at least `MOMENT_S` apart
    moment_utc: float  # the latest of them

    def after(self, at_utc: float) -> Sightings:
        """Return these with one more; a picture that was late, or a clock that was set back, adds no moment."""
        if at_utc - self.moment_utc < MOMENT_S:
            return replace(self, last_utc=max(self.last_utc, at_utc))
        return replace(self, last_utc=max(self.last_utc, at_utc), moments=self.moments + 1, moment_utc=at_utc)

    def is_static(self, moments: int, hours: float) -> bool:
        """Tell whether it was seen often and long enough; never for 0 moments, which means that nobody wants it."""
        return moments > 0 and self.moments >= moments and self.moment_utc - self.first_utc >= hours * 3600


def first_sighting(at_utc: float) -> Sightings:
    """Return the sightings of what is seen for the first time."""
    return Sightings(at_utc, at_utc, 1, at_utc)


def recognise(place: Place, known: Iterable[Known], look_at: Callable[[Place], bytes]) -> Recognised | None:
    """Return which known object something found is, None for none.

    The pixels are compared in the object's own place: the box of the same thing is never quite the same twice, the
    camera's view is. Of several the one that says most goes first: marked, static, watched; then the most alike.

    Args:
        place: Where it was found.
        known: What is known of the camera.
        look_at: Returns the look of a place in this picture.
    """
    found = [
        Recognised(one, likeness(one.look, look_at(one.place)))
        for one in known
        if one.place.overlap(place) >= NEAR_PLACE
    ]
    alike = [one for one in found if one.likeness >= _needed(one.known, place)]
    return min(alike, key=lambda one: (_KINDS.index(one.known.kind), -one.likeness), default=None)


def _needed(known: Known, place: Place) -> float:
    """Return the likeness from which on something found in a place is an object: more where the boxes share less."""
    return known.needs if known.place.overlap(place) >= SAME_PLACE else max(known.needs, UNCHANGED)


def likeness(look: bytes, other: bytes) -> float:
    """Return the cosine of two looks, -1 to 1; 0 when one of them is none."""
    if len(look) != LOOK_BYTES or len(other) != LOOK_BYTES:
        return 0.0
    first, second = memoryview(look).cast("b").tolist(), memoryview(other).cast("b").tolist()
    length = math.sqrt(sum(map(mul, first, first)) * sum(map(mul, second, second)))
    return sum(map(mul, first, second)) / length if length else 0.0


def stricter(needs: float, seen: float) -> float:
    """Return the likeness that is needed after somebody was missed in a picture where it was `seen`."""
    return min(STRICTEST, max(needs, seen + STRICTER))


def written(look: bytes) -> str:
    """Return a look as text."""
    return base64.b64encode(look).decode("ascii")


def read(text: str) -> bytes:
    """Return a look from its text, b"" when it is none: another process, or another program, may have written it."""
    try:
        look = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return look if len(look) == LOOK_BYTES else b""


def packed(known: Sequence[Known]) -> str:
    """Return objects as one text, which costs the processes that only pass it on next to nothing."""
    rows = (
        _ROW.pack(one.id, _KINDS.index(one.kind), *_sides(one.place), one.needs, one.look)
        for one in known[:MOST_OF_RECORD]
    )
    return base64.b64encode(b"".join(rows)).decode("ascii")


def unpacked(text: str) -> tuple[Known, ...]:
    """Return the objects of a text, none of one that is damaged: without them everybody counts."""
    try:
        block = base64.b64decode(text, validate=True)
        rows = list(_ROW.iter_unpack(block))
    except (binascii.Error, ValueError, struct.error):
        return ()
    return tuple(
        Known(own, _KINDS[kind], Place(*sides), look, needs)
        for own, kind, *sides, needs, look in rows[:MOST_OF_RECORD]
        if kind < len(_KINDS) and all(0 <= side <= 1 for side in sides) and 0 < needs <= 1
    )


def _sides(place: Place) -> tuple[float, float, float, float]:
    return place.x, place.y, place.width, place.height


def giving_way(rows: Sequence[tuple[int, int, float]], most: int) -> list[int]:
    """Return which of some objects make room, so that one more finds place among `most`.

    Those seen at one moment only go first, so that the people of a busy place push out nothing that stays there.

    Args:
        rows: Of each its id, the moments at which it was seen, and when it was seen last.
        most: How many there may be.
    """
    excess = len(rows) - most + 1
    ordered = sorted(rows, key=lambda row: (row[1] > 1, row[2], row[0]))
    return [row_id for row_id, _, _ in ordered[:excess]] if excess > 0 else []
