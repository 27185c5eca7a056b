"""The figures for Prometheus."""

from __future__ import annotations

import pytest

from camalert.status.model import CameraStatus, ChildStatus, Status

pytest.importorskip("prometheus_client", reason="the metrics extra is not installed")

from prometheus_client.parser import text_string_to_metric_families

from camalert.status.exposition import expose


def test_expose_is_text_that_prometheus_reads() -> None:
    """Figures, processes and cameras arrive with their names, also odd ones."""
    status = Status(
        "1.0", 7, 90.0, 1.0, "running", 1.0,
        alerts_today=42, mails=9,
        children=(ChildStatus("writer", "ready"), ChildStatus("smtp", "backoff", restarts=2)),
        cameras=(CameraStatus('gar"age\n\\', last_mail_utc=80.0, is_silent=True),),
    )  # fmt: skip

    body, kind = expose(status, 100.0)

    samples = {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }
    assert kind.startswith("text/plain")
    assert samples["camalert_up", ()] == 1
    assert samples["camalert_degraded", ()] == 1
    assert samples["camalert_status_age_seconds", ()] == 10
    assert samples["camalert_alerts_today", ()] == 42
    assert samples["camalert_mails_total", ()] == 9
    assert samples["camalert_child_state", ("smtp", "backoff")] == 1
    assert samples["camalert_child_state", ("smtp", "ready")] == 0
    assert samples["camalert_child_restarts_total", ("smtp",)] == 2
    assert samples["camalert_camera_silent", ('gar"age\n\\',)] == 1
