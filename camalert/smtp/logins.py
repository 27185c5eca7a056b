"""Who may log in: the users of the configuration, and the logins that were right before.

Mechanism: checks passwords in a thread, so that the event loop goes on.
"""

from __future__ import annotations

import asyncio
import hashlib
import os

from camalert.config import Auth
from camalert.smtp import passwords
from camalert.smtp.login import Credentials


class Logins:
    """Tell right logins from wrong ones."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth
        self._stored = {user.name: user.password for user in reversed(auth.user)}  # of two, the first one counts
        self._known: set[bytes] = set()
        self._key = os.urandom(16)
        self._turn = asyncio.Lock()

    async def is_right(self, credentials: Credentials) -> bool:
        """Tell whether a login is right; one that was right before costs nothing again."""
        if self._auth.accept == "any":
            return True
        stored = self._stored.get(credentials.name, "")
        if not stored:
            return False
        known = self._fingerprint(credentials, stored)
        if known in self._known:
            return True
        async with self._turn:  # one at a time: guessing must not cost the other cameras their processor
            is_right = await asyncio.to_thread(passwords.is_password, credentials.password, stored)
        if is_right:
            self._known.add(known)
        return is_right

    def _fingerprint(self, credentials: Credentials, stored: str) -> bytes:
        """Return what a right login is remembered by; it says nothing of the password."""
        secret = b"\0".join((credentials.name.encode("utf-8", "replace"), stored.encode(), credentials.password))
        return hashlib.blake2b(secret, key=self._key, digest_size=16).digest()
