"""`camalert import`: what is found, what is decided, and the database's move."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
import tomli

from camalert.__main__ import main
from camalert.cli import import_apply, import_plan
from camalert.cli.import_plan import Original, Place
from camalert.config.build import KeyPath
from camalert.errors import CamalertError, ConfigError

ENV = "URL=0.0.0.0\nPORT=2525\nDEST_DIR=pictures\nDATABASE=db.sqlite3\nLOG_ACTIVE=True\n"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="import works as root only")
SHIPPED = Path(__file__).parents[3] / "config.toml"
SHIPPED_TEXT = SHIPPED.read_text()


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
    original = import_plan.find(folder)

    assert original.database == folder / "db.sqlite3"
    assert import_plan.count_rows(original.database) == {"alerts_alert": 1}


@pytest.mark.parametrize(("text", "said"), [(None, "has no .env"), ("PORT=25\n", "has no DATABASE")])
def test_find_elsewhere_says_what_is_missing(text: str | None, said: str, tmp_path: Path) -> None:
    """A wrong folder is said to be one."""
    if text is not None:
        (tmp_path / ".env").write_text(text)

    with pytest.raises(ConfigError, match=said):
        import_plan.find(tmp_path)


def test_count_rows_of_another_database_is_refused(tmp_path: Path) -> None:
    """A database of something else is left alone."""
    sqlite3.connect(tmp_path / "other.sqlite3").close()

    with pytest.raises(ConfigError, match="not the original's database"):
        import_plan.count_rows(tmp_path / "other.sqlite3")


def test_new_configuration_has_the_originals_settings(folder: Path) -> None:
    """Address, port and database go into the shipped configuration, which stays valid."""
    original = import_plan.find(folder)

    text = import_plan.new_configuration(SHIPPED, original, original.database)

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
    lines = import_plan.drop_in(Path(database), group).splitlines()

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
    assert import_plan.shared_group(folder_place, file_place) == expected


@pytest.mark.parametrize(
    ("database", "is_refused"),
    [
        ("/home/pi/db.sqlite3", True),
        ("/home/pi/cams/db.sqlite3", False),
        ("/tmp/x/db", True),
        ("/srv/cams/db", False),
        ("/usr/local/cams/db", False),
        *(
            (f"{folder}/db", True)
            for folder in ("", "/srv", "/opt", "/etc", "/etc/ssl", "/var/lib", "/usr/lib/x", "/usr/local")
        ),
    ],
)
def test_refusal_of_places_a_service_should_not_see(database: str, is_refused: bool) -> None:
    """A whole home or a folder of the system is not opened for one file, and a temporary folder cannot be."""
    assert (import_plan.refusal(Path(database)) is not None) is is_refused


@pytest.mark.parametrize(
    ("database", "folder_uid", "is_refused"),
    [
        ("/home/pi/mail/db", 0, False),
        ("/home/pi/mail/sub/db", 0, False),
        ("/srv/cams/db", 1000, False),
        ("/srv/cams/db", 0, True),
        ("/srv/cams/db", 1001, True),
    ],
)
def test_folder_that_is_not_clearly_the_originals_is_not_given_away(
    database: str, folder_uid: int, is_refused: bool
) -> None:
    """Only a folder of the original's own, or one of the user whose the database is, gets our group."""
    original = Original(Path("/home/pi/mail"), Path(database), (), ())

    refusal = import_plan.regroup_refusal(original, Place("pi", 0o755, folder_uid), Place("pi", 0o644, 1000))

    assert (refusal is not None) is is_refused


@pytest.mark.parametrize(
    "text", ["/srv/a\nExecStartPre=+/bin/sh", "/srv/\x1b", "/srv/\udc80", '/srv/"', "/srv/\\", "/srv/'", ""]
)
def test_unit_word_refuses_what_systemd_cannot_carry(text: str) -> None:
    """No name of a folder becomes a line of a unit."""
    with pytest.raises(ConfigError, match="cannot be written into a systemd unit"):
        import_plan.unit_word(text)


def test_drop_in_of_folder_with_line_feed_is_refused() -> None:
    """The folder of the original's owner cannot write what root's systemd executes."""
    with pytest.raises(ConfigError):
        import_plan.drop_in(Path("/home/pi/x\nExecStartPre=+/tmp/evil/db.sqlite3"), None)


def test_find_of_database_behind_a_link_with_line_feed_is_refused(folder: Path) -> None:
    """A harmless name that leads to a folder with a line feed in its name is not taken."""
    odd = folder / "x\nExecStartPre=+evil"
    odd.mkdir()
    (odd / "db.sqlite3").touch()
    (folder / "cams").symlink_to(odd)
    (folder / ".env").write_text("DATABASE=cams/db.sqlite3\n")

    with pytest.raises(CamalertError, match="cannot be printed"):
        import_plan.find(folder)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("database", "path"), '/home/pi/"odd" \\name.sqlite3'),
        (("smtp", "listen", 0, "port"), 25),
        (("smtp", "listen", 0, "host"), "192.168.1.5"),
        (("log", "level"), "warning"),
        (("smtp", "allow"), "x"),
        (("unheard", "of"), True),
        (("log", "unheard"), 1.5),
    ],
)
def test_put_changes_one_value_and_keeps_the_rest(path: KeyPath, value: str | float) -> None:
    """The one key is set, every comment and every other value stays."""
    text = import_plan.put(SHIPPED_TEXT, path, value)

    before, after = tomli.loads(SHIPPED_TEXT), tomli.loads(text)
    table_before, table_after = before, after
    for step in path[:-1]:
        table_after = table_after[step]
        table_before = table_before.get(step, {}) if isinstance(table_before, dict) else table_before[step]
    assert table_after.pop(path[-1]) == value
    table_before.pop(path[-1], None)
    assert {key: table for key, table in after.items() if table} == {
        key: table for key, table in before.items() if table
    }
    assert [line for line in SHIPPED_TEXT.splitlines() if line.startswith("#")] == [
        line for line in text.splitlines() if line.startswith("#")
    ]


def test_put_replaces_a_list_over_several_lines() -> None:
    """A value may take several lines."""
    text = import_plan.put('[smtp]\nallow = [\n  "a]", # not the end: ]\n  "b",\n]\nport = 1\n', ("smtp", "allow"), "c")

    assert text == '[smtp]\nallow = "c"\nport = 1\n'


@pytest.mark.parametrize("header", ["[database] # where the pictures are", "  [database]", "[ database ]"])
def test_put_finds_a_header_however_it_is_written(header: str) -> None:
    """A comment behind a header or blanks around it make no second section."""
    text = import_plan.put(f'{header}\n  path = "old" # here\n[log]\n', ("database", "path"), "new")

    assert tomli.loads(text) == {"database": {"path": "new"}, "log": {}}


# --- --move ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def installed(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in for an installed service: a state folder, a configuration, a group; return the configuration."""
    place = tmp_path_factory.mktemp("installed")
    for name in ("state", "dropins"):
        (place / name).mkdir()
    monkeypatch.setattr(import_plan, "STATE", place / "state")
    monkeypatch.setattr(import_plan, "DROP_INS", place / "dropins")
    monkeypatch.setattr(import_plan, "GROUP", "root")
    monkeypatch.setattr(import_plan, "WEB_USER", "nobody-of-that-name")
    monkeypatch.setattr(import_plan, "UNITS", ())
    monkeypatch.setattr(import_apply, "start", lambda: False)
    (place / "config.toml").write_text(SHIPPED.read_text())
    return place / "config.toml"


def _import(folder: Path, config: Path) -> int:
    return main(["import", "--from-original", str(folder), "--move", "--yes", "--config", str(config)])


@needs_root
def test_move_called_again_is_safe_and_says_so(
    folder: Path, installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second call finds the link that the first one left, moves nothing and advises nothing dangerous."""
    assert _import(folder, installed) == 0
    moved = installed.parent / "state" / "alerts.sqlite3"
    assert (folder / "db.sqlite3").readlink() == moved
    capsys.readouterr()

    assert _import(folder, installed) == 0

    said = capsys.readouterr().out
    assert f"leave the database in {moved}, where an earlier import moved it" in said
    assert import_plan.count_rows(moved) == {"alerts_alert": 1}
    assert f'path = "{moved}"' in installed.read_text()


@needs_root
def test_move_onto_another_database_says_what_lies_there(
    folder: Path, installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two databases are never mixed up: both are named with their rows, and neither is touched."""
    other = installed.parent / "state" / "alerts.sqlite3"
    with contextlib.closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE alerts_alert (id INTEGER PRIMARY KEY)")

    assert _import(folder, installed) == 1

    said = capsys.readouterr().err
    assert "has 0 alerts" in said
    assert "has 1 alerts" in said
    assert not (folder / "db.sqlite3").is_symlink()


@needs_root
def test_move_onto_a_dangling_link_is_refused(folder: Path, installed: Path) -> None:
    """A link that the service planted in its own folder makes no file of root's elsewhere."""
    (installed.parent / "state" / "alerts.sqlite3").symlink_to(installed.parent / "elsewhere")

    assert _import(folder, installed) == 1
    assert not (installed.parent / "elsewhere").exists()


@needs_root
def test_move_of_database_that_a_program_has_open_is_refused(
    folder: Path, installed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who has it open would go on writing into a file that is gone; it is named, and nothing is moved."""
    with (folder / "db.sqlite3").open("rb") as held:
        holder = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[held.fileno()])
    try:
        assert _import(folder, installed) == 1
    finally:
        holder.communicate(b"\n")

    assert f"(process {holder.pid})" in capsys.readouterr().err
    assert not (folder / "db.sqlite3").is_symlink()
    assert not (installed.parent / "state" / "alerts.sqlite3").exists()
