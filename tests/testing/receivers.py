"""Receivers of messages: an HTTP server that answers as it is told, a mail server, and a real MQTT broker."""

from __future__ import annotations

import contextlib
import http.server
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message as Mail
from pathlib import Path
from typing import Any

import pytest

from camalert.system.certificate import make_certificate
from testing.waiting import until


@dataclass
class Request:
    """What an HTTP receiver got."""

    path: str
    headers: dict[str, str]  # by lower-case name
    body: bytes


@dataclass
class HttpReceiver:
    """Answers each request with the next of `answers`, the last of them for ever."""

    port: int = 0
    answers: list[tuple[int, dict[str, str]] | str] = field(default_factory=lambda: [(200, {})])
    requests: list[Request] = field(default_factory=list)
    answered: list[tuple[bytes, int]] = field(default_factory=list)  # the bodies of those that got a status, and which
    is_over: threading.Event = field(default_factory=threading.Event)

    def url(self, scheme: str = "webhook+http", path: str = "/hook") -> str:
        """Return the URL of a target."""
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    def take(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        """Take one request: "hang" answers never, "close" ends the connection, "drip" sends a header a second."""
        body = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.requests.append(Request(handler.path, headers, body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, str):
            handler.close_connection = True
            if answer == "hang":
                self.is_over.wait(60)
            with contextlib.suppress(OSError):
                while answer == "drip" and not self.is_over.wait(0.1):
                    handler.wfile.write(b"x")
            return
        status, more = answer
        handler.send_response(status)
        for name, value in (more | {"Content-Length": "2"}).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(b"ok")
        self.answered.append((body, status))


@contextlib.contextmanager
def http_receiver() -> Iterator[HttpReceiver]:
    """Run an HTTP receiver for the length of a `with` block."""
    receiver = HttpReceiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.take(self)

        do_PUT = do_GET = do_POST  # noqa: N815 - the names of http.server

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """Say nothing: clients that go away are what is tested."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield receiver
    finally:
        receiver.is_over.set()
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class MailReceiver:
    """Keeps each mail; `reply` is said to the mail, `recipient_reply` to each recipient."""

    port: int = 0
    mails: list[Mail] = field(default_factory=list)
    logins: list[tuple[bytes, bytes]] = field(default_factory=list)
    reply: str = "250 taken"
    recipient_reply: str = "250 fine"

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:  # noqa: N802
        """Take or refuse a recipient."""
        if self.recipient_reply.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.recipient_reply

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """Take a mail."""
        self.mails.append(message_from_bytes(envelope.content))
        return self.reply


@contextlib.contextmanager
def mail_receiver(folder: Path, *, is_implicit: bool = False) -> Iterator[tuple[MailReceiver, str]]:
    """Run a mail server with TLS and a login; yield it and the file of the authority to trust."""
    import ssl  # noqa: PLC0415

    from aiosmtpd.controller import Controller  # noqa: PLC0415
    from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword  # noqa: PLC0415

    receiver = MailReceiver()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(folder))

    def authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, login: LoginPassword) -> AuthResult:
        receiver.logins.append((login.login, login.password))
        return AuthResult(success=login.password == b"right", handled=False)

    class Encrypted(Controller):
        def factory(self) -> SMTP:
            options: dict[str, Any] = {} if is_implicit else {"tls_context": context, "require_starttls": True}
            return SMTP(self.handler, authenticator=authenticate, auth_require_tls=not is_implicit, **options)

    with socket.create_server(("127.0.0.1", 0)) as found:
        receiver.port = found.getsockname()[1]
    controller = Encrypted(
        receiver, hostname="127.0.0.1", port=receiver.port, ssl_context=context if is_implicit else None
    )
    controller.start()
    try:
        yield receiver, str(folder / "certificate.pem")
    finally:
        controller.stop()


def certificate(folder: Path) -> tuple[str, str]:
    """Make a certificate for this machine, once; return the files of certificate and key."""
    made, own_key = folder / "certificate.pem", folder / "key.pem"
    if not made.exists():
        make_certificate(made, own_key, ("localhost", "127.0.0.1"))
    return str(made), str(own_key)


@dataclass
class Broker:
    """A mosquitto of Debian's."""

    port: int
    authority: str = ""

    def url(self, path: str = "/home", login: str = "") -> str:
        """Return the URL of a target."""
        if self.authority:
            return f"mqtts://{login}localhost:{self.port}{path}?ca={self.authority}"
        return f"mqtt://{login}127.0.0.1:{self.port}{path}"


@contextlib.contextmanager
def broker(folder: Path, *, is_encrypted: bool = False, port: int = 0) -> Iterator[Broker]:
    """Run a broker, with TLS and the login anna:right or open to all."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        pytest.skip("mosquitto is not installed")
    if not port:
        with socket.create_server(("127.0.0.1", 0)) as found:
            port = found.getsockname()[1]
    lines = [f"listener {port} 127.0.0.1", "user root", "log_dest none"]
    if is_encrypted:
        made, own_key = certificate(folder)
        passwords = folder / "passwords"
        passwords.touch(mode=0o600)
        subprocess.run(["mosquitto_passwd", "-b", str(passwords), "anna", "right"], check=True)
        lines += [f"certfile {made}", f"keyfile {own_key}", f"password_file {passwords}"]
    else:
        lines.append("allow_anonymous true")
    settings = folder / "mosquitto.conf"
    settings.write_text("\n".join(lines))
    process = subprocess.Popen([program, "-c", str(settings)], stderr=subprocess.DEVNULL)
    try:
        until(lambda: _is_open(port), "the broker listens", 10)
        yield Broker(port, str(folder / "certificate.pem") if is_encrypted else "")
    finally:
        process.terminate()
        process.wait(10)


def _is_open(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


class Listener:
    """A client of a broker that keeps what it hears."""

    def __init__(self, found: Broker, *topics: str) -> None:
        from paho.mqtt import client as paho  # noqa: PLC0415

        self.heard: list[tuple[str, bytes, bool]] = []
        self._client = paho.Client(paho.CallbackAPIVersion.VERSION2)
        self._client.on_message = lambda _c, _u, one: self.heard.append((one.topic, one.payload, one.retain))
        granted: set[int] = set()
        self._client.on_subscribe = lambda _c, _u, number, *_: granted.add(number)
        self._client.connect("127.0.0.1", found.port)
        self._client.loop_start()
        asked = {self._client.subscribe(topic, 1)[1] for topic in topics or ("#",)}
        until(lambda: asked <= granted, "the broker to take the subscription")

    def last(self, topic: str) -> bytes | None:
        """Return the last message of a topic."""
        return next((payload for own, payload, _ in reversed(self.heard) if own == topic), None)

    def say(self, topic: str, payload: str, *, retain: bool = False) -> None:
        """Publish something."""
        self._client.publish(topic, payload, 1, retain=retain).wait_for_publish(10)

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()


@contextlib.contextmanager
def silent_port() -> Iterator[int]:
    """Yield a port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]
