"""The parts of a mail: a walk over regions of its bytes that finds every leaf, however broken the frame around it.

What belongs to no part (a preamble, an epilogue, what follows data without a boundary) comes out as a leaf too,
marked as stray, because firmware that gets its boundaries wrong puts pictures there.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from camalert.intake.mail import encodings
from camalert.intake.mail.charsets import header_text
from camalert.intake.mail.headers import Headers, split
from camalert.intake.mail.region import Region, no_hurry

MAX_DEPTH = 12
MAX_PARTS = 2000
MAX_ALIENS = 200  # dirt in one stretch of base64 that is looked at
# Decoded copies (a mail inside base64) live beside the mail itself: this bounds the memory of a hostile one.
MAX_COPIES_BYTES = 4_194_304

MAX_MARKER_BYTES = 202  # of a boundary line that is guessed; RFC 2046 allows 72
MAX_FALSE_MARKERS = 20_000  # lines of a mail that begin like a boundary and are none

_GUESSED = re.compile(
    rb"^(--[^\r\n]++)\r?\n(?:[ \t]*+\r?\n)?+[ \t]*+content-(?:type|transfer|disposition)",
    re.IGNORECASE | re.MULTILINE,
)
_LIKE_A_PART = re.compile(rb"(?:--[^\r\n]*\r?\n)?content-(?:type|transfer|disposition)", re.IGNORECASE)
_OUT_OF_DATA = re.compile(rb"--|[A-Za-z][A-Za-z-]+[ \t]*:[ \t]")


@dataclass(frozen=True, slots=True)
class Leaf:
    """A part without parts: what its header says and where its bytes lie.

    `branch` tells alternatives apart: leaves of different branches are never seen together.
    """

    headers: Headers
    body: Region
    encoding: str
    branch: tuple[int, ...] = ()
    is_stray: bool = False

    @property
    def media_type(self) -> str:
        """Return the declared media type; a part that declares none is plain text."""
        return self.headers.media_type or "text/plain"

    @property
    def is_text(self) -> bool:
        """Tell whether the leaf says of itself that it is text."""
        return self.media_type.startswith("text/") or "/" not in self.media_type

    @property
    def name(self) -> str:
        """Return the file name, for display and for the time in it; never a path to anything."""
        named = self.headers.parameter("content-disposition", "filename") or self.headers.parameter(
            "content-type", "name"
        )
        if "=?" in named:  # RFC 2047 forbids it here, and many write it
            named = header_text(named.encode())
        return re.split(r"[/\\]", named)[-1][:120]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that a mail carries and no row will show.

    `media_type` and `name` are what the mail says of it, `size_bytes` is its size in the mail, still encoded. What
    `matters` is in the mail and nowhere else: a picture or clip of a kind that is not known here, or one too many.
    A logo, a mail program's own data or a second copy does not matter.
    """

    reason: str
    media_type: str = ""
    name: str = ""
    size_bytes: int = 0
    matters: bool = True

    @property
    def message(self) -> str:
        """Return all of it as one phrase for the log."""
        what = " ".join(filter(None, (self.media_type, self.name)))
        return f"{what} ({self.size_bytes} bytes): {self.reason}" if what else self.reason


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the tree of parts a walk is."""

    branch: tuple[int, ...] = ()
    depth: int = 0

    def below(self) -> _Place:
        return _Place(self.branch, self.depth + 1)


def walk(mail: Region, check_time: Callable[[], None] = no_hurry) -> tuple[Headers, list[Leaf], list[LeftOut]]:
    """Return the mail's own headers, all its leaves in their order, and what of its parts was not looked at."""
    headers, body = split(mail.stripped())
    state = _Walk(check_time)
    state.visit(headers, body, _Place())
    return headers, state.leaves, state.left_out


class _Walk:
    """One walk: the leaves it found and what it may still use."""

    def __init__(self, check_time: Callable[[], None]) -> None:
        self.leaves: list[Leaf] = []
        self.left_out: list[LeftOut] = []
        self._check_time = check_time
        self._parts_left = MAX_PARTS
        self._copies_left_bytes = MAX_COPIES_BYTES
        self._false_markers_left = MAX_FALSE_MARKERS
        self._branches = 0

    def visit(self, headers: Headers, body: Region, place: _Place) -> None:
        """Find the leaves of one part."""
        self._check_time()
        if not self._may_have_another():
            return
        encoding = encodings.encoding_named(headers.raw("content-transfer-encoding").decode("latin-1"))
        if place.depth < MAX_DEPTH:
            if headers.media_type == "message/rfc822":
                self._message(self._undone(body, encoding), place)
                return
            marker = self._marker(headers, body)
            if not marker and headers.media_type.startswith("multipart/") and encoding != encodings.IDENTITY:
                body, encoding = self._undone(body, encoding), encodings.IDENTITY
                marker = self._marker(headers, body)
            if marker:
                self._parts(headers, body, marker, place)
                return
        elif headers.media_type.startswith(("multipart/", "message/rfc822")):
            self.left_out.append(LeftOut(f"nested deeper than {MAX_DEPTH} parts", headers.media_type, "", len(body)))
        end = _end_of_data(body) if encoding == encodings.BASE64 else body.end
        self.leaves.append(Leaf(headers, body.between(body.start, end), encoding, place.branch))
        self._stray(body.between(end, body.end), place)

    def _message(self, body: Region, place: _Place) -> None:
        headers, inner = split(body.stripped())
        self.visit(headers, inner, place.below())

    def _parts(self, headers: Headers, body: Region, marker: bytes, place: _Place) -> None:
        is_alternative = headers.media_type == "multipart/alternative"
        is_digest = headers.media_type == "multipart/digest"
        for part, is_part in self._cut(body, marker):
            if self._parts_left < 0:
                return
            self._check_time()
            if not is_part:
                self._stray(part, place)
                continue
            own = place.below()
            if is_alternative:
                self._branches += 1
                own = _Place((*place.branch, self._branches), place.depth + 1)
            inner, content = split(part)
            if is_digest and not inner.media_type:
                self._message(content, own)
            else:
                self.visit(inner, content, own)

    def _stray(self, region: Region, place: _Place) -> None:
        """Take what lies outside of all parts: as a part when it begins like one, else as stray text."""
        start = region.stripped()
        if not start:
            return
        if not self._may_have_another():
            return
        if place.depth < MAX_DEPTH and _LIKE_A_PART.match(start.head(300)):
            if start.head(2) == b"--":
                start = start.between(start.line_end(start.start), start.end)
            self.visit(*split(start), place.below())
            return
        self.leaves.append(Leaf(Headers(), region, encodings.IDENTITY, place.branch, is_stray=True))

    def _may_have_another(self) -> bool:
        self._parts_left -= 1
        if self._parts_left == -1:
            self.left_out.append(LeftOut(f"more than {MAX_PARTS} parts"))
        return self._parts_left >= 0

    def _undone(self, body: Region, encoding: str) -> Region:
        """Undo the transfer encoding of a container, as far as the memory for copies goes."""
        if encoding == encodings.IDENTITY:
            return body
        if encodings.bound_bytes(body, encoding) > self._copies_left_bytes:
            self.left_out.append(LeftOut("too large to look into", "a mail in a mail", size_bytes=len(body)))
            return body
        copy = b"".join(encodings.decoded(body, encoding))
        self._copies_left_bytes -= len(copy)
        return Region.whole(copy) if copy else body

    def _marker(self, headers: Headers, body: Region) -> bytes:
        """Return the line start that parts this body, b"" when nothing does.

        The declared boundary wins; firmware that writes it without the two dashes, writes another one than it declares,
        or declares none at all is in the field.
        """
        declared = headers.boundary
        if declared:
            for marker in (b"--" + declared, declared):
                if self._next_marker(body, marker, body.start) is not None:
                    return marker
        is_multipart = headers.media_type.startswith("multipart/")
        if is_multipart or declared or not headers.raw("content-type") or headers.media_type == "text/plain":
            for found in _GUESSED.finditer(body.head(65_536)):
                marker = found[1].rstrip(b" \t")
                if len(b"--") < len(marker) <= MAX_MARKER_BYTES:
                    return marker
        return b""

    def _cut(self, body: Region, marker: bytes) -> Iterator[tuple[Region, bool]]:
        """Cut a body at its markers; yields (region, whether it is a part)."""
        found = self._next_marker(body, marker, body.start)
        if found is None:
            return
        yield body.between(body.start, found[0]), False
        for number in itertools.count(1):
            start = found[1]
            is_last = found[2]
            found = self._next_marker(body, marker, start) if number < MAX_PARTS else None
            end = body.end if found is None else found[0]
            if is_last and found is None:
                yield body.between(start, end), False
            elif start < end:
                yield body.between(start, end), True
            if found is None:
                return

    def _next_marker(self, body: Region, marker: bytes, start: int) -> tuple[int, int, bool] | None:
        """Find the next marker line.

        Returns: Where the part before it ends, where the next one begins, whether it is the closing marker; or None.
        """
        source = body.source
        at = start if start == body.start and source.startswith(marker, start, body.end) else -1
        if at < 0:
            at = _behind_newline(body, marker, start - 1)
        while at >= 0 and self._false_markers_left:
            line_end = body.line_end(at)
            rest = bytes(source[at + len(marker) : min(line_end, at + len(marker) + 200)])
            if not rest.strip(b"- \t\r\n") and (rest.startswith(b"--") or not rest.strip()):
                return max(start, _before_newline(body, at)), line_end, rest.startswith(b"--")
            self._false_markers_left -= 1
            at = _behind_newline(body, marker, at)
        return None


def _behind_newline(body: Region, marker: bytes, start: int) -> int:
    found = body.source.find(b"\n" + marker, max(body.start, start), body.end)
    return found if found < 0 else found + 1


def _before_newline(body: Region, at: int) -> int:
    """Return where the line before `at` ends: the line end that precedes a boundary belongs to it (RFC 2046, 5.1.1)."""
    source = body.source
    if at > body.start and source[at - 1] == 0x0A:
        at -= 1
        if at > body.start and source[at - 1] == 0x0D:
            at -= 1
    return at


def _end_of_data(body: Region) -> int:
    """Return where base64 data ends because a boundary or a header follows that nothing announced.

    Neither a dash nor a colon is in the alphabet, so that clean data costs two quick looks.
    """
    ends = [body.end]
    for alien in (b"-", b":"):
        at = body.start
        for _ in range(MAX_ALIENS):
            at = body.find(alien, at)
            if at < 0:
                break
            line_start = body.source.rfind(b"\n", max(body.start, at - 80), at + 1) + 1
            if line_start and _OUT_OF_DATA.match(bytes(body.source[line_start : line_start + 80])):
                ends.append(line_start)
                break
            at += len(alien)
    return min(ends)
