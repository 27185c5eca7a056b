"""Hashed passwords of cameras, as they stand in the configuration. Source: RFC 7914 (scrypt)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os

from camalert.errors import ConfigError

# Cheap enough for a single-board computer, and dear enough that a stolen configuration gives no password away for free.
_PREFIX = "scrypt"
_COST = 4096  # N: 4 MiB with blocks of 8
_BLOCK = 8
_PARALLEL = 4
_SALT_BYTES = 16
_KEY_BYTES = 32


def hash_password(password: str) -> str:
    """Hash a password for the configuration: `scrypt:N:r:p:salt:key`."""
    salt = os.urandom(_SALT_BYTES)
    key = _derive(password.encode(), salt, _COST, _BLOCK, _PARALLEL)
    encoded = (base64.b64encode(part).decode() for part in (salt, key))
    return ":".join((_PREFIX, str(_COST), str(_BLOCK), str(_PARALLEL), *encoded))


def is_password(password: bytes, stored: str) -> bool:
    """Tell whether a password is the one that was hashed; takes as long for a wrong one.

    Raises: ConfigError when `stored` is not a line of `hash_password`.
    """
    try:
        prefix, cost, block, parallel, salt, key = stored.split(":")
        if prefix != _PREFIX:
            raise ValueError
        expected = base64.b64decode(key, validate=True)
        found = _derive(password, base64.b64decode(salt, validate=True), int(cost), int(block), int(parallel))
    except (ValueError, binascii.Error) as error:
        raise ConfigError("smtp.auth.user.password is not a line that `camalert hash-password` prints") from error
    return hmac.compare_digest(found, expected)


def _derive(password: bytes, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    return hashlib.scrypt(password, salt=salt, n=cost, r=block, p=parallel, maxmem=1 << 26, dklen=_KEY_BYTES)
