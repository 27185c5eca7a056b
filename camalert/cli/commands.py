"""Which commands there are, in the order in which `camalert --help` shows them.

Pure, and without an import of any command: `camalert --help` must not wait for an image library.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """One command: its module in `camalert.cli` and what it does, in one line."""

    name: str
    module: str
    summary: str


COMMANDS = (
    Command("run", "run", "start the service in the foreground"),
    Command("check", "check", "say what is wrong with the configuration and what would run"),
    Command("detect", "detect", "find people in picture files"),
    Command("send", "send", "send pictures to the service as a camera would"),
    Command("init-db", "init_db", "make the database, or bring it up to date"),
    Command("backup", "backup", "copy the database while it is in use"),
    Command("verify", "verify", "look whether the database is sound"),
    Command("compact", "compact", "give the database's unused space back to the disk"),
    Command("hash-password", "hash_password", "hash a camera's password for the configuration"),
    Command("make-certificate", "make_certificate", "make a certificate for listeners with TLS"),
    Command("review-user", "review_user", "make a login of the review site, or change its password"),
    Command("status", "status", "say what runs, what waits and what was last"),
    Command("import", "import_original", "take over from the original system"),
)


def find(name: str) -> Command | None:
    """Return the command of that name, None when there is none."""
    return next((command for command in COMMANDS if command.name == name), None)


def overview(version: str) -> str:
    """Return what `camalert --help` prints."""
    width = max(len(command.name) for command in COMMANDS)
    lines = "\n".join(f"  {command.name:<{width}}  {command.summary}" for command in COMMANDS)
    return f"""\
camalert {version}: receives the alarm mails of security cameras, keeps every snapshot, and finds the people in them

usage: camalert COMMAND …

{lines}

`camalert COMMAND --help` says more about one of them, with examples.
Where there is no `camalert` on the path: `.venv/bin/camalert` or `python -m camalert` is the same.
"""
