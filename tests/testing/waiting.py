"""Waiting for a condition: poll with a deadline, never a bare sleep."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

POLL_S = 0.02


def until(condition: Callable[[], Result], what: str | Callable[[], str], limit_s: float = 60.0) -> Result:
    """Return the first true value of `condition`; fail in words, those of that moment, when it stays false.

    The limit is generous: machines are shared. It decides how long a broken test takes, not whether a slow one passes.
    """
    deadline = time.monotonic() + limit_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            message = f"waited {limit_s:.0f} s in vain: {what if isinstance(what, str) else what()}"
            raise AssertionError(message)
        time.sleep(POLL_S)
    return found
