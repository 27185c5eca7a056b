"""The web server: waitress in threads of this process, in front of Django.

Waitress, because the site is one small process that must not fork, needs no signal of its own and runs wherever Python
does. It reads and writes in one loop and runs the application in threads; here no client can hold up the others:

- An address has a few places, all together have more. A new connection always gets in; the one that has been idle
  longest gives way, first among those of the same address, then among all.
- Addresses take turns at the threads: many requests at once, in one connection or in many, wait for each other.
- A request must be complete soon after its first byte, however steadily its bytes trickle.
- An answer that its client does not read leaves its thread, and continues in any thread once there is space again.
- A client that reads almost nothing for a minute loses its connection; a player asks again for the rest.
"""

from __future__ import annotations

import datetime
import socket
import sqlite3
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import DatabaseError, connections
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher, WSGITask

from camalert.config.schema import Config, Listen
from camalert.errors import CamalertError
from camalert.review import settings
from camalert.review.visitors import Application, Front, Visitors
from camalert.system import ports
from camalert.system.logs import log

THREADS = 12  # a page's pictures come in parallel; each thread holds two database connections
REQUEST_BYTES = 1 << 20  # forms and lists of ids; nobody uploads anything
HEADER_BYTES = 32_768
PLACES = 200
PLACES_EACH = 24  # a browser opens six; a household may share one address
PLACES_REFUSED = 4  # for all clients that may not open the site, to tell them why
REQUEST_S = 20.0  # from the first byte of a request to its last: a long list of ids over a weak radio
IDLE_S = 60.0  # between two requests
STALL_S = 60.0
LEAST_BYTES_A_SECOND = 512
BUFFER_BYTES = 1 << 20  # of an answer, waiting for its client in memory
REFILL_BYTES = 1 << 18  # what is left of it when the answer continues
_CHANNEL = "camalert.channel"
_PIECES = "camalert.pieces"


class _Full(BaseException):
    """The client has to read before the answer continues. Not an `Exception`, so that nothing on the way handles it."""


class _Pieces:
    """An answer in pieces; none is made while the client has enough to read."""

    def __init__(self, answer: Iterable[bytes], channel: Channel) -> None:
        self._answer = answer
        self._iterator: Iterator[bytes] | None = None
        self._channel = channel
        self._is_waiting = False

    def __iter__(self) -> _Pieces:
        return self

    def __next__(self) -> bytes:
        self._is_waiting = self._channel.total_outbufs_len > BUFFER_BYTES
        if self._is_waiting:
            raise _Full
        if self._iterator is None:
            self._iterator = iter(self._answer)
        return next(self._iterator)

    def close(self) -> None:
        """End the answer, unless it is only waiting for its client."""
        if not self._is_waiting:
            self.end()

    def end(self) -> None:
        """End the answer, complete or not, and drop it: the connection may stay open for long."""
        close = getattr(self._answer, "close", None)
        self._answer, self._iterator = (), None
        if close:
            close()


def _in_pieces(application: Application) -> Application:
    """Wrap an application so that an answer that waited continues where it stopped."""

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        pieces = environ.get(_PIECES)
        if pieces is None:
            pieces = environ[_PIECES] = _Pieces(application(environ, start_response), environ[_CHANNEL])
        return pieces

    return answer


class _Task(WSGITask):
    """One request and its answer; run again from its thread's queue until the answer is complete."""

    def get_environment(self) -> dict[str, Any]:
        environ = super().get_environment()
        environ[_CHANNEL] = self.channel
        return environ

    def end(self) -> None:
        """Give up an answer that nobody reads any more."""
        pieces = (self.environ or {}).get(_PIECES)
        if pieces is not None:
            pieces.end()


class Channel(HTTPChannel):
    """One connection."""

    def __init__(self, server: Any, sock: Any, addr: Any, adj: Any, map: Any = None) -> None:  # noqa: A002 - waitress's
        self.moved_at = time.monotonic()  # when a request was complete, or bytes of an answer left
        self._began_at: float | None = None  # of the request that is being read
        self._measured_at: float | None = None  # since when an answer waits for its client
        self._sent_bytes = 0  # since then
        self._task: _Task | None = None
        self._is_paused = False
        self.group: str | None = server.group_of(addr[0])  # which places it takes
        super().__init__(server, sock, addr, adj, map=map)
        server.make_space(self)

    @property
    def is_working(self) -> bool:
        """Tell whether a thread works for it."""
        return bool(self.requests) and not self._is_paused

    def late(self, now: float) -> bool:
        """Tell whether its time is over at `now` (monotonic seconds)."""
        if self._began_at is not None and now - self._began_at > REQUEST_S:
            return True
        if self.total_outbufs_len:
            if self._measured_at is None:
                self._measured_at, self._sent_bytes = now, 0
            elif now - self._measured_at > STALL_S:
                if self._sent_bytes < LEAST_BYTES_A_SECOND * (now - self._measured_at):
                    return True
                self._measured_at, self._sent_bytes = now, 0
            return False
        self._measured_at = None
        return not self.requests and now - self.moved_at > IDLE_S

    def received(self, data: bytes) -> Any:
        """Take what the client sends, and note when its request began."""
        if self._began_at is None:
            self._began_at = time.monotonic()
        answered = super().received(data)
        if self.request is None:  # the last byte of it is here
            self._began_at = None
            self.moved_at = time.monotonic()
        return answered

    def send(self, data: bytes, do_close: bool = True) -> int:
        """Send what fits, and count the bytes."""
        count: int = super().send(data, do_close=do_close)
        if count:
            self._sent_bytes += count
            self.moved_at = time.monotonic()
        return count

    def task_class(self, channel: Channel, request: Any) -> _Task:
        """Return the task of a request: the one that waited, or a new one."""
        if self._task is None or self._task.request is not request:
            self._task = _Task(channel, request)
        return self._task

    def service(self) -> None:
        """Answer a request in a web thread, from the start or from where the answer stopped."""
        task = self._task
        if not self.connected and task is not None and task.request is self.requests[0]:
            task.end()
        try:
            super().service()
        except _Full:
            with self.outbuf_lock:
                self._is_paused = True
            self._continue()
            self.server.pull_trigger()

    def handle_write(self) -> None:
        """Send what is buffered, and let the answer continue once there is space."""
        super().handle_write()
        self._continue()

    def handle_close(self) -> None:
        """Close the connection; a waiting answer is ended by a web thread, which owns its database connection."""
        super().handle_close()
        self._continue()

    def _continue(self) -> None:
        if not self._is_paused:
            return
        with self.outbuf_lock:
            if not self._is_paused or (self.connected and self.total_outbufs_len > REFILL_BYTES):
                return
            self._is_paused = False
        self.server.add_task(self)


class Turns:
    """The dispatcher's queue of connections that wait for a thread: addresses take turns, one request at a time."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[object, deque[Channel]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def append(self, channel: Channel) -> None:
        """Add a connection; those through a web server in front each count as another address."""
        group: object = channel if channel.group is None else channel.group
        self._waiting.setdefault(group, deque()).append(channel)

    def popleft(self) -> Channel:
        """Take the next connection."""
        group, channels = self._waiting.popitem(last=False)
        channel = channels.popleft()
        if channels:
            self._waiting[group] = channels
        return channel


class Server(TcpWSGIServer):
    """The listening socket and its connections."""

    channel_class = Channel

    def __init__(self, application: Application, sock: socket.socket, visitors: Visitors) -> None:
        dispatcher = ThreadedTaskDispatcher()
        dispatcher.queue = Turns()
        dispatcher.set_thread_count(THREADS)
        self._visitors = visitors
        self._is_closed = False
        super().__init__(
            _in_pieces(application),
            {},
            True,
            sock,
            dispatcher=dispatcher,
            adj=Adjustments(
                sockets=[sock],
                connection_limit=PLACES * 2,  # never reached: `make_space` closes another one before
                channel_timeout=1 << 30,  # `maintenance` knows more
                cleanup_interval=1,
                outbuf_high_watermark=1 << 40,  # never reached: an answer waits at `BUFFER_BYTES`, without its thread
                clear_untrusted_proxy_headers=False,
                asyncore_use_poll=True,
                ident=None,
                max_request_body_size=REQUEST_BYTES,
                max_request_header_size=HEADER_BYTES,
            ),
            sockinfo=(sock.family, sock.type, sock.proto, sock.getsockname()),
            bind_socket=False,
        )

    def pull_trigger(self) -> None:
        """Wake the loop; at the end there is none any more, and answers under way end with the process."""
        if not self._is_closed:
            super().pull_trigger()

    def close(self) -> None:
        """Stop listening."""
        self._is_closed = True
        super().close()

    def maintenance(self, now: float) -> None:
        """Close the connections whose time is over."""
        moment = time.monotonic()
        for channel in list(self.active_channels.values()):
            if channel.late(moment):
                channel.handle_close()

    def group_of(self, address: str) -> str | None:
        """Return whose places an address takes: its own, "" for refused clients, None (no limit) for proxies."""
        if self._visitors.is_proxy(address):
            return None
        return address if self._visitors.is_allowed(address) else ""

    def make_space(self, newcomer: Channel) -> None:
        """Close what is idle longest when the newcomer's address, or all together, have too many connections."""
        everybody = [channel for channel in self.active_channels.values() if channel is not newcomer]
        own = [channel for channel in everybody if newcomer.group is not None and channel.group == newcomer.group]
        places = PLACES_EACH if newcomer.group else PLACES_REFUSED
        for others, limit in ((own, places), (everybody, PLACES)):
            if len(others) >= limit:
                min(others, key=lambda channel: (channel.is_working, channel.moved_at)).handle_close()
                return


class Site:
    """The running site; `url` is its address on this machine."""

    def __init__(self, server: Server, url: str, config: Config) -> None:
        self._server = server
        self._config = config
        self._started = time.monotonic()
        self.url = url
        self._tidying: threading.Thread | None = None
        self._thread = threading.Thread(target=server.run, name="review-server", daemon=True)
        self._thread.start()

    @property
    def is_serving(self) -> bool:
        """Tell whether the server's thread is alive."""
        return self._thread.is_alive()

    def tidy(self) -> None:
        """Remove what is out of date and make the nightly copy, in a thread: the caller has pings to answer."""
        if self._tidying is None or not self._tidying.is_alive():
            self._tidying = threading.Thread(
                target=_tidy, args=(self._config, time.monotonic() - self._started), name="review-tidy", daemon=True
            )
            self._tidying.start()

    def close(self) -> None:
        """Stop listening; answers under way end with the process."""
        self._server.close()


def _tidy(config: Config, running_s: float) -> None:
    from camalert.review import copies, sessions  # noqa: PLC0415 - Django is set up by now
    from camalert.review.thumbnails import previews, thumbnails  # noqa: PLC0415 - Django is set up by now
    from camalert.review.views import push  # noqa: PLC0415 - Django is set up by now

    try:
        thumbnails().tidy()
        previews().tidy()
        call_command("clearsessions", verbosity=0)
        push.tidy(config)
        sessions.tidy()
    except (DatabaseError, sqlite3.Error, OSError) as error:
        log.warning("review_cleanup_failed", message=str(error))
    finally:
        connections.close_all()
    copies.make_if_due(config, datetime.datetime.now(), running_s)  # noqa: DTZ005 - nights are local


def prepare(config: Config) -> socket.socket:
    """Bind the port, set Django up, and bring its own database up to date, without any thread; return the socket.

    Raises: CamalertError when the port or the data folder is not available.
    """
    sock = _bind(config)
    settings.open_site(config)
    from camalert.review import configuration, encryption, logins, restores  # noqa: PLC0415 - needs Django set up

    logins.offer_first(config)
    encryption.keep_ready(config)
    configuration.settle()
    restores.tidy()
    return sock


def start(config: Config, sock: socket.socket) -> Site:
    """Serve what `prepare` prepared."""
    visitors = Visitors(config.review)
    server = Server(Front(get_wsgi_application(), config.review, visitors), sock, visitors)
    return Site(server, f"http://127.0.0.1:{sock.getsockname()[1]}{settings.prefix(config.review)}/", config)


def _bind(config: Config) -> socket.socket:
    try:
        return ports.bind(Listen(host=config.review.host, port=config.review.port))
    except CamalertError as error:
        raise CamalertError(f"review site: {str(error).replace('[[smtp.listen]]', '[review]')}") from error
