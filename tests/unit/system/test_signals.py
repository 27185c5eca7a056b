"""The signals that the supervisor obeys, sent to this very process."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Iterator

import pytest

from camalert.system.signals import Signals, held


class Obedient:
    """Signals, and what they asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.signals = Signals()

    def send(self, *numbers: int) -> None:
        """Send signals to ourselves, and let what came be obeyed."""
        for number in numbers:
            os.kill(os.getpid(), number)
        assert select.select([self.signals.fileno()], [], [], 10)[0]
        self.asked += [number.name for number in self.signals.take()]


@pytest.fixture
def handlers() -> Iterator[None]:
    """Put the test run's own handlers back."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [(number, signal.getsignal(number)) for number in numbers]
    yield
    for number, handler in before:
        signal.signal(number, handler)


@pytest.fixture
def obedient(handlers: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Obedient]:
    """Return signals as a service has them: no terminal."""
    monkeypatch.setattr(os, "isatty", lambda _: False)
    made = Obedient()
    yield made
    made.signals.close()


def test_signals_are_obeyed_in_their_order(obedient: Obedient) -> None:
    """Two ends mean more than one, so none is lost when they come together."""
    obedient.send(signal.SIGHUP, signal.SIGTERM)
    obedient.send(signal.SIGINT)

    assert obedient.asked == ["SIGHUP", "SIGTERM", "SIGINT"]


def test_hangup_of_a_terminal_ends_the_service(handlers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its window was closed; nobody asked for a new configuration."""
    monkeypatch.setattr(os, "isatty", lambda _: True)
    obedient = Obedient()
    obedient.send(signal.SIGHUP)
    obedient.signals.close()

    assert obedient.asked == ["SIGTERM"]


def test_signal_for_others_asks_for_nothing(obedient: Obedient) -> None:
    """Whoever else catches a signal in this process does not end the service by it."""
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    obedient.send(signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)

    assert obedient.asked == []


def test_signals_that_were_blocked_are_obeyed(handlers: None) -> None:
    """Those that came while one program took the place of another are not lost, nor do they end it."""
    with held(signal.SIGHUP, signal.SIGTERM):
        for number in (signal.SIGHUP, signal.SIGTERM):
            signal.pthread_kill(threading.get_ident(), number)  # a test run may have other threads
        obedient = Obedient()

    assert {number.name for number in obedient.signals.take()} == {"SIGHUP", "SIGTERM"}
    obedient.signals.close()


def test_nothing_came_is_nothing_to_obey(obedient: Obedient) -> None:
    """Asking once more than was told does not wait."""
    assert obedient.signals.take() == []
