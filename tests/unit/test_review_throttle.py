"""How often a password may be tried."""

from __future__ import annotations

from camalert.review.throttle import ALL_AT_ONCE, SECONDS_A_TRY, TRIES_AT_ONCE, Throttle, network_of


def test_throttle_admits_a_few_tries_and_then_slowly() -> None:
    """Somebody who mistypes is not kept out; somebody who guesses is."""
    throttle = Throttle()

    tries = [throttle.is_admitted("192.168.1.5", 0.0) for _ in range(TRIES_AT_ONCE + 5)]

    assert tries == [True] * TRIES_AT_ONCE + [False] * 5
    assert throttle.is_admitted("192.168.1.5", SECONDS_A_TRY + 0.1)
    assert not throttle.is_admitted("192.168.1.5", SECONDS_A_TRY + 0.2)


def test_throttle_keeps_nobody_out_for_what_another_does() -> None:
    """The owner logs in while a neighbour guesses."""
    throttle = Throttle()
    for _ in range(100):
        throttle.is_admitted("192.168.1.66", 0.0)

    assert throttle.is_admitted("192.168.1.5", 0.0)


def test_throttle_bounds_all_together() -> None:
    """Very many addresses cannot make the machine digest passwords all day."""
    throttle = Throttle()

    admitted = sum(throttle.is_admitted(f"10.0.{n // 250}.{n % 250}", 0.0) for n in range(1000))

    assert admitted == ALL_AT_ONCE


def test_throttle_counts_an_ipv6_network_as_one() -> None:
    """A client may use any address of its network."""
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:1") != network_of("2001:db8:0:1::1")
    assert network_of("::ffff:10.0.0.1") == "10.0.0.1"
