"""Measure how long the review site's pages take with very many alarms.

A database of small pictures is made once and kept in the folder, so that a second run measures at once.

    python perf/review.py [--folder DIR] [--alarms 100000]
"""

from __future__ import annotations

import argparse
import datetime
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from testing import household, reviewrig  # noqa: E402 - found by the line above
from testing.ports import free_port  # noqa: E402
from testing.reviewrig import Visitor  # noqa: E402

RUNS = 20
PAGES = {
    "visits to review": "/",
    "visits, all": "/?review=all",
    "visits, reviewed (there are few)": "/?review=done",
    "visits of one camera": "/?camera=Garage",
    "visits of one day": "/?review=all&day={day}",
    "visits, flagged (there is none)": "/?review=all&mark=any",
    "visits, a page far back": "/visits/more/?review=all&before={began}",
    "one visit": "/visits/{visit}/",
    "the bin": "/bin/",
    "pictures with people, newest": "/people/",
    "all alarms, newest": "/alarms/",
    "a page far back": "/alarms/more/?before={middle}",
    "one camera": "/alarms/?camera=Garage",
    "a camera that never was": "/alarms/?camera=nothing",
    "one day": "/alarms/?day={day}",
    "not reviewed": "/alarms/?review=new",
    "not examined (there is none)": "/alarms/?outcome=failed",
    "score 90 % or more": "/people/?score=90",
    "camera, reviewed, score": "/alarms/?camera=Garage&review=done&score=90",
    "marked (there is none)": "/people/?mark=any",
    "one alarm": "/alarms/{row}/",
    "a picture": "/alarms/{row}/picture",
    "its thumbnail": "/alarms/{row}/thumbnail",
    "cameras": "/cameras/",
    "status": "/status/",
    "the admin's list": "/admin/alerts/alert/",
}


def main(words: Sequence[str] | None = None) -> int:
    """Fill the database if need be, run the site on it, and print what each page took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=ROOT / "perf" / "out" / "review")
    parser.add_argument("--alarms", type=int, default=100_000)
    arguments = parser.parse_args(words)
    now = datetime.datetime.now().replace(microsecond=0)  # noqa: DTZ005 - as the rows are
    database = arguments.folder / "alerts.sqlite3"
    home = household.Household(database)
    present = home.connection.execute("SELECT count(*) FROM camalert_alert").fetchone()[0]
    if present < arguments.alarms:
        print(f"filling {database} with {arguments.alarms - present} alarms")
        home.fill(arguments.alarms - present, household.tiny(), end=now)
        home.group()
    offset = arguments.alarms // 2
    row, middle = home.connection.execute(
        "SELECT alert_id, timestamp FROM camalert_alert ORDER BY timestamp DESC LIMIT 1 OFFSET ?", (offset,)
    ).fetchone()
    visits = home.connection.execute("SELECT count(*) FROM camalert_visit").fetchone()[0]
    visit, began = home.connection.execute(
        "SELECT id, began_utc FROM camalert_visit ORDER BY began_utc DESC LIMIT 1 OFFSET ?", (visits // 2,)
    ).fetchone()
    home.close()
    facts = {
        "row": row,
        "middle": f"{middle}~{row}".replace(" ", "%20"),
        "day": middle[:10],
        "visit": visit,
        "began": f"{began!r}~{visit}",
    }
    port = free_port()
    print(f"{database.stat().st_size / 1e6:.0f} MB, {visits} visits, {RUNS} requests a page")
    print(f"{'first (cold), median and p95 in ms; kB':>66}")
    settings = reviewrig.config(arguments.folder, port, admin=True)
    with reviewrig.site(settings):
        visitor = Visitor(port)
        if visitor.log_in().status != 302:  # a second run finds the login of the first
            visitor.set_up(Path(settings.review.data_dir))
        for name, path in PAGES.items():
            times = [_timed(visitor, path.format(**facts)) for _ in range(RUNS)]
            p95 = statistics.quantiles(times, n=20)[-1]
            size = len(visitor.get(path.format(**facts)).body) / 1000
            print(f"{name:34}{times[0]:8.1f}{statistics.median(times):8.1f}{p95:8.1f}{size:8.1f}")
    return 0


def _timed(visitor: Visitor, path: str) -> float:
    began = time.perf_counter()
    answer = visitor.get(path)
    took_ms = (time.perf_counter() - began) * 1000
    assert answer.status == 200, (path, answer.status)
    return took_ms


if __name__ == "__main__":
    sys.exit(main())
