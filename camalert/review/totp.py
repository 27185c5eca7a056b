"""Codes that change each half minute, as authenticator apps show them, and recovery codes for when the app is gone.

Source: RFC 6238 (TOTP) and RFC 4226 (HOTP), with what all apps understand: SHA-1, six digits, 30 seconds. The format of
the link is that of Google Authenticator's "Key Uri Format".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from urllib.parse import quote, urlencode

STEP_S = 30
DIGITS = 6
DRIFT_STEPS = 1  # before and after: typing takes a while, and clocks differ
SECRET_BYTES = 20  # as long as the digest of SHA-1, what RFC 4226 recommends
RECOVERY_CODES = 10
RECOVERY_BYTES = 10  # 80 random bits: nothing to guess, so a plain digest is enough to keep
ISSUER = "camalert"


def new_secret() -> str:
    """Return a random key in base 32, as apps take it."""
    return base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode()


def code_at(secret: str, step: int) -> str:
    """Return the code of a step, counted from 1970."""
    digest = hmac.digest(base64.b32decode(secret), step.to_bytes(8, "big"), hashlib.sha1)
    start = digest[-1] & 0x0F
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}d}"


def matching_step(secret: str, code: str, now_utc: float) -> int | None:
    """Return the step whose code this is, of those around now; None when it is none of them."""
    now_step = int(now_utc // STEP_S)
    steps = range(max(0, now_step - DRIFT_STEPS), now_step + DRIFT_STEPS + 1)
    fitting = [step for step in steps if hmac.compare_digest(code_at(secret, step).encode(), code.encode())]
    return max(fitting, default=None)


def digits_of(text: str) -> str:
    """Return the code that somebody typed, also as "123 456"; "" when it is none."""
    found = re.sub(r"[ \u00a0-]", "", text)
    return found if len(found) == DIGITS and found.isascii() and found.isdigit() else ""


def link(secret: str, account: str) -> str:
    """Return what the QR code says, a link that opens an app."""
    label = quote(f"{ISSUER}:{account}", safe=":@")
    values = {"secret": secret, "issuer": ISSUER, "algorithm": "SHA1", "digits": DIGITS, "period": STEP_S}
    return f"otpauth://totp/{label}?{urlencode(values)}"


def grouped(text: str) -> str:
    """Return a key or a code in groups of four, for eyes and for paper."""
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def new_recovery_codes() -> list[str]:
    """Return codes that each replace the app once."""
    return [base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode().lower() for _ in range(RECOVERY_CODES)]


def recovery_digest(text: str) -> str:
    """Return what is stored of a recovery code, however it is written: blanks, hyphens and capitals mean nothing."""
    found = re.sub(r"[\s-]", "", text).lower()
    return hashlib.sha256(found.encode("utf-8", "replace")).hexdigest()
