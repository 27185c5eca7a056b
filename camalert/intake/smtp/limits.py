"""The limits that clients share: places for connections, memory for mails, and turns among those that wait.

`now` is an argument everywhere, in monotonic seconds.
"""

from __future__ import annotations

import enum
from collections import Counter, OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Entry = TypeVar("Entry", bound=tuple[Any, ...])

RATE_BYTES_PER_S = 4096  # of a mail that is really being sent; the weakest usable Wi-Fi is faster
REAL_MAIL_BYTES = 16_384  # a mail that has brought less may still turn out to be a trickle
STALL_S = 1.5  # a mail that falls so far behind that rate may be cut off for a newcomer
IDLE_S = 10.0  # the slowest camera answers a reply sooner, and computes its part of a TLS handshake
KEPT_PLACES = 10  # for addresses that have delivered before; a quarter of all places at most
MOST_KNOWN = 1024  # addresses that have delivered before; beyond that the one that did longest ago is forgotten
TRANSIT_STALL_S = 5.0  # a mail that brings less than the following in this time loses its precedence, not its place
TRANSIT_STALL_BYTES = 65_536
GREEDY_SHARE = 2 / 3  # of what is shared, for the mails of an address that has more than its part of it
MOST_TURNS = 1024  # addresses that are remembered to have had a turn


class Step(enum.IntEnum):
    """How far a client has come towards its next mail."""

    CONNECTED = 0
    GREETED = 1
    LOGGED_IN = 2
    MAIL = 3
    RCPT = 4
    DATA = 5


class Wait(enum.Enum):
    """What a client waits for on our side; that time does not count against it."""

    NOTHING = enum.auto()
    MEMORY = enum.auto()  # its mail is not read on, because others have the memory
    ANSWER = enum.auto()  # its mail is complete


class _Standing(enum.IntEnum):
    """What a connection is doing, the first to give way first."""

    IDLE = 0
    TALKING = 1  # or a mail that has stalled for a moment
    BUSY = 2  # its mail arrives at a real rate, or would
    SERVED = 3  # it waits for our answer


@dataclass(slots=True)
class _Place:
    address: str
    paid_until: float  # how far its steps and bytes have brought it; never in the future
    step: Step = Step.CONNECTED
    brought_bytes: int = 0  # of the mail under way
    wait: Wait = Wait.NOTHING

    def standing(self, now: float) -> _Standing:
        if self.wait is Wait.ANSWER:
            return _Standing.SERVED
        behind_s = now - self.paid_until
        if self.wait is Wait.MEMORY or (self.brought_bytes >= REAL_MAIL_BYTES and behind_s <= STALL_S):
            return _Standing.BUSY
        return _Standing.IDLE if behind_s > IDLE_S else _Standing.TALKING


class Places(Generic[Key]):
    """Track the places for connections: how many at a time, and who gives way to a newcomer.

    A client earns its place by coming further: a step towards a mail that it has not taken since its last one (EHLO,
    AUTH, MAIL, RCPT, DATA), or bytes of a mail. Each byte buys 1/`RATE_BYTES_PER_S` of a second; what talks without
    coming further (NOOP, RSET, a mail that trickles) falls behind, and whoever is the furthest behind gives way first.

    A newcomer always gets in while any client idles, talks without progress, or sends a mail that does not move.
    Of those the ones of an address that has more than its share of the places go first, then those of addresses that
    never delivered, then who is furthest behind. A mail that comes at a real rate gives way only when its address has
    more than its share and the newcomer's has not. Who waits for us never gives way.
    """

    def __init__(self, total: int, per_address: int) -> None:
        self._total = total
        self._per_address = per_address
        self._connections: dict[Key, _Place] = {}
        self._by_address: Counter[str] = Counter()
        self._known: OrderedDict[str, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._connections)

    def enter(self, connection: Key, address: str, now: float) -> None:
        """Take in a connection."""
        self._connections[connection] = _Place(address, now)
        self._by_address[address] += 1

    def leave(self, connection: Key) -> None:
        """Let a connection go; again is harmless."""
        entry = self._connections.pop(connection, None)
        if entry:
            self._by_address[entry.address] -= 1
            if not self._by_address[entry.address]:
                del self._by_address[entry.address]

    def has_begun(self, connection: Key) -> bool:
        """Tell whether a connection has taken any step towards a mail."""
        entry = self._connections.get(connection)
        return entry is not None and entry.step > Step.CONNECTED

    def came_to(self, connection: Key, step: Step, now: float) -> None:
        """Note a step; one that the client has taken since its last mail counts for nothing."""
        entry = self._connections.get(connection)
        if entry and step > entry.step:
            entry.step, entry.paid_until = step, now

    def brought(self, connection: Key, count: int, now: float) -> None:
        """Note so many bytes of a mail."""
        entry = self._connections.get(connection)
        if entry:
            entry.brought_bytes += count
            # Those who fell behind for long need not make up for all of it before they count as moving again.
            entry.paid_until = min(now, max(entry.paid_until, now - IDLE_S) + count / RATE_BYTES_PER_S)

    def waits(self, connection: Key, wait: Wait, now: float) -> None:
        """Note what a connection waits for from now on."""
        entry = self._connections.get(connection)
        if entry and entry.wait is not wait:
            entry.wait, entry.paid_until = wait, now

    def behind_s(self, connection: Key, now: float) -> float:
        """Return for how long a connection has come no step further."""
        entry = self._connections.get(connection)
        return now - entry.paid_until if entry else now

    def ended_mail(self, connection: Key, now: float, *, is_taken: bool) -> None:
        """Note the end of a mail; one that was taken lets its client begin anew, and makes its address known."""
        entry = self._connections.get(connection)
        if entry is None:
            return
        self.waits(connection, Wait.NOTHING, now)
        entry.brought_bytes = 0
        if is_taken:
            entry.step, entry.paid_until = Step.LOGGED_IN, now
            self._known[entry.address] = None
            self._known.move_to_end(entry.address)
            if len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)

    def excess(self, newcomer: Key, now: float) -> Key | None:
        """Return who must go now that `newcomer` was taken in, None when nobody has to.

        It is the newcomer itself only when all that could give way to it are at work.
        """
        address = self._connections[newcomer].address
        if self._by_address[address] > self._per_address:
            rivals = [key for key, entry in self._connections.items() if entry.address == address]
        elif len(self._connections) > self._total:
            rivals = list(self._connections)
        elif address not in self._known and self._are_unknown_too_many:
            rivals = [key for key, entry in self._connections.items() if entry.address not in self._known]
        else:
            return None
        candidates = [key for key in rivals if key != newcomer and self._gives_way(key, address, now)]
        return self._first_to_go(candidates, now) if candidates else newcomer

    @property
    def _are_unknown_too_many(self) -> bool:
        """Tell whether addresses that never delivered have places that are kept for the others."""
        places = self._total - min(KEPT_PLACES, self._total // 4, len(self._known))
        if len(self._connections) <= places:
            return False
        return len(self._connections) - sum(self._by_address[address] for address in self._known) > places

    def _has_more_than_its_share(self, address: str) -> bool:
        return self._by_address[address] > max(1, self._total // len(self._by_address))

    def _gives_way(self, key: Key, address: str, now: float) -> bool:
        """Tell whether a connection may be sent away for a newcomer from `address`."""
        entry = self._connections[key]
        is_greedy = self._has_more_than_its_share(entry.address)
        is_newcomer_greedy = self._has_more_than_its_share(address)
        match entry.standing(now):
            case _Standing.SERVED:
                return False
            case _Standing.BUSY:
                return is_greedy and not is_newcomer_greedy
            case _Standing.TALKING:
                return is_greedy or not is_newcomer_greedy
            case _Standing.IDLE:
                return True

    def _first_to_go(self, candidates: list[Key], now: float) -> Key:
        """Choose the one that gives way.

        Of those that are alike, a flood of clients that have hardly begun does not send away the few that are further:
        if three quarters have come to some step at most, it is one of them.
        """
        kinds = {key: self._kind(self._connections[key], now) for key in candidates}
        first = min(kinds.values())
        alike = {key: self._connections[key] for key in candidates if kinds[key] == first}
        steps = sorted(entry.step for entry in alike.values())
        limit = steps[len(steps) * 3 // 4]
        return min((key for key, entry in alike.items() if entry.step <= limit), key=lambda key: alike[key].paid_until)

    def _kind(self, entry: _Place, now: float) -> tuple[int, int, bool]:
        """Order connections roughly: what gives way first is the smallest.

        Who has only just taken a step is on its way to a mail: it stays before the mails of an address with too many,
        or two cameras would send each other away. An unknown address gives way before one that has delivered.
        """
        too_many = self._by_address[entry.address] if self._has_more_than_its_share(entry.address) else 0
        is_known = entry.address in self._known
        standing: int = entry.standing(now)
        is_on_its_way = standing == _Standing.TALKING and not too_many and now - entry.paid_until <= STALL_S
        if is_on_its_way or standing == _Standing.BUSY:
            standing = _Standing.BUSY + 2 * is_known + is_on_its_way
        return standing, -too_many, is_known


@dataclass(slots=True)
class _Mail:
    address: str
    held_bytes: int
    marked_at: float
    marked_bytes: int


class Transit(Generic[Key]):
    """Track the memory of all mails in transit: one budget, and who may go on when it is spent.

    The oldest mail may always go on, so the largest one that is accepted always fits; the others share what is left
    of the budget beside it. An address that holds more than its part of that waits first, so that many mails from one
    leave space for those of the others.
    """

    def __init__(self, budget_bytes: int, largest_bytes: int) -> None:
        self._shared_bytes = max(0, budget_bytes - largest_bytes)
        self._mails: OrderedDict[Key, _Mail] = OrderedDict()
        self._total_bytes = 0
        self._held_by: Counter[str] = Counter()
        self._addresses: Counter[str] = Counter()

    def enter(self, mail: Key, address: str, now: float) -> None:
        """Begin a mail; it is the youngest."""
        self.leave(mail)
        self._mails[mail] = _Mail(address, 0, now, 0)
        self._addresses[address] += 1

    def hold(self, mail: Key, held_bytes: int) -> None:
        """Note what a mail holds by now."""
        entry = self._mails.get(mail)
        if entry:
            self._total_bytes += held_bytes - entry.held_bytes
            self._held_by[entry.address] += held_bytes - entry.held_bytes
            entry.held_bytes = held_bytes

    def leave(self, mail: Key) -> None:
        """End a mail, however it ended."""
        entry = self._mails.pop(mail, None)
        if entry:
            self._total_bytes -= entry.held_bytes
            self._held_by[entry.address] -= entry.held_bytes
            self._addresses[entry.address] -= 1
            if not self._addresses[entry.address]:
                del self._addresses[entry.address], self._held_by[entry.address]

    @property
    def is_tight(self) -> bool:
        """Tell whether a mail may have to wait."""
        return self._beside_the_oldest_bytes >= self._shared_bytes * GREEDY_SHARE

    def may_go_on(self, mail: Key) -> bool:
        """Tell whether a mail may bring more bytes now."""
        entry = self._mails.get(mail)
        if entry is None or mail == next(iter(self._mails)):
            return True
        is_greedy = self._held_by[entry.address] > self._shared_bytes / len(self._addresses)
        return self._beside_the_oldest_bytes < self._shared_bytes * (GREEDY_SHARE if is_greedy else 1)

    @property
    def _beside_the_oldest_bytes(self) -> int:
        oldest = next(iter(self._mails.values()), None)
        return 0 if oldest is None else self._total_bytes - oldest.held_bytes

    def review(self, now: float) -> None:
        """Take the precedence from an oldest mail that hardly moves, so that it does not hold up the others."""
        if len(self._mails) < 2:
            return
        mail, entry = next(iter(self._mails.items()))
        if now - entry.marked_at < TRANSIT_STALL_S:
            return
        has_moved = entry.held_bytes - entry.marked_bytes >= TRANSIT_STALL_BYTES
        entry.marked_at, entry.marked_bytes = now, entry.held_bytes
        if not has_moved:
            self._mails.move_to_end(mail)
            following = next(iter(self._mails.values()))
            following.marked_at, following.marked_bytes = now, following.held_bytes


class Turns:
    """Tell whose turn it is among mails that wait: addresses in turn, and of an address the mail that came first."""

    def __init__(self) -> None:
        self._count = 0
        self._served: dict[str, int] = {}  # address -> its last turn, the one longest ago first

    def in_order(self, waiting: Iterable[Entry]) -> list[Entry]:
        """Return the entries of a queue, the next one first; an entry's last item is the address."""
        return sorted(waiting, key=lambda entry: self._served.get(entry[-1], 0))

    def served(self, address: str) -> None:
        """Note that an address has had a turn."""
        self._count += 1
        self._served.pop(address, None)
        self._served[address] = self._count
        if len(self._served) > MOST_TURNS:
            del self._served[next(iter(self._served))]
