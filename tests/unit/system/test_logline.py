"""What a line of the log may contain."""

from __future__ import annotations

import functools
import json
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from camalert.system import logline


def test_clean_secret_keys_are_hidden() -> None:
    """No password reaches the log, whoever forgot it in a fact."""
    facts = logline.clean({"event": "login_failed", "password": "hunter2", "auth_token": "x", "login": "cam"})

    assert facts == {"event": "login_failed", "password": "***", "auth_token": "***", "login": "cam"}


def test_clean_url_with_login_hides_it() -> None:
    """A password inside an address is a password too."""
    facts = logline.clean({"event": "asked", "url": "rtsp://admin:12345@192.168.1.9/1"})

    assert facts["url"] == "rtsp://***@192.168.1.9/1"


def test_clean_bytes_become_their_length() -> None:
    """Pictures and mail bodies are never written."""
    assert logline.clean({"event": "e", "body": b"abc"})["body"] == "<3 bytes>"


@pytest.mark.parametrize("nasty", ["\x1b[2J", "\x9b2J", "\r", "\u202e", "\ud800", "\x00"])
def test_clean_control_characters_are_spelled_out(nasty: str) -> None:
    """A subject cannot steer the terminal of whoever reads the log."""
    text = logline.clean({"event": "e", "subject": f"a{nasty}b"})["subject"]

    assert text.isprintable()
    assert text.startswith("a\\")


def test_clean_event_and_words_come_first() -> None:
    """The eye finds what happened at the start of the line."""
    facts = logline.clean({"process": "smtp", "message": "w", "event": "e"})

    assert list(facts) == ["event", "message", "process"]


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5000) | st.binary(max_size=50),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=10,
)


_facts = st.dictionaries(st.text(max_size=300), _values, max_size=12)


@given(facts=_facts)
def test_fit_any_facts_make_a_short_line_of_strict_json(facts: dict[str, object]) -> None:
    """Whatever strangers send, a line is one line of valid JSON within the limit and names its event."""
    _, line = logline.fit(logline.clean({**facts, "event": "mail_refused"}), 4096, logline.to_json)

    assert len(line.encode("utf-8", "backslashreplace")) <= 4096
    assert "\n" not in line
    assert json.loads(line, parse_constant=pytest.fail)["event"] == "mail_refused"


@given(facts=_facts, is_coloured=st.booleans())
@example(facts={"subject": '" ' * 3000}, is_coloured=True)
@example(facts={f"k{number}": '" ' * 10 for number in range(90)}, is_coloured=False)
def test_fit_any_facts_make_a_short_line_of_text(facts: dict[str, object], is_coloured: bool) -> None:
    """Text takes more bytes than JSON where values are quoted, and has the same limit."""
    shown = functools.partial(logline.to_text, clock="12:00:00", is_coloured=is_coloured)

    _, line = logline.fit(logline.clean({**facts, "event": "mail_refused"}), 4096, shown)

    assert len(line.encode("utf-8", "backslashreplace")) <= 4096
    assert "mail_refused" in line


def test_fit_long_traceback_keeps_its_end() -> None:
    """The last lines of a traceback say what happened."""
    facts, line = logline.fit({"event": "e", "exception": "x" * 9000 + "\nValueError: the end"}, 4096, logline.to_json)

    assert facts["exception"].endswith("ValueError: the end")
    assert facts["truncated"] is True
    assert len(line) <= 4096


def test_to_text_reads_as_a_sentence() -> None:
    """A person at a terminal reads time, level, process, event, words and facts, in this order."""
    facts = {"event": "mail_stored", "message": "1 picture", "process": "smtp", "level": "info", "camera": "front door"}

    line = logline.to_text(facts, "12:00:00", is_coloured=False)

    assert line == '12:00:00 info    smtp        mail_stored: 1 picture camera="front door"'


def test_to_text_no_line_of_an_exception_passes_for_a_line_of_the_log() -> None:
    """A stranger's words in an exception begin no line of their own."""
    faked = "12:00:00 info    writer      person_found"

    text = logline.to_text(
        {"event": "e", "exception": f"Error: {faked}\n{faked}\r{faked}"}, "12:00:00", is_coloured=False
    )

    assert all(line.startswith("    ") for line in text.splitlines()[1:])
    assert len(text.splitlines()) == 4


def test_to_terminal_leaves_out_what_the_message_says_and_what_only_programs_ask() -> None:
    """One line a picture that is read at a glance; a clip's own id is no row's, and moments are this clock's."""
    facts = {
        "event": "person_found", "message": "1 person, surest 70 %", "level": "info", "process": "detector-1",
        "alert_id": (1 << 62) + 7, "camera": "Hall", "score": 0.7, "threshold": 0.5, "people": 1, "objects": "person",
        "reviewed_utc": 0.5,
    }  # fmt: skip

    line = logline.to_terminal(facts, "12:00:00", is_coloured=False)
    row = logline.to_terminal({**facts, "alert_id": 7}, "12:00:00", is_coloured=True)

    since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(0))
    assert line.endswith(f'person_found: 1 person, surest 70 % camera=Hall reviewed_utc="{since}"')
    assert "alert_id=7" in row
    assert row.startswith("\x1b[1m")  # people are seen among the others
    assert row.endswith("\x1b[0m")
    assert not logline.to_terminal({"event": "child_started"}, "12:00:00", is_coloured=False)
    assert "score=0.7" in logline.to_terminal({"event": "other", "score": 0.7}, "12:00:00", is_coloured=False)
