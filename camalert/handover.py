"""Carry a takeover out: stop the original, copy, regroup or move its database, write the configuration, start.

Mechanism, of `camalert import` alone, as root.
"""

from __future__ import annotations

import contextlib
import grp
import shutil
import sqlite3
import subprocess
import tempfile
from pathlib import Path

from camalert import takeover, tomledit
from camalert.configfile import Source, load
from camalert.errors import CamalertError, ConfigError, StoreError
from camalert.store.backup import backup as copy_database
from camalert.store.connection import open_reader
from camalert.takeover import GROUP, Original, Place, Takeover

SIDE_FILES = ("-wal", "-shm", "-journal")


def count_rows(database: Path) -> dict[str, int]:
    """Count the rows of the original's tables, which also proves that they are the original's.

    Raises: ConfigError when they are not.
    """
    listed = "SELECT name FROM sqlite_master WHERE name IN ('alerts_alert', 'alerts_detect') ORDER BY name"
    try:
        with contextlib.closing(open_reader(database)) as reader:
            names = [str(name) for (name,) in reader.execute(listed)]
            rows = {
                name: int(reader.execute(f"SELECT count(*) FROM {name}").fetchone()[0])  # noqa: S608 - of these two
                for name in names
            }
    except (StoreError, sqlite3.Error) as error:
        raise ConfigError(f"the original's database {database} cannot be read: {error}") from error
    if "alerts_alert" not in rows:
        raise ConfigError(f"{database} has no table alerts_alert: it is not the original's database")
    return rows


def has_group() -> bool:
    """Tell whether the service's group exists."""
    with contextlib.suppress(KeyError):
        return bool(grp.getgrnam(GROUP))
    return False


def group_of(database: Path) -> str | None:
    """Return the group through which a database can be written already."""
    return takeover.shared_group(_place(database.parent), _place(database))


def known_units() -> tuple[str, ...]:
    """Return the original's units that this machine has, running or not."""
    program = shutil.which("systemctl")
    if program is None:
        return ()
    return tuple(
        unit
        for unit in takeover.UNITS
        if subprocess.run([program, "cat", unit], capture_output=True, check=False).returncode == 0  # noqa: S603 - fixed words
    )


def new_configuration(file: Path, original: Original, database: Path) -> str:
    """Return the configuration's text with the original's settings.

    Raises: ConfigError when it would not be valid; nothing has been changed then.
    """
    changes = [
        (change.path, str(database) if change.path == ("database", "path") else change.value)
        for change in original.changes
        if change.path[:2] != ("intake", "folder")  # pictures need no folder any more
    ]
    text = tomledit.put_all(file.read_text(encoding="utf-8"), changes)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / file.name
        draft.write_text(text, encoding="utf-8")
        load(Source(file=draft), {})
    return text


def carry_out(plan: Takeover) -> None:
    """Do everything but the start; calling it again after a failure is safe.

    Raises: CamalertError with what failed.
    """
    if plan.units:
        _systemctl("disable", "--now", *plan.units)
    source = plan.original.database
    copy_database(source, plan.backup)
    shutil.copystat(source, plan.backup)
    if plan.is_move:
        _move(source, plan.database)
        plan.drop_in_file.unlink(missing_ok=True)
    else:
        if plan.group is None:
            _regroup(source)
        plan.drop_in_file.parent.mkdir(parents=True, exist_ok=True)
        plan.drop_in_file.write_text(takeover.drop_in(source, plan.group), encoding="utf-8")
    shutil.copy2(plan.config_file, plan.config_file.with_name(f"{plan.config_file.name}.before-import-{plan.stamp}"))
    plan.config_file.write_text(plan.config_text, encoding="utf-8")


def start() -> bool:
    """Start camalert, now and at each boot; False where systemd does not run.

    Raises: CamalertError when it does not start.
    """
    if not Path("/run/systemd/system").exists():
        return False
    _systemctl("daemon-reload")
    _systemctl("enable", "camalert.service")
    _systemctl("restart", "camalert.service")
    return True


def _place(path: Path) -> Place:
    found = path.stat()
    try:
        name = grp.getgrgid(found.st_gid).gr_name
    except KeyError:
        name = ""
    return Place(name, found.st_mode)


def _regroup(database: Path) -> None:
    """Let our group write a database, and give new files beside it the group."""
    folder = database.parent
    shutil.chown(folder, group=GROUP)
    folder.chmod(folder.stat().st_mode | 0o2070)
    for file in (database, *(Path(f"{database}{suffix}") for suffix in SIDE_FILES)):
        if file.exists():
            shutil.chown(file, group=GROUP)
            file.chmod(file.stat().st_mode | 0o060)


def _move(source: Path, target: Path) -> None:
    """Bring a database to its new place and leave a link, which SQLite follows."""
    if not target.parent.exists():
        target.parent.mkdir()
        shutil.chown(target.parent, user=GROUP, group=GROUP)
        target.parent.chmod(0o2770)
    copy_database(source, target)
    shutil.chown(target, user=GROUP, group=GROUP)
    target.chmod(0o660)
    for suffix in SIDE_FILES:
        Path(f"{source}{suffix}").unlink(missing_ok=True)
    source.unlink()
    source.symlink_to(target)


def _systemctl(*words: str) -> None:
    program = shutil.which("systemctl") or "systemctl"
    done = subprocess.run([program, *words], capture_output=True, text=True, check=False)  # noqa: S603 - fixed words
    if done.returncode:
        raise CamalertError(
            f"systemctl {' '.join(words)} failed: {done.stderr.strip()}. What was done until then stays; "
            "see journalctl -u camalert, mend it, and call this again"
        )
