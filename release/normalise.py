"""Write a source archive anew so that the same commit gives the same bytes: order, times, owners and modes are fixed.

    python release/normalise.py ARCHIVE.tar.gz

The build backend honours SOURCE_DATE_EPOCH in the wheel and not in the source archive. Source:
reproducible-builds.org, "Archive metadata"; gzip's header, RFC 1952, section 2.3.1.
"""

from __future__ import annotations

import gzip
import os
import sys
import tarfile
from pathlib import Path


def normalise(archive: Path, time_s: int) -> None:
    """Rewrite an archive in place; every member gets this time."""
    with tarfile.open(archive) as source:
        members = [(member, source.extractfile(member) if member.isfile() else None) for member in source]
        fresh = archive.with_suffix(".new")
        with (
            fresh.open("wb") as file,
            gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=time_s) as packed,
            tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as target,
        ):
            for member, content in sorted(members, key=lambda pair: pair[0].name):
                is_program = member.isdir() or bool(member.mode & 0o100)
                member.mtime, member.mode = time_s, 0o755 if is_program else 0o644
                member.uid = member.gid = 0
                member.uname = member.gname = ""
                member.pax_headers = {}
                target.addfile(member, content)
    fresh.replace(archive)


if __name__ == "__main__":
    normalise(Path(sys.argv[1]), int(os.environ["SOURCE_DATE_EPOCH"]))
