"""Limits of the machine: shared memory, descriptors. What cannot be had is said, and tried again."""

from __future__ import annotations

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

MakeService = Callable[..., ServiceUnderTest]


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
    assert "MiB of shared memory" in event["error"]
    assert "8 MiB free" in event["error"]


def test_child_that_cannot_be_started_is_tried_until_it_can(service: ServiceUnderTest) -> None:
    """Without a descriptor for a new detector alarms are stored all the same, and examined when there is one."""
    service.wait_whole()
    _, hard = resource.prlimit(service.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(service.pid, resource.RLIMIT_NOFILE, (service.descriptors() - 2, hard))
    try:
        service.kill("detector-1")
        [event, *_] = service.wait_for("child_not_started", child="detector-1")
        assert "LimitNOFILE" in event["advice"]

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
