"""Character sets: what mails declare is read, whatever else they declare costs neither memory nor the mail."""

from __future__ import annotations

import encodings
import gc
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from camalert.identity import Envelope
from camalert.intake.mail import reader
from camalert.intake.mail.charsets import _CODECS, codec_named, header_text, text_of
from camalert.intake.mail.rules import Rules


@pytest.mark.parametrize("codec", sorted(set(_CODECS.values())))
def test_every_codec_of_the_table_is_one_of_python(codec: str) -> None:
    """None is misspelled, and each reads what it wrote."""
    assert text_of("Gate 5".encode(codec), codec) == "Gate 5"


@pytest.mark.parametrize(
    ("text", "charset"),
    [
        ("学校", "gb2312"), ("小学", "GB2312"), ("写", "gbk"), ("仓库报警", "gb_2312-80"),
        ("報警", "big5"), ("東京", "shift_jis"),
        ("東京", "euc-jp"), ("東京", "iso-2022-jp"), ("경보", "euc-kr"), ("경보", "ks_c_5601-1987"),
        ("学校", "hz-gb-2312"),
        ("Küche", "iso-8859-1"), ("Küche", "Latin-1"), ("Küche", "windows-1252"), ("Żółw", "iso-8859-2"),
        ("Тревога", "koi8-r"),
        ("Тревога", "windows-1251"), ("Küche", "utf-7"), ("Küche", "utf-16"), ("Küche", "UTF-8"), ("กล้อง", "tis-620"),
    ],
)  # fmt: skip
def test_declared_character_set_is_read(text: str, charset: str) -> None:
    """Under the names that mails use; two bytes of GB 2312 are not taken for UTF-8."""
    assert text_of(text.encode(codec_named(charset)), charset) == text


@pytest.mark.parametrize("charset", ["gb2312", "iso-8859-1", "utf-16", "hz", "euc-kr", "us-ascii", "", "no such"])
def test_utf8_is_read_whatever_is_declared(charset: str) -> None:
    """Cameras declare what their menu says and write UTF-8."""
    assert text_of("仓库 Küche".encode(), charset) == "仓库 Küche"


@settings(max_examples=300, deadline=None)
@given(
    raw=st.binary(max_size=60),
    charset=st.one_of(
        st.sampled_from(
            [*_CODECS, "idna", "undefined", "punycode", "hex", "rot13", "unicode_escape", "mbcs", "\0", "x" * 99]
        ),
        st.text(max_size=60),
    ),
)
def test_no_bytes_and_no_name_make_decoding_fail(raw: bytes, charset: str) -> None:
    """A text that cannot be decoded never costs the picture beside it."""
    text_of(raw, charset)
    header_text(b"=?" + charset.encode("utf-8", "replace") + b"?Q?" + raw + b"?=", charset)


def test_invented_names_leave_no_memory_behind() -> None:
    """Python's registry of codecs keeps each name forever; 2000 strangers' names reach it in no way."""

    def read(number: int) -> None:
        name = f"invented-{number}".encode()
        mail = (
            b"Subject: =?%b?Q?caf=E9?=\r\nContent-Type: text/plain; charset=%b; x*=%b''y\r\n"
            b"Content-Transfer-Encoding: %b\r\n\r\ncaf\xe9\r\n" % (name, name, name, name)
        )
        reader.read(mail, Envelope(), Rules(()), 1.7e9, 60)

    for number in range(200):
        read(number)
    known = len(encodings._cache)  # type: ignore[attr-defined]
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(200, 2200):
            read(number)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(encodings._cache) == known  # type: ignore[attr-defined]
    assert after - before < 100_000, "a name that is kept costs more than 100 bytes; versions of Python differ by less"
