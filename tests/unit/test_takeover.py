"""Taking over from the original system."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from camalert import handover, takeover
from camalert.errors import ConfigError
from camalert.takeover import Place

ENV = "URL=0.0.0.0\nPORT=2525\nDEST_DIR=pictures\nDATABASE=db.sqlite3\nLOG_ACTIVE=True\n"
SHIPPED = Path(__file__).parents[2] / "config.toml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Make an original system with one alert."""
    (tmp_path / ".env").write_text(ENV)
    database = sqlite3.connect(tmp_path / "db.sqlite3")
    database.execute("CREATE TABLE alerts_alert (id INTEGER PRIMARY KEY)")
    database.execute("INSERT INTO alerts_alert DEFAULT VALUES")
    database.commit()
    database.close()
    return tmp_path


def test_find_reads_the_originals_settings(folder: Path) -> None:
    """The database is found from the original's own folder, wherever the command is called."""
    original = takeover.find(folder)

    assert original.database == folder / "db.sqlite3"
    assert handover.count_rows(original.database) == {"alerts_alert": 1}


@pytest.mark.parametrize(("text", "said"), [(None, "has no .env"), ("PORT=25\n", "has no DATABASE")])
def test_find_elsewhere_says_what_is_missing(text: str | None, said: str, tmp_path: Path) -> None:
    """A wrong folder is said to be one."""
    if text is not None:
        (tmp_path / ".env").write_text(text)

    with pytest.raises(ConfigError, match=said):
        takeover.find(tmp_path)


def test_count_rows_of_another_database_is_refused(tmp_path: Path) -> None:
    """A database of something else is left alone."""
    sqlite3.connect(tmp_path / "other.sqlite3").close()

    with pytest.raises(ConfigError, match="not the original's database"):
        handover.count_rows(tmp_path / "other.sqlite3")


def test_new_configuration_has_the_originals_settings(folder: Path) -> None:
    """Address, port and database go into the shipped configuration, which stays valid."""
    original = takeover.find(folder)

    text = handover.new_configuration(SHIPPED, original, original.database)

    assert f'path = "{folder}/db.sqlite3"' in text
    assert "port = 2525" in text


@pytest.mark.parametrize(
    ("database", "group", "expected"),
    [
        ("/srv/cams/db.sqlite3", "camalert", ["ReadWritePaths=/srv/cams"]),
        ("/srv/cams/db.sqlite3", "www-data", ["ReadWritePaths=/srv/cams", "SupplementaryGroups=www-data"]),
        ("/home/pi/cams/db.sqlite3", None, ["ProtectHome=tmpfs", "BindPaths=/home/pi/cams"]),
        ("/home/pi/my 100%/db.sqlite3", None, ["ProtectHome=tmpfs", 'BindPaths="/home/pi/my 100%%"']),
    ],
)
def test_drop_in_shows_the_service_just_that_folder(database: str, group: str | None, expected: list[str]) -> None:
    """The hardened service sees the database's folder and nothing else of a home."""
    lines = takeover.drop_in(Path(database), group).splitlines()

    assert lines[1:] == ["[Service]", *expected]


@pytest.mark.parametrize(
    ("folder_place", "file_place", "expected"),
    [
        (Place("www-data", 0o42775), Place("www-data", 0o100664), "www-data"),
        (Place("www-data", 0o42755), Place("www-data", 0o100664), None),
        (Place("pi", 0o42775), Place("www-data", 0o100664), None),
        (Place("root", 0o42775), Place("root", 0o100664), None),
    ],
)
def test_shared_group_needs_both_writable(folder_place: Place, file_place: Place, expected: str | None) -> None:
    """SQLite needs the folder too; membership of root's group is never the answer."""
    assert takeover.shared_group(folder_place, file_place) == expected


@pytest.mark.parametrize(
    ("database", "is_refused"),
    [("/home/pi/db.sqlite3", True), ("/home/pi/cams/db.sqlite3", False), ("/tmp/x/db", True), ("/srv/db", False)],
)
def test_refusal_of_places_a_service_should_not_see(database: str, is_refused: bool) -> None:
    """A whole home is not opened for one file, and a temporary folder cannot be."""
    assert (takeover.refusal(Path(database)) is not None) is is_refused
