"""Sessions over TLS with real sockets: whoever leaves in the wrong moment leaves nothing behind."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from camalert.config.schema import Auth, Config, Smtp
from camalert.intake.smtp import replies, tls
from camalert.intake.smtp.limits import REAL_MAIL_BYTES
from camalert.intake.smtp.reception import ListenerRules, Reception
from camalert.intake.smtp.session import Session
from camalert.system.certificate import make_certificate

LIMIT_S = 60.0
RESET = struct.pack("ii", 1, 0)


class Service:
    """A reception with one port, and what went wrong in it."""

    def __init__(self, certificate: ssl.SSLContext, kind: str, smtp: Smtp) -> None:
        self.notes: list[str] = []
        self.crashes: list[dict[str, Any]] = []
        self.sessions: list[Session] = []
        self.reception = Reception(Config(smtp=smtp), cast(Any, None), cast(Any, self), certificate, (), 1_000_000)
        self.listener = ListenerRules(0, kind, ("private",))
        self.port = 0

    def failure(self, _event: str, _peer: str, message: str) -> None:
        """Take a note."""
        self.notes.append(message)

    async def is_right(self, *_: object) -> bool:
        """Find every login right."""
        return True

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Service]:
        """Take clients in."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self.crashes.append(context))

        def session() -> Session:
            self.sessions.append(Session(self.reception, self.listener, loop))
            return self.sessions[-1]

        server = await loop.create_server(session, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with asyncio.timeout(LIMIT_S):
            yield self
            await self.emptied()
        server.close()

    async def emptied(self, clients: int = 0) -> None:
        """Wait until no more clients are left."""
        while len(self.reception._clients) > clients:
            await asyncio.sleep(0.01)

    async def enter(self, count: int) -> None:
        """Wait until so many have come."""
        while len(self.sessions) < count:
            await asyncio.sleep(0.01)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """Return the server's side of TLS."""
    folder = tmp_path_factory.mktemp("tls")
    make_certificate(folder / "certificate.pem", folder / "key.pem", ("camalert",))
    return tls.context(str(folder / "certificate.pem"), str(folder / "key.pem"), "1.2")


def _trusting() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def test_what_was_said_in_the_clear_is_forgotten_with_starttls(certificate: ssl.SSLContext) -> None:
    """Name, login and the mail that was begun: anybody on the way may have said them (RFC 3207, section 4.2)."""

    async def play() -> list[str]:
        service = Service(certificate, "starttls", Smtp(auth=Auth(accept="users")))
        service.reception.logins = cast(Any, service)
        async with service.open():
            reader, writer = await asyncio.open_connection("127.0.0.1", service.port)

            async def ask(command: str) -> str:
                writer.write(command.encode() + b"\r\n")
                while (reply := (await reader.readline()).decode())[3:4] == "-":
                    pass
                return reply.strip()

            await reader.readline()
            await ask("EHLO clear")
            assert await ask(f"AUTH PLAIN {base64.b64encode(b'x' * 3).decode()}") == replies.LOGGED_IN
            assert await ask("MAIL FROM:<clear@home>") == replies.SENDER_OK
            assert await ask("STARTTLS") == replies.READY_FOR_TLS
            await writer.start_tls(_trusting())
            heard = [await ask("MAIL FROM:<cam@home>")]
            assert await ask(f"AUTH PLAIN {base64.b64encode(b'x' * 3).decode()}") == replies.LOGGED_IN
            heard += [await ask("RCPT TO:<me@home>"), await ask("MAIL FROM:<cam@home>")]
            assert service.sessions[0]._helo == ""
            assert await ask("QUIT") == replies.BYE
            writer.close()
        return heard

    assert asyncio.run(play()) == [replies.LOGIN_FIRST, replies.MAIL_FIRST, replies.SENDER_OK]


def test_newcomer_at_a_full_tls_port_is_sent_away_and_forgotten(certificate: ssl.SSLContext) -> None:
    """Its place is not kept forever, or everybody after it would be let in beyond the limit."""

    async def play() -> list[str]:
        service = Service(certificate, "implicit", Smtp(max_connections_per_address=1))
        async with service.open():
            reader, writer = await asyncio.open_connection("127.0.0.1", service.port, ssl=_trusting())
            await reader.readline()
            for command in (b"EHLO a", b"MAIL FROM:<a@b>", b"RCPT TO:<a@b>", b"DATA"):  # within a mail it is not idle
                writer.write(command + b"\r\n")
                while not (await reader.readline()).startswith((b"250 ", b"354 ")):
                    pass
            while not service.sessions[0].mail_bytes > REAL_MAIL_BYTES:
                writer.write(b"a mail under way\r\n" * 100)
                await asyncio.sleep(0.01)
            heard = []
            for _ in range(3):
                newcomer, other = await asyncio.open_connection("127.0.0.1", service.port)
                heard.append((await newcomer.read()).decode().strip())
                other.close()
                await service.emptied(1)
            writer.transport.abort()
        assert len([note for note in service.notes if "disconnected" in note]) == 3
        return heard

    assert asyncio.run(play()) == [""] * 3  # words in the clear are noise where TLS is expected


def test_client_that_is_gone_before_its_starttls_is_obeyed_is_forgotten(certificate: ssl.SSLContext) -> None:
    """The commands that it sent before are obeyed first, and meanwhile it resets the connection."""

    async def play() -> None:
        service = Service(certificate, "starttls", Smtp(max_connections_per_address=50))
        async with service.open():
            for number in range(3):
                client = socket.create_connection(("127.0.0.1", service.port))
                await service.enter(number + 1)
                client.sendall(b"NOOP\r\n" * 30 + b"STARTTLS\r\n")
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                client.close()
        assert service.crashes == []

    asyncio.run(play())


@pytest.mark.parametrize("manner", ["close_notify", "reset"])
def test_client_that_ends_tls_without_quit_leaves_no_traceback(certificate: ssl.SSLContext, manner: str) -> None:
    """Between the end of TLS and ours there is a turn of the loop in which the transport bears nothing."""

    def visit(port: int, commands: int) -> None:
        client = _trusting().wrap_socket(socket.create_connection(("127.0.0.1", port)))
        client.recv(100)
        client.sendall(b"NOOP\r\n" * commands)
        if manner == "close_notify":
            with contextlib.suppress(OSError):
                client.unwrap()
        else:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        client.close()

    async def play() -> list[dict[str, Any]]:
        service = Service(certificate, "implicit", Smtp(max_connections_per_address=50))
        async with service.open():
            for commands in range(8):
                await asyncio.to_thread(visit, service.port, commands)
            await service.emptied()
            tasks = [session._task for session in service.sessions]
            await asyncio.gather(*tasks)
        return service.crashes

    assert asyncio.run(play()) == []
