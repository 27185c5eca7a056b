"""A channel: one SEQPACKET socket pair between the supervisor and one child.

Datagrams keep their borders and none is torn by a killed sender; the other process' exit reads as `ChannelClosed`.
The child's end may block; the supervisor's end never does: what cannot be sent at once waits in a bounded outbox.

Each datagram wakes its reader, which costs far more than what is in it. So a child's low-priority messages are batched:
they are posted, and leave with whatever it sends next.
"""

from __future__ import annotations

import collections
import select
import signal
import socket
import time

from camalert.errors import ChannelClosed, ProtocolError
from camalert.ipc.messages import MAX_BYTES, Message, Stop, datagrams, decode, encode

OUTBOX_MESSAGES = 10_000  # unread, at which the child counts as stuck
POST_S = 0.25  # how long a posted message may wait for another to leave with
POST_MESSAGES = 50  # that wait at most


def pair() -> tuple[ParentChannel, socket.socket]:
    """Make a channel: the supervisor's end, and the child's socket to hand over."""
    parent, child = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return ParentChannel(parent), child


class _End:
    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._arrived: collections.deque[Message] = collections.deque()  # the rest of a datagram
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self.is_unread = False  # the other end closed without having read all that was sent to it

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close this end; the other end reads EOF."""
        self._socket.close()

    def receive(self) -> Message | None:
        """Return the next message, None when there is none yet.

        Raises: ChannelClosed when the other end is gone and all it sent has been read; ProtocolError for a datagram
            that is no message.
        """
        if not self._arrived:
            self._arrived.extend(self.receive_datagram())
        return self._arrived.popleft() if self._arrived else None

    def receive_datagram(self) -> list[Message]:
        """Return the messages of the next datagram, [] when there is none yet; it raises as `receive` does."""
        try:
            datagram = self._receive()
        except BlockingIOError:
            return []
        except OSError as error:
            raise ChannelClosed(str(error)) from error
        if not datagram:
            raise ChannelClosed("the other end is closed")
        return decode(datagram)

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until `receive` returns or raises something, at most `timeout_s`; return whether it does."""
        if self._arrived:
            return True
        return bool(self._poll.poll(None if timeout_s is None else max(0.0, timeout_s * 1000)))

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(MAX_BYTES)
        except ConnectionResetError:
            # The kernel says once, before anything else, that the other end closed with unread messages; what it had
            # sent itself follows. Source: unix_release_sock in the kernel's net/unix/af_unix.c.
            self.is_unread = True
            return self._socket.recv(MAX_BYTES)

    def _try_send(self, datagram: bytes) -> bool:
        try:
            self._socket.send(datagram)
        except BlockingIOError:
            return False
        except OSError as error:
            self.is_unread |= isinstance(error, ConnectionResetError)
            raise ChannelClosed(str(error)) from error
        return True


class Channel(_End):
    """The child's end. A SIGTERM, when `wake_on_sigterm` was called, reads as a `Stop`."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._wakeup: socket.socket | None = None
        self._posted: list[Message] = []
        self._post_by = 0.0  # monotonic; when the posted messages must leave

    def files(self) -> tuple[socket.socket, ...]:
        """Return what a child that waits for other things too has to watch: when one is readable, `receive`."""
        return (self._socket,) if self._wakeup is None else (self._socket, self._wakeup)

    def receive(self) -> Message | None:
        """Return the next message or, after a SIGTERM, `Stop`; None when there is none yet."""
        message = super().receive()
        return self._signalled() if message is None else message

    def send(self, *messages: Message) -> None:
        """Send messages behind what was posted; block while the supervisor does not read.

        Raises: ChannelClosed when the other end is gone.
        """
        posted, self._posted = self._posted, []
        for datagram in datagrams((*posted, *messages)):
            while not self._try_send(datagram):
                select.select((), (self._socket,), ())

    def post(self, message: Message) -> bool:
        """Batch a message that is in no hurry; `wait` sends it in time.

        Returns: Whether it is the first of a batch: a child that waits elsewhere calls `flush` within `POST_S`.
        Raises: ChannelClosed when the other end is gone.
        """
        is_first = not self._posted
        if is_first:
            self._post_by = time.monotonic() + POST_S
        self._posted.append(message)
        if len(self._posted) >= POST_MESSAGES:
            self.flush()
        return is_first

    def flush(self) -> None:
        """Send what was posted.

        Raises: ChannelClosed when the other end is gone.
        """
        self.send()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait as the supervisor's end does, and send what was posted when it is due.

        Raises: ChannelClosed when what was posted cannot be sent.
        """
        if self._posted:
            post_s = self._post_by - time.monotonic()
            if post_s <= 0:
                self.flush()
            elif timeout_s is None or post_s < timeout_s:
                if super().wait(post_s):
                    return True
                self.flush()
                timeout_s = None if timeout_s is None else timeout_s - post_s
        return super().wait(timeout_s)

    def wake_on_sigterm(self) -> None:
        """Let a SIGTERM wake `wait` and read as `Stop`, so that a child finishes its job before it exits."""
        self._wakeup, signalled = socket.socketpair()
        self._wakeup.setblocking(False)
        signalled.setblocking(False)
        self._signalled_end = signalled  # kept open: the interpreter writes to its descriptor
        self._poll.register(self._wakeup, select.POLLIN)
        signal.set_wakeup_fd(signalled.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, _do_nothing)

    def _signalled(self) -> Stop | None:
        if self._wakeup is None:
            return None
        try:
            return Stop() if self._wakeup.recv(64) else None
        except BlockingIOError:
            return None


class ParentChannel(_End):
    """The supervisor's end: sending never blocks."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._outbox: collections.deque[bytes] = collections.deque()

    @property
    def has_outbox(self) -> bool:
        """Tell whether there are messages for `flush`."""
        return bool(self._outbox)

    def send(self, message: Message) -> None:
        """Send a message, or keep it for `flush`.

        Raises: ChannelClosed when the other end is gone, ProtocolError when it has stopped reading.
        """
        datagram = encode(message)
        if self._outbox or not self._try_send(datagram):
            if len(self._outbox) >= OUTBOX_MESSAGES:
                raise ProtocolError(f"it left {OUTBOX_MESSAGES} messages unread")
            self._outbox.append(datagram)

    def flush(self) -> None:
        """Send what is kept, as far as the child reads.

        Raises: ChannelClosed when the other end is gone.
        """
        while self._outbox and self._try_send(self._outbox[0]):
            self._outbox.popleft()


def _do_nothing(_signal: int, _frame: object) -> None:
    """Leave the signal to the wake-up descriptor: handlers that act can deadlock."""
