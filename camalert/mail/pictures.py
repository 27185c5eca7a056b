"""The pictures and clips of a mail: found by their magic bytes wherever firmware puts them, then written out.

Pure: `find` works on places in the mail, `write` decodes into a buffer that the caller lends (an intake slot).
"""

from __future__ import annotations

import itertools
import re
import urllib.parse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from camalert.errors import FrameError, MailError
from camalert.mail import transfer
from camalert.mail.magic import CLIPS, HEAD_BYTES, kind_of
from camalert.mail.parts import Leaf
from camalert.mail.region import Region
from camalert.pictures import read_header
from camalert.words import PictureWords

LOGO_PX = 64  # what is smaller on a side is a signature's logo; no camera's picture is
MAX_COPIES_BYTES = 3_145_728  # pages of HTML that must be decoded to find the pictures in them, all of a mail
MAX_PLACES = 200  # places looked at inside one text
MAX_FOUND = 2000  # pictures and what looks like them, in one mail

# How base64 of each kind begins: JPEG, PNG, GIF, RIFF (WebP, AVI), MP4, MKV. Three bytes of magic make four characters.
_BASE64_START = rb"/9j/|iVBORw0KGgo|R0lGOD|UklGR|AAAA[A-Za-z0-9+/]{3}mdHlw|AAAA[A-Za-z0-9+/]{2}Z0eX|GkXfo"
_BASE64_HEAD = re.compile(rb"(?:" + _BASE64_START + rb"|_9j_|Qk[0-3])")
_BASE64_BLOCK = re.compile(rb"(?:\A|\n)[ \t>]*(" + _BASE64_START + rb")")
_BLOCK_LINES = re.compile(rb"(?:[A-Za-z0-9+/=]+[ \t]*(?:\r?\n[ \t>]*)?)++")
_URI_MARK = b";base64,"
_URI_START_BYTES = 150  # "data:image/jpeg;name=..." before the mark
_URI_START = re.compile(rb"data:[a-z]+/[^,\s\"'<>]*\Z", re.IGNORECASE)
_URI_DATA = re.compile(rb"[A-Za-z0-9+/=_\s%-]*")
_UU_BEGIN = re.compile(rb"^begin [0-7]{3,4} ([^\r\n]*)\r?\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Found:
    """A picture or clip in a mail: where, how encoded, what, and in which role a mail program shows it."""

    region: Region
    encoding: str
    kind: str
    name: str
    role: tuple[tuple[int, ...], str]  # the branch of alternatives, and "inline" or "attached"

    @property
    def bound_bytes(self) -> int:
        """Return a size that the decoded picture never exceeds."""
        return transfer.bound_bytes(self.region, self.encoding)


@dataclass(frozen=True, slots=True)
class Written:
    """What was written out, and what was left out with the reason for each."""

    pictures: tuple[PictureWords, ...]
    left_out: tuple[str, ...]


def find(leaves: Iterable[Leaf]) -> list[Found]:
    """Find every picture and clip of a mail, in the order of the mail."""
    found: list[Found] = []
    copies_left_bytes = MAX_COPIES_BYTES
    for leaf in leaves:
        whole = _as_whole(leaf)
        if whole is not None:
            found.append(whole)
        elif leaf.is_stray or leaf.is_text or leaf.media_type.startswith("multipart/"):
            inside = list(_within(leaf, copies_left_bytes))
            found.extend(inside)
            sources = {id(item.region.source): len(item.region.source) for item in inside}
            copies_left_bytes -= sum(sources.values()) - sources.get(id(leaf.body.source), 0)
        if len(found) > MAX_FOUND:
            break
    return found


def write(found: Iterable[Found], out: memoryview, max_pictures: int) -> Written:
    """Decode pictures back to back into a buffer.

    A picture that a mail shows in its text and attaches as well is one picture; the same bytes attached twice are two.

    Raises: MailError when the buffer is too small.
    """
    kept: list[PictureWords] = []
    left_out: list[str] = []
    shown: dict[int, dict[tuple[tuple[int, ...], str], int]] = {}  # first offset of equal bytes -> count by role
    offset = 0
    for picture in found:
        if len(kept) == max_pictures:
            left_out.append(f"more than {max_pictures} pictures")
            break
        length = _decode_into(picture, out[offset:])
        reason = _not_a_picture(picture.kind, out[offset : offset + length])
        if not reason:
            twin = _equal_to(out, offset, length, kept)
            counts = shown.setdefault(offset if twin is None else twin, {})
            rows = max(counts.values(), default=0)
            counts[picture.role] = counts.get(picture.role, 0) + 1
            if counts[picture.role] <= rows:
                reason = "the same picture, inline and attached"
        if reason:
            left_out.append(reason)
        else:
            kept.append(PictureWords(offset, length, picture.kind, picture.name))
            offset += length
    return Written(tuple(kept), tuple(left_out))


def _as_whole(leaf: Leaf) -> Found | None:
    """Take a leaf that is a picture as a whole, whatever encoding it declares."""
    body = leaf.body.stripped()
    if not body:
        return None
    for encoding in _encodings(leaf.encoding, body.head(80)):
        kind = kind_of(transfer.decoded_head(body, encoding, HEAD_BYTES))
        if kind:
            return Found(body, encoding, kind, leaf.name, (leaf.branch, _role(leaf)))
    return None


def _encodings(declared: str, head: bytes) -> Iterator[str]:
    yield declared
    if declared != transfer.IDENTITY:
        yield transfer.IDENTITY
    if declared != transfer.BASE64 and _BASE64_HEAD.match(head):
        yield transfer.BASE64
    if declared != transfer.QUOTED and head.startswith((b"=FF=D8", b"=ff=d8", b"=89PNG")):
        yield transfer.QUOTED
    if declared != transfer.UU and _UU_BEGIN.match(head):
        yield transfer.UU


def _role(leaf: Leaf) -> str:
    disposition = leaf.headers.token("content-disposition")
    if disposition.startswith("inline"):
        return "inline"
    return "inline" if leaf.headers.raw("content-id") and not disposition.startswith("attach") else "attached"


def _within(leaf: Leaf, copies_left_bytes: int) -> Iterator[Found]:
    """Find pictures inside a text: data URIs, uuencoded files, base64 without a frame."""
    text = leaf.body
    if leaf.encoding != transfer.IDENTITY:
        if transfer.bound_bytes(text, leaf.encoding) > copies_left_bytes:
            return
        text = Region.whole(b"".join(transfer.decoded(text, leaf.encoding)))
    places = itertools.chain(_data_uris(text), _uu_files(text), _bare_blocks(text))
    for encoding, region, name, shown in itertools.islice(places, MAX_PLACES):
        kind = kind_of(transfer.decoded_head(region, encoding, HEAD_BYTES))
        if kind:
            yield Found(region, encoding, kind, name, (leaf.branch, shown))


def _data_uris(text: Region) -> Iterator[tuple[str, Region, str, str]]:
    at = text.start
    for _ in range(MAX_PLACES):
        at = text.find(_URI_MARK, at) + len(_URI_MARK)
        if at < len(_URI_MARK):
            return
        if not _URI_START.search(text.between(at - _URI_START_BYTES, at - len(_URI_MARK)).copy()):
            continue
        data = _URI_DATA.match(text.source, at, text.end)
        if data is None:
            continue
        at = data.end()
        region = text.between(data.start(), data.end())
        if region.find(b"%") >= 0 and len(region) <= MAX_COPIES_BYTES:
            region = Region.whole(urllib.parse.unquote_to_bytes(region.copy()))
        yield transfer.BASE64, region, "", "inline"


def _uu_files(text: Region) -> Iterator[tuple[str, Region, str, str]]:
    if text.find(b"begin ") < 0:
        return
    end = text.start
    for begin in _UU_BEGIN.finditer(text.source, text.start, text.end):
        if 0 <= end < begin.end():  # looked for anew only when there may be one: the search may run to the mail's end
            end = text.find(b"\nend", begin.end() - 1)
        region = text.between(begin.end(), text.end if end < 0 else end + 1)
        yield transfer.UU, region, begin[1].decode("latin-1")[:120], "attached"


def _bare_blocks(text: Region) -> Iterator[tuple[str, Region, str, str]]:
    at = text.start
    while block := _BASE64_BLOCK.search(text.source, at, text.end):
        lines = _BLOCK_LINES.match(text.source, block.start(1), text.end)
        at = lines.end() if lines else block.end()
        yield transfer.BASE64, text.between(block.start(1), at), "", "attached"


def _decode_into(picture: Found, out: memoryview) -> int:
    length = 0
    for piece in transfer.decoded(picture.region, picture.encoding):
        if length + len(piece) > len(out):
            raise MailError(f"pictures exceed the {len(out)} bytes left for them")
        out[length : length + len(piece)] = piece
        length += len(piece)
    return length


def _not_a_picture(kind: str, data: memoryview) -> str:
    """Return why this is no picture for the owner, "" when it is one."""
    if not data:
        return "an empty picture"
    if kind in CLIPS:
        return ""
    try:
        header = read_header(data)
    except FrameError:
        return ""  # whether there is a picture in it, is for the decoder to find out
    if min(header.width_px, header.height_px) < LOGO_PX:
        return f"a logo of {header.width_px}x{header.height_px} px"
    return ""


def _equal_to(out: memoryview, offset: int, length: int, kept: list[PictureWords]) -> int | None:
    """Return the offset of the first kept picture with the same bytes."""
    for other in kept:
        if other.length == length and bytes(out[other.offset : other.offset + length]) == bytes(
            out[offset : offset + length]
        ):
            return other.offset
    return None
