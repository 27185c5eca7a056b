"""Notes for the status: failed sessions, mails taken in, cameras last seen.

One `Noted` message each, which leaves with the next `Store` or a moment later, at a bounded rate a client.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from camalert.ipc.channel import Channel
from camalert.ipc.messages import Noted
from camalert.ipc.records import NoteRecord
from camalert.ratelimit import RateLimit

# A flood of mails is a flood of notes otherwise; the status shows the newest of each camera anyway.
NOTES_BURST = 50
NOTES_PER_S = 10.0


class Notes:
    """Send notes to the supervisor.

    `on_wait` is called when a note is posted and waits for another message to leave with; a process that does not wait
    in the channel itself must flush it.
    """

    def __init__(self, channel: Channel, on_wait: Callable[[], None] = lambda: None) -> None:
        self._channel = channel
        self._on_wait = on_wait
        self._limit = RateLimit(per_second=NOTES_PER_S, burst=NOTES_BURST)

    def failure(self, event: str, peer: str, message: str, camera: str = "") -> None:
        """Note that a camera failed to deliver, and why."""
        self._send(NoteRecord(event, "warning", camera, peer, message, is_failure=True))

    def mail(  # noqa: PLR0913, PLR0917 - all of it is known where a mail is taken in
        self, event: str, peer: str, camera: str, pictures: int, clock_off_s: float | None = None, message: str = "",
        level: str = "", clips: int = 0,
    ) -> None:  # fmt: skip
        """Note a mail taken in; without pictures and clips it shows that the camera lives, and `message` what it says.

        A `level` of "warning" makes it a problem of the camera's that the status shows.
        """
        self._send(
            NoteRecord(
                event,
                level,
                camera=camera,
                peer=peer,
                message=message,
                pictures=pictures,
                clips=clips,
                clock_off_s=clock_off_s,
            )
        )

    def _send(self, note: NoteRecord) -> None:
        # Failures apart from mails: a camera that works must not hide one behind the same address that does not.
        if not self._limit.admit((note.peer, note.is_failure), time.monotonic()).is_admitted:
            return
        if self._channel.post(Noted(note.encode())):
            self._on_wait()
