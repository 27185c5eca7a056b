"""People and the engines that find them, as the rest of the program sees them.

Pure: no module of the image libraries is imported at run time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from camalert.frames import Frame


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody found: the box in pixels of the frame, within its borders, and a score from 0 to 1."""

    x: int
    y: int
    width: int
    height: int
    score: float


class Engine(Protocol):
    """Find people in a frame, by whatever means."""

    @property
    def name(self) -> str:
        """Return the engine's name as in the configuration."""

    @property
    def model(self) -> str:
        """Return the name of the weights or of the method."""

    def people(self, frame: Frame, effort: str) -> list[Person]:
        """Return everybody found, best first, the doubtful included; an effort is `fast`, `balanced` or `thorough`."""
