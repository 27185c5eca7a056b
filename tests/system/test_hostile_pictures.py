"""Hostile pictures through the whole service: one failed alert each, in words, and nothing else takes notice."""

from __future__ import annotations

from collections.abc import Callable

from testing import hostile, pictures
from testing.service import ServiceUnderTest
from testing.waiting import until


def test_hostile_pictures_are_kept_and_failed_with_their_reason(service: ServiceUnderTest) -> None:
    """Bombs, torn and disguised files: the row is there as sent, the reason can be read, no process ended."""
    person = pictures.person_jpeg()
    sent = {
        "png bomb": hostile.bomb_png(1),
        "jpeg bomb": hostile.bomb_jpeg(2),
        "scan bomb": hostile.scan_bomb(3),
        "header only": person[:300],
        "png without data": hostile.bomb_png(3, 640, 480)[:60],
        "gif without data": b"GIF89a\x40\x01\xf0\x00" + bytes(60),
    }
    for subject, content in sent.items():
        assert service.send([content], subject)[0] == 250

    assert service.send([person], "a person among them")[0] == 250
    service.wait_examined()

    rows = service.query(
        "SELECT a.subject, a.snapshot, f.outcome, f.reason FROM alerts_alert a"
        " JOIN camalert_alert f ON f.alert_id = a.id"
    )
    assert {subject: snapshot for subject, snapshot, *_ in rows} == {**sent, "a person among them": person}
    for subject, _, outcome, reason in rows:
        assert reason, subject
        assert ("scans" in reason) == (subject == "scan bomb")
        assert outcome == ("person" if subject == "a person among them" else "failed"), (subject, reason)
    assert not service.find("child_exited")


def test_formats_with_a_bad_name_reach_no_decoder(service: ServiceUnderTest) -> None:
    """EXR, even as image/jpeg, gives no row and ends nothing; the mail is answered and kept."""
    assert service.send([hostile.EXR])[0] == 250

    assert service.send([pictures.cat_jpeg()])[0] == 250
    service.wait_examined()
    assert service.count("alerts_alert") == 1
    assert service.count("camalert_raw") == 1
    assert not service.find("child_exited")


def test_bad_files_of_formats_that_are_examined_fail_and_end_nothing(service: ServiceUnderTest) -> None:
    """JPEG 2000 and TIFF, even as image/jpeg, have a row each and a verdict."""
    for content in (hostile.JPEG_2000, hostile.J2K_STREAM, hostile.TIFF):
        assert service.send([content])[0] == 250

    service.wait_examined()
    assert service.count("alerts_alert") == 3
    assert not service.find("child_exited")


def test_picture_too_large_for_the_decoders_memory_fails_alone(
    make_service: Callable[..., ServiceUnderTest],
) -> None:
    """A decoder that dies of a picture is tried with it once more; then the alert is failed, and others go on."""
    service = make_service(decode__max_pixels=134_217_728, decode__memory_bytes=268_435_456).start()

    assert service.send([hostile.bomb_png(1, 11_000, 11_000)], "bomb")[0] == 250
    assert service.send([pictures.person_jpeg()], "person")[0] == 250
    service.wait_examined()

    found = dict(service.query("SELECT subject, outcome FROM camalert_alert"))
    assert found == {"bomb": "failed", "person": "person"}
    [(reason,)] = service.query("SELECT reason FROM camalert_alert WHERE subject = 'bomb'")
    assert reason
    until(service.is_whole, f"{service.status().get('children')}", 60)
