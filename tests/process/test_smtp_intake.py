"""The smtp process between its clients and the writer: slots, answers, draining, memory."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from testing import mails, pictures
from testing.smtprig import SmtpRig
from testing.waiting import until

from camalert.config.schema import Config, Intake, Listen, Notify, Pool, Smtp
from camalert.intake.smtp import process as smtp_process
from camalert.ipc.messages import Stop, StoreCode, Stored
from camalert.ipc.records import NoteRecord
from camalert.notify.channel import open_channel
from camalert.notify.message import Message
from camalert.store.notes import words_shared

MIB = 1 << 20
ANONYMOUS_LIMIT_BYTES = 60 * MIB
CONFIG = Config(
    smtp=Smtp(listen=(Listen(host="127.0.0.1", port=0),)), intake=Intake(wait_seconds=1.0), pool=Pool(intake_slots=2)
)


def alarm(number: int = 1, size_bytes: int = 0) -> bytes:
    return mails.alarm([pictures.unique_jpeg(number) + bytes(size_bytes)])


def data_of(rig: SmtpRig) -> socket.socket:
    """Open a session and go as far as to the data, without waiting for replies."""
    sock = rig.connect()
    sock.sendall(b"EHLO cam\r\nMAIL FROM:<cam@home>\r\nRCPT TO:<me@home>\r\nDATA\r\n")
    return sock


@contextlib.contextmanager
def answering(code: StoreCode | None) -> Iterator[SmtpRig]:
    with SmtpRig(CONFIG, answer=lambda _: code) as rig:
        yield rig


@pytest.mark.parametrize(
    ("code", "reply"),
    [
        (StoreCode.STORED, 250), (StoreCode.REPEATED, 250), (StoreCode.BUSY, 451), (StoreCode.REFUSED, 451),
        (StoreCode.FULL, 452), (None, 451),
    ],
)  # fmt: skip
def test_writers_answer_decides_the_reply(code: StoreCode | None, reply: int) -> None:
    """250 only for what is committed; what was not stored is explained in a note."""
    with answering(code) as rig:
        assert mails.deliver(rig.port(), alarm())[0] == reply
        if reply != 250:
            until(lambda: any(b"was not stored" in note for note in rig.notes), "a note", 10)
        else:
            assert not any(b"was not stored" in note for note in rig.notes)


def test_message_of_our_own_that_comes_back_is_refused_for_good() -> None:
    """A mail target whose way leads here: it would be an alarm with a person, and so the next message."""
    with answering(StoreCode.STORED) as rig:
        url = f"smtp://127.0.0.1:{rig.port()}/?to=me@home.example&from=cams@home.example&tls=none"
        channel = open_channel(Notify("mail", url=url)).channel
        told = Message(
            "5f0e", "visit", "Garage", "Somebody at Garage", "14:02", 0.0, "normal", {}, pictures.unique_jpeg(1)
        )

        answer = channel.send(told)

        assert (answer.code, "5.4.6" in answer.reason) == ("given_up", True)
        assert rig.stores == []
        until(lambda: any(b"own_message_refused" in note for note in rig.notes), "a note", 10)


def test_reason_of_the_writer_reaches_the_owner() -> None:
    """Not every fault of the database is a lock; the reason is read before another mail takes the slot."""
    config = replace(CONFIG, intake=Intake(wait_seconds=30.0))
    with SmtpRig(config, answer=lambda _: None) as rig, contextlib.ExitStack() as stack:
        slots = config.pool.intake_slots + 1
        for number in range(slots + 1):
            stack.enter_context(data_of(rig)).sendall(alarm(number) + b"\r\n.\r\n")
        until(lambda: len(rig.stores) == slots, "all slots are taken, and a mail waits for one", 20)
        for store in rig.stores[:slots]:
            rig.pool.write_refusal(store.slot, "the disk caught fire")
            rig.reply(store, StoreCode.BUSY)
        until(
            lambda: sum(b"the disk caught fire" in note for note in rig.notes) == slots, "each is told the reason", 20
        )


def test_slot_stays_leased_until_its_stored_comes() -> None:
    """A client that was told 451 does not free the slot; the late answer does."""
    with answering(None) as rig:
        for number in range(3):  # both small slots and the large one
            assert mails.deliver(rig.port(), alarm(number))[0] == 451
        leased = {store.slot for store in rig.stores}
        assert mails.deliver(rig.port(), alarm(9))[0] == 451
        assert len(rig.stores) == 3

        rig.answer = lambda _: StoreCode.STORED
        for store in list(rig.stores):
            rig.reply(store, StoreCode.STORED)

        assert leased == {0, 1, 2}
        assert mails.deliver(rig.port(), alarm(10))[0] == 250


def test_slots_of_the_predecessor_are_not_used_before_their_answer() -> None:
    """What a dead smtp process had stored may still be read by the writer."""
    with SmtpRig(CONFIG, held=(0, 1)) as rig:
        assert mails.deliver(rig.port(), alarm(1))[0] == 250
        assert rig.stores[-1].slot == 2

        rig.send(Stored(0, 7, bytes(16), StoreCode.STORED, 1, 1))

        until(lambda: mails.deliver(rig.port(), alarm(2))[0] == 250 and rig.stores[-1].slot == 0, "slot 0 in use")


def test_mails_wait_in_turn_for_a_slot() -> None:
    """More mails at a time than slots are all stored, none is refused."""
    with SmtpRig(replace(CONFIG, intake=Intake())) as rig:
        codes: list[int] = []
        senders = [
            threading.Thread(target=lambda number=number: codes.append(mails.deliver(rig.port(), alarm(number))[0]))
            for number in range(12)
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()

        assert codes == [250] * 12
        assert len(rig.mails) == 12


def test_same_mail_again_in_one_session_is_meant() -> None:
    """After a 250 the same bytes are no retry: they get a digest of their own; in a new session they are one."""
    mail = alarm()
    with SmtpRig(CONFIG) as rig:
        with data_of(rig) as sock:
            envelope = b"MAIL FROM:<cam@home>\r\nRCPT TO:<me@home>\r\nDATA\r\n"
            sock.sendall(mail + b".\r\n" + envelope + mail + b".\r\nQUIT\r\n")
            rig.wait_mails(2)
        with data_of(rig) as sock:
            sock.sendall(mail + b".\r\nQUIT\r\n")
            rig.wait_mails(3)

        first, again, retry = (found.words.digest for found in rig.mails)

    assert first != again
    assert first == retry


def test_unreadable_mail_is_kept_raw() -> None:
    """Bytes that are no mail reach the writer as they are, with the reason."""
    with SmtpRig(CONFIG) as rig, data_of(rig) as sock:
        sock.sendall(b"\x00\x01 no mail at all\r\n.\r\n")

        found = rig.wait_mails(1)[0]

    assert found.words.unreadable
    assert found.pictures == (b"\x00\x01 no mail at all\r\n",)


def test_test_mail_is_a_sign_of_life_without_a_row() -> None:
    """It is answered 250, never stored, and noted."""
    with SmtpRig(CONFIG) as rig:
        code, _ = mails.deliver(rig.port(), b"Subject: Test message\r\n\r\nIf you receive this e-mail, it works.\r\n")
        note = NoteRecord.decode(until(lambda: rig.notes, "a note")[0])

    assert code == 250
    assert (note.event, note.pictures, rig.stores) == ("test_mail", 0, [])


def test_drain_finishes_the_mail_under_way_and_sends_idle_sessions_away() -> None:
    """Stop ends nothing that was begun, and everything else at once."""
    mail = alarm()
    with SmtpRig(replace(CONFIG, intake=Intake())) as rig, data_of(rig) as busy, rig.connect() as idle:
        assert idle.recv(100).startswith(b"220")
        busy.sendall(mail[:1000])
        until(lambda: b"354" in busy.recv(4096, socket.MSG_PEEK), "354")

        rig.send(Stop())

        assert idle.recv(100).startswith(b"421")
        busy.sendall(mail[1000:] + b".\r\n")
        replies = b""
        while received := busy.recv(4096):
            replies += received
        assert replies.splitlines()[-2].startswith(b"250")
        assert replies.splitlines()[-1].startswith(b"421")
        rig.process.join(10)
        assert rig.process.exitcode == 0
        assert len(rig.mails) == 1


def test_sigterm_drains_as_stop_does() -> None:
    """A signal from outside is no different."""
    with SmtpRig(CONFIG) as rig:
        os.kill(rig.pid, signal.SIGTERM)
        rig.process.join(10)

        assert rig.process.exitcode == 0


def test_end_of_the_supervisor_ends_the_process() -> None:
    """Nobody is left to work for."""
    with SmtpRig(CONFIG) as rig:
        rig.channel.close()
        rig.process.join(10)

        assert rig.process.exitcode == 0


def _peak_bytes(rig: SmtpRig, attack: threading.Thread) -> int:
    peak = 0
    attack.start()
    while attack.is_alive():
        peak = max(peak, rig.anonymous_bytes())
        time.sleep(0.01)  # the rate of the samples
    return peak


def _pour(sock: socket.socket, block: bytes, total_bytes: int) -> None:
    sock.settimeout(3)
    with contextlib.suppress(OSError):
        for _ in range(total_bytes // len(block)):
            sock.sendall(block)


@pytest.mark.parametrize(
    "block", [b"A" * 65_536, b"QUJD" * 19 + b"\r\n", b"\r\n..\r\n.\r" * 1000], ids=["line", "lines", "dots"]
)
def test_endless_mails_stay_within_the_memory(block: bytes) -> None:
    """Forty clients that pour data without an end cost no more than the one budget for mails in transit."""
    with SmtpRig(CONFIG) as rig:
        socks = [data_of(rig) for _ in range(40)]
        block *= max(1, 65_536 // len(block))

        def attack() -> None:
            threads = [threading.Thread(target=_pour, args=(sock, block, 60 * MIB)) for sock in socks]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        peak = _peak_bytes(rig, threading.Thread(target=attack))
        for sock in socks:
            sock.close()
        code, _ = mails.deliver(rig.port(), alarm())

    assert peak < ANONYMOUS_LIMIT_BYTES
    assert code == 250


def test_largest_mail_fits_and_its_memory_comes_back() -> None:
    """A picture of nearly the limit is stored byte for byte; afterwards the process is small again."""
    picture = pictures.unique_jpeg(3) + os.urandom(17 * MIB)
    with SmtpRig(replace(CONFIG, intake=Intake())) as rig:
        before = rig.anonymous_bytes()
        codes: list[tuple[int, str]] = []
        attack = threading.Thread(target=lambda: codes.append(mails.deliver(rig.port(), mails.alarm([picture]))))

        peak = _peak_bytes(rig, attack)

        assert codes[0][0] == 250
        assert rig.mails[0].pictures == (picture,)
        assert peak < ANONYMOUS_LIMIT_BYTES
        assert rig.anonymous_bytes() - before < 8 * MIB


def test_floods_of_connections_leave_little_memory_behind() -> None:
    """Connections by the hundred, again and again, cost what the first flood costs."""
    with SmtpRig(CONFIG) as rig:
        left_bytes = []
        for _ in range(3):
            socks = [rig.connect() for _ in range(600)]
            for sock in socks:
                sock.close()
            assert mails.deliver(rig.port(), alarm())[0] == 250
            left_bytes.append(rig.anonymous_bytes())

    assert left_bytes[2] - left_bytes[0] < 4 * MIB


def test_hostile_words_harm_nothing() -> None:
    """A mail made of broken words and boundaries is taken, and the next one is stored."""
    with SmtpRig(CONFIG) as rig:
        hostile = b"Subject: " + b"\xff\xfe=?x?B?" * 200 + b"\r\nContent-Type: multipart/mixed; boundary=" + b"-" * 60
        assert mails.deliver(rig.port(), hostile + b"\r\n\r\n" + b"--" * 500)[0] == 250
        assert mails.deliver(rig.port(), alarm())[0] == 250
        assert len(rig.mails) == 1


def test_camera_has_one_name_in_rows_and_notes() -> None:
    """A mail without a name is stored and told under the word of its addresses, or under its address."""
    with answering(StoreCode.STORED) as rig:
        for number, sender in enumerate(("shed@home.lan", "alarm@home.lan")):
            mail = mails.alarm([pictures.unique_jpeg(number)], "Snapshot")
            assert mails.deliver(rig.port(), mail, sender=sender)[0] == 250
        until(lambda: len([note for note in rig.notes if b"mail_stored" in note]) == 2, "both notes", 10)

        assert [mail.words.camera for mail in rig.mails] == ["shed", "127.0.0.1"]
        told = [json.loads(note)["camera"] for note in rig.notes if b"mail_stored" in note]
        assert told == ["shed", "127.0.0.1"]


def test_names_are_written_as_the_database_has_them() -> None:
    """After a restart a camera goes on under the name it had, and a word that was shared names nobody."""
    with answering(StoreCode.STORED) as rig:
        rig.channel.send(words_shared(["anna"], ["Shed"]))
        for number, sender in enumerate(("shed@home.lan", "anna@home.lan")):
            mail = mails.alarm([pictures.unique_jpeg(number)], "Snapshot")
            assert mails.deliver(rig.port(), mail, sender=sender)[0] == 250

        assert [mail.words.camera for mail in rig.mails] == ["Shed", "127.0.0.1"]


def test_connection_that_was_accepted_as_the_drain_begins_is_served() -> None:
    """It is no session yet, and its camera has heard nothing: it is greeted, not dropped."""
    served: list[asyncio.BaseTransport] = []

    class Greets(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            served.append(transport)

    async def play() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Greets, "127.0.0.1", 0)
        process = object.__new__(smtp_process._Process)
        process._servers = [server]
        address = server.sockets[0].getsockname()
        with socket.create_connection(address), server.sockets[0].dup() as listening:
            loop._accept_connection(Greets, listening, server=server)  # type: ignore[attr-defined]
            await process._accept_no_more()
            for transport in served:
                transport.close()
            await asyncio.sleep(0)

    asyncio.run(play())

    assert len(served) == 1
