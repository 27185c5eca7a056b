"""The metrics process with a real supervisor's end of the channel."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from testing.ports import free_port
from testing.waiting import until

from camalert.config import schema as config
from camalert.ipc.channel import ParentChannel
from camalert.ipc.child import Orders
from camalert.ipc.messages import Message, Ping, Pong, Ready, Stop
from camalert.ipc.spawn import ChildProcess, start
from camalert.status import model as status
from camalert.status.process import MAX_CLIENTS

pytest.importorskip("prometheus_client", reason="the metrics extra is not installed")


@pytest.fixture
def port() -> int:
    """Return a port that is free."""
    return free_port()


@pytest.fixture
def child(tmp_path: Path, port: int) -> Iterator[ChildProcess]:
    """Run the process over an empty run directory."""
    settings = config.Config(
        service=config.Service(run_dir=str(tmp_path)), metrics=config.Metrics(enabled=True, port=port)
    )
    started = start(Orders("metrics", "camalert.status.process:main", settings, os.getpid()))
    try:
        assert isinstance(next_message(started.channel), Ready)
        yield started
    finally:
        with contextlib.suppress(ValueError):  # a test may have collected it
            started.signal(signal.SIGKILL)
            started.reap()


def next_message(channel: ParentChannel) -> Message:
    """Wait for the child's next message."""
    assert channel.wait(30)
    message = channel.receive()
    assert message is not None
    return message


def test_metrics_serves_the_status_and_answers_pings(child: ChildProcess, port: int, tmp_path: Path) -> None:
    """Figures come from the status file as it is now; none yet is an error in words; the process stays responsive."""
    url = f"http://127.0.0.1:{port}/metrics"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url, timeout=30)
    assert (refused.value.code, b"does not run" in refused.value.read()) == (503, True)
    now_utc = time.time()
    status.write(tmp_path, status.Status("1.0", 1, now_utc, now_utc, "running", now_utc))

    with urllib.request.urlopen(url, timeout=30) as answer:
        assert b"camalert_up 1.0" in answer.read()
    child.channel.send(Ping(5))
    assert next_message(child.channel) == Pong(5)


def test_metrics_slow_clients_stop_neither_pings_nor_others(child: ChildProcess, port: int, tmp_path: Path) -> None:
    """Clients that say nothing, drip a byte now and then or never read hold up nobody, however many there are."""
    status.write(tmp_path, status.Status("1.0", 1, 1.0, 1.0, "running", 1.0))
    with contextlib.ExitStack() as opened:
        for number in range(MAX_CLIENTS - 1):
            sock = opened.enter_context(socket.create_connection(("127.0.0.1", port)))
            sock.sendall((b"", b"G", b"GET /metrics HTTP/1.1\r\n")[number % 3])

        child.channel.send(Ping(6))
        assert next_message(child.channel) == Pong(6)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            assert b"camalert_up" in answer.read()


def test_metrics_slow_client_is_cut_off_though_it_keeps_talking(child: ChildProcess, port: int) -> None:
    """The whole request has its time, not each byte of it."""
    with socket.create_connection(("127.0.0.1", port), timeout=0.2) as sock:

        def is_cut_off() -> bool:
            try:
                sock.sendall(b"G")
                return sock.recv(10) == b""
            except TimeoutError:
                return False
            except ConnectionError:
                return True

        until(is_cut_off, "the end of a client that drips", 30)


@pytest.mark.parametrize(
    ("request_line", "code"),
    [("POST /metrics HTTP/1.1", 405), ("GET / HTTP/1.1", 404), ("HEAD /metrics HTTP/1.1", 503), ("nonsense", 405)],
)
def test_metrics_odd_requests_get_an_answer(child: ChildProcess, port: int, request_line: str, code: int) -> None:
    """One line of HTTP each, and the process lives."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sock:
        sock.sendall(request_line.encode() + b"\r\n\r\n")

        assert sock.makefile("rb").readline().split()[1] == str(code).encode()
    child.channel.send(Ping(7))
    assert next_message(child.channel) == Pong(7)


def test_metrics_listens_on_an_address_of_ipv6(tmp_path: Path) -> None:
    """`host = "::1"` is as good as any."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6) as found:
            port = int(found.getsockname()[1])
    except OSError:
        pytest.skip("this machine has no IPv6")
    settings = config.Config(
        service=config.Service(run_dir=str(tmp_path)), metrics=config.Metrics(enabled=True, host="::1", port=port)
    )
    started = start(Orders("metrics", "camalert.status.process:main", settings, os.getpid()))
    try:
        assert isinstance(next_message(started.channel), Ready)
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"http://[::1]:{port}/metrics", timeout=30)
    finally:
        started.signal(signal.SIGKILL)
        started.reap()


def test_metrics_stops_when_told(child: ChildProcess) -> None:
    """It leaves with 0."""
    child.channel.send(Stop())

    assert child.reap() == 0
