"""Which browsers a message is tried at, in which order, and when the message goes out once more.

A browser whose service does not answer must cost the others neither a message nor time: it pauses on its own, longer
each time, and comes last. Only what fails while others are reached is a browser's own fault; when nobody is reached it
may be our connection, and the target as a whole waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from camalert.visits import policy

SILENT_S = 86_400.0  # after that long without an answer a browser is no longer tried for each message
SILENT_PAUSE_S = 21_600.0  # but as often as this
SOON_S = 60.0  # a message waits so long for one browser


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is known of a browser that was not reached; times are monotonic."""

    failures: int = 0  # in a row, while others were reached
    since: float = 0.0  # the first of them
    failed_at: float = 0.0
    next_at: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Failure:
    """One try that failed."""

    reason: str
    asked_s: float = 0.0  # for how long the service wants to be left alone


NONE = Trouble()
Troubles = Mapping[str, Trouble]


def order(ids: Iterable[str], troubles: Troubles, now: float) -> list[str]:
    """Return who is tried now: not who pauses; who has failed comes last, and of those who has waited longest first."""
    due = [own for own in ids if troubles.get(own, NONE).next_at <= now]
    return sorted(due, key=lambda own: (troubles.get(own, NONE).failures, troubles.get(own, NONE).failed_at))


def after(
    troubles: Troubles, ids: Iterable[str], failed: Mapping[str, Failure], answered: Iterable[str], now: float
) -> dict[str, Trouble]:
    """Return what is known after a message was tried; of nobody but those who are still subscribed.

    Args:
        troubles: What was known before.
        ids: Who is subscribed.
        failed: Who was not reached.
        answered: Who was, by this message, now or before.
        now: Monotonic.
    """
    kept = set(ids)
    fine = set(answered)
    known = {own: trouble for own, trouble in troubles.items() if own in kept and own not in fine}
    for own, failure in failed.items():
        if own in kept:
            known[own] = _failed(troubles.get(own, NONE), failure, now, is_its_fault=bool(fine))
    return known


def _failed(before: Trouble, failure: Failure, now: float, *, is_its_fault: bool) -> Trouble:
    if not is_its_fault:
        asked_until = now + min(failure.asked_s, policy.LONGEST_ASKED_S) if failure.asked_s else before.next_at
        return replace(before, failed_at=now, next_at=asked_until, reason=failure.reason)
    failures = before.failures + 1
    since = before.since if before.failures else now
    next_at = policy.backoff(failures, failure.asked_s, now, 0.0)
    if now - since >= SILENT_S:
        next_at = max(next_at, now + SILENT_PAUSE_S)
    return Trouble(failures, since, now, next_at, failure.reason)


def wait_s(before: Troubles, known: Troubles, failed: Iterable[str], now: float) -> float:
    """Return how long a message that others have waits for who failed for the first time; 0 for not at all."""
    pauses = [known[own].next_at - now for own in failed if own in known and not before.get(own, NONE).failures]
    return max((pause_s for pause_s in pauses if pause_s <= SOON_S), default=0.0)


def why(left: Sequence[str], known: Troubles) -> str:
    """Return why some browsers do not have a message."""
    reasons = [known[own].reason for own in left if own in known]
    return reasons[0] if reasons else "the services took too long"
