"""The table of what each child needs."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from camalert.config.schema import Auth, Config, Database, Folder, Intake, Metrics, Notify, Service, Smtp, User
from camalert.ipc import needs
from camalert.supervisor import plan

DOCUMENT = Path(__file__).parents[3] / "docs" / "security.md"
EVERYTHING = Config(
    metrics=Metrics(enabled=True),
    intake=Intake(folder=Folder(enabled=True)),
    smtp=Smtp(auth=Auth(user=(User("garage", "scrypt:1"),))),
    notify=(Notify("phone", url="ntfy://example.org/x", secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),),
)


def test_every_child_has_a_row() -> None:
    """Nobody keeps all rights because somebody forgot him."""
    specs = plan.specs(EVERYTHING, plan.make(EVERYTHING, cores=4, memory_bytes=16 << 30))
    kinds = {needs.kind_of(spec.name) for spec in specs}

    assert kinds == set(needs.table(EVERYTHING)) - {needs.READER, needs.THUMBNAILS}
    assert all(needs.of(kind, EVERYTHING) is not None for kind in kinds)


def test_every_row_is_documented() -> None:
    """An owner can look up what each process may do."""
    rows = re.findall(r"^\| ([a-z]+) +\|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)

    assert set(needs.table(Config())) <= set(rows)


def test_switch_leaves_every_child_its_rights() -> None:
    """For a debugger, or a library that needs more than we know."""
    free = replace(EVERYTHING, service=Service(confine=False))

    assert {needs.of(kind, free) for kind in needs.table(free)} == {None}


def test_child_is_told_the_secrets_that_it_uses() -> None:
    """Who takes a decoder over finds neither a login of a camera nor a way to write to the owner's phone."""
    told = {kind: repr(needs.told(kind, EVERYTHING)) for kind in needs.table(EVERYTHING)}

    assert {kind for kind, text in told.items() if "scrypt:1" in text} == {needs.SMTP}
    assert {kind for kind, text in told.items() if "ntfy://" in text} == {needs.NOTIFIER}
    assert {kind for kind, text in told.items() if "whsec_" in text} == {needs.NOTIFIER}
    assert all("phone" in text and "garage" in text for text in told.values())


def test_database_behind_a_link_needs_both_folders(tmp_path: Path) -> None:
    """SQLite keeps its companions beside the file, the link is looked at where it lies."""
    (tmp_path / "there").mkdir()
    link = tmp_path / "here.sqlite3"
    link.symlink_to(tmp_path / "there" / "real.sqlite3")

    found = needs.table(Config(database=Database(path=str(link))))[needs.WRITER].writes

    assert found == (str(tmp_path), str(tmp_path / "there"))


def test_tls_key_lies_in_no_folder_of_another_child() -> None:
    """By default the site cannot read it."""
    config = Config()
    key = Path(config.smtp.private_key).absolute()

    for kind, row in needs.table(config).items():
        folders = {Path(folder).absolute() for folder in (*row.reads, *row.writes)}
        assert not folders & set(key.parents), kind
