"""The test of telling: people come, receivers fail, processes are killed, and then the audit of who was told what.

    python tests/telling.py --seconds 600 --seed 7

Cameras send pictures with people; two receivers take the messages, one of them refuses, closes or asks to wait at
random, and a third one never answers. Meanwhile the notifier, the writer, the supervisor and a detector are killed. At
the end each visit must have been told once to each receiver that answers: none lost, and repeated under its own id at
most as often as a kill met a message on its way.

Exit code 0: all is well; 1: the problems are printed, and the folder with database and log is kept.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from testing import mails, pictures, receivers
from testing.receivers import HttpReceiver
from testing.service import ServiceUnderTest
from testing.waiting import until

from camalert.notify.message import id_of

GAP_S = 1.0  # of visits: the least there is
PAUSE_S = (0.2, 3.0)  # between two pictures: some are one visit, most are not
SETTLE_S = 300.0
CAMERAS = 3
VICTIMS = {"notifier": 6, "writer": 3, "detector-1": 1, "supervisor": 1}  # and how often each is killed
BLOW_S = (1.0, 8.0)  # from one kill to the next
FAULTS: tuple[tuple[int, dict[str, str]] | str, ...] = ((500, {}), (429, {"Retry-After": "2"}), "close")
FAULT_SHARE = 0.15
GOOD = (200, dict[str, str]())


class Run:
    """One run; what it does follows from the seed and the machine's timing."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._chance = random.Random(f"{seed} blows")
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._folder = folder
        self._port = 0
        self.kills: collections.Counter[str] = collections.Counter()
        self.sent = 0

    def run(self, seconds: float) -> list[str]:
        """Send and kill for so long, let everything settle, and return what is wrong."""
        with _receivers() as (phone, tablet, dead):
            targets = {"phone": phone, "tablet": tablet, "dead": dead}
            self.service = _service(self._folder, targets)
            self._start()
            cameras = [threading.Thread(target=self._send, args=(number,)) for number in range(CAMERAS)]
            for camera in cameras:
                camera.start()
            try:
                self._strike(seconds, phone)
            finally:
                self._over.set()
                for camera in cameras:
                    camera.join()
            phone.answers = [GOOD]
            try:
                until(self._is_whole, lambda: f"the service does not get well\n{self.service.tail()}", 180)
                self.service.wait_examined(SETTLE_S)
                until(self._is_told, lambda: f"messages wait\n{self.service.tail()}", SETTLE_S)
                problems = [
                    *self._visits(),
                    *(problem for name in ("phone", "tablet") for problem in self._audit(name, targets[name])),
                ]
            finally:
                dead.is_over.set()
                self.service.stop()
        self.service.assert_nothing_left()
        return problems

    # --- blows ------------------------------------------------------------------------------------------------------

    def _strike(self, seconds: float, phone: HttpReceiver) -> None:
        ends_at = time.monotonic() + seconds
        while time.monotonic() < ends_at:
            is_bad = self._chance.random() < FAULT_SHARE
            phone.answers = [self._chance.choice(FAULTS), GOOD] if is_bad else [GOOD]
            time.sleep(self._chance.uniform(*BLOW_S))
            self._revive()
            name = self._chance.choices(list(VICTIMS), list(VICTIMS.values()))[0]
            pid = self.service.pid if name == "supervisor" else self.service.children().get(name)
            if pid is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    self.kills[name] += 1

    def _revive(self) -> None:
        process = self.service.process
        if process is not None and process.poll() is not None:
            until(lambda: not self.service.leftover_processes(), "processes outlive the supervisor", 30)
            self._start()

    def _start(self) -> None:
        self.service.start(is_ready=False)
        until(lambda: self.service.find("service_starting"), lambda: f"a start\n{self.service.tail()}", 60)
        self._port = self.service.port

    def _is_whole(self) -> bool:
        self._revive()
        return self.service.is_whole()

    def _send(self, camera: int) -> None:
        chance = random.Random(f"camera {camera}")
        number = camera * 1_000_000
        while not self._over.is_set():
            number += 1
            picture = pictures.numbered(pictures.person_jpeg(), number)
            mail = mails.alarm([picture], f"alarm {number}")
            while mails.deliver(self._port, mail, timeout_s=30)[0] != 250:
                if self._over.wait(0.1):
                    return
            with self._lock:
                self.sent += 1
            self._over.wait(chance.uniform(*PAUSE_S))

    # --- the audit --------------------------------------------------------------------------------------------------

    def _is_told(self) -> bool:
        """Tell whether all that was decided has come to its end, apart from the one that never answers."""
        open_visits, waiting = self.service.query(
            "SELECT (SELECT count(*) FROM camalert_visit WHERE state = 'open'), (SELECT count(*) FROM camalert_outbox"
            " WHERE state = 'waiting' AND target <> 'dead')"
        )[0]
        return not open_visits and not waiting

    def _visits(self) -> Iterator[str]:
        """Find people whose picture is part of no visit, and fewer of them than were sent."""
        people, without = self.service.query(
            "SELECT count(*), sum(visit IS NULL) FROM camalert_alert WHERE outcome = 'person'"
        )[0]
        if without:
            yield f"{without} pictures with people are part of no visit"
        if people < self.sent:
            yield f"of {self.sent} people that were sent {people} were seen"

    def _audit(self, name: str, receiver: HttpReceiver) -> Iterator[str]:
        taken = collections.Counter(
            told for request, status in receiver.answered if status == 200 for told in _ids(request)
        )
        rows = self.service.query(
            "SELECT v.id, o.id, o.key, o.created_utc, o.state, o.reason FROM camalert_visit v"
            " LEFT JOIN camalert_outbox o ON o.visit = v.id AND o.target = ? AND o.event = 'visit'",
            name,
        )
        known = set()
        for visit, own, key, created_utc, state, reason in rows:
            if own is None:
                yield f"{name}: nothing was decided of visit {visit}"
                continue
            identity = id_of(key, created_utc)
            known.add(identity)
            if state != "sent":
                yield f"{name}: visit {visit} is {state}: {reason or 'without a reason'}"
            elif not taken[identity]:
                yield f"{name}: visit {visit} counts as sent, and nobody got it"
        repeats = sum(count - 1 for count in taken.values())
        allowed = self.kills["notifier"] + self.kills["supervisor"]
        if repeats > allowed:
            yield f"{name}: {repeats} messages came again, at {allowed} kills"
        if strange := set(taken) - known:
            yield f"{name}: {len(strange)} messages are of no visit"


def _ids(body: bytes) -> list[str]:
    """Return what a request tells: one message, or those that a summary sums up."""
    data = json.loads(body)["data"]
    return [one["id"] for one in data["messages"]] if data["event"] == "summary" else [data["id"]]


@contextlib.contextmanager
def _receivers() -> Iterator[tuple[HttpReceiver, HttpReceiver, HttpReceiver]]:
    with receivers.http_receiver() as phone, receivers.http_receiver() as tablet, receivers.http_receiver() as dead:
        dead.answers = ["hang"]
        yield phone, tablet, dead


def _service(folder: Path, targets: dict[str, HttpReceiver]) -> ServiceUnderTest:
    made = ServiceUnderTest(
        folder, visits__gap_seconds=GAP_S, service__drain_seconds=5, database__keep_alerts=1_000_000
    )
    with (folder / "config.toml").open("a", encoding="utf-8") as file:
        for name, receiver in targets.items():
            file.write(f'[[notify]]\nname = "{name}"\nurl = "{receiver.url()}"\n')
    return made


def main(arguments: list[str]) -> int:
    """Run the test from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="how long processes are killed (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=1, help="what the kills follow from (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    options = parser.parse_args(arguments)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="camalert-telling-"))
    run = Run(folder / "service", options.seed)
    problems = run.run(options.seconds)
    kills = ", ".join(f"{count} of {name}" for name, count in sorted(run.kills.items()))
    print(f"seed {options.seed}: {run.sent} mails; kills: {kills or 'none'}; {len(problems)} problems")
    if problems:
        print("\n".join(problems[:50]))
        print(f"database and log: {folder}")
        return 1
    if options.folder is None:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
