"""`camalert explain`: what is seen in a mail, and which rule or row decided it."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from testing import pictures as samples

from camalert.__main__ import main
from camalert.cli.explain import explain, lines
from camalert.config import schema as config

JPEG = samples.unique_jpeg(3)
MAIL = (
    b"From: <cam@home.lan>\r\nTo: Owner <barn@home.lan>\r\nSubject: NVR\r\nDate: Sat, 28 Nov 2026 18:30:00 +0000\r\n"
    b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\n%b\r\n--b\r\n'
    b"Content-Type: image/jpeg; name=a.jpg\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + base64.encodebytes(JPEG) + b"\r\n--b--\r\n"
)  # fmt: skip
SPANISH = "Evento de alarma: Detec. Moción\r\nNombre del dispositivo de alarma: Patio\r\n".encode()


def test_explain_names_the_row_that_decided_each() -> None:
    """Camera, event and kind, with the label in the mail's own language; parts and pictures as they are."""
    found = explain(MAIL % SPANISH, config.Config(), 0.0)

    why = {item.what: item.why for item in found.decisions}
    assert (found.camera, found.event, found.kind) == ("Patio", "motion", "alarm")
    assert 'label "nombre del dispositivo de alarma" (Spanish: Dahua)' in why["camera"]
    assert "Spanish: Dahua" in why["event"]
    assert why["kind"] == "its picture"
    assert [(piece.what, piece.name) for piece in found.parts] == [("text/plain", ""), ("image/jpeg", "a.jpg")]
    assert [(piece.what, piece.bytes) for piece in found.pictures] == [("jpeg", len(JPEG))]


def test_explain_says_where_a_name_comes_from_that_is_not_in_the_words() -> None:
    """A block of the configuration, an address of the envelope, or none."""
    block = config.Camera(name="Shed", match=config.Match(recipient="barn@"))

    by_block = explain(MAIL % b"x", config.Config(camera=(block,)), 0.0)
    by_recipient = explain(MAIL % b"Channel: 2", config.Config(), 0.0)
    by_address = explain(MAIL % b"x", config.Config(), 0.0, recipient="alarm@x", address="192.0.2.7")

    assert (by_block.camera, by_block.decisions[0].why) == ("Shed", "a [[camera]] block of the configuration")
    assert by_recipient.camera == "barn 2"
    assert "the recipient barn@home.lan" in by_recipient.decisions[0].why
    assert (by_address.camera, by_address.decisions[0].why) == ("192.0.2.7", "the address of its client")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"barn@home.lan", "barn"),
        (b"barn@home.lan, shed@home.lan", "barn"),
        (b"The, Barn <barn@home.lan>, Shed <shed@home.lan>", "barn"),
        (b"alarm@home.lan", "cam 1"),
    ],
)
def test_explain_takes_the_first_recipient_that_the_mail_names(written: bytes, read: str) -> None:
    """As the service does with those of the envelope: the recipient names the camera, and only else the sender."""
    mail = (MAIL % b"x").replace(b"<cam@home.lan>", b"cam+1@home.lan").replace(b"Owner <barn@home.lan>", written)

    assert explain(mail, config.Config(), 0.0).camera == read


def test_explain_says_that_a_time_is_not_believed() -> None:
    """A clock that was never set: the row has the time of receipt, which is the mail's own date where it has one."""
    told = b"Time: 2000-01-01 00:00:10"
    settings = config.Config(intake=config.Intake(max_clock_skew_seconds=60))

    dated = explain(MAIL % told, settings, 100_000.0)
    undated = explain((MAIL % told).replace(b"Date:", b"X-Date:"), settings, 100_000.0)

    assert {item.what: item.why for item in dated.decisions}["time"] == "the Date header"
    last = undated.decisions[-1]
    assert (undated.time, last.what, last.taken[:4]) == ("", "row's time", "1970")
    assert "too far from it to be believed" in last.why
    assert f"           by {last.why}" in lines(undated)


def test_command_prints_words_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same facts in both; what is no mail is refused with the reason."""
    file, empty = tmp_path / "alarm.eml", tmp_path / "config.toml"
    file.write_bytes(MAIL % SPANISH)
    empty.write_text("")

    assert main(["explain", str(file), "--config", str(empty)]) == 0
    assert "Patio" in capsys.readouterr().out
    assert main(["explain", str(file), "--json", "--config", str(empty)]) == 0
    assert json.loads(capsys.readouterr().out)["camera"] == "Patio"
    file.write_bytes(b"\0\1 nothing")
    assert main(["explain", str(file), "--config", str(empty)]) == 1
    assert "no mail" in capsys.readouterr().err
