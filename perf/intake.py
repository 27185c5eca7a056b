"""What a mail costs the smtp process: its CPU beside the stock library with the standard parser, and beside the bound.

    python perf/intake.py [--mails 150] [--bytes 300000] [--rounds 4]

Each server is a process of its own; a client on this machine sends it the same unique mails, one session a mail, in
rounds that alternate between the servers. The bound reads the bytes from the socket and decodes the base64 once.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import binascii
import email
import json
import logging
import multiprocessing
import os
import platform
import socket
import sys
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiosmtpd
from aiosmtpd.smtp import SMTP

from camalert.config.schema import Config, Listen, Log, Smtp
from camalert.errors import ChannelClosed
from camalert.ipc import child
from camalert.ipc.channel import pair
from camalert.ipc.layout import Layout
from camalert.ipc.messages import Ping, Ready, Store, StoreCode, Stored
from camalert.ipc.pool import Pool
from camalert.system import ports

TARGET = 0.25
END = b"\r\n.\r\n"
TEXT = b"Alarm Event: Motion Detection\r\nAlarm Device Name: Gate\r\nAlarm Start Time: 2026-07-01 12:00:00\r\n"


def mail(picture: bytes) -> bytes:
    """Compose a plainly shaped alarm mail that no other mail is equal to."""
    return (
        b"From: camera@home\r\nTo: me@home\r\nSubject: Motion " + uuid.uuid4().hex.encode() + b"\r\n"
        b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b42"\r\n\r\n--b42\r\n'
        b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + TEXT + b"--b42\r\n"
        b'Content-Type: image/jpeg; name="snapshot.jpg"\r\nContent-Transfer-Encoding: base64\r\n'
        b'Content-Disposition: attachment; filename="snapshot.jpg"\r\n\r\n'
        + base64.encodebytes(picture).replace(b"\n", b"\r\n")
        + b"--b42--"
    )


def deliver(port: int, content: bytes) -> None:
    """Send one mail as a camera does: each command waits for its reply."""
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _expect(sock, b"2")
        for command in (b"EHLO camera", b"MAIL FROM:<camera@home>", b"RCPT TO:<me@home>", b"DATA"):
            sock.sendall(command + b"\r\n")
            _expect(sock, b"3" if command == b"DATA" else b"2")
        sock.sendall(content + END)
        _expect(sock, b"2")
        sock.sendall(b"QUIT\r\n")
        _expect(sock, b"2")


def _expect(sock: socket.socket, wanted: bytes) -> None:
    reply = b""
    while not reply.endswith(b"\r\n") or reply.splitlines()[-1][3:4] == b"-":
        received = sock.recv(65536)
        assert received, reply
        reply += received
    assert reply.splitlines()[-1][:1] == wanted, reply


# --- the servers ------------------------------------------------------------------------------------------------------


class _Parse:
    """What a plain program does with a mail: parse it and take the attachment out."""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        for part in email.message_from_bytes(envelope.content).walk():
            if part.get_content_maintype() == "image":
                assert part.get_payload(decode=True)
        return "250 OK"


def serve_stock(listener: socket.socket) -> None:
    """Serve with aiosmtpd as it comes and the standard parser."""
    logging.getLogger("mail.log").setLevel(logging.WARNING)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        factory = lambda: SMTP(_Parse(), hostname="stock", loop=loop)  # noqa: E731 - a factory of one line
        await (await loop.create_server(factory, sock=listener)).serve_forever()

    asyncio.run(run())


def serve_bound(listener: socket.socket) -> None:
    """Serve with nothing but a socket and one base64 decode."""
    while True:
        sock, _ = listener.accept()
        with sock:
            sock.sendall(b"220 bound\r\n")
            for _ in range(3):
                sock.recv(4096)
                sock.sendall(b"250 OK\r\n")
            sock.recv(4096)
            sock.sendall(b"354 go on\r\n")
            content = bytearray()
            while not content.endswith(END):
                content += sock.recv(262_144)
            start = content.rfind(b"\r\n\r\n", 0, 4096)
            binascii.a2b_base64(memoryview(content)[start : content.rfind(b"--b42")])
            sock.sendall(b"250 OK\r\n")
            sock.recv(4096)
            sock.sendall(b"221 bye\r\n")


@dataclass(slots=True)
class Server:
    """One server under measurement."""

    name: str
    port: int
    pid: int
    end: Callable[[], None]
    cpu_s: float = 0.0
    mails: int = 0

    def measure(self, contents: list[bytes]) -> None:
        """Send mails and add up what they cost the server."""
        before = _cpu_s(self.pid)
        for content in contents:
            deliver(self.port, content)
        self.cpu_s += _cpu_s(self.pid) - before
        self.mails += len(contents)

    @property
    def ms_per_mail(self) -> float:
        """Return the CPU of one mail."""
        return self.cpu_s / self.mails * 1000


def _cpu_s(pid: int) -> float:
    """Return the time that a process of one thread and its children, such as readers of mails, have run.

    Source: schedstat in the kernel's documentation.
    """
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    own_s = int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9
    return own_s + sum(_cpu_s(int(child)) for child in children)


def _peer(name: str, target: Callable[[socket.socket], None]) -> Server:
    listener = ports.bind(Listen(host="127.0.0.1", port=0))
    process = multiprocessing.get_context("spawn").Process(target=target, args=(listener,), daemon=True)
    process.start()
    assert process.pid is not None
    return Server(name, listener.getsockname()[1], process.pid, process.kill)


def _camalert(picture_bytes: int) -> Server:
    """Start the real smtp process beside a writer that answers at once."""
    config = Config(smtp=Smtp(listen=(Listen(host="127.0.0.1", port=0),)), log=Log(format="json"))
    config = replace(config, intake=replace(config.intake, max_mail_bytes=max(4_194_304, 2 * picture_bytes)))
    layout = Layout(6, 2_097_152, 1, 65_536, 65_536, config.intake.max_mail_bytes)
    pool = Pool.create(f"camalert-perf-{os.getpid()}", layout)
    listeners = ports.open_all(config.smtp.listen, ())
    channel, theirs = pair()
    orders = child.Orders(
        "smtp", "camalert.intake.smtp.process:main", config, os.getpid(), pool.name, layout, listeners=listeners
    )
    process = multiprocessing.get_context("spawn").Process(target=child.run, args=(orders, theirs), daemon=True)
    process.start()
    theirs.close()
    is_ready = threading.Event()

    def write() -> None:
        try:
            while True:
                channel.wait(0.5)
                while (message := channel.receive()) is not None:
                    if isinstance(message, Ready):
                        channel.send(Ping(0))  # nothing is held: go ahead
                        is_ready.set()
                    elif isinstance(message, Store):
                        slot, generation, mail_id = message.slot, message.generation, message.mail_id
                        channel.send(Stored(slot, generation, mail_id, StoreCode.STORED, 1, 1))
        except ChannelClosed:  # the end of the measurement
            return

    def end() -> None:
        process.kill()
        process.join()
        pool.close()
        pool.unlink()

    threading.Thread(target=write, daemon=True).start()
    assert is_ready.wait(30), "the smtp process did not start"
    assert process.pid is not None
    return Server("camalert", listeners[0].socket.getsockname()[1], process.pid, end)


# --- measurement ------------------------------------------------------------------------------------------------------


def main() -> None:
    """Measure and print a table and a JSON line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=150, help="for each server (default 150)")
    parser.add_argument("--bytes", type=int, default=300_000, help="of the picture in a mail (default 300000)")
    parser.add_argument("--rounds", type=int, default=4, help="alternations between the servers (default 4)")
    arguments = parser.parse_args()
    picture = b"\xff\xd8\xff\xe0" + os.urandom(arguments.bytes - 4)
    servers = [_camalert(arguments.bytes), _peer("stock", serve_stock), _peer("bound", serve_bound)]
    try:
        for server in servers:  # imports, first connections
            server.measure([mail(picture) for _ in range(3)])
            server.cpu_s, server.mails = 0.0, 0
        for _ in range(arguments.rounds):
            for server in servers:
                server.measure([mail(picture) for _ in range(arguments.mails // arguments.rounds)])
    finally:
        for server in servers:
            server.end()
    _report(arguments, *servers)


def _report(arguments: argparse.Namespace, ours: Server, stock: Server, bound: Server) -> None:
    size = len(mail(bytes(arguments.bytes)))
    print(f"mails of {size / 1000:.0f} kB with one picture, one session a mail, {ours.mails} mails each\n")
    print(f"{'CPU of the server':38}{'ms a mail':>10}{'of stock':>10}")
    labels = {"camalert": "camalert", "stock": "aiosmtpd and email, as they come", "bound": "bound: socket and base64"}
    for server in (stock, ours, bound):
        print(f"{labels[server.name]:38}{server.ms_per_mail:10.2f}{server.ms_per_mail / stock.ms_per_mail:10.2f}")
    ratio = ours.ms_per_mail / stock.ms_per_mail
    print(f"\ntarget: at most {TARGET} of stock: {'met' if ratio <= TARGET else 'MISSED'}")
    print(
        json.dumps(
            {
                "perf": "intake", "bytes": arguments.bytes, "mails": ours.mails, "python": platform.python_version(),
                "aiosmtpd": aiosmtpd.__version__, "ours_ms": round(ours.ms_per_mail, 3),
                "stock_ms": round(stock.ms_per_mail, 3), "bound_ms": round(bound.ms_per_mail, 3),
                "ratio": round(ratio, 3), "target": TARGET,
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
