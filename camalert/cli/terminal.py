"""What commands show and ask on a terminal: every line they print goes through here.

Names of files and cameras, subjects and server replies are untrusted, so nothing that could control a terminal or pass
for another line gets there.
"""

from __future__ import annotations

import getpass
import json
import sys
import time
from typing import Any

from camalert.errors import CamalertError
from camalert.system.logline import printable

REDRAW_S = 0.1  # faster than the eye reads, slow enough to cost nothing
BAR_CHARS = 24
_CLEAR = "\r\x1b[K"


def say(*lines: str) -> None:
    """Print lines; a line end within one is escaped."""
    sys.stdout.write("".join(f"{_one_line(line)}\n" for line in lines))
    sys.stdout.flush()  # a person watches, also where it is piped


def say_json(facts: Any, indent: int | None = None) -> None:
    """Print JSON that people can read too: only what a terminal might obey is escaped."""
    text = json.dumps(facts, ensure_ascii=False, indent=indent)
    sys.stdout.write("".join(_for_json(letter) for letter in text) + "\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    """Print to stderr what is wrong; each line says who speaks, and no odd letter of a name begins one."""
    sys.stderr.write("".join(f"camalert: {_one_line(line)}\n" for line in text.rstrip("\n").split("\n")))


def redraw(line: str) -> None:
    """Replace the line that shows what is going on, where a person watches; "" removes it."""
    if sys.stderr.isatty():
        sys.stderr.write(f"{_CLEAR}{_one_line(line)}")
        sys.stderr.flush()


def new_password(prompt: str) -> str:
    """Ask twice for a password; where there is no terminal, read a line of standard input instead.

    Raises: CamalertError when the two differ.
    """
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    first = getpass.getpass(prompt)
    if getpass.getpass("repeat: ") != first:
        raise CamalertError("the two passwords differ")
    return first


class Progress:
    """A progress line on stderr, so that output can be piped; nothing where that is no terminal."""

    def __init__(self, what: str) -> None:
        """Begin; `what` names the steps ("pictures")."""
        self._what = what
        self._started_at = time.monotonic()
        self._redraw_at = 0.0

    def show(self, done: int, total: int) -> None:
        """Show how many of how many steps are done, at most every `REDRAW_S`."""
        now = time.monotonic()
        if total and now >= self._redraw_at:
            self._redraw_at = now + REDRAW_S
            redraw(bar(done, total, self._what, now - self._started_at))

    def clear(self) -> None:
        """Remove the line, so that something else can be printed."""
        redraw("")
        self._redraw_at = 0.0


def bar(done: int, total: int, what: str, elapsed_s: float) -> str:
    """Return bar, count, rate, and the time left once a rate is known."""
    filled = BAR_CHARS * done // total
    text = f"[{'#' * filled}{'.' * (BAR_CHARS - filled)}] {done}/{total} {what}"
    if done and elapsed_s > 0:
        rate = done / elapsed_s
        text += f"  {rate:.1f}/s  {duration((total - done) / rate)} left"
    return text


def duration(seconds: float) -> str:
    """Write a time in the two units that matter: `8 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _one_line(text: str) -> str:
    return printable(text).replace("\n", "\\n")


def _for_json(letter: str) -> str:
    return letter if letter.isprintable() or letter == "\n" else json.dumps(letter)[1:-1]
