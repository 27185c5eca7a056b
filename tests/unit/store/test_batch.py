"""What becomes of a batch whose database goes wrong in its midst."""

from __future__ import annotations

from typing import Any, cast

import pytest
from testing.storerig import LAYOUT

from camalert.config.schema import Config
from camalert.errors import StoreBusy
from camalert.ipc.messages import Outcome
from camalert.ipc.pool import Pool
from camalert.store.batch import Batch
from camalert.store.interface import Store
from camalert.store.queue import Queue
from camalert.store.verdict import Verdict

VERDICT = Verdict(7, Outcome.NOBODY)


class Failing:
    """A database that cannot be written, and may find another file in the place of its own on the way."""

    def __init__(self, epoch: int, found: int) -> None:
        self.epoch = epoch
        self._found = found

    node = ""

    def free_bytes(self) -> int:
        """Have enough."""
        return 1 << 40

    def write(self, *_: Any, **__: Any) -> None:
        """Fail."""
        self.epoch = self._found
        raise StoreBusy("the disk reported an error")


@pytest.mark.parametrize(
    ("epoch", "found", "kept"),
    [
        pytest.param(1, 1, [VERDICT], id="same file"),
        pytest.param(0, 1, [VERDICT], id="first file of this process, the predecessor's"),
        pytest.param(1, 2, [], id="another file"),
    ],
)
def test_verdict_that_could_not_be_written_waits_for_its_own_file(epoch: int, found: int, kept: list[Verdict]) -> None:
    """In another file its number is another alert's."""
    batch = Batch(Config(), cast("Store", Failing(epoch, found)), cast("Pool", None), Queue(LAYOUT))

    batch.give_up(VERDICT)

    result = batch.write([], [], epoch, lambda _: None)

    assert batch.held_back == kept
    assert isinstance(result.fault, StoreBusy)
