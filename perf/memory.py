"""What the service takes of the memory, and how long it takes to be ready.

    python perf/memory.py [--detectors 2] [--mails 40]
    python perf/memory.py --small        profile "small" alone, with and without the review site, at work and at rest

Memory is proportional (PSS: what several processes share is counted once), after some mails; the pool's shared memory
is stated apart. Source: proc(5), smaps_rollup. The start is stated in CPU seconds too, which say more on a busy
machine, beside what one process that does nothing but load the engine and try it needs of them.
"""

from __future__ import annotations

import argparse
import compileall
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import rig

MIB = 1 << 20
STARTS = 3
SETTLED_S = 10.0
RESTS_S = 40.0  # detector.rest_seconds of profile "small", and a ping


@dataclass(frozen=True, slots=True)
class Start:
    """One start of the service."""

    taken_s: float  # until mails are taken
    complete_s: float  # until every child is ready
    cpu_s: float  # of all processes until then
    detector_cpu_s: float


def start(detectors: int, children: int) -> Start:
    """Start a service in an empty folder and stop it again."""
    with tempfile.TemporaryDirectory(prefix="camalert-perf-") as folder:
        running = rig.Service(Path(folder), detector__processes=detectors, detector__engine="openvino")
        complete_s = running.wait_ready(children)
        costs = running.costs()
        ready = [event for event in running.events() if event["event"] in ("service_ready", "child_ready")]
        taken = next(event for event in ready if event["event"] == "service_ready")
        running.stop()
    return Start(
        taken_s=complete_s - rig.seconds_between(taken, ready[-1]),
        complete_s=complete_s,
        cpu_s=sum(cost.cpu_s for cost in costs.values()),
        detector_cpu_s=costs["detector-1"].cpu_s,
    )


def engine_cpu_s() -> float:
    """Return the CPU seconds of a process that loads the engine, tries it and ends."""
    before = os.times()
    command = [sys.executable, "-m", "camalert.detection.selftest", "openvino"]
    subprocess.run(command, check=True, cwd=rig.ROOT)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def small(mails: int) -> None:
    """Measure profile "small": after the start, just after pictures, a moment later, and when the detector rests."""
    rows: list[list[object]] = []
    figures: dict[str, object] = rig.machine()
    for is_site in (True, False):
        with tempfile.TemporaryDirectory(prefix="camalert-perf-") as folder:
            site = {"review__enabled": is_site, "review__port": 18_025, "review__data_dir": f"{folder}/review"}
            running = rig.Service(Path(folder), service__profile="small", **site)
            try:
                running.wait_ready(4 + is_site)
                time.sleep(SETTLED_S)
                seen = {"start": running.pss_bytes()}
                client = rig.Client(running.port)
                for picture in rig.pictures(mails):
                    client.send(rig.mail(picture))
                client.close()
                running.wait_examined(mails)
                seen["pictures"] = running.pss_bytes()
                time.sleep(SETTLED_S)
                seen["moment"] = running.pss_bytes()
                time.sleep(RESTS_S)
                seen["rest"] = running.pss_bytes()
            finally:
                running.stop()
        what = "with the site" if is_site else "without"
        names = sorted(seen["start"], key=lambda name: (name.startswith("other"), name))
        rows += [[f"  {name}", *(at.get(name, 0) / MIB for at in seen.values())] for name in names] if is_site else []
        rows += [[what, *(sum(at.values()) / MIB for at in seen.values())]]
        figures |= {f"{what}: {when}": round(sum(at.values()) / MIB, 1) for when, at in seen.items()}
    rig.report("small", ["PSS MiB", "started", "after pictures", "10 s later", "at rest"], rows, figures)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detectors", type=int, default=2)
    parser.add_argument("--mails", type=int, default=40)
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args()
    compileall.compile_dir(rig.ROOT / "camalert", quiet=2)  # as an installation has it
    if options.small:
        small(options.mails)
        return
    children = 2 + options.detectors + max(1, options.detectors // 2)
    starts, alone_s = [], []
    for _ in range(STARTS):
        starts.append(start(options.detectors, children))
        alone_s.append(engine_cpu_s())
    with rig.service(children, detector__processes=options.detectors, detector__engine="openvino") as running:
        client = rig.Client(running.port)
        for picture in rig.pictures(options.mails):
            client.send(rig.mail(picture))
        client.close()
        running.wait_examined(options.mails)
        costs = running.costs()
        pool_bytes = next(event for event in running.events() if event["event"] == "service_starting")["pool_bytes"]
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
        "takes_mails_after_s": round(statistics.median(one.taken_s for one in starts), 2),
        "all_ready_after_s": round(statistics.median(one.complete_s for one in starts), 2),
        "start_cpu_s": round(statistics.median(one.cpu_s for one in starts), 2),
        "detector_start_cpu_s": round(statistics.median(one.detector_cpu_s for one in starts), 2),
        "engine_alone_cpu_s": round(statistics.median(alone_s), 2),
    }
    rig.report("memory", ["process", "PSS MiB", "of it anonymous"], rows, figures)


if __name__ == "__main__":
    main()
