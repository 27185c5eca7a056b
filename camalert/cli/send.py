"""`camalert send`: an alarm mail, as a camera would send it."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import getpass
import os
import secrets
import smtplib
import ssl
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from camalert.cli.alarmmail import BRANDS, AlarmMail, compose
from camalert.cli.options import add_configuration, add_pictures, configuration, database_file, expand
from camalert.cli.terminal import complain, redraw, say
from camalert.cli.verdicts import Watch
from camalert.config.schema import Config, Listen
from camalert.errors import CamalertError, Exit
from camalert.system import networks, rights

DESCRIPTION = """\
Send pictures or clips to the service in an alarm mail, as a camera would, and
show the SMTP dialogue. When the service's database can be read here, also wait
for the result and show it."""

_WIDTH = max(len(brand.name) for brand in BRANDS)
STYLES = "\n".join(f"  {brand.name:<{_WIDTH}}  {brand.summary}" for brand in BRANDS)
EXAMPLES = f"""\
examples:
  camalert send garage.jpg
  camalert send garage.jpg --camera garage
  camalert send garage.jpg --as hikvision
  camalert send snapshots/ --each
  camalert send clip.mp4
  camalert send garage.jpg --to 192.168.1.5:1025
  camalert send garage.jpg --to 192.168.1.5:465 --tls implicit --user garage

styles for --as:
{STYLES}

The password for --user is asked for, or taken from the environment variable
SMTP_PASSWORD: on the command line every user of this machine could read it.

exit codes:
  0   the mail was accepted
  1   it was refused, or the server could not be reached
  78  the configuration is invalid"""

PASSWORD_VARIABLE = "SMTP_PASSWORD"  # noqa: S105 - a name
TIMEOUT_S = 60.0  # longer than the server waits for its database
TRIAL = "Trial"  # the camera that mails are of which name none
WAIT_S = 20.0  # for a slow board with a queue; an idle machine needs a second

Show = Callable[[str], None]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_pictures(parser, "picture or clip")
    parser.add_argument("--to", metavar="HOST:PORT", help="server (default: this machine, first configured port)")
    parser.add_argument("--each", action="store_true", help="send one mail per picture instead of one with all")
    parser.add_argument(
        "--camera", metavar="NAME", default=TRIAL, help="name of the camera in the mail (default: %(default)s)"
    )
    styles = [brand.name for brand in BRANDS]
    parser.add_argument("--as", metavar="STYLE", dest="style", choices=styles, default="plain", help="see below")
    parser.add_argument("--tls", choices=("none", "starttls", "implicit"), help="encryption (default: as configured)")
    parser.add_argument("--user", default="", help="log in with this name")
    parser.add_argument(
        "--wait",
        metavar="SECONDS",
        type=float,
        default=WAIT_S,
        help="for the result (default: %(default).0f; 0: do not)",
    )
    add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    config = configuration(arguments).config
    server = _server(config, arguments)
    pictures = [file.read_bytes() for file in expand(arguments.pictures)]
    brand = next(brand for brand in BRANDS if brand.name == arguments.style)
    rights.become_owner_of(Path(config.database.path))
    mails = [[picture] for picture in pictures] if arguments.each else [pictures]
    with _watch(config, arguments) as watch:
        say(f"to {server.host} port {server.port}")
        with contextlib.closing(Delivery(server, say)) as delivery:
            for attached in mails:
                now = datetime.datetime.now().astimezone().replace(microsecond=0)
                delivery.deliver(compose(attached, arguments.camera, now, secrets.token_hex(8), brand))
        if watch is not None:
            _show_rows(watch, pictures, arguments.wait, networks.site_url(config.review))
    return Exit.OK


def _server(config: Config, arguments: argparse.Namespace) -> Server:
    """Choose the first port without implicit TLS, or what `--to` and `--tls` say."""
    listens = sorted(config.smtp.listen, key=lambda listen: listen.tls == "implicit")
    listen = listens[0] if listens else Listen()
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)  # noqa: S104 - read
    port = listen.port
    if arguments.to:
        host, port = address(arguments.to, port)
    is_implicit = any(listen.port == port and listen.tls == "implicit" for listen in listens)
    tls = arguments.tls or ("implicit" if is_implicit else "none")
    return Server(host, port, tls, arguments.user, _password(arguments.user))


def _password(user: str) -> str:
    if not user or PASSWORD_VARIABLE in os.environ:
        return os.environ.get(PASSWORD_VARIABLE, "")
    if not sys.stdin.isatty():
        raise CamalertError(f"no terminal to ask for the password of {user}: set {PASSWORD_VARIABLE}")
    return getpass.getpass(f"password of {user}: ")


def address(text: str, default_port: int) -> tuple[str, int]:
    """Read `HOST:PORT`, `HOST`, `[IPV6]:PORT` or a bare IPv6 address.

    Raises: CamalertError when it is none of them.
    """
    host, colon, port = text.rpartition(":")
    if not colon or text.endswith("]") or (":" in host and not host.endswith("]")):
        host, port = text, str(default_port)
    host = host.strip("[]")
    if not host or not port.isdecimal() or not 0 < int(port) <= 65_535:
        raise CamalertError(f"--to {text} is not HOST:PORT, such as 192.168.1.5:1025")
    return host, int(port)


@contextlib.contextmanager
def _watch(config: Config, arguments: argparse.Namespace) -> Iterator[Watch | None]:
    """Open the database if it can be read here; sending works without it."""
    if not arguments.wait:
        yield None
        return
    try:
        watch = Watch(database_file(config))
    except CamalertError as error:
        complain(f"the result cannot be shown: {error}")
        yield None
        return
    with contextlib.closing(watch):
        yield watch


def _show_rows(watch: Watch, files: Sequence[bytes], wait_s: float, site: str) -> None:
    found = watch.wait(files, wait_s, lambda elapsed_s: redraw(f"waiting for the result … {elapsed_s:.1f} s"))
    redraw("")
    for verdict in found:
        say(*verdict.lines)
        if site and verdict.alert_id is not None:
            say(f"  {site}alarms/{verdict.alert_id}/")
    if not found:
        say("nothing new in this database: the server uses another one, or found no picture in the mail (see its log)")


@dataclass(frozen=True, slots=True)
class Server:
    """Where to deliver mail, and how."""

    host: str
    port: int
    tls: str = "none"  # "none", "starttls", "implicit"
    user: str = ""
    password: str = ""


class Delivery:
    """One SMTP session, for any number of mails; every command and reply is shown."""

    def __init__(self, server: Server, show: Show) -> None:
        """Connect and greet.

        Raises: CamalertError that says why there is no session.
        """
        self._server = server
        kind = _ImplicitTls if server.tls == "implicit" else _Plain
        try:
            self._smtp = kind(server, show)
            self._smtp.ehlo_or_helo_if_needed()
            if server.tls == "starttls":
                self._smtp.starttls(context=_trusting())
                self._smtp.ehlo()
            if server.user:
                self._smtp.login(server.user, server.password)
        except (OSError, smtplib.SMTPException) as error:
            raise CamalertError(f"{_where(server)}: {_reason(error)}") from error

    def deliver(self, mail: AlarmMail) -> None:
        """Deliver one mail.

        Raises: CamalertError when it was not accepted.
        """
        try:
            self._smtp.sendmail(mail.sender, [mail.recipient], mail.content)
        except (OSError, smtplib.SMTPException) as error:
            raise CamalertError(f"{_where(self._server)} did not accept the mail: {_reason(error)}") from error

    def close(self) -> None:
        """Quit; the mails are delivered, so no failure matters now."""
        try:
            self._smtp.quit()
        except (OSError, smtplib.SMTPException):
            self._smtp.close()


class _Shown:
    """Show each command and each reply as it passes."""

    show: Show

    def putcmd(self, cmd: str, args: str = "") -> None:
        text = f"{cmd} {args}".strip()
        self.show("> " + ("AUTH …" if text.upper().startswith("AUTH") else text))
        super().putcmd(cmd, args)  # type: ignore[misc]  # smtplib.SMTP is next in the MRO

    def getreply(self) -> tuple[int, bytes]:
        code, text = super().getreply()  # type: ignore[misc]  # the same
        for line in text.decode("utf-8", "replace").split("\n"):
            self.show(f"< {code} {line}")
        return code, text


class _Plain(_Shown, smtplib.SMTP):
    def __init__(self, server: Server, show: Show) -> None:
        self.show = show
        super().__init__(server.host, server.port, timeout=TIMEOUT_S)


class _ImplicitTls(_Shown, smtplib.SMTP_SSL):
    def __init__(self, server: Server, show: Show) -> None:
        self.show = show
        super().__init__(server.host, server.port, timeout=TIMEOUT_S, context=_trusting())


def _trusting() -> ssl.SSLContext:
    """Return a context that accepts every certificate, as cameras do: the server's own is self-signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _where(server: Server) -> str:
    return f"{server.host} port {server.port}"


def _reason(error: Any) -> str:
    match error:
        case ConnectionRefusedError():
            return "connection refused; is the service running?"
        case TimeoutError():
            return f"no answer within {TIMEOUT_S:.0f} s"
        case ssl.SSLError():
            return f"no TLS there ({error.reason}); try another port or --tls"
        case smtplib.SMTPRecipientsRefused():
            code, text = next(iter(error.recipients.values()))
            return f"{code} {_text(text)}"
        case smtplib.SMTPResponseException():
            return f"{error.smtp_code} {_text(error.smtp_error)}"
        case OSError() if error.strerror:
            return str(error.strerror)
    return str(error) or type(error).__name__


def _text(reply: bytes | str) -> str:
    return reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
