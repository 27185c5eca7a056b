"""Token buckets: how often something may happen for each key, and how often it was suppressed since.

Meant for what any client can trigger, such as a log line for each connection.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether it may happen now.

    `suppressed` counts those before this one that might not; `is_last` says that the next may not, so that a reader of
    the log learns why it falls silent.
    """

    is_admitted: bool
    suppressed: int = 0
    is_last: bool = False


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float
    suppressed: int = 0


class RateLimit:
    """Admit `burst` events a key at once and `per_second` in the long run.

    Memory is bounded: beyond `max_keys` the key that was quiet the longest is forgotten.
    """

    def __init__(self, *, per_second: float, burst: int, max_keys: int = 1024) -> None:
        self._per_second = per_second
        self._burst = burst
        self._max_keys = max_keys
        self._buckets: OrderedDict[Hashable, _Bucket] = OrderedDict()

    def admit(self, key: Hashable, now: float) -> Admission:
        """Decide about one event of a key, at `now` in monotonic seconds."""
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(self._burst, now)
            if len(self._buckets) > self._max_keys:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.filled_at) * self._per_second)
        bucket.filled_at = now
        if bucket.tokens < 1:
            bucket.suppressed += 1
            return Admission(is_admitted=False)
        bucket.tokens -= 1
        suppressed, bucket.suppressed = bucket.suppressed, 0
        return Admission(is_admitted=True, suppressed=suppressed, is_last=bucket.tokens < 1)

    def give_back(self, key: Hashable) -> None:
        """Take back one admitted event of a key, which turned out to be harmless."""
        bucket = self._buckets.get(key)
        if bucket is not None:
            bucket.tokens = min(self._burst, bucket.tokens + 1)
