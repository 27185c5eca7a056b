"""A service to which faults happen, one after another, and the camera that lives through them with it."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import smtplib
import sys
import threading
import time
from pathlib import Path

from testing import mails, pictures
from testing.audit import Record, Sent, audit
from testing.faults import FOLDER_VARIABLE, Act, Arsenal, Fault, Phase
from testing.service import ROOT, ServiceUnderTest
from testing.waiting import until

STOPPED_S = 3.0  # how long a stopped supervisor stays so; long enough to be late for everything
LIMIT_S = 60.0
_AT_A_POINT = (Phase.COMMITTED, Phase.DECODING, Phase.DETECTING, Phase.STORING)
_ENDS_SUPERVISOR = (Act.KILL, Act.SEGV, Act.EXIT_0, Act.EXIT_1, Act.MEMORY)


class FaultedService(ServiceUnderTest):
    """Let faults happen to one service; what each leaves behind is looked at before the next."""

    def __init__(self, folder: Path, **settings: object) -> None:
        limits = {
            "detector__processes": 2,
            "database__keep_alerts": 100_000,
            "database__keep_detections": 100_000,
            "decode__deadline_seconds": 2,
            "detector__deadline_seconds": 4,
            "database__busy_seconds": 1,
            "intake__wait_seconds": 20,
            "service__drain_seconds": 6,
            # A fault is struck from within a child, which reads what is ordered and signals others: neither is what a
            # confined child may do (tests/process/test_confinement.py tries that it may not).
            "service__confine": False,
        }
        super().__init__(folder, **{**limits, **settings})
        self.arsenal = Arsenal(folder / "faults")
        self.command = [sys.executable, "-m", "testing.faults_supervisor"]
        self.environment = {
            FOLDER_VARIABLE: str(self.arsenal.folder),
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests"))),
        }
        self.record = Record()
        self._numbers = itertools.count(1)
        self._descriptors = 0

    def survive(self, fault: Fault) -> list[str]:
        """Let a fault happen, and return in words what it did that it should not have."""
        self.arsenal.disarm()
        if self.process is None or self.process.poll() is not None:
            self.start()
        self.wait_whole()
        self._descriptors = self._descriptors or self.descriptors()
        camera = Camera(self, f"{fault} {next(self._numbers)}")
        getattr(self, f"_while_{fault.phase.name.lower()}")(fault, camera)
        camera.insist()
        self.wait_whole()
        after = Camera(self, f"after {fault} {next(self._numbers)}")
        after.insist()
        self.wait_examined()
        problems = audit(self.database, self.record)
        if (now := self.descriptors()) > self._descriptors:
            problems.append(f"the supervisor has {now} descriptors, {self._descriptors} at first")
        return problems + self._strangers()

    def _strangers(self) -> list[str]:
        """Return what is there besides the service's own processes and its segment."""
        children = self.children()
        own = {self.pid, *children.values(), *_children(children["smtp"])}  # smtp's are its readers of mails
        commands = {pid: _command(pid) for pid in self.leftover_processes() if pid not in own}
        strangers = [f"process {pid}: {words}" for pid, words in commands.items() if "resource_tracker" not in words]
        prefix = self.leftover_segments()[0].rpartition("-")[0]
        segments = [path.name for path in Path("/dev/shm").glob(f"{prefix}-*")]
        return strangers + ([f"segments {segments}"] if len(segments) != 1 else [])

    # --- the moments ------------------------------------------------------------------------------------------------

    def _while_starting(self, fault: Fault, camera: Camera) -> None:
        if fault.victim == "supervisor":
            self.stop()
            self.start(is_ready=False)
            self.wait_for("child_started")
            self.arsenal.strike(fault)
        else:
            self.arsenal.arm(fault)
            os.kill(self.arsenal.pid(fault.victim), signal.SIGKILL)
            until(lambda: self.arsenal.has_fired, f"{fault} did not happen", LIMIT_S)
        self._revive(fault)
        camera.send()

    def _while_idle(self, fault: Fault, camera: Camera) -> None:
        self.arsenal.strike(fault)
        self._revive(fault)
        camera.send()

    def _while_receiving(self, fault: Fault, camera: Camera) -> None:
        camera.begin()
        self.arsenal.strike(fault)
        camera.finish()
        self._revive(fault)
        camera.hear()

    def _while_at_a_point(self, fault: Fault, camera: Camera) -> None:
        self.arsenal.arm(fault)
        sending = threading.Thread(target=camera.send)
        sending.start()
        until(lambda: self.arsenal.has_fired, f"{fault} did not happen\n{self.tail()}", LIMIT_S)
        self._revive(fault)
        sending.join()

    _while_committed = _while_decoding = _while_detecting = _while_storing = _while_at_a_point

    def _while_draining(self, fault: Fault, camera: Camera) -> None:
        assert self.process is not None
        camera.begin()
        self.process.send_signal(signal.SIGTERM)
        self.wait_for("service_draining")
        self.arsenal.strike(fault)
        camera.finish()
        self._revive(fault)
        camera.hear()
        until(lambda: self.process is None or self.process.poll() is not None, "the drain has no end", LIMIT_S)
        self.assert_nothing_left()
        self.start()

    def _revive(self, fault: Fault) -> None:
        """Do what systemd does for a supervisor that ended or hangs."""
        if fault.victim != "supervisor" or fault.act in (Act.CLOSE, Act.GARBAGE):
            return
        assert self.process is not None
        if fault.act is Act.STOP:
            ends_at = time.monotonic() + STOPPED_S
            until(lambda: time.monotonic() > ends_at, "time")
            os.kill(self.pid, signal.SIGCONT)
            return
        if fault.act is Act.HANG:
            self.process.kill()
        self.process.wait(LIMIT_S)
        until(lambda: not self.leftover_processes(), f"processes left: {self.leftover_processes()}", 20)
        if fault.phase is not Phase.DRAINING:
            self.start()


class Camera:
    """One camera with one alarm: it remembers what it sent, and sends the same bytes until they are taken."""

    def __init__(self, service: FaultedService, subject: str) -> None:
        self._service = service
        number = next(service._numbers)
        picture = pictures.numbered(pictures.person_jpeg(), number)
        self._mail = mails.alarm([picture], subject)
        self._sent: Sent = service.record.sent(subject, [picture], "person")
        self._client: smtplib.SMTP | None = None

    def send(self) -> None:
        """Send the alarm once."""
        code, _ = mails.deliver(self._service.port, self._mail, timeout_s=LIMIT_S)
        self._note(code)

    def begin(self) -> None:
        """Send the first half."""
        self._client = mails.up_to_data(self._service.port, timeout_s=LIMIT_S)
        self._say(self._mail[: len(self._mail) // 2])

    def finish(self) -> None:
        """Send the second half."""
        self._say(self._mail[len(self._mail) // 2 :].rstrip(b"\r\n") + b"\r\n.\r\n")

    def hear(self) -> None:
        """Read the reply, if there is one."""
        assert self._client is not None
        try:
            self._note(self._client.getreply()[0])
        except (OSError, smtplib.SMTPException):
            pass
        finally:
            self._client.close()

    def insist(self) -> None:
        """Send the alarm until it is taken."""
        deadline = time.monotonic() + LIMIT_S
        while not self._sent.is_acknowledged:
            assert time.monotonic() < deadline, f"no 250 any more\n{self._service.tail()}"
            self.send()

    def _say(self, content: bytes) -> None:
        assert self._client is not None
        assert self._client.sock is not None
        with contextlib.suppress(OSError):
            self._client.sock.sendall(content)

    def _note(self, code: int) -> None:
        if code == 250:
            self._sent.is_acknowledged = True


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return "resource_tracker"  # gone meanwhile
