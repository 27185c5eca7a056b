"""The token buckets that keep floods out of the log."""

from __future__ import annotations

from camalert.ratelimit import Admission, RateLimit


def test_rate_limit_burst_then_silence_then_count() -> None:
    """A burst passes, its last line says that silence follows, and the next line says how much was held back."""
    limit = RateLimit(per_second=1, burst=2)

    answers = [limit.admit("peer", now) for now in (0.0, 0.0, 0.1, 0.2, 1.5)]

    assert answers == [
        Admission(is_admitted=True),
        Admission(is_admitted=True, is_last=True),
        Admission(is_admitted=False),
        Admission(is_admitted=False),
        Admission(is_admitted=True, suppressed=2, is_last=True),
    ]


def test_rate_limit_one_peer_does_not_silence_another() -> None:
    """Each key has its own allowance."""
    limit = RateLimit(per_second=1, burst=1)
    limit.admit("noisy", 0.0)

    assert not limit.admit("noisy", 0.0).is_admitted
    assert limit.admit("quiet", 0.0).is_admitted


def test_rate_limit_many_keys_stay_within_memory() -> None:
    """A client with endless addresses cannot fill the memory."""
    limit = RateLimit(per_second=1, burst=1, max_keys=10)

    for number in range(1000):
        limit.admit(number, 0.0)

    assert len(limit._buckets) == 10
