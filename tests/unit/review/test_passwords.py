"""How often a password may be tried."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from camalert.review import passwords
from camalert.review.passwords import (
    ALL_AT_ONCE,
    DIGESTS_AT_ONCE,
    SECONDS_A_TRY,
    SLOW_S,
    SLOW_THREADS,
    TRIES_AT_ONCE,
    UNKNOWN_THREADS,
    Throttle,
    counts_tries,
    network_of,
)


def test_throttle_admits_a_few_tries_and_then_slowly() -> None:
    """Somebody who mistypes is not kept out; somebody who guesses is."""
    throttle = Throttle()

    tries = [throttle.wait_s("192.168.1.5", (), 0.0) for _ in range(TRIES_AT_ONCE + 5)]

    assert tries == [0.0] * TRIES_AT_ONCE + [None] * 5
    assert throttle.wait_s("192.168.1.5", (), SECONDS_A_TRY + 0.1) == 0.0
    assert throttle.wait_s("192.168.1.5", (), SECONDS_A_TRY + 0.2) is None


def test_throttle_keeps_nobody_out_for_what_another_does() -> None:
    """The owner logs in while a neighbour guesses."""
    throttle = Throttle()
    for _ in range(100):
        throttle.wait_s("192.168.1.66", (), 0.0)

    assert throttle.wait_s("192.168.1.5", (), 0.0) == 0.0


def test_throttle_lets_a_flood_wait_and_refuses_no_newcomer() -> None:
    """Very many addresses cannot make the machine digest passwords all day, and lock nobody out."""
    throttle = Throttle()

    waits = [throttle.wait_s(f"10.0.{n // 250}.{n % 250}", (), 0.0) for n in range(1000)]

    assert waits == [0.0] * ALL_AT_ONCE + [SLOW_S] * (1000 - ALL_AT_ONCE)


def test_throttle_lets_known_people_in_during_a_flood() -> None:
    """A browser or an address that logged in before has tries of its own, also where a guesser shares the address."""
    throttle = Throttle()
    for n in range(1000):
        throttle.wait_s(f"10.0.{n // 250}.{n % 250}", (), 0.0)
        throttle.wait_s("192.168.1.5", (), 0.0)

    assert throttle.wait_s("192.168.1.5", ("device x",), 0.0) == 0.0
    tries = [throttle.wait_s("192.168.1.5", ("device y", "1 at 192.168.1.5"), 0.0) for _ in range(3 * TRIES_AT_ONCE)]
    assert tries == [0.0] * (2 * TRIES_AT_ONCE) + [None] * TRIES_AT_ONCE  # a stolen cookie is no free pass


def test_throttle_counts_wrong_passwords_only() -> None:
    """Somebody who types the right one, as often as they like, is not told of too many wrong ones."""
    throttle = Throttle()

    for known in ((), ("device x",)):
        for _ in range(3 * ALL_AT_ONCE):
            assert throttle.wait_s("192.168.1.5", known, 0.0) == 0.0
            throttle.was_right("192.168.1.5", known)

    tries = [throttle.wait_s("192.168.1.5", (), 0.0) for _ in range(TRIES_AT_ONCE + 1)]
    assert tries == [0.0] * TRIES_AT_ONCE + [None]  # being right gains no tries for guessing


def test_throttle_counts_an_ipv6_network_as_one() -> None:
    """A client may use any address of its network."""
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1") != network_of("2001:db8:0:1::1")
    assert network_of("::ffff:10.0.0.1") == "10.0.0.1"


# --- what a flood leaves for the others ------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_throttle", Throttle())
    monkeypatch.setattr(passwords, "known_keys", lambda request, name: ["device x"] if name == "anna" else [])


def _attempt(address: str, name: str = "stranger") -> HttpRequest:
    request = RequestFactory().post("/login/", {"username": name}, REMOTE_ADDR=address)
    request.user = AnonymousUser()
    return request


@contextmanager
def _at_work(count: int) -> Iterator[None]:
    """Have so many unknown clients' tries in a web thread each, which do not end yet."""
    entered, leave = threading.Semaphore(0), threading.Event()

    @counts_tries
    def view(request: HttpRequest) -> HttpResponse:
        entered.release()
        assert leave.wait(30)
        return HttpResponse("wrong")

    with ThreadPoolExecutor(count) as threads, ExitStack() as end:
        end.callback(leave.set)
        tries = [threads.submit(view, _attempt(f"10.0.0.{number}")) for number in range(count)]
        for _ in tries:
            assert entered.acquire(timeout=30)
        yield
    assert [found.result().status_code for found in tries] == [200] * count


def test_flood_of_unknown_clients_takes_a_few_threads_of_the_site() -> None:
    """One more is asked to come again, whoever is known gets through, and the places are free again afterwards."""
    view = counts_tries(lambda request: HttpResponse("right"))

    with _at_work(UNKNOWN_THREADS):
        refused = view(_attempt("10.0.1.1"))
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, str(int(SLOW_S)))
        assert view(_attempt("10.0.1.2", "anna")).status_code == 200

    for number in range(2 * UNKNOWN_THREADS):
        assert view(_attempt(f"10.0.2.{number}")).status_code == 200


def test_tries_that_wait_take_fewer_threads_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """When all together tried too often, two wait; what that costs is given back to the next."""
    waits: list[float] = []
    monkeypatch.setattr(passwords.time, "sleep", waits.append)
    view = counts_tries(lambda request: HttpResponse("wrong"))
    for number in range(ALL_AT_ONCE):
        view(_attempt(f"10.0.3.{number}"))
    waits.clear()

    with _at_work(SLOW_THREADS):
        assert view(_attempt("10.0.4.1")).status_code == 429
    assert view(_attempt("10.0.4.2")).status_code == 200

    assert waits == [SLOW_S] * (SLOW_THREADS + 1)


def test_form_that_is_only_looked_at_is_no_try() -> None:
    """Opening the page as often as one likes costs nothing."""
    view = counts_tries(lambda request: HttpResponse("form"))
    request = RequestFactory().get("/login/", REMOTE_ADDR="10.0.0.1")

    assert {view(request).status_code for _ in range(3 * ALL_AT_ONCE)} == {200}


def test_few_digests_are_made_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes 16 MiB: twelve web threads that check a password each would take more than all the rest."""
    real, running, most = hashlib.scrypt, 0, 0
    lock, together = threading.Lock(), threading.Barrier(DIGESTS_AT_ONCE)

    def scrypt(*args: object, **kwargs: object) -> bytes:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        together.wait(30)  # as many as may be are
        with lock:
            running -= 1
        return real(*args, **{**kwargs, "n": 2, "maxmem": 1 << 20})  # type: ignore[arg-type]

    stored = make_password("right")
    monkeypatch.setattr(hashlib, "scrypt", scrypt)
    with ThreadPoolExecutor(12) as threads:
        list(threads.map(lambda _: check_password("wrong", stored), range(12)))
    assert most == DIGESTS_AT_ONCE

    monkeypatch.undo()
    assert stored.startswith("scrypt$")
    assert check_password("right", stored)
    assert not check_password("wrong", stored)
