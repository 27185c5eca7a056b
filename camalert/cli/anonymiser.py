"""A mail without what is private in it, so that it can be shown to somebody else and is still read in the same way.

What is replaced: every word that is not known to say nothing private (`pseudonyms`), and every picture, clip and other
file (`fillers`). What stays, byte for byte: the order and folding of headers, boundaries, encodings, line ends, what is
broken about any of them. A password, an address or a name is replaced by the same other one throughout the mail.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import dataclasses
import hashlib
import re
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass

from camalert.cli.fillers import filler
from camalert.cli.pseudonyms import Pseudonyms
from camalert.intake.mail import encodings, pictures
from camalert.intake.mail.charsets import codec_named, text_of, word_payload
from camalert.intake.mail.parts import Leaf, walk
from camalert.intake.mail.pictures import Found
from camalert.intake.mail.region import Region
from camalert.intake.mail.text import charset_of

MAX_LEVELS = 4  # of mails inside encoded mails; what is deeper is replaced as a whole
LOOK_BYTES = 256
MAX_UU_BYTES = 45  # of a line that Python writes; encoders use no more

_WIDE = ("utf-16", "utf-32")
_IN_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-=\r\n"
_BASE64_RUN = re.compile(rb"[A-Za-z0-9+/_-]+|=+")
_IN_TWOS = re.compile(rb"(?:[0-9A-Za-z]\0){3}|(?:\0[0-9A-Za-z]){3}")
_QUOTED_UNIT = re.compile(rb"=(?:[0-9A-Fa-f]{2}|\r?\n)|[^=]|=", re.DOTALL)
_ENCODED_WORDS = re.compile(rb"=\?([^?\s]{0,80})\?([bBqQ])\?([^?\r\n]*+)(?:\?=|(?=[\r\n])|\Z)")
_STRUCTURE = re.compile(
    rb"""boundary\s*+=\s*+(?:"[^"\r\n]*+"?|'[^'\r\n]*+'?|[^;\s]*+)|charset\s*+=\s*+[^;\s]++"""
    rb"""|(?<![\w/])(?:text|image|video|audio|application|multipart|message)/[A-Za-z0-9.+-]{1,80}(?=[;\s]|\Z)""",
    re.IGNORECASE,
)
_DECLARED = re.compile(rb"""boundary\s*+=\s*+["']?([^"'\r\n;]++)""", re.IGNORECASE)
_EXTENDED = re.compile(rb"(\*\d{0,6}\*?=[ \t]*+\"?+(?:[\w.-]{0,40}'[\w.-]{0,20}')?+)([^\s;\"]++)")
_OF_NAMES = re.compile(rb"content-(?:type|disposition|location)[ \t]*:", re.IGNORECASE)
_OWN_FIELD = re.compile(rb"x-[a-z0-9-]{1,60}(?=[ \t]*:)", re.IGNORECASE)
_ENCODING = re.compile(rb"content-transfer-encoding[ \t]*:([^\r\n]*)", re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

ByteEdit = tuple[int, int, bytes]


@dataclass(frozen=True, slots=True)
class Anonymised:
    """The mail for showing, what was replaced in it by what, which known words stayed, how many files there were."""

    mail: bytes
    replaced: dict[str, str]
    kept: tuple[str, ...]
    files: int


def anonymise(mail: bytes, keep: Iterable[str] = ()) -> Anonymised:
    """Replace everything private in a mail.

    Args:
        mail: All bytes of it, as it came.
        keep: Further words that say nothing private.
    """
    work = _Anonymiser(keep)
    return Anonymised(work.mail(mail), dict(work.words.replaced), tuple(sorted(work.words.kept)), len(work.files))


class _Anonymiser:
    """One mail's work: its words, and its files by their digest."""

    def __init__(self, keep: Iterable[str]) -> None:
        self.words = Pseudonyms(keep)
        self.files: dict[bytes, int] = {}
        self._level = 0

    def mail(self, mail: bytes) -> bytes:
        """Return a mail, or one that was inside another, without what is private."""
        _, leaves, _ = walk(Region.whole(mail))
        own = sorted((leaf for leaf in leaves if leaf.body.source is mail), key=lambda leaf: leaf.body.start)
        charset = charset_of(leaves)
        made, at = [], 0
        declared = frozenset(found.strip() for found in _DECLARED.findall(mail))
        for leaf in own:
            if leaf.body.start < at:
                continue
            made += [self._frame(mail[at : leaf.body.start], charset, declared), self._leaf(leaf)]
            at = leaf.body.end
        return b"".join((*made, self._frame(mail[at:], charset, declared)))

    # --- what is around the parts: headers, boundaries, containers that are encoded as a whole ------------------------

    def _frame(self, frame: bytes, charset: str, declared: frozenset[bytes]) -> bytes:
        made: list[bytes] = []
        field: list[bytes] = []
        inside: list[bytes] = []  # of a container that is encoded as a whole
        encoding, is_header = encodings.IDENTITY, True

        def finish() -> None:
            if field:
                made.append(self._field(b"".join(field), charset))
                field.clear()
            if inside:
                made.append(self._container(b"".join(inside), encoding))
                inside.clear()

        for line in frame.splitlines(keepends=True):
            bare = line.strip()
            if bare.startswith(b"--") or bare in declared:
                finish()
                made.append(line)
                encoding, is_header = encodings.IDENTITY, True
            elif not is_header:
                inside.append(line)
            elif not bare:
                finish()
                made.append(line)
                is_header = encoding == encodings.IDENTITY
            else:
                if line[:1] not in b" \t":
                    finish()
                field.append(line)
                if declaration := _ENCODING.match(line):
                    encoding = encodings.encoding_named(declaration[1].decode("latin-1"))
        finish()
        return b"".join(made)

    def _container(self, raw: bytes, encoding: str) -> bytes:
        content = b"".join(encodings.decoded(Region.whole(raw), encoding))
        if self._level >= MAX_LEVELS:
            made = self._file("", content)
        else:
            self._level += 1
            made = self.mail(content)
            self._level -= 1
        return self._uu_in_place(raw, made) if encoding == encodings.UU else _encoded(raw, encoding, made)

    def _field(self, raw: bytes, charset: str) -> bytes:
        """Replace what is private in one header field, its name and its folding included."""
        is_name = _OF_NAMES.match(raw) is not None
        holes = [(*found.span(), found[0]) for found in _STRUCTURE.finditer(raw)] if is_name else []
        if b"%" in raw:
            holes += [(*found.span(), found[1] + self._escaped(found[2])) for found in _EXTENDED.finditer(raw)]
        if named := _OWN_FIELD.match(raw):
            holes.append((*named.span(), named[0]))
        holes += self._encoded_words(raw)
        return self._around(raw, sorted(holes), charset, is_name=is_name)

    def _encoded_words(self, raw: bytes) -> list[ByteEdit]:
        """Replace within encoded words; neighbours of one character set are one text, torn where they were torn."""
        made: list[ByteEdit] = []
        run: list[re.Match[bytes]] = []
        for word in (*_ENCODED_WORDS.finditer(raw), None):
            is_next = (
                word and run and word[1].lower() == run[-1][1].lower() and not raw[run[-1].end() : word.start()].strip()
            )
            if run and not is_next:
                made += self._run_of_words(run)
                run = []
            if word:
                run.append(word)
        return made

    def _run_of_words(self, run: list[re.Match[bytes]]) -> list[ByteEdit]:
        payloads = [word_payload(word[2], word[3]) for word in run]
        text = self._text(b"".join(payloads), run[0][1].decode("latin-1"))
        made, at = [], 0
        for word, payload in zip(run, payloads, strict=True):
            end = len(text) if word is run[-1] else at + len(payload)
            piece, at = text[at:end], end
            if word[2] in b"bB":
                coded = base64.b64encode(piece)
            else:
                coded = b"".join(
                    b"_" if byte == 0x20 else bytes((byte,)) if chr(byte).isalnum() and byte < 0x80 else b"=%02X" % byte
                    for byte in piece
                )
            made.append((word.start(3), word.end(3), coded if piece != payload else word[3]))
        return made

    def _escaped(self, value: bytes) -> bytes:
        return urllib.parse.quote_from_bytes(self._text(urllib.parse.unquote_to_bytes(value), "")).encode()

    # --- parts --------------------------------------------------------------------------------------------------------

    def _leaf(self, leaf: Leaf) -> bytes:
        """Return the body of a leaf, encoded as it was."""
        raw = leaf.body.copy()
        body = leaf.body.stripped()
        found = _found_in(leaf)
        if len(found) == 1 and (found[0].region.start, found[0].region.end) == (body.start, body.end):
            return raw[: body.start - leaf.body.start] + self._picture(found[0])
        is_encoded = leaf.encoding != encodings.IDENTITY and not (
            leaf.encoding == encodings.BASE64
            and len(raw.translate(None, _IN_BASE64)) > len(raw) // 12  # called so, and is not
        )
        content = b"".join(encodings.decoded(leaf.body, leaf.encoding)) if is_encoded else raw
        if _is_text(leaf, content):
            whole = dataclasses.replace(leaf, body=Region.whole(content), encoding=encodings.IDENTITY)
            made = self._text_with_files(whole)
        else:
            made = self._file("", content)
        if not is_encoded:
            return made
        return self._uu_in_place(raw, made) if leaf.encoding == encodings.UU else _encoded(raw, leaf.encoding, made)

    def _text_with_files(self, leaf: Leaf) -> bytes:
        raw, start = leaf.body.copy(), leaf.body.start
        holes = [
            (found.region.start - start, found.region.end - start, self._picture(found)) for found in _found_in(leaf)
        ]
        return self._around(raw, sorted(holes), leaf.headers.parameter("content-type", "charset"))

    def _picture(self, found: Found) -> bytes:
        raw = found.region.copy()
        content = b"".join(encodings.decoded(found.region, found.encoding))
        made = self._file(found.kind, content)
        match found.encoding:
            case "base64":
                return self._base64_in_place(raw, made)
            case "uuencode":
                return self._uu_in_place(raw, made)
            case _:
                return _encoded(raw, found.encoding, made)

    def _file(self, kind: str, content: bytes) -> bytes:
        number = self.files.setdefault(hashlib.sha256(content).digest(), len(self.files) + 1)
        return filler(kind, content, number)

    def _base64_in_place(self, raw: bytes, made: bytes) -> bytes:
        """Put other data of the same length into base64: line ends, dirt and padding stay where they are.

        What follows the data is text, as a relay's advertisement below a picture is.
        """
        is_url_safe = b"_" in raw and b"/" not in raw
        pieces: list[bytes] = []
        run: list[re.Match[bytes]] = []
        done, at = 0, 0
        for found in (*_BASE64_RUN.finditer(raw), None):
            if found and not found[0].startswith(b"="):
                run.append(found)
                continue
            count = sum(len(item[0]) for item in run)
            data = made[done : done + count * 3 // 4]
            coded = (base64.urlsafe_b64encode if is_url_safe else base64.b64encode)(data).rstrip(b"=")
            done += len(data)
            used = 0
            for item in run:
                piece = coded[used : used + len(item[0])]
                if not piece:
                    break
                used += len(piece)
                rest = item[0][len(piece) :]
                pieces += [
                    raw[at : item.start()],
                    piece,
                    b"A" * len(rest) if done < len(made) else self._text(rest, ""),
                ]
                at = item.end()
            run = []
            if done >= len(made):
                break
        while raw[at : at + 1] == b"=":
            pieces.append(b"=")
            at += 1
        return b"".join((*pieces, self._text(raw[at:], "")))

    def _uu_in_place(self, raw: bytes, made: bytes) -> bytes:
        """Put other data of the same length into a uuencoded file, line by line; what is around it is text."""
        begin = raw.find(b"begin ")
        start = 0 if begin < 0 else raw.find(b"\n", begin) + 1
        pieces, done, at = [self._text(raw[:start], "", is_name=True)], 0, start
        for line in raw[start:].splitlines(keepends=True):
            if done >= len(made):
                break
            bare = line.rstrip(b"\r\n")
            count = min(MAX_UU_BYTES, (bare[0] - 32) & 63) if bare else 0
            data = made[done : done + count]
            done += len(data)
            pieces.append((binascii.b2a_uu(data, backtick=True)[:-1] if data else b"") + line[len(bare) :])
            at += len(line)
        return b"".join((*pieces, self._text(raw[at:], "")))

    # --- texts --------------------------------------------------------------------------------------------------------

    def _around(self, raw: bytes, holes: list[ByteEdit], charset: str, *, is_name: bool = False) -> bytes:
        """Replace the holes by what is made for them, and everything private in the text around them."""
        made, at = [], 0
        for start, end, piece in holes:
            if start < at:
                continue
            made += [self._text(raw[at:start], charset, is_name=is_name), piece]
            at = end
        return b"".join((*made, self._text(raw[at:], charset, is_name=is_name)))

    def _text(self, raw: bytes, charset: str, *, is_name: bool = False) -> bytes:
        """Replace what is private in a text, in its own character set."""
        if not raw.strip():
            return raw
        codec = _codec_of(raw, charset)
        if _IN_TWOS.search(raw) and not codec.startswith(_WIDE):
            return re.sub(rb"[0-9A-Za-z\x80-\xff]", b"x", raw)  # a torn piece of UTF-16
        text = raw.decode(codec)
        edits = self.words.edits(text, is_name=is_name)
        if not edits:
            return raw
        made, at = [], 0
        for start, end, piece in edits:
            made += [text[at:start], _fit(piece, codec)]
            at = end
        return "".join((*made, text[at:])).encode(codec, "replace")


def _found_in(leaf: Leaf) -> list[Found]:
    """Return the pictures that lie in the leaf as it is, not in a decoded copy."""
    found, _ = pictures.find([leaf])
    return [item for item in found if item.region.source is leaf.body.source]


def _is_text(leaf: Leaf, content: bytes) -> bool:
    """Tell whether a part is replaced word by word; everything else is replaced as a whole."""
    head = content[:LOOK_BYTES].rstrip(b"\0 \t\r\n")
    if leaf.is_text or leaf.is_stray or leaf.media_type.startswith(("multipart/", "message/")):
        charset = codec_named(leaf.headers.parameter("content-type", "charset"))
        return b"\0" not in head or charset.startswith(_WIDE)
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeError:
        return False
    return not _CONTROL.search(text)


def _codec_of(raw: bytes, charset: str) -> str:
    """Return the codec by which the reader reads these bytes, when it writes the same bytes again; else Latin-1."""
    declared = codec_named(charset)
    if declared.startswith(_WIDE) or (not declared and b"\0" in raw):
        order = "-be" if raw.startswith((b"\xfe\xff", b"\0")) else "-le"
        width = "utf-32" if declared.startswith("utf-32") else "utf-16"
        candidates = [declared if declared.endswith(("-le", "-be")) else width + order]
    else:
        candidates = [declared] if declared else []
    read = _CONTROL.sub("", text_of(raw, charset))
    for codec in (*candidates, "utf-8", "gb18030", "cp1252"):
        try:
            text = raw.decode(codec)
            if text.encode(codec) == raw and _CONTROL.sub("", text).removeprefix("\ufeff") == read.removeprefix(
                "\ufeff"
            ):
                return codec
        except (UnicodeError, ValueError):
            continue
    return "latin-1"


def _fit(text: str, codec: str) -> str:
    """Return a replacement in letters that the codec has."""
    try:
        text.encode(codec)
    except UnicodeError:
        return "".join(letter if letter.isascii() else "x" for letter in text)
    return text


def _encoded(raw: bytes, encoding: str, made: bytes) -> bytes:
    """Encode a body in the manner of the original: its length of lines, its line ends, what it writes as an escape."""
    match encoding:
        case "base64":
            return _rewrapped(raw, made)
        case "quoted-printable":
            return _requoted(raw, made)
        case _:
            return made


def _rewrapped(raw: bytes, made: bytes) -> bytes:
    lines = raw.strip().splitlines(keepends=True) or [b""]
    width, line_end = len(lines[0].strip()), lines[0][len(lines[0].rstrip()) :]
    coded = base64.b64encode(made)
    if len(lines) == 1:
        return raw[: len(raw) - len(raw.lstrip())] + coded + raw[len(raw.rstrip()) :]
    width = max(4, width)
    wrapped = line_end.join(coded[at : at + width] for at in range(0, len(coded), width))
    return raw[: len(raw) - len(raw.lstrip())] + wrapped + raw[len(raw.rstrip()) :]


def _requoted(raw: bytes, made: bytes) -> bytes:
    """Encode as quoted-printable, as far as it goes with the original's escapes and soft line ends in their places."""
    pieces, at = [], 0
    for unit in _QUOTED_UNIT.finditer(raw):
        if at >= len(made):
            break
        if unit[0][:1] == b"=" and unit[0][-1:] == b"\n":
            pieces.append(unit[0])
            continue
        byte = made[at : at + 1]
        at += 1
        pieces.append(_quoted(byte) if len(unit[0]) == 1 else b"=%02X" % byte[0])
    pieces += [_quoted(made[number : number + 1]) for number in range(at, len(made))]
    return b"".join(pieces)


def _quoted(byte: bytes) -> bytes:
    return byte if byte in b"\r\n\t" or (b" " <= byte <= b"~" and byte != b"=") else b"=%02X" % byte[0]
