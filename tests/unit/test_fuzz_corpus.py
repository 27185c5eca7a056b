"""What the fuzzers begin with, and whatever broke a reader once, is read again in each run of the tests."""

from __future__ import annotations

import pytest
from fuzz.targets import CORPUS, TARGETS, kept


@pytest.mark.parametrize("name", TARGETS)
def test_fuzz_target_bears_its_seeds_and_what_broke_it_before(name: str) -> None:
    """Every input that was ever found to break a reader is read as promised now."""
    for origin, data in kept(name):
        try:
            TARGETS[name].run(data)
        except Exception as error:
            raise AssertionError(f"{name}: {origin} breaks it again: {error!r}") from error


def test_fuzz_corpus_belongs_to_a_target() -> None:
    """No input is kept for a target that is gone, where nobody would read it any more."""
    assert {path.name for path in CORPUS.iterdir() if path.is_dir()} <= set(TARGETS)
