"""Text in the character sets that cameras write: declared, undeclared and wrongly declared.

Pure. Decoding never fails; what cannot be told is read as Windows-1252, which has a character for nearly every byte.
"""

from __future__ import annotations

import binascii
import codecs
import re

# GBK is read as its superset, and so is Latin-1: the byte 0x85 is an ellipsis in the field, not a control.
_WIDER = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "gb_2312-80": "gb18030",
    "cp936": "gb18030",
    "hz-gb-2312": "hz",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "us-ascii": "utf-8",
    "ascii": "utf-8",
    "ansi_x3.4-1968": "utf-8",
    "utf8": "utf-8",
    "utf-8mb4": "utf-8",
    "unicode-1-1-utf-7": "utf-7",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "shift_jis": "cp932",
    "x-sjis": "cp932",
}
# Hanzi of GB 2312 (lead B0 to F7) or its punctuation (A1 to A9): what a Chinese firmware writes.
_GB_TEXT = re.compile(rb"(?:[\x00-\x7f]|[\xb0-\xf7][\xa1-\xfe]|[\xa1-\xa9][\xa1-\xfe])*")
_ENCODED_WORD = re.compile(rb"=\?([^?\s]*)\?([bBqQ])\?(.*?)(?:\?=|$)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def codec_named(charset: str) -> str:
    """Return Python's name for a declared character set; "" when there is none."""
    name = charset.strip().strip("\"'").lower().partition("*")[0]  # RFC 2231 adds *language
    name = _WIDER.get(name, name)
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError):  # ValueError: a NUL in the name
        return ""
    # "hex", "rot13" and their like are codecs too, but not of text.
    return codec.name if getattr(codec, "_is_text_encoding", True) else ""


def text_of(raw: bytes, charset: str = "") -> str:
    """Decode raw bytes, by the declared character set if it fits, else by their look.

    Args:
        raw: Bytes of a header or a body.
        charset: As declared beside them, "" when it was not.
    """
    if raw.isascii() and not charset.lower().startswith(("utf-16", "utf-32", "utf-7", "hz", "iso-2022")):
        return _clean(raw.decode("ascii"))
    declared = codec_named(charset)
    for codec in ("utf-8", declared):
        if codec:
            try:
                return _clean(raw.decode(codec))
            except (UnicodeError, ValueError):
                continue
    if not declared or declared == "utf-8":
        if _GB_TEXT.fullmatch(raw):
            return _clean(raw.decode("gb18030", "replace"))
        return _clean(raw.decode("cp1252", "replace"))
    return _clean(raw.decode(declared, "replace"))


def header_text(raw: bytes, charset: str = "") -> str:
    """Decode a header's value: encoded words, raw 8-bit bytes, or both at once.

    Args:
        raw: The value, unfolded or not.
        charset: The character set that the mail's text declares, for raw bytes.
    Source: RFC 2047; blanks inside encoded words, missing padding, missing ends and characters torn between two words
        are in the field.
    """
    raw = re.sub(rb"\r?\n[ \t]*", b" ", raw).strip()
    if b"=?" not in raw:
        return _tidy(text_of(raw, charset))
    runs: list[tuple[str, bytes]] = []  # neighbours of one character set are decoded together
    at = 0
    was_word = False
    for word in _ENCODED_WORD.finditer(raw):
        between = raw[at : word.start()]
        if between and not (was_word and between.isspace()):
            runs.append((charset, between))
        name = word[1].decode("latin-1")
        payload = _word_payload(word[2], word[3])
        if runs and was_word and (not between or between.isspace()) and runs[-1][0].lower() == name.lower():
            payload = runs.pop()[1] + payload
        runs.append((name, payload))
        at, was_word = word.end(), True
    if at < len(raw):
        runs.append((charset, raw[at:]))
    return _tidy("".join(text_of(part, name) for name, part in runs))


def _word_payload(encoding: bytes, text: bytes) -> bytes:
    if encoding in b"qQ":
        return binascii.a2b_qp(text.replace(b"_", b" "))
    text = re.sub(rb"[^A-Za-z0-9+/]", b"", text)
    if len(text) % 4 == 1:
        text = text[:-1]
    return binascii.a2b_base64(text + b"=" * (-len(text) % 4))


def _clean(text: str) -> str:
    return _CONTROL.sub("", text)


def _tidy(text: str) -> str:
    return re.sub(r"[\r\n\t]+", " ", text).strip()
