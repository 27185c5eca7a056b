"""What the supervisor makes of what its children tell."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from testing.logged import captured

from camalert.config.schema import Config, Service
from camalert.ipc.messages import NOTE_BYTES
from camalert.status.model import Status
from camalert.supervisor.reporter import Reporter

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
NOTES = st.fixed_dictionaries(
    {"event": st.sampled_from(["camera_known", "database_unusable", "mail_stored"]) | JSON},
    optional=dict.fromkeys(("level", "camera", "peer", "message", "pictures", "is_failure", "seen_utc"), JSON),
)


@given(NOTES.map(lambda note: json.dumps(note).encode()[:NOTE_BYTES]) | st.binary(max_size=NOTE_BYTES))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_note_is_taken_or_called_unreadable(tmp_path: Path, text: bytes) -> None:
    """A child that lies ends neither the supervisor nor makes a status that nobody can read."""
    reporter = Reporter(Config(service=Service(run_dir=str(tmp_path))), 0, 0)
    with captured():
        reporter.note("decoder-1", text)
        reporter.database_usable()

    shown = reporter.tracker.render(1.0, 1e9).encode()
    assert Status.decode(shown).state == "starting"
    assert b"NaN" not in shown
    assert b"Infinity" not in shown


def test_note_nested_without_end_is_called_unreadable(tmp_path: Path) -> None:
    """A thousand brackets are more than the JSON reader's stack."""
    reporter = Reporter(Config(service=Service(run_dir=str(tmp_path))), 0, 0)
    with captured() as lines:
        reporter.note("decoder-1", b"[" * NOTE_BYTES)
        reporter.database_usable()

    assert [line["event"] for line in lines] == ["note_unreadable"]
