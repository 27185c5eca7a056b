"""Content transfer encodings, as sloppy as cameras write them: encoded region in, decoded pieces out.

A decoder never fails: what cannot be decoded is left out, and the magic bytes of the result decide whether it is
a picture at all.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Generator, Iterator

from camalert.intake.mail.region import PIECE_BYTES, Buffer, Region

try:
    import pybase64  # an extra: by the processor's vector instructions, in a third of the time
except ImportError:
    _decode_lines: Callable[[memoryview], bytes] = binascii.a2b_base64
else:

    def _decode_lines(lines: memoryview) -> bytes:
        try:
            # Without `validate` it reads padding in the middle differently than Python's own decoder.
            return pybase64.b64decode(bytes(lines).translate(None, b"\r\n"), validate=True)
        except binascii.Error:
            return binascii.a2b_base64(lines)


MAX_PADS = 20_000  # encoders that pad each of their chunks; more is no picture
MAX_UU_LINE_BYTES = 63
MAX_UU_LINES = 600_000  # 25 MiB in lines of 60 characters are 430 000
TAIL_BYTES = 2048  # a relay's advertisement below a picture is shorter
MAX_TWICE_BYTES = 3_145_728  # data encoded twice is decoded as a whole, up to this size

_WHITE = b"\r\n\t "
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_URL_SAFE = bytes.maketrans(b"-_", b"+/")  # RFC 4648, section 5
_ALIEN = bytes(set(range(256)) - set(_ALPHABET) - set(b"="))
_DATA_LINE = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_LINE_ENDS = re.compile(rb"[\r\n]*+")
_QUOTED_PAD = re.compile(rb"=3D\s*$")

BASE64 = "base64"
QUOTED = "quoted-printable"
UU = "uuencode"
IDENTITY = "identity"

_NAMES = {
    "base64": BASE64,
    "base-64": BASE64,
    "b": BASE64,
    "quoted-printable": QUOTED,
    "quotedprintable": QUOTED,
    "q": QUOTED,
    "x-uuencode": UU,
    "uuencode": UU,
    "x-uue": UU,
    "uue": UU,
}


def encoding_named(value: str) -> str:
    """Return our name of a declared transfer encoding, `IDENTITY` for one that is unknown."""
    word = value.strip().strip("\"'").lower().partition(";")[0].split()
    return _NAMES.get(word[0], IDENTITY) if word else IDENTITY


def decoded(region: Region, encoding: str) -> Iterator[Buffer]:
    """Decode a region piece by piece."""
    match encoding:
        case "base64":
            return _base64(region)
        case "quoted-printable":
            return _quoted(region)
        case "uuencode":
            return _uu(region)
        case _:
            return region.pieces()


def decoded_head(region: Region, encoding: str, count: int) -> bytes:
    """Decode no more than needed for the first `count` bytes."""
    window = region.between(region.start, region.start + 8 * count + 256)
    found = b""
    for piece in decoded(window, encoding):
        found += piece
        if len(found) >= count:
            break
    return found[:count]


def bound_bytes(region: Region, encoding: str) -> int:
    """Return a size that the decoded form never exceeds."""
    if encoding == BASE64:
        return len(region) * 3 // 4 + 4
    if encoding == UU:  # a line says its length itself, and its blanks may be gone
        return MAX_UU_LINE_BYTES * (region.source.count(b"\n", region.start, region.end) + 1)
    return len(region)


def _base64(region: Region) -> Iterator[Buffer]:
    """Decode base64 with line ends of any kind or none, dirt, padding in the middle or missing.

    Source: RFC 2045, section 6.8 (characters outside the alphabet are ignored); encoders that pad each of their
    chunks, and relays that add a text below, are in the field.
    """
    region = _without_trailing_text(region)
    if _QUOTED_PAD.search(region.tail(16)) and len(region) <= MAX_TWICE_BYTES:  # quoted-printable around base64
        region = Region.whole(b"".join(_quoted(region)))
    region = yield from _equal_lines(region)
    is_url_safe = region.find(b"_") >= 0 and region.find(b"/") < 0
    rest: Buffer = b""
    pads_left = MAX_PADS
    for piece in region.pieces():
        text = piece.translate(None, _WHITE)
        if rest:
            text = rest + text
        usable = len(text) & ~3
        if not is_url_safe:
            found = _if_clean(text[:usable])
            if found is not None:
                rest = text[usable:]
                yield found
                continue
        if is_url_safe:
            text = text.translate(_URL_SAFE)
        text = text.translate(None, _ALIEN)
        *padded, text = text.split(b"=")
        pads_left -= len(padded)
        if pads_left < 0:
            return
        for segment in padded:
            if segment:
                yield _unpadded(segment)
        usable = len(text) & ~3
        rest = text[usable:]
        yield binascii.a2b_base64(text[:usable])
    yield _unpadded(rest)


def _equal_lines(region: Region) -> Generator[Buffer, None, Region]:
    """Decode the clean beginning of base64 in lines of equal length: nearly always all of it but the end.

    It is decoded in place, line ends included (a third faster than taking them out first). That it was clean shows in
    the length: an alien character, padding or a torn line gives fewer bytes.

    Returns: The rest, which begins before the first piece that is not clean.
    """
    line_bytes = region.line_end(region.start) - region.start
    characters = len(bytes(region.source[region.start : region.start + min(line_bytes, 1024)]).rstrip(b"\r\n"))
    if line_bytes > 1024 or characters % 4 or not characters:
        return region
    piece_bytes = PIECE_BYTES // line_bytes * line_bytes
    at = region.start
    with memoryview(region.source) as view:
        while at + piece_bytes < region.end:
            try:
                found = _decode_lines(view[at : at + piece_bytes])
            except binascii.Error:
                break
            if len(found) != piece_bytes // line_bytes * characters // 4 * 3:
                break
            yield found
            at += piece_bytes
    return region.between(at, region.end)


def _if_clean(text: Buffer) -> bytes | None:
    """Decode whole groups of four, None when there is one alien character or any padding."""
    if b"=" in text:
        return None
    try:
        found = binascii.a2b_base64(text)
    except binascii.Error:
        return None
    return found if len(found) * 4 == len(text) * 3 else None


def _unpadded(text: Buffer) -> bytes:
    """Decode base64 that may lack its padding; a lone character of six bits is no byte."""
    text = text.translate(None, _ALIEN + b"=")
    if len(text) % 4 == 1:
        text = text[:-1]
    return binascii.a2b_base64(text + b"=" * (-len(text) % 4))


def _without_trailing_text(region: Region) -> Region:
    """Leave out lines at the end that are text, not data."""
    tail = region.tail(TAIL_BYTES)
    if not tail.translate(None, _ALPHABET + b"=\r\n"):
        return region
    lines = tail.splitlines(keepends=True)
    kept = len(lines)
    while kept and not (lines[kept - 1].strip() and _DATA_LINE.fullmatch(lines[kept - 1].strip())):
        kept -= 1
    if not kept:  # no clean line at all: the whole is dirty, not its end
        return region
    return region.between(region.start, region.end - sum(map(len, lines[kept:])))


def _quoted(region: Region) -> Iterator[Buffer]:
    """Decode quoted-printable; a piece ends at a line's end, or before an escape that would be torn."""
    at = region.start
    while at < region.end:
        piece = region.between(at, at + 65_536).copy()
        if at + len(piece) < region.end:
            newline = piece.rfind(b"\n") + 1
            escape = piece.rfind(b"=", -3)
            piece = piece[: newline or (escape if escape > 0 else len(piece))]
        at += len(piece)
        yield binascii.a2b_qp(piece)


def _uu(region: Region) -> Iterator[Buffer]:
    """Decode the first uuencoded file of a region, its `begin` line optional.

    Source: uuencode in POSIX; some encoders drop blanks at a line's end, some count them wrongly.
    """
    at = region.start
    begin = region.find(b"begin ")
    if begin >= 0:
        at = region.line_end(begin)
    for _ in range(MAX_UU_LINES):
        if at >= region.end:
            return
        after = region.line_end(at)
        line = bytes(region.source[at:after]).rstrip(b"\r\n")
        at = after
        if not line:
            blank = _LINE_ENDS.match(region.source, at, region.end)
            at = blank.end() if blank else at
            continue
        if line == b"end" or line[0] in b"` ":
            return
        yield _uu_line(line)


def _uu_line(line: bytes) -> bytes:
    count = (line[0] - 32) & 63
    needed = 1 + -(-count // 3) * 4
    try:
        return binascii.a2b_uu(line[:needed])
    except binascii.Error:
        return b""
