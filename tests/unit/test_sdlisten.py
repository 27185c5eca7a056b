"""Sockets that systemd passes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

from camalert import sdlisten
from camalert.config import Listen
from camalert.errors import ConfigError


def run_with(passed: list[socket.socket], code: str, *, fds: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run code in a process that gets sockets as systemd passes them: from descriptor 3 on, with its pid."""
    numbers = [sock.fileno() for sock in passed]
    script = f"""
import os
numbers = [os.dup(n) for n in {numbers}]
high = [os.dup2(n, 100 + i) for i, n in enumerate(numbers)]
for i, n in enumerate(high): os.dup2(n, 3 + i)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str({len(passed) if fds is None else fds}))
from camalert import sdlisten, config
from camalert.errors import ConfigError
{code}
"""
    return subprocess.run(
        [sys.executable, "-c", script], pass_fds=numbers, capture_output=True, text=True, timeout=30, check=False
    )


def test_take_and_match_find_the_port() -> None:
    """A port that systemd keeps open is used instead of being bound again; the others are left to us."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        code = f"""
import json
found = sdlisten.match(sdlisten.take(), [config.Listen(port=2525), config.Listen(port={port})])
print(json.dumps([{{k: [s.getsockname()[1] for s in v] for k, v in found.items()}},
                  os.get_inheritable(3), "LISTEN_FDS" in os.environ]))
"""
        done = run_with([listener], code)

    assert done.stderr == ""
    assert json.loads(done.stdout) == [{"1": [port]}, False, False]


def test_take_other_things_than_ports_is_an_error_in_words() -> None:
    """A datagram socket in camalert.socket is named, not crashed on."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wrong:
        wrong.bind(("127.0.0.1", 0))
        code = "try: sdlisten.take()\nexcept ConfigError as error: print(error)"
        done = run_with([wrong], code)

    assert "may only hold ListenStream=" in done.stdout


def test_match_port_nobody_configured_is_an_error_in_words() -> None:
    """Mails that would wait for ever on a port of systemd's alone are noticed at the start."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(ConfigError, match="names 1025: make both alike"),
    ):
        sdlisten.match([listener], [Listen(port=1025)])


@pytest.mark.parametrize("pid", ["", "1", str(os.getpid() + 1)], ids=["none", "init", "a neighbour"])
def test_take_variables_for_another_process_are_ignored(pid: str) -> None:
    """What was meant for another process is left alone, and not passed on."""
    environment = {"LISTEN_PID": pid, "LISTEN_FDS": "1"}

    assert sdlisten.take(environment) == []
    assert environment == {}
