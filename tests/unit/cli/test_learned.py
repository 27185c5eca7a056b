"""`camalert learned`: what it lists, and that it forgets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from camalert.__main__ import main
from camalert.config.schema import Database as Settings
from camalert.detection import known
from camalert.store.sqlite.database import Database


@pytest.fixture
def configured(tmp_path: Path) -> str:
    """Make a configuration, and a database that knows a marked and a static object, and watches a third."""
    file = tmp_path / "config.toml"
    file.write_text('[service]\nrun_dir = "run"\n[database]\npath = "alerts.sqlite3"\n')
    database = Database(Settings(path=str(tmp_path / "alerts.sqlite3")))
    database.open()
    rows = [
        (camera, camera.lower(), kind, bytes(known.LOOK_BYTES), by)
        for camera, kind, by in (("Garage", "marked", "anna"), ("gate", "static", ""), ("gate", "watched", ""))
    ]
    database.write(
        lambda connection: connection.executemany(
            "INSERT INTO camalert_known (camera, known_as, kind, x, y, width, height, look, needs, first_utc,"
            ' last_utc, moments, moment_utc, alert, mark, "by")'
            " VALUES (?1, ?2, ?3, 0.1, 0.2, 0.3, 0.4, ?4, 0.65, 1e9, 1e9, 9, 1e9, 0, 0, ?5)",
            rows,
        )
    )
    database.close()
    return str(file)


def call(configured: str, *words: str) -> int:
    return main(["learned", *words, "--config", configured])


def test_learned_lists_what_does_not_count(configured: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is only watched counts, and is no business of the owner's."""
    assert call(configured) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(";")[0] for line in lines] == [
        "    2  gate: does not move", "    1  Garage: marked as not a person by anna"
    ]  # fmt: skip

    assert call(configured, "GARAGE", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [(one["id"], one["kind"], one["box"]) for one in found["known"]] == [(1, "marked", [0.1, 0.2, 0.3, 0.4])]


def test_learned_forgets_and_says_so(configured: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One that is not there is named."""
    assert call(configured, "--forget", "1") == 0
    assert capsys.readouterr().out == "known object 1 of Garage counts again\n"
    assert call(configured, "--forget", "1") != 0
    assert "there is no known object 1" in capsys.readouterr().err

    assert call(configured, "garage") == 0
    assert "nothing was learned yet" in capsys.readouterr().out
