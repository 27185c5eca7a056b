"""The log of a process, with real descriptors."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from camalert.system import logsinks

PROLOGUE = """
import logging, sys, warnings
from camalert.config import schema as config
from camalert.system import logs
from camalert.system.logs import log
logs.configure(config.Log({arguments}), "smtp")
"""


def run(code: str, arguments: str = "", **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run code in a process of its own behind `logs.configure`."""
    script = PROLOGUE.format(arguments=arguments) + code
    return subprocess.run([sys.executable, "-c", script], check=False, timeout=30, **options)


def lines(code: str, arguments: str = "") -> list[dict[str, Any]]:
    """Return the log lines of such a process whose stderr is a pipe."""
    done = run(code, arguments, stderr=subprocess.PIPE)
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_logs_pipe_gets_json_lines() -> None:
    """Without terminal and systemd, each event is one line of JSON that names its process."""
    (line,) = lines('log.info("mail_stored", camera="garage", pictures=3)')

    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "mail_stored", "process": "smtp", "camera": "garage", "pictures": 3, "level": "info"}


def test_logs_level_hides_what_is_below() -> None:
    """The owner chooses how much is written."""
    found = lines('log.info("a"); log.warning("b"); log.debug("c")', 'level="warning"')

    assert [line["event"] for line in found] == ["b"]


def test_logs_exception_comes_with_its_traceback() -> None:
    """A defect that is caught leaves where it happened, and the level of an error."""
    code = """
try:
    1 / 0
except ZeroDivisionError as error:
    log.exception("a")
    log.warning("b", exc_info=error)
"""
    found = lines(code)

    assert [(line["event"], line["level"]) for line in found] == [("a", "error"), ("b", "warning")]
    assert all(line["exception"].endswith("ZeroDivisionError: division by zero") for line in found)
    assert ", in <module>" in found[0]["exception"]


def test_logs_before_they_are_configured_are_warnings_in_text() -> None:
    """What a command runs into is for the person in front of it, and on stderr."""
    code = 'from camalert.system.logs import log; log.info("a"); log.warning("disk_slow", ms=7)'
    done = subprocess.run([sys.executable, "-c", code], check=True, timeout=30, capture_output=True)

    assert done.stdout == b""
    assert done.stderr.decode().split()[1:] == ["warning", "disk_slow", "ms=7"]


def test_logs_libraries_and_warnings_are_events() -> None:
    """What libraries complain about arrives as events; their chatter, which may hold mail, does not."""
    code = """
logging.getLogger("mail.log").debug("DATA line of a mail")
logging.getLogger("mail.log").info("handling connection")
logging.getLogger("mail.log").warning("peer %s is odd", "x")
logging.getLogger("asyncio").error("task failed", exc_info=ValueError("v"))
warnings.warn("old", UserWarning)
"""
    found = lines(code)

    assert [(line["event"], line["library"]) for line in found] == [
        ("library_warning", "mail.log"),
        ("library_error", "asyncio"),
        ("library_warning", "py.warnings"),
    ]
    assert found[0]["message"] == "peer x is odd"
    assert "ValueError: v" in found[1]["exception"]


def test_logs_crash_is_one_event() -> None:
    """A process that falls says why in one line, with the traceback."""
    (line,) = lines('raise RuntimeError("bad")')

    assert (line["event"], line["level"]) == ("process_crashed", "critical")
    assert "RuntimeError: bad" in line["exception"]


def test_logs_flood_of_one_peer_is_limited() -> None:
    """A hostile client cannot fill the disk with lines, and others are heard meanwhile."""
    found = lines('[log.info("refused", peer="10.0.0.6") for _ in range(2000)]; log.info("refused", peer="10.0.0.7")')

    assert 200 <= len(found) < 300
    assert sum(bool(line.get("rate_limited")) for line in found) >= 1
    assert found[-1]["peer"] == "10.0.0.7"


def test_logs_what_a_library_says_of_one_visitor_is_limited() -> None:
    """Somebody who makes the web framework complain fills no disk either."""
    code = """
from types import SimpleNamespace
request = SimpleNamespace(META={"REMOTE_ADDR": "10.0.0.6"})
for _ in range(2000): logging.getLogger("django.security").error("odd", extra={"request": request})
"""
    found = lines(code)

    assert 200 <= len(found) < 300
    assert found[0]["peer"] == "10.0.0.6"


def test_logs_closed_stderr_does_not_stop_the_work() -> None:
    """A process whose log is gone goes on."""
    done = run('import os; os.close(2); log.info("a"); print("alive")', stdout=subprocess.PIPE)

    assert done.stdout == b"alive\n"


def test_logs_terminal_gets_text() -> None:
    """At a terminal a person reads text, in colour unless NO_COLOR is set."""
    master, slave = os.openpty()
    try:
        run('log.info("mail_stored", camera="garage")', stderr=slave, env={**os.environ, "NO_COLOR": "1"})
        text = os.read(master, 4096).decode()
    finally:
        os.close(slave)
        os.close(master)

    assert "info    smtp        mail_stored camera=garage" in text
    assert "\x1b" not in text


@pytest.fixture
def journald(tmp_path: Path) -> Iterator[socket.socket]:
    """Stand in for journald's socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "socket"))
        receiver.settimeout(10)
        yield receiver


def fields(entry: bytes) -> dict[str, str]:
    """Take an entry of the native protocol apart."""
    found = {}
    while entry:
        head, _, rest = entry.partition(b"\n")
        name, equals, value = head.partition(b"=")
        if not equals:
            length = int.from_bytes(rest[:8], "little")
            value, rest = rest[8 : 8 + length], rest[9 + length :]
        found[name.decode()] = value.decode()
        entry = rest
    return found


def test_logs_under_systemd_facts_are_fields(journald: socket.socket) -> None:
    """`journalctl CAMERA=garage EVENT=person_found` finds the event, with its priority and its JSON."""
    left, right = socket.socketpair()
    with left, right:
        found = os.fstat(right.fileno())
        environment = {**os.environ, "JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
        code = f"""
from pathlib import Path
from camalert.system import logsinks
logs.Journal = lambda: logsinks.Journal(Path({journald.getsockname()!r}))
logs.configure(config.Log(), "detector-1")
log.warning("person_found", camera="garage", message="two\\nlines", unit="m", best_score=0.5)
"""
        run(code, stderr=right, env=environment)
        entry = fields(journald.recv(65536))

    assert entry["PRIORITY"] == "4"
    assert entry["SYSLOG_IDENTIFIER"] == "camalert"
    assert entry["PROCESS"] == "detector-1"
    assert (entry["EVENT"], entry["CAMERA"], entry["CAMALERT_MESSAGE"]) == ("person_found", "garage", "two\nlines")
    assert (entry["BEST_SCORE"], entry["CAMALERT_UNIT"]) == ("0.5", "m")
    assert json.loads(entry["MESSAGE"])["event"] == "person_found"


def test_journal_away_then_back_says_what_was_lost(tmp_path: Path) -> None:
    """While journald restarts nothing waits, and the next entry counts the missing ones."""
    path = tmp_path / "socket"
    sender = logsinks.Journal(path)
    sender.send({"MESSAGE": "a"})
    sender.send({"MESSAGE": "b"})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(path))
        receiver.settimeout(10)
        sender.send({"MESSAGE": "c"})
        sender.send({"MESSAGE": "d"})
        sender.close()

        assert fields(receiver.recv(4096)) == {"MESSAGE": "c", "LINES_LOST": "2"}
        assert fields(receiver.recv(4096)) == {"MESSAGE": "d"}


def test_journal_stuck_reader_does_not_hold_the_sender(journald: socket.socket) -> None:
    """A journald that reads nothing never stops a process."""
    sender = logsinks.Journal(Path(journald.getsockname()))

    for _ in range(5000):
        sender.send({"MESSAGE": "x" * 8000})

    sender.close()


@pytest.mark.parametrize("stream", ["", "1", "1:2", "x:y"])
def test_is_journal_other_numbers_mean_no(stream: str) -> None:
    """An inherited JOURNAL_STREAM of another process is not believed."""
    assert not logsinks.is_journal(2, stream)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("camera", "CAMERA"),
        ("mail-id", "MAIL_ID"),
        ("_pid", "PID"),
        ("9", "CAMALERT_"),
        ("priority", "CAMALERT_PRIORITY"),
    ],
)
def test_field_name_is_one_the_journal_takes(key: str, name: str) -> None:
    """Every fact becomes a field that journald keeps and that means nothing else."""
    assert logsinks.field_name(key) == name


def test_logs_full_pipe_costs_lines_and_no_time() -> None:
    """A reader that stands still does not stop the work; the next line that gets through says how many were lost."""
    reading, writing = os.pipe()
    code = """
import time
began = time.monotonic()
for number in range(2000):
    log.info("a", number=number, padding="x" * 100)
print(time.monotonic() - began, flush=True)
input()
log.info("b")
"""
    with subprocess.Popen(
        [sys.executable, "-c", PROLOGUE.format(arguments="") + code],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=writing,
    ) as process:  # fmt: skip
        os.close(writing)
        assert process.stdin is not None
        assert process.stdout is not None
        took_s = float(process.stdout.readline())
        os.set_blocking(reading, False)
        taken = os.read(reading, 1_048_576).splitlines()
        process.stdin.write(b"\n")
        process.stdin.close()
        assert process.wait(30) == 0
    last = json.loads(os.read(reading, 1_048_576))
    os.close(reading)

    assert took_s < 20
    assert last["event"] == "b"
    assert last["lines_lost"] == 2000 - len(taken)


PAGE_BYTES = 4096
BURST_LINES = 400
BURST = f"""
for number in range({BURST_LINES}):
    log.info("a", number=number, padding="x" * (number * 37 % 3800))
print("done", flush=True)
input()
log.info("z")
"""


@pytest.fixture
def writers() -> Iterator[tuple[int, list[subprocess.Popen[bytes]]]]:
    """Return the reading end of a pipe of one page, and four processes that want its room all the time."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PAGE_BYTES)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROLOGUE.format(arguments="").replace("smtp", f"p{number}") + BURST],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=writing,
        )
        for number in range(4)
    ]  # fmt: skip
    os.close(writing)
    yield reading, processes
    for process in processes:
        process.kill()
        process.communicate()


def test_logs_reader_of_several_processes_stops_then_goes_on(
    writers: tuple[int, list[subprocess.Popen[bytes]]],
) -> None:
    """None of them waits for the reader, no line is torn, and each counts exactly what it lost."""
    reading, processes = writers

    taken = b"".join(os.read(reading, PAGE_BYTES) for _ in range(40))  # and then it stands still
    for process in processes:
        assert process.stdout is not None
        assert select.select([process.stdout], [], [], 30)[0], "a process waits for the reader"
    os.set_blocking(reading, False)
    for process in processes:
        with contextlib.suppress(BlockingIOError):
            taken += os.read(reading, PAGE_BYTES)
        process.communicate(b"\n", timeout=30)
    with os.fdopen(reading, "rb") as rest:
        taken += rest.read()

    found = [json.loads(line) for line in taken.splitlines()]
    for name in ("p0", "p1", "p2", "p3"):
        own = [line for line in found if line["process"] == name]
        assert [line["event"] for line in own] == ["a"] * (len(own) - 1) + ["z"]
        assert len(own) - 1 + sum(line.get("lines_lost", 0) for line in own) == BURST_LINES


def test_logs_text_on_a_pipe_is_written_whole() -> None:
    """Text whose quotes make it longer than JSON is cut to what a pipe takes in one piece."""
    code = """log.info("smtp_listening", ports={"a": '"' * 1900}, camera="hof \u00e4")"""

    done = run(code, 'format="text"', stderr=subprocess.PIPE)

    assert 2000 < len(done.stderr) <= PAGE_BYTES
    assert 'camera="hof \u00e4"' in done.stderr.decode()
    assert "truncated=true" in done.stderr.decode()
