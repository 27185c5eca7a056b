"""Lines on real pipes, terminals and files whose reader stands still."""

from __future__ import annotations

import fcntl
import os
import termios
import tty
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from camalert.system import logsinks
from camalert.system.logsinks import LogStream

PAGE_BYTES = 4096
MakeStream = Callable[[int], LogStream]


@pytest.fixture
def stream_to() -> Iterator[MakeStream]:
    """Return what makes a stream; a process keeps the one it has until its end."""
    made: list[LogStream] = []

    def make(file: int) -> LogStream:
        made.append(LogStream(file))
        return made[-1]

    yield make
    for stream in made:
        os.close(stream._file)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Return the ends of a pipe of one page, the writing one as a shell would make it."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PAGE_BYTES)
    os.set_blocking(reading, False)
    yield reading, writing
    os.close(reading)
    os.close(writing)


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never ask whether there is room: as if another process took it after the answer."""
    monkeypatch.setattr(logsinks, "PATIENCE_S", 0.0)


@pytest.fixture(params=["our own description", "a description of another user"])
def _access(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pipe be opened anew, or not, as after `sudo -u`."""

    def refuse(_path: str, _flags: int) -> int:
        raise PermissionError

    if request.param != "our own description":
        monkeypatch.setattr(logsinks.os, "open", refuse)


@pytest.mark.usefixtures("impatience", "_access")
def test_logstream_room_taken_meanwhile_costs_a_line_and_no_time(pipe: tuple[int, int], stream_to: MakeStream) -> None:
    """A write that finds no room comes back; the pipe stays as it is for those who share it."""
    reading, writing = pipe
    stream = stream_to(writing)

    stream.write("x" * (PAGE_BYTES - 1))
    stream.write("lost")
    stream.write("lost")

    assert stream.lost == 2
    assert os.get_blocking(writing)
    assert os.read(reading, 2 * PAGE_BYTES) == b"x" * (PAGE_BYTES - 1) + b"\n"
    stream.write("again")
    assert stream.lost == 0
    assert os.read(reading, PAGE_BYTES) == b"again\n"


def test_logstream_kernel_that_cannot_be_asked_is_polled(
    pipe: tuple[int, int], stream_to: MakeStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without our own description and without RWF_NOWAIT a full pipe still costs lines only."""

    def refuse(*_arguments: object) -> int:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(logsinks.os, "open", refuse)
    monkeypatch.setattr(logsinks.os, "pwritev", refuse)
    stream = stream_to(pipe[1])

    stream.write("x" * (PAGE_BYTES - 1))
    stream.write("lost")

    assert stream.lost == 1


def test_logstream_slow_reader_does_not_set_the_pace(
    pipe: tuple[int, int], stream_to: MakeStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that takes a page now and then holds up a small share of the time, not every line."""
    reading, writing = pipe
    now = 0.0
    waited_s = 0.0

    class SlowReader:
        """Take a page 0.3 s after somebody began to wait."""

        def poll(self, patience_ms: int) -> list[int]:
            nonlocal now, waited_s
            took_s = min(patience_ms / 1000, 0.3)
            now += took_s
            waited_s += took_s
            return [*os.read(reading, PAGE_BYTES)[:1]] if took_s == 0.3 else []

    monkeypatch.setattr(logsinks.time, "monotonic", lambda: now)
    monkeypatch.setattr(logsinks, "_space", lambda _file: SlowReader())
    stream = stream_to(writing)

    for _ in range(200):
        stream.write("x" * (PAGE_BYTES - 1))
        now += 0.1

    assert 0.5 < waited_s <= 0.5 + logsinks.PATIENCE_SHARE * now
    assert stream.lost


def test_logstream_nobody_reads_any_more_counts_as_lost(stream_to: MakeStream) -> None:
    """A closed pipe does not stop the work."""
    reading, writing = os.pipe()
    stream = stream_to(writing)
    os.close(reading)
    os.close(writing)

    stream.write("a")

    assert stream.lost == 1


def test_logstream_closed_from_the_start_counts_as_lost(pipe: tuple[int, int]) -> None:
    """A service without stderr works."""
    closed = os.dup(pipe[1])
    os.close(closed)
    stream = LogStream(closed)

    stream.write("a")

    assert stream.lost == 1


def test_logstream_redirected_later_goes_where_it_went(pipe: tuple[int, int], stream_to: MakeStream) -> None:
    """What is caught from image libraries is not mixed with our own lines."""
    reading, writing = pipe
    other_reading, other_writing = os.pipe()
    file = os.dup(writing)
    stream = stream_to(file)
    os.dup2(other_writing, file)

    stream.write("a")

    assert os.read(reading, PAGE_BYTES) == b"a\n"
    for descriptor in (file, other_reading, other_writing):
        os.close(descriptor)


@pytest.mark.parametrize("flags", [0, os.O_APPEND])
def test_logstream_file_is_continued_by_all_who_share_it(flags: int, tmp_path: Path, stream_to: MakeStream) -> None:
    """`2> log` and `2>> log`: no process writes over what another one wrote."""
    path = tmp_path / "log"
    file = os.open(path, os.O_WRONLY | os.O_CREAT | flags)
    first, second = stream_to(file), stream_to(file)

    os.write(file, b"shell\n")
    first.write("supervisor")
    second.write("smtp")
    first.write("supervisor")
    os.close(file)

    assert path.read_text().split() == ["shell", "supervisor", "smtp", "supervisor"]


@pytest.mark.usefixtures("impatience")
def test_logstream_halted_terminal_costs_lines(stream_to: MakeStream) -> None:
    """Ctrl-S stops no process; after Ctrl-Q the log goes on."""
    master, slave = os.openpty()
    stream = stream_to(slave)

    termios.tcflow(slave, termios.TCOOFF)
    stream.write("lost")
    lost = stream.lost
    termios.tcflow(slave, termios.TCOON)
    stream.write("again")

    assert lost == 1
    assert os.read(master, PAGE_BYTES).endswith(b"again\r\n")
    os.close(slave)
    os.close(master)


@pytest.mark.usefixtures("impatience")
def test_logstream_torn_line_does_not_tear_the_next(stream_to: MakeStream) -> None:
    """A terminal that took a part of a line gets the next one on a line of its own."""
    master, slave = os.openpty()
    tty.setraw(slave)
    os.set_blocking(master, False)
    stream = stream_to(slave)

    written = 0
    while not stream.lost:
        stream.write("x" * 3001)
        written += 1
    taken = b""
    while b"again\n" not in taken:
        try:
            taken += os.read(master, PAGE_BYTES)
        except BlockingIOError:
            stream.write("again")
    os.close(slave)
    os.close(master)

    *lines, torn, last = [line for line in taken.split(b"\n") if line]
    assert last == b"again"
    assert len(torn) <= 3001
    assert all(len(line) == 3001 for line in lines)
    assert len(lines) in (written - 1, written - 2)
