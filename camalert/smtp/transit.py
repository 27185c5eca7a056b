"""The memory of all mails in transit: one budget, and who may go on when it is spent.

Pure: `now` is an argument, in monotonic seconds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

STALL_S = 5.0  # a mail that brings less than STALL_BYTES in this time loses its precedence, not its place
STALL_BYTES = 65_536


@dataclass(slots=True)
class _Mail:
    held_bytes: int
    marked_at: float
    marked_bytes: int


class Transit(Generic[Key]):
    """The books of the mails in transit.

    The oldest mail may always go on, so the largest one that is accepted always fits; the others share what is left
    of the budget beside it.
    """

    def __init__(self, budget_bytes: int, largest_bytes: int) -> None:
        self._shared_bytes = max(0, budget_bytes - largest_bytes)
        self._mails: OrderedDict[Key, _Mail] = OrderedDict()
        self._total_bytes = 0

    @property
    def total_bytes(self) -> int:
        """Return what all mails hold."""
        return self._total_bytes

    def enter(self, mail: Key, now: float) -> None:
        """Begin a mail; it is the youngest."""
        self._mails[mail] = _Mail(0, now, 0)

    def hold(self, mail: Key, held_bytes: int) -> None:
        """Note what a mail holds by now."""
        entry = self._mails.get(mail)
        if entry:
            self._total_bytes += held_bytes - entry.held_bytes
            entry.held_bytes = held_bytes

    def leave(self, mail: Key) -> None:
        """End a mail, however it ended."""
        entry = self._mails.pop(mail, None)
        if entry:
            self._total_bytes -= entry.held_bytes

    @property
    def is_tight(self) -> bool:
        """Tell whether all but the oldest mail must wait."""
        if not self._mails:
            return False
        oldest = next(iter(self._mails.values()))
        return self._total_bytes - oldest.held_bytes >= self._shared_bytes

    def may_go_on(self, mail: Key) -> bool:
        """Tell whether a mail may bring more bytes now."""
        return not self.is_tight or mail not in self._mails or mail == next(iter(self._mails))

    def review(self, now: float) -> None:
        """Take the precedence from an oldest mail that hardly moves, so that it does not hold up the others."""
        if len(self._mails) < 2:
            return
        mail, entry = next(iter(self._mails.items()))
        if now - entry.marked_at < STALL_S:
            return
        has_moved = entry.held_bytes - entry.marked_bytes >= STALL_BYTES
        entry.marked_at, entry.marked_bytes = now, entry.held_bytes
        if not has_moved:
            self._mails.move_to_end(mail)
            following = next(iter(self._mails.values()))
            following.marked_at, following.marked_bytes = now, following.held_bytes
