"""docs/events.md, the catalogue of log events, and the code say the same."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CATALOGUE = ROOT / "docs" / "events.md"
LEVELS = ("debug", "info", "warning", "error", "critical", "exception")
ROW = re.compile(
    r"^\| `(?P<event>\w+)` \| (?P<levels>[a-z, ]+) \| (?P<keys>[^|]*) \| (?P<meaning>[^|]+) \|$", re.MULTILINE
)
ALWAYS = {"message"}  # a sentence, which the catalogue's introduction describes


@dataclass
class Event:
    """What the code logs under one name."""

    levels: set[str] = field(default_factory=set)
    keys: set[str] = field(default_factory=set)


def _code() -> dict[str, Event]:
    found: dict[str, Event] = defaultdict(Event)
    for file in (*sorted((ROOT / "camalert").rglob("*.py")), ROOT / "supervisor.py"):
        for call in ast.walk(ast.parse(file.read_text())):
            if not isinstance(call, ast.Call) or not (levels := set(_levels(call.func))):
                continue
            where = f"{file.relative_to(ROOT)}:{call.lineno}"
            assert call.args, f"{where}: a log call begins with the event's name"
            for name in _names(call.args[0], where):
                found[name].levels |= {"error" if level == "exception" else level for level in levels}
                found[name].keys |= {key.arg for key in call.keywords if key.arg and key.arg != "exc_info"}
    return found


def _names(node: ast.expr, where: str) -> list[str]:
    """Return the event's name, or both of `"this" if … else "that"`."""
    if isinstance(node, ast.IfExp):
        return _names(node.body, where) + _names(node.orelse, where)
    assert isinstance(node, ast.Constant), f"{where}: the name of an event is a literal, so that it can be found"
    assert isinstance(node.value, str)
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", node.value), f"{where}: {node.value} is no event_named_so"
    return [node.value]


def _levels(function: ast.expr) -> Iterator[str]:
    """Return the level of `log.info` or `get_logger().info`, both of `(log.info if … else log.warning)`."""
    match function:
        case ast.IfExp(body=body, orelse=orelse):
            yield from _levels(body)
            yield from _levels(orelse)
        case ast.Attribute(value=ast.Name(id="log" | "logger") | ast.Attribute(attr="log" | "_log"), attr=level):
            yield from {level} & set(LEVELS)
        case ast.Attribute(value=ast.Call(func=called), attr=level) if ast.unparse(called).endswith("get_logger"):
            yield from {level} & set(LEVELS)


def _documented() -> dict[str, tuple[set[str], set[str]]]:
    return {
        row["event"]: (set(row["levels"].split(", ")), set(re.findall(r"`(\w+)`", row["keys"])))
        for row in ROW.finditer(CATALOGUE.read_text())
    }


CODE = _code()


@pytest.mark.parametrize("event", sorted(CODE))
def test_event_of_the_code_is_in_the_catalogue(event: str) -> None:
    """Whoever reads a log finds each event explained, with its level and its keys."""
    keys = CODE[event].keys - ALWAYS
    row = (
        f"| `{event}` | {', '.join(sorted(CODE[event].levels))} | {' '.join(f'`{key}`' for key in sorted(keys))} | … |"
    )

    assert event in _documented(), f"docs/events.md lacks: {row}"
    assert _documented()[event] == (CODE[event].levels, keys), f"docs/events.md differs from: {row}"


def test_catalogue_has_no_event_of_the_past() -> None:
    """What is explained is logged somewhere."""
    assert sorted(set(_documented()) - set(CODE)) == []
