"""Apprise: what it says of a failure reaches the owner once, with nothing secret in it."""

from __future__ import annotations

import logging

import pytest
from testing.ports import free_port

from camalert.config import targets
from camalert.notify.channel import RETRY
from camalert.notify.message import Message
from camalert.notify.services import Service

pytest.importorskip("apprise", reason="the notify extra is not installed")
MESSAGE = Message("5f0e", "visit", "gate", "Somebody at gate", "2 people", 0.0, "normal")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what Apprise imports
def test_failure_is_in_the_answer_and_not_in_the_log_of_the_library() -> None:
    """The log of a library is written as it comes, and a URL in it may hold a token."""
    seen: list[str] = []

    class Seen(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())

    root, handler = logging.getLogger(), Seen()
    root.addHandler(handler)
    address = targets.parse(f"json://tk_secret:word@127.0.0.1:{free_port()}/tk_path")
    try:
        answer = Service(address, "phone").send(MESSAGE)
    finally:
        root.removeHandler(handler)

    assert answer.code == RETRY
    assert "error occurred" in answer.reason
    assert seen == []
