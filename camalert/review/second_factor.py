"""The second factor of an account: switched on and off, and asked at a login.

A code of the app works once, also for who looked over a shoulder. While somebody who knows the password guesses codes,
browsers from which the account logged in before have tries of their own, and recovery codes always work: the account's
owner is not locked out, and no other account notices.
"""

from __future__ import annotations

import datetime
import time
from typing import Any

from django.contrib.auth import get_user_model
from django.core import signing
from django.db import transaction
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare

from camalert.ratelimit import RateLimit
from camalert.review import totp
from camalert.review.accounts.models import RecoveryCode, SecondFactor, digest_of
from camalert.review.passwords import known_keys
from camalert.system.logs import log

TRIES_AT_ONCE = 8
SECONDS_A_TRY = 120.0  # of three codes that fit: guessing for a day, with the password, succeeds once in 460 times
HALF_S = 600  # from the password to the code
_SALT = "camalert.review.half"
_tries = RateLimit(per_second=1 / SECONDS_A_TRY, burst=TRIES_AT_ONCE)


def is_on(user: Any) -> bool:
    """Tell whether an account has a second factor."""
    return bool(SecondFactor.objects.filter(user=user).exists())


def whose() -> set[int]:
    """Return the accounts that have one."""
    return set(SecondFactor.objects.values_list("user_id", flat=True))


def switch_on(user: Any, secret: str, code: str) -> list[str]:
    """Switch it on for who has the key in the app, and return recovery codes, the only time that they can be read.

    Returns: Nothing when the code is not one of the key, or it is on already.
    """
    step = totp.matching_step(secret, totp.digits_of(code), time.time())
    if step is None:
        return []
    now = datetime.datetime.now()  # noqa: DTZ005 - the site's own times are local
    with transaction.atomic():
        _, is_new = SecondFactor.objects.get_or_create(
            user=user, defaults={"secret": secret, "since": now, "last_step": step}
        )
        return new_codes(user) if is_new else []


def switch_off(user: Any) -> bool:
    """Switch it off and forget key and recovery codes; tell whether it was on."""
    with transaction.atomic():
        RecoveryCode.objects.filter(user=user).delete()
        count, _ = SecondFactor.objects.filter(user=user).delete()
    return bool(count)


def new_codes(user: Any) -> list[str]:
    """Make recovery codes in the place of those there were, and return them."""
    codes = totp.new_recovery_codes()
    with transaction.atomic():
        RecoveryCode.objects.filter(user=user).delete()
        RecoveryCode.objects.bulk_create(RecoveryCode(user=user, digest=totp.recovery_digest(code)) for code in codes)
    return codes


def codes_left(user: Any) -> int:
    """Return how many recovery codes still work."""
    return int(RecoveryCode.objects.filter(user=user).count())


def may_try(request: HttpRequest, user: Any) -> bool:
    """Count a try of a code of the app; tell whether it is not one too many from there."""
    return _tries.admit(_key(request, user), time.monotonic()).is_admitted


def is_right(request: HttpRequest, user: Any, text: str) -> bool:
    """Tell whether this is a code of the app or a recovery code; either works once."""
    if code := totp.digits_of(text):
        found = SecondFactor.objects.filter(user=user).first()
        step = totp.matching_step(found.secret, code, time.time()) if found else None
        # In one statement: of two requests with the same code, the second one changes nothing.
        is_used = step is not None and SecondFactor.objects.filter(user=user, last_step__lt=step).update(last_step=step)
        if is_used:
            _tries.give_back(_key(request, user))
        return bool(is_used)
    count, _ = RecoveryCode.objects.filter(user=user, digest=totp.recovery_digest(text)).delete()
    if count:
        log.warning("review_recovery_code_used", user=user.get_username(), left=codes_left(user))
    return bool(count)


def half(user: Any, onward: str) -> str:
    """Return a sealed note that the password of an account was right, and where its login leads."""
    return signing.dumps({"user": user.pk, "password": _of_password(user), "next": onward}, salt=_SALT)


def whose_half(note: str) -> tuple[Any, str] | None:
    """Return the account of a note and where it leads; None when it is too old, not ours, or the password is new."""
    try:
        found = signing.loads(note, salt=_SALT, max_age=HALF_S)
    except signing.BadSignature:
        return None
    user = get_user_model().objects.filter(pk=found["user"], is_active=True).first()
    if user is None or not constant_time_compare(found["password"], _of_password(user)):
        return None
    return user, found["next"]


def _of_password(user: Any) -> str:
    """Return what changes with the password and tells nothing of it."""
    return digest_of(user.get_session_auth_hash())


def _key(request: HttpRequest, user: Any) -> str:
    return next(iter(known_keys(request, user.get_username())), f"account {user.pk}")
