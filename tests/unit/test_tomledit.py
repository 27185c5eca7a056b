"""Changing single values of a configuration file."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomli

from camalert.problems import KeyPath
from camalert.tomledit import Value, put

SHIPPED = (Path(__file__).parents[2] / "config.toml").read_text()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("database", "path"), '/home/pi/"odd" \\name.sqlite3'),
        (("smtp", "listen", 0, "port"), 25),
        (("smtp", "listen", 0, "host"), "192.168.1.5"),
        (("log", "level"), "warning"),
        (("smtp", "allow"), "x"),
        (("unheard", "of"), True),
        (("log", "unheard"), 1.5),
    ],
)
def test_put_changes_one_value_and_keeps_the_rest(path: KeyPath, value: Value) -> None:
    """The one key is set, every comment and every other value stays."""
    text = put(SHIPPED, path, value)

    before, after = tomli.loads(SHIPPED), tomli.loads(text)
    table_before, table_after = before, after
    for step in path[:-1]:
        table_after = table_after[step]
        table_before = table_before.get(step, {}) if isinstance(table_before, dict) else table_before[step]
    assert table_after.pop(path[-1]) == value
    table_before.pop(path[-1], None)
    assert {key: table for key, table in after.items() if table} == {
        key: table for key, table in before.items() if table
    }
    assert [line for line in SHIPPED.splitlines() if line.startswith("#")] == [
        line for line in text.splitlines() if line.startswith("#")
    ]


def test_put_replaces_a_list_over_several_lines() -> None:
    """A value may take several lines."""
    text = put('[smtp]\nallow = [\n  "a]", # not the end: ]\n  "b",\n]\nport = 1\n', ("smtp", "allow"), "c")

    assert text == '[smtp]\nallow = "c"\nport = 1\n'
