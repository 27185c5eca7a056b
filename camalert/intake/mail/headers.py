"""The header block of a mail or a part, as cameras write it: folded wrongly, unfinished, without its blank line."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterable

from camalert.intake.mail.charsets import text_of
from camalert.intake.mail.region import Region

MAX_BLOCK_BYTES = 262_144  # a header block beyond this is no header block
MAX_LINES = 2000
MAX_VALUE_BYTES = 16_384  # of one field that is kept: no boundary, name or subject is longer

_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:[ \t]*(.*)", re.DOTALL)
# A line that is surely a header, whatever stands around it.
_KNOWN = re.compile(
    rb"[ \t]*(?:content-(?:type|transfer-encoding|disposition|id|location)|mime-version|subject|from|to|date|message-id"
    rb"|x-mailer|x-priority|reply-to|received|return-path)[ \t]*:",
    re.IGNORECASE,
)
_PARAMETER = re.compile(
    rb"""(?<=[;\s])([A-Za-z0-9!#$%&+^_`{}|~.-]++(?:\*\d{1,6})?+\*?+)\s*+=\s*+"""
    rb"""(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"?+|([^;\r\n]*+))""",
    re.DOTALL,
)
_BOUNDARY = re.compile(rb"""boundary\s*+=\s*+(?:"([^"\r\n]*)|'([^'\r\n]*)'|([^;\r\n"]*))""", re.IGNORECASE)


class Headers:
    """The fields of a header block, names in lower case; values are raw, and the first of a name counts.

    `media_type` is the declared media type, "" when none is declared.
    """

    def __init__(self, fields: Iterable[tuple[str, bytes]] = ()) -> None:
        self.fields: dict[str, bytes] = {}
        for name, value in fields:
            self.fields.setdefault(name, value)
        words = self.token("content-type").split()
        self.media_type = words[0].rstrip(",") if words else ""

    def raw(self, name: str) -> bytes:
        """Return the first field of that name, b"" when there is none."""
        return self.fields.get(name, b"")

    def token(self, name: str) -> str:
        """Return a field's value without its parameters, in lower case."""
        return self.raw(name).partition(b";")[0].strip().decode("latin-1").lower()

    def parameter(self, name: str, wanted: str) -> str:
        """Return a parameter of a structured field, "" when it is not there.

        Source: RFC 2231 for continuations and character sets; quotes without an end and missing semicolons are in the
            field.
        """
        pieces: dict[int, bytes] = {}
        charset = ""
        for key, quoted, bare in _PARAMETER.findall(b";" + self.raw(name).partition(b";")[2]) or _PARAMETER.findall(
            self.raw(name)
        ):
            stem, *extras = key.decode("latin-1").lower().split("*")
            if stem != wanted:
                continue
            value = re.sub(rb"\\(.)", rb"\1", quoted) if quoted else bare.strip()
            number = int(extras[0]) if extras and extras[0].isdigit() else 0
            if extras and extras[-1] == "":  # a trailing star: percent-encoded, the first piece names the charset
                if number == 0 and value.count(b"'") >= 2:
                    declared, _, value = value.split(b"'", 2)
                    charset = declared.decode("latin-1")
                value = urllib.parse.unquote_to_bytes(value)
            pieces.setdefault(number, value)
        joined = b"".join(pieces[number] for number in sorted(pieces))
        return text_of(re.sub(rb"\r?\n[ \t]*", b" ", joined), charset)

    @property
    def boundary(self) -> bytes:
        """Return the declared boundary, b"" when there is none."""
        found = _BOUNDARY.search(self.raw("content-type"))
        return (found[1] or found[2] or found[3] or b"").rstrip() if found else b""


def split(region: Region) -> tuple[Headers, Region]:
    """Split a message or part into its headers and its body.

    The headers end at the blank line, or where something begins that cannot be a header: firmware that forgets the
    blank line is in the field, and so are stray lines between headers.
    """
    fields: list[tuple[str, bytes]] = []
    at = region.start
    if region.head(5) in (b"From ", b">From"):  # an mbox line
        at = region.line_end(at)
    end = min(region.end, at + MAX_BLOCK_BYTES)
    for _ in range(MAX_LINES):
        if at >= end:
            break
        after = region.line_end(at)
        if after - at > MAX_BLOCK_BYTES:  # a line of data
            break
        line = bytes(region.source[at:after]).rstrip(b"\r\n")
        if not line.strip():
            return Headers(fields), region.between(after, region.end)
        if line[:1] in b" \t" and fields and not _KNOWN.match(line):
            name, value = fields[-1]
            if len(value) < MAX_VALUE_BYTES:
                fields[-1] = (name, (value + b"\r\n" + line)[:MAX_VALUE_BYTES])
        elif (field := _FIELD.fullmatch(line.strip())) and not line.startswith(b"--"):
            fields.append((field[1].decode("latin-1").lower(), field[2][:MAX_VALUE_BYTES]))
        elif line.startswith(b"--") or not _KNOWN.match(bytes(region.source[after : after + 80])):
            break
        at = after
    return Headers(fields), region.between(at, region.end)
