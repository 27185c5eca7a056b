"""A running review site with rows to look at and a login."""

from __future__ import annotations

import datetime
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from camalert.ipc.spawn import ChildProcess
from testing import household, reviewrig
from testing.ports import free_port
from testing.reviewrig import Answer, Visitor

NOON = datetime.datetime.fromisoformat("2026-11-22 12:00:00")
HOSTILE = "\"><script>alert(1)</script>'&lt;{{ 7|add:1 }}"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
MP4 = b"\x00\x00\x00\x18ftypisom" + bytes(range(256)) * 2000
EML = b"Subject: <script>alert(1)</script>\r\nContent-Type: text/html\r\n\r\n" + bytes(range(256)) * 2000


@dataclass(frozen=True)
class Rows:
    """Rows that the tests look for."""

    person: tuple[int, int]
    nobody: int
    pending: int
    hostile: int
    foreign: int
    clip: int


@dataclass(frozen=True)
class Site:
    """A running site with its first login made."""

    folder: Path
    port: int
    pid: int
    rows: Rows
    cookies: dict[str, str]
    process: ChildProcess

    def children(self, module: str) -> list[int]:
        """Return the processes that the site started from a module."""
        found = [
            int(pid)
            for task in Path(f"/proc/{self.pid}/task").iterdir()
            for pid in (task / "children").read_text().split()
        ]
        return [pid for pid in found if module.encode() in Path(f"/proc/{pid}/cmdline").read_bytes()]

    def begin(self, path: str) -> Callable[[], Answer]:
        """Ask for something in a thread; the function returned waits for the answer."""
        with_answer: list[Answer] = []
        thread = threading.Thread(target=lambda: with_answer.append(self.visitor().get(path)))
        thread.start()

        def wait() -> Answer:
            thread.join(60)
            return with_answer[0]

        return wait

    def visitor(self) -> Visitor:
        """Return a visitor who is logged in."""
        return Visitor(self.port, cookies=dict(self.cookies))

    def home(self) -> household.Household:
        """Open the database as the service would."""
        return household.Household(self.folder / "alerts.sqlite3")

    def query(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        """Ask the service's database."""
        connection = sqlite3.connect(self.folder / "alerts.sqlite3", timeout=10)
        try:
            return connection.execute(sql, values).fetchall()
        finally:
            connection.close()


@contextmanager
def running(folder: Path, **review: object) -> Iterator[Site]:
    """Fill a database and run the site on it."""
    rows = fill(folder)
    port = free_port()
    settings = reviewrig.config(folder, port, **review)
    with reviewrig.site(settings) as process:
        told = {"X-Forwarded-For": "192.168.1.5"} if review.get("proxies") else {}
        owner = Visitor(port, headers=told)
        answer = owner.set_up(Path(settings.review.data_dir))
        assert answer.status == 302, answer.text[-1500:]
        yield Site(folder, port, process.pid, rows, owner.cookies, process)


def fill(folder: Path) -> Rows:
    """Make a database with rows of every kind."""
    home = household.Household(folder / "alerts.sqlite3")
    someone = household.tiny()[0]
    nobody = household.Picture(someone.jpeg, someone.height_px, someone.width_px)
    home.fill(150, household.tiny(), end=NOON - datetime.timedelta(hours=2))
    person = home.add("Garage", NOON, someone)
    empty, _ = home.add("Garage", NOON + datetime.timedelta(seconds=20), nobody)
    pending, _ = home.add("Garden gate", NOON + datetime.timedelta(seconds=40), someone, pending=True)
    hostile, _ = home.add(
        HOSTILE, NOON + datetime.timedelta(minutes=5), nobody, event=HOSTILE, subject=HOSTILE, snapshot=SVG
    )
    home.connection.execute("UPDATE camalert_alert SET picture_name = ? WHERE alert_id = ?", (HOSTILE, hostile))
    # As the original site or a shell adds one: nothing is known of it.
    foreign = home.connection.execute(
        "INSERT INTO alerts_alert (subject, timestamp, snapshot) VALUES ('by hand', '2026-11-22 12:30:00.123456', ?)",
        (someone.jpeg,),
    ).lastrowid
    clip = home.connection.execute(
        "INSERT INTO camalert_clip (mail, name, kind, bytes, subject, timestamp, camera, event, received_utc, state,"
        " reason, alert_id, clip) VALUES (1, ?, 'mp4', ?, '', '', '', '', 0, 'examined', '', ?, ?)",
        (HOSTILE, len(MP4), person[0], MP4),
    ).lastrowid
    home.connection.execute("UPDATE camalert_alert SET clip = ? WHERE alert_id = ?", (clip, person[0]))
    home.connection.execute("UPDATE camalert_mail SET unreadable = ?, sender = ? WHERE id = 1", (HOSTILE, HOSTILE))
    home.connection.execute("INSERT INTO camalert_raw (mail, received_utc, bytes, raw) VALUES (1, 0, ?, ?)",
                            (len(EML), EML))  # fmt: skip
    home.group()
    home.connection.execute(
        "UPDATE camalert_visit SET camera = ? WHERE id = (SELECT max(id) FROM camalert_visit)", (HOSTILE,)
    )
    home.close()
    assert person[1] is not None
    return Rows((person[0], person[1]), empty, pending, hostile, int(foreign or 0), int(clip or 0))
