"""How many descriptors are asked for, and what is said when there are not enough."""

from __future__ import annotations

import resource

import pytest

from camalert import descriptors
from camalert.errors import CamalertError

NEEDED = descriptors.BASE + 4 * descriptors.A_CHILD + 1
INFINITE = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((1024, 4096), (1024, 4096)),  # enough
        ((64, 4096), (NEEDED + 100, 4096)),  # raised to what is wanted
        ((64, INFINITE), (NEEDED + 100, INFINITE)),
        ((64, NEEDED + 10), (NEEDED + 10, NEEDED + 10)),  # fewer clients at once
        ((INFINITE, INFINITE), (INFINITE, INFINITE)),
    ],
)
def test_claim_raises_a_limit_that_is_too_low(
    monkeypatch: pytest.MonkeyPatch, before: tuple[int, int], after: tuple[int, int]
) -> None:
    """The soft limit follows what the run needs, as far as the hard one allows; the hard one stays."""
    limits = [before]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: limits.append(wanted))

    descriptors.claim(children=4, sockets=1, connections=100)

    assert limits[-1] == after


def test_claim_without_room_for_the_children_says_what_to_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    """The words hold what is needed, what is allowed, and where to change it."""
    monkeypatch.setattr(resource, "getrlimit", lambda _: (NEEDED - 1, NEEDED - 1))

    with pytest.raises(CamalertError, match=rf"needs {NEEDED} open files.* allows {NEEDED - 1}: raise LimitNOFILE"):
        descriptors.claim(children=4, sockets=1, connections=100)
