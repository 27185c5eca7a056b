"""Needs as the kernel is told: files, system calls, and what an older kernel cannot do."""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import socket
import struct
import sys
from pathlib import Path
from types import ModuleType

import pytest
from testing.filtermachine import run

from camalert.system import confinement, landlock, seccomp
from camalert.system.confinement import (
    DISPOSABLE,
    Confinement,
    Needs,
    Program,
    Support,
    program_paths,
    refusals,
    rules,
    watches_files,
    without_capabilities,
)
from camalert.system.landlock import EXECUTE, READ_FILE, WRITE_FILE, Rule

PROGRAM = Program(("/opt/camalert",), ("/checkout",), ("/usr/bin/python3",), "/dev/pts/3")
ARM = seccomp.PROCESSORS["aarch64"]
PID = 4711
THREAD, CHILD, NEW_USER = 0x1_0000, 17, 0x1000_0000
WRITER, STARTER, SERVER = Needs(writes=("/data",)), Needs(serves=True, starts=True), Needs(serves=True)
CALLER = Needs(connects=True)


def _is_refused(needs: Needs, call: str, *arguments: int) -> bool:
    code = seccomp.program(refusals(needs, PID), ARM)
    found = run(code, ARM.audit, seccomp.numbers(ARM)[call], *arguments)
    assert found in (0, errno.EPERM)
    return bool(found)


@pytest.mark.parametrize(
    ("call", "arguments", "allowed_to"),
    [
        ("socket", (socket.AF_INET,), (CALLER,)),
        ("connect", (), (CALLER,)),
        ("bind", (), ()),
        ("accept4", (), (STARTER, SERVER)),
        ("socketpair", (socket.AF_UNIX,), (STARTER, CALLER)),
        ("socketpair", (socket.AF_INET,), ()),
        ("execve", (), (STARTER,)),
        ("clone", (CHILD,), (STARTER,)),
        ("clone", (THREAD,), (DISPOSABLE, WRITER, STARTER, SERVER)),
        ("clone", (CHILD | NEW_USER,), ()),
        ("kill", (PID,), (DISPOSABLE, WRITER, STARTER, SERVER)),
        ("kill", (PID + 1,), (STARTER,)),
        ("tgkill", (PID,), (DISPOSABLE, WRITER, STARTER, SERVER)),
        ("prlimit64", (0, 7, 0), (DISPOSABLE, WRITER, STARTER, SERVER)),
        ("prlimit64", (0, 7, 1 << 35), (STARTER,)),
        ("openat", (0, 0, os.O_RDONLY | os.O_CLOEXEC), (DISPOSABLE, WRITER, STARTER, SERVER)),
        ("openat", (0, 0, os.O_RDWR), (WRITER, STARTER)),
        ("openat", (0, 0, os.O_RDONLY | os.O_TRUNC), (WRITER, STARTER)),
        ("unlinkat", (), (WRITER,)),
        ("fchmod", (), (WRITER,)),
        ("fchmodat", (), ()),
        ("truncate", (), ()),
        ("symlinkat", (), ()),
        ("ptrace", (), ()),
        ("io_uring_setup", (), ()),
        ("inotify_init1", (), ()),
        ("fcntl", (0, 8, PID), ()),
        ("fcntl", (0, 4), (DISPOSABLE, WRITER, STARTER, SERVER)),
        ("ioctl", (0, 0x8901), ()),
        ("ioctl", (0, 0x5412), ()),
        ("ioctl", (0, 0x5401), (DISPOSABLE, WRITER, STARTER, SERVER)),
    ],
)
def test_call_is_refused_to_whom_has_no_need_of_it(
    call: str, arguments: tuple[int, ...], allowed_to: tuple[Needs, ...]
) -> None:
    """A process can do by system calls what its needs say."""
    found = {
        needs for needs in (DISPOSABLE, WRITER, STARTER, SERVER, CALLER) if not _is_refused(needs, call, *arguments)
    }

    everybody = DISPOSABLE in allowed_to
    assert found == {*allowed_to, *((CALLER,) if everybody else ())}


@pytest.mark.parametrize("call", ["clone3", "openat2"])
def test_call_whose_arguments_cannot_be_seen_does_not_exist(call: str) -> None:
    """The C library then makes the older call, which can be judged."""
    code = seccomp.program(refusals(STARTER, PID), ARM)

    assert run(code, ARM.audit, seccomp.numbers(ARM)[call]) == errno.ENOSYS


def test_rules_name_what_is_needed_and_the_program() -> None:
    """Nothing else can be opened."""
    needs = Needs(reads=("/run/camalert",), writes=("/data",), updates=("/run/one",))

    found = rules(needs, PROGRAM)

    assert Rule("/run/camalert", landlock.READ) in found
    assert Rule("/data", landlock.WRITE) in found
    assert Rule("/run/one", READ_FILE | WRITE_FILE | landlock.TRUNCATE) in found
    assert Rule("/opt/camalert", landlock.READ) in found
    assert not [rule for rule in found if rule.access & EXECUTE]
    assert not [rule for rule in found if rule.path in ("/proc", "/checkout", "/dev/pts/3", "/", "/etc", "/home")]


def test_rules_of_one_that_starts_itself_again_have_the_interpreter_alone() -> None:
    """It can run nothing else."""
    found = rules(STARTER, PROGRAM)

    assert [rule.path for rule in found if rule.access & EXECUTE] == ["/usr/bin/python3"]
    assert Rule("/checkout", landlock.READ_FOLDER) in found  # the names there, not the files


def test_first_landlock_does_not_watch_over_who_moves_files() -> None:
    """It would let nobody move a file from one folder to another."""
    assert [watches_files(Needs(moves=True), abi) for abi in (0, 1, 2, 7)] == [False, False, True, True]
    assert [watches_files(Needs(), abi) for abi in (0, 1, 2)] == [False, True, True]


def test_program_is_its_packages_and_not_the_folder_they_lie_in() -> None:
    """The database and the keys lie beside the package of a checkout."""
    package, module, part = ModuleType("ours"), ModuleType("alone"), ModuleType("ours.part")
    package.__file__, module.__file__ = "/checkout/ours/__init__.py", "/checkout/alone.py"
    part.__file__ = "/elsewhere/part.py"
    modules = {"ours": package, "alone": module, "ours.part": part, "sys": sys, "missing": None}

    found = program_paths({"stdlib": "/opt/py/lib", "purelib": "/venv/lib/site"}, ("/venv", "/opt/py"), modules)

    assert found == ("/venv", "/opt/py", "/checkout/ours", "/checkout/alone.py")


def test_gap_says_what_is_missing() -> None:
    """One line tells the owner what his kernel cannot do."""
    assert not Support(7, seccomp=True).gap
    assert "no Landlock" in Support(0, seccomp=True).gap
    assert "no seccomp" in Support(1, seccomp=False).gap
    assert "runs all the same" in Support(0, seccomp=False).gap


def _in_a_process(deed: object, *, is_bare: bool = False) -> int:
    """Return the exit code of a process that does something: 0 when it returns True.

    Args:
        is_bare: Close what the process of the tests has open: a confined child has a limit on descriptors.
    """
    pid = os.fork()
    if not pid:
        code = 1
        try:
            if is_bare:
                os.closerange(3, 65_536)
            code = 0 if deed() else 2  # type: ignore[operator]
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_process_without_kernel_support_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service runs on an old kernel too; a core is not left there either."""
    monkeypatch.setattr(confinement, "support", lambda: Support(0, seccomp=False))

    def deed() -> bool:
        made = Confinement(DISPOSABLE)
        Path(__file__).read_bytes()
        return not made.failures and resource.getrlimit(resource.RLIMIT_CORE)[1] <= 1

    assert _in_a_process(deed, is_bare=True) == 0


def test_refusal_of_the_kernel_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that kept its rights says so."""
    monkeypatch.setattr(confinement, "support", lambda: Support(1, seccomp=False))
    monkeypatch.setattr(landlock, "_CREATE", 100_000)

    assert _in_a_process(lambda: "Landlock" in Confinement(DISPOSABLE).failures[0], is_bare=True) == 0


@pytest.mark.skipif(bool(confinement.support().gap), reason="no Landlock or no seccomp here")
def test_folder_that_was_replaced_or_lost_is_noticed(tmp_path: Path) -> None:
    """Another folder in its place is out of reach; a process that is started then can use it."""
    folder = tmp_path / "data"
    folder.mkdir()
    away = tmp_path / "away"

    def deed() -> bool:
        made = Confinement(Needs(writes=(str(folder),)))
        (folder / "file").touch()
        assert not made.changed()
        os.write(ready, b"1")
        os.read(go, 1)
        assert not made.changed()
        assert made.changed(is_loss_counted=True) == str(folder)
        os.write(ready, b"1")
        os.read(go, 1)
        return made.changed() == str(folder)

    (ready_end, ready), (go, go_end) = os.pipe(), os.pipe()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            code = 0 if deed() else 2
        finally:
            os._exit(code)
    os.read(ready_end, 1)
    folder.rename(away)
    os.write(go_end, b"1")
    os.read(ready_end, 1)
    folder.mkdir()
    os.write(go_end, b"1")
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    for end in (ready_end, ready, go, go_end):
        os.close(end)


@pytest.mark.skipif(bool(confinement.support().gap), reason="no Landlock or no seccomp here")
@pytest.mark.parametrize("connects", [True, False])
def test_process_that_connects_reaches_others_and_serves_nobody(connects: bool) -> None:
    """A process may be the one that speaks to the outside, and still take no connection."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def deed() -> bool:
            Confinement(Needs(connects=connects))
            try:
                socket.create_connection(server.getsockname(), timeout=5).close()
            except OSError:
                return not connects
            with pytest.raises(OSError, match="not permitted"):
                socket.create_server(("127.0.0.1", 0))
            return connects

        assert _in_a_process(deed) == 0


def test_folder_that_is_not_there_yet_leaves_files_alone(tmp_path: Path) -> None:
    """It cannot be named to the kernel; once it is there, the process begins anew."""
    folder = tmp_path / "later"

    def deed() -> bool:
        made = Confinement(Needs(writes=(str(folder),)))
        folder.mkdir()
        return made.changed() == str(folder)

    assert _in_a_process(deed) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a capability on")
def test_new_process_gets_no_capability_unless_its_port_needs_one() -> None:
    """The capability for small ports is the supervisor's; it has it again afterwards, for a reload."""
    libc = ctypes.CDLL(None, use_errno=True)
    is_set, raised, bind = 1, 2, 10

    def has() -> bool:
        return libc.prctl(47, is_set, bind, 0, 0) == 1

    def deed() -> bool:
        own = 1 << bind
        libc.capset(struct.pack("=Ii", 0x2008_0522, 0), struct.pack("=6I", own, own, own, 0, 0, 0))
        libc.prctl(47, raised, bind, 0, 0)
        found = [has()]
        for ports in ((), (8025,), (80,)):
            with without_capabilities(ports):
                found.append(has())
            found.append(has())
        return found == [True, False, True, False, True, True, True]

    assert _in_a_process(deed) == 0
