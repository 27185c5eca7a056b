"""Where keys are written in a TOML text."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
import tomli
from hypothesis import given

from camalert.config.build import KeyPath
from camalert.config.toml_lines import lines_of

WHOLE = '''\
# a comment with [brackets] and key = 1
title = "x"

[smtp]
allow = [
    "private",   # the house, ["and"] more
    "10.0.0.0/8",
]
auth.accept = "users"  # dotted
"quoted key".'an=d "this"' = 1

[[camera]]
name = """
[not.a.table]
key = 1 \\""" still the same" """
match = { sender = 'a } b', subject = "c, d = \\"e", deep = [{ x = 1 }, { y = [2, 3] }] }

[camera.more]
at = 1979-05-27 07:32:00

[[camera]]
name = \'\'\'
]] \'\'\'

  [[camera.area]]
  name = "one"
  [[ camera . area ]]
  name = "two"
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2),
        (("smtp",), 4),
        (("smtp", "allow"), 5),
        (("smtp", "allow", 1), 7),
        (("smtp", "auth"), 9),
        (("smtp", "auth", "accept"), 9),
        (("smtp", "quoted key", 'an=d "this"'), 10),
        (("camera",), 12),
        (("camera", 0), 12),
        (("camera", 0, "name"), 13),
        (("camera", 0, "match", "sender"), 16),
        (("camera", 0, "match", "deep", 1, "y", 1), 16),
        (("camera", 0, "more", "at"), 19),
        (("camera", 1), 21),
        (("camera", 1, "name"), 22),
        (("camera", 1, "area", 0), 25),
        (("camera", 1, "area", 1, "name"), 28),
    ],
)
def test_line_of_each_form_of_a_key(path: KeyPath, line: int) -> None:
    """Tables, lists of tables, inline tables, dotted and quoted keys, behind strings of every form."""
    assert lines_of(WHOLE)[path] == line


def _paths(value: Any, path: KeyPath = ()) -> set[KeyPath]:
    """Return the path of everything in what tomli read."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = {path} if path else set()
    return found.union(*(_paths(item, (*path, step)) for step, item in below))


def test_every_key_of_the_sample_has_a_line_and_nothing_else_has() -> None:
    """What tomli reads is what is found."""
    assert lines_of(WHOLE).keys() == _paths(tomli.loads(WHOLE))


KEYS = ["a", "b-1", '"c.d"', "'e]'", '"#"', "a.x", 'b . "y z"', '"\\u0041\\""']
STRINGS = ['""', '"a\\"#b"', "''", "'\\'", '"""\n"x""\n"""', "'''a\n]'''", '""""""', '"""a"""""', "''''b'''''"]
OTHERS = ["1", "-2.5e3", "true", "1979-05-27", "1979-05-27 07:32:00", "inf"]
_KEYS = st.sampled_from(KEYS)
_VALUES = st.recursive(
    st.sampled_from(STRINGS + OTHERS),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[ " + " , # no\n".join(items) + "]")
        | st.dictionaries(_KEYS, inner, max_size=3).map(
            lambda items: "{" + ", ".join(f"{key} = {value}" for key, value in items.items()) + "}"
        )
    ),
    max_leaves=8,
)
_STATEMENTS = st.one_of(
    st.tuples(_KEYS, _VALUES).map(lambda pair: f"{pair[0]} = {pair[1]}"),
    _KEYS.map(lambda key: f"[{key}]"),
    _KEYS.map(lambda key: f"  [[ {key} ]] # x"),
    st.just("# comment = [1"),
    st.just(""),
)


@given(st.lists(_STATEMENTS, max_size=12).map("\n".join))
def test_every_key_of_any_text_has_a_line(text: str) -> None:
    """For each text that tomli reads, the same keys are found; any other is no reason to fail."""
    found = lines_of(text)
    try:
        read = tomli.loads(text)
    except tomli.TOMLDecodeError:
        return
    assert found.keys() == _paths(read)


@given(st.text(alphabet="[]{}\"'#=., \n\\ab1", max_size=60))
def test_text_that_is_no_toml_is_no_reason_to_fail(text: str) -> None:
    """Its owner reads what is wrong with it from the parser."""
    lines_of(text)


@pytest.mark.parametrize("head", ["[", "a = [", "a = '''", 'a = """', "a", "a = \\"], ids=repr)
@pytest.mark.parametrize("body", ["[", "'", '"', "\\", "a.", " ", "\n", "#"], ids=repr)
def test_text_without_an_end_is_scanned_once(head: str, body: str) -> None:
    """However long it is, it takes no time to speak of."""
    lines_of(head + body * 100_000)
