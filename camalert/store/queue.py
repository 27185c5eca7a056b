"""Which pending picture gets which frame slot: live ones first, then the backlog, then suspects.

Live pictures are the newest that wait, and of them the newest goes first; the backlog goes oldest first. A suspect is a
picture that a process died of or hung in. It gets its second try when nothing else waits: pictures made
to do harm take time, and it shall be their own.

Pure: the writer brings lent slots and rows, and asks. The database is the queue; what is here is a short view of it
that may be lost at any time. Two lines wait beside each other: pictures for the equal frame slots, and clips and
oversized pictures for the large one.

A clip that came beside pictures waits until the house is quiet: the pictures have told of the alarm already, and
looking through a clip takes as long as ten of them.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable
from dataclasses import dataclass

from camalert.slots import Layout
from camalert.store.tables import CLIP_BASE

LIVE_WAITING = 64  # the newest; older ones are found in the database again, so that memory is bounded in a burst
FETCH_ROWS = 16  # of the backlog at a time
QUIET_S = 5.0  # without an alarm, after which clips beside pictures are looked at
LONGEST_S = 300.0  # that such a clip waits in an unquiet house


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


class Line:
    """One of the two lines. `reserve` lent slots are kept for live pictures."""

    def __init__(self, *, is_large: bool, reserve: int) -> None:
        self.is_large = is_large
        self.cursor = 0  # the backlog's rows up to this id have been looked at in this pass
        self.lent: collections.deque[Lease] = collections.deque()
        self._reserve = reserve
        self._live: collections.deque[Waiting] = collections.deque()
        self._backlog: collections.deque[Waiting] = collections.deque()
        self._suspects: collections.deque[Waiting] = collections.deque()  # few: each has cost a process
        self._has_backlog = True
        self._missed = False  # rows behind the cursor became due: the pass is followed by another one

    @property
    def wants_backlog(self) -> bool:
        """Tell whether rows of the backlog, above `cursor`, would be loaded now."""
        return self._has_backlog and not self._backlog and not self._live and len(self.lent) > self._reserve

    def wait(self, waiting: Waiting) -> None:
        """Queue a picture: as live, which makes the oldest of too many part of the backlog, or as a suspect."""
        if waiting.tries:
            self._suspects.append(waiting)
            return
        if len(self._live) >= LIVE_WAITING:
            self._live.popleft()
            self.look_again()
        self._live.append(waiting)

    def look_again(self) -> None:
        """Expect rows in the database that this line does not know of."""
        self._has_backlog = self._missed = True

    def feed(self, rows: list[Waiting], in_flight: Iterable[int]) -> None:
        """Take the next rows of the backlog; none ends the pass."""
        if not rows:
            self.cursor, self._has_backlog, self._missed = 0, self._missed, False
            return
        self.cursor = rows[-1].alert_id
        skipped = {*in_flight, *(waiting.alert_id for waiting in (*self._live, *self._suspects))}
        for row in rows:
            if row.alert_id not in skipped:
                (self._suspects if row.tries else self._backlog).append(row)

    def pick(self) -> Pick | None:
        """Return what to load next and take it out of the line."""
        if self.lent and self._live:
            # The newest first: what happens now is not kept waiting by what happened a burst ago.
            return Pick(self.lent.popleft(), self._live.pop(), is_live=True)
        if len(self.lent) > self._reserve and (patient := self._backlog or self._suspects):
            return Pick(self.lent.popleft(), patient.popleft(), is_live=False)
        return None

    def forget(self) -> None:
        """Forget every row, when the database is another one."""
        self._live.clear()
        self._backlog.clear()
        self._suspects.clear()
        self.cursor = 0
        self.look_again()


class Queue:
    """Both lines, and the pictures that are being examined."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        # With a single equal slot a reserve would never let the backlog in.
        self.small = Line(is_large=False, reserve=1 if layout.frame_slots > 1 else 0)
        self.large = Line(is_large=True, reserve=0)
        self.in_flight: dict[int, Lease] = {}
        self._beside: collections.deque[tuple[Waiting, float]] = collections.deque()  # with when they wait no longer
        self._alarm_at = -QUIET_S
        self._stale: set[Lease] = set()

    @property
    def lines(self) -> tuple[Line, Line]:
        """Return both lines."""
        return self.small, self.large

    @property
    def small_bytes(self) -> int:
        """Return the size up to which a picture takes an equal frame slot."""
        return self._layout.picture_bytes

    def lend(self, lease: Lease) -> None:
        """Take a frame slot that the supervisor lends."""
        line = self.large if lease.slot == self._layout.large_frame else self.small
        line.lent.append(lease)

    def give_back(self, pick: Pick) -> None:
        """Take a slot back that was not used; the picture is left to the backlog."""
        self.in_flight.pop(pick.waiting.alert_id, None)
        self.lend(pick.lease)
        self._line(pick.waiting).look_again()

    def wait(self, waiting: Waiting) -> None:
        """Queue a picture that is not in a slot."""
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
        """Queue the postponed clips whose time has come."""
        while self._beside and (now - self._alarm_at >= QUIET_S or now >= self._beside[0][1]):
            self.wait(self._beside.popleft()[0])

    @property
    def elsewhere(self) -> set[int]:
        """Return what the backlog need not bring: what is being examined, and what waits for quiet."""
        return {*self.in_flight, *(waiting.alert_id for waiting, _ in self._beside)}

    def take_slot(self, waiting: Waiting) -> Lease | None:
        """Return a lent slot for a picture that was stored this moment, None when it has to wait."""
        line = self._line(waiting)
        if not line.lent:
            return None
        lease = line.lent.popleft()
        self.in_flight[waiting.alert_id] = lease
        return lease

    def pick(self) -> Pick | None:
        """Return what to load next, as being examined from now on."""
        for line in self.lines:
            while pick := line.pick():
                if pick.waiting.alert_id not in self.in_flight:
                    self.in_flight[pick.waiting.alert_id] = pick.lease
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

    def look_again(self) -> None:
        """Expect pending rows that are not known here."""
        for line in self.lines:
            line.look_again()

    def forget(self) -> None:
        """Begin anew with another database: what is being examined belongs to the old one."""
        self._stale.update(self.in_flight.values())
        self.in_flight.clear()
        self._beside.clear()
        for line in self.lines:
            line.forget()

    def _line(self, waiting: Waiting) -> Line:
        is_large = waiting.is_clip or waiting.length_bytes > self._layout.picture_bytes
        return self.large if is_large else self.small
