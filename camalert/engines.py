"""Which engine the detectors run: the best one installed that proves itself.

Pure. A detector tests its engine on a small picture before it says `Ready`. When a candidate has never got that far and
a detector dies starting it (a wheel built for a newer processor dies of SIGILL), the next candidate takes its place.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass

# Ends that tell of the machine or of us, not of the engine.
_NOT_THE_ENGINE = (-signal.SIGKILL, -signal.SIGTERM, 0)


@dataclass(slots=True)
class EngineChoice:
    """Hold the candidates, best first, and the one in use."""

    candidates: tuple[str, ...]
    is_proven: bool = False

    @property
    def name(self) -> str:
        """Return the engine in use."""
        return self.candidates[0]

    def prove(self) -> None:
        """Note that a detector got ready with the engine in use: no failure from now on is about the engine."""
        self.is_proven = True

    def fall_back(self, code: int, failed: str) -> bool:
        """Take note that a detector ended with `code` while starting with engine `failed`.

        Returns: Whether another engine is in use now than the one that failed.
        """
        if code in _NOT_THE_ENGINE:
            return False
        if failed == self.name and not self.is_proven and len(self.candidates) > 1:
            self.candidates = self.candidates[1:]
        return failed != self.name
