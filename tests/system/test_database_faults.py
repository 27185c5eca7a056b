"""A database that cannot be used: the camera is told to come again, the owner is told why, and it mends itself."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from testing import mails, pictures
from testing.audit import digest
from testing.notify import NotifySocket, listening
from testing.service import ROOT, ServiceUnderTest
from testing.waiting import until

MakeService = Callable[..., ServiceUnderTest]


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[NotifySocket]:
    """Listen to what the service tells systemd."""
    with listening(tmp_path) as made:
        yield made


@pytest.fixture
def watched(make_service: MakeService, systemd: NotifySocket) -> ServiceUnderTest:
    """Return a service that tells systemd, and does not wait long for locks."""
    service = make_service(database__busy_seconds=0.3)
    service.environment = {"NOTIFY_SOCKET": str(systemd.path)}
    return service


def _assert_told(service: ServiceUnderTest, systemd: NotifySocket, words: str) -> None:
    """Check for the plain log line and the STATUS."""
    assert any(words in event["message"] for event in service.find("database_unusable"))
    until(lambda: any("cannot store alarms" in s and words in s for s in systemd.statuses()), "a STATUS", 20)


def _assert_mended(service: ServiceUnderTest, systemd: NotifySocket) -> None:
    service.wait_for("database_recovered")
    until(lambda: systemd.statuses()[-1].startswith("Running"), f"a STATUS: {systemd.statuses()[-1:]}", 20)
    assert not service.find("child_exited")


def _fill(filler: Path) -> None:
    """Write until there is no space left."""
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def test_database_locked_for_long_gives_451_until_it_is_free(watched: ServiceUnderTest, systemd: NotifySocket) -> None:
    """A shell in a transaction, or a slow request of the site."""
    watched.start()
    mail = mails.alarm([pictures.person_jpeg()])
    other = sqlite3.connect(watched.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    assert mails.deliver(watched.port, mail)[0] == 451

    _assert_told(watched, systemd, "locked")
    other.close()
    _assert_mended(watched, systemd)
    assert mails.deliver(watched.port, mail)[0] == 250
    watched.wait_examined()
    assert (watched.count("alerts_alert"), watched.count("alerts_detect")) == (1, 1)


def test_database_moved_away_gives_451_until_it_is_back(watched: ServiceUnderTest, systemd: NotifySocket) -> None:
    """Nothing is begun in its place, and what was accepted is in the file that was moved."""
    watched.start()
    assert watched.send([pictures.unique_jpeg(1)], "before")[0] == 250
    moved = watched.database.with_name("moved.sqlite3")
    watched.database.rename(moved)

    assert watched.send([pictures.unique_jpeg(2)], "meanwhile")[0] == 451

    _assert_told(watched, systemd, "gone")
    assert not watched.database.exists()
    moved.rename(watched.database)
    _assert_mended(watched, systemd)
    assert watched.send([pictures.unique_jpeg(3)], "after")[0] == 250
    assert watched.query("SELECT subject FROM alerts_alert ORDER BY id") == [("before",), ("after",)]


def test_disk_full_lets_old_rows_give_way_or_gives_452_until_there_is_room(
    watched: ServiceUnderTest, systemd: NotifySocket, tmp_path: Path
) -> None:
    """A small file system of its own, filled by somebody else: what got a 250 is kept, the newest longest."""
    disk = watched.database.parent
    disk.mkdir()
    private = ["unshare", "--mount", "sh", "-c", f'mount -t tmpfs -o size=6m tmpfs "{disk}" && exec "$@"', "sh"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*private, "true"], check=False, capture_output=True).returncode
    ):
        pytest.skip("a file system of its own cannot be mounted here")
    watched.command = [*private, sys.executable, str(ROOT / "supervisor.py")]
    watched.start()
    inside = Path(f"/proc/{watched.pid}/root{disk}")
    for number in range(3):
        assert watched.send([pictures.unique_jpeg(number)])[0] == 250
    filler = inside / "filler"
    _fill(filler)

    kept: list[bytes] = []
    codes = []
    for number in range(3, 13):
        picture = pictures.unique_jpeg(number)
        codes.append(watched.send([picture])[0])
        if codes[-1] == 250:
            kept = [picture]

    assert set(codes) <= {250, 452}
    if codes[-1] == 452:
        _assert_told(watched, systemd, "full")
        filler.unlink()
        _assert_mended(watched, systemd)
    else:
        filler.unlink()
    kept.append(pictures.person_jpeg())
    assert watched.send([kept[-1]], "after")[0] == 250
    copy = tmp_path / "copy.sqlite3"
    for suffix in ("", "-wal"):
        shutil.copyfile(f"{inside / watched.database.name}{suffix}", f"{copy}{suffix}")
    connection = sqlite3.connect(copy)
    stored = [digest(content) for (content,) in connection.execute("SELECT snapshot FROM alerts_alert ORDER BY id")]
    connection.close()
    assert {digest(picture) for picture in kept} <= set(stored)


def test_damaged_database_at_the_start_ends_with_the_choices(watched: ServiceUnderTest) -> None:
    """The file keeps every byte, and systemd does not try for ever."""
    watched.database.parent.mkdir()
    damaged = os.urandom(50_000)
    watched.database.write_bytes(damaged)

    watched.start(is_ready=False)

    assert watched.process is not None
    assert watched.process.wait(60) == 78
    assert watched.database.read_bytes() == damaged
    assert any("replace_corrupt" in str(event) for event in watched.events())


def test_damaged_database_is_set_aside_when_the_owner_allows_it(
    watched: ServiceUnderTest, systemd: NotifySocket
) -> None:
    """Under a name with the date, byte for byte; alarms go into a new one."""
    watched.settings["database__replace_corrupt"] = "true"
    watched.database.parent.mkdir()
    damaged = os.urandom(50_000)
    watched.database.write_bytes(damaged)

    watched.start()

    assert watched.send([pictures.cat_jpeg()])[0] == 250
    [aside] = watched.database.parent.glob("*.damaged-*")
    assert aside.read_bytes() == damaged
    until(lambda: any("Running" in status for status in systemd.statuses()), "a STATUS", 20)
