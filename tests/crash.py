"""The crash test: random alarms, random kills, for as long as one likes, and then the audit.

    python tests/crash.py --seconds 600 --seed 7

Several clients send alarms of every size and kind; meanwhile processes of the service are killed, stopped and broken at
random, the whole service too, which is started anew as systemd would. At the end nothing may be pending, and the
database must hold what the clients' own record says: each alarm that got a 250 exactly once, byte for byte.

Exit code 0: all is well; 1: the problems are printed, and the folder with database and log is kept.
"""

from __future__ import annotations

import argparse
import collections
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from testing import mails, pictures
from testing.audit import Record, audit
from testing.hostile import bomb_png, broken_jpeg
from testing.service import ServiceUnderTest
from testing.waiting import until

CLIENTS = 4
PATIENCE_S = 90.0  # of a client with one mail
SETTLE_S = 300.0  # for what is pending at the end
PROGRESS_S = 60.0  # a line after each so many seconds
BLOWS = {  # and how often each falls
    signal.SIGKILL: 10,
    signal.SIGSEGV: 3,
    signal.SIGABRT: 1,
    signal.SIGTERM: 2,
    signal.SIGSTOP: 3,
}
WHOLE_SHARE = 0.08  # of the blows: the supervisor's
STOPPED_S = 2.5  # the longest time for which a stopped process stays so


class Run:
    """One run of the crash test: everything it does follows from the seed and the machine's timing."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.service = ServiceUnderTest(
            folder,
            detector__processes=2,
            decode__deadline_seconds=5,
            detector__deadline_seconds=10,
            database__busy_seconds=1,
            database__keep_alerts=1_000_000,
            database__keep_detections=1_000_000,
            intake__wait_seconds=15,
            service__drain_seconds=5,
        )
        self.record = Record()
        self.blows: collections.Counter[str] = collections.Counter()
        self.starts = 0
        self._seed = seed
        self._over = threading.Event()
        self._port = 0

    def run(self, seconds: float) -> list[str]:
        """Send and strike for so long, let everything settle, and return what is wrong."""
        self._start()
        clients = [
            threading.Thread(target=self._send, args=(number, random.Random(f"{self._seed} client {number}")))
            for number in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        try:
            self._strike(seconds)
        finally:
            self._over.set()
            for client in clients:
                client.join()
        self._heal()
        self.service.wait_examined(SETTLE_S)
        problems = audit(self.service.database, self.record)
        if self.service.stop() != 0:
            problems.append(f"the service ended with {self.service.process and self.service.process.returncode}")
        self.service.assert_nothing_left()
        return problems

    # --- blows ------------------------------------------------------------------------------------------------------

    def _strike(self, seconds: float) -> None:
        chance = random.Random(f"{self._seed} blows")
        begun_at = told_at = time.monotonic()
        ends_at = begun_at + seconds
        while (now := time.monotonic()) < ends_at:
            if now - told_at >= PROGRESS_S:
                told_at = now
                print(
                    f"{now - begun_at:6.0f} of {seconds:.0f} s, {self.record.acknowledged} mails acknowledged, "
                    f"{sum(self.blows.values())} blows, {self.starts} starts",
                    file=sys.stderr,
                )
            self._over.wait(chance.choice((0.02, 0.1, 0.3, 1.0, 3.0, 8.0)) * chance.random())
            self._revive()
            number = chance.choices(list(BLOWS), list(BLOWS.values()))[0]
            if chance.random() < WHOLE_SHARE:
                self._hit("supervisor", self.service.pid, number, chance)
            elif children := self.service.children():
                name = chance.choice(sorted(children))
                self._hit(name, children[name], number, chance)

    def _hit(self, name: str, pid: int, number: signal.Signals, chance: random.Random) -> None:
        try:
            os.kill(pid, number)
            if number is signal.SIGSTOP:
                self._over.wait(STOPPED_S * chance.random())
                os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            return
        self.blows[f"{number.name} {name}"] += 1

    def _revive(self) -> None:
        """Start the service anew when it has ended, as systemd does."""
        process = self.service.process
        if process is not None and process.poll() is not None:
            until(lambda: not self.service.leftover_processes(), "processes outlive the supervisor", 30)
            self._start()

    def _start(self) -> None:
        self.starts += 1
        self.service.start(is_ready=False)
        process = self.service.process
        until(
            lambda: self.service.find("service_starting") or (process is not None and process.poll() is not None),
            "a start",
            60,
        )
        if self.service.find("service_starting"):
            self._port = self.service.port

    def _heal(self) -> None:
        """Wait until the service is whole, starting it as often as it takes."""

        def is_whole() -> bool:
            self._revive()
            return self.service.is_whole()

        until(is_whole, f"the service does not get well\n{self.service.tail()}", 180)

    # --- clients ----------------------------------------------------------------------------------------------------

    def _send(self, client: int, chance: random.Random) -> None:
        number = 0
        while not self._over.is_set():
            number += 1
            shots, expected = self._shots(client * 10_000_000 + number * 10, chance)
            subject = f"alarm {number} of camera {client}"
            mail = mails.alarm(shots, subject)
            sent = self.record.sent(subject, shots, expected)
            ends_at = time.monotonic() + PATIENCE_S
            while not sent.is_acknowledged and time.monotonic() < ends_at:
                sent.is_acknowledged = mails.deliver(self._port, mail, timeout_s=PATIENCE_S)[0] == 250
                if not sent.is_acknowledged:
                    if chance.random() < 0.3:
                        break  # a camera that never sends again
                    time.sleep(0.05)
            self._over.wait(chance.random() * 0.5)

    def _shots(self, number: int, chance: random.Random) -> tuple[list[bytes], str]:
        kind = chance.choice(("person", "person", "nobody", "nobody", "large", "hostile"))
        count = chance.randint(1, 4)
        match kind:
            case "person":
                made = [pictures.numbered(pictures.person_jpeg(), number + index) for index in range(count)]
            case "nobody":
                made = [pictures.unique_jpeg(number + index) for index in range(count)]
            case "large":
                made = [
                    _padded(pictures.numbered(pictures.cat_jpeg(), number + index), chance) for index in range(count)
                ]
            case _:
                # What is broken may end a decoder; its outcome is whatever it is, with a reason.
                made = [chance.choice((bomb_png, broken_jpeg))(number + index) for index in range(count)]
        # A picture whose worker is killed twice is marked failed, which is the promise: no outcome is certain here.
        return made, ""


def _padded(jpeg: bytes, chance: random.Random) -> bytes:
    """Make a picture's file larger, up to 2 MB, with what comes behind its end."""
    return jpeg + chance.randbytes(chance.randint(1000, 1_900_000))


def main(arguments: list[str]) -> int:
    """Run the crash test from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="how long blows fall (default: %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=1, help="what the blows and mails follow from (default: %(default)s)"
    )
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    options = parser.parse_args(arguments)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="camalert-crash-"))
    run = Run(folder / "service", options.seed)
    problems = run.run(options.seconds)
    print(
        f"seed {options.seed}: {len(run.record.mails)} mails, {run.record.acknowledged} acknowledged, "
        f"{sum(run.blows.values())} blows, {run.starts} starts, {len(problems)} problems"
    )
    for name, count in sorted(run.blows.items()):
        print(f"  {count:5} {name}")
    if problems:
        print("\n".join(problems[:50]))
        print(f"database and log: {folder}")
        return 1
    if options.folder is None:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
