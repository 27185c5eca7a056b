"""Every fault, to every process, at every moment: nothing that got a 250 is lost, and nobody has to mend anything.

A part of the table in which every pair of fault, victim and moment meets runs always; `pytest -m full` runs all of it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from testing.faults import VICTIMS, Act, Fault, Phase
from testing.faults_pairs import pairwise
from testing.faults_service import FaultedService

PAIRS = [Fault(act, victim, phase) for phase, act, victim in pairwise(list(Phase), list(Act), VICTIMS)]
ALL = [Fault(act, victim, phase) for phase, act, victim in itertools.product(Phase, Act, VICTIMS)]
TABLE = [pytest.param(fault, id=str(fault)) for fault in PAIRS] + [
    pytest.param(fault, id=str(fault), marks=pytest.mark.full) for fault in ALL if fault not in PAIRS
]


@pytest.fixture(scope="module")
def faulted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultedService]:
    """Return a service that lives through the whole table, as one in a house lives through the years."""
    service = FaultedService(tmp_path_factory.mktemp("faulted") / "service")
    yield service
    service.close()


@pytest.mark.parametrize("fault", TABLE)
def test_fault_loses_nothing_and_passes(faulted: FaultedService, fault: Fault) -> None:
    """What got a 250 is there once and examined once; what got none may be sent again; then all is as before."""
    assert faulted.survive(fault) == []
