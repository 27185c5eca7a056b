"""Which file system a path lies on, and whether SQLite's locks work there.

`kind_of` is pure; `kind` reads the kernel's table of mounts.
"""

from __future__ import annotations

from pathlib import Path

MOUNTS = Path("/proc/self/mountinfo")
# WAL needs shared memory between the processes of one machine, and locks that network file systems only promise.
NETWORK = frozenset(
    {
        "9p", "acfs", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "fuse.cephfs", "fuse.davfs2",
        "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.smbnetfs", "fuse.sshfs", "gfs2", "glusterfs", "gpfs",
        "lustre", "ncpfs", "nfs", "nfs4", "ocfs2", "orangefs", "smb3", "smbfs", "virtiofs",
    }
)  # fmt: skip


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
