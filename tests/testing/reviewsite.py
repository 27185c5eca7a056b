"""A running review site with rows to look at and a login."""

from __future__ import annotations

import datetime
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testing import household, reviewrig
from testing.reviewrig import Visitor

NOON = datetime.datetime.fromisoformat("2026-11-22 12:00:00")
HOSTILE = "\"><script>alert(1)</script>'&lt;{{ 7|add:1 }}"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
MP4 = b"\x00\x00\x00\x18ftypisom" + bytes(range(256)) * 2000


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
    rows = _fill(folder)
    port = reviewrig.free_port()
    with reviewrig.site(reviewrig.config(folder, port, **review)) as process:
        owner = Visitor(port)
        assert owner.set_up().status == 302
        yield Site(folder, port, process.pid, rows, owner.cookies)


def _fill(folder: Path) -> Rows:
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
    home.close()
    assert person[1] is not None
    return Rows((person[0], person[1]), empty, pending, hostile, int(foreign or 0), int(clip or 0))
