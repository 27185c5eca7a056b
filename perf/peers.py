"""From mail to verdict beside others: the original's way, the usual script, and camalert with one detector and several.

    python perf/peers.py [--dataset DIR] [--every N] [--hog-python .venv-hog/bin/python] [--detectors 2]

The same mails for each, one after the other in one run: first all pictures over four sessions, for pictures a second,
CPU and memory; then some one at a time, for the time from the mail's last byte to the row. With a labelled folder (as
for `perf/accuracy.py`) its pictures are sent, and what each says of them is compared. Ratios count; the machine is
shared.

`peers_original.py` and `peers_usual.py` are what they are compared with. The original's needs OpenCV 4: `make hog`
makes an environment that has it; without one it is left out.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from accuracy import read_manifest, share_above, threshold_at
from rig import Client, Cost, cost, machine, mail, pictures, report, service

HERE = Path(__file__).resolve().parent
SESSIONS = 4
ALONE = 12  # mails that are sent one at a time
PAUSE_S = 0.7  # between them, not in step with a poll
LIMIT_S = 900.0
RATE = 0.05


@dataclass(frozen=True, slots=True)
class Peer:
    """Something that takes mails and leaves a score for each subject."""

    name: str
    port: int
    pids: tuple[int, ...]
    database: Path
    query: str  # for subject and score of what is done

    def scores(self) -> dict[str, float]:
        """Return the score of each picture that has one."""
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=60)) as reader:
            return {str(subject): float(score or 0) for subject, score in reader.execute(self.query)}

    def cost(self) -> Cost:
        """Return what its processes have used together."""
        found = [cost(pid) for pid in self.pids]
        return Cost(
            sum(each.cpu_s for each in found),
            sum(each.pss_bytes for each in found),
            sum(each.anonymous_bytes for each in found),
        )


@dataclass(frozen=True, slots=True)
class Figures:
    """What was measured of a peer."""

    name: str
    per_s: float
    cpu_ms: float  # a picture
    alone_ms: float
    pss_mib: float
    recall: float | None


@contextlib.contextmanager
def scripts(name: str, *commands: Sequence[str]) -> Iterator[Peer]:
    """Run the processes of a peer; PORT and FOLDER in their arguments are filled in."""
    with tempfile.TemporaryDirectory(prefix="camalert-peers-") as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        values = {"PORT": str(port), "FOLDER": folder}
        running = [
            subprocess.Popen(
                [values.get(word, word) for word in command], env={**os.environ, "PYTHONPATH": str(HERE.parent)}
            )
            for command in commands
        ]
        try:
            _until(lambda: (Path(folder) / "ready").exists() and _answers(port))
            yield Peer(
                name,
                port,
                tuple(process.pid for process in running),
                Path(folder) / "peer.sqlite3",
                "SELECT subject, score FROM verdict",
            )
        finally:
            for process in running:
                process.terminate()
                process.wait(30)


@contextlib.contextmanager
def ours(detectors: int) -> Iterator[Peer]:
    """Run camalert."""
    with service(children=3 + detectors, detector__processes=detectors, decode__processes=1) as found:
        name = f"camalert, {detectors} detector{'s' * (detectors > 1)}"
        # Also the readers of mails, which are children of a child.
        pids = {pid for own in found.pids.values() for pid in (own, *_children(own))}
        query = "SELECT subject, best_score FROM camalert_alert WHERE outcome IS NOT NULL"
        yield Peer(name, found.port, tuple(pids), found.database, query)


def measure(peer: Peer, sent: Sequence[bytes], labels: Sequence[bool]) -> Figures:
    """Send everything at once, then some one at a time."""
    before, started = peer.cost(), time.perf_counter()
    threads = [
        threading.Thread(target=_send, args=(peer.port, sent[number::SESSIONS], number)) for number in range(SESSIONS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _until(lambda: len(peer.scores()) >= len(sent))
    took_s, after = time.perf_counter() - started, peer.cost()
    scores = peer.scores()
    recall = None
    if labels:
        people = [scores[f"p{number}"] for number, has_person in enumerate(labels) if has_person]
        empty = [scores[f"p{number}"] for number, has_person in enumerate(labels) if not has_person]
        recall = share_above(people, threshold_at(empty, RATE))
    alone = []
    client = Client(peer.port)
    for number in range(min(ALONE, len(sent))):
        time.sleep(PAUSE_S)
        client.send(mail(sent[number], f"a{number}"))
        _until(lambda: f"a{number}" in peer.scores(), 0.004)  # noqa: B023 - called at once
        alone.append((time.perf_counter() - client.sent_at) * 1000)
    client.close()
    return Figures(
        peer.name,
        len(sent) / took_s,
        (after.cpu_s - before.cpu_s) * 1000 / len(sent),
        statistics.median(alone),
        after.pss_bytes / 2**20,
        recall,
    )


def main() -> int:
    """Measure each and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, help="folder with manifest.csv")
    parser.add_argument("--every", type=int, default=1, help="take every n-th picture only")
    parser.add_argument("--pictures", type=int, default=80, help="how many, without a dataset")
    parser.add_argument("--hog-python", type=Path, default=HERE.parent / ".venv-hog" / "bin" / "python")
    parser.add_argument("--detectors", type=int, default=2)
    arguments = parser.parse_args()
    labels: list[bool] = []
    if arguments.dataset:
        samples = [one for one in read_manifest(arguments.dataset)[:: arguments.every] if _is_jpeg(one.path)]
        sent, labels = [one.path.read_bytes() for one in samples], [one.has_person for one in samples]
    else:
        sent = pictures(arguments.pictures)
    original = str(HERE / "peers_original.py")
    peers = [
        scripts("the usual script", (sys.executable, str(HERE / "peers_usual.py"), "PORT", "FOLDER")),
        ours(1),
        ours(arguments.detectors),
    ]
    if arguments.hog_python.exists():
        hog = str(arguments.hog_python)
        commands = ((hog, original, "detect", "FOLDER"), (sys.executable, original, "intake", "PORT", "FOLDER"))
        peers.insert(0, scripts("the original's way", *commands))
    else:
        print(f"{arguments.hog_python} is missing: the original's way is left out; `make hog` makes it")
    found = []
    for peer in peers:
        with peer as running:
            found.append(measure(running, sent, labels))
    columns = ("", "pictures/s", "CPU ms", "alone ms", "PSS MiB", f"recall at {RATE:.0%}")
    rows = [
        (one.name, one.per_s, one.cpu_ms, one.alone_ms, one.pss_mib, "" if one.recall is None else f"{one.recall:.3f}")
        for one in found
    ]
    report("peers", columns, rows, {**machine(), "pictures": len(sent), "peers": {row[0]: row[1:] for row in rows}})
    return 0


def _send(port: int, sent: Sequence[bytes], first: int) -> None:
    client = Client(port)
    for number, picture in enumerate(sent):
        client.send(mail(picture, f"p{first + number * SESSIONS}"))
    client.close()


def _is_jpeg(path: Path) -> bool:
    return path.read_bytes()[:2] == b"\xff\xd8"


def _answers(port: int) -> bool:
    try:
        Client(port).close()
    except OSError:
        return False
    return True


def _children(pid: int) -> tuple[int, ...]:
    return tuple(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()))


def _until(is_done: Callable[[], bool], pause_s: float = 0.05) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not is_done():
        if time.monotonic() > deadline:
            raise RuntimeError(f"not done within {LIMIT_S} s")
        time.sleep(pause_s)


if __name__ == "__main__":
    sys.exit(main())
