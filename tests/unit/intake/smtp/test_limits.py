"""The limits that clients share: places for connections and memory for mails."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert.intake.smtp.limits import (
    IDLE_S,
    KEPT_PLACES,
    RATE_BYTES_PER_S,
    REAL_MAIL_BYTES,
    STALL_S,
    TRANSIT_STALL_S,
    Places,
    Step,
    Transit,
    Wait,
)


def _come_to(state: Places[str], name: str, step: Step, now: float) -> None:
    for number in range(1, step + 1):
        state.came_to(name, Step(number), now)


NOTHING = "nothing at all"
FORMS = [NOTHING, "EHLO", "NOOP again and again", "MAIL", "RCPT", "DATA", "DATA that trickles"]


def _do_nothing(state: Places[str], name: str, form: str, now: float) -> None:
    """Let a client come as far as its form of doing nothing goes."""
    steps = {NOTHING: Step.CONNECTED, "MAIL": Step.MAIL, "RCPT": Step.RCPT, "DATA": Step.DATA, FORMS[6]: Step.DATA}
    _come_to(state, name, steps.get(form, Step.GREETED), now)
    if form == FORMS[6]:
        for tenth in range(100):
            state.brought(name, 10, now + tenth / 10)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("address", ["192.168.1.1", "192.168.1.2"])
@pytest.mark.parametrize("after_s", [0.01, 5.0, 60.0])
def test_newcomer_gets_in_before_whoever_does_nothing(form: str, address: str, after_s: float) -> None:
    """Three cameras at once behind twelve who hold all places, of the same address or another, soon or late."""
    state: Places[str] = Places(total=12, per_address=50)
    for number in range(12):
        state.enter(f"idler {number}", "192.168.1.1", 0.0)
        _do_nothing(state, f"idler {number}", form, 0.0)
    now = (10.0 if form == FORMS[6] else 0.0) + after_s

    for camera in ("camera 1", "camera 2", "camera 3"):
        state.enter(camera, address, now)
        leaving = state.excess(camera, now)
        assert leaving is not None
        assert leaving.startswith("idler")
        state.leave(leaving)

    assert len(state) == 12


def test_mail_that_comes_at_a_real_rate_or_waits_for_us_is_never_cut_off() -> None:
    """The newcomer goes when everybody is at work, and the one that stalls as soon as somebody does."""
    state: Places[str] = Places(total=3, per_address=3)
    for name in ("sender", "waiting", "paused"):
        state.enter(name, "192.168.1.1", 0.0)
        _come_to(state, name, Step.DATA, 0.0)
        state.brought(name, REAL_MAIL_BYTES, 0.0)
    state.waits("waiting", Wait.ANSWER, 0.5)
    state.waits("paused", Wait.MEMORY, 0.5)
    for second in range(1, 20):
        state.brought("sender", RATE_BYTES_PER_S, float(second))

    state.enter("newcomer", "192.168.1.1", 19.5)

    assert state.excess("newcomer", 19.5) == "newcomer"
    assert state.excess("newcomer", 19.5 + STALL_S) == "sender"
    state.waits("paused", Wait.NOTHING, 19.5)
    assert state.excess("newcomer", 19.5 + 2 * STALL_S) == "sender"  # what it waited did not count against the other


def test_slowest_of_several_mails_gives_way() -> None:
    """A mail at a quarter of the rate goes before one at half of it."""
    state: Places[str] = Places(total=2, per_address=9)
    for name, share in (("slower", 4), ("slow", 2)):
        state.enter(name, "192.168.1.1", 0.0)
        _come_to(state, name, Step.DATA, 0.0)
        for second in range(40):
            state.brought(name, RATE_BYTES_PER_S // share, float(second))
    state.enter("newcomer", "192.168.1.1", 40.0)

    assert state.excess("newcomer", 40.0) == "slower"


def test_client_that_only_repeats_itself_comes_no_further() -> None:
    """A greeting, a reset and another mail begun do not renew a place; a mail that was taken does."""
    state: Places[str] = Places(total=2, per_address=9)
    for name in ("repeats", "delivers"):
        state.enter(name, "192.168.1.1", 0.0)
        _come_to(state, name, Step.RCPT, 0.0)
    for second in range(1, 20):
        _come_to(state, "repeats", Step.RCPT, float(second))
    _come_to(state, "delivers", Step.DATA, 1.0)
    state.ended_mail("delivers", 1.0, is_taken=True)
    state.enter("newcomer", "192.168.1.1", 20.0)

    assert state.excess("newcomer", 20.0) == "repeats"


def test_flood_of_clients_that_hardly_began_sends_its_own_away() -> None:
    """A camera between 354 and its first byte stays, however many connect meanwhile."""
    state: Places[str] = Places(total=30, per_address=100)
    state.enter("camera", "192.168.1.1", 0.0)
    _come_to(state, "camera", Step.DATA, 0.0)
    for number in range(1000):
        now = number / 1000
        state.enter(f"flood {number}", "192.168.1.1", now)
        leaving = state.excess(f"flood {number}", now)
        assert leaving != "camera"
        if leaving:
            state.leave(leaving)


def test_address_with_more_than_its_share_gives_way_even_at_work() -> None:
    """Fifty mails from one device leave room for a mail of another; the other way round they do not."""
    state: Places[str] = Places(total=10, per_address=10)
    for number in range(10):
        state.enter(f"greedy {number}", "192.168.1.1", 0.0)
        _come_to(state, f"greedy {number}", Step.DATA, 0.0)
        state.brought(f"greedy {number}", 100_000, 0.0)
    state.enter("camera", "192.168.1.2", 0.1)

    leaving = state.excess("camera", 0.1)
    assert leaving is not None
    assert leaving.startswith("greedy")
    state.leave(leaving)
    _come_to(state, "camera", Step.GREETED, 0.2)
    state.enter("greedy 10", "192.168.1.1", 0.2)
    assert state.excess("greedy 10", 0.2) != "camera"


def test_cameras_that_have_just_connected_do_not_send_each_other_away_while_an_address_has_too_many() -> None:
    """Mails just quick enough hold all places of two addresses: they make room, not the camera before the next one."""
    state: Places[str] = Places(total=12, per_address=50)
    for number in range(12):
        _bring_a_mail_in_earnest(state, f"mail {number}", f"192.168.1.{1 + number % 2}", 10.0)

    for camera in range(5):
        state.enter(f"camera {camera}", f"192.168.1.{10 + camera}", 10.0 + camera / 10)
        leaving = state.excess(f"camera {camera}", 10.0 + camera / 10)
        assert leaving is not None
        assert leaving.startswith("mail")
        state.leave(leaving)


def test_strangers_who_have_just_connected_do_not_cut_off_the_mails_of_a_recorder() -> None:
    """An address that has delivered and brings several mails at once stays at work before those who only connect."""
    state: Places[str] = Places(total=12, per_address=50)
    state.enter("earlier", "192.168.1.9", 0.0)
    state.ended_mail("earlier", 1.0, is_taken=True)
    state.leave("earlier")
    for number in range(4):
        _bring_a_mail_in_earnest(state, f"mail {number}", "192.168.1.9", 10.0)

    for stranger in range(30):
        state.enter(f"stranger {stranger}", f"192.168.2.{stranger}", 10.0 + stranger / 100)
        leaving = state.excess(f"stranger {stranger}", 10.0 + stranger / 100)
        assert leaving is None or leaving.startswith("stranger")
        if leaving:
            state.leave(leaving)


def _bring_a_mail_in_earnest(state: Places[str], name: str, address: str, now: float) -> None:
    state.enter(name, address, now - 1)
    _come_to(state, name, Step.DATA, now - 1)
    state.brought(name, REAL_MAIL_BYTES, now)


def test_places_are_kept_for_addresses_that_have_delivered() -> None:
    """Strangers at work, each from an address of its own, cannot take the last places from a camera."""
    state: Places[str] = Places(total=40, per_address=40)
    for number in range(12):
        state.enter("camera", f"192.168.1.{number}", 0.0)
        _come_to(state, "camera", Step.DATA, 0.0)
        state.ended_mail("camera", 0.0, is_taken=True)
        state.leave("camera")
    refused = 0
    for number in range(60):
        stranger = f"stranger {number}"
        state.enter(stranger, f"10.0.0.{number}", 1.0)
        _come_to(state, stranger, Step.DATA, 1.0)
        state.brought(stranger, 100_000, 1.0)
        if state.excess(stranger, 1.0) == stranger:
            state.leave(stranger)
            refused += 1

    assert len(state) == 40 - KEPT_PLACES
    assert refused == 20 + KEPT_PLACES
    for number in range(KEPT_PLACES):
        state.enter(f"camera {number}", f"192.168.1.{number}", 2.0)
        assert state.excess(f"camera {number}", 2.0) is None


def test_limit_of_one_address_does_not_concern_another() -> None:
    """A flood from one address sends only its own connections away."""
    state: Places[str] = Places(total=10, per_address=1)
    state.enter("a", "192.168.1.1", 0.0)
    state.enter("b", "192.168.1.2", 1.0)

    assert state.excess("b", 1.0) is None
    state.enter("a again", "192.168.1.1", 2.0)
    assert state.excess("a again", 2.0) == "a"


_ACTIONS = st.tuples(
    st.integers(0, 19), st.integers(0, 4), st.sampled_from(["enter", "step", "bytes", "taken", "room", "answer", "go"]),
    st.floats(0.0, 4.0), st.integers(1, 50_000),
)  # fmt: skip


@given(crowd=st.lists(_ACTIONS, max_size=150), total=st.integers(1, 8), per_address=st.integers(1, 8))
def test_no_crowd_keeps_a_newcomer_out_while_somebody_does_nothing(
    crowd: list[tuple[int, int, str, float, int]], total: int, per_address: int
) -> None:
    """Whatever came before: the limits hold, and the newcomer goes only when nobody has fallen behind."""
    state: Places[int] = Places(total, per_address)
    now = 0.0
    moved_at: dict[int, float] = {}  # when each last did anything at all, even if it earned nothing by it
    address_of: dict[int, int] = {}
    waits: set[int] = set()
    for name, address, action, pause_s, count in crowd:
        now += pause_s
        if action == "enter" and name not in address_of:
            state.enter(name, f"10.0.0.{address}", now)
            moved_at[name], address_of[name] = now, address
            leaving = state.excess(name, now)
            if leaving is not None:
                rivals = [
                    other for other in address_of
                    if other != name and other not in waits and now - moved_at[other] > IDLE_S
                    and (len(address_of) > total or address_of[other] == address)
                ]  # fmt: skip
                assert leaving != name or not rivals
                state.leave(leaving)
                del moved_at[leaving], address_of[leaving]
                waits.discard(leaving)
            assert len(state) == len(address_of) <= total
            assert Counter(address_of.values())[address] <= per_address
        elif name in address_of:
            moved_at[name] = now
            match action:
                case "step":
                    state.came_to(name, Step(count % 6), now)
                case "bytes":
                    state.brought(name, count, now)
                case "taken":
                    state.ended_mail(name, now, is_taken=count % 2 == 0)
                    waits.discard(name)
                case "room" | "answer":
                    state.waits(name, Wait.MEMORY if action == "room" else Wait.ANSWER, now)
                    waits.add(name)
                case _:
                    state.leave(name)
                    del moved_at[name], address_of[name]
                    waits.discard(name)


def test_spent_budget_pauses_all_but_the_oldest_mail() -> None:
    """The oldest always goes on, so the largest mail always fits; the others wait for it."""
    state: Transit[str] = Transit(budget_bytes=100, largest_bytes=80)
    for name in ("old", "middle", "young"):
        state.enter(name, "192.168.1.1", 0.0)

    state.hold("middle", 15)
    state.hold("young", 10)
    state.hold("old", 80)

    assert [state.may_go_on(name) for name in ("old", "middle", "young")] == [True, False, False]
    state.leave("old")
    assert state.may_go_on("middle")


def test_oldest_mail_that_hardly_moves_loses_its_precedence() -> None:
    """A slow client does not hold up the others forever."""
    state: Transit[str] = Transit(budget_bytes=100, largest_bytes=80)
    state.enter("slow", "192.168.1.1", 0.0)
    state.enter("quick", "192.168.1.1", 0.0)
    state.hold("slow", 30)
    state.hold("quick", 30)

    state.review(TRANSIT_STALL_S + 1)

    assert state.may_go_on("quick")
    assert not state.may_go_on("slow")


def test_many_mails_of_one_address_leave_memory_for_another() -> None:
    """What the greedy one may not have is the other's."""
    state: Transit[str] = Transit(budget_bytes=180, largest_bytes=90)
    for name in ("oldest", "greedy"):
        state.enter(name, "192.168.1.1", 0.0)
    state.enter("camera", "192.168.1.2", 0.0)
    state.hold("oldest", 1)
    state.hold("greedy", 70)

    assert [state.may_go_on(name) for name in ("oldest", "greedy", "camera")] == [True, False, True]
    state.hold("camera", 25)
    assert not state.may_go_on("camera")


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.integers(0, 50)), max_size=60))
def test_transit_total_is_what_its_mails_hold(steps: list[tuple[int, int, int]]) -> None:
    """No order of events lets the total drift; somebody may always go on."""
    state: Transit[int] = Transit(100, 60)
    held: dict[int, int] = {}
    for mail, action, size in steps:
        if action == 0 and mail not in held:
            state.enter(mail, f"10.0.0.{mail % 3}", 0.0)
            held[mail] = 0
        elif action == 1 and mail in held:
            state.hold(mail, size)
            held[mail] = size
        elif action == 2:
            state.leave(mail)
            held.pop(mail, None)
        else:
            state.review(float(size))
        assert state._total_bytes == sum(held.values())
        assert not held or any(state.may_go_on(mail) for mail in held)
