"""Sockets that systemd passes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

from camalert.config.schema import Listen
from camalert.errors import ConfigError
from camalert.system import ports


def run_with(passed: list[socket.socket], code: str, *, fds: int | None = None) -> subprocess.CompletedProcess[str]:
    """Run code in a process that gets sockets as systemd passes them: from descriptor 3 on, with its pid."""
    numbers = [sock.fileno() for sock in passed]
    script = f"""
import os
numbers = [os.dup(n) for n in {numbers}]
high = [os.dup2(n, 100 + i) for i, n in enumerate(numbers)]
for i, n in enumerate(high): os.dup2(n, 3 + i)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str({len(passed) if fds is None else fds}))
from camalert.config import schema as config
from camalert.system import ports
from camalert.errors import ConfigError
{code}
"""
    return subprocess.run(
        [sys.executable, "-c", script], pass_fds=numbers, capture_output=True, text=True, timeout=30, check=False
    )


def test_take_and_open_all_find_the_port() -> None:
    """A port that systemd keeps open is used instead of being bound again; the others are left to us."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        code = f"""
import json
found = ports.open_all([config.Listen("127.0.0.1", 0), config.Listen(port={port})], ports.take_passed())
print(json.dumps([[listener.is_passed for listener in found], found[1].socket.getsockname()[1],
                  os.get_inheritable(3), "LISTEN_FDS" in os.environ]))
"""
        done = run_with([listener], code)

    assert done.stderr == ""
    assert json.loads(done.stdout) == [[False, True], port, False, False]


def test_take_other_things_than_ports_is_an_error_in_words() -> None:
    """A datagram socket in camalert.socket is named, not crashed on."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wrong:
        wrong.bind(("127.0.0.1", 0))
        code = "try: ports.take_passed()\nexcept ConfigError as error: print(error)"
        done = run_with([wrong], code)

    assert "may only hold ListenStream=" in done.stdout


def test_open_all_port_nobody_configured_is_an_error_in_words() -> None:
    """Mails that would wait forever on a port of systemd's alone are noticed at the start."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(ConfigError, match="names 1025: make both alike"),
    ):
        ports.open_all([Listen(port=1025)], [ports.Listener(listener, "127.0.0.1", 4, is_passed=True)])


@pytest.mark.parametrize("pid", ["", "1", str(os.getpid() + 1)], ids=["none", "init", "a neighbour"])
def test_take_variables_for_another_process_are_ignored(pid: str) -> None:
    """What was meant for another process is left alone, and not passed on."""
    environment = {"LISTEN_PID": pid, "LISTEN_FDS": "1"}

    assert ports.take_passed(environment) == []
    assert environment == {}
