"""A restore that fails ends, whatever failed: the next one is not kept waiting."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from django.db import OperationalError
from testing.waiting import until

from camalert.review import configuration, restores
from camalert.review.restores import Step
from camalert.store.restoring import Places

SETTINGS = b'[[camera]]\nname = "Garage"\n'


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Places:
    """Return the places of a restore; none is under way."""
    found = Places.of(tmp_path / "alerts.sqlite3")
    monkeypatch.setattr(restores, "places", lambda: found)
    monkeypatch.setattr(restores, "_job", None)
    monkeypatch.setattr(restores, "SPARE_BYTES", 0)
    return found


def test_locked_database_of_the_site_ends_a_restore(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """The upload goes away and the reason is shown; another restore can begin, and no connection is left open."""
    closed_by = []
    monkeypatch.setattr(restores.connections, "close_all", lambda: closed_by.append(threading.current_thread().name))

    def locked(*_: object) -> None:
        raise OperationalError("database is locked")

    monkeypatch.setattr(configuration, "put_whole", locked)
    job = restores.begin("ann", "camalert-settings.toml", len(SETTINGS))
    restores.receive(job.id, 0, SETTINGS)

    restores.finish(job.id)

    until(lambda: job.step is Step.FAILED and not places.draft.exists(), lambda: str(job))
    assert "database is locked" in job.why
    assert closed_by == ["review-restore"]
    assert restores.begin("ann", "again", 5).step is Step.RECEIVING
