"""The status as Prometheus' text format.

Needs prometheus_client, an optional extra: `process` imports this only where [metrics] is enabled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from camalert.status.model import Status

CHILD_STATES = ("down", "starting", "ready", "stopping", "backoff", "failed")


def expose(status: Status, now_utc: float) -> tuple[bytes, str]:
    """Return the text and its media type."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(status, now_utc))
    return generate_latest(registry), CONTENT_TYPE_LATEST


class _Figures(Collector):
    """Offer one status to prometheus_client."""

    def __init__(self, status: Status, now_utc: float) -> None:
        self._status = status
        self._now_utc = now_utc

    def collect(self) -> Iterable[Metric]:
        yield from self._service()
        yield from self._children()
        yield from self._cameras()

    def _service(self) -> Iterator[Metric]:
        status = self._status
        for name, description, value in (
            ("up", "1 when alarms are taken in", float(status.is_running)),
            ("degraded", "1 when a process is not as it should be", float(bool(status.degraded()))),
            ("status_age_seconds", "Age of the status file", max(0.0, self._now_utc - status.written_utc)),
            ("start_time_seconds", "When the service started, seconds since 1970", status.started_utc),
            ("pending_pictures", "Pictures stored and not examined yet", status.pending),
            ("alerts_today", "Pictures stored since midnight", status.alerts_today),
            ("detections_today", "Pictures with people since midnight", status.detections_today),
            ("visits_today", "Visits since midnight", status.visits_today),
            ("frame_slots_used", "Frame slots in use", status.slots_used),
            ("frame_slots", "Frame slots in the pool", status.slots_total),
            ("pool_bytes", "Size of the shared memory pool", status.pool_bytes),
        ):
            yield GaugeMetricFamily(f"camalert_{name}", description, value=value)
        for name, description, value in (
            ("mails", "Mails stored since the start", status.mails),
            ("pictures", "Pictures stored since the start", status.pictures),
            ("examined", "Pictures examined since the start", status.examined),
            ("persons", "Pictures in which people were found since the start", status.persons),
            ("failed", "Pictures that could not be examined since the start", status.failed),
        ):
            yield CounterMetricFamily(f"camalert_{name}", description, value=value)

    def _children(self) -> Iterator[Metric]:
        states = GaugeMetricFamily("camalert_child_state", "1 for the state a process is in", labels=("child", "state"))
        restarts = CounterMetricFamily("camalert_child_restarts", "Starts after the first", labels=("child",))
        for child in self._status.children:
            for state in CHILD_STATES:
                states.add_metric((child.name, state), float(child.state == state))
            restarts.add_metric((child.name,), child.restarts)
        yield states
        yield restarts

    def _cameras(self) -> Iterator[Metric]:
        last = GaugeMetricFamily(
            "camalert_camera_last_mail_seconds", "Last mail, seconds since 1970", labels=("camera",)
        )
        silent = GaugeMetricFamily("camalert_camera_silent", "1 when silent for too long", labels=("camera",))
        mails = CounterMetricFamily("camalert_camera_mails", "Mails since the start", labels=("camera",))
        failures = CounterMetricFamily(
            "camalert_camera_failures", "Failed sessions since the start", labels=("camera",)
        )
        for camera in self._status.cameras:
            last.add_metric((camera.name,), camera.last_mail_utc)
            silent.add_metric((camera.name,), float(camera.is_silent))
            mails.add_metric((camera.name,), camera.mails)
            failures.add_metric((camera.name,), camera.failures)
        yield from (last, silent, mails, failures)
