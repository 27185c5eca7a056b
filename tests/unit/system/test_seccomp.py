"""The filter of system calls, run for each processor."""

from __future__ import annotations

import errno
import re
from pathlib import Path

import pytest
from testing.filtermachine import run

from camalert.system import seccomp
from camalert.system.seccomp import PROCESSORS, Condition, Refusal, program

ALLOWED = 0
ARM, INTEL = PROCESSORS["aarch64"], PROCESSORS["x86_64"]
HEADERS = {
    INTEL: Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    ARM: Path("/usr/include/asm-generic/unistd.h"),
}


@pytest.mark.parametrize("processor", PROCESSORS.values(), ids=PROCESSORS)
def test_call_is_refused_and_all_others_are_not(processor: seccomp.Processor) -> None:
    """Whatever is not named goes on."""
    code = program([Refusal("socket"), Refusal("clone3", errno.ENOSYS)], processor)
    own = seccomp.numbers(processor)

    assert run(code, processor.audit, own["socket"]) == errno.EPERM
    assert run(code, processor.audit, own["clone3"]) == errno.ENOSYS
    others = set(own.values()) - {own["socket"], own["clone3"]}
    assert {run(code, processor.audit, number) for number in others} == {ALLOWED}


def test_calls_of_another_abi_are_refused() -> None:
    """A program of 64 bits can make calls of 32 bits, with other numbers."""
    i386 = 0x4000_0003
    code = program([], INTEL)

    assert run(code, i386, 1) == errno.EPERM
    assert run(code, INTEL.audit, 0x4000_0029) == errno.ENOSYS
    assert run(code, INTEL.audit, 1) == ALLOWED
    assert run(program([], ARM), INTEL.audit, 1) == errno.EPERM


def test_call_that_a_processor_lacks_is_left_out() -> None:
    """There is no open(2) on aarch64, and no number that it could be taken for."""
    assert program([Refusal("open")], ARM) == program([], ARM)
    assert program([Refusal("open")], INTEL) != program([], INTEL)


@pytest.mark.parametrize(
    ("condition", "refused", "allowed"),
    [
        (Condition.ANY_BIT, (0b101, 0b001, 0xFFFF_FFFF), (0b010, 0)),
        (Condition.NO_BIT, (0b010, 0), (0b101, 0b100)),
        (Condition.OTHER, (4, 0), (5, 5 | 1 << 40)),
        (Condition.EQUAL, (5, 5 | 1 << 40), (4, 0)),
        (Condition.NOT_ZERO, (1, 1 << 40), (0,)),
    ],
)
@pytest.mark.parametrize("argument", [0, 2, 5])
def test_argument_decides(
    condition: Condition, refused: tuple[int, ...], allowed: tuple[int, ...], argument: int
) -> None:
    """A call may be harmless with one argument and not with another."""
    code = program([Refusal("ioctl", condition=condition, argument=argument, value=5)], ARM)
    number = seccomp.numbers(ARM)["ioctl"]

    def outcome(value: int) -> int:
        return run(code, ARM.audit, number, *[99] * argument, value)

    assert {outcome(value) for value in refused} == {errno.EPERM}
    assert {outcome(value) for value in allowed} == {ALLOWED}


def test_several_tests_of_a_call_refuse_what_any_of_them_does() -> None:
    """A call is judged once, by all that is said of it."""
    tests = [
        Refusal("clone", condition=Condition.ANY_BIT, value=8),
        Refusal("clone", condition=Condition.NO_BIT, value=1),
    ]
    code = program([*tests, Refusal("kill")], INTEL)

    assert [run(code, INTEL.audit, 56, flags) for flags in (1, 0, 9)] == [ALLOWED, errno.EPERM, errno.EPERM]
    assert run(code, INTEL.audit, 62) == errno.EPERM


@pytest.mark.parametrize("processor", HEADERS, ids=["x86_64", "others"])
def test_numbers_are_the_kernels(processor: seccomp.Processor) -> None:
    """A wrong number would refuse another call."""
    if not HEADERS[processor].exists():
        pytest.skip("the kernel's headers (linux-libc-dev) are not installed")
    text = HEADERS[processor].read_text(encoding="ascii")
    theirs = {name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text)}
    own = seccomp.numbers(processor)

    assert {name: theirs.get(name, number) for name, number in own.items()} == own
    assert not {name for name in seccomp._OWN if name not in own and name in theirs}
