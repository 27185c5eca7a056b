"""Run every measurement and write `perf/RESULTS.md`.

    python perf/results.py [--only NAME ...]

Each measurement is a command of its own; its table goes into the file as it is printed.
"""

from __future__ import annotations

import argparse
import ast
import importlib.metadata
import json
import subprocess
import sys
import time
from pathlib import Path

import rig

HERE = Path(__file__).resolve().parent
COMMANDS = {
    "intake": ["intake.py"],
    "store": ["store.py", "--seconds", "6"],
    "pipeline": ["pipeline.py", "--pictures", "120"],
    "supervisor": ["supervisor.py", "--detectors", "1", "16"],
    "latency": ["latency.py", "--mails", "40"],
    "telling": ["telling.py", "--mails", "30"],
    "scaling": ["scaling.py", "--pictures", "60"],
    "memory": ["memory.py"],
    "peers": ["peers.py", "--pictures", "60"],
    "learning": ["learning.py"],
}
PACKAGES = ("opencv-python-headless", "openvino", "aiosmtpd", "numpy", "pybase64")


def main() -> int:
    """Run, show progress, write the file; return 1 when a measurement failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=COMMANDS, default=list(COMMANDS))
    options = parser.parse_args()
    sections, failed = [], []
    for number, name in enumerate(options.only, 1):
        print(f"[{number}/{len(options.only)}] {name} ...", file=sys.stderr, flush=True)
        started = time.monotonic()
        command = [sys.executable, str(HERE / COMMANDS[name][0]), *COMMANDS[name][1:]]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        print(f"      {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
        if found.returncode:
            failed.append(name)
            print(found.stderr[-2000:], file=sys.stderr)
        plot = "\n![scaling](plots/scaling.svg)\n" if name == "scaling" else ""
        title = _title(HERE / COMMANDS[name][0])
        sections.append(f"## {name}\n\n{title}\n\n```\n{found.stdout.strip()}\n```\n{plot}")
    (HERE / "RESULTS.md").write_text("\n".join([_head(), *sections]), encoding="utf-8")
    print(f"written: {HERE / 'RESULTS.md'}", file=sys.stderr)
    return bool(failed)


def _title(file: Path) -> str:
    """Return the question a measurement answers: the first line of its docstring."""
    return str(ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))).partition("\n")[0]


def _head() -> str:
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return (
        "# Measured\n\n"
        f"{time.strftime('%Y-%m-%d')}, {json.dumps({**rig.machine(), **versions})}\n\n"
        "Made by `make bench`. Ratios within one run count; single times are this machine's, which other programs\n"
        "share. What the figures mean and what follows from them is in [docs/tuning.md](../docs/tuning.md).\n"
    )


if __name__ == "__main__":
    sys.exit(main())
