"""The review site in a crowd: visitors who take their time, and pictures that take too much of it."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from testing import household
from testing.reviewrig import Visitor
from testing.reviewsite import NOON, Site, running
from testing.waiting import until

from camalert.config.schema import Review
from camalert.ipc.messages import Ping, Pong
from camalert.review import server
from camalert.review.visitors import Visitors

pytest.importorskip("django", reason="the review extra is not installed")

OTHER_S = 5.0  # a page takes some hundredths of this, also on a busy machine; a held-up one took for ever


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return a site with rows and a login."""
    with running(tmp_path_factory.mktemp("review")) as found:
        yield found


def answered_s(site: Site, path: str = "/alarms/", source: str = "127.0.0.1") -> float:
    """Return how long a page took for somebody else."""
    visitor = site.visitor()
    visitor.source = source
    began = time.monotonic()
    assert visitor.get(path).status == 200
    return time.monotonic() - began


@pytest.fixture
def connect(site: Site) -> Iterator[Callable[..., socket.socket]]:
    """Make connections that are closed at the end."""
    made: list[socket.socket] = []

    def one(said: bytes = b"", source: str = "127.0.0.9") -> socket.socket:
        made.append(socket.create_connection(("127.0.0.1", site.port), timeout=20, source_address=(source, 0)))
        made[-1].sendall(said)
        return made[-1]

    yield one
    for each in made:
        each.close()


def is_closed(sock: socket.socket) -> bool:
    """Tell whether the site ended a connection."""
    sock.setblocking(False)
    try:
        return not sock.recv(1)
    except BlockingIOError:
        return False
    except OSError:
        return True


@pytest.mark.parametrize("addresses", [1, 30])
def test_crowd_of_slow_headers_keeps_nobody_out(
    site: Site, connect: Callable[..., socket.socket], addresses: int
) -> None:
    """More connections than there are places, from one address or many, none of which ever sends a whole request."""
    crowd = [connect(b"GET / HTTP/1.1\r\n", f"127.0.2.{n % addresses + 1}") for n in range(server.PLACES + 20)]

    assert answered_s(site) < OTHER_S
    assert answered_s(site, source="127.0.2.1") < OTHER_S  # also for whoever shares the crowd's address
    limit = server.PLACES_EACH if addresses == 1 else server.PLACES
    until(lambda: sum(not is_closed(each) for each in crowd) <= limit, "places to be given up")


def test_request_that_trickles_ends(site: Site, connect: Callable[..., socket.socket]) -> None:
    """A byte now and then does not keep a connection: a request has a time of its own."""
    slow = connect(b"GET / HTTP/1.1\r\n", "127.0.2.77")
    began = time.monotonic()

    def trickles_on() -> bool:
        try:
            slow.setblocking(True)
            slow.sendall(b"X")
        except OSError:
            return False
        return not is_closed(slow)

    until(lambda: not trickles_on(), "the end of a slow request", server.REQUEST_S + 20)
    assert time.monotonic() - began > server.REQUEST_S / 2


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * server.HEADER_BYTES + b"\r\n\r\n", b"431"),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (server.REQUEST_BYTES + 1), b"413"),
    ],
    ids=["headers", "content"],
)
def test_request_that_is_too_large_is_refused_before_it_is_read(
    connect: Callable[..., socket.socket], said: bytes, code: bytes
) -> None:
    """It costs no memory beyond the bound, and its sender reads why."""
    with connect(said, "127.0.2.78").makefile("rb") as answer:
        assert answer.readline().split()[1] == code


def ask(site: Site, path: str) -> bytes:
    """Return a request with the owner's session."""
    cookies = "; ".join(f"{name}={value}" for name, value in site.cookies.items())
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nCookie: {cookies}\r\n\r\n".encode()


def test_downloads_that_stand_still_hold_no_thread(site: Site, connect: Callable[..., socket.socket]) -> None:
    """More stalled archives than there are threads: pages are answered, and each archive goes on when it is read."""
    home = site.home()
    picture = household.tiny()[0]
    rows = [home.add("Cellar", NOON, picture, snapshot=picture.jpeg + os.urandom(900_000))[0] for _ in range(30)]
    marks = ",".join("?" * len(rows))
    home.connection.execute(f"UPDATE camalert_alert SET mark = 'not a person' WHERE alert_id IN ({marks})", rows)
    home.close()
    whole = len(site.visitor().get("/alarms/marks.zip").body)
    assert whole > 27_000_000

    stalled = [connect() for _ in range(16)]
    for each in stalled:
        each.sendall(ask(site, "/alarms/marks.zip"))
    for each in stalled:
        assert each.recv(12) == b"HTTP/1.1 200"

    assert max(answered_s(site) for _ in range(10)) < OTHER_S
    assert _resident_bytes(site.pid) < 400 << 20
    received = 12
    stalled[0].settimeout(20)
    while piece := stalled[0].recv(1 << 20):
        received += len(piece)
    assert received > whole  # headers and chunk marks are on top
    for each in stalled:
        each.close()
    assert answered_s(site) < OTHER_S


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_pipelined_requests_wait_for_their_reader(site: Site, connect: Callable[..., socket.socket]) -> None:
    """Whoever asks for a thousand pictures at once and reads none gets room for one, not for a thousand."""
    home = site.home()
    picture = household.tiny()[0]
    row, _ = home.add("Cellar", NOON, picture, snapshot=picture.jpeg + bytes(2_000_000))
    home.close()
    before = _resident_bytes(site.pid)

    greedy = connect(ask(site, f"/alarms/{row}/picture") * 100)

    assert greedy.recv(12) == b"HTTP/1.1 200"
    assert answered_s(site) < OTHER_S
    assert _resident_bytes(site.pid) - before < 64 << 20


@dataclass(frozen=True)
class _Asking:
    """A connection with a request; those of no group come through a web server in front."""

    group: str | None
    number: int


def test_addresses_take_turns_at_the_threads() -> None:
    """However much one address asks for at once, another one is answered after one request of it."""
    turns = server.Turns()
    asked = [("10.0.0.1", number) for number in range(50)] + [("10.0.0.2", 0), ("10.0.0.3", 0), ("10.0.0.2", 1)]
    for group, number in [*asked, (None, 0), (None, 1)]:
        turns.append(cast(Any, _Asking(group, number)))

    assert len(turns) == 55
    order = [(channel.group, cast(Any, channel).number) for channel in (turns.popleft() for _ in range(55))]

    assert order[:5] == [("10.0.0.1", 0), ("10.0.0.2", 0), ("10.0.0.3", 0), (None, 0), (None, 1)]
    assert order[5:8] == [("10.0.0.1", 1), ("10.0.0.2", 1), ("10.0.0.1", 2)]
    assert not turns


def test_answers_under_way_at_the_end_are_no_defect() -> None:
    """A thread that still answers when the site stops finds no loop to wake, and no descriptor of somebody else."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        ending = server.Server(lambda environ, start_response: [], sock.dup(), Visitors(Review()))
        ending.close()
        with open(os.devnull, "rb"), open(os.devnull, "rb"):  # they get the numbers that the loop's pipe had
            ending.pull_trigger()


def test_pictures_that_hang_hold_nobody_up(tmp_path: Path) -> None:
    """Thumbnails that cannot be made in time are a drawing and a 503; pages and pings are answered meanwhile."""
    with running(tmp_path) as site:
        home = site.home()
        rows = [home.add("Cellar", NOON, household.tiny()[n % 3])[0] for n in range(12)]
        failed, _ = home.add("Cellar", NOON, household.tiny()[0])
        home.connection.execute("UPDATE camalert_alert SET outcome = 'failed' WHERE alert_id = ?", (failed,))
        home.close()
        visitor = site.visitor()
        assert until(lambda: visitor.get(f"/alarms/{rows[0]}/thumbnail").status == 200, "a thumbnail")
        # It takes every picture from now on and never answers, as with one that its decoder turns over for ever.
        (shrinker,) = site.children("camalert.review.shrink")
        os.kill(shrinker, signal.SIGSTOP)

        waiting = [site.begin(f"/alarms/{row}/thumbnail") for row in rows[1:]]
        assert answered_s(site) < OTHER_S
        site.process.channel.send(Ping(3))
        assert site.process.channel.wait(OTHER_S)
        assert site.process.channel.receive() == Pong(3)
        answers = [each() for each in waiting]

        assert {answer.status for answer in answers} == {503}
        assert all(
            answer.headers["Retry-After"] and answer.headers["Content-Type"] == "image/svg+xml" for answer in answers
        )
        assert visitor.get(f"/alarms/{failed}/thumbnail").status == 302  # what failed once is not tried here
        until(lambda: visitor.get(f"/alarms/{rows[-1]}/thumbnail").status == 200, "the others' turn", 60)


def test_stranger_is_told_and_takes_no_place(tmp_path: Path) -> None:
    """Who may not look is told so in words; all strangers together have a few places."""
    with running(tmp_path, allow=("127.0.0.1/32",)) as site:
        answer = Visitor(site.port, source="127.0.0.50").get("/login/")
        assert answer.status == 403
        assert "local network" in answer.text

        crowd = [
            socket.create_connection(("127.0.0.1", site.port), timeout=20, source_address=(f"127.0.3.{n + 1}", 0))
            for n in range(30)
        ]
        until(
            lambda: sum(not is_closed(each) for each in crowd) <= server.PLACES_REFUSED,
            "strangers to give way to each other",
        )
        assert answered_s(site) < OTHER_S
        for each in crowd:
            each.close()
