"""A channel: one SEQPACKET socket pair between the supervisor and one child.

Datagrams keep their borders and none is torn by a killed sender; the end of the other process reads as `ChannelClosed`.
The child's end may wait; the supervisor's end never does, what cannot be sent at once waits in a bounded outbox.
"""

from __future__ import annotations

import collections
import select
import signal
import socket

from camalert.errors import ChannelClosed, ProtocolError
from camalert.messages import MAX_BYTES, Message, Stop, decode, encode

OUTBOX_MESSAGES = 10_000  # a child that leaves so many unread is not reading at all


def pair() -> tuple[ParentChannel, socket.socket]:
    """Make a channel: the supervisor's end, and the child's socket to hand over."""
    parent, child = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return ParentChannel(parent), child


class Channel:
    """The child's end. A SIGTERM, when `wake_on_sigterm` was called, reads as a `Stop`."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._wakeup: socket.socket | None = None
        self.is_unread = False  # the other end went without having read all that was sent to it

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._socket.fileno()

    def files(self) -> tuple[socket.socket, ...]:
        """Return what to wait on, for a child that waits for other things too: one readable means `receive`."""
        return (self._socket,) if self._wakeup is None else (self._socket, self._wakeup)

    def close(self) -> None:
        """Close this end; the other end reads EOF."""
        self._socket.close()

    def receive(self) -> Message | None:
        """Return the next message, None when none waits.

        Raises: ChannelClosed when the other end is gone and all it sent has been read; ProtocolError for a datagram
            that is no message.
        """
        try:
            datagram = self._receive()
        except BlockingIOError:
            return self._signalled()
        except OSError as error:
            raise ChannelClosed(str(error)) from error
        if not datagram:
            raise ChannelClosed("the other end is closed")
        return decode(datagram)

    def send(self, message: Message) -> None:
        """Send a message, waiting for room if need be.

        Raises: ChannelClosed when the other end is gone.
        """
        datagram = encode(message)
        while not self._try_send(datagram):
            select.select((), (self._socket,), ())

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until `receive` has something to say, at most `timeout_s`; return whether it has."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        if self._wakeup is not None:
            poll.register(self._wakeup, select.POLLIN)
        return bool(poll.poll(None if timeout_s is None else max(0.0, timeout_s * 1000)))

    def wake_on_sigterm(self) -> None:
        """Let a SIGTERM wake `wait` and read as `Stop`, so that a child finishes its job before it leaves."""
        self._wakeup, signalled = socket.socketpair()
        self._wakeup.setblocking(False)
        signalled.setblocking(False)
        self._signalled_end = signalled  # kept open: the interpreter writes to its descriptor
        signal.set_wakeup_fd(signalled.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, _do_nothing)

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(MAX_BYTES)
        except ConnectionResetError:
            # The kernel tells once, before anything else, that the other end went with unread messages; what it had
            # sent itself still waits behind that. Source: unix_release_sock in the kernel's net/unix/af_unix.c.
            self.is_unread = True
            return self._socket.recv(MAX_BYTES)

    def _signalled(self) -> Stop | None:
        if self._wakeup is None:
            return None
        try:
            return Stop() if self._wakeup.recv(64) else None
        except BlockingIOError:
            return None

    def _try_send(self, datagram: bytes) -> bool:
        try:
            self._socket.send(datagram)
        except BlockingIOError:
            return False
        except OSError as error:
            self.is_unread |= isinstance(error, ConnectionResetError)
            raise ChannelClosed(str(error)) from error
        return True


class ParentChannel(Channel):
    """The supervisor's end: sending never waits."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._outbox: collections.deque[bytes] = collections.deque()

    @property
    def has_outbox(self) -> bool:
        """Tell whether messages wait for the child to read."""
        return bool(self._outbox)

    def send(self, message: Message) -> None:
        """Send a message, or keep it until `flush`.

        Raises: ChannelClosed when the other end is gone, ProtocolError when it does not read any more.
        """
        datagram = encode(message)
        if self._outbox or not self._try_send(datagram):
            if len(self._outbox) >= OUTBOX_MESSAGES:
                raise ProtocolError(f"it left {OUTBOX_MESSAGES} messages unread")
            self._outbox.append(datagram)

    def flush(self) -> None:
        """Send what waits, as far as the child reads.

        Raises: ChannelClosed when the other end is gone.
        """
        while self._outbox and self._try_send(self._outbox[0]):
            self._outbox.popleft()


def _do_nothing(_signal: int, _frame: object) -> None:
    """Let the wake-up descriptor carry the signal: handlers that act are where others lost locks and lines."""
