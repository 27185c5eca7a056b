"""Mails that hang, end or fool their reader, and mails of which not all is a picture: nothing is lost, nobody waits."""

from __future__ import annotations

import contextlib
import email.message
import email.policy
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from testing import deadly_reader, mails, pictures
from testing.smtprig import Mail, SmtpRig
from testing.waiting import until

from camalert.config.schema import Config, Intake, Listen, Pool, Smtp
from camalert.ipc.messages import StoreCode
from camalert.ipc.records import KEPT

MIB = 1 << 20
CONFIG = Config(
    smtp=Smtp(listen=(Listen(host="127.0.0.1", port=0),)), intake=Intake(wait_seconds=20.0), pool=Pool(intake_slots=4)
)
OK = (250, "2.0.0 OK")
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0" + bytes(range(256)) * 8


@pytest.fixture
def rig() -> Iterator[SmtpRig]:
    with SmtpRig(CONFIG, target=f"{deadly_reader.__name__}:smtp") as running:
        yield running


def _alarm(words: bytes = b"", number: int = 1) -> bytes:
    return mails.alarm([pictures.unique_jpeg(number)], subject=f"motion {words.decode()}")


def _sent(mail: bytes) -> bytes:
    """Return a mail as it arrives."""
    return mail if mail.endswith(b"\r\n") else mail + b"\r\n"


@contextlib.contextmanager
def _under_way(rig: SmtpRig, *sent: bytes) -> Iterator[list[tuple[int, str]]]:
    """Have mails delivered meanwhile."""
    answers: list[tuple[int, str]] = []
    senders = [threading.Thread(target=lambda m=mail: answers.append(mails.deliver(rig.port(), m))) for mail in sent]
    for sender in senders:
        sender.start()
    time.sleep(0.3)
    try:
        yield answers
    finally:
        for sender in senders:
            sender.join()


@pytest.mark.parametrize("form", [deadly_reader.COMPUTING, deadly_reader.DYING, deadly_reader.LYING])
def test_mail_that_no_reader_survives_is_kept_as_it_came_and_answered(rig: SmtpRig, form: bytes) -> None:
    """A mail that hangs it, kills it, or makes it say nonsense; other cameras' mails are answered meanwhile."""
    deadly = _alarm(form)
    with _under_way(rig, deadly) as answers:
        for number in range(3):
            assert mails.deliver(rig.port(), _alarm(number=number)) == OK
    assert answers == [OK]

    found = [mail for mail in rig.mails if mail.words.unreadable]
    assert [mail.pictures for mail in found] == [(_sent(deadly),)]
    assert len([mail for mail in rig.mails if not mail.words.unreadable]) == 3
    assert mails.deliver(rig.port(), _alarm(number=9)) == OK


def test_other_cameras_are_answered_while_mails_hang_all_readers(rig: SmtpRig) -> None:
    """The mails that hang wait for their own end, and the others do not wait for it."""
    hanging = [_alarm(deadly_reader.COMPUTING, number) for number in range(2)]
    with _under_way(rig, *hanging) as answers:
        for number in range(3):
            assert mails.deliver(rig.port(), _alarm(number=number)) == OK
            if not number:
                assert len(answers) < len(hanging)
    assert answers == [OK, OK]
    assert sum(bool(mail.words.unreadable) for mail in rig.mails) == 2


def test_reader_that_waits_for_something_holds_up_its_own_mail_only(rig: SmtpRig) -> None:
    """It takes none of the processor's time, and another one reads on."""
    waiting = threading.Thread(target=mails.deliver, args=(rig.port(), _alarm(deadly_reader.WAITING)))
    waiting.start()
    until(lambda: len(rig.readers()) > 0, "a reader", 10)

    for number in range(3):
        assert mails.deliver(rig.port(), _alarm(number=number)) == OK
    assert not any(mail.words.unreadable for mail in rig.mails)
    waiting.join()
    assert sum(bool(mail.words.unreadable) for mail in rig.mails) == 1


def test_mail_whose_reader_was_ended_by_something_else_is_read_once_more(rig: SmtpRig, tmp_path: Path) -> None:
    """A reader that the kernel took for memory is not the mail's fault."""
    words = deadly_reader.DYING_ONCE + b" folder:" + bytes(tmp_path / "died")
    once = _alarm().replace(b"Motion was detected.", words)

    assert mails.deliver(rig.port(), once) == OK

    assert [mail.words.unreadable for mail in rig.mails] == [""]
    assert (tmp_path / "died").exists()


def test_slow_mail_is_read_to_its_end_when_nobody_waits(rig: SmtpRig) -> None:
    """Only what is far beyond a camera's mails is given up."""
    assert mails.deliver(rig.port(), _alarm(deadly_reader.SLOW)) == OK

    assert rig.mails[0].pictures == (pictures.unique_jpeg(1),)


def test_reader_that_keeps_memory_is_replaced(rig: SmtpRig) -> None:
    """What a stranger makes it remember is gone with it, between two mails."""
    before = rig.readers()
    assert mails.deliver(rig.port(), _alarm(deadly_reader.GREEDY)) == OK

    until(lambda: not before & rig.readers(), "the reader ends", 20)
    assert mails.deliver(rig.port(), _alarm(number=2)) == OK
    assert rig.anonymous_bytes() < 60 * MIB


def test_reader_ends_with_the_smtp_process() -> None:
    """Nothing is left behind, however the smtp process ends."""
    with SmtpRig(CONFIG) as rig:
        assert mails.deliver(rig.port(), _alarm()) == OK
        found = rig.readers()
        assert found
        os.kill(rig.pid, signal.SIGKILL)

        until(lambda: not any(_is_there(pid) for pid in found), "the readers end", 20)


def _is_there(pid: int) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text(encoding="latin-1")
    return False


# --- what is no picture -----------------------------------------------------------------------------------------------


def _with(content: bytes, subtype: str, name: str, *, has_picture: bool) -> bytes:
    mail = email.message.EmailMessage(policy=email.policy.SMTP)
    mail["From"], mail["To"], mail["Subject"] = "garage@home", "me@home", "Motion at garage"
    mail.set_content("Motion was detected.\r\n")
    if has_picture:
        mail.add_attachment(pictures.unique_jpeg(1), maintype="image", subtype="jpeg", filename="a.jpg")
    mail.add_attachment(content, maintype="image", subtype=subtype, filename=name)
    return mail.as_bytes()


def _kept(found: list[Mail]) -> list[Mail]:
    return [mail for mail in found if mail.words.unreadable]


@pytest.mark.parametrize("has_picture", [False, True])
def test_picture_of_an_unknown_kind_is_kept_with_its_mail_and_named_once_a_day(
    capfd: pytest.CaptureFixture[str], *, has_picture: bool
) -> None:
    """It cannot be examined, but it is not lost, and the picture beside it is an alarm as ever."""
    with SmtpRig(CONFIG) as rig:
        mail = _with(HEIC, "heic", "snap.heic", has_picture=has_picture)
        for _ in range(2):
            assert mails.deliver(rig.port(), mail) == OK
        first, *_ = _kept(rig.mails)
        assert first.pictures == (_sent(mail),)
        assert "snap.heic" in first.words.unreadable
        assert len(_kept(rig.mails)) == 2
        if has_picture:
            alarms = [found for found in rig.mails if not found.words.unreadable]
            assert [found.pictures for found in alarms] == [(pictures.unique_jpeg(1),)] * 2
            assert {found.words.kind for found in _kept(rig.mails)} == {KEPT}
            assert not {found.words.digest for found in alarms} & {found.words.digest for found in _kept(rig.mails)}
    said = [json.loads(line) for line in capfd.readouterr().err.splitlines() if '"attachment_kept"' in line]
    assert [(line["camera"], "snap.heic" in line["reasons"][0]) for line in said] == [("garage", True)]


def test_mail_is_not_answered_250_when_only_its_pictures_could_be_kept() -> None:
    """The camera sends it again, and what was stored is found again then."""
    with SmtpRig(CONFIG, answer=lambda mail: StoreCode.FULL if mail.words.unreadable else StoreCode.STORED) as rig:
        code, words = mails.deliver(rig.port(), _with(HEIC, "heic", "snap.heic", has_picture=True))

        assert code == 452, words
        assert len(rig.mails) == 1


def test_pictures_beyond_the_most_keep_the_mail() -> None:
    """None of them vanishes with a 250."""
    with SmtpRig(replace(CONFIG, intake=replace(CONFIG.intake, max_pictures=2))) as rig:
        mail = mails.alarm([pictures.unique_jpeg(number) for number in range(4)])
        assert mails.deliver(rig.port(), mail) == OK

        assert [len(found.pictures) for found in rig.mails] == [2, 1]
        assert _kept(rig.mails)[0].pictures == (_sent(mail),)


def test_limit_that_is_offered_is_what_the_pool_has_room_for() -> None:
    """A mail that the configuration allows and the pool does not is refused by its size, not taken and lost."""
    config = replace(CONFIG, intake=replace(CONFIG.intake, max_mail_bytes=6_000_000))
    with SmtpRig(config, largest_bytes=2_097_152) as rig:
        client = mails.up_to_data(rig.port(), timeout_s=30)
        assert client.esmtp_features["size"] == "2097152"
        client.close()
        assert mails.deliver(rig.port(), mails.alarm([pictures.unique_jpeg(1) + bytes(2_000_000)]))[0] == 552
        assert rig.mails == []


@pytest.mark.parametrize("code", [StoreCode.BUSY, StoreCode.FULL, StoreCode.REFUSED])
def test_owner_reads_the_true_reason_of_a_mail_that_was_not_stored(code: StoreCode) -> None:
    """In the writer's own words, whatever it is."""
    with SmtpRig(CONFIG, answer=lambda _: code, reason="the disk reported an error (disk I/O error)") as rig:
        assert mails.deliver(rig.port(), _alarm())[0] in (451, 452)

        note = until(lambda: next((note for note in rig.notes if b"mail_not_stored" in note), None), "a note", 10)
        assert "the disk reported an error (disk I/O error)" in json.loads(note)["message"]
        assert "locked" not in json.loads(note)["message"]
