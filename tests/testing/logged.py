"""What the code under test says to the log."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

import structlog

from camalert.system import logs
from camalert.system.logline import Facts


@contextlib.contextmanager
def captured() -> Iterator[list[Facts]]:
    """Collect the events of a `with` block, of every level, instead of writing them."""
    found: list[Facts] = []
    before = structlog.get_config()
    logs.write_to(found.append, logging.DEBUG, "")
    try:
        yield found
    finally:
        structlog.configure(**before)
