"""The messages to systemd."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from camalert.system import sdnotify


@pytest.mark.parametrize("kind", ["path", "abstract"])
def test_notify_sends_one_message(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """systemd gets all assignments of a call at once, on a socket of either kind."""
    address = str(tmp_path / "notify") if kind == "path" else f"\0camalert-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(address)
        receiver.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", address.replace("\0", "@"))

        assert sdnotify.notify(sdnotify.READY, sdnotify.status("two\nlines"))
        assert receiver.recv(4096) == b"READY=1\nSTATUS=two lines"


@pytest.mark.parametrize("address", ["", "relative", "/nonexistent/notify", "@nobody-listens-here"])
def test_notify_nobody_there_is_no_error(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without systemd the service runs all the same."""
    monkeypatch.setenv("NOTIFY_SOCKET", address)

    assert not sdnotify.notify(sdnotify.READY)


def test_notify_busy_systemd_does_not_hold_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full queue drops the message instead of waiting."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))

        answers = [sdnotify.notify(sdnotify.WATCHDOG) for _ in range(3000)]

    assert answers[0]
    assert not answers[-1]


@pytest.mark.parametrize(
    ("limit", "pid", "interval_s"),
    [("30000000", "", 15.0), ("30000000", "own", 15.0), ("30000000", "1", None), ("", "", None), ("x", "", None)],
)
def test_watchdog_interval_is_half_the_limit_of_this_process(
    limit: str, pid: str, interval_s: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The watchdog is fed twice as often as needed, and only by whom systemd asks."""
    monkeypatch.setenv("WATCHDOG_USEC", limit)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    if pid:
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()) if pid == "own" else pid)

    assert sdnotify.watchdog_interval_s() == interval_s
