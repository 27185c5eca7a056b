"""The writer's maintenance between mails and verdicts: checkpoints, retention, returning free pages to the disk.

Each step is one short transaction and stands alone: a step that fails is logged and retried later, and
the others go on. The writer looks for messages between two steps; under traffic without a gap one step is
done every few seconds, or the limits by size and age would hold only where few alarms come.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from camalert.config import schema as config
from camalert.errors import StoreError, StoreLocked, StoreRefused
from camalert.store.interface import Rows, Step, Store
from camalert.store.rows import outbox, retention, visits
from camalert.store.rows.tables import day_of, timestamp_of
from camalert.store.telling import targets_of
from camalert.system.logs import log
from camalert.visits.policy import DIGEST

SLICE_S = 0.05
DAY_S = 86_400.0
SOON_S = 1.0  # how often the counts and the size are checked
SELDOM_S = 60.0  # how often age, mails and free pages are, and how soon a step is tried that the database refuses
BUSY_S = 5.0  # between two steps while messages come without a gap
LOCK_S = 0.1  # upkeep never waits long for somebody else's lock
STEADY_S = 3600.0  # a clock that is wrong at boot is set right by the network within minutes
JUMP_S = 60.0  # what NTP does to a running clock without a jump stays far below

Failed = Callable[[str, str], None]  # gets the step's name, and why it failed, "" when it works


@dataclass(slots=True)
class Steadiness:
    """Tell whether the machine's clock has run evenly for an hour; until then nothing is too old.

    A machine without a battery for its clock starts in any year, and one that starts in the future would otherwise
    delete everything.
    """

    _offset_s: float | None = None
    _since: float = 0.0

    def is_steady(self, now: float, now_utc: float) -> bool:
        """Take note of both clocks, monotonic and UTC seconds, and tell."""
        offset_s = now_utc - now
        if self._offset_s is None or abs(offset_s - self._offset_s) > JUMP_S:
            self._since = now
        self._offset_s = offset_s
        return now - self._since >= STEADY_S


class Upkeep:
    """Know what is due and do it step by step."""

    def __init__(self, settings: config.Config, store: Store, failed: Failed) -> None:
        self._settings = settings.database
        self._targets = targets_of(settings)
        self._store = store
        self._failed = failed
        self._visits = settings.visits
        self._steadiness = Steadiness()
        self._due: dict[str, float] = {}
        self._busy_until = 0.0
        self._warn_at = 0.0

    def slice(self, now: float, now_utc: float, has_messages: Callable[[], bool]) -> bool:
        """Work for at most `SLICE_S`; while `has_messages` says that a message waits, do one step every `BUSY_S`.

        Returns: Whether something is left to do.
        Raises: StoreError for what concerns the whole database; the step is due again soon, and others before it.
        """
        end = now + SLICE_S
        self.maintain(now, is_idle=True)
        is_steady = self._steadiness.is_steady(now, now_utc)
        steps = self._steps(now, now_utc, is_clock_steady=is_steady)
        while True:
            # The one that has been due for longest, so that one with much to do does not keep the others waiting.
            name = min(steps, key=lambda found: self._due.get(found, 0.0))
            if self._due.get(name, 0.0) > now:
                return False
            is_busy = has_messages()
            if (is_busy and now < self._busy_until) or time.monotonic() >= end:
                return True
            self._busy_until = now + BUSY_S
            step, pause_s = steps[name]
            try:
                removed = self._store.write(step, wait_s=LOCK_S)
            except StoreLocked:  # somebody else's lock is no fault here, and would be met by each step
                self._due = {name: max(self._due.get(name, 0.0), now + SOON_S) for name in steps}
                return False
            except StoreError as error:
                self._failed(name, str(error))
                is_own = isinstance(error, StoreRefused)  # of this step alone
                self._due[name] = now + (SELDOM_S if is_own else SOON_S)
                if not is_own:
                    raise
            else:
                self._failed(name, "")
                self._due[name] = now if removed else now + pause_s

    def _by_count(self, connection: Rows, now: float) -> int:
        removed = retention.by_count(connection)
        self._warn_of_recent(connection, now)
        return removed

    def _of_mails(self, connection: Rows, now_utc: float, before_utc: float, first_day: str) -> int:
        retention.note_others(connection, now_utc)
        return retention.of_mails(connection, before_utc, first_day)

    def _warn_of_recent(self, connection: Rows, now: float) -> None:
        """Say at most once a day that rows gave way on their own day: somebody sends very many, or the limit is low."""
        if now < self._warn_at:
            return
        young = retention.take_young(connection)
        if not young.count:
            return
        self._warn_at = now + DAY_S
        # When all rows of the largest sender are pending, none is removed, and it is the one that is noted.
        victim = "" if young.address == young.sender_address else f", {young.camera}'s among them,"
        sender = " at ".join(part for part in (young.sender_camera, young.sender_address) if part)
        if young.sender_address == retention.SHARED:
            sender = "many new addresses"
        log.warning(
            "recent_alarms_removed", count=young.count, camera=young.camera, address=young.sender_address,
            message=f"{young.count} pictures{victim} were removed within a day because newer ones came; most of "
            f"the newest are sent by {sender or 'another program'}: is that right? database.keep_alerts "
            "and keep_detections say how many are kept",
        )  # fmt: skip

    def end(self) -> None:
        """Leave nothing behind that only a running service needs."""
        self._store.end()

    def maintain(self, now: float, *, is_idle: bool) -> None:
        """Let the store do what it needs beyond transactions; when that fails it is said, and all goes on without."""
        self._store.maintain(now, self._failed, is_idle=is_idle)

    def _steps(self, now: float, now_utc: float, *, is_clock_steady: bool) -> dict[str, tuple[Step, float]]:
        """Return the steps by name, each with how long it pauses when nothing is left to do."""
        settings = self._settings
        zone = settings.timestamps
        steps: dict[str, tuple[Step, float]] = {"count": (lambda found: self._by_count(found, now), SOON_S)}
        if settings.keep_days and is_clock_steady:
            before = timestamp_of(now_utc - settings.keep_days * DAY_S, zone)
            steps["age"] = (lambda found: retention.by_age(found, before), SELDOM_S)
        # A clock that was set a moment ago makes nothing old.
        before_utc = now_utc - retention.MAIL_KEPT_S if is_clock_steady else 0.0
        first_day = day_of(now_utc - retention.DAYS_KEPT * DAY_S, zone) if is_clock_steady else ""
        steps["mails"] = (lambda found: self._of_mails(found, now_utc, before_utc, first_day), SELDOM_S)
        binned_utc = now_utc - retention.BIN_KEPT_S if is_clock_steady else 0.0
        steps["bin"] = (lambda found: retention.of_bin(found, binned_utc), SOON_S)
        steps["visits"] = (lambda found: visits.keep_up(found, self._visits, zone, now_utc, self._targets), SOON_S)
        steps["outbox"] = (lambda found: outbox.keep_up(found, self._targets, now_utc), SELDOM_S)
        if any(DIGEST in target.events for target in self._targets):
            steps["digest"] = (lambda found: outbox.tell_digests(found, self._targets, now_utc), SOON_S)
        return steps | self._store.steps(now, timestamp_of(now_utc, zone))
