"""What a new configuration changes in a running service, and what it is told and not told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from camalert import plan, sdnotify
from camalert.config import Camera, Config, Database, Decode, Detector, Smtp, Status
from camalert.config import Service as ServiceSettings
from camalert.dispatch import Dispatch
from camalert.errors import ConfigError
from camalert.orders import Run
from camalert.renewal import Renewal
from camalert.reporter import Reporter
from camalert.states import ChildSpec, Phase

DAY_S = 86_400.0


class Rig:
    """A renewal, and what it told systemd and the log."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.old = Config(service=ServiceSettings(run_dir=str(folder)))
        self.new: Config | ConfigError = self.old
        self.run = Run(self.old, plan.make(self.old, cores=2, memory_bytes=1 << 40), "pool", ())
        self.books = Dispatch(self.run.plan.layout, plan.limits(self.old))
        self.reporter = Reporter(self.old, 0, 0)
        self.told: list[str] = []
        self.lines: list[Any] = []
        monkeypatch.setattr(sdnotify, "notify", lambda *states: self.told.extend(states))
        self._renewal = Renewal(self.reread, self.books, self.reporter)

    def reread(self) -> Config:
        """Return the new configuration, or raise what is wrong with it."""
        if isinstance(self.new, ConfigError):
            raise self.new
        return self.new

    def take(self, phase: Phase = Phase.RUNNING) -> dict[str, ChildSpec]:
        """Let the new configuration be taken; return the specs of those to replace, by name."""
        with capture_logs() as lines:
            self.run, specs = self._renewal.take(self.run, plan.specs(self.old, self.run.plan), phase)
        self.lines = [(line["log_level"], line["event"]) for line in lines]
        return {spec.name: spec for spec in specs}


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    """Return a renewal of a default configuration."""
    return Rig(tmp_path, monkeypatch)


def test_new_configuration_is_taken_and_systemd_told(rig: Rig) -> None:
    """The children concerned are named, and READY follows RELOADING."""
    rig.new = replace(rig.old, smtp=Smtp(hostname="gate"))

    assert rig.take().keys() == {"smtp", "review"}
    assert rig.run.config is rig.new
    assert rig.lines == [("info", "reloaded")]
    assert [words.split("\n")[0] for words in rig.told] == ["RELOADING=1", "READY=1"]


def test_longer_lock_wait_comes_with_longer_patience(rig: Rig) -> None:
    """The writer would be ended as hung otherwise, in the midst of what it was told to wait for."""
    rig.new = replace(rig.old, database=Database(busy_seconds=60))

    assert rig.take()["writer"].answer_s >= 60


def test_new_deadlines_hold_for_the_next_jobs(rig: Rig) -> None:
    """They are the supervisor's own, and need no restart."""
    rig.new = replace(rig.old, decode=Decode(deadline_seconds=45), detector=Detector(deadline_seconds=46))
    rig.take()

    assert (rig.books.decoders.limit_s, rig.books.detectors.limit_s) == (45, 46)


def test_new_patience_with_silent_cameras_holds_at_once(rig: Rig) -> None:
    """Also for cameras that were not configured before; what was heard of the others stays known."""
    rig.new = replace(
        rig.old, status=Status(silent_days=2), camera=(Camera(name="gate", silent_days=1), Camera(name="door"))
    )
    rig.take()
    now = rig.reporter.next_at()

    assert rig.reporter.book.cameras.new_silences(now + 0.5 * DAY_S) == []
    assert [silence.camera for silence in rig.reporter.book.cameras.new_silences(now + 1.5 * DAY_S)] == ["gate"]
    assert [silence.camera for silence in rig.reporter.book.cameras.new_silences(now + 2.5 * DAY_S)] == ["door"]


def test_bad_configuration_changes_nothing(rig: Rig) -> None:
    """The line says why, and systemd that the service goes on."""
    rig.new = ConfigError("config.toml: smtp.hostnam is not a key")

    assert rig.take() == {}
    assert rig.run.config is rig.old
    assert rig.lines == [("error", "reload_refused")]
    assert rig.told[-1] == sdnotify.READY


def test_configuration_before_the_service_is_ready_does_not_announce_it(rig: Rig) -> None:
    """Whoever waits for READY would send mails to nobody."""
    rig.new = replace(rig.old, smtp=Smtp(hostname="gate"))

    assert rig.take(Phase.STARTING).keys() == {"smtp", "review"}
    assert rig.told == []


@pytest.mark.parametrize("phase", [Phase.DRAINING, Phase.STOPPING])
def test_configuration_for_a_service_that_ends_is_left_to_its_next_start(rig: Rig, phase: Phase) -> None:
    """Nothing is said to be replaced that is not."""
    rig.new = replace(rig.old, smtp=Smtp(hostname="gate"))

    assert rig.take(phase) == {}
    assert rig.run.config is rig.old
    assert rig.lines == [("warning", "reload_refused")]
    assert rig.told == []
