"""What `camalert import` finds of the original system, and what it will change; nothing is changed here.

The original's folder belongs to another user, who may put links and other things into it at any moment: there root
works with that user's rights (`rights`).
"""

from __future__ import annotations

import contextlib
import grp
import json
import os
import pwd
import re
import shutil
import sqlite3
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from camalert.config.build import KeyPath, dotted
from camalert.config.sources import Override, Source, load, original_settings
from camalert.errors import CamalertError, ConfigError, StoreError
from camalert.store.sqlite.opening import open_reader
from camalert.system import rights

STATE = Path("/var/lib/camalert")
DROP_INS = Path("/etc/systemd/system/camalert.service.d")
UNITS = ("mymailserver.service", "mydetectserver.service")  # the original's two, which hold the port
GROUP = "camalert"
WEB_USER = "www-data"  # which cams runs as on most machines
_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
# The system's own: a group with write access here could do anything. Below the second kind may be an owner's folders.
_SYSTEM_TREES = (
    *map(Path, ("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run", "/sbin", "/sys", "/usr")),
)
_SYSTEM_FOLDERS = (
    *map(Path, ("/", "/home", "/media", "/mnt", "/opt", "/srv", "/usr/local", "/var", "/var/www")),
    *map(Path("/var").joinpath, ("backups", "cache", "lib", "local", "log", "mail", "opt", "spool")),
)
_NOT_IN_A_UNIT = frozenset("\"'\\")
_TEMPORARY = (Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - named to refuse them


@dataclass(frozen=True, slots=True)
class Original:
    """The original system as its `.env` describes it."""

    folder: Path
    database: Path
    changes: tuple[Override, ...]  # keys of our configuration
    notices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Owner, group and mode of a file or folder."""

    group: str
    mode: int
    uid: int = 0

    @property
    def is_group_writable(self) -> bool:
        """Tell whether its group may read and write it."""
        return self.mode & (stat.S_IRGRP | stat.S_IWGRP) == stat.S_IRGRP | stat.S_IWGRP


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is decided before anything is changed."""

    original: Original
    rows: dict[str, int]
    units: tuple[str, ...]  # of the original's, those that this machine has
    database: Path  # where it will be
    group: str | None  # which can write it already; None: the files are given to ours
    config_file: Path
    config_text: str
    stamp: str  # in the names of the copies that are kept
    new_member: str = ""  # the web server's user, when it must join our group to go on writing

    @property
    def backup(self) -> Path:
        """The copy of the database that is made first."""
        database = self.original.database
        return database.with_name(f"{database.name}.before-camalert-{self.stamp}")

    @property
    def is_move(self) -> bool:
        """Tell whether the database gets another place."""
        return self.database != self.original.database

    @property
    def is_moved(self) -> bool:
        """Tell whether an earlier import moved it: what the original names is a link to our folder."""
        return self.original.database.parent == STATE

    @property
    def drop_in_file(self) -> Path:
        """The drop-in that gives the service access to a database in its old place."""
        return DROP_INS / "original-database.conf"

    def lines(self) -> list[str]:
        """Describe what was found and what will be done."""
        counted = ", ".join(f"{count} {'row' if count == 1 else 'rows'} in {name}" for name, count in self.rows.items())
        lines = [f"The original system in {self.original.folder}:", f"  {self.original.database}: {counted}"]
        lines += [f"  {notice}" for notice in self.original.notices]
        lines.append("This import will:")
        if self.units:
            lines.append(f"  stop and disable {' and '.join(self.units)}")
        lines.append(f"  copy the database to {self.backup}")
        if self.is_moved:
            lines.append(f"  leave the database in {self.database}, where an earlier import moved it")
        elif self.is_move:
            lines.append(f"  move the database to {self.database} and leave a link in its place")
        else:
            lines.append(f"  use the database where it is, by {self.drop_in_file}")
            if self.group is None:
                lines.append(f"  give it and its folder to the group {GROUP}, with the right to write")
        if self.new_member:
            lines.append(f"  add {self.new_member}, which cams runs as, to the group {GROUP}")
        if self.new_member or (self.is_move and not self.is_moved):
            lines.append("  (restart the web server afterwards)")
        lines.append(f"  set address, port and database in {self.config_file}, keeping a copy of it")
        lines.append("  start camalert, now and at each boot")
        return lines


def make(folder: Path, config_file: Path, stamp: str, *, is_move: bool) -> Plan:
    """Look at everything and decide.

    Args:
        folder: Of the original system.
        config_file: The configuration that gets its settings.
        stamp: For the names of the copies that are kept.
        is_move: Whether to move the database to `STATE`.
    Raises: CamalertError with what stands in the way.
    """
    original = find(folder)
    rows = count_rows(original.database)
    if os.geteuid() != 0:
        raise CamalertError("this changes services and files of the system: run it with sudo")
    if not config_file.exists() or not _has_group():
        raise CamalertError(f"camalert is not installed as a service (no {config_file}): first `sudo make install`")
    database = original.database
    is_moved = database.parent == STATE
    if is_move and not is_moved:
        database = STATE / "alerts.sqlite3"
        if os.path.lexists(database):
            raise CamalertError(_in_the_way(database, original.database, rows))
    beside, file = place_of(original.database.parent.stat()), place_of(original.database.stat())
    group = shared_group(beside, file)
    if not is_move and not is_moved:
        refused = refusal(original.database)
        if refused is None and group is None:
            refused = regroup_refusal(original, beside, file)
        if refused:
            raise CamalertError(refused)
    is_ours = is_move or is_moved or group in (None, GROUP)
    return Plan(
        original=original,
        rows=rows,
        units=_known_units(),
        database=database,
        group=group,
        config_file=config_file.resolve(),
        config_text=new_configuration(config_file, original, database),
        stamp=stamp,
        new_member=_new_member() if is_ours else "",
    )


def find(folder: Path) -> Original:
    """Read the original's `.env`.

    Raises: ConfigError when it is not there or names no database; CamalertError for a path with control characters.
    """
    file = folder.absolute() / ".env"
    try:
        with rights.as_owner_of(file):
            text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"{folder} has no .env: name the folder of the original system, with its .env") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error
    changes, notices = original_settings(text, str(file))
    database = next((change.value for change in changes if change.path == ("database", "path")), None)
    if database is None:
        raise ConfigError(f"{file} has no DATABASE: there is nothing to import")
    with rights.as_owner_of(Path(str(database))):
        resolved = Path(str(database)).resolve()
    rights.check_path(resolved)
    return Original(file.parent.resolve(), resolved, tuple(changes), tuple(notices))


def count_rows(database: Path) -> dict[str, int]:
    """Count the rows of the original's tables, which also proves that they are the original's.

    Raises: ConfigError when they are not.
    """
    listed = "SELECT name FROM sqlite_master WHERE name IN ('alerts_alert', 'alerts_detect') ORDER BY name"
    try:
        with rights.as_owner_of(database), contextlib.closing(open_reader(database)) as reader:
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


def _in_the_way(database: Path, source: Path, rows: dict[str, int]) -> str:
    """Say what is already where the database would be moved to, and what can be done."""
    mine = f"the original's {source} has {rows['alerts_alert']} alerts"
    try:
        theirs = f"has {count_rows(database)['alerts_alert']} alerts"
    except CamalertError:
        theirs = "is not a database that can be read"
    return (
        f"{database} exists already and {theirs}; {mine}. It is what camalert uses now, or what an interrupted import "
        "left: leave out --move, or stop camalert, put it aside with its -wal and -shm, and import again"
    )


def _has_group() -> bool:
    with contextlib.suppress(KeyError):
        return bool(grp.getgrnam(GROUP))
    return False


def _new_member() -> str:
    """Return the web server's user when there is one and it is not yet in our group, else ""."""
    try:
        user = pwd.getpwnam(WEB_USER)
    except KeyError:
        return ""
    return "" if grp.getgrnam(GROUP).gr_gid in os.getgrouplist(user.pw_name, user.pw_gid) else user.pw_name


def _known_units() -> tuple[str, ...]:
    """Return the original's units that this machine has, running or not."""
    program = shutil.which("systemctl")
    if program is None:
        return ()
    return tuple(
        unit
        for unit in UNITS
        if subprocess.run([program, "cat", unit], capture_output=True, check=False).returncode == 0  # noqa: S603 - constant
    )


def place_of(found: os.stat_result) -> Place:
    """Return owner, group and mode; a group without a name is ""."""
    try:
        name = grp.getgrgid(found.st_gid).gr_name
    except KeyError:
        name = ""
    return Place(name, found.st_mode, found.st_uid)


def shared_group(folder: Place, database: Place) -> str | None:
    """Return the group that can write the database already, None when the files must be given to ours."""
    is_shared = folder.group == database.group != "root" and folder.is_group_writable and database.is_group_writable
    return database.group if is_shared else None


def refusal(database: Path) -> str | None:
    """Say why a database cannot be used where it is, None when it can."""
    folder = database.parent
    if any(folder.is_relative_to(place) for place in _TEMPORARY):
        return f"{folder} is a temporary folder, which a service does not see: use --move"
    if folder in _HOMES or folder.parent == Path("/home"):
        return f"{database} is directly in a home folder, all of which would be open to the service: use --move"
    is_local = folder.parent.is_relative_to("/usr/local")
    if folder in _SYSTEM_FOLDERS or (not is_local and any(folder.is_relative_to(tree) for tree in _SYSTEM_TREES)):
        return f"{database} is in {folder}, a system folder, which is not opened to the service: use --move"
    return None


def regroup_refusal(original: Original, folder: Place, database: Place) -> str | None:
    """Say why a database's folder is not given to our group, None when it is clearly the original's."""
    parent = original.database.parent
    if parent.is_relative_to(original.folder) and original.folder not in _SYSTEM_FOLDERS:
        return None
    if folder.uid and folder.uid == database.uid:
        return None
    return (
        f"{parent} is neither in {original.folder} nor owned by the database's owner, so it is not opened to the "
        "service: use --move"
    )


def drop_in(database: Path, group: str | None) -> str:
    """Return the drop-in for camalert.service that lets it use a database where it is.

    Args:
        database: Its absolute path.
        group: The group whose members may write it; None or our own needs no further membership.
    """
    folder = unit_word(str(database.parent))
    lines = ["# Written by `camalert import`: the database of the original system, used where it is.", "[Service]"]
    if any(database.is_relative_to(home) for home in _HOMES):
        # An empty /home with nothing but this folder in it.
        lines += ["ProtectHome=tmpfs", f"BindPaths={folder}"]
    else:
        lines.append(f"ReadWritePaths={folder}")
    if group not in (None, GROUP):
        lines.append(f"SupplementaryGroups={unit_word(str(group))}")
    return "\n".join(lines) + "\n"


def unit_word(text: str) -> str:
    """Write a path or a name as one word of a unit file.

    Raises: ConfigError for what systemd cannot carry, or reads in different ways in different settings.
    Source: systemd.syntax(7), quoting; systemd.unit(5), specifiers; systemd.exec(5), BindPaths.
    """
    if not text or not text.isprintable() or _NOT_IN_A_UNIT.intersection(text):
        raise ConfigError(f"{text!r} cannot be written into a systemd unit: rename it, or use --move")
    escaped = text.replace("%", "%%").replace(":", "\\:")
    return f'"{escaped}"' if " " in text or ";" in text or "#" in text else escaped


def new_configuration(file: Path, original: Original, database: Path) -> str:
    """Return the configuration's text with the original's settings, so that the owner finds them in one place.

    Raises: ConfigError when it would not be valid.
    """
    changes = [
        (change.path, str(database) if change.path == ("database", "path") else change.value)
        for change in original.changes
        if change.path[:2] != ("intake", "folder")  # pictures need no folder any more
    ]
    with rights.as_owner_of(file):
        text = file.read_text(encoding="utf-8")
    for path, value in changes:
        text = put(text, path, value)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / file.name
        draft.write_text(text, encoding="utf-8")
        try:
            load(Source(file=draft), {})
        except ConfigError as error:
            wanted = ", ".join(f"{dotted(path)} = {json.dumps(value)}" for path, value in changes)
            raise ConfigError(f"{file} cannot be changed automatically ({error}); set by hand: {wanted}") from error
    return text


def put(text: str, path: KeyPath, value: str | float) -> str:
    """Return a configuration file's text with one key set; comments, order and all other values stay.

    Args:
        text: In the plain layout of `config.toml`: a key on a line of its own below its section's header.
        path: Sections, then the key; 0 stands for the first block of a list: `("smtp", "listen", 0, "port")`.
        value: The new value.
    """
    section = ".".join(step for step in path[:-1] if isinstance(step, str))
    header = f"[[{section}]]" if any(isinstance(step, int) for step in path) else f"[{section}]"
    line = f"{path[-1]} = {json.dumps(value, ensure_ascii=False)}"
    lines = text.splitlines()
    bare = [re.sub(r"\s+", "", line.partition("#")[0]) for line in lines]
    if header not in bare:
        return "\n".join([*lines, "", header, line]) + "\n"
    start = bare.index(header) + 1
    end = next((number for number in range(start, len(lines)) if bare[number].startswith("[")), len(lines))
    found = next((number for number in range(start, end) if bare[number].startswith(f"{path[-1]}=")), None)
    if found is None:
        lines.insert(start, line)
    else:
        lines[found : _value_end(lines, found)] = [line]
    return "\n".join(lines) + "\n"


def _value_end(lines: list[str], start: int) -> int:
    """Return the line behind a value, which may be a list over several lines."""
    depth = 0
    for number in range(start, len(lines)):
        bare = re.sub(r'"(\\.|[^"\\])*"|#.*', "", lines[number])
        depth += bare.count("[") - bare.count("]")
        if depth <= 0:
            return number + 1
    return len(lines)
