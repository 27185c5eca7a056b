"""People and the engines that find them, as the rest of the program sees them.

No image library is imported at run time, so that rules and store may use these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from camalert.config.objects import PERSON

if TYPE_CHECKING:
    from camalert.decoding.frames import Frame


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody found, or something: the box in pixels of the frame, within its borders, and a score from 0 to 1."""

    x: int
    y: int
    width: int
    height: int
    score: float
    kind: str = PERSON  # or another of `config.objects`


class Engine(Protocol):
    """Find people in a frame, and other things where it was loaded for them, by whatever means."""

    @property
    def name(self) -> str:
        """Return the engine's name as in the configuration."""

    def model(self, effort: str) -> str:
        """Return the name of the weights or of the method that an effort uses."""

    @property
    def precision(self) -> str:
        """Return in which precision it computes here and why, empty where there is no choice."""

    def first_look(self, frame: Frame, effort: str) -> list[Person]:
        """Return what the part of an effort finds that is prepared at once, best first."""

    def complete(self, effort: str) -> None:
        """Prepare what an effort needs only for some pictures; until then the first of them waits for it."""

    def find(self, frame: Frame, effort: str) -> list[Person]:
        """Return what is found, best first, the uncertain included; an effort is `fast`, `balanced` or `thorough`."""
