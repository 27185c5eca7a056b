"""`supervisor.py` for services to which faults happen: the same service with other first lines in its children.

Limits that are minutes in production are seconds here, so that a table of faults takes minutes.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from camalert.__main__ import main
from camalert.supervisor import lifecycle, liveness, plan
from camalert.supervisor.loop import Supervisor
from testing.faults import FOLDER_VARIABLE, Act, Arsenal, perform


def _patch() -> None:
    specs: Callable[..., list[lifecycle.ChildSpec]] = plan.specs
    # Where one engine is to replace another, a start that a busy machine makes slow must not do it.
    is_about_engines = bool(Arsenal(Path(os.environ[FOLDER_VARIABLE])).broken_engines()())

    def pointed_specs(*arguments: object) -> list[lifecycle.ChildSpec]:
        return [
            replace(
                spec,
                target="testing.faults_child:main",
                answer_s=3.0,
                ready_s=spec.ready_s if is_about_engines else 20.0,
                grace_s=4.0,
            )
            if spec.role is not lifecycle.Role.OPTIONAL
            else spec
            for spec in specs(*arguments)
        ]

    plan.specs = pointed_specs  # type: ignore[assignment]
    liveness.PING_EVERY_S = 0.5
    lifecycle.ABORT_GRACE_S = 0.5
    lifecycle.MAX_EXITS = 1_000_000  # a table of faults is no broken installation
    lifecycle.MOST_BACK_OFF_S = lifecycle.BACK_OFF_S


def _obey_faults() -> None:
    arsenal = Arsenal(Path(os.environ[FOLDER_VARIABLE]))
    arsenal.enlist("supervisor")
    arsenal.bend_clock()
    running: list[Supervisor] = []
    run = Supervisor.run

    def noted_run(supervisor: Supervisor) -> int:
        running.append(supervisor)
        return run(supervisor)

    def obey(*_: object) -> None:
        act = arsenal.ordered()
        if act not in (Act.CLOSE, Act.GARBAGE):
            perform(act, None)
        for child in [child for supervisor in running for child in supervisor._processes.children.values()]:
            perform(act, child.channel._socket)

    Supervisor.run = noted_run  # type: ignore[method-assign]
    signal.signal(signal.SIGUSR1, obey)


if __name__ == "__main__":
    _patch()
    _obey_faults()
    sys.exit(main(["run", *sys.argv[1:]]))
