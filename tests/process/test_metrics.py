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

from camalert import config, status
from camalert.channel import ParentChannel
from camalert.child import Orders
from camalert.children import ChildProcess, start
from camalert.messages import Message, Ping, Pong, Ready, Stop

pytest.importorskip("prometheus_client", reason="the metrics extra is not installed")


@pytest.fixture
def port() -> int:
    """Return a port that is free now."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


@pytest.fixture
def child(tmp_path: Path, port: int) -> Iterator[ChildProcess]:
    """Run the process over an empty run directory."""
    settings = config.Config(
        service=config.Service(run_dir=str(tmp_path)), metrics=config.Metrics(enabled=True, port=port)
    )
    started = start(Orders("metrics", "camalert.metrics:main", settings, os.getpid()))
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
    with pytest.raises(urllib.error.HTTPError, match="does not run"):
        urllib.request.urlopen(url, timeout=30)
    now_utc = time.time()
    status.write(tmp_path, status.Status("1.0", "camalert", 1, now_utc, now_utc, "running", now_utc))

    with urllib.request.urlopen(url, timeout=30) as answer:
        assert b"camalert_up 1.0" in answer.read()
    child.channel.send(Ping(5))
    assert next_message(child.channel) == Pong(5)


def test_metrics_silent_client_does_not_stop_it(child: ChildProcess, port: int) -> None:
    """A client that connects and says nothing is dropped; pings are answered again in time."""
    with socket.create_connection(("127.0.0.1", port)):
        child.channel.send(Ping(6))

        assert next_message(child.channel) == Pong(6)


def test_metrics_stops_when_told(child: ChildProcess) -> None:
    """It leaves with 0."""
    child.channel.send(Stop())

    assert child.reap() == 0
