"""Which engine the detectors run when one of them does not work here."""

from __future__ import annotations

import importlib.util
import signal

import pytest

from camalert.config.schema import Detector, Remote
from camalert.detection.choice import EngineChoice, candidates
from camalert.errors import ConfigError, Exit

HAS_OPENVINO = importlib.util.find_spec("openvino") is not None


def test_candidates_of_auto_are_what_is_installed_best_first() -> None:
    """OpenVINO first where it is installed, OpenCV always."""
    assert candidates(Detector()) == (("openvino",) if HAS_OPENVINO else ()) + ("opencv",)


def test_candidates_of_a_missing_engine_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """A named engine that is not there is the owner's to install."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "openvino" else find(name))

    with pytest.raises(ConfigError, match=r"pip install 'camalert\[openvino\]'"):
        candidates(Detector(engine="openvino"))
    assert candidates(Detector()) == ("opencv",)


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


def test_engine_that_dies_of_every_picture_is_replaced_though_it_was_ready() -> None:
    """A self-test passed is no proof; the engine stays the last resort, and the next has to prove itself anew."""
    choice = EngineChoice(("openvino", "opencv"))
    choice.prove()

    assert choice.fall_back(-11, "openvino", is_blamed=True)
    assert (choice.candidates, choice.is_proven) == (("opencv", "openvino"), False)
    choice.prove()
    assert choice.fall_back(-6, "opencv", is_blamed=True)
    assert choice.name == "openvino"


@pytest.mark.parametrize("is_blamed", [False, True])
def test_engine_is_kept_when_the_machine_had_no_memory(is_blamed: bool) -> None:
    """A start without memory or without the pool tells nothing of the engine."""
    choice = EngineChoice(("openvino", "opencv"))

    assert not choice.fall_back(Exit.CANNOT_START, "openvino", is_blamed=is_blamed)
    assert choice.name == "openvino"


def test_candidates_of_a_remote_engine_say_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An owner reads that a server must be named, and what to install."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name == "tritonclient" else find(name))
    with pytest.raises(ConfigError, match=r"write \[detector.remote\] url"):
        candidates(Detector(engine="remote"))
    servers = Remote(url=("grpc://inference:8001",))
    assert candidates(Detector(engine="remote", remote=servers)) == ("remote",)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tritonclient" else find(name))
    with pytest.raises(ConfigError, match=r"pip install 'camalert\[remote\]'"):
        candidates(Detector(engine="remote", remote=servers))
