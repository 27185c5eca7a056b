"""Whose rights a command uses on a path: root's only where root owns every part of the path.

Commands are called with sudo, on folders that belong to the service or to the user of the original system. Root that
follows a link planted there gives that user the machine. So root first becomes the user who could have planted it: then
the kernel judges every open, change and removal by that user's rights.
"""

from __future__ import annotations

import collections
import contextlib
import grp
import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from camalert.errors import CamalertError

MOST_LINKS = 40  # as many as the kernel follows
NOBODY = 65_534
SHARED_UMASK = 0o007
PRIVATE_UMASK = 0o077
_SHARED = stat.S_ISGID | stat.S_IWGRP  # a folder whose new files belong to a group that may write them


@dataclass(frozen=True, slots=True)
class Identity:
    """A user as the kernel knows one."""

    uid: int
    gid: int
    groups: tuple[int, ...]


ROOT = Identity(0, 0, (0,))


def check_path(path: Path) -> None:
    """Refuse a path that cannot be shown in one line, let alone be written into a file that root believes.

    Raises: CamalertError when it holds a control character or bytes that are no text.
    """
    if not str(path).isprintable():
        raise CamalertError(f"the path {str(path)!r} holds characters that cannot be printed: rename it")


def owner_of(path: Path) -> Identity:
    """Return whose rights to use on a path, which need not exist: the first on its way who is not root.

    A folder that a group other than root's may write, as `camalert import` leaves it, is in the hands of that group.

    Raises: CamalertError for a path with control characters or an endless chain of links.
    """
    check_path(path)
    found = _first_of_others(path)
    if found is None:
        return ROOT
    if found.st_uid:
        return _identity(found.st_uid, found.st_gid)
    return _identity(next(iter(_users_of(found.st_gid)), NOBODY), found.st_gid)


def become_owner_of(path: Path, named_by: Path | None = None) -> None:
    """Give up root's rights for good before anything at a path is touched; others keep theirs.

    New files are for the owner alone, unless the folder is one that shares them with a group.

    Args:
        path: What will be written.
        named_by: The configuration file that names it: whoever may write that file gains no more than their own
            rights.
    Raises: CamalertError as `owner_of`.
    """
    check_path(path)
    os.umask(umask_for(path))
    if os.geteuid() == 0:
        owner = owner_of(named_by) if named_by else ROOT
        owner = owner if owner.uid else owner_of(path)
        if owner.uid:
            os.setgroups(owner.groups)
            os.setgid(owner.gid)
            os.setuid(owner.uid)
            _check_program(path, owner)


@contextlib.contextmanager
def as_owner_of(path: Path) -> Iterator[None]:
    """Use the owner's rights for a while, where one process works in the folders of two; only root changes at all.

    Raises: CamalertError as `owner_of`.
    """
    check_path(path)
    owner = owner_of(path) if os.geteuid() == 0 else ROOT
    if not owner.uid:
        yield
        return
    gid, groups, umask = os.getegid(), os.getgroups(), os.umask(umask_for(path))
    os.setgroups(owner.groups)
    os.setegid(owner.gid)
    os.seteuid(owner.uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(gid)
        os.setgroups(groups)
        os.umask(umask)


def umask_for(path: Path) -> int:
    """Return the umask for new files at a path: private, unless their folder shares with a group."""
    for folder in (path, *path.absolute().parents):
        with contextlib.suppress(OSError):
            if stat.S_ISDIR(mode := folder.stat().st_mode):
                return SHARED_UMASK if mode & _SHARED == _SHARED else PRIVATE_UMASK
    return PRIVATE_UMASK


def _check_program(path: Path, owner: Identity) -> None:
    """Refuse to go on where the new user cannot read what is still to be imported."""
    for file in (os.__file__, __file__):
        if not os.access(file, os.R_OK):
            raise CamalertError(
                f"{path} belongs to the user with the number {owner.uid}, who cannot read {Path(file).parent}: install "
                "Python and camalert where everybody may read them, or call this as that user"
            )


def _first_of_others(path: Path) -> os.stat_result | None:
    """Walk to a path and return the first folder or link that others than root control, None when there is none."""
    at, links = "/", 0
    rest = collections.deque(path.absolute().parts[1:])
    while not _is_for_others(folder := os.lstat(at)):
        if not rest:
            return None
        part = rest.popleft()
        if part == "..":
            at = os.path.dirname(at)
            continue
        try:
            found = os.lstat(step := os.path.join(at, part))
        except FileNotFoundError:
            return None  # root makes it, where no other user can
        if stat.S_ISLNK(found.st_mode):
            links += 1
            if links > MOST_LINKS:
                raise CamalertError(f"{path} is a chain of more than {MOST_LINKS} links")
            if found.st_uid:
                return found
            target = Path(os.readlink(step))
            rest.extendleft(reversed(target.parts[1:] if target.is_absolute() else target.parts))
            at = "/" if target.is_absolute() else at
        elif stat.S_ISDIR(found.st_mode):
            at = step
        else:
            return None  # a file, in a folder of root's
    return folder


def _is_for_others(folder: os.stat_result) -> bool:
    """Tell whether others than root can replace what is in a folder."""
    if folder.st_uid:
        return True
    if folder.st_mode & stat.S_ISVTX:
        return False
    return bool(folder.st_mode & stat.S_IWOTH or (folder.st_mode & stat.S_IWGRP and _has_members(folder.st_gid)))


def _has_members(gid: int) -> bool:
    """Tell whether a group has others in it than root."""
    with contextlib.suppress(KeyError):
        return bool(set(grp.getgrgid(gid).gr_mem) - {"root"} or [uid for uid in _users_of(gid) if uid])
    return bool(gid)  # a group without a name: whoever has its number


def _users_of(gid: int) -> list[int]:
    """Return the users whose own group it is."""
    return [user.pw_uid for user in pwd.getpwall() if user.pw_gid == gid]


def _identity(uid: int, gid: int) -> Identity:
    try:
        user = pwd.getpwuid(uid)
    except KeyError:
        return Identity(uid, gid, (gid,))
    return Identity(uid, user.pw_gid, tuple({*os.getgrouplist(user.pw_name, user.pw_gid), gid}))
