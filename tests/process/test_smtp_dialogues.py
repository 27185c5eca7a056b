"""The dialogues of cameras, over a real socket with the real smtp process."""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import json
import os
import re
import socket
import ssl
import struct
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from testing import mails, pictures
from testing.ports import free_port
from testing.smtprig import SmtpRig
from testing.waiting import until

from camalert.config.schema import Auth, Config, Listen, Smtp, User
from camalert.intake.smtp.passwords import hash_password
from camalert.ipc.messages import Ping
from camalert.system.certificate import make_certificate

PLAIN, STARTTLS, IMPLICIT = 0, 1, 2
REPLY = re.compile(rb"\d{3}[ -].+\r\n")


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def mail(token: str) -> bytes:
    return mails.alarm([pictures.unique_jpeg(1)], subject=f"motion {token}")


def stuffed(data: bytes) -> bytes:
    data = b"." + data if data.startswith(b".") else data
    return data.replace(b"\r\n.", b"\r\n..")


@dataclass
class Client:
    """A client that checks the form of every reply."""

    sock: socket.socket
    buffer: bytes = b""

    def say(self, data: bytes | str) -> None:
        self.sock.sendall(data if isinstance(data, bytes) else data.encode() + b"\r\n")

    def hear(self) -> str:
        """Return the text of the next reply."""
        lines = []
        while True:
            while b"\n" not in self.buffer:
                received = self.sock.recv(65536)
                if not received:
                    raise ConnectionError(f"closed after {lines}")
                self.buffer += received
            line, _, self.buffer = self.buffer.partition(b"\n")
            line += b"\n"
            assert REPLY.fullmatch(line), f"not a reply with words: {line!r}"
            lines.append(line.decode().rstrip())
            if line[3:4] == b" ":
                return "\n".join(lines)

    def ask(self, command: bytes | str) -> str:
        self.say(command)
        return self.hear()

    def is_closed(self) -> bool:
        try:
            return not self.sock.recv(1)
        except ConnectionError:
            return True

    def begin(self) -> Client:
        """Go as far as to the mail's data."""
        for command in ("", "EHLO cam", "MAIL FROM:<cam@home.example>", "RCPT TO:<owner@home.example>", "DATA"):
            reply = self.ask(command) if command else self.hear()
            assert reply[0] in "23", reply
        return self

    def encrypt(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.sock = context.wrap_socket(self.sock)
        self.buffer = b""


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmtpRig]:
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    make_certificate(certificate, key, ("camalert", "127.0.0.1"))
    listen = tuple(Listen(host="127.0.0.1", port=0, tls=kind) for kind in ("none", "starttls", "implicit"))
    smtp = Smtp(
        listen=listen, certificate=str(certificate), private_key=str(key), command_seconds=3.0,
        mail_seconds=5.0, max_connections=40, max_connections_per_address=30,
    )  # fmt: skip
    with SmtpRig(Config(smtp=smtp)) as running:
        yield running


@pytest.fixture
def client(rig: SmtpRig) -> Iterator[Client]:
    with rig.connect() as sock:
        yield Client(sock)


@pytest.fixture
def token() -> str:
    return uuid.uuid4().hex[:10]


def subjects(rig: SmtpRig) -> list[str]:
    return [found.words.subject for found in rig.mails]


def arrived(rig: SmtpRig, token: str, count: int = 1) -> bool:
    wanted = f"motion {token}"
    return bool(until(lambda: subjects(rig).count(wanted) >= count, f"{wanted} in {subjects(rig)[-5:]}", 10))


LOGIN = ["AUTH LOGIN", b64("cam"), b64("secret")]
# What cameras say before the data of a mail; each line gets an answer that is not an error.
GREETINGS = {
    "ehlo": ["EHLO cam"],
    "helo": ["HELO cam"],
    "ehlo without a name": ["EHLO"],
    "helo without a name": ["HELO "],
    "ehlo then helo": ["EHLO DAFANG", "HELO DAFANG"],
    "lower case": ["ehlo cam"],
    "name with blanks and brackets": ["EHLO [192.168.1.20] my cam"],
    "name in Chinese": ["EHLO 摄像机"],
    "noop before anything": ["NOOP", "EHLO cam", "NOOP"],
    "login": ["EHLO cam", *LOGIN],
    "login after helo": ["HELO cam", *LOGIN],
    "login after ehlo and helo": ["EHLO cam", "HELO cam", *LOGIN],
    "login in lower case": ["EHLO cam", "auth login", b64("cam"), b64("secret")],
    "login with initial response": ["EHLO cam", f"AUTH LOGIN {b64('cam')}", b64("secret")],
    "login with empty answers": ["EHLO cam", "AUTH LOGIN", "", ""],
    "login with answers that are no base64": ["EHLO cam", "AUTH LOGIN", "?cam?", "!"],
    "plain with initial response": ["EHLO cam", f"AUTH PLAIN {b64(chr(0) + 'cam' + chr(0) + 'secret')}"],
    "plain without initial response": ["EHLO cam", "AUTH PLAIN", b64(chr(0) + "cam" + chr(0) + "secret")],
    "plain in lower case": ["EHLO cam", f"auth plain {b64(chr(0) + 'cam' + chr(0) + 'secret')}"],
    "cram-md5": ["EHLO cam", "AUTH CRAM-MD5", b64("cam 0123456789abcdef")],
    "login twice": ["EHLO cam", *LOGIN, *LOGIN],
    "no greeting at all": [],
    "verify": ["EHLO cam", "VRFY owner", "VRFY <<a"],
    "help": ["EHLO cam", "HELP", "HELP MAIL"],
}
SENDERS = [
    "MAIL FROM:<cam@home.example>",
    "mail from:<cam@home.example>",
    "MAIL FROM: <cam@home.example>",
    "MAIL FROM:cam@home.example",
    "MAIL FROM: cam@home.example",
    "MAIL FROM: cam@home.example SIZE=1234",
    "MAIL FROM <cam@home.example>",
    "MAILFROM:<cam@home.example>",
    "MAIL FROM:<>",
    "MAIL FROM: <APPNAME>",
    "MAIL FROM:<my camera@home.example>",
    'MAIL FROM:"Camera 1" <cam@home.example>',
    "MAIL FROM:<cam@home.example> SIZE=300000 BODY=8BITMIME",
    "MAIL FROM:<cam@home.example> AUTH=<>",
    "MAIL FROM:<cam@home.example> SIZE=",
    "MAIL FROM:<cam@home.example> X-UNKNOWN=1 FOO",
    "MAIL FROM:<cam@home.example> SMTPUTF8",
    "MAIL FROM:<@relay:cam@home.example>",
    "MAIL FROM:<cam@home.example",
    "MAIL FROM:",
]
RECIPIENTS = [
    ["RCPT TO:<owner@home.example>"],
    ["rcpt to: <owner@home.example>"],
    ["RCPT TO:owner@home.example"],
    ["RCPT TO:<owner>"],
    ["RCPT TO:<a@home.example>", "RCPT TO:<b@home.example>", "RCPT TO:<c@home.example>"],
    ["RCPT TO:<a@home.example,b@home.example>"],
    ["RCPT TO:<a@home.example>,<b@home.example>"],
    ["RCPT TO:a@home.example;b@home.example"],
    ["RCPT TO:<owner@home.example> NOTIFY=NEVER"],
    ['RCPT TO:"Me"<owner@home.example>'],
]


@pytest.mark.parametrize("greeting", GREETINGS, ids=str)
def test_greeting_and_login_in_any_manner_lead_to_a_stored_mail(
    rig: SmtpRig, client: Client, token: str, greeting: str
) -> None:
    """Every way in which cameras greet and log in ends in a stored mail."""
    client.hear()
    commands = [*GREETINGS[greeting], SENDERS[0], *RECIPIENTS[0], "DATA"]

    replies = [client.ask(command) for command in commands]

    assert all(reply[0] in "23" for reply in replies), replies
    assert client.ask(stuffed(mail(token)) + b".\r\n").startswith("250")
    assert arrived(rig, token)


@pytest.mark.parametrize("sender", SENDERS)
def test_sender_in_any_form_is_accepted(client: Client, sender: str) -> None:
    """No way to write a sender is refused, nor are parameters that mean nothing to us."""
    client.hear()
    client.ask("HELO cam")

    assert client.ask(sender).startswith("250")


@pytest.mark.parametrize("recipients", RECIPIENTS, ids=lambda commands: commands[0])
def test_recipients_in_any_form_are_accepted(rig: SmtpRig, client: Client, token: str, recipients: list[str]) -> None:
    """Several recipients, with commas, with semicolons, without brackets: all reach the mail's words."""
    client.hear()
    client.ask("EHLO cam")
    client.ask(SENDERS[0])

    replies = [client.ask(command) for command in recipients]

    assert all(reply.startswith("250") for reply in replies), replies
    client.ask("DATA")
    assert client.ask(stuffed(mail(token)) + b".\r\n").startswith("250")
    assert arrived(rig, token)
    expected = len(re.findall(r"\w+@|<owner>", " ".join(recipients)))
    assert len(rig.mails[-1].words.recipients) == expected


def test_several_mails_in_a_session_with_reset_between_are_all_stored(rig: SmtpRig, client: Client, token: str) -> None:
    """RSET, NOOP and further mails work in one session."""
    client.hear()
    client.ask("EHLO cam")
    for number in range(3):
        for command in (SENDERS[0], "RSET", "NOOP", SENDERS[0], "NOOP", *RECIPIENTS[0], "DATA"):
            assert client.ask(command)[0] in "23"
        assert client.ask(stuffed(mail(f"{token}{number}")) + b".\r\n").startswith("250")

    assert all(arrived(rig, f"{token}{number}") for number in range(3))


def test_pipelined_mail_in_one_packet_is_stored(rig: SmtpRig, client: Client, token: str) -> None:
    """A client that says everything at once, before the greeting, is served in order."""
    commands = ("EHLO cam", *LOGIN, SENDERS[0], *RECIPIENTS[0], "DATA")

    client.say(b"".join(command.encode() + b"\r\n" for command in commands) + stuffed(mail(token)) + b".\r\nQUIT\r\n")

    codes = [client.hear()[:3] for _ in range(len(commands) + 3)]
    assert codes == ["220", "250", "334", "334", "235", "250", "250", "354", "250", "221"]
    assert arrived(rig, token)


@pytest.mark.parametrize("ending", ["close", "reset", "half-close", "quit unread"])
def test_client_that_leaves_without_reading_the_reply_loses_nothing(
    rig: SmtpRig, client: Client, token: str, ending: str
) -> None:
    """A mail that came completely is stored, however its sender leaves."""
    client.begin()

    client.say(stuffed(mail(token)) + b".\r\n" + (b"QUIT\r\n" if ending == "quit unread" else b""))
    match ending:
        case "reset":
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.sock.close()
        case "half-close":
            client.sock.shutdown(socket.SHUT_WR)
            assert client.hear().startswith("250")
        case _:
            client.sock.close()

    assert arrived(rig, token)


def test_connection_lost_within_a_mail_stores_nothing_and_is_explained(
    rig: SmtpRig, client: Client, token: str
) -> None:
    """Half a mail is no mail; the note says what happened."""
    client.begin()
    before = len(rig.mails)

    client.say(mail(token)[:2000])
    client.sock.close()

    until(lambda: any(b"broke off within a mail" in note for note in rig.notes), "a note", 10)
    assert len(rig.mails) == before


SMUGGLED = b"MAIL FROM:<evil@example>\r\nRCPT TO:<owner@home.example>\r\nDATA\r\nSubject: SMUGGLED\r\n\r\nx\r\n.\r\n"


def test_what_no_camera_needs_is_answered_in_our_words(client: Client) -> None:
    """Lists there are none, and nothing is done when nothing is asked for."""
    assert client.hear().startswith("220")
    assert client.ask("EXPN everybody") == "502 5.5.1 no mailing lists here"
    assert client.ask("NOOP") == "250 2.0.0 OK"


@pytest.mark.parametrize(
    "ending",
    [
        b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n\n.\r\n",
        b"\r\n\x00.\r\n", b"\r\n.\x00\r\n", b"\r\r\n.\n\r\n",
    ],
    ids=repr,
)  # fmt: skip
def test_only_crlf_dot_crlf_ends_a_mail(rig: SmtpRig, client: Client, token: str, ending: bytes) -> None:
    """Nothing else that looks like an end lets a mail's text become commands."""
    client.begin()
    data = stuffed(mail(token)).rstrip(b"\r\n")
    inside = ending + SMUGGLED.replace(b"\r\n.\r\n", b"\r\n..\r\n")

    reply = client.ask(data + inside + b"\r\n.\r\n")

    assert reply.startswith("250")
    assert client.ask("NOOP").startswith("250")
    assert arrived(rig, token)
    assert "SMUGGLED" not in subjects(rig)


def test_mail_in_tiny_pieces_is_whole(rig: SmtpRig, client: Client, token: str) -> None:
    """Pieces of any size, with dots and line ends torn apart, make the same mail."""
    client.begin()
    body = b"Subject: motion " + token.encode() + b"\r\n\r\n..\r\n.a\r\n" + base64.encodebytes(pictures.unique_jpeg(2))

    wire = stuffed(body) + b"\r\n.\r\n"
    for at in range(0, len(wire), 7):
        client.sock.send(wire[at : at + 7])

    assert client.hear().startswith("250")
    assert arrived(rig, token)
    assert rig.mails[-1].pictures == (pictures.unique_jpeg(2),)


def test_bare_line_feeds_and_one_giant_line_are_fine(rig: SmtpRig, client: Client, token: str) -> None:
    """Line feeds alone and a base64 line of 100 kB are data like any other."""
    picture = pictures.person_jpeg(1024)
    body = (
        f"Subject: motion {token}\nContent-Type: image/jpeg\nContent-Transfer-Encoding: base64\n\n".encode()
        + base64.b64encode(picture)
    )
    assert len(picture) > 75_000
    client.begin()

    assert client.ask(body + b"\r\n.\r\n").startswith("250")
    assert arrived(rig, token)
    assert rig.mails[-1].pictures == (picture,)


@pytest.mark.parametrize("data", [b".\r\n", b"\r\n.\r\n", b"x\r\n.\r\n", b"\xff\xfe\x00\r\n.\r\n"], ids=repr)
def test_mail_of_nothing_is_taken_and_gives_no_picture(client: Client, data: bytes) -> None:
    """Even an empty mail ends, and the session goes on."""
    client.begin()

    assert client.ask(data).startswith("250")
    assert client.ask("NOOP").startswith("250")


@pytest.mark.parametrize(
    ("commands", "code"),
    [
        (["DATA"], "503"),
        (["RCPT TO:<a@b>"], "503"),
        ([SENDERS[0], "DATA"], "503"),
        ([SENDERS[0], SENDERS[0]], "503"),
        ([SENDERS[0], "RCPT TO:<>"], "501"),
        (["MAIL FROM:<a@b> SIZE=99999999999"], "552"),
        (["AUTH NTLM"], "504"),
        (["AUTH LOGIN", "*"], "501"),
        (["AUTH PLAIN", "*"], "501"),
        (["STARTTLS"], "502"),
        (["FOO bar"], "500"),
        ([""], "500"),
        (["A" * 5000], "500"),
    ],
    ids=str,
)  # fmt: skip
def test_command_that_cannot_be_obeyed_gets_its_code_and_the_session_goes_on(
    client: Client, commands: list[str], code: str
) -> None:
    """Errors are answered in words and end nothing."""
    client.hear()
    client.ask("EHLO cam")

    replies = [client.ask(command) for command in commands]

    assert replies[-1].startswith(code)
    assert client.ask("NOOP").startswith("250")


def test_ehlo_names_what_cameras_look_for(client: Client) -> None:
    """AUTH in both spellings, SIZE and 8BITMIME are offered without being asked for."""
    client.hear()

    offers = client.ask("EHLO cam").splitlines()

    assert {line[4:] for line in offers} >= {"AUTH LOGIN PLAIN", "AUTH=LOGIN PLAIN", "SIZE 26214400", "8BITMIME"}


def test_mail_beyond_the_limit_gets_552_and_the_next_one_is_stored(rig: SmtpRig, client: Client, token: str) -> None:
    """A too large mail is read to its end, refused in words, and costs no memory."""
    client.begin()
    line = b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVo" * 26 + b"\r\n"
    block = line * 1000

    client.say(b"Subject: big\r\n\r\n")
    for _ in range(30 * 1_048_576 // len(block)):
        client.say(block)
    reply = client.ask(b".\r\n")

    assert reply.startswith("552")
    for command in (SENDERS[0], *RECIPIENTS[0], "DATA"):
        client.ask(command)
    assert client.ask(stuffed(mail(token)) + b".\r\n").startswith("250")
    assert arrived(rig, token)


def test_tls_on_the_plain_port_is_explained(rig: SmtpRig, client: Client) -> None:
    """The owner reads that SSL must be switched off, or which port speaks it."""
    with pytest.raises((ssl.SSLError, OSError)):
        client.encrypt()

    note = until(lambda: next((note for note in rig.notes if b"started TLS" in note), None), "a note", 10)
    words = json.loads(note)["message"]
    assert "switch SSL off in the camera" in words
    assert f"use port {rig.port(IMPLICIT)}" in words


def test_browser_is_recognised(rig: SmtpRig, client: Client) -> None:
    """A browser is told apart from a camera."""
    client.say(b"GET / HTTP/1.1\r\nHost: camera\r\n\r\n")

    until(lambda: any(b"HTTP" in note for note in rig.notes), "a note", 10)


def test_starttls_encrypts_and_what_came_before_is_discarded(rig: SmtpRig, token: str) -> None:
    """Commands pipelined behind STARTTLS are not obeyed; login and mail work after it."""
    with rig.connect(STARTTLS) as sock:
        client = Client(sock)
        client.hear()
        assert "250-STARTTLS" in client.ask("EHLO cam")
        assert client.ask(b"STARTTLS\r\nNOOP injected\r\nMAIL FROM:<evil@example>\r\n").startswith("220")
        client.encrypt()
        assert "STARTTLS" not in client.ask("EHLO cam")
        for command in (*LOGIN, SENDERS[0], *RECIPIENTS[0], "DATA"):
            assert client.ask(command)[0] in "23"
        assert client.ask(stuffed(mail(token)) + b".\r\n").startswith("250")
        assert client.ask("QUIT").startswith("221")
        client.sock.close()
    assert arrived(rig, token)


@pytest.mark.parametrize("listener", [STARTTLS, IMPLICIT], ids=["starttls", "implicit"])
def test_command_in_one_packet_with_the_end_of_the_handshake_is_answered(rig: SmtpRig, listener: int) -> None:
    """A quick client's first command is not lost, although it comes before our side of the handshake is through."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    theirs, ours = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(theirs, ours)
    with rig.connect(listener) as sock:
        if listener == STARTTLS:
            client = Client(sock)
            client.hear()
            client.ask("EHLO cam")
            client.ask("STARTTLS")
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                sock.sendall(ours.read())
                theirs.write(sock.recv(65536))
        tls.write(b"EHLO quick\r\n")
        sock.sendall(ours.read())
        heard = b""
        while b"SIZE" not in heard:
            theirs.write(sock.recv(65536))
            with contextlib.suppress(ssl.SSLWantReadError):
                heard += tls.read(65536)


def test_implicit_tls_delivers_a_large_mail(rig: SmtpRig, token: str) -> None:
    """Encrypted from the first byte, several megabytes come through whole."""
    picture = pictures.person_jpeg(640) + bytes(3_000_000)
    with rig.connect(IMPLICIT) as sock:
        client = Client(sock)
        client.encrypt()
        client.begin()
        assert client.ask(stuffed(mails.alarm([picture], f"motion {token}")) + b".\r\n").startswith("250")
        client.sock.close()
    assert arrived(rig, token)
    assert rig.mails[-1].pictures == (picture,)


def test_plain_talk_on_the_tls_port_is_explained(rig: SmtpRig) -> None:
    """The owner reads that SSL must be switched on."""
    with rig.connect(IMPLICIT) as sock:
        sock.sendall(b"EHLO cam\r\n")
        assert Client(sock).is_closed()

    until(lambda: any(b"spoke without TLS" in note for note in rig.notes), "a note", 10)


def test_distrusting_client_is_explained(rig: SmtpRig) -> None:
    """A camera that checks certificates refuses ours, and the owner reads so."""
    with rig.connect(IMPLICIT) as sock, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(sock, server_hostname="camalert")

    until(lambda: any(b"refused our certificate" in note for note in rig.notes), "a note", 10)


def test_idle_connections_give_way_to_newcomers(rig: SmtpRig, client: Client, token: str) -> None:
    """Holding connections open locks no camera out, and a mail under way is never cut off."""
    client.begin()
    held = [rig.connect() for _ in range(60)]

    try:
        assert mails.deliver(rig.port(), mail(token))[0] == 250
        assert client.ask(stuffed(mail(token + "b")) + b".\r\n").startswith("250")
    finally:
        for sock in held:
            sock.close()
    assert arrived(rig, token)
    assert arrived(rig, token + "b")


def test_silent_client_is_sent_away(client: Client) -> None:
    """A client that says nothing holds no place forever."""
    client.hear()
    client.ask("EHLO cam")

    assert client.hear().startswith("421")
    assert client.is_closed()


def test_slow_command_is_sent_away(client: Client) -> None:
    """Bytes without a line do not renew the time for a command."""
    client.hear()
    client.sock.settimeout(0.3)
    heard = b""
    for _ in range(40):
        try:
            client.sock.send(b"A")
            heard += client.sock.recv(100)
        except TimeoutError:
            continue
        except ConnectionError:
            break
        if heard:
            break

    assert heard.startswith(b"421")


def test_slow_mail_is_sent_away_and_explained(rig: SmtpRig, client: Client) -> None:
    """A mail that never ends is ended by us."""
    client.begin()
    client.say(b"Subject: slow\r\n")

    assert client.hear().startswith("421")
    until(lambda: any(b"mail_seconds" in note for note in rig.notes), "a note", 10)


def test_nonsense_is_answered_and_then_shut_out(client: Client) -> None:
    """Twenty commands without meaning end the session."""
    client.hear()

    replies = [client.ask(f"FOO{number}") for number in range(20)]

    assert {reply[:3] for reply in replies[:-1]} == {"500"}
    assert replies[-1].startswith("421")
    assert client.is_closed()


def test_endless_line_costs_no_memory(rig: SmtpRig, client: Client) -> None:
    """Megabytes without a line end are dropped, as commands and as a mail."""
    before = rig.anonymous_bytes()
    client.hear()

    client.say(b"A" * 20_000_000 + b"\r\n")

    assert client.hear().startswith("500")
    assert rig.anonymous_bytes() - before < 10_000_000


def test_client_that_talks_without_listening_costs_no_memory_and_is_cut_off(rig: SmtpRig) -> None:
    """Commands whose replies nobody reads are not taken in, and the connection does not stay forever."""
    before = rig.anonymous_bytes()
    with rig.connect() as sock:
        sock.settimeout(1)
        with contextlib.suppress(TimeoutError):
            for _ in range(4000):
                sock.sendall(b"EHLO cam\r\n" * 8000)
        grown = rig.anonymous_bytes() - before
        sock.setblocking(False)

        until(lambda: _is_cut_off(sock), "the connection is cut off", 20)

    assert grown < 10_000_000


def _is_cut_off(sock: socket.socket) -> bool:
    try:
        sock.send(b"N")
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
    return False


def test_ping_is_answered_while_a_mail_is_under_way(rig: SmtpRig, client: Client) -> None:
    """The event loop is never held up by a client."""
    client.begin()
    rig.has_pong.clear()

    rig.send(Ping(1))

    assert rig.has_pong.wait(10)


# --- configurations of their own --------------------------------------------------------------------------------------


def _config(**smtp: object) -> Config:
    return Config(smtp=Smtp(listen=(Listen(host="127.0.0.1", port=0),), **smtp))


def test_users_must_log_in_and_only_the_right_password_will_do(token: str) -> None:
    """With accept = "users" a mail without a login, or with a wrong one, is refused and explained."""
    user = User(name="cam", password=hash_password("secret"))
    with SmtpRig(_config(auth=Auth(accept="users", user=(user,)))) as rig, rig.connect() as sock:
        client = Client(sock)
        client.hear()
        client.ask("EHLO cam")
        assert client.ask(SENDERS[0]).startswith("530")
        assert [client.ask(line)[:3] for line in ("AUTH LOGIN", b64("cam"), b64("wrong"))][-1] == "535"
        assert [client.ask(line)[:3] for line in LOGIN][-1] == "235"
        for command in (SENDERS[0], *RECIPIENTS[0], "DATA"):
            assert client.ask(command)[0] in "23"
        assert client.ask(stuffed(mail(token)) + b".\r\n").startswith("250")
        assert rig.mails[-1].words.login == "cam"
        assert b"secret" not in b"".join(rig.notes)


def test_no_login_is_offered_when_none_is_wanted() -> None:
    """accept = "none" offers no AUTH."""
    with SmtpRig(_config(auth=Auth(accept="none"))) as rig, rig.connect() as sock:
        client = Client(sock)
        client.hear()

        assert "AUTH" not in client.ask("EHLO cam")
        assert client.ask("AUTH LOGIN").startswith("502")


def test_stranger_gets_554_before_anything_else() -> None:
    """A sender outside the allowed networks is refused at once and named in the note."""
    with SmtpRig(_config(allow=("192.0.2.0/24",))) as rig, rig.connect() as sock:
        client = Client(sock)

        assert client.hear().startswith("554")
        assert client.is_closed()
        until(lambda: any(b"127.0.0.1 may not send" in note for note in rig.notes), "a note", 10)
        assert b"to [smtp] allow" in rig.notes[-1]


def test_stranger_to_one_port_reads_which_allow_it_is() -> None:
    """A port with a rule of its own names that rule, not the general one."""
    listen = Listen(host="127.0.0.1", port=0, allow=("192.0.2.0/24",))
    with SmtpRig(Config(smtp=Smtp(listen=(listen,)))) as rig, rig.connect() as sock:
        assert Client(sock).hear().startswith("554")
        until(lambda: any(b"allow of the [[smtp.listen]]" in note for note in rig.notes), "a note", 10)


def test_two_addresses_with_one_port_have_rules_of_their_own() -> None:
    """Who is kept out on one address of the machine is kept out there alone, in whatever order they are named."""
    port = free_port()
    closed, open_ = Listen("127.0.0.1", port, allow=("192.0.2.0/24",)), Listen("127.0.0.2", port)
    for listen in ((closed, open_), (open_, closed)):
        with SmtpRig(Config(smtp=Smtp(listen=listen))):
            for host, code in (("127.0.0.1", "554"), ("127.0.0.2", "220")):
                with socket.create_connection((host, port), timeout=20) as sock:
                    assert Client(sock).hear().startswith(code), (host, listen)


def test_rate_limit_holds_a_flooding_address_back() -> None:
    """mails_per_minute answers 451 beyond the limit."""
    with SmtpRig(_config(mails_per_minute=2)) as rig, rig.connect() as sock:
        client = Client(sock)
        client.hear()
        client.ask("EHLO cam")
        codes = [(client.ask(SENDERS[0])[:3], client.ask("RSET"))[0] for _ in range(3)]

    assert codes == ["250", "250", "451"]


def test_shared_samples_of_cameras_are_read_as_expected() -> None:
    """Every sample of the shared corpus gives its pictures byte for byte (skipped where the corpus is absent)."""
    folder = Path(os.environ.get("CAMALERT_SHARED", Path(__file__).parents[3] / "shared")) / "mail" / "dev" / "cameras"
    if not folder.exists():
        pytest.skip(f"no samples at {folder}")
    images = json.loads((folder / "images.json").read_text())
    with SmtpRig(_config()) as rig:
        for row in csv.DictReader((folder / "manifest.csv").read_text(encoding="utf-8").splitlines()):
            raw = (folder / row["file"]).read_bytes()
            before = len(rig.mails)
            assert mails.deliver(rig.port(), raw)[0] == 250
            found = [
                (hashlib.sha256(picture).hexdigest(), mail.words.subject)
                for mail in rig.mails[before:]
                for words, picture in zip(mail.words.pictures, mail.pictures, strict=True)
                if not words.is_clip
            ]
            assert [digest for digest, _ in found] == images[row["file"]], row["file"]
            assert {subject for _, subject in found} <= {row["expected_subject"]}, row["file"]
