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
from testing.reviewrig import Visitor  # noqa: E402

RUNS = 7
PAGES = {
    "people, newest": "/",
    "all alarms, newest": "/alarms/",
    "a page far back": "/alarms/more/?before={middle}",
    "one camera": "/alarms/?camera=Garage",
    "a camera that never was": "/alarms/?camera=nothing",
    "one day": "/alarms/?day={day}",
    "not reviewed": "/alarms/?review=new",
    "not examined (there is none)": "/alarms/?outcome=failed",
    "score 90 % and more": "/?score=90",
    "camera, reviewed, score": "/alarms/?camera=Garage&review=done&score=90",
    "marked (there is none)": "/?mark=any",
    "one alarm": "/alarms/{row}/",
    "a picture": "/alarms/{row}/picture",
    "its small picture": "/alarms/{row}/thumbnail",
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
    offset = arguments.alarms // 2
    row, middle = home.connection.execute(
        "SELECT alert_id, timestamp FROM camalert_alert ORDER BY timestamp DESC LIMIT 1 OFFSET ?", (offset,)
    ).fetchone()
    home.close()
    facts = {"row": row, "middle": f"{middle}~{row}".replace(" ", "%20"), "day": middle[:10]}
    port = reviewrig.free_port()
    print(f"{database.stat().st_size / 1e6:.0f} MB, {RUNS} requests a page, first (cold) and median, in ms")
    with reviewrig.site(reviewrig.config(arguments.folder, port)):
        visitor = Visitor(port)
        if visitor.set_up().status != 302:  # a second run finds the login of the first
            visitor.log_in()
        for name, path in PAGES.items():
            times = [_timed(visitor, path.format(**facts)) for _ in range(RUNS)]
            print(f"{name:32}{times[0]:8.1f}{statistics.median(times):8.1f}")
    return 0


def _timed(visitor: Visitor, path: str) -> float:
    began = time.perf_counter()
    answer = visitor.get(path)
    took_ms = (time.perf_counter() - began) * 1000
    assert answer.status == 200, (path, answer.status)
    return took_ms


if __name__ == "__main__":
    sys.exit(main())
