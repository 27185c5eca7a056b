"""How an examination ended, and the reason that the owner reads when it has no result."""

from __future__ import annotations

import signal
from dataclasses import dataclass

from camalert.ipc.messages import MAX_TRIES, Outcome, Stage
from camalert.ipc.records import FrameRecord
from camalert.store.queue import CLIP_BASE


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an examination ended, taken out of its slot.

    `record` is None when the slot's could not be trusted; `annotated` and `snapshot` (for a clip: the picture that
    becomes the alert's) are JPEG files, empty when there is none.
    """

    alert_id: int
    outcome: Outcome
    stage: Stage = Stage.DETECT
    tries: int = 0
    exit: int = 0
    record: FrameRecord | None = None
    annotated: bytes = b""
    snapshot: bytes = b""
    is_refused: bool = False  # stands for one that the database refused

    @property
    def is_clip(self) -> bool:
        """Tell a clip's verdict from an alert's."""
        return self.alert_id >= CLIP_BASE

    @property
    def is_unfinished(self) -> bool:
        """Tell whether no examination came to an end: a process died or hung, or left what cannot be used."""
        if self.outcome in (Outcome.DIED, Outcome.HUNG, Outcome.SPARED) or self.record is None:
            return True
        return self.outcome is Outcome.PERSON and not self.annotated

    def tries_after(self, tries: int) -> int:
        """Return how many tries an unfinished examination has had, of which the table knows so many.

        The supervisor counts as well, because a process may die of a picture before anything is written of it.
        """
        return max(tries + (0 if self.tries else 1), self.tries)

    @property
    def failure(self) -> str:
        """Return why there is no result, "" when there is one; for an unfinished one: as if it were the last try."""
        if self.is_unfinished:
            return explain(self, MAX_TRIES)
        return self.record.reason if self.record and self.outcome is Outcome.FAILED else ""


def refused(verdict: Verdict, message: str) -> Verdict:
    """Return what is written instead of a verdict that the database refuses: that the examination failed, and why."""
    found = verdict.record or FrameRecord(verdict.alert_id)
    reason = f"failed: its result could not be stored: {message}"
    record = FrameRecord(verdict.alert_id, camera=str(found.camera), reason=reason)
    return Verdict(verdict.alert_id, Outcome.FAILED, verdict.stage, record=record, is_refused=True)


def explain(verdict: Verdict, tries: int) -> str:
    """Say why a picture was given up after its tries."""
    process, work = ("decoder", "decoded") if verdict.stage is Stage.DECODE else ("detector", "examined")
    if verdict.outcome is Outcome.HUNG:
        what = f"the {process} did not finish in time"
    elif verdict.outcome is Outcome.DIED:
        what = f"the {process} process {_exited(verdict.exit)}"
    else:
        what = f"the {process} left a result that cannot be read"
    return f"failed after {tries} tries: {what} while this picture was {work}"


def _exited(exit_code: int) -> str:
    if exit_code >= 0:
        return f"exited with code {exit_code}"
    try:
        return f"was killed by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"was killed by signal {-exit_code}"
