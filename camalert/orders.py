"""What each child is told at its start, from its spec and the parts of the run."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass

from camalert.child import Orders
from camalert.config import Config
from camalert.plan import SMTP, Plan
from camalert.states import ChildSpec, Role

# When memory runs out the kernel takes those that hostile or heavy pictures live in, and never intake or writer first.
OOM_SCORES = {Role.DECODER: 800, Role.DETECTOR: 500, Role.OPTIONAL: 300}


@dataclass(frozen=True, slots=True)
class Run:
    """The parts of one run that children share."""

    config: Config
    plan: Plan
    pool_name: str
    listeners: tuple[socket.socket, ...]


def orders_for(spec: ChildSpec, run: Run, engine: str) -> Orders:
    """Return the orders of a child; `engine` is for detectors."""
    has_pool = spec.role is not Role.OPTIONAL
    return Orders(
        name=spec.name,
        target=spec.target,
        config=run.config,
        parent_pid=os.getpid(),
        pool_name=run.pool_name if has_pool else "",
        layout=run.plan.layout if has_pool else None,
        listeners=run.listeners if spec.name == SMTP else (),
        engine=engine if spec.role is Role.DETECTOR else "",
        oom_score_adj=OOM_SCORES.get(spec.role, 0),
        address_space_bytes=run.config.decode.memory_bytes if spec.role is Role.DECODER else 0,
    )
