"""Detectors that ask an inference server: while none answers, alarms are kept and wait, and nobody is blamed."""

from __future__ import annotations

from pathlib import Path

import pytest
from testing import kserve, pictures
from testing.ports import free_port
from testing.service import ServiceUnderTest
from testing.waiting import until

pytest.importorskip("tritonclient.http", reason="the remote extra is not installed")
pytest.importorskip("openvino", reason="the exported networks are OpenVINO's")


def service_of(folder: Path, urls: list[str]) -> ServiceUnderTest:
    service = ServiceUnderTest(folder, detector__engine="remote", detector__processes=2)
    config = service.folder / "config.toml"
    listed = ", ".join(f'"{url}"' for url in urls)
    config.write_text(f"{config.read_text()}[detector.remote]\nurl = [{listed}]\ntimeout_seconds = 8\n")
    return service


def test_pictures_wait_for_a_server_that_is_gone_and_are_examined_when_it_is_back(tmp_path: Path) -> None:
    """Before it is there, while it is there, after it is gone, and when it is back: no picture fails."""
    port = free_port()
    service = service_of(tmp_path / "service", [f"http://127.0.0.1:{port}"])
    try:
        service.start()
        assert service.send([pictures.person_jpeg()], "alarm 1")[0] == 250
        [event] = service.wait_for("examination_blocked")
        assert "no inference server answers" in event["message"]
        until(lambda: service.status().get("examination_problem") == event["message"], "it in the status")

        with kserve.running(port):
            service.wait_examined()
            service.wait_for("examination_resumed")
        for number in range(2, 6):
            assert service.send([pictures.cat_jpeg()], f"alarm {number}")[0] == 250
        service.wait_for("examination_blocked", count=2)
        assert service.count("camalert_pending") == 4
        with kserve.running(port):
            service.wait_examined()

        assert service.query("SELECT outcome, count(*) FROM camalert_alert GROUP BY 1 ORDER BY 1") == [
            ("nobody", 4),
            ("person", 1),
        ]
        assert service.query("SELECT DISTINCT engine FROM camalert_alert") == [("remote",)]
        assert not service.find("child_exited")
    finally:
        service.close()


def test_second_server_takes_over_when_the_first_is_gone(tmp_path: Path) -> None:
    """Several servers in the owner's order: one may be switched off."""
    with kserve.running() as second:
        with kserve.running() as first:
            service = service_of(tmp_path / "service", [first.url, second.url])
            try:
                service.start()
                assert service.send([pictures.person_jpeg()])[0] == 250
                service.wait_examined()
                assert first.asked
                assert not second.asked
            except BaseException:
                service.close()
                raise
        try:
            assert service.send([pictures.person_jpeg()], "after")[0] == 250
            service.wait_examined()
            assert second.asked
            service.wait_for("inference_server_failed", server=first.url)
        finally:
            service.close()
