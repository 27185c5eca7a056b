"""Carry an import out: stop the original, copy, regroup or move its database, write the configuration, start.

All of it runs as root. The original's folder belongs to another user, who may put links and other things into it at
any moment: there root works with that user's rights (`rights`), or on descriptors that were opened without following a
link and checked afterwards.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

from camalert.cli import import_plan
from camalert.cli.import_plan import Original, Plan, place_of
from camalert.errors import CamalertError
from camalert.store.sqlite.backup import backup as copy_database
from camalert.system import rights

SIDE_FILES = ("-wal", "-shm", "-journal")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def carry_out(plan: Plan) -> None:
    """Do everything but the start; it is safe to repeat after a failure.

    Raises: CamalertError with what failed.
    """
    if plan.units:
        _systemctl("disable", "--now", *plan.units)
    source = plan.original.database
    if plan.is_move:
        refuse_open(source)
    copy_database(source, plan.backup)
    if plan.is_move:
        _move(source, plan.database)
    if plan.is_move or plan.is_moved:
        plan.drop_in_file.unlink(missing_ok=True)
    else:
        if plan.group is None:
            regroup(plan.original)
        plan.drop_in_file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(plan.drop_in_file, import_plan.drop_in(source, plan.group))
    if plan.new_member:
        _run("usermod", "--append", "--groups", import_plan.GROUP, plan.new_member)
    with rights.as_owner_of(plan.config_file):
        before = plan.config_file.read_text(encoding="utf-8")
        kept = plan.config_file.with_name(f"{plan.config_file.name}.before-import-{plan.stamp}")
        replace_file(kept, before, mode=0o600)
        replace_file(plan.config_file, plan.config_text)


def refuse_open(database: Path) -> None:
    """Refuse to move a database that a program has open: it would go on writing to the removed file.

    Raises: CamalertError that names the programs.
    """
    holders = [
        f"{_name_of(pid)} (process {pid.name})"
        for pid in Path("/proc").glob("[0-9]*")
        if pid.name != str(os.getpid()) and _has_open(pid, database)
    ]
    if holders:
        raise CamalertError(
            f"{database} is open in {', '.join(holders[:5])}: stop the web server or whatever that is, import again, "
            "and start it afterwards. Nothing was moved"
        )


def regroup(original: Original) -> None:
    """Let our group write a database, and give new files beside it the group.

    Raises: CamalertError when one of the files is a link or otherwise odd; nothing is changed then.
    """
    database, gid = original.database, grp.getgrnam(import_plan.GROUP).gr_gid
    with contextlib.ExitStack() as opened:
        folder = opened.enter_context(_opened_folder(database.parent))
        files = []
        for name in (database.name, *(f"{database.name}{suffix}" for suffix in SIDE_FILES)):
            with contextlib.suppress(FileNotFoundError):
                files.append(opened.enter_context(_opened_file(folder, database.parent / name)))
        if not files:
            raise CamalertError(f"{database} is gone")
        beside, *all_files = place_of(os.fstat(folder)), *(place_of(os.fstat(file)) for file in files)
        refusal = import_plan.regroup_refusal(original, beside, all_files[0])
        if refusal:
            raise CamalertError(refusal)
        if any(place.uid not in (beside.uid, all_files[0].uid) for place in all_files):
            raise CamalertError(f"beside {database} is a file of another user; remove it, or use --move")
        for descriptor, bits in ((folder, 0o2070), *((file, 0o060) for file in files)):
            os.fchown(descriptor, -1, gid)
            os.fchmod(descriptor, stat.S_IMODE(os.fstat(descriptor).st_mode) | bits)


def replace_file(file: Path, text: str, mode: int = 0o644) -> None:
    """Replace a file atomically, keeping its owner and mode.

    Args:
        file: Which.
        text: Its new content.
        mode: When the file is new.
    """
    draft = file.with_name(f".{file.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, _NEW_FILE, 0o600), "w", encoding="utf-8") as stream:
        try:
            before = file.stat()
        except FileNotFoundError:
            os.fchmod(stream.fileno(), mode)
        else:
            os.fchown(stream.fileno(), before.st_uid, before.st_gid)
            os.fchmod(stream.fileno(), stat.S_IMODE(before.st_mode))
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(draft, file)


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


@contextlib.contextmanager
def _opened_folder(path: Path) -> Iterator[int]:
    """Open a folder step by step, so that none of them is a link."""
    try:
        opened = os.open("/", _FOLDER)
        for part in path.parts[1:]:
            try:
                step = os.open(part, _FOLDER, dir_fd=opened)
            finally:
                os.close(opened)
            opened = step
    except OSError as error:
        raise CamalertError(f"{path} cannot be opened as a folder: {error.strerror}") from error
    try:
        yield opened
    finally:
        os.close(opened)


@contextlib.contextmanager
def _opened_file(folder: int, path: Path) -> Iterator[int]:
    """Open a file of an opened folder: a regular one without a second name."""
    try:
        opened = os.open(path.name, _FILE, dir_fd=folder)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise CamalertError(f"{path} is a link, or cannot be opened: {error.strerror}") from error
    try:
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise CamalertError(f"{path} is not a regular file with a single name; its group is not changed")
        yield opened
    finally:
        os.close(opened)


def _move(source: Path, target: Path) -> None:
    """Move a database and leave a link, which SQLite follows; the link replaces it atomically."""
    service = pwd.getpwnam(import_plan.GROUP)
    if not target.parent.exists():
        target.parent.mkdir(mode=0o700)
        with _opened_folder(target.parent) as folder:
            os.fchown(folder, service.pw_uid, service.pw_gid)
            os.fchmod(folder, 0o2770)
    copy_database(source, target)
    with _opened_folder(target.parent) as folder, _opened_file(folder, target) as file:
        if not os.fstat(folder).st_uid:  # else it was created with the service's rights
            os.fchown(file, service.pw_uid, service.pw_gid)
        os.fchmod(file, 0o660)
    try:
        refuse_open(source)  # again: the copy took its time
    except CamalertError:
        with rights.as_owner_of(target):
            target.unlink()
        raise
    with rights.as_owner_of(source):
        link = source.with_name(f".{source.name}.moved")
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        os.replace(link, source)
        for suffix in SIDE_FILES:
            Path(f"{source}{suffix}").unlink(missing_ok=True)


def _has_open(pid: Path, file: Path) -> bool:
    wanted = file.stat()
    with contextlib.suppress(OSError):  # it has exited, or may not be looked at
        for descriptor in (pid / "fd").iterdir():
            with contextlib.suppress(OSError):
                found = descriptor.stat()
                if (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino):
                    return True
    return False


def _name_of(pid: Path) -> str:
    with contextlib.suppress(OSError):
        return (pid / "comm").read_text(encoding="utf-8", errors="replace").strip()
    return "a program"


def _systemctl(*arguments: str) -> None:
    try:
        _run("systemctl", *arguments)
    except CamalertError as error:
        raise CamalertError(
            f"{error}. What was done so far stays; see journalctl -u camalert, fix the cause, and import again"
        ) from error


def _run(name: str, *arguments: str) -> None:
    program = shutil.which(name)
    if program is None:
        raise CamalertError(f"there is no program {name}")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)  # noqa: S603 - constant
    if done.returncode:
        raise CamalertError(f"{name} {' '.join(arguments)} failed: {done.stderr.strip()}")
