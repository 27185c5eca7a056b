"""Codes that change each half minute, and recovery codes."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from camalert.review import qr, totp

SECRET = base64.b32encode(b"12345678901234567890").decode()  # that of the examples in RFC 6238


@pytest.mark.parametrize(
    ("at", "digits"),
    [
        (59, "94287082"), (1111111109, "07081804"), (1111111111, "14050471"), (1234567890, "89005924"),
        (2000000000, "69279037"), (20000000000, "65353130"),
    ],
)  # fmt: skip
def test_codes_are_those_of_the_standard(at: int, digits: str) -> None:
    """RFC 6238, appendix B, whose codes have eight digits: ours are the last six."""
    assert totp.code_at(SECRET, at // 30) == digits[2:]
    assert totp.matching_step(SECRET, digits[2:], at) == at // 30


@pytest.mark.parametrize(("away_s", "fits"), [(-60, False), (-30, True), (0, True), (30, True), (60, False)])
def test_clock_may_be_half_a_minute_wrong(away_s: int, *, fits: bool) -> None:
    """Typing takes time, and no two clocks agree; more would be more to guess."""
    now = 1_800_000_000
    code = totp.code_at(SECRET, (now + away_s) // 30)

    assert (totp.matching_step(SECRET, code, now) is not None) == fits


@pytest.mark.parametrize("code", ["", "abcdef", "12345", "\u0661\u0662\u0663\u0664\u0665\u0666", "é" * 6])
def test_other_text_is_no_code(code: str) -> None:
    assert totp.digits_of(code) == ""
    assert totp.matching_step(SECRET, code, 59) is None


@pytest.mark.parametrize("typed", ["123456", " 123 456 ", "123-456", "123\u00a0456"])
def test_code_may_be_typed_in_groups(typed: str) -> None:
    assert totp.digits_of(typed) == "123456"


def test_moment_right_after_1970_has_codes() -> None:
    """A clock that nobody has set is wrong, and no defect."""
    assert totp.matching_step(SECRET, totp.code_at(SECRET, 0), 0.0) == 0


def test_link_carries_key_and_account() -> None:
    """What an app reads of the QR code; a name with any character stays one."""
    secret = totp.new_secret()
    found = urlsplit(totp.link(secret, "Änna & Co?/#"))

    assert (found.scheme, found.netloc) == ("otpauth", "totp")
    assert unquote(found.path) == "/camalert:Änna & Co?/#"
    assert parse_qs(found.query)["secret"] == [secret]
    assert parse_qs(found.query)["issuer"] == ["camalert"]
    assert len(base64.b32decode(secret)) == 20


def test_recovery_codes_are_long_and_different() -> None:
    """Ten of 80 random bits; blanks, hyphens and capitals mean nothing."""
    codes = totp.new_recovery_codes()

    assert len(set(codes)) == 10
    assert all(len(base64.b32decode(code.upper())) == 10 for code in codes)
    shown = totp.grouped(codes[0])
    assert totp.recovery_digest(shown.upper().replace(" ", "-") + "\n") == totp.recovery_digest(codes[0])
    assert totp.recovery_digest(codes[0]) != totp.recovery_digest(codes[1])
    assert all(not totp.digits_of(code) for code in codes)


def test_qr_code_is_inline_and_has_a_light_margin() -> None:
    """An element without style or script, dark on light in either theme."""
    pytest.importorskip("segno", reason="the review extra installs segno")
    found = qr.svg(totp.link(SECRET, "anna"))

    assert found.startswith("<svg ")
    assert "style" not in found
    assert "http" not in found
    assert 'fill="#fff"' in found
