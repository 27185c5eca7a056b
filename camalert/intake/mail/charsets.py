"""Text in the character sets that cameras write: declared, undeclared and wrongly declared.

Decoding never fails; what cannot be recognised is read as Windows-1252, which has a character for nearly every byte.
"""

from __future__ import annotations

import binascii
import re

# What mails declare -> Python's codec, names without capitals and punctuation. Nothing else reaches Python's registry,
# which keeps every name that it was ever asked for, and knows codecs that are no character sets.
# GBK is read as its superset, and so is Latin-1: the byte 0x85 is an ellipsis in the field, not a control.
_CODECS: dict[str, str] = {
    alias: codec
    for codec, aliases in {
        "utf-8": "utf8 utf8mb4 unicode11utf8 cp65001 usascii ascii ansix341968 iso646us 646 iso646irv1991",
        "utf-7": "utf7 unicode11utf7",
        "utf-16": "utf16 ucs2 iso10646ucs2",
        "utf-16-le": "utf16le",
        "utf-16-be": "utf16be",
        "utf-32": "utf32 ucs4 iso10646ucs4",
        "utf-32-le": "utf32le",
        "utf-32-be": "utf32be",
        "gb18030": "gb18030 gb2312 gbk xgbk gb231280 eucgb2312cn euccn gb cp936 windows936 936 ms936",
        "hz": "hz hzgb2312",
        "big5hkscs": "big5 big5hkscs xxbig5 cnbig5 eten950",
        "cp950": "cp950 windows950 950",
        "cp932": "shiftjis sjis xsjis mskanji windows31j cp932 windows932 932 cswindows31j",
        "euc_jp": "eucjp xeucjp",
        "iso2022_jp_2": "iso2022jp iso2022jp1 iso2022jp2",
        "iso2022_jp_ext": "iso2022jpext iso2022jp3",
        "cp949": "euckr ksc56011987 ksc5601 korean cp949 windows949 949 uhc",
        "iso2022_kr": "iso2022kr",
        "johab": "johab cp1361",
        "cp1252": "iso88591 latin1 l1 cp819 windows1252 cp1252 1252 ansi",
        "cp1250": "windows1250 cp1250 1250",
        "cp1251": "windows1251 cp1251 1251",
        "cp1253": "windows1253 cp1253 1253",
        "cp1254": "windows1254 cp1254 1254 iso88599 latin5 l5",
        "cp1255": "windows1255 cp1255 1255",
        "cp1256": "windows1256 cp1256 1256",
        "cp1257": "windows1257 cp1257 1257",
        "cp1258": "windows1258 cp1258 1258",
        "cp874": "windows874 cp874 874 tis620 iso885911",
        "iso8859_2": "iso88592 latin2 l2",
        "iso8859_3": "iso88593 latin3 l3",
        "iso8859_4": "iso88594 latin4 l4",
        "iso8859_5": "iso88595 cyrillic",
        "iso8859_6": "iso88596 arabic",
        "iso8859_7": "iso88597 greek",
        "iso8859_8": "iso88598 iso88598i iso88598e hebrew",
        "iso8859_10": "iso885910 latin6 l6",
        "iso8859_13": "iso885913 latin7",
        "iso8859_14": "iso885914 latin8",
        "iso8859_15": "iso885915 latin9",
        "iso8859_16": "iso885916 latin10",
        "koi8_r": "koi8r koi8",
        "koi8_u": "koi8u koi8ru",
        "cp437": "cp437 ibm437 437",
        "cp850": "cp850 ibm850 850",
        "cp852": "cp852 ibm852 852",
        "cp855": "cp855 ibm855 855",
        "cp862": "cp862 ibm862 862",
        "cp866": "cp866 ibm866 866",
        "mac_roman": "macintosh macroman xmacroman mac",
        "mac_cyrillic": "maccyrillic xmaccyrillic",
    }.items()
    for alias in aliases.split()
}
_NAME_CHARACTERS = 40  # the longest name that is looked up
_PUNCTUATION = re.compile(r"[^a-z0-9]+")
# In these even plain ASCII bytes mean something else, so that what fits is believed.
_STATEFUL = frozenset(("utf-7", "hz", "iso2022_jp_2", "iso2022_jp_ext", "iso2022_kr"))
_WIDE = frozenset(("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"))
# Two bytes of these are often UTF-8 as well: of GB 2312's 6763 hanzi 930 are.
_OF_TWO_BYTES = frozenset(("gb18030", "big5hkscs", "cp950", "cp932", "euc_jp", "cp949", "johab"))
_LONG_UTF8 = re.compile(rb"[\xe0-\xf4][\x80-\xbf]{2}")
# Hanzi of GB 2312 (lead B0 to F7) or its punctuation (A1 to A9): what a Chinese firmware writes.
_GB_TEXT = re.compile(rb"(?:[\x00-\x7f]|[\xb0-\xf7][\xa1-\xfe]|[\xa1-\xa9][\xa1-\xfe])*+")
_ENCODED_WORD = re.compile(rb"=\?([^?\s]*)\?([bBqQ])\?(.*?)(?:\?=|$)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def codec_named(charset: str) -> str:
    """Return Python's name for a declared character set; "" when there is none that mails use."""
    name = charset[: 2 * _NAME_CHARACTERS].strip().strip("\"'").lower().partition("*")[0]  # RFC 2231 adds *language
    return _CODECS.get(_PUNCTUATION.sub("", name), "") if len(name) <= _NAME_CHARACTERS else ""


def text_of(raw: bytes, charset: str = "") -> str:
    """Decode raw bytes, by the declared character set if it fits, else by what they look like.

    Args:
        raw: Bytes of a header or a body.
        charset: As declared beside them, "" when it was not.
    """
    declared = codec_named(charset)
    if raw.isascii() and declared not in _STATEFUL | _WIDE:
        return _clean(raw.decode("ascii"))
    for codec in (declared, "utf-8") if _is_believed(declared, raw) else ("utf-8", declared):
        if codec:
            try:
                return _clean(raw.decode(codec))
            except (UnicodeError, ValueError):
                continue
    if declared and declared != "utf-8" and declared not in _STATEFUL:
        return _clean(raw.decode(declared, "replace"))
    return _clean(raw.decode("gb18030" if _GB_TEXT.fullmatch(raw) else "cp1252", "replace"))


def _is_believed(declared: str, raw: bytes) -> bool:
    """Tell whether a declared character set is tried before UTF-8, which many cameras write and do not declare."""
    if declared in _WIDE:
        return b"\0" in raw or raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    return declared in _STATEFUL or (declared in _OF_TWO_BYTES and not _LONG_UTF8.search(raw))


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
        payload = word_payload(word[2], word[3])
        if runs and was_word and (not between or between.isspace()) and runs[-1][0].lower() == name.lower():
            payload = runs.pop()[1] + payload
        runs.append((name, payload))
        at, was_word = word.end(), True
    if at < len(raw):
        runs.append((charset, raw[at:]))
    return _tidy("".join(text_of(part, name) for name, part in runs))


def word_payload(encoding: bytes, text: bytes) -> bytes:
    """Decode the text of an encoded word, B or Q, as far as it goes. Source: RFC 2047, section 4."""
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
