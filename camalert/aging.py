"""When a detector has done enough: native libraries leak, so each is replaced after some work or at some size.

Pure; the looks at the memory are the caller's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from camalert.config import Detector

LOOK_EVERY_S = 10.0  # memory grows slowly, and each look reads a file of the kernel's for each detector


@dataclass(slots=True)
class Aging:
    """Look at the detectors now and then."""

    _look_at: float = 0.0

    def due(
        self,
        detectors: Iterable[str],
        settings: Detector,
        examined: Mapping[str, int],
        memory_bytes: Callable[[str], int],
        now: float,
    ) -> list[str]:
        """Return the detectors to replace now.

        Args:
            detectors: The names of those that run.
            settings: The limits; 0 is none.
            examined: Pictures by detector.
            memory_bytes: Tells what one has for itself.
            now: In seconds; between two looks nobody is due.
        """
        if now < self._look_at:
            return []
        self._look_at = now + LOOK_EVERY_S
        return [
            name
            for name in detectors
            if 0 < settings.recycle_pictures <= examined[name] or 0 < settings.recycle_bytes <= memory_bytes(name)
        ]
