"""The command line as a whole: its help, its slips, its exit codes."""

from __future__ import annotations

import argparse
import importlib
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from camalert import __version__
from camalert.__main__ import main
from camalert.cli.commands import COMMANDS, Command
from camalert.errors import ConfigError, Exit, StoreError


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_command_help_says_what_it_does_and_shows_examples(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--help` of every command is worth reading: what it does, and how it is called."""
    with pytest.raises(SystemExit) as ended:
        main([command.name, "--help"])

    text = capsys.readouterr().out
    assert ended.value.code == 0
    assert len(text.splitlines()) > 8
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert f"  camalert {command.name}" in text or f"camalert {command.name} " in text.split("example", 1)[1]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_command_examples_are_accepted_by_its_own_options(command: Command) -> None:
    """No example names an option that does not exist."""
    module = importlib.import_module(f"camalert.cli.{command.module}")
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    known = {option for action in parser._actions for option in action.option_strings}

    for line in re.findall(rf"^ +.*\bcamalert {command.name}\b.*$", module.EXAMPLES, re.MULTILINE):
        called = line.split(f"camalert {command.name}", 1)[1].split("#")[0]
        named = set(re.findall(r"(?<=\s)--[a-z-]+", re.split(r"[|;&>]", called)[0]))
        assert named <= known, line


def test_main_without_words_shows_all_commands_and_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Somebody who types `camalert` learns what there is."""
    code = main([])

    text = capsys.readouterr().out
    assert code == 2
    for command in COMMANDS:
        assert f"  {command.name} " in text
        assert command.summary in text


def test_main_version_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    """`camalert --version` is one line."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"camalert {__version__}\n"


@pytest.mark.parametrize(("word", "answer"), [("detec", "did you mean detect?"), ("zzzzzz", "`camalert --help`")])
def test_main_unknown_command_gets_a_hint(word: str, answer: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A slip is answered with what was probably meant."""
    code = main([word])

    assert code == 2
    assert answer in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigError("first\nsecond"), Exit.CONFIG),
        (StoreError("first\nsecond"), Exit.CRASH),
        (KeyboardInterrupt(), 130),
    ],
)
def test_main_error_is_words_and_a_code_and_no_traceback(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a person did wrong never shows a traceback; every line says who speaks."""

    def run(_arguments: argparse.Namespace) -> int:
        raise error

    command = SimpleNamespace(DESCRIPTION="", EXAMPLES="", add_arguments=lambda _parser: None, run=run)
    monkeypatch.setitem(sys.modules, "camalert.cli.check", command)

    found = main(["check"])

    assert found == code
    text = capsys.readouterr().err
    assert all(line.startswith("camalert: ") for line in text.splitlines())
    assert "Traceback" not in text


@pytest.mark.parametrize("words", [("verify", "z\x1b[2K\u202e"), ("send", "--zone", "a"), ("hash-password", "\x9b")])
def test_main_complaint_of_arguments_moves_no_cursor(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """An argument may be the name of a file that somebody else made."""
    with pytest.raises(SystemExit):
        main(words)

    assert capsys.readouterr().err.replace("\n", "").isprintable()


def test_readme_lists_every_command() -> None:
    """The owner's overview and the program's own say the same."""
    text = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")

    for command in COMMANDS:
        assert f"| `camalert {command.name}` | {command.summary} |" in text
