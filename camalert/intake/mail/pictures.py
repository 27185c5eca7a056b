"""The pictures and clips of a mail: found by their magic bytes wherever firmware puts them, then written out.

`find` works on regions of the mail, `write` decodes into a buffer that the caller lends (an intake slot).
"""

from __future__ import annotations

import codecs
import hashlib
import itertools
import re
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from camalert.decoding.headers import read_header
from camalert.decoding.kinds import HEAD_BYTES, is_zip, kind_of, named
from camalert.errors import FrameError
from camalert.intake.mail import archives, encodings
from camalert.intake.mail.parts import Leaf, LeftOut
from camalert.intake.mail.region import Region, no_hurry
from camalert.ipc.records import CLIPS, PictureRecord

LOGO_PX = 64  # what is smaller on a side is a signature's logo; no camera's picture is
MAX_COPIES_BYTES = 3_145_728  # pages of HTML that must be decoded to find the pictures in them, all of a mail
MAX_ARCHIVES_BYTES = 67_108_864  # ZIP archives and what is unpacked from them, all of a mail
MAX_PLACES = 200  # places looked at inside one text
MAX_MARKS = 20_000  # marks of a data URI that are looked at for its beginning
MAX_FOUND = 2000  # pictures and what looks like them, in one mail

# How base64 of each kind begins. Three bytes of magic make four characters: JPEG, PNG, GIF, RIFF (WebP, AVI), MP4 and
# AVIF, MKV; TIFF, JPEG 2000, ASF, FLV, DHAV, IMKH, HXVS; what begins with 00 00 01 or 00 00 00 01.
_BASE64_START = (
    rb"/9j/|iVBORw0KGgo|R0lGOD|UklGR|AAAA[A-Za-z0-9+/]{3}mdHlw|AAAA[A-Za-z0-9+/]{2}Z0eX|GkXfo|SUkqA|TU0AK|AAAADGpQ|/0//U"
    rb"|MCaydY5m|RkxWA|REhBV|SU1LSA|SFhW[SU]"
)
_BASE64_HEAD = re.compile(rb"(?:" + _BASE64_START + rb"|_9j_|Qk[0-3]|AAA[AB][A-Za-z0-9+/]{4}|R0A[A-Za-z0-9+/]|UEsDB)")
_BASE64_BLOCK = re.compile(rb"(?:\A|\n)[ \t>]*(" + _BASE64_START + rb")")
_BLOCK_LINES = re.compile(rb"(?:[A-Za-z0-9+/=]+[ \t]*(?:\r?\n[ \t>]*)?)++")
SAMPLE_BYTES = HEAD_BYTES  # enough to tell text from data, and every kind
NOT_KNOWN = "no kind of picture or clip that is known here"
_NOT_IN_TEXT = bytes(set(range(32)) - set(b"\t\n\f\r")) + b"\x7f"
_OF_MAIL_PROGRAMS = frozenset(
    (
        "application/ms-tnef", "application/vnd.ms-tnef", "application/pgp-signature", "application/pkcs7-signature",
        "application/x-pkcs7-signature",
    )
)  # fmt: skip
_NAMES_OF_PICTURES = (
    ".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".gif", ".heic", ".heif", ".avif", ".tif", ".tiff", ".jp2",
    ".jxl", ".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".ts", ".mts", ".m2ts", ".flv", ".wmv", ".asf", ".mpg",
    ".mpeg", ".3gp", ".dav", ".h264", ".264", ".h265", ".265", ".hevc", ".vob", ".ps", ".j2k", ".zip",
)  # fmt: skip

_URI_MARK = b";base64,"
_URI_START_BYTES = 150  # "data:image/jpeg;name=..." before the mark
_URI_START = re.compile(rb"data:([a-z]+/[^,;\s\"'<>]*+)[^,\s\"'<>]*+", re.IGNORECASE)
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
        return encodings.bound_bytes(self.region, self.encoding)

    def left_out(self, reason: str, *, matters: bool = True) -> LeftOut:
        """Say why it gives no row."""
        return LeftOut(reason, self.kind, self.name, len(self.region), matters)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a text a picture may lie, and what the text says of it."""

    region: Region
    encoding: str
    role: str
    span: tuple[int, int]  # in the text, also when the region is of a copy
    media_type: str = ""
    name: str = ""


def find(leaves: Iterable[Leaf], check_time: Callable[[], None] = no_hurry) -> tuple[list[Found], list[LeftOut]]:
    """Find every picture and clip of a mail, in the order of the mail, and what may be one of a kind not known here."""
    found: list[Found] = []
    left_out: list[LeftOut] = []
    copies_left_bytes = MAX_COPIES_BYTES
    archives_left_bytes = MAX_ARCHIVES_BYTES
    for leaf in leaves:
        check_time()
        if len(found) > MAX_FOUND:
            left_out.append(_left_out(leaf, f"more than {MAX_FOUND} pictures"))
            break
        whole = _as_whole(leaf)
        if whole is not None:
            found.append(whole)
            continue
        if is_zip(_sample(leaf)):
            archived = list(_in_archive(leaf, archives_left_bytes, check_time))
            pictures = [item for item in archived if isinstance(item, Found)]
            found += pictures
            left_out += (item for item in archived if isinstance(item, LeftOut))
            archives_left_bytes -= len(leaf.body) + sum(len(item.region) for item in pictures)
            continue
        text = _text_within(leaf, copies_left_bytes)
        if text is None:
            left_out.append(_left_out(leaf, "too large to be looked into"))
            continue
        before = len(found)
        for item in _within(leaf, text):
            if isinstance(item, Found):
                found.append(item)
            else:
                left_out.append(item)
        if len(found) > before and text.source is not leaf.body.source:
            copies_left_bytes -= len(text)  # a copy that pictures lie in stays until they are written out
        if len(found) == before and (unknown := _unknown(leaf)):
            left_out.append(unknown)
    return found, left_out


def write(
    found: Iterable[Found], out: memoryview, max_pictures: int, check_time: Callable[[], None] = no_hurry
) -> tuple[tuple[PictureRecord, ...], tuple[LeftOut, ...]]:
    """Decode pictures back to back into a buffer.

    A picture that a mail shows in its text and attaches as well is one picture; the same bytes attached twice are two.
    One that does not fit into what is left of the buffer is left out; smaller ones after it may still fit.

    Returns: What was written, and what was left out with the reason for each.
    Raises: what `check_time` raises.
    """
    kept: list[PictureRecord] = []
    left_out: list[LeftOut] = []
    shown: dict[int, dict[tuple[tuple[int, ...], str], int]] = {}  # first offset of equal bytes -> count by role
    twins = _Twins(out)
    offset = 0
    for picture in found:
        check_time()
        if len(kept) == max_pictures:
            left_out.append(picture.left_out(f"more than {max_pictures} pictures"))
            break
        length = _decode_into(picture, out[offset:])
        if length is None:
            left_out.append(picture.left_out(f"too large for the {len(out) - offset} bytes that are left"))
            continue
        reason = _not_a_picture(picture.kind, out[offset : offset + length])
        if not reason:
            counts = shown.setdefault(twins.first(offset, length), {})
            rows = max(counts.values(), default=0)
            counts[picture.role] = counts.get(picture.role, 0) + 1
            if counts[picture.role] <= rows:
                reason = "the same picture, inline and attached"
        if reason:
            left_out.append(picture.left_out(reason, matters=False))
        else:
            kept.append(PictureRecord(offset, length, picture.kind, picture.name))
            offset += length
    return tuple(kept), tuple(left_out)


def _as_whole(leaf: Leaf) -> Found | None:
    """Take a leaf that is a picture as a whole, whatever encoding it declares."""
    body = leaf.body.stripped()
    if not body:
        return None
    for encoding in _encodings(leaf.encoding, body.head(80)):
        kind = kind_of(encodings.decoded_head(body, encoding, HEAD_BYTES))
        if kind:
            return Found(body, encoding, kind, leaf.name, (leaf.branch, _role(leaf)))
    return None


def _encodings(declared: str, head: bytes) -> Iterator[str]:
    yield declared
    if declared != encodings.IDENTITY:
        yield encodings.IDENTITY
    if declared != encodings.BASE64 and _BASE64_HEAD.match(head):
        yield encodings.BASE64
    if declared != encodings.QUOTED and head.startswith((b"=FF=D8", b"=ff=d8", b"=89PNG")):
        yield encodings.QUOTED
    if declared != encodings.UU and _UU_BEGIN.match(head):
        yield encodings.UU


def _role(leaf: Leaf) -> str:
    disposition = leaf.headers.token("content-disposition")
    if disposition.startswith("inline"):
        return "inline"
    return "inline" if leaf.headers.raw("content-id") and not disposition.startswith("attach") else "attached"


def _text_within(leaf: Leaf, copies_left_bytes: int) -> Region | None:
    """Return the text that may have pictures inside: the leaf's, decoded; None when it is too large for that.

    What a mail calls a picture or a file may be such a text as well: base64 of base64, a data URI in a part of its own.
    """
    is_text = leaf.is_text or leaf.is_stray or leaf.media_type.startswith("multipart/")
    if not is_text and not _looks_like_text(_sample(leaf)):
        return leaf.body.between(leaf.body.start, leaf.body.start)
    if leaf.encoding == encodings.IDENTITY:
        return leaf.body
    if encodings.bound_bytes(leaf.body, leaf.encoding) > copies_left_bytes:
        return None
    return Region.whole(b"".join(encodings.decoded(leaf.body, leaf.encoding)))


def _in_archive(leaf: Leaf, limit_bytes: int, check_time: Callable[[], None]) -> Iterator[Found | LeftOut]:
    """Find the pictures and clips of a ZIP archive; what else is in it is named, but for texts."""
    size_bytes = encodings.bound_bytes(leaf.body, leaf.encoding)
    if size_bytes > limit_bytes:
        yield _left_out(leaf, "a ZIP archive that is too large to be opened")
        return
    archive = leaf.body.stripped()
    if leaf.encoding != encodings.IDENTITY:
        archive = Region.whole(b"".join(encodings.decoded(archive, leaf.encoding)))
    has_any = False
    for member in archives.members(archive, limit_bytes - size_bytes):
        check_time()
        if isinstance(member, archives.Refused):
            has_any = True
            yield LeftOut(member.reason, leaf.media_type[:100], member.name or leaf.name, len(leaf.body))
            continue
        head = member.content.head(SAMPLE_BYTES)
        kind = kind_of(head)
        if kind:
            yield Found(member.content, encodings.IDENTITY, kind, member.name, (leaf.branch, _role(leaf)))
        elif is_zip(head):
            yield LeftOut("a ZIP archive within one, which is not opened", "", member.name, len(member.content))
        elif not _looks_like_text(head):
            yield LeftOut(named(head) or NOT_KNOWN, "", member.name, len(member.content))
        has_any = has_any or bool(kind) or not _looks_like_text(head)
    if not has_any:
        yield _left_out(leaf, "a ZIP archive without a picture or clip")


def _within(leaf: Leaf, text: Region) -> Iterator[Found | LeftOut]:
    """Find pictures inside a text: data URIs, uuencoded files, base64 without a frame."""
    places = itertools.chain(_data_uris(text), _uu_files(text), _bare_blocks(text))
    taken: list[tuple[int, int]] = []
    for place in itertools.islice(places, MAX_PLACES):
        if any(place.span[0] < end and start < place.span[1] for start, end in taken):
            continue  # the data of a URI that begin on a line of their own
        head = encodings.decoded_head(place.region, place.encoding, SAMPLE_BYTES)
        kind = kind_of(head)
        if kind:
            taken.append(place.span)
            yield Found(place.region, place.encoding, kind, place.name, (leaf.branch, place.role))
        elif _is_of_pictures(place.media_type, place.name) and head and not _looks_like_text(head):
            yield LeftOut(named(head) or NOT_KNOWN, place.media_type, place.name, len(place.region))
    if next(places, None):
        yield _left_out(leaf, f"more than {MAX_PLACES} pictures in one text")


def _unknown(leaf: Leaf) -> LeftOut | None:
    """Say what a leaf is that holds no picture known here; None for texts, which are read as such."""
    sample = _sample(leaf)
    is_text = leaf.is_stray or leaf.is_text or leaf.media_type.startswith(("multipart/", "message/"))
    if is_text and b"\0" not in sample.rstrip(b"\0 \t\r\n"):
        return None
    if leaf.media_type in _OF_MAIL_PROGRAMS or leaf.name.lower() == "winmail.dat":
        return _left_out(leaf, "a mail program's own data", matters=False)
    if is_text:
        charset = leaf.headers.parameter("content-type", "charset").lower()
        return None if charset.startswith(("utf-16", "utf-32", "ucs")) else _left_out(leaf, "no text")
    if _looks_like_text(sample):
        if not _is_of_pictures(leaf.media_type, leaf.name):
            return None
        # A page or a sentence in the place of a picture is no loss; a picture may hide in what has no blank.
        is_data = bool(sample) and b" " not in sample and not sample.startswith(b"<")
        return _left_out(leaf, "a text" if sample else "an empty part", matters=is_data)
    return _left_out(leaf, named(sample) or NOT_KNOWN)


def _left_out(leaf: Leaf, reason: str, *, matters: bool = True) -> LeftOut:
    return LeftOut(reason, leaf.media_type[:100], leaf.name, len(leaf.body), matters)


def _sample(leaf: Leaf) -> bytes:
    return encodings.decoded_head(leaf.body.stripped(), leaf.encoding, SAMPLE_BYTES)


def _looks_like_text(head: bytes) -> bool:
    """Tell text by its first bytes: no control character, and 8-bit characters in UTF-8 alone."""
    if head.translate(None, _NOT_IN_TEXT) != head:
        return False
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)  # the last character may be torn
    except UnicodeError:
        return False
    return True


def _is_of_pictures(media_type: str, name: str) -> bool:
    return media_type.startswith(("image/", "video/")) or name.lower().endswith(_NAMES_OF_PICTURES)


def _data_uris(text: Region) -> Iterator[_Place]:
    at = text.start
    for _ in range(MAX_MARKS):
        mark = text.find(_URI_MARK, at)
        if mark < 0:
            return
        at = mark + len(_URI_MARK)
        before = text.between(mark - _URI_START_BYTES, mark).copy()
        start = _URI_START.fullmatch(before, max(0, before.lower().rfind(b"data:")))
        if not start:
            continue
        data = _URI_DATA.match(text.source, at, text.end)
        if data is None:
            continue
        at = data.end()
        region = text.between(data.start(), data.end())
        if region.find(b"%") >= 0 and len(region) <= MAX_COPIES_BYTES:
            region = Region.whole(urllib.parse.unquote_to_bytes(region.copy()))
        yield _Place(region, encodings.BASE64, "inline", data.span(), start[1].decode("latin-1").lower())


def _uu_files(text: Region) -> Iterator[_Place]:
    if text.find(b"begin ") < 0:
        return
    begins = _UU_BEGIN.finditer(text.source, text.start, text.end)
    begin = next(begins, None)
    while begin:
        following = next(begins, None)
        region = text.between(begin.end(), following.start() if following else text.end)
        end = region.find(b"\nend", begin.end() - 1)
        if end >= 0:
            region = region.between(region.start, end + 1)
        span = begin.start(), region.end
        yield _Place(region, encodings.UU, "attached", span, name=begin[1].decode("latin-1")[:120])
        begin = following


def _bare_blocks(text: Region) -> Iterator[_Place]:
    at = text.start
    while block := _BASE64_BLOCK.search(text.source, at, text.end):
        lines = _BLOCK_LINES.match(text.source, block.start(1), text.end)
        at = lines.end() if lines else block.end()
        yield _Place(text.between(block.start(1), at), encodings.BASE64, "attached", (block.start(1), at))


def _decode_into(picture: Found, out: memoryview) -> int | None:
    """Return how many bytes a picture takes in the buffer, None when it does not fit."""
    length = 0
    for piece in encodings.decoded(picture.region, picture.encoding):
        if length + len(piece) > len(out):
            return None
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


class _Twins:
    """Which pictures in a buffer have the same bytes; only those of one length are read for it, each once."""

    def __init__(self, out: memoryview) -> None:
        self._out = out
        self._alone: dict[int, int | None] = {}  # length -> offset of the only picture, None for several
        self._digests: dict[bytes, int] = {}  # -> offset, of lengths that there are several of

    def first(self, offset: int, length: int) -> int:
        """Return the offset of the first picture with the bytes of this one, which may be itself."""
        before = self._alone.setdefault(length, offset)
        if before == offset:
            return offset
        if before is not None:
            self._digests[self._digest(before, length)] = before
            self._alone[length] = None
        return self._digests.setdefault(self._digest(offset, length), offset)

    def _digest(self, offset: int, length: int) -> bytes:
        return hashlib.sha256(self._out[offset : offset + length]).digest()
