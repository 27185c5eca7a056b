"""What a picture costs the supervisor when messages come one after another, and how many it can route a second.

    python perf/supervisor.py [--detectors 1 4 16] [--picture-ms 80]

The supervisor is the real one, with its children in their real number, but each child answers at once and looks at no
picture (`echoes.py`). A picture is 4 datagrams to it and 5 from it. The bound is a bare loop of epoll, recv and send
between the same children, that knows beforehand what to send to which child and keeps no tables.

At a home's pace the supervisor costs several times as much a picture, as perf/pipeline.py says: it then wakes for each
message and finds the processor's caches full of the detectors' data. What bounds a large machine is the cost here.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import echoes
import rig

HERE = Path(__file__).resolve().parent
PICTURE_MS = 80.0  # CPU of all processes a picture, perf/pipeline.py


@dataclass(frozen=True, slots=True)
class Cost:
    """What a picture took of the process in the middle, in the round that other programs disturbed least."""

    cpu_us: float
    waits: float  # voluntary context switches
    rate: float  # pictures a second


def main() -> None:
    """Measure and print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--detectors", type=int, nargs="+", default=[1, 4, 16], help="with half as many decoders")
    parser.add_argument("--picture-ms", type=float, default=PICTURE_MS, help="CPU a picture of all processes")
    options = parser.parse_args()
    rows, shapes = [], []
    for detectors in options.detectors:
        ours, bare = cost("supervise", detectors), cost("route", detectors)
        limit = 1e6 / ours.cpu_us
        cores = limit * options.picture_ms / 1000
        rows += [
            [detectors, "supervisor", ours.cpu_us, ours.waits, round(ours.rate), round(limit), round(cores)],
            ["", "bare loop", bare.cpu_us, bare.waits, round(bare.rate), "", ""],
            ["", "ratio", ours.cpu_us / bare.cpu_us, "", ours.rate / bare.rate, "", ""],
        ]
        shapes.append(
            {
                "detectors": detectors,
                "cpu_us": round(ours.cpu_us, 1),
                "bare_us": round(bare.cpu_us, 1),
                "waits": round(ours.waits, 3),
                "rate": round(ours.rate),
                "limit_per_s": round(limit),
                "cores": round(cores),
            }
        )
    print("CPU and waits (sleeps) a picture are measured; the limit, 1 s / CPU, and the cores it feeds are computed.\n")
    figures = {**rig.machine(), "picture_ms": options.picture_ms, "shapes": shapes}
    headings = ["detectors", "", "CPU us", "waits", "pictures/s", "limit/s", "cores fed"]
    rig.report("supervisor", headings, rows, figures)


def cost(side: str, detectors: int) -> Cost:
    """Run one side, a function of `middle.py`, in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="camalert-perf-") as folder:
        command = f"import middle; middle.{side}({folder!r}, {detectors})"
        subprocess.run([sys.executable, "-c", command], cwd=HERE, check=True)
        marks = [echoes.Mark(*mark) for mark in json.loads(Path(folder, echoes.FOUND).read_text(encoding="ascii"))]
    rounds = [
        Cost(
            (after.cpu_s - before.cpu_s) * 1e6 / (after.pictures - before.pictures),
            (after.waits - before.waits) / (after.pictures - before.pictures),
            (after.pictures - before.pictures) / (after.at_s - before.at_s),
        )
        for before, after in itertools.pairwise(marks)
    ]
    return min(rounds, key=lambda found: found.cpu_us)


if __name__ == "__main__":
    main()
