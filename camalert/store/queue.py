"""Which pending picture gets which frame slot: live ones first, then the backlog, then retries; senders in turn.

Live pictures are the newest that wait. Senders take turns, and of a sender its cameras; of a camera the newest goes
first, of the backlog the oldest. So one sender's burst delays another's alarm by one picture of each who waits.

A retry is a picture on which a process crashed or hung. It gets its second try when nothing else waits, so that a
hostile picture costs only its own time. A sender of several such pictures waits behind the others for an hour.

The writer brings lent slots and rows, and asks. The database is the queue; what is here is a short view of it that may
be lost at any time. There are two lines: pictures for the equal frame slots, and clips and oversized pictures for the
large one.

A clip that came beside pictures waits until no alarm has come for 5 s: the pictures have told of the alarm already, and
reading a clip takes as long as ten of them.
"""

from __future__ import annotations

import collections
import ipaddress
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from camalert import identity
from camalert.ipc.layout import Layout

# A clip waits under an id of its own until its examination makes an alert of it: CLIP_BASE + its id in camalert_clip.
# SQLite's ids are signed 64-bit numbers and the messages' are unsigned, so 2**62 fits both and no alert comes near.
CLIP_BASE = 1 << 62

LIVE_WAITING = 64  # the newest; older ones are found in the database again, so that memory is bounded in a burst
FETCH_ROWS = 64  # of the backlog at a time
RETRIES_ALLOWED = 2  # of one sender in an hour; then it is a suspect
FORGIVEN_S = 3600.0
NAME_CHARS = 200
COURTEOUS_SLOTS = 4  # equal frame slots, from which on one is kept for a sender who has none
SENDERS_REMEMBERED = 256
QUIET_S = 5.0  # without an alarm, after which clips beside pictures are examined
LONGEST_S = 300.0  # that such a clip waits while alarms go on


def sender_of(peer: str) -> str:
    """Return the address by which a client is known; a device may take any address of its IPv6 network (/64)."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return peer[:NAME_CHARS]
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))


def known_as(camera: str) -> str:
    """Return a camera's name as it is compared."""
    return identity.key(camera)[:NAME_CHARS]


@dataclass(frozen=True, slots=True)
class Lease:
    """A frame slot lent to the writer."""

    slot: int
    generation: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A picture or clip whose examination is pending."""

    alert_id: int
    length_bytes: int
    tries: int = 0
    sender: str = ""  # the address it came from; `camera` is the name that its mail gives
    camera: str = ""

    @property
    def is_clip(self) -> bool:
        """Tell a clip from a picture."""
        return self.alert_id >= CLIP_BASE


@dataclass(frozen=True, slots=True)
class Pick:
    """What to load next, and where to."""

    lease: Lease
    waiting: Waiting
    is_live: bool


class Turns:
    """Know which sender, and which camera of it, is next, and which senders' pictures crash processes."""

    def __init__(self) -> None:
        self._count = 0
        self._served: dict[tuple[str, str], int] = {}  # sender and camera, or "" for the sender: its last turn
        self._retries: dict[str, collections.deque[float]] = {}

    def served(self, waiting: Waiting) -> None:
        """Note that a picture had its turn."""
        self._count += 1
        for who in ((waiting.sender, ""), (waiting.sender, f"camera {waiting.camera}")):
            self._served.pop(who, None)
            self._served[who] = self._count
        while len(self._served) > 2 * SENDERS_REMEMBERED:
            del self._served[next(iter(self._served))]

    def note_retry(self, sender: str, now: float) -> None:
        """Note that a process crashed or hung on a picture of this sender."""
        times = self._retries.pop(sender, None) or collections.deque(maxlen=RETRIES_ALLOWED)
        times.append(now)
        self._retries[sender] = times
        if len(self._retries) > SENDERS_REMEMBERED:
            del self._retries[next(iter(self._retries))]

    def is_suspect(self, sender: str, now: float) -> bool:
        """Tell whether a sender waits behind the others."""
        times = self._retries.get(sender, collections.deque())
        return len(times) >= RETRIES_ALLOWED and now - times[0] < FORGIVEN_S

    def next_of(self, waiting: Iterable[Waiting], *, is_newest_first: bool) -> Waiting:
        """Return whose turn it is."""
        sign = -1 if is_newest_first else 1
        return min(waiting, key=lambda found: (
            self._served.get((found.sender, ""), 0),
            self._served.get((found.sender, f"camera {found.camera}"), 0),
            sign * found.alert_id,
        ))  # fmt: skip


class Line:
    """One of the two lines.

    Args:
        turns: Who is next.
        is_large: Whether it is the line of clips and oversized pictures.
        reserve: Lent slots that are kept for live pictures.
        courtesy: Lent slots that are kept for senders who have no picture in a slot, and for no suspect.
    """

    def __init__(self, turns: Turns, *, is_large: bool, reserve: int, courtesy: int) -> None:
        self.is_large = is_large
        self.lent: collections.deque[Lease] = collections.deque()
        self.now = 0.0
        self._turns = turns
        self._reserve = reserve
        self._courtesy = courtesy
        self._live: list[Waiting] = []  # oldest first
        self._backlog: list[Waiting] = []
        self._retries: collections.deque[Waiting] = collections.deque()  # few: each has cost a process
        self._has_backlog = True

    @property
    def wants_backlog(self) -> bool:
        """Tell whether rows of the backlog would be loaded now."""
        is_free = len(self.lent) > self._reserve
        return self._has_backlog and is_free and not self._backlog and not self._eligible(self._live)

    def wait(self, waiting: Waiting) -> None:
        """Queue a picture as live or as a retry; beyond the limit, the oldest of the largest sender becomes backlog."""
        if waiting.tries:
            self._retries.append(waiting)
            return
        if len(self._live) >= LIVE_WAITING:
            most, _ = collections.Counter(found.sender for found in self._live).most_common(1)[0]
            self._live.remove(next(found for found in self._live if found.sender == most))
            self.look_again()
        self._live.append(waiting)

    def look_again(self) -> None:
        """Expect rows in the database that this line does not know of."""
        self._has_backlog = True

    @property
    def known(self) -> set[int]:
        """Return what waits here."""
        return {waiting.alert_id for waiting in (*self._live, *self._backlog, *self._retries)}

    def feed(self, rows: list[Waiting]) -> None:
        """Take rows of the backlog that are not known here; none: there are no more until somebody adds one."""
        self._has_backlog = bool(rows)
        for row in rows:
            (self._retries if row.tries else self._backlog).append(row)

    def has_slot_for(self, sender: str, busy: Collection[str]) -> bool:
        """Tell whether a slot is free for a picture of a sender that was stored this moment."""
        is_modest = sender in busy or self._turns.is_suspect(sender, self.now)
        return len(self.lent) > (self._courtesy if is_modest else 0)

    def pick(self, busy: Collection[str]) -> Pick | None:
        """Return what to load next and take it out of the line; `busy` are the senders with pictures in slots."""
        if self.lent and (eligible := self._eligible(self._live, busy)):
            # The newest first: what happens now is not kept waiting by what happened a burst ago.
            return self._take(self._live, eligible, is_live=True)
        if len(self.lent) > self._reserve:
            if candidates := self._eligible(self._backlog) or self._backlog:
                return self._take(self._backlog, candidates, is_live=False)
            if self._live:
                return self._take(self._live, self._live, is_live=False)
            if self._retries:
                return Pick(self.lent.popleft(), self._retries.popleft(), is_live=False)
        return None

    def _eligible(self, waiting: list[Waiting], busy: Collection[str] = ()) -> list[Waiting]:
        """Return those that suspects did not send; of the last slot also those that no busy sender sent."""
        absent = busy if len(self.lent) <= self._courtesy else ()
        return [
            found
            for found in waiting
            if found.sender not in absent and not self._turns.is_suspect(found.sender, self.now)
        ]

    def _take(self, waiting: list[Waiting], candidates: list[Waiting], *, is_live: bool) -> Pick:
        found = self._turns.next_of(candidates, is_newest_first=waiting is self._live)
        waiting.remove(found)
        return Pick(self.lent.popleft(), found, is_live)

    def forget(self) -> None:
        """Forget every row, when the database is another one."""
        self._live.clear()
        self._backlog.clear()
        self._retries.clear()
        self.look_again()


class Queue:
    """Both lines, and the pictures that are being examined."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._turns = Turns()
        # With a single equal slot a reserve would never let the backlog in, and with few none of them should be idle.
        courtesy = 1 if layout.frame_slots >= COURTEOUS_SLOTS else 0
        self.small = Line(self._turns, is_large=False, reserve=1 if layout.frame_slots > 1 else 0, courtesy=courtesy)
        self.large = Line(self._turns, is_large=True, reserve=0, courtesy=0)
        self.in_flight: dict[int, Lease] = {}
        self._senders: dict[int, str] = {}  # of those in flight, as far as known
        self._beside: collections.deque[tuple[Waiting, float]] = collections.deque()  # with when they wait no longer
        self._alarm_at = -QUIET_S
        self._now = 0.0
        self._stale: set[Lease] = set()

    @property
    def lines(self) -> tuple[Line, Line]:
        """Return both lines."""
        return self.small, self.large

    @property
    def small_bytes(self) -> int:
        """Return the size up to which a picture takes an equal frame slot."""
        return self._layout.picture_bytes

    @property
    def largest_bytes(self) -> int:
        """Return the size up to which a picture or clip takes the large frame slot."""
        return self._layout.largest_bytes

    def lend(self, lease: Lease) -> None:
        """Take a frame slot that the supervisor lends."""
        line = self.large if lease.slot == self._layout.large_frame else self.small
        line.lent.append(lease)

    def give_back(self, pick: Pick) -> None:
        """Take a slot back that was not used; the picture is left to the backlog."""
        self.end(pick.waiting.alert_id)
        self.lend(pick.lease)
        self._line(pick.waiting).look_again()

    def wait(self, waiting: Waiting) -> None:
        """Queue a picture that is not in a slot."""
        if waiting.tries and waiting.sender:  # one without came from this machine, or a worker was to blame for it
            self._turns.note_retry(waiting.sender, self._now)
        self._line(waiting).wait(waiting)

    def note_alarm(self, now: float) -> None:
        """Note that a picture or a clip of its own was stored."""
        self._alarm_at = now

    def postpone(self, waiting: Waiting, now: float) -> None:
        """Let a clip wait for quiet that came beside pictures; of too many the oldest waits no longer."""
        if len(self._beside) >= LIVE_WAITING:
            self.wait(self._beside.popleft()[0])
        self._beside.append((waiting, now + LONGEST_S))

    def wake(self, now: float) -> None:
        """Note the time, and queue the postponed clips whose time has come."""
        self._now = self.small.now = self.large.now = now
        while self._beside and (now - self._alarm_at >= QUIET_S or now >= self._beside[0][1]):
            self.wait(self._beside.popleft()[0])

    @property
    def elsewhere(self) -> set[int]:
        """Return what the backlog need not bring: what is being examined, and what waits for quiet."""
        return {*self.in_flight, *(waiting.alert_id for waiting, _ in self._beside)}

    def take_slot(self, waiting: Waiting) -> Lease | None:
        """Return a lent slot for a picture that was stored this moment, None when it has to wait.

        A sender that has pictures in slots already leaves the last one to others, a suspect in any case.
        """
        line = self._line(waiting)
        if not line.has_slot_for(waiting.sender, self._senders.values()):
            return None
        lease = line.lent.popleft()
        self._begin(waiting, lease)
        return lease

    def pick(self) -> Pick | None:
        """Return what to load next, as being examined from now on."""
        for line in self.lines:
            while pick := line.pick(self._senders.values()):
                if pick.waiting.alert_id not in self.in_flight:
                    self._begin(pick.waiting, pick.lease)
                    return pick
                line.lent.appendleft(pick.lease)
        return None

    def hold(self, lease: Lease, alert_id: int) -> None:
        """Note what is being examined since before this process began."""
        self.in_flight[alert_id] = lease

    def is_stale(self, lease: Lease) -> bool:
        """Tell whether a verdict is about a row of a database that is gone, and forget that lease."""
        if lease not in self._stale:
            return False
        self._stale.remove(lease)
        return True

    def end(self, alert_id: int) -> None:
        """Note that an examination is over."""
        self.in_flight.pop(alert_id, None)
        self._senders.pop(alert_id, None)

    def look_again(self) -> None:
        """Expect pending rows that are not known here."""
        for line in self.lines:
            line.look_again()

    def forget(self) -> None:
        """Begin anew with another database: what is being examined belongs to the old one."""
        self._stale.update(self.in_flight.values())
        self.in_flight.clear()
        self._senders.clear()
        self._beside.clear()
        for line in self.lines:
            line.forget()

    def _begin(self, waiting: Waiting, lease: Lease) -> None:
        self.in_flight[waiting.alert_id] = lease
        self._senders[waiting.alert_id] = waiting.sender
        self._turns.served(waiting)

    def _line(self, waiting: Waiting) -> Line:
        is_large = waiting.is_clip or waiting.length_bytes > self._layout.picture_bytes
        return self.large if is_large else self.small
