"""What `camalert check` says of the machine."""

from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest.mock import create_autospec

import pytest

from camalert.config.schema import Config, Database, Listen, Review, Smtp
from camalert.status.model import ChildStatus, Status
from camalert.store.rows.tables import ALERTS
from camalert.store.sqlite.tables import django_table
from camalert.supervisor import preflight
from camalert.supervisor.preflight import Level

SystemdShows = Callable[[str], None]


@pytest.fixture
def systemd_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SystemdShows:
    """Return what makes `systemctl show` print a text."""

    def show(text: str) -> None:
        program = tmp_path / "systemctl"
        program.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    return show


@pytest.mark.parametrize(("state", "level"), [("active", Level.OK), ("inactive", Level.WRONG)])
def test_port_that_systemd_keeps_for_the_service_is_no_mistake(
    state: str, level: Level, systemd_shows: SystemdShows
) -> None:
    """With camalert.socket the port is in use while the service is stopped, and that is right."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        systemd_shows(f"Listen=[::]:{port} (Stream)\nActiveState={state}")
        config = Config(smtp=Smtp(listen=(Listen("127.0.0.1", port),)), review=Review(enabled=False))
        (found,) = preflight._ports(config, None)

    assert found.level is level
    assert ("camalert.socket" in found.message) is (level is Level.OK)


@pytest.mark.parametrize(("owner", "level"), [("service", Level.OK), ("another", Level.WRONG), ("hidden", Level.NOTE)])
def test_port_in_use_beside_a_running_service_is_said_to_be_whose_it_is(
    owner: str, level: Level, systemd_shows: SystemdShows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A port that another program has would end the next start, whatever runs now."""
    systemd_shows("ActiveState=inactive")
    with subprocess.Popen(["sleep", "60"]) as sleeper, socket.create_server(("127.0.0.1", 0)) as held:
        try:
            pid = sleeper.pid if owner == "another" else os.getpid()
            if owner == "hidden":
                monkeypatch.setattr(Path, "iterdir", create_autospec(Path.iterdir, side_effect=PermissionError))
            running = create_autospec(Status, instance=True, pid=pid)
            port = held.getsockname()[1]
            config = Config(smtp=Smtp(listen=(Listen("127.0.0.1", port),)), review=Review(enabled=False))
            (found,) = preflight._ports(config, running)
        finally:
            sleeper.kill()

    assert found.level is level, found.message
    assert ("by the running service" in found.message) is (owner == "service")


@pytest.mark.parametrize("is_own", [True, False])
def test_port_of_the_site_beside_a_running_service_is_looked_at_too(is_own: bool) -> None:
    """Another program's is named, the running site's own is no mistake."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        config = Config(smtp=Smtp(listen=()), review=Review(host="127.0.0.1", port=port))
        site = ChildStatus("review", "ready", os.getpid() if is_own else 0)
        (found,) = preflight._ports(config, create_autospec(Status, instance=True, pid=1, children=(site,)))

    assert found.level is (Level.OK if is_own else Level.NOTE)
    assert ("by the running service" in found.message) is is_own


@pytest.mark.parametrize(
    ("statements", "level"),
    [
        ((), Level.NOTE),
        ((django_table(ALERTS),), Level.OK),
        (("CREATE TABLE photos (id)",), Level.WRONG),
        (("CREATE TABLE alerts_alert (id)",), Level.WRONG),
        (
            (django_table(ALERTS), "CREATE TABLE camalert_schema (version)", "INSERT INTO camalert_schema VALUES (99)"),
            Level.WRONG,
        ),
        (None, Level.WRONG),
    ],
)
def test_database_that_is_not_ours_is_found_before_the_start(
    statements: tuple[str, ...] | None, level: Level, tmp_path: Path
) -> None:
    """Another program's, one that was altered, a newer release's, or no database at all; nothing is changed by it."""
    path = tmp_path / "alerts.sqlite3"
    if statements is None:
        path.write_bytes(b"no database at all " * 500)
    else:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("VACUUM")
            for statement in statements:
                connection.execute(statement)
            connection.commit()
    before = path.read_bytes()
    (found,) = preflight._database(replace(Config(), database=Database(path=str(path))))

    assert found.level is level, found.message
    assert path.read_bytes() == before


def test_server_that_cannot_be_reached_is_named_by_host_and_database() -> None:
    """And by nothing else of its URL."""
    pytest.importorskip("psycopg")
    config = replace(Config(), database=Database(url="postgresql://me@127.0.0.1:1/alarms?application_name=secret"))

    (found,) = preflight._database(config)

    assert found.level is preflight.Level.NOTE
    assert found.message.startswith("postgresql://127.0.0.1/alarms: the database server cannot be reached")
    assert "secret" not in found.message
