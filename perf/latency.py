"""How long an owner waits: from the last byte of the mail to the committed row of its detection.

    python perf/latency.py [--mails 60] [--backlog 5000]

The bound is the bare decode, examination, annotation and encoding of the same pictures in one process, in the same
run, before and after the idle service: a shared machine is faster at one time than at another. A second one makes the
pauses of the idle service, too, after which everything takes longer. Idle: one mail after the other. Under load: live
mails while a backlog of small pictures waits.
"""

from __future__ import annotations

import argparse
import contextlib
import sqlite3
import statistics
import threading
import time
from pathlib import Path

import pipeline
import rig

PAUSE_S = 0.05  # between two alarms of an idle house, in which processor and caches come to rest
LOOKS = 10  # at the rows after the WAL has changed: they can be read a moment after they were written


def percentile(values: list[float], share: float) -> float:
    """Return the value that this share of `values` does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def waits(running: rig.Service, mails: list[bytes], subject: str, pause_s: float) -> list[float]:
    """Send mails one after the other; return the seconds until each one's detection row is there.

    The database is only asked just after its WAL has changed: the writer gives way to readers, and one that asks all
    the time would measure itself.
    """
    found = []
    client = rig.Client(running.port)
    wal = Path(f"{running.database}-wal")
    statement = "SELECT count(*) FROM alerts_detect WHERE subject = ?"
    with contextlib.closing(sqlite3.connect(f"file:{running.database}?mode=ro", uri=True, timeout=30)) as reader:
        for number, mail in enumerate(mails):
            client.send(mail)
            started = client.sent_at
            seen = looks = 0
            while True:
                if (changed := wal.stat().st_mtime_ns) != seen:
                    seen, looks = changed, LOOKS
                if looks and reader.execute(statement, (subject,)).fetchone()[0] > number:
                    break
                looks = max(0, looks - 1)
                time.sleep(0.001)
            found.append(time.perf_counter() - started)
            time.sleep(pause_s)
    client.close()
    return found


def fill(running: rig.Service, count: int) -> None:
    """Make a backlog of small pictures, from several sessions at once."""
    small = rig.small_picture()

    def send(share: int) -> None:
        client = rig.Client(running.port)
        for _ in range(share):
            client.send(rig.mail(small, "backlog"))
        client.close()

    threads = [threading.Thread(target=send, args=(count // 8,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=60)
    parser.add_argument("--backlog", type=int, default=5000)
    options = parser.parse_args()
    pictures = rig.pictures(options.mails, people_share=1)
    bare = pipeline.run_bare(pictures, "openvino", 1)
    keep = options.backlog * 2
    with rig.service(4, detector__processes=1, detector__engine="openvino", database__keep_alerts=keep) as running:
        waits(running, [rig.mail(pictures[0], "warm")], "warm", 0.0)
        idle = waits(running, [rig.mail(picture, "idle") for picture in pictures], "idle", PAUSE_S)
        [paced] = pipeline.run_bare(pictures, "openvino", 1, PAUSE_S)
        bare += pipeline.run_bare(pictures, "openvino", 1)
        fill(running, options.backlog)
        pending = running.pending()
        loaded = waits(running, [rig.mail(picture, "live") for picture in pictures[:30]], "live", 0.2)
        left = running.pending()
    bare_s = statistics.mean(loop.decode_s + loop.detect_s + loop.encode_s for loop in bare)
    paced_s = paced.decode_s + paced.detect_s + paced.encode_s
    rows = [
        ["bare decode + examine + encode", bare_s * 1000, "", ""],
        ["the same with the pauses of idle", paced_s * 1000, "", ""],
        ["idle", *(percentile(idle, share) * 1000 for share in (0.5, 0.95, 0.99))],
        [f"with a backlog of {left} to {pending}", *(percentile(loaded, share) * 1000 for share in (0.5, 0.95, 0.99))],
    ]
    figures = {
        **rig.machine(),
        "bare_ms": round(bare_s * 1000, 1),
        "paced_ms": round(paced_s * 1000, 1),
        "idle_ms": {f"p{share}": round(percentile(idle, share / 100) * 1000, 1) for share in (50, 95, 99)},
        "loaded_ms": {f"p{share}": round(percentile(loaded, share / 100) * 1000, 1) for share in (50, 95, 99)},
        "idle_p50_over_bare_ms": round((statistics.median(idle) - bare_s) * 1000, 1),
        "idle_p50_over_paced_ms": round((statistics.median(idle) - paced_s) * 1000, 1),
        "loaded_p95_over_idle_p95": round(percentile(loaded, 0.95) / percentile(idle, 0.95), 2),
    }
    rig.report("latency", ["", "p50 ms", "p95 ms", "p99 ms"], rows, figures)


if __name__ == "__main__":
    main()
