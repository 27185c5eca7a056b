"""The connections at a time: limits in total and for one address, and who must go for a newcomer.

Pure: `now` is an argument, in monotonic seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


@dataclass(slots=True)
class _Connection:
    address: str
    heard_at: float
    has_spoken: bool = False
    is_busy: bool = False


class Connections(Generic[Key]):
    """The books of the connections.

    A limit never locks cameras out: the idle connection that was silent the longest gives way, one that never said a
    word before one that did. Connections with a mail under way are never touched.
    """

    def __init__(self, total: int, per_address: int) -> None:
        self._total = total
        self._per_address = per_address
        self._connections: dict[Key, _Connection] = {}
        self._by_address: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._connections)

    def enter(self, connection: Key, address: str, now: float) -> None:
        """Take in a connection."""
        self._connections[connection] = _Connection(address, now)
        self._by_address[address] += 1

    def leave(self, connection: Key) -> None:
        """Let a connection go; again is harmless."""
        entry = self._connections.pop(connection, None)
        if entry:
            self._by_address[entry.address] -= 1
            if not self._by_address[entry.address]:
                del self._by_address[entry.address]

    def heard(self, connection: Key, now: float, *, is_busy: bool) -> None:
        """Note a command of a connection, and whether a mail of it is under way."""
        entry = self._connections.get(connection)
        if entry:
            entry.heard_at, entry.has_spoken, entry.is_busy = now, True, is_busy

    def excess(self, address: str) -> Key | None:
        """Return who must go now that a connection from `address` was taken in, None when nobody has to.

        When all others are busy it is the newcomer.
        """
        if self._by_address[address] > self._per_address:
            idle = [item for item in self._connections.items() if item[1].address == address and not item[1].is_busy]
        elif len(self._connections) > self._total:
            idle = [item for item in self._connections.items() if not item[1].is_busy]
        else:
            return None
        return min(idle, key=lambda item: (item[1].has_spoken, item[1].heard_at))[0]
