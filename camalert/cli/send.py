"""`camalert send`: an alarm mail, as a camera would send it."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import secrets
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from camalert.cli import brands
from camalert.cli.alarmmail import compose
from camalert.cli.delivery import Delivery, Server
from camalert.cli.options import add_configuration, configuration
from camalert.cli.picturefiles import expand
from camalert.cli.verdicts import Watch
from camalert.config import Config
from camalert.errors import CamalertError, Exit, StoreError

DESCRIPTION = """\
Send pictures to the service in an alarm mail, as a camera would, and show what the server says. When the service runs
on this machine (its database can be read here), wait for the verdict and show the rows that came of it."""

EXAMPLES = """\
examples:
  camalert send garage.jpg
  camalert send garage.jpg --camera garage                the name that subject and sender carry
  camalert send garage.jpg --as hikvision                 in the manner of a brand
  camalert send snapshots/ --each                         one mail for each picture of a folder
  camalert send garage.jpg --to 192.168.1.5:1025          to another machine
  camalert send garage.jpg --to 192.168.1.5:465 --tls implicit --user garage --password secret

Every mail is different, because the same mail within two minutes is stored once only.

exit codes: 0 accepted, 1 refused or not reached, 78 the configuration is wrong"""

WAIT_S = 20.0  # a slow board with a queue before it; an idle machine answers within a second


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("pictures", metavar="PICTURE", nargs="+", type=Path, help="a picture file, or a folder of them")
    parser.add_argument("--to", metavar="HOST:PORT", help="the server (default: this machine, the configured port)")
    parser.add_argument("--each", action="store_true", help="send one mail a picture instead of one with all of them")
    parser.add_argument("--camera", metavar="NAME", default="camalert send", help="the camera's name")
    parser.add_argument("--as", metavar="STYLE", dest="style", choices=brands.NAMES, default="plain", help=_styles())
    parser.add_argument("--tls", choices=("none", "starttls", "implicit"), help="encryption (default: as configured)")
    parser.add_argument("--user", default="", help="log in with this name")
    parser.add_argument("--password", default="", help="and this password")
    parser.add_argument(
        "--wait", metavar="SECONDS", type=float, default=WAIT_S, help=f"for the verdict (default {WAIT_S:.0f}; 0: none)"
    )
    add_configuration(parser)


def run(arguments: argparse.Namespace) -> int:
    """Send the pictures and show what came of them."""
    config = configuration(arguments).config
    server = _server(config, arguments)
    pictures = [_read(file) for file in expand(arguments.pictures)]
    brand = brands.find(arguments.style)
    mails = [[picture] for picture in pictures] if arguments.each else [pictures]
    with _watch(config, arguments) as watch:
        print(f"to {server.host} port {server.port}", flush=True)
        with contextlib.closing(Delivery(server, lambda line: print(line, flush=True))) as delivery:
            for attached in mails:
                now = datetime.datetime.now().astimezone().replace(microsecond=0)
                delivery.deliver(compose(attached, arguments.camera, now, secrets.token_hex(8), brand))
        if watch is not None:
            _show_rows(watch, pictures, arguments.wait)
    return Exit.OK


def _styles() -> str:
    return "; ".join(f"{brand.name}: {brand.summary}" for brand in brands.BRANDS)


def _server(config: Config, arguments: argparse.Namespace) -> Server:
    listen = next((listen for listen in config.smtp.listen if listen.tls != "implicit"), config.smtp.listen[0])
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(listen.host, listen.host)  # noqa: S104 - read
    port, tls = listen.port, "implicit" if listen.tls == "implicit" else "none"
    if arguments.to:
        host, port = address(arguments.to, port)
        tls = next(
            (other.tls for other in config.smtp.listen if other.port == port and other.tls == "implicit"), "none"
        )
    return Server(host, port, arguments.tls or tls, arguments.user, arguments.password)


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


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CamalertError(f"{file} cannot be read: {error.strerror}") from error


@contextlib.contextmanager
def _watch(config: Config, arguments: argparse.Namespace) -> Iterator[Watch | None]:
    """Open the database when it can be read here; sending works without it, too."""
    if not arguments.wait:
        yield None
        return
    try:
        watch = Watch(Path(config.database.path))
    except StoreError as error:
        sys.stderr.write(f"camalert: what comes of it cannot be shown: {error}\n")
        yield None
        return
    with contextlib.closing(watch):
        yield watch


def _show_rows(watch: Watch, pictures: Sequence[bytes], wait_s: float) -> None:
    is_terminal = sys.stderr.isatty()

    def tick(elapsed_s: float) -> None:
        if is_terminal:
            sys.stderr.write(f"\r\x1b[Kwaiting for the verdict … {elapsed_s:.1f} s")

    found = watch.wait(pictures, wait_s, tick)
    if is_terminal:
        sys.stderr.write("\r\x1b[K")
    for verdict in found:
        print(verdict.in_words())
    if not found:
        print("No row in the database of this configuration: the server that answered writes elsewhere, or the mail")
        print("was accepted without a picture (its log says why).")
