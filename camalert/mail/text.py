"""The words of a mail that a person reads: its texts, decoded and cut, and the subject that the table gets.

Pure.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from camalert.mail import transfer
from camalert.mail.charsets import codec_named, header_text, text_of
from camalert.mail.headers import Headers
from camalert.mail.parts import Leaf

MAX_TEXT_BYTES = 32_768  # what a camera says of an alarm stands in the first lines
MAX_HEADER_BYTES = 8192  # of one header value that is decoded
SUBJECT_CHARACTERS = 200  # varchar(200)

_LINE_TAGS = re.compile(r"<\s*(?:br|/p|/div|/tr|/li|/h\d)\b[^>]{0,200}>", re.IGNORECASE)
_HIDDEN = re.compile(r"<(style|script|head)\b.{0,20000}?</\1\s*>", re.IGNORECASE | re.DOTALL)
_TAGS = re.compile(r"<[^<>]{0,2000}>")
_YOUR_CAMERA = re.compile(r"Your IPCamera:[ \t]*([^\r\n]*)")


def body_text(leaves: Iterable[Leaf]) -> str:
    """Return the beginning of the mail's texts, HTML as plain text, lines parted by newlines."""
    texts: list[str] = []
    left_bytes = MAX_TEXT_BYTES
    for leaf in leaves:
        if not leaf.is_text or leaf.is_stray or left_bytes <= 0:
            continue
        window = leaf.body.between(leaf.body.start, leaf.body.start + 2 * left_bytes)
        raw = b"".join(transfer.decoded(window, leaf.encoding))[:left_bytes]
        left_bytes -= len(raw)
        text = text_of(raw, leaf.headers.parameter("content-type", "charset"))
        texts.append(_plain(text) if "html" in leaf.media_type else text)
    return "\n".join(texts)


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
    Returns: What stands behind `Your IPCamera:` in the mail, else the subject, else `Unknown`; at most 200 characters.
    Source: DESIGN.md, "Subject rule, from the original".
    """
    for words in (subject, text):
        found = _YOUR_CAMERA.search(words)
        if found and found[1].strip():
            return found[1].strip()[:SUBJECT_CHARACTERS]
    return subject.strip()[:SUBJECT_CHARACTERS] or "Unknown"


def _plain(page: str) -> str:
    page = _LINE_TAGS.sub("\n", _HIDDEN.sub("", page))
    return html.unescape(_TAGS.sub("", page))
