"""Things without a slot that the status file shows: sessions that went wrong, signs of life, mails taken in.

Mechanism: one `Noted` message each, which leaves with the next `Store` or a moment later; a client cannot cause more
than a trickle of them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

from camalert.channel import Channel
from camalert.messages import NOTE_BYTES, Noted
from camalert.ratelimit import RateLimit

# A flood of mails is a flood of notes otherwise; the status shows the newest of each camera anyway.
NOTES_BURST = 50
NOTES_PER_S = 10.0
WORDS_CHARACTERS = 400


class Notes:
    """Send notes to the supervisor, at a bounded rate for each client.

    `on_wait` is called when a note begins to wait for a message to leave with; a process that waits by other means than
    the channel's own sees to it that the note leaves.
    """

    def __init__(self, channel: Channel, on_wait: Callable[[], None] = lambda: None) -> None:
        self._channel = channel
        self._on_wait = on_wait
        self._limit = RateLimit(per_second=NOTES_PER_S, burst=NOTES_BURST)

    def failure(self, event: str, peer: str, words: str, camera: str = "") -> None:
        """Note that a camera failed to deliver, and why."""
        self._send(
            peer,
            {"event": event, "level": "warning", "is_failure": True, "camera": camera, "peer": peer, "words": words},
        )

    def mail(self, event: str, peer: str, camera: str, pictures: int) -> None:
        """Note a mail taken in, or a sign of life (no pictures)."""
        self._send(peer, {"event": event, "camera": camera, "peer": peer, "pictures": pictures})

    def _send(self, peer: str, facts: dict[str, str | int]) -> None:
        # Failures apart from mails: a camera that works must not hide one behind the same address that does not.
        if not self._limit.admit((peer, "is_failure" in facts), time.monotonic()).is_admitted:
            return
        text = _encoded(facts)
        if len(text) > NOTE_BYTES:
            facts["words"] = str(facts.get("words", ""))[: WORDS_CHARACTERS // 2]
            facts["camera"] = str(facts.get("camera", ""))[:60]
            text = _encoded(facts)
        if self._channel.post(Noted(text)):
            self._on_wait()


def _encoded(facts: dict[str, str | int]) -> bytes:
    return json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
