"""How long until the phone rings: from the last byte of the mail to a receiver that has the message with its picture.

    python perf/telling.py [--mails 40] [--backlog 3000]

A webhook on this machine takes the messages. Each mail begins a visit of its own. The committed verdict of the same
mail is measured beside it, so that what telling adds is the difference within one run. Idle: one mail after the other.
Under load: live mails while a backlog of small pictures waits for its examination.
"""

from __future__ import annotations

import argparse
import contextlib
import http.server
import json
import sqlite3
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import latency
import rig

PAUSE_S = 1.3  # visits.gap_seconds is 1: the next mail begins another visit
LIMIT_S = 120.0


class Receiver:
    """Note when each message arrived with all of its bytes, and whether it had a picture."""

    def __init__(self) -> None:
        self.arrived: list[tuple[float, bool]] = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                at = time.perf_counter()
                self.send_response(204)
                self.end_headers()
                receiver.arrived.append((at, "picture" in json.loads(body)["data"]))

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def port(self) -> int:
        """Return where it listens."""
        return int(self.server.server_address[1])


@contextlib.contextmanager
def service(receiver: Receiver, keep: int) -> Iterator[rig.Service]:
    """Run a service that tells the receiver of visits."""
    more = f'[[notify]]\nname = "phone"\nurl = "webhook+http://127.0.0.1:{receiver.port}/"\n'
    settings = {"detector__processes": 1, "detector__engine": "openvino", "database__keep_alerts": keep}
    with rig.service(5, more=more, visits__gap_seconds=1, **settings) as running:
        yield running


def waits(running: rig.Service, receiver: Receiver, mails: list[bytes], subject: str) -> list[tuple[float, float]]:
    """Send mails one after the other; return for each the seconds until its verdict and until its message."""
    found = []
    client = rig.Client(running.port)
    wal = Path(f"{running.database}-wal")
    statement = "SELECT count(*) FROM alerts_detect WHERE subject = ?"
    with contextlib.closing(sqlite3.connect(f"file:{running.database}?mode=ro", uri=True, timeout=30)) as reader:
        for number, mail in enumerate(mails):
            before = len(receiver.arrived)
            client.send(mail)
            verdict_at = 0.0
            seen = looks = 0
            deadline = time.perf_counter() + LIMIT_S
            while len(receiver.arrived) == before or not verdict_at:
                if time.perf_counter() > deadline:
                    raise RuntimeError(f"mail {number} was not told within {LIMIT_S} s")
                if (changed := wal.stat().st_mtime_ns) != seen:
                    seen, looks = changed, latency.LOOKS
                if not verdict_at and looks and reader.execute(statement, (subject,)).fetchone()[0] > number:
                    verdict_at = time.perf_counter()
                looks = max(0, looks - 1)
                time.sleep(0.001)
            at, has_picture = receiver.arrived[-1]
            if len(receiver.arrived) != before + 1 or not has_picture:
                raise RuntimeError(f"mail {number} was not told by one message with a picture")
            found.append((verdict_at - client.sent_at, at - client.sent_at))
            time.sleep(PAUSE_S)
    client.close()
    return found


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=40)
    parser.add_argument("--backlog", type=int, default=3000)
    options = parser.parse_args()
    pictures = rig.pictures(options.mails, people_share=1)
    receiver = Receiver()
    with service(receiver, options.backlog * 2) as running:
        waits(running, receiver, [rig.mail(pictures[0], "warm")], "warm")
        idle = waits(running, receiver, [rig.mail(picture, "idle") for picture in pictures], "idle")
        latency.fill(running, options.backlog)
        pending = running.pending()
        loaded = waits(running, receiver, [rig.mail(picture, "live") for picture in pictures[:20]], "live")
        left = running.pending()
    receiver.server.shutdown()
    rows, figures = [], rig.machine()
    for name, label, found in (("idle", "idle", idle), ("loaded", f"with a backlog of {left} to {pending}", loaded)):
        verdicts, messages = ([pair[place] for pair in found] for place in (0, 1))
        for what, values in (("verdict", verdicts), ("message", messages)):
            shown = {f"p{share}": round(latency.percentile(values, share / 100) * 1000, 1) for share in (50, 95)}
            rows.append([f"{label}: {what}", shown["p50"], shown["p95"]])
            figures[f"{name}_{what}_ms"] = shown
        added = [message - verdict for verdict, message in found]
        figures[f"{name}_p50_over_verdict_ms"] = round(statistics.median(added) * 1000, 1)
    rig.report("telling", ["", "p50 ms", "p95 ms"], rows, figures)


if __name__ == "__main__":
    main()
