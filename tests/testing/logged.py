"""What the code under test says to the log."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from unittest.mock import patch

from camalert.system.logline import Facts
from camalert.system.logs import log


@contextlib.contextmanager
def captured() -> Iterator[list[Facts]]:
    """Collect the events of a `with` block, of every level, instead of writing them."""
    found: list[Facts] = []
    with patch.multiple(log, _least=logging.DEBUG, _emit=found.append):
        yield found
