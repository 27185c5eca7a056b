"""A new configuration for a running service, with mails on their way."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from testing import mails, pictures
from testing.ports import free_port
from testing.service import ServiceUnderTest
from testing.waiting import until

MakeService = Callable[..., ServiceUnderTest]

# What the tests change; the sections come in any order.
BASE: dict[str, Any] = {
    "service": {"drain_seconds": 20.0},
    "detector": {"engine": "opencv", "processes": 1, "effort": "fast"},
    "pool": {"frame_max_px": 1_000_000},
    "database": {},
    "smtp": {},
    "review": {"enabled": False},
    "metrics": {"enabled": False},
    "log": {"level": "info"},
}


class HalfMail:
    """A mail whose first half has been sent."""

    def __init__(self, service: ServiceUnderTest) -> None:
        self._mail = mails.alarm([pictures.person_jpeg()])
        self._client = mails.up_to_data(service.port, timeout_s=60)
        self._say(self._mail[: len(self._mail) // 2])

    def finish(self) -> int:
        """Send the second half; return the reply's code."""
        self._say(self._mail[len(self._mail) // 2 :].rstrip(b"\r\n") + b"\r\n.\r\n")
        code, _ = self._client.getreply()
        self._client.close()
        return code

    def _say(self, content: bytes) -> None:
        assert self._client.sock is not None
        self._client.sock.sendall(content)


class Reloaded:
    """A running service whose every key comes from its file, and may be changed there."""

    def __init__(self, service: ServiceUnderTest) -> None:
        self.service = service
        service.settings.clear()
        self.ports = [0]
        self.write()
        service.start()
        service.wait_whole()

    def write(self, **sections: dict[str, Any]) -> None:
        """Write the configuration: the base with these keys changed."""
        lines = []
        own = {"service": {"run_dir": str(self.service.run_dir)}, "database": {"path": str(self.service.database)}}
        for name, keys in BASE.items():
            lines.append(f"[{name}]")
            for key, value in (keys | own.get(name, {}) | sections.get(name, {})).items():
                lines.append(f"{key} = {_toml(value)}")
        for port in self.ports if "listen" not in sections.get("smtp", {}) else ():
            lines += ["[[smtp.listen]]", 'host = "127.0.0.1"', f"port = {port}"]
        (self.service.folder / "config.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def ask(self, **sections: dict[str, Any]) -> None:
        """Write a new configuration and ask for it."""
        self.write(**sections)
        os.kill(self.service.pid, signal.SIGHUP)

    def take(self, **sections: dict[str, Any]) -> None:
        """Write a new configuration, and wait until it is in force."""
        before = len(self.service.find("service_reloaded"))
        self.ask(**sections)
        self.service.wait_for("service_reloaded", count=before + 1)
        self.service.wait_whole()

    def shown(self) -> dict[str, Any]:
        """Return what the latest program of the service said at its start."""
        return self.service.find("service_starting")[-1]


def _toml(value: Any) -> str:
    """Write a value; tables are inline."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value)


@pytest.fixture
def reloaded(make_service: MakeService) -> Reloaded:
    """Return a running service with a configuration to change."""
    return Reloaded(make_service())


def test_new_configuration_takes_effect_in_every_process_and_keeps_the_port(reloaded: Reloaded) -> None:
    """Number of processes, pool, effort, patience and log level: all at once, in the same process, on the same port."""
    service, port, before = reloaded.service, reloaded.service.port, reloaded.service.children()
    service.send([pictures.person_jpeg()])

    reloaded.take(
        detector={"processes": 2, "effort": "balanced"},
        pool={"frame_max_px": 1_200_000, "frame_slots": 9},
        log={"level": "debug"},
    )

    shown, children = reloaded.shown(), service.children()
    assert (shown["detectors"], shown["effort"]) == (2, "balanced")
    assert service.status()["slots_total"] == 10  # and the large one
    assert service.port == port
    assert not set(before.values()) & set(children.values())
    assert "detector-2" in children
    assert service.send([pictures.person_jpeg()])[0] == 250
    service.wait_examined()
    assert service.count("alerts_alert") == 2
    assert len(list(Path("/dev/shm").glob(f"camalert-*-{service.pid}"))) == 1


def test_optional_parts_come_and_go(reloaded: Reloaded) -> None:
    """Review and metrics are switched on and off like everything else."""
    review, metrics = free_port(), free_port()
    data = str(reloaded.service.folder / "review")
    settings = {"enabled": True, "data_dir": data}
    reloaded.take(review=settings | {"port": review}, metrics={"enabled": True, "port": metrics})
    assert {"review", "metrics"} <= reloaded.service.children().keys()

    reloaded.take()
    assert not {"review", "metrics"} & reloaded.service.children().keys()


def test_mail_on_its_way_is_finished_first_and_those_behind_it_wait(reloaded: Reloaded) -> None:
    """The camera in the midst of its mail gets its 250, and one that connects meanwhile is served, not refused."""
    service = reloaded.service
    mail = HalfMail(service)
    reloaded.ask(database={"keep_alerts": 77})
    service.wait_for("service_reloading")

    codes: list[int] = []
    behind = threading.Thread(target=lambda: codes.append(service.send([pictures.person_jpeg()], "Behind")[0]))
    behind.start()
    assert mail.finish() == 250
    behind.join(60)

    assert codes == [250]
    service.wait_for("service_reloaded")
    service.wait_examined()
    assert service.count("alerts_alert") == 2


def test_no_connection_is_refused_while_it_lasts(reloaded: Reloaded) -> None:
    """A camera that tries again and again meets an open port each time, and each mail is taken."""
    service = reloaded.service
    port, stop, failures, taken = service.port, threading.Event(), [], []

    def knock() -> None:
        while not stop.is_set():
            try:
                code, words = mails.deliver(port, mails.alarm([pictures.person_jpeg()], f"Mail {len(taken)}"))
                (taken if code == 250 else failures).append((code, words))
            except OSError as error:
                failures.append(error)

    knocking = threading.Thread(target=knock)
    knocking.start()
    reloaded.take(detector={"processes": 2})
    reloaded.take(detector={"processes": 1})
    stop.set()
    knocking.join(60)

    assert failures == []
    assert service.count("alerts_alert") == len(taken) > 0


def test_ports_are_added_and_taken_away(reloaded: Reloaded) -> None:
    """The new one is open before the old one is let go; the one that stays is the same socket."""
    old, new = reloaded.service.port, free_port()
    reloaded.ports = [0, new]
    reloaded.take()
    picture = mails.alarm([pictures.person_jpeg()])
    assert [mails.deliver(port, picture)[0] for port in (old, new)] == [250, 250]

    reloaded.ports = [new]
    reloaded.take()
    assert mails.deliver(new, picture)[0] == 250
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", old), timeout=10)


def test_port_of_another_host_is_bound_before_ours_is_let_go(reloaded: Reloaded) -> None:
    """From one address to all of them is a change like any other."""
    service, port = reloaded.service, free_port()
    reloaded.ports = [port]
    reloaded.take()
    config = service.folder / "config.toml"
    config.write_text(config.read_text().replace('host = "127.0.0.1"', 'host = ""'))
    os.kill(service.pid, signal.SIGHUP)
    service.wait_for("service_reloaded", count=2)

    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        assert client.recv(3) == b"220"


def test_another_database_gets_nothing_of_the_old_one(reloaded: Reloaded) -> None:
    """What was pending stays pending there, and no verdict reaches a stranger's row."""
    service = reloaded.service
    for number in range(6):
        service.send([pictures.person_jpeg()], f"Old {number}")
    old, service.database = service.database, service.folder / "elsewhere" / "alerts.sqlite3"
    reloaded.take()
    service.send([pictures.person_jpeg()], "New")
    service.wait_examined()

    assert service.query("SELECT subject FROM alerts_alert") == [("New",)]
    assert service.count("alerts_detect") == 1
    service.database = old
    assert service.count("alerts_alert") == 6
    reloaded.take()
    service.wait_examined()
    assert service.count("alerts_detect") == 6


def test_several_requests_become_one_and_the_last_file_counts(reloaded: Reloaded) -> None:
    """Whoever saves twice in a hurry gets what was saved last."""
    service = reloaded.service
    mail = HalfMail(service)
    for effort in ("balanced", "thorough"):
        reloaded.ask(detector={"effort": effort})
    service.wait_for("service_reloading")
    reloaded.ask(detector={"effort": "balanced", "processes": 2})
    reloaded.ask(detector={"effort": "balanced", "processes": 3})
    assert mail.finish() == 250

    until(lambda: reloaded.shown()["detectors"] == 3, "the last file in force")
    service.wait_whole()
    assert service.stop() == 0


@pytest.mark.parametrize("moment", ["reload_started", "service_reloading", "service_starting", "child_started"])
def test_end_asked_for_during_a_reload_ends_the_service(reloaded: Reloaded, moment: str) -> None:
    """Whatever it is at: the mail that is begun is finished, nothing is lost, and it does not come back."""
    service = reloaded.service
    mail = HalfMail(service)
    before = len(service.find(moment))
    reloaded.ask(detector={"effort": "balanced"})
    service.wait_for("reload_started")
    if moment not in ("reload_started", "service_reloading"):
        assert mail.finish() == 250
    service.wait_for(moment, count=before + 1)
    os.kill(service.pid, signal.SIGTERM)
    if moment in ("reload_started", "service_reloading"):
        service.wait_for("stop_requested")
        assert mail.finish() == 250

    assert service.process is not None
    assert service.process.wait(60) == 0
    assert service.count("alerts_alert") == 1


WRONG: dict[str, dict[str, dict[str, Any]]] = {
    "no certificate": {"smtp": {"listen": [{"port": 0, "tls": "starttls"}]}},
    "no password hash": {"smtp": {"auth": {"user": [{"name": "cam", "password": "secret"}]}}},
    "no port": {"smtp": {"listen": []}},
    "no network": {"review": {"allow": ["privat"]}},
    "another program's database": {"database": {"path": "STRANGER"}},
    "no number": {"database": {"keep_alerts": "many"}},
    "no key": {"database": {"keep_alrets": 10}},
    "contradiction": {"pool": {"frame_slots": 1}},
    "too large": {"pool": {"frame_max_px": 33_200_000, "frame_slots": 1024}},
    "database on a file": {"database": {"path": "/etc/hostname/alerts.sqlite3"}},
    "run directory on a file": {"service": {"run_dir": "/etc/hostname/run"}},
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_configuration_changes_nothing(reloaded: Reloaded, wrong: str) -> None:
    """It is refused in words, and the service goes on as it was."""
    service = reloaded.service
    before = service.children()
    mail = HalfMail(service)

    stranger = service.folder / "stranger.sqlite3"
    with contextlib.closing(sqlite3.connect(stranger)) as database:
        database.execute("CREATE TABLE photos (id)")
    changes = WRONG[wrong]
    if changes.get("database", {}).get("path") == "STRANGER":
        changes = {"database": {"path": str(stranger)}}
    reloaded.ask(**changes)

    (refusal,) = service.wait_for("reload_refused")
    assert refusal["message"]
    assert mail.finish() == 250
    assert service.children() == before
    assert service.find("service_reloading") == []
    assert service.status()["state"] == "running"


def test_port_of_another_program_changes_nothing(reloaded: Reloaded) -> None:
    """It is found before anything is let go."""
    service, before = reloaded.service, reloaded.service.children()
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        reloaded.ports = [0, stranger.getsockname()[1]]
        reloaded.ask()
        (refusal,) = service.wait_for("reload_refused")

    assert "another program uses it" in refusal["message"]
    assert service.children() == before
    assert service.send([pictures.person_jpeg()])[0] == 250


def test_configuration_that_turns_out_wrong_after_all_gives_way_to_the_one_before(reloaded: Reloaded) -> None:
    """It was right when it was tried; the service does not end for it."""
    service = reloaded.service
    other = service.folder / "other" / "alerts.sqlite3"
    mail = HalfMail(service)
    reloaded.ask(database={"path": str(other)})
    service.wait_for("service_reloading")
    other.parent.mkdir()
    other.write_bytes(b"no database at all, and not empty either" * 100)
    assert mail.finish() == 250

    (failed,) = service.wait_for("reload_failed")
    assert "the previous configuration is active again" in failed["message"]
    until(lambda: reloaded.shown()["database"] == str(service.database), "the database from before")
    service.wait_whole()
    assert service.send([pictures.person_jpeg()])[0] == 250
    assert service.count("alerts_alert") == 2
    assert service.stop() == 0


def test_nothing_piles_up_over_many_reloads(reloaded: Reloaded) -> None:
    """No descriptor, process or segment is left from one program to the next."""
    service = reloaded.service
    reloaded.take(detector={"effort": "balanced"})
    descriptors = service.descriptors()
    for effort in ("fast", "balanced", "fast"):
        reloaded.take(detector={"effort": effort})

    assert service.descriptors() <= descriptors
    zombies = [
        stat
        for path in Path("/proc").glob("[0-9]*/stat")
        if (stat := _stat(path)) and stat[1] == str(service.pid) and stat[0] == "Z"
    ]
    assert zombies == []


def _stat(path: Path) -> list[str]:
    """Return state, parent and more of a process, [] when it is gone."""
    try:
        return path.read_text(encoding="latin-1").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
