"""The original's review site on our database: a Django project of the same shape, unchanged, while mails arrive.

Runs with the Django of this environment. CAMALERT_CAMS_PYTHONS names further interpreters, divided by colons, in whose
environments other versions of Django are installed (4.2, the newest).
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from testing.cams import LIMIT_S, RunSite, finish, migrate, site
from testing.storerig import JPEG, Rig

from camalert.ipc.messages import StoreCode
from camalert.store.sqlite.verify import verify

pytest.importorskip("django", reason="Django is not installed in this environment")
PYTHONS = [sys.executable, *filter(None, os.environ.get("CAMALERT_CAMS_PYTHONS", "").split(":"))]
VISIT_S = 3.0
COMMIT_PAUSE_S = 0.1


@pytest.fixture(params=PYTHONS, ids=lambda python: Path(python).parents[1].name)
def run_site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunSite]:
    """Run a program of the site on the database `alerts.sqlite3` of the test's folder."""
    with site(tmp_path, request.param, CAMS_ALERTS=str(tmp_path / "alerts.sqlite3")) as run:
        yield run


def shape(path: Path) -> list[Any]:
    """Return everything about Django's tables that a program could see."""
    connection = sqlite3.connect(path)
    tables = ("alerts_alert", "alerts_detect", "django_migrations")
    found: list[Any] = []
    for table in tables:
        found += connection.execute(
            "SELECT type, name, sql FROM sqlite_master WHERE tbl_name = ? AND type <> 'trigger'", (table,)
        )
        found += connection.execute(f"PRAGMA table_xinfo({table})")
        found += connection.execute(f"PRAGMA index_list({table})")
        found += connection.execute(f"PRAGMA foreign_key_list({table})")
    found += connection.execute("SELECT app, name FROM django_migrations WHERE app = 'alerts' ORDER BY id")
    connection.close()
    return found


def visit(run_site: RunSite, rig: Rig, options: dict[str, Any] | None = None) -> dict[str, Any]:
    """Let a person use the site while ten mails a second come in; every one of them must be stored."""
    process = run_site("visit.py", str(VISIT_S), options=options)
    codes = []
    deadline = time.monotonic() + LIMIT_S
    while process.poll() is None:
        assert time.monotonic() < deadline, "the visit does not end"
        codes.append(rig.store(JPEG).code)
        time.sleep(COMMIT_PAUSE_S)  # the cameras' pace, not a wait for something
    assert set(codes) == {StoreCode.STORED}, "database is locked on our side"
    return dict(json.loads(finish(process)))


@pytest.mark.parametrize("first", ["ours", "django"])
def test_tables_are_exactly_django_s_whoever_is_first(run_site: RunSite, tmp_path: Path, first: str) -> None:
    """`migrate` succeeds on a database that we made, we work on one that Django made, and the tables are the same."""
    pure = tmp_path / "alerts.sqlite3"
    migrate(run_site)
    expected = shape(pure)
    if first == "ours":
        pure.unlink()
        Rig(tmp_path).close()
        assert shape(pure) == expected
        migrate(run_site)
    else:
        Rig(tmp_path).close()

    assert shape(pure) == expected
    assert verify(pure).is_sound
    assert finish(run_site("-m", "django", "migrate", "--database=alerts", "--check")) == ""


@pytest.mark.parametrize("first", ["ours", "django"])
def test_cams_works_unchanged_while_mails_arrive(run_site: RunSite, tmp_path: Path, first: str) -> None:
    """List, filter by date, open, add, delete; on our side the database is never locked."""
    if first == "django":
        migrate(run_site)
    rig = Rig(tmp_path, busy_seconds=10.0)
    try:
        if first == "ours":
            migrate(run_site)
        rig.store(JPEG, JPEG)

        done = visit(run_site, rig)

        assert done["opened"] == 200
        assert done["filtered"] >= 2
        assert done["lists"] > 0
        assert done["adds"] > 0
        assert done["deletes"] > 0
        assert done["deleted_alert"] == 302
        assert rig.rows("SELECT count(*) FROM alerts_alert WHERE id = ?", done["alert"]) == [(0,)]
        assert rig.rows("SELECT count(*) FROM camalert_pending WHERE alert_id = ?", done["alert"]) == [(0,)]
        assert rig.rows("SELECT count(*) FROM camalert_detect") == [(done["adds"] - done["deletes"],)]
    finally:
        rig.close()
    assert verify(rig.path).is_sound


def test_cams_with_immediate_transactions_is_never_locked_out(run_site: RunSite, tmp_path: Path) -> None:
    """With `transaction_mode: IMMEDIATE` cams waits for its turn instead of failing."""
    version = finish(run_site("-c", "import django; print(django.VERSION[:2] >= (5, 1))"))
    if version.strip() != "True":
        pytest.skip("transaction_mode came with Django 5.1")
    rig = Rig(tmp_path, busy_seconds=10.0)
    try:
        migrate(run_site)
        done = visit(run_site, rig, {"transaction_mode": "IMMEDIATE", "timeout": 20})
    finally:
        rig.close()

    assert done["locked"] == 0
    assert done["deletes"] == done["adds"] > 0


def test_migration_of_the_site_while_the_writer_runs(run_site: RunSite, tmp_path: Path) -> None:
    """Django rebuilds a table for a new column's length; the writer repairs its triggers and misses no row."""
    rig = Rig(tmp_path, busy_seconds=10.0)
    try:
        migrate(run_site)
        rig.store(JPEG)
        finish(run_site("alter.py"))

        rig.store(JPEG)

        assert rig.rows("SELECT alert_id, mail FROM camalert_alert") == [(1, 1), (2, 2)]
        assert rig.rows("SELECT sql LIKE '%varchar(250)%' FROM sqlite_master WHERE name = 'alerts_alert'") == [(1,)]
    finally:
        rig.close()
    assert verify(rig.path).is_sound
