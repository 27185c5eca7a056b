"""A client without a socket: what a connection of the smtp process does to it is noted."""

from __future__ import annotations

import asyncio


class ClientDouble(asyncio.Transport):
    """The transport of a client that says what the test lets it say."""

    def __init__(self, peer: str) -> None:
        super().__init__({"peername": (peer, 40000)})
        self.sent = b""
        self.is_reading_now = True
        self.has_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent += data

    def pause_reading(self) -> None:
        self.is_reading_now = False

    def resume_reading(self) -> None:
        self.is_reading_now = True

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return self.has_closed

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.has_closed = True

    def close(self) -> None:
        self.has_closed = True


def say(protocol: asyncio.BufferedProtocol, data: bytes) -> None:
    """Let bytes come, as the event loop does."""
    while data:
        buffer = protocol.get_buffer(-1)
        piece, data = data[: len(buffer)], data[len(buffer) :]
        buffer[: len(piece)] = piece
        protocol.buffer_updated(len(piece))
