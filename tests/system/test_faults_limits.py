"""Limits of the machine: shared memory, descriptors. What cannot be had is said, and tried again."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest
from testing import pictures
from testing.service import ROOT, ServiceUnderTest
from testing.waiting import until

from camalert.errors import StatusError
from camalert.status import model as status

MakeService = Callable[..., ServiceUnderTest]
STRANGER_UID = 100_000 + os.getpid()  # of other tests beside these neither


def test_full_shared_memory_is_one_clear_line_at_the_start(make_service: MakeService) -> None:
    """The pool needs so much and there is so much: no bus error later, in whatever process."""
    service = make_service()
    private = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=8m tmpfs /dev/shm && exec "$@"', "sh"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*private, "true"], check=False, capture_output=True).returncode
    ):
        pytest.skip("a private /dev/shm cannot be mounted here")
    service.command = [*private, sys.executable, str(ROOT / "supervisor.py")]

    service.start(is_ready=False)

    assert service.process is not None
    assert service.process.wait(60) == 71
    [event] = service.find("service_not_started")
    assert "MiB of shared memory" in event["message"]
    assert "8 MiB free" in event["message"]


@pytest.mark.parametrize("limit", [8, 11, 24, 48])
def test_too_few_descriptors_are_one_clear_line_at_the_start(make_service: MakeService, limit: int) -> None:
    """Whatever would have failed first, it is said how many are needed and where to allow them."""
    service = make_service()
    service.command = [*_limited(resource.RLIMIT_NOFILE, limit), *service.command]

    service.start(is_ready=False)

    assert service.process is not None
    assert service.process.wait(60) == 71
    [event] = (event for event in service.events() if event["event"] != "configuration_override")
    assert event["event"] == "service_not_started"
    assert f"the system allows {limit}: raise LimitNOFILE" in event["message"]


def test_no_process_allowed_is_one_clear_line_at_the_start(make_service: MakeService) -> None:
    """A limit on processes is named as well."""
    service = make_service()
    stranger = _as_stranger()
    if subprocess.run([*stranger, sys.executable, "-c", ""], check=False, capture_output=True).returncode:
        pytest.skip("for root no limit on processes holds, and its rights cannot be laid down here")
    service.command = [*_limited(resource.RLIMIT_NPROC, 1), *stranger, *service.command]

    service.start(is_ready=False)

    assert service.process is not None
    assert service.process.wait(60) == 71
    [event] = (event for event in service.events() if event["event"] != "configuration_override")
    assert event["event"] == "service_not_started"
    assert "no further process is allowed; raise TasksMax" in event["message"]


def _limited(kind: int, limit: int) -> list[str]:
    """Return what starts a program with a limit that it cannot raise."""
    code = (
        f"import os, resource, sys; resource.setrlimit({kind}, ({limit}, {limit})); "
        "os.execvp(sys.argv[1], sys.argv[1:])"
    )
    return [sys.executable, "-c", code]


def _as_stranger() -> list[str]:
    """Return what lets root start a program as a user of whom no process runs; files stay as open as to root."""
    if os.getuid():
        return []
    rights = "-all,+dac_override"
    return ["setpriv", f"--reuid={STRANGER_UID}", "--clear-groups", f"--bounding-set={rights}", f"--inh-caps={rights}",
            f"--ambient-caps={rights}"]  # fmt: skip


def test_child_that_cannot_be_started_is_tried_until_it_can(service: ServiceUnderTest) -> None:
    """Without a descriptor for a new detector alarms are stored all the same, and examined when there is one."""
    service.wait_whole()
    _, hard = resource.prlimit(service.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(service.pid, resource.RLIMIT_NOFILE, (service.descriptors() - 2, hard))
    try:
        service.kill("detector-1")
        [event, *_] = service.wait_for("child_not_started", child="detector-1")
        assert "LimitNOFILE" in event["message"]

        assert service.send([pictures.person_jpeg()])[0] == 250
        assert service.count("alerts_alert") == 1
    finally:
        resource.prlimit(service.pid, resource.RLIMIT_NOFILE, (hard, hard))

    service.wait_examined()
    service.wait_whole()
    assert service.count("alerts_detect") == 1


def test_clients_that_take_all_descriptors_end_nothing(service: ServiceUnderTest) -> None:
    """smtp without a descriptor for the next client works again when others leave."""
    service.wait_whole()
    smtp = service.children()["smtp"]
    limits = resource.prlimit(smtp, resource.RLIMIT_NOFILE)
    resource.prlimit(smtp, resource.RLIMIT_NOFILE, (service.descriptors(smtp) + 5, limits[1]))
    crowd = [socket.create_connection(("127.0.0.1", service.port), timeout=20) for _ in range(30)]
    try:
        until(lambda: service.descriptors(smtp) >= resource.prlimit(smtp, resource.RLIMIT_NOFILE)[0], "a full table")
    finally:
        for client in crowd:
            client.close()

    assert service.send([pictures.cat_jpeg()])[0] == 250
    assert service.children()["smtp"] == smtp, "smtp lived through it"
    resource.prlimit(smtp, resource.RLIMIT_NOFILE, limits)


def test_service_without_standard_streams_works(make_service: MakeService) -> None:
    """A program that starts it with closed streams must not have its log written into whatever takes their numbers."""
    service = make_service()
    service.command = ["sh", "-c", 'exec "$0" "$@" <&- >&- 2>&-', *service.command]

    service.start(is_ready=False)

    until(lambda: _state(service) == "running", "the service does not run")
    streams = {os.readlink(f"/proc/{pid}/fd/{number}") for pid in _processes(service) for number in range(3)}
    assert streams == {os.devnull}
    assert service.stop() == 0


def _state(service: ServiceUnderTest) -> str:
    try:
        return status.read(service.run_dir).state
    except StatusError:
        return ""


def _processes(service: ServiceUnderTest) -> list[int]:
    return [child.pid for child in status.read(service.run_dir).children if child.pid] + [service.pid]
