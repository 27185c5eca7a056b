"""Measure how long the review site's pages take with very many alarms.

A database of small pictures is made once and kept in the folder, so that a second run measures at once. Beside the time
that a visitor waits stands the processor's time that the site spent, which other work on the machine does not lengthen.

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

RUNS = 40
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
    "one camera's page": "/cameras/Garage/",
    "what other settings would mean": "/api/v1/cameras/Garage/preview/",
    "known objects": "/cameras/known/",
    "set up": "/cameras/set-up/",
    "notifications": "/notifications/",
    "figures": "/figures/",
    "status": "/status/",
    "a search": "/alarms/?words=garage%20line&since={day}%2000:00",
    "another day's strip": "/day/?list=visits&day={day}",
    "kept mails": "/kept/",
    "settings": "/settings/",
    "the account": "/account/",
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
    print(f"{'':34}{'first':>8}{'median':>8}{'p95':>8}{'CPU':>8}{'CPU p95':>9}  ms{'kB':>7}")
    settings = reviewrig.config(arguments.folder, port, admin=True)
    with reviewrig.site(settings) as site:
        visitor = Visitor(port)
        if visitor.log_in().status != 302:  # a second run finds the login of the first
            visitor.set_up(Path(settings.review.data_dir))
        for name, path in PAGES.items():
            body = b'{"threshold": 0.6}' if path.endswith("/preview/") else None
            found = [_timed(visitor, path.format(**facts), body, site.pid) for _ in range(RUNS)]
            waited, spent = ([each[column] for each in found] for column in (0, 1))
            p95, spent_p95 = (statistics.quantiles(times, n=20)[-1] for times in (waited, spent))
            print(
                f"{name:34}{waited[0]:8.1f}{statistics.median(waited):8.1f}{p95:8.1f}"
                f"{statistics.median(spent):8.1f}{spent_p95:9.1f}{found[0][2] / 1000:11.1f}"
            )
    return 0


def _timed(visitor: Visitor, path: str, body: bytes | None, pid: int) -> tuple[float, float, int]:
    """Return how long a request took and how long the site's process computed, in ms, and the bytes of the answer."""
    token = {"X_CSRFToken": visitor.form_token("/account/"), "Content_Type": "application/json"} if body else {}
    computed_ms, began = _computed_ms(pid), time.perf_counter()
    answer = visitor.ask("POST" if body else "GET", path, body, **token)
    took_ms = (time.perf_counter() - began) * 1000
    assert answer.status == 200, (path, answer.status)
    return took_ms, _computed_ms(pid) - computed_ms, len(answer.body)


def _computed_ms(pid: int) -> float:
    """Return for how long a process's threads have computed. Source: proc(5), schedstat, in nanoseconds."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text(encoding="ascii").split()[0]) for thread in threads) / 1e6


if __name__ == "__main__":
    sys.exit(main())
