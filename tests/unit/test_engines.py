"""Which engine the detectors run when one of them does not work here."""

from __future__ import annotations

import signal

import pytest

from camalert.engines import EngineChoice
from camalert.errors import Exit


@pytest.mark.parametrize("code", [-signal.SIGILL, -signal.SIGSEGV, -signal.SIGABRT, Exit.UNAVAILABLE])
def test_engine_that_dies_at_its_first_start_is_replaced(code: int) -> None:
    """A wheel that this processor cannot run costs one start, not the detection."""
    choice = EngineChoice(("openvino", "opencv"))

    assert choice.fall_back(code, "openvino")
    assert choice.name == "opencv"


def test_engine_replaced_already_lets_its_other_detectors_follow() -> None:
    """All detectors of a broken engine die; the last candidate is not skipped for that."""
    choice = EngineChoice(("openvino", "opencv"))
    choice.fall_back(-4, "openvino")

    assert choice.fall_back(-4, "openvino")
    assert choice.name == "opencv"


def test_engine_that_was_ready_once_is_kept() -> None:
    """A later crash is not the engine's inability."""
    choice = EngineChoice(("openvino", "opencv"))
    choice.prove()

    assert not choice.fall_back(-11, "openvino")
    assert choice.name == "openvino"


@pytest.mark.parametrize("code", [-signal.SIGKILL, -signal.SIGTERM, 0])
def test_engine_killed_from_outside_is_kept(code: int) -> None:
    """Somebody's kill tells nothing about the engine."""
    choice = EngineChoice(("openvino", "opencv"))

    assert not choice.fall_back(code, "openvino")


def test_last_engine_is_tried_again() -> None:
    """With nothing left to fall back to, the back-off decides."""
    choice = EngineChoice(("opencv",))

    assert not choice.fall_back(-11, "opencv")
    assert choice.name == "opencv"
