"""What the service takes of the memory, and how long it takes to be ready.

    python perf/memory.py [--detectors 2] [--mails 40]

Memory is proportional (PSS: what several processes share is counted once), after some mails; the pool's shared memory
is stated apart. Source: proc(5), smaps_rollup.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

import rig

MIB = 1 << 20
STARTS = 3


def start_s(detectors: int) -> tuple[float, float]:
    """Return the seconds until mails are taken, and until every child is ready: medians of a few starts."""
    taken, complete = [], []
    for _ in range(STARTS):
        with tempfile.TemporaryDirectory(prefix="camalert-perf-") as folder:
            running = rig.Service(Path(folder), detector__processes=detectors, detector__engine="openvino")
            complete.append(running.wait_ready(3 + detectors))
            ready = [event for event in running.events() if event["event"] in ("service_started", "service_ready")]
            taken.append(complete[-1] - rig.seconds_between(ready[1], running.events()[-1]))
            running.stop()
    return statistics.median(taken), statistics.median(complete)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detectors", type=int, default=2)
    parser.add_argument("--mails", type=int, default=40)
    options = parser.parse_args()
    taken_s, complete_s = start_s(options.detectors)
    children = 2 + options.detectors + max(1, options.detectors // 2)
    with rig.service(children, detector__processes=options.detectors, detector__engine="openvino") as running:
        client = rig.Client(running.port)
        for picture in rig.pictures(options.mails):
            client.send(rig.mail(picture))
        client.close()
        running.wait_examined(options.mails)
        costs = running.costs()
        pool_bytes = next(event for event in running.events() if event["event"] == "service_started")["pool_bytes"]
    without = sum(cost.pss_bytes for name, cost in costs.items() if not name.startswith("detector"))
    everything = sum(cost.pss_bytes for cost in costs.values())
    rows: list[list[object]] = [
        [name, cost.pss_bytes / MIB, cost.anonymous_bytes / MIB] for name, cost in sorted(costs.items())
    ]
    rows += [["without detectors", without / MIB, ""], ["all", everything / MIB, ""]]
    rows += [["pool (shared memory)", int(str(pool_bytes)) / MIB, ""]]
    figures = {
        **rig.machine(),
        "detectors": options.detectors,
        "pss_without_detectors_mib": round(without / MIB, 1),
        "pss_mib": round(everything / MIB, 1),
        "pool_mib": round(int(str(pool_bytes)) / MIB, 1),
        "takes_mails_after_s": round(taken_s, 2),
        "all_ready_after_s": round(complete_s, 2),
    }
    rig.report("memory", ["process", "PSS MiB", "of it anonymous"], rows, figures)


if __name__ == "__main__":
    main()
