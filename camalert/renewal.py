"""A new configuration for the running service: read, judged, and told to whom it concerns.

Entry, in the supervisor. Children take it by being replaced, the supervisor's own books at once; what only a full
restart can change is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import structlog

from camalert import plan
from camalert.config import Config
from camalert.dispatch import Dispatch
from camalert.errors import CamalertError
from camalert.orders import Run
from camalert.reporter import Reporter
from camalert.states import ChildSpec, Phase

log = structlog.get_logger()


class Renewal:
    """Renew the configuration of a run; `reread` raises CamalertError when the new one is bad."""

    def __init__(self, reread: Callable[[], Config], books: Dispatch, reporter: Reporter) -> None:
        self._reread = reread
        self._books = books
        self._reporter = reporter

    def take(self, run: Run, children: Iterable[ChildSpec], phase: Phase) -> tuple[Run, tuple[ChildSpec, ...]]:
        """Return the run with the new configuration, and the new specs of the children to replace.

        A bad configuration changes nothing. One that comes while the service is ending is left to its next start.
        """
        if phase not in (Phase.STARTING, Phase.RUNNING):
            log.warning("reload_refused", error="the service is ending", advice="its next start will read it")
            return run, ()
        if phase is Phase.RUNNING:  # before, systemd waits for the first READY
            self._reporter.announce_reloading()
        try:
            return self._renewed(run, list(children), self._reread())
        except CamalertError as error:
            log.error("reload_refused", error=str(error), advice="the old configuration stays in force")
            return run, ()
        finally:
            if phase is Phase.RUNNING:
                self._reporter.announce_ready()

    def _renewed(self, run: Run, children: list[ChildSpec], config: Config) -> tuple[Run, tuple[ChildSpec, ...]]:
        names, fixed = plan.replaced_by(run.config, config, children)
        self._books.limit(plan.limits(config))
        self._reporter.expect(config)
        log.info("reloaded", replaces=names, needs_restart=fixed)
        fresh = {spec.name: spec for spec in plan.specs(config, run.plan)}
        return replace(run, config=config), tuple(fresh.get(spec.name, spec) for spec in children if spec.name in names)
