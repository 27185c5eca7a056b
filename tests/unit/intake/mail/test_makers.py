"""Mails of makers and programs in their languages: each kind with the camera, the event and the time that it names.

The words are the makers', from their menus and manuals; the values are invented.
"""

from __future__ import annotations

import datetime as dt
import tomllib
from pathlib import Path
from typing import Any

import pytest

from camalert.identity import Envelope
from camalert.intake.mail import facts, reader, times
from camalert.intake.mail.rules import Rules
from camalert.ipc.records import MailRecord

MAILS = tomllib.loads((Path(__file__).parent / "makers.toml").read_text(encoding="utf-8"))["mail"]


@pytest.mark.parametrize("mail", MAILS, ids=[f"{mail['maker']}-{mail['language']}-{mail['subject']}" for mail in MAILS])
def test_mail_of_a_maker_is_read(mail: dict[str, Any]) -> None:
    """Whoever made it and in which language: camera, event, kind, and the time to the minute."""
    subject, text = mail["subject"], mail["text"]
    received_utc = dt.datetime(2026, 11, 28, 18, 25).timestamp()  # noqa: DTZ001 - the camera's clock is ours

    found = facts.facts_of(subject, text, ())
    moment = times.camera_time((found.time, subject, text), (), "", received_utc, 86_400.0)

    assert (found.camera, found.event) == (mail.get("camera", ""), mail.get("event", ""))
    assert facts.kind_of_mail(subject, text, found.event)[0] == mail.get("kind", "alarm")
    if mail.get("has_time"):
        assert moment.believed_utc is not None
        assert 0 <= received_utc - moment.believed_utc <= 120


@pytest.mark.parametrize(
    ("subject", "camera"),
    [
        ("Gate - Line Crossing", "Gate"),
        ("Line crossing | Back Door", "Back Door"),
        ("NVR: Gate: Human Detection", "Gate"),
        ("Einfahrt: Person erkannt", "Einfahrt"),
        ("Entrée - Détection de mouvement", "Entrée"),
        ("Camera 2 (Stable): Intrusion", "Stable"),
        ("Re: Motion Detected", ""),
        ("Hikvision: Human Detection", ""),
        ("Embedded Net DVR - Human Detection", ""),
        ("Alarm: Alarm", ""),
        ("Motion - Person", ""),
        ("one - two - three - Line Crossing", ""),
        ("Tapo camera Yard detected motion", "Yard"),
    ],
)
def test_name_beside_an_event_is_the_camera(subject: str, camera: str) -> None:
    """Of a few pieces one is the event and one a name; a maker, a recorder's factory name, a reply are none."""
    assert facts.facts_of(subject, "", ()).camera == camera


def test_device_with_a_channel_in_a_sentence_is_both() -> None:
    """Another channel of the same recorder is another camera."""
    found = [facts.facts_of(f"Motion Detected on Villa NVR, CH {number}", "", ()).camera for number in (2, 3)]
    assert found == ["Villa NVR 2", "Villa NVR 3"]


@pytest.mark.parametrize("label", ["AlarmChannel", "alarm_channel", "Alarm Channel"])
def test_label_without_blanks_is_one(label: str) -> None:
    """Cheap firmware writes its fields as its programmers name them."""
    assert facts.facts_of("x", f"DeviceName: Stable\n{label}: 4", ()).camera == "Stable 4"


@pytest.mark.parametrize(
    ("written", "is_time"),
    [("1795890211", True), ("1795890211042", True), ("17958902110", False), ("at 1795890211", False)],
)
def test_seconds_since_1970_are_a_time_behind_its_label_alone(written: str, is_time: bool) -> None:
    """A program writes them; anywhere else such a number is a serial number."""
    moment = times.camera_time((written, "1795890211", ""), (), "", 1_795_890_300.0, 86_400.0)
    assert moment.believed_utc == (1_795_890_211.0 if is_time else None)


def test_reasons_are_kept_with_the_mail_and_bounded() -> None:
    """What is stored beside an alarm says what decided it, however long a mail's words are."""
    long = "x" * 5000
    mail = f"Subject: Motion Detected\r\n\r\nCamera Name: Gate\r\nEvent Time: 2026-11-28 18:23:31\r\nEvent: {long}\r\n"
    record = reader.read(bytearray(mail.encode()), Envelope(), Rules(()), 1_795_890_300.0, 86_400.0).record

    assert [what for what, _, _ in record.reasons] == ["camera", "event", "time", "kind"]
    assert record.reasons[0][:2] == ("camera", "Gate")
    assert "camera name" in record.reasons[0][2]
    assert all(len(taken) <= 120 and len(rule) <= 200 for _, taken, rule in record.reasons)
    assert MailRecord.decode(record.encode()).reasons == record.reasons


def _table() -> list[str]:
    """Return the table of docs/cameras.md: makers, languages, kinds of mail."""
    kinds: dict[str, dict[str, dict[str, None]]] = {}
    for mail in MAILS:
        of_maker = kinds.setdefault(mail["maker"], {}).setdefault(mail["language"], {})
        of_maker[mail.get("kind", "alarm")] = None
    makers = sorted(kinds, key=lambda maker: (maker == "any", maker.casefold()))
    rows = []
    for maker in makers:
        cells = [f"{language}: {', '.join(found)}" for language, found in sorted(kinds[maker].items())]
        rows.append(f"| {maker} | {'; '.join(cells)} |")
    return rows


def test_table_of_makers_languages_and_kinds_is_in_the_documents() -> None:
    """An owner sees what was tried; whoever adds a mail adds its row."""
    text = (Path(__file__).parents[4] / "docs" / "cameras.md").read_text(encoding="utf-8")
    rows = _table()
    assert [row for row in rows if row not in text] == []
    assert "\n".join(rows) in text
