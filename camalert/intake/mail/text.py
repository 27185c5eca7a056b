"""The text of a mail that a person reads, decoded and cut, and the subject that the table gets."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from camalert.intake.mail import encodings
from camalert.intake.mail.charsets import codec_named, header_text, text_of
from camalert.intake.mail.headers import Headers
from camalert.intake.mail.parts import Leaf

MAX_TEXT_BYTES = 32_768  # what a camera says of an alarm is in the first lines
MAX_HEADER_BYTES = 8192  # of one header value that is decoded
LINE_CHARACTERS = 500  # of a line that are read; no camera says anything after them
SUBJECT_CHARACTERS = 200  # varchar(200)

_LINE_TAGS = re.compile(r"<\s*(?:br|/p|/div|/tr|/li|/dd|/h\d)\b[^>]{0,200}>", re.IGNORECASE)
_FIELD_TAGS = re.compile(r"<\s*(?:/t[dh]|/dt|b|strong|label)\b[^>]{0,200}>", re.IGNORECASE)  # a field or label begins
_HIDDEN = re.compile(r"<(style|script|head)\b", re.IGNORECASE)
_HIDDEN_END = {name: re.compile(rf"</{name}\s*+>", re.IGNORECASE) for name in ("style", "script", "head")}
_HUGE_REFERENCE = re.compile(r"&#x?[0-9a-f]{9,}", re.IGNORECASE)  # no character; Python takes 4300 digits for an error
_TAGS = re.compile(r"<[^<>]{0,2000}>")
_LONG_BLANK = re.compile(r"(?<![ \t\r])([ \t\r]{20})[ \t\r]++")
_LONG_GAP = re.compile(r"(\n[ \t\r]*+\n[ \t\r]*+\n)(?:[ \t\r]*+\n)++")
_LONG_LINE = re.compile(rf"^([^\n]{{{LINE_CHARACTERS}}})[^\n]++", re.MULTILINE)
# What looks like a blank and is none for most patterns: no-break, figure, narrow and ideographic space.
_BLANKS = dict.fromkeys((0xA0, 0x2007, 0x202F, 0x3000), " ")
_YOUR_CAMERA = re.compile(r"Your IPCamera:[ \t]*([^\r\n]*)")


def body_text(leaves: Iterable[Leaf]) -> str:
    """Return the beginning of the mail's texts, HTML as plain text, lines parted by newlines."""
    texts: list[str] = []
    left_bytes = MAX_TEXT_BYTES
    for leaf in leaves:
        if not leaf.is_text or leaf.is_stray or left_bytes <= 0:
            continue
        window = leaf.body.between(leaf.body.start, leaf.body.start + 2 * left_bytes)
        raw = b"".join(encodings.decoded(window, leaf.encoding))[:left_bytes]
        left_bytes -= len(raw)
        text = text_of(raw, leaf.headers.parameter("content-type", "charset"))
        texts.append(_plain(text) if "html" in leaf.media_type else text.translate(_BLANKS))
    return legible("\n".join(texts))


def legible(text: str) -> str:
    """Cut long lines and long stretches of white space, so that no pattern has far to go back, the owner's included."""
    return _LONG_GAP.sub(r"\1", _LONG_LINE.sub(r"\1", _LONG_BLANK.sub(r"\1", text)))


def charset_of(leaves: Iterable[Leaf]) -> str:
    """Return the first character set that the mail's texts declare and that says more than ASCII or UTF-8."""
    for leaf in leaves:
        if leaf.is_text and leaf.headers.fields:
            declared = leaf.headers.parameter("content-type", "charset")
            if codec_named(declared) not in ("", "utf-8"):
                return declared
    return ""


def decoded_header(headers: Headers, name: str, charset: str) -> str:
    """Decode a header's value, cut to a sane length."""
    return header_text(headers.raw(name)[:MAX_HEADER_BYTES], charset)


def table_subject(subject: str, text: str) -> str:
    """Apply the table's subject rule.

    Args:
        subject: The decoded `Subject`, "" when there is none.
        text: The mail's text.
    Returns: What follows `Your IPCamera:` in the mail, else the subject, else `Unknown`; at most 200 characters.
    Source: the rule of the original detect service.
    """
    for source in (subject, text):
        found = _YOUR_CAMERA.search(source)
        if found and found[1].strip():
            return found[1].strip()[:SUBJECT_CHARACTERS]
    return subject.strip()[:SUBJECT_CHARACTERS] or "Unknown"


def _plain(page: str) -> str:
    page = _without_hidden(page)
    page = _FIELD_TAGS.sub("\t", _LINE_TAGS.sub("\n", page))
    return html.unescape(_HUGE_REFERENCE.sub("", _TAGS.sub("", page))).translate(_BLANKS)


def _without_hidden(page: str) -> str:
    """Leave out what a page does not show; an element without an end hides nothing."""
    shown: list[str] = []
    at = 0
    endless: set[str] = set()  # looked for once: the page is never searched again for each beginning
    for begin in _HIDDEN.finditer(page):
        name = begin[1].lower()
        if begin.start() < at or name in endless:
            continue
        end = _HIDDEN_END[name].search(page, begin.end())
        if end is None:
            endless.add(name)
            continue
        shown.append(page[at : begin.start()])
        at = end.end()
    return "".join((*shown, page[at:]))
