"""A connection without a socket: what it makes of bytes, silence and ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from testing.clientdouble import ClientDouble, say

from camalert.config.schema import Config, Intake
from camalert.intake.smtp.connection import COMMANDS_WAITING_BYTES, Connection, Late, MailTooLarge, Over, SpokeTls
from camalert.intake.smtp.reception import Pause, Reception

CLIENT_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
LONG_S = 60.0


def _run(
    scene: Callable[[Connection, ClientDouble], Awaitable[Any]], peer: str = "192.168.1.9", config: Config | None = None
) -> Any:
    """Play a scene in an event loop of its own; delivery and notes are not there."""

    async def play() -> Any:
        max_mail_bytes = (config or Config()).intake.max_mail_bytes
        reception = Reception(config or Config(), cast(Any, None), cast(Any, None), None, (), max_mail_bytes)
        connection = Connection(reception, asyncio.get_running_loop())
        transport = ClientDouble(peer)
        connection.connection_made(transport)
        try:
            return await scene(connection, transport)
        finally:
            connection.forget()

    return asyncio.run(play())


@pytest.mark.parametrize(("peer", "expected"), [("::ffff:192.168.1.9", "192.168.1.9"), ("fe80::1", "fe80::1")])
def test_peer_is_named_as_its_owner_knows_it(peer: str, expected: str) -> None:
    """An IPv4-mapped address is an IPv4 address."""

    async def scene(connection: Connection, _: ClientDouble) -> str:
        return connection.peer

    assert _run(scene, peer) == expected


def test_nothing_is_read_before_somebody_waits_for_it() -> None:
    """A client that is refused is never read."""

    async def scene(connection: Connection, transport: ClientDouble) -> None:
        assert not transport.is_reading_now
        connection.resume(Pause.GREETING)
        waiting = asyncio.ensure_future(connection.line(LONG_S))
        await asyncio.sleep(0)
        assert transport.is_reading_now
        say(connection, b"NO")
        say(connection, b"OP\r\n")
        assert await waiting == b"NOOP"

    _run(scene)


def test_lines_before_the_end_are_heard_and_then_it_is_over() -> None:
    """A client that closes its side early loses no command."""

    async def scene(connection: Connection, _: ClientDouble) -> None:
        say(connection, b"NOOP\r\nQUIT\r\n")
        assert connection.eof_received()  # it may still listen
        assert [await connection.line(LONG_S) for _ in range(2)] == [b"NOOP", b"QUIT"]
        with pytest.raises(Over):
            await connection.line(LONG_S)

    _run(scene)


def test_client_that_opens_tls_is_told_from_one_that_waits() -> None:
    """It will never send a line."""

    async def scene(connection: Connection, _: ClientDouble) -> None:
        say(connection, CLIENT_HELLO)
        with pytest.raises(SpokeTls):
            await connection.line(LONG_S)

    _run(scene)


def test_silence_is_late_for_a_line_and_for_a_mail() -> None:
    """Each has its own time."""

    async def scene(connection: Connection, _: ClientDouble) -> None:
        with pytest.raises(Late):
            await connection.line(0.01)
        connection.begin_mail(1000)
        say(connection, b"Subject: x\r\n")
        with pytest.raises(Late):
            await connection.mail(1000, 0.01)

    _run(scene)


def test_client_that_does_not_read_is_not_obeyed_and_not_read_for_ever() -> None:
    """Its commands wait, as many as are bearable; then it waits too."""

    async def scene(connection: Connection, transport: ClientDouble) -> None:
        connection.resume(Pause.GREETING)
        connection.pause_writing()
        waiting = asyncio.ensure_future(connection.line(LONG_S))
        say(connection, b"NOOP\r\n" * (COMMANDS_WAITING_BYTES // 6 + 1))
        await asyncio.sleep(0)
        assert not waiting.done()
        assert not transport.is_reading_now
        connection.resume_writing()
        assert await waiting == b"NOOP"

    _run(scene)


def test_mail_and_what_follows_it_come_apart() -> None:
    """The next command waits behind the mail."""

    async def scene(connection: Connection, _: ClientDouble) -> None:
        connection.begin_mail(1000)
        say(connection, b"Subject: x\r\n.\r\nQUIT\r\n")
        assert await connection.mail(1000, LONG_S) == b"Subject: x\r\n"
        assert await connection.line(LONG_S) == b"QUIT"

    _run(scene)


@pytest.mark.parametrize(("sent_bytes", "is_endless"), [(20_000, False), (200_000, True)])
def test_too_large_mail_is_read_to_its_end_unless_that_is_too_far(sent_bytes: int, is_endless: bool) -> None:
    """A camera hears its 552 behind the mail; one that pours forever is cut off."""

    async def scene(connection: Connection, _: ClientDouble) -> None:
        connection.begin_mail(10_000)
        say(connection, b"x" * sent_bytes)
        if not is_endless:
            say(connection, b"\r\n.\r\nQUIT\r\n")
        with pytest.raises(MailTooLarge) as found:
            await connection.mail(10_000, LONG_S)
        assert found.value.is_endless is is_endless
        if not is_endless:
            assert await connection.line(LONG_S) == b"QUIT"

    _run(scene, config=Config(intake=Intake(max_mail_bytes=10_000)))


def test_mail_that_never_ends_is_over_and_says_how_much_came() -> None:
    """The owner reads how far the camera got."""

    async def scene(connection: Connection, _: ClientDouble) -> None:
        connection.begin_mail(1000)
        say(connection, b"12345")
        connection.connection_lost(None)
        with pytest.raises(Over):
            await connection.mail(1000, LONG_S)
        assert connection.mail_bytes == len(b"\r\n12345")

    _run(scene)


def test_end_from_outside_says_a_last_word_once() -> None:
    """Whoever waits for the client hears that it is over."""

    async def scene(connection: Connection, transport: ClientDouble) -> None:
        waiting = asyncio.ensure_future(connection.line(LONG_S))
        await asyncio.sleep(0)

        connection.end("421 first")
        connection.end("421 second")

        with pytest.raises(Over):
            await waiting
        assert transport.sent == b"421 first\r\n"
        assert transport.has_closed

    _run(scene)


def test_nothing_is_said_to_a_client_that_is_gone() -> None:
    """Nor is a socket touched that is none any more."""

    async def scene(connection: Connection, transport: ClientDouble) -> None:
        connection.connection_lost(None)
        connection.say("250 OK")
        connection.resume(Pause.GREETING)
        connection.close()
        assert (transport.sent, transport.is_reading_now, transport.has_closed) == (b"", False, False)

    _run(scene)


def test_client_that_was_stopped_for_two_reasons_is_read_when_both_are_over() -> None:
    """One that talks without listening is not read on because others have left it their memory."""

    async def scene(connection: Connection, transport: ClientDouble) -> None:
        connection.resume(Pause.GREETING)
        connection.pause_writing()
        say(connection, b"NOOP\r\n" * (COMMANDS_WAITING_BYTES // 6 + 1))
        connection.pause(Pause.BUDGET)
        connection.resume(Pause.BUDGET)
        assert not transport.is_reading_now
        connection.resume(Pause.COMMANDS)
        assert transport.is_reading_now

    _run(scene)


def test_client_is_late_by_the_last_time_it_was_given_and_one_timer_does_for_all() -> None:
    """A time that is moved on takes no further timer, one that is moved back holds at once."""

    async def scene(connection: Connection, _: ClientDouble) -> None:
        loop = asyncio.get_running_loop()
        say(connection, b"NOOP\r\n" * 10)
        timers = {connection._timer for _ in range(10) if await connection.line(0.05)}
        assert len(timers) == 1
        say(connection, b"NOOP\r\n")
        began_at = loop.time()
        await connection.line(0.2)
        assert {connection._timer} == timers
        with pytest.raises(Late):
            await connection.line(0.2)
        assert loop.time() - began_at >= 0.19
        say(connection, b"NOOP\r\n")
        await connection.line(LONG_S)
        with pytest.raises(Late):
            await connection.line(0.01)
        assert loop.time() - began_at < LONG_S
        connection.forget()
        connection.forget()
        assert connection._timer is None

    _run(scene)


@pytest.mark.parametrize("pause_s", [0.0, 0.05])
def test_mail_with_a_bare_end_is_complete_when_its_client_closes_sooner_or_later(pause_s: float) -> None:
    """Closing is an answer too: the client has nothing to add."""

    async def scene(connection: Connection, _: ClientDouble) -> None:
        connection.begin_mail(1000)
        say(connection, b"Subject: x\n\ntext\n.\n")
        waiting = asyncio.ensure_future(connection.mail(1000, LONG_S))
        await asyncio.sleep(pause_s)
        connection.eof_received()
        assert await waiting == b"Subject: x\n\ntext\n"

    _run(scene)
