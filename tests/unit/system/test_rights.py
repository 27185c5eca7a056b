"""Whose rights root uses on a path, and that nothing planted there gets more than its owner's."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from camalert.__main__ import main
from camalert.cli import import_apply, import_plan
from camalert.cli.import_plan import Original
from camalert.errors import CamalertError, StoreError
from camalert.status import model as status
from camalert.store.sqlite.backup import backup
from camalert.system import rights

STRANGER = 54_321  # a user that no machine has
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be led astray")


@pytest.fixture
def hall() -> Iterator[Path]:
    """Return a folder of root's that everybody may enter; pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="camalert-rights-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def theirs(hall: Path) -> Path:
    """Return a stranger's folder."""
    folder = hall / "theirs"
    folder.mkdir()
    os.chown(folder, STRANGER, STRANGER)
    return folder


@pytest.fixture
def secret(hall: Path) -> Path:
    """Return a file of root's that nobody else may read or write."""
    file = hall / "shadow"
    file.write_text("root:secret")
    file.chmod(0o600)
    return file


def _database(file: Path) -> Path:
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE alerts_alert (id INTEGER PRIMARY KEY)")
    connection.close()
    return file


def _plant(link: Path, target: Path) -> None:
    link.symlink_to(target)
    os.chown(link, STRANGER, STRANGER, follow_symlinks=False)


@pytest.mark.parametrize("name", ["line\nfeed", "escape\x1b[2J", "bell\a", "half\udc80"])
def test_path_with_control_characters_is_refused(name: str) -> None:
    """What cannot be shown in one line is not used by anybody, root or not."""
    with pytest.raises(CamalertError, match="cannot be printed"), rights.as_owner_of(Path("/srv") / name / "file"):
        pass


@needs_root
def test_owner_of_is_the_first_on_the_way_who_is_not_root(theirs: Path) -> None:
    """Whoever controls a folder controls all below it, also what is root's or not there yet."""
    (theirs / "roots").mkdir()

    assert rights.owner_of(theirs.parent / "new" / "file") == rights.ROOT
    assert rights.owner_of(theirs / "roots" / "new").uid == STRANGER


@needs_root
def test_owner_of_link_is_who_made_it(hall: Path, theirs: Path) -> None:
    """A link of root's is followed; somebody else's leads nowhere with root's rights."""
    hall.chmod(0o1777)
    (hall / "own").symlink_to("theirs")
    _plant(hall / "planted", Path("/etc"))

    assert rights.owner_of(hall / "own" / "file").uid == STRANGER
    assert rights.owner_of(hall / "planted" / "file").uid == STRANGER
    assert rights.owner_of(theirs / ".." / "file") == rights.owner_of(theirs)


@needs_root
def test_owner_of_endless_links_is_refused(hall: Path) -> None:
    """Two links that point to each other end in words."""
    (hall / "a").symlink_to("b")
    (hall / "b").symlink_to("a")

    with pytest.raises(CamalertError, match="links"):
        rights.owner_of(hall / "a" / "file")


@needs_root
def test_owner_of_folder_that_a_group_may_write_is_not_root(hall: Path) -> None:
    """A folder that was given to a group is in its hands, though it is still root's."""
    shared = hall / "shared"
    shared.mkdir()
    os.chown(shared, 0, STRANGER)
    shared.chmod(0o2775)

    owner = rights.owner_of(shared / "file")

    assert owner.uid == rights.NOBODY
    assert STRANGER in owner.groups
    assert rights.umask_for(shared / "file") == 0o007


@needs_root
def test_as_owner_of_gives_roots_rights_back(theirs: Path, secret: Path) -> None:
    """Inside, a planted link leads to nothing that its maker could not open; afterwards root is root."""
    _plant(theirs / "link", secret)

    with rights.as_owner_of(theirs / "link"):
        (theirs / "new").touch()
        with pytest.raises(PermissionError):
            (theirs / "link").read_text()

    assert (theirs / "new").stat().st_uid == STRANGER
    assert stat.S_IMODE((theirs / "new").stat().st_mode) == 0o600
    assert secret.read_text() == "root:secret"


# --- the copy of a database -----------------------------------------------------------------------------------------


@needs_root
def test_backup_reads_with_the_sources_rights_and_writes_with_the_targets(hall: Path, theirs: Path) -> None:
    """Root copies a database of somebody else into a folder of its own."""
    source = _database(theirs / "alerts.sqlite3")
    os.chown(source, STRANGER, STRANGER)

    assert backup(source, hall / "copy.sqlite3") > 0

    assert (hall / "copy.sqlite3").stat().st_uid == 0
    with contextlib.closing(sqlite3.connect(hall / "copy.sqlite3")) as copy:
        assert copy.execute("SELECT count(*) FROM alerts_alert").fetchone() == (0,)


@needs_root
def test_backup_of_a_link_reads_nothing_that_its_maker_could_not(hall: Path, theirs: Path, secret: Path) -> None:
    """A database that is a link to a file of root's is not copied to where its maker could read it."""
    secret.unlink()
    _database(secret).chmod(0o600)
    _plant(theirs / "alerts.sqlite3", secret)

    with pytest.raises(StoreError):
        backup(theirs / "alerts.sqlite3", hall / "copy.sqlite3")

    assert not (hall / "copy.sqlite3").exists()


@needs_root
@pytest.mark.parametrize("name", ["copy.sqlite3", "copy.sqlite3.unfinished"])
def test_backup_into_a_strangers_folder_follows_no_link(name: str, hall: Path, theirs: Path) -> None:
    """A link in the place of the copy, dangling or not, makes no file elsewhere."""
    source = _database(hall / "alerts.sqlite3")
    _plant(theirs / name, hall / "made-by-root")

    try:
        backup(source, theirs / "copy.sqlite3")
    except StoreError as error:
        assert "exists already" in str(error)  # noqa: PT017 - only one of the two is refused
    else:
        assert (theirs / "copy.sqlite3").stat().st_uid == STRANGER

    assert not (hall / "made-by-root").exists()


def test_backup_leaves_another_unfinished_one_alone_when_it_is_refused(tmp_path: Path) -> None:
    """A copy that exists is neither overwritten nor followed, and nothing beside it is removed."""
    _database(tmp_path / "alerts.sqlite3")
    (tmp_path / "copy").symlink_to(tmp_path / "nowhere")
    (tmp_path / "copy.unfinished").touch()

    with pytest.raises(StoreError, match="exists already"):
        backup(tmp_path / "alerts.sqlite3", tmp_path / "copy")

    assert (tmp_path / "copy.unfinished").exists()
    assert not (tmp_path / "nowhere").exists()


# --- taking over ----------------------------------------------------------------------------------------------------


def _original(database: Path) -> Original:
    return Original(database.parent, database, (), ())


@needs_root
def test_regroup_gives_the_group_folder_and_files(theirs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is really there is given to the group, with the right to write."""
    monkeypatch.setattr(import_plan, "GROUP", "daemon")
    database = _database(theirs / "db.sqlite3")
    os.chown(database, STRANGER, STRANGER)
    database.chmod(0o600)

    import_apply.regroup(_original(database))

    assert database.stat().st_gid == theirs.stat().st_gid != STRANGER
    assert stat.S_IMODE(database.stat().st_mode) == 0o660
    assert stat.S_IMODE(theirs.stat().st_mode) & 0o2070 == 0o2070


@needs_root
@pytest.mark.parametrize("kind", ["link", "hard link", "folder", "of root's"])
def test_regroup_touches_nothing_planted_in_a_files_place(
    kind: str, theirs: Path, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `-wal` that is a link, a second name or another user's file stops everything before anything is changed."""
    monkeypatch.setattr(import_plan, "GROUP", "daemon")
    database = _database(theirs / "db.sqlite3")
    os.chown(database, STRANGER, STRANGER)
    wal = theirs / "db.sqlite3-wal"
    match kind:
        case "link":
            _plant(wal, secret)
        case "hard link":
            os.link(secret, wal)
        case "folder":
            wal.mkdir()
        case _:
            secret.rename(wal)
    before = [(path.lstat().st_gid, path.lstat().st_mode) for path in (theirs, database)]

    with pytest.raises(CamalertError):
        import_apply.regroup(_original(database))

    assert [(path.lstat().st_gid, path.lstat().st_mode) for path in (theirs, database)] == before
    planted = secret if kind in ("link", "hard link") else wal
    assert planted.stat().st_gid == 0
    assert not stat.S_IMODE(planted.stat().st_mode) & 0o020


@needs_root
def test_regroup_never_goes_through_a_link_to_a_folder(
    hall: Path, theirs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder on the way that has become a link since it was looked at is not followed."""
    monkeypatch.setattr(import_plan, "GROUP", "daemon")
    (hall / "etc").mkdir()
    _database(hall / "etc" / "db.sqlite3")
    _plant(theirs / "cams", hall / "etc")

    with pytest.raises(CamalertError, match="cannot be opened as a folder"):
        import_apply.regroup(_original(theirs / "cams" / "db.sqlite3"))

    assert (hall / "etc").stat().st_gid == 0


def test_replace_file_follows_no_link_and_keeps_owner_and_mode(tmp_path: Path) -> None:
    """A draft's name that was taken by a link is not written through; the new file is like the old one."""
    file = tmp_path / "config.toml"
    file.write_text("old")
    file.chmod(0o640)
    (tmp_path / "elsewhere").write_text("untouched")
    (tmp_path / ".config.toml.new").symlink_to(tmp_path / "elsewhere")

    import_apply.replace_file(file, "new")

    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert (tmp_path / "elsewhere").read_text() == "untouched"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.toml", "elsewhere"]


# --- new files --------------------------------------------------------------------------------------------------------


def test_status_file_is_as_open_as_its_folder(tmp_path: Path) -> None:
    """Where others may not look into the run directory, the status is nobody else's either."""
    shown = status.Status("1.0", 1, 0.0, 0.0, "running", 0.0)
    modes = []
    for mode in (0o755, 0o700):
        tmp_path.chmod(mode)
        status.write(tmp_path, shown)
        modes.append(stat.S_IMODE((tmp_path / status.FILE_NAME).stat().st_mode))

    assert modes == [0o644, 0o600]


def test_command_makes_files_for_its_user_alone(tmp_path: Path) -> None:
    """With the usual umask the pictures are still readable for nobody else; a folder that shares with a group does."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o2770)
    modes = []
    for folder in ("var/own", "shared"):
        (tmp_path / "config.toml").write_text(f'[database]\npath = "{folder}/alerts.sqlite3"\n')
        os.umask(0o022)
        assert main(["init-db", "--config", str(tmp_path / "config.toml")]) == 0
        modes.append(stat.S_IMODE((tmp_path / folder / "alerts.sqlite3").stat().st_mode))

    assert modes == [0o600, 0o660]
    assert stat.S_IMODE((tmp_path / "var").stat().st_mode) == 0o700
