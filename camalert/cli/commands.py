"""The commands, in the order of `camalert --help`, which must not wait for an image library: none is imported here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """A command, its module in `camalert.cli`, and what it does in one line."""

    name: str
    module: str
    summary: str


COMMANDS = (
    Command("run", "run", "run the service in the foreground"),
    Command("check", "check", "validate the configuration and show what would run"),
    Command("config", "config", "show the configuration in force, and where it is set"),
    Command("detect", "detect", "find people in picture files"),
    Command("send", "send", "send pictures to the service as a camera would"),
    Command("init-db", "init_db", "create the database, or upgrade it"),
    Command("backup", "backup", "copy the database while it is in use"),
    Command("verify", "verify", "check the database for damage"),
    Command("compact", "compact", "return the database's unused space to the disk"),
    Command("hash-password", "hash_password", "hash a camera's password for the configuration"),
    Command("make-certificate", "make_certificate", "make a certificate for ports with TLS"),
    Command("review-user", "review_user", "create an account for the review site, or change it"),
    Command("status", "status", "show what runs, what is pending and the latest alarms"),
    Command("export-model", "export_model", "write the networks for an inference server"),
    Command("cameras", "cameras", "list cameras, rename, merge or forget them"),
    Command("learned", "learned", "show what was learned of the cameras, or forget it"),
    Command("explain", "explain", "show how a mail is read, and what decided it"),
    Command("notify", "notify", "show where messages go, and try it"),
    Command("arm", "arm", "send messages about a camera again"),
    Command("disarm", "disarm", "send no messages about a camera"),
    Command("snooze", "snooze", "send no messages about a camera for a while"),
    Command("presence", "presence", "say whether somebody is at home"),
    Command("anonymise", "anonymise", "make a copy of a camera's mail that can be shown to others"),
    Command("import", "import_original", "migrate from the original system"),
)


def find(name: str) -> Command | None:
    """Return the command of that name, None when there is none."""
    return next((command for command in COMMANDS if command.name == name), None)


def overview(version: str) -> str:
    """Return what `camalert --help` prints."""
    width = max(len(command.name) for command in COMMANDS)
    lines = "\n".join(f"  {command.name:<{width}}  {command.summary}" for command in COMMANDS)
    return f"""\
camalert {version}: receives alarm mail from security cameras, keeps every snapshot,
and finds people in them

usage: camalert COMMAND [OPTIONS]

{lines}

`camalert COMMAND --help` explains one of them, with examples.
If `camalert` is not on the path, use `.venv/bin/camalert`.
"""
