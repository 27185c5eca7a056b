"""The verdicts on their way into the database, and what follows when they are there.

In the writer process. What the database cannot take waits here, within bounds; an alert is pending until its verdict is
written, so one that is lost costs another examination and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from camalert.messages import Conclude
from camalert.pool import Pool
from camalert.store import transfer
from camalert.store.batch import Done
from camalert.store.queue import Lease, Queue
from camalert.store.verdict import Verdict

HELD_BACK = 32  # verdicts that wait in memory for a writable database; more are examined once more

log = structlog.get_logger()


class Conclusions:
    """Hold the verdicts that are not written yet: on pictures given up, and held back by a fault of the database."""

    def __init__(self, pool: Pool, queue: Queue) -> None:
        self._given_up: list[Verdict] = []
        self.held_back: list[Verdict] = []
        self._pool = pool
        self._queue = queue

    def give_up(self, verdict: Verdict) -> None:
        """Let the next batch end the examination of a picture that cannot be brought into a slot."""
        self._given_up.append(verdict)

    def are_due(self, now: float, retry_at: float) -> bool:
        """Tell whether there is something to write without a message: what was given up, or held back until now."""
        return bool(self._given_up or (self.held_back and now >= retry_at))

    def gather(self, messages: Sequence[Conclude]) -> list[Verdict]:
        """Return all that a batch has to write, with those that lie in the slots of its messages.

        A verdict on an alert of a database that is gone is left out.
        """
        found = self.held_back + self._given_up
        found += [
            transfer.verdict(self._pool, message)
            for message in messages
            if not self._queue.is_stale(Lease(message.slot, message.generation))
        ]
        self._given_up = []
        return found

    def settle(self, done: Done) -> None:
        """Draw the conclusions from what became of a batch's verdicts: for the queue, for memory, for the log."""
        for alert_id in done.ended:
            self._queue.end(alert_id)
        self.held_back = done.unwritten[:HELD_BACK]
        for verdict in done.unwritten[HELD_BACK:]:
            self._queue.end(verdict.alert_id)
            self._queue.look_again()
        for waiting in done.again:
            self._queue.wait(waiting)
        for verdict in done.concluded:
            _tell_failure(verdict)

    def forget(self) -> None:
        """Forget all, when the database is another one."""
        self._given_up = []
        self.held_back = []


def _tell_failure(verdict: Verdict) -> None:
    """Say in the log when a picture has no result, and why."""
    if reason := verdict.failure:
        camera = verdict.words.camera if verdict.words else ""
        log.warning("examination_failed", alert_id=verdict.alert_id, camera=camera, reason=reason)
