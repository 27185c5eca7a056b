"""Fuzz the readers of foreign bytes, led by coverage: `python -m fuzz [TARGET …] [--seconds 60]` in tests/.

Each target runs in a process of its own under atheris, from its seeds, from what broke it before (corpus/, kept with
the code) and from what earlier runs found worth keeping (build/fuzz/). An input that breaks a promise, or that takes
longer than `--slow-seconds`, is written to corpus/TARGET/, where the unit tests find it: mend the code, commit both.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOUND = ROOT / "build" / "fuzz"
MAX_BYTES = 65_536
MEMORY_MB = 2048


def main() -> int:
    """Run the targets, `--jobs` at a time; return 1 when one of them found something."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="default: all")
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default: 60)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="targets beside each other")
    parser.add_argument("--slow-seconds", type=int, default=10, help="an input that takes longer is a finding")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.inside:
        _fuzz(arguments.inside, arguments.seconds, arguments.slow_seconds)
        return 0
    from fuzz.targets import TARGETS  # noqa: PLC0415

    unknown = set(arguments.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    waiting = list(arguments.targets or TARGETS)
    running: dict[str, subprocess.Popen[bytes]] = {}
    broken = []
    while waiting or running:
        while waiting and len(running) < arguments.jobs:
            name = waiting.pop(0)
            running[name] = _start(name, arguments.seconds, arguments.slow_seconds)
        time.sleep(0.2)
        for name in [name for name, process in running.items() if process.poll() is not None]:
            code = running.pop(name).returncode
            print(f"{name}: {'nothing found' if code == 0 else _report(name)}", flush=True)
            if code:
                broken.append(name)
    return 1 if broken else 0


def _start(name: str, seconds: int, slow_seconds: int) -> subprocess.Popen[bytes]:
    FOUND.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "fuzz", "--inside", name]
    command += ["--seconds", str(seconds), "--slow-seconds", str(slow_seconds)]
    with (FOUND / f"{name}.log").open("wb") as output:
        return subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, cwd=ROOT / "tests", env=_environment()
        )


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}


def _report(name: str) -> str:
    lines = (FOUND / f"{name}.log").read_text(encoding="utf-8", errors="replace").splitlines()
    told = [line for line in lines if "ERROR" in line or "Exception" in line or "Test unit written" in line]
    return f"BROKEN, see build/fuzz/{name}.log and tests/fuzz/corpus/{name}/\n    " + "\n    ".join(told[:6])


def _fuzz(name: str, seconds: int, slow_seconds: int) -> None:
    """Become libFuzzer for one target; it ends the process."""
    import atheris  # noqa: PLC0415 - a development tool that the unit tests' replay does without

    with atheris.instrument_imports(include=["camalert"]):
        from fuzz import targets  # noqa: PLC0415
    target = targets.TARGETS[name]
    work, dictionary, crashes = FOUND / name, FOUND / f"{name}.dict", targets.CORPUS / name
    work.mkdir(parents=True, exist_ok=True)
    crashes.mkdir(parents=True, exist_ok=True)
    for _, data in targets.kept(name):
        (work / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    quoted = ["".join(f"\\x{byte:02x}" for byte in word) for word in target.words]
    dictionary.write_text("".join(f'"{word}"\n' for word in quoted), encoding="ascii")
    options = [f"-max_total_time={seconds}", f"-max_len={MAX_BYTES}", f"-timeout={slow_seconds}"]
    options += [f"-rss_limit_mb={MEMORY_MB}", f"-artifact_prefix={crashes}/", "-print_final_stats=1"]
    options += [f"-dict={dictionary}"] if quoted else []
    atheris.Setup([sys.argv[0], *options, str(work)], target.run)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
