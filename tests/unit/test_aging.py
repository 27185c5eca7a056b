"""When detectors are replaced for what they have done, or for what they hold."""

from __future__ import annotations

from camalert.aging import LOOK_EVERY_S, Aging
from camalert.config import Detector

LIMITS = Detector(recycle_pictures=100, recycle_bytes=1000)
SIZES = {"one": 1000, "two": 999}


def _due(
    examined: dict[str, int], settings: Detector = LIMITS, aging: Aging | None = None, now: float = 0.0
) -> list[str]:
    return (aging or Aging()).due(SIZES, settings, examined, SIZES.__getitem__, now)


def test_detector_is_due_by_its_pictures_or_by_its_memory() -> None:
    """Each limit counts alone, and the limit itself is enough."""
    assert _due({"one": 0, "two": 0}) == ["one"]
    assert _due({"one": 0, "two": 100}) == ["one", "two"]


def test_limit_of_nothing_is_none() -> None:
    """With both limits off, a detector stays as long as it lives."""
    assert _due({"one": 10**6, "two": 10**6}, Detector(recycle_pictures=0, recycle_bytes=0)) == []


def test_memory_is_looked_at_now_and_then() -> None:
    """Each look reads a file of the kernel's, and the supervisor turns often."""
    aging = Aging()

    assert _due({"one": 0, "two": 0}, aging=aging, now=5.0) == ["one"]
    assert _due({"one": 0, "two": 0}, aging=aging, now=5.0 + LOOK_EVERY_S / 2) == []
    assert _due({"one": 0, "two": 0}, aging=aging, now=5.0 + LOOK_EVERY_S) == ["one"]
