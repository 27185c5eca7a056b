"""The file system that the database is on: whether SQLite's locks work there, and how much of it is ours to fill.

`kind_of` and `share_bytes` are pure; `kind` reads the kernel's table of mounts, `free_bytes` asks the file system.
"""

from __future__ import annotations

import shutil
from pathlib import Path

LEFT_FREE_BYTES = 2 << 30  # for other programs, where the disk is large enough
MOUNTS = Path("/proc/self/mountinfo")
# WAL needs shared memory between the processes of one machine, and locks that network file systems only promise.
NETWORK = frozenset(
    {
        "9p", "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "fuse.cephfs", "fuse.davfs2",
        "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.smbnetfs", "fuse.sshfs", "gfs2", "glusterfs", "gpfs",
        "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "smb3", "smbfs", "virtiofs",
    }
)  # fmt: skip


def free_bytes(path: Path) -> int:
    """Return how much more may be written below a folder, or the first one above it that exists; 0 when unknown."""
    while not path.exists() and path != path.parent:
        path = path.parent
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return 0


def share_bytes(percent: float, database_bytes: int, disk_free_bytes: int) -> int:
    """Return how large the database may become when the owner sets no number.

    That is a share of what the disk has for it (what is free and what it takes itself), so that 2 GiB stay free. A disk
    that is too small for that is shared nevertheless, with a quarter for the database.

    Args:
        percent: The share, as configured.
        database_bytes: The size of the database file.
        disk_free_bytes: What is free on its disk.
    """
    there_bytes = database_bytes + disk_free_bytes
    wanted_bytes = int(there_bytes * percent / 100)
    return max(min(wanted_bytes, there_bytes - LEFT_FREE_BYTES), min(wanted_bytes, there_bytes // 4))


def kind(path: Path) -> str:
    """Return the type of the file system that holds `path`, "" when the kernel does not tell."""
    try:
        table = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
    return kind_of(str(path.resolve()), table)


def kind_of(path: str, mountinfo: str) -> str:
    """Return the type of the mount with the longest path above `path`; the last of equals hides the others.

    Source: proc_pid_mountinfo(5): field 5 is the mount point with octal escapes, the type follows the lone hyphen.
    """
    found, found_length = "", 0
    for line in mountinfo.splitlines():
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if not separator or len(fields) < 5:
            continue
        mount = _unescape(fields[4])
        if (path == mount or path.startswith(mount.rstrip("/") + "/")) and len(mount) >= found_length:
            found, found_length = after.split(" ", 1)[0], len(mount)
    return found


def _unescape(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text
