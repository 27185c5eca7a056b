"""What became of the pictures and clips that were sent."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from camalert.cli.verdicts import Watch
from camalert.config import schema as config
from camalert.store.sqlite.database import Database

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40

PNG = b"\x89PNG\r\n\x1a\n" + b"\r\n.\r\n" * 20


def test_watch_finds_only_new_rows_with_these_pictures(tmp_path: Path) -> None:
    """Rows of before and rows of others are not shown as ours."""
    with contextlib.closing(Database(config.Database(path=str(tmp_path / "a.sqlite3")))) as database:
        database.open()

        def add(subject: str, snapshot: bytes) -> int:
            return database.write(
                lambda connection: (
                    connection.execute(
                        "INSERT INTO alerts_alert (subject, timestamp, snapshot) VALUES (?, '2026-05-04 03:02:01', ?)",
                        (subject, snapshot),
                    ).lastrowid
                )
            )

        add("before", JPEG)
        with contextlib.closing(Watch(tmp_path / "a.sqlite3")) as watch:
            add("somebody else's", PNG)
            ours = add("ours", JPEG)

            found = watch.rows([JPEG])

    assert [verdict.lines for verdict in found] == [
        (f"stored as alarm {ours}: 2026-05-04 03:02:01 ours", "  not examined yet")
    ]
    assert found[0].is_pending


def _autocommit(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None)


def test_watch_waits_for_the_verdict_of_a_clip_and_shows_its_alert(tmp_path: Path) -> None:
    """A clip is found as such at once, waited for, and shown with the alert that its best picture became."""
    path, clip = tmp_path / "a.sqlite3", b"\0\0\0\x18ftypmp42" + bytes(5000)
    with contextlib.closing(Database(config.Database(path=str(path)))) as database:
        database.open()
        with contextlib.closing(Watch(path)) as watch, contextlib.closing(_autocommit(path)) as connection:
            clip_id = connection.execute(
                "INSERT INTO camalert_clip (mail, name, kind, bytes, subject, timestamp, camera, event, received_utc,"
                " state, reason, clip) VALUES (1, 'a.mp4', 'mp4', ?, 's', 't', 'garage', '', 0, 'pending', '', ?)",
                (len(clip), clip),
            ).lastrowid
            said: list[tuple[str, ...]] = []

            def examine(_: float) -> None:
                said.extend(verdict.lines for verdict in watch.rows([clip]))
                connection.execute(
                    "INSERT INTO alerts_alert (id, subject, timestamp, snapshot) VALUES (7, 's', 't', ?)", (JPEG,)
                )
                connection.execute("UPDATE camalert_alert SET camera = 'garage', outcome = 'nobody', reason = 'nobody'")
                connection.execute("UPDATE camalert_clip SET state = 'examined', alert_id = 7")

            found = watch.wait([clip], 10.0, examine)

    assert said == [(f"stored as clip {clip_id} (mp4, 0.0 MB), not examined yet",)]
    assert found[0].lines[1:] == ("stored as alarm 7 (camera garage): t s", "  nobody")


def test_watch_shows_why_a_clip_failed(tmp_path: Path) -> None:
    """A clip without any picture in it is shown with the reason."""
    path, clip = tmp_path / "a.sqlite3", b"\0\0\0\x18ftypmp42" + bytes(5000)
    with contextlib.closing(Database(config.Database(path=str(path)))) as database:
        database.open()
        with contextlib.closing(Watch(path)) as watch, contextlib.closing(_autocommit(path)) as connection:
            connection.execute(
                "INSERT INTO camalert_clip (mail, name, kind, bytes, subject, timestamp, camera, event, received_utc,"
                " state, reason, clip) VALUES (1, 'a.mp4', 'mp4', ?, 's', 't', '', '', 0, 'failed', 'too short', ?)",
                (len(clip), clip),
            )

            (found,) = watch.wait([clip], 10.0, lambda _: None)

    assert found.lines[-1] == "  too short"
