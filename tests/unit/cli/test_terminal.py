"""What commands print."""

from __future__ import annotations

import ast
import io
import json
from pathlib import Path

import pytest

from camalert.cli import terminal
from camalert.cli.terminal import Progress, bar, duration

COMMANDS = Path(terminal.__file__).parent


@pytest.mark.parametrize(
    "file", [*sorted(COMMANDS.glob("*.py")), COMMANDS.parent / "__main__.py"], ids=lambda file: file.name
)
def test_command_prints_by_the_terminal_alone(file: Path) -> None:
    """No command writes to the terminal past the one place that makes words harmless."""
    if file.name == "terminal.py":
        pytest.skip("is that place")
    called = [node.func for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]

    assert [ast.unparse(call) for call in called if ast.unparse(call).removeprefix("sys.").startswith("std")
            and "write" in ast.unparse(call)] == []  # fmt: skip
    assert "print" not in [ast.unparse(call) for call in called]


def test_say_spells_out_what_would_steer_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Escapes, line ends and letters that turn the writing around are shown, never obeyed; other letters stay."""
    terminal.say("Hof Süd\x1b[2J\nfake: line\u202e\x9b")
    terminal.complain("a\x07b")

    said = capsys.readouterr()
    assert said.out == "Hof Süd\\x1b[2J\\nfake: line\\u202e\\x9b\n"
    assert said.err == "camalert: a\\x07b\n"


def test_say_json_stays_json(capsys: pytest.CaptureFixture[str]) -> None:
    """A program reads the very words, and a terminal obeys none of them."""
    facts = {"camera": "Hof Süd\x1b\x9b\u202e\U000e0001\n"}

    terminal.say_json(facts, indent=1)

    said = capsys.readouterr().out
    assert json.loads(said) == facts
    assert said.replace("\n", "").isprintable()
    assert "Süd" in said


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_without_terminal_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log file or a pipe gets no progress line."""
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)

    progress = Progress("pictures")
    progress.show(1, 3)
    progress.clear()

    assert stream.getvalue() == ""


def test_progress_on_terminal_is_drawn_and_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line is there while the work goes on and leaves nothing behind."""
    stream = _Terminal()
    monkeypatch.setattr("sys.stderr", stream)

    progress = Progress("pictures")
    progress.show(0, 3)
    progress.clear()

    assert "0/3 pictures" in stream.getvalue()
    assert stream.getvalue().endswith("\r\x1b[K")


@pytest.mark.parametrize(
    ("done", "elapsed_s", "line"),
    [
        (0, 1.0, "[........................] 0/40 pictures"),
        (10, 5.0, "[######..................] 10/40 pictures  2.0/s  15 s left"),
        (40, 20.0, "[########################] 40/40 pictures  2.0/s  0 s left"),
    ],
)
def test_bar_shows_count_rate_and_time_left(done: int, elapsed_s: float, line: str) -> None:
    """The line says how far, how fast and how long still."""
    assert bar(done, 40, "pictures", elapsed_s) == line


@pytest.mark.parametrize(("seconds", "words"), [(7.6, "8 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")])
def test_duration_uses_the_two_units_that_matter(seconds: float, words: str) -> None:
    """Nobody wants to read 7500 s."""
    assert duration(seconds) == words


@pytest.mark.parametrize("letter", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
def test_complaint_of_a_name_is_one_line(letter: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Python takes more letters for the end of a line than terminals do; a file's name can hold each of them."""
    terminal.complain(f"x{letter}everything is fine: not a picture\nsecond")

    first, second = capsys.readouterr().err.split("\n")[:2]
    assert first.startswith("camalert: x\\")
    assert first.endswith("everything is fine: not a picture")
    assert second == "camalert: second"
