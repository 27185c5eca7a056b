"""How a child's own main ends, as the supervisor reads it from the exit code."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from camalert.config.schema import Config
from camalert.errors import ConfigError, EngineError, Exit, PoolError, ProtocolError
from camalert.ipc import channel, child
from camalert.ipc.channel import Channel
from camalert.ipc.child import Orders


def _raise(error: BaseException) -> Callable[[], int]:
    def end() -> int:
        raise error

    return end


@pytest.fixture
def line() -> Iterator[Channel]:
    """Return a child's end of a channel."""
    parent, sock = channel.pair()
    found = Channel(sock)
    yield found
    found.close()
    parent.close()
    gc.unfreeze()


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (lambda: 0, Exit.OK),
        (_raise(ConfigError("no")), Exit.CONFIG),
        (_raise(EngineError("finds nobody")), Exit.UNAVAILABLE),
        (_raise(ProtocolError("nonsense")), Exit.PROTOCOL),
        (_raise(MemoryError()), Exit.CANNOT_START),
        (_raise(PoolError("no segment")), Exit.CANNOT_START),
        (_raise(RuntimeError("unforeseen")), Exit.CRASH),
    ],
)
def test_child_says_by_its_exit_code_why_it_ended(
    line: Channel, end: Callable[[], int], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Want of memory or of the pool is told apart from an engine that does not work."""
    module = ModuleType("child_of_a_test")
    module.main = lambda _: end()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)

    assert child._work(Orders("detector-1", "child_of_a_test:main", Config(), os.getpid()), line) == code
