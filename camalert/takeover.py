"""Taking over from the original system: what it has, and what must change for camalert to use its database.

Pure but for `find`, which reads the original's folder. Carrying it out is `handover`'s work.
"""

from __future__ import annotations

import stat
from dataclasses import dataclass
from pathlib import Path

from camalert import dotenv
from camalert.environment import Override
from camalert.errors import ConfigError

STATE = Path("/var/lib/camalert")
DROP_INS = Path("/etc/systemd/system/camalert.service.d")
UNITS = ("mymailserver.service", "mydetectserver.service")  # the original's two, which hold the port
GROUP = "camalert"
_HOMES = (Path("/home"), Path("/root"), Path("/run/user"))
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
    """Who may write a file or folder: its group's name and its mode."""

    group: str
    mode: int

    @property
    def is_group_writable(self) -> bool:
        """Tell whether its group may read and write it."""
        return self.mode & (stat.S_IRGRP | stat.S_IWGRP) == stat.S_IRGRP | stat.S_IWGRP


@dataclass(frozen=True, slots=True)
class Takeover:
    """All that is decided before anything is changed."""

    original: Original
    rows: dict[str, int]
    units: tuple[str, ...]  # of the original's, those that this machine has
    database: Path  # where it will be
    group: str | None  # through which it can be written already; None: it is regrouped
    config_file: Path
    config_text: str
    stamp: str  # of the copies that are kept

    @property
    def backup(self) -> Path:
        """Return the copy of the database that is made before anything else."""
        database = self.original.database
        return database.with_name(f"{database.name}.before-camalert-{self.stamp}")

    @property
    def is_move(self) -> bool:
        """Tell whether the database gets another place."""
        return self.database != self.original.database

    @property
    def drop_in_file(self) -> Path:
        """Return where the drop-in is written that shows the service a database in its old place."""
        return DROP_INS / "original-database.conf"

    def lines(self) -> list[str]:
        """Say what was found and what will be done."""
        counted = ", ".join(f"{count} rows in {name}" for name, count in self.rows.items())
        lines = [f"The original system in {self.original.folder}:", f"  {self.original.database}: {counted}"]
        lines += [f"  {notice}" for notice in self.original.notices]
        lines.append("What will be done:")
        if self.units:
            lines.append(f"  stop and disable {' and '.join(self.units)}")
        lines.append(f"  copy the database to {self.backup}")
        if self.is_move:
            lines.append(f"  move the database to {self.database} and leave a link in its place")
            lines.append("  (then restart the web server, so that cams opens it there)")
        else:
            lines.append(f"  use the database where it is, by {self.drop_in_file}")
            if self.group is None:
                lines.append(f"  give it and its folder to the group {GROUP}, with the right to write")
        lines.append(f"  set address, port and database in {self.config_file}, keeping a copy of it")
        lines.append("  start camalert, now and at each boot")
        return lines


def find(folder: Path) -> Original:
    """Read the original's `.env`.

    Raises: ConfigError when it is not there or names no database.
    """
    file = folder.absolute() / ".env"
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"{folder} has no .env: name the folder of the original system, with its .env") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error
    changes, notices = dotenv.meaning(dotenv.read(text), str(file))
    database = next((change.value for change in changes if change.path == ("database", "path")), None)
    if database is None:
        raise ConfigError(f"{file} has no DATABASE: there is nothing to take over")
    return Original(file.parent, Path(str(database)).resolve(), tuple(changes), tuple(notices))


def shared_group(folder: Place, database: Place) -> str | None:
    """Return the group through which the database can be written already, None when the files must be regrouped."""
    is_shared = folder.group == database.group != "root" and folder.is_group_writable and database.is_group_writable
    return database.group if is_shared else None


def refusal(database: Path) -> str | None:
    """Say why a database cannot be used where it is, None when it can."""
    folder = database.parent
    if any(folder.is_relative_to(place) for place in _TEMPORARY):
        return f"{folder} is a temporary folder, which a service does not see: use --move"
    if folder in _HOMES or folder.parent == Path("/home"):
        return f"{database} lies directly in a home folder, which would be open to the service as a whole: use --move"
    return None


def drop_in(database: Path, group: str | None) -> str:
    """Return the drop-in for camalert.service that lets it use a database where it is.

    Args:
        database: Its absolute path.
        group: The group whose members may write it; None or our own needs no further membership.
    """
    folder = _quoted(database.parent)
    lines = ["# Written by `camalert import`: the database of the original system, used where it is.", "[Service]"]
    if any(database.is_relative_to(home) for home in _HOMES):
        # An empty /home with nothing but this folder in it.
        lines += ["ProtectHome=tmpfs", f"BindPaths={folder}"]
    else:
        lines.append(f"ReadWritePaths={folder}")
    if group not in (None, GROUP):
        lines.append(f"SupplementaryGroups={group}")
    return "\n".join(lines) + "\n"


def _quoted(path: Path) -> str:
    """Write a path for a unit file. Source: systemd.unit(5), specifiers; systemd.exec(5), BindPaths."""
    text = str(path).replace("%", "%%").replace("\\", "\\\\").replace(":", "\\:")
    return f'"{text}"' if " " in text else text
