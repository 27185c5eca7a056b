"""What Landlock is told, for every version of it."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from camalert.system import landlock


@pytest.mark.parametrize(
    ("abi", "words"),
    [
        (1, (0x1FFF,)),
        (2, (0x3FFF,)),
        (3, (0x7FFF,)),
        (4, (0x7FFF, 3)),
        (5, (0xFFFF, 3)),
        (6, (0xFFFF, 3, 3)),
        (7, (0xFFFF, 3, 3)),
        (8, (0xFFFF, 3, 3)),
        (9, (0x1FFFF, 3, 3)),
        (20, (0x1FFFF, 3, 3)),
    ],
)
def test_ruleset_has_what_an_abi_knows_and_no_more(abi: int, words: tuple[int, ...]) -> None:
    """An older kernel refuses what it does not know; a newer one is used as far as we know it."""
    assert struct.unpack(f"={len(words)}Q", landlock.ruleset(abi)) == words


def test_ruleset_without_files_still_watches_over_the_network() -> None:
    """Where files cannot be watched over, the rest is."""
    assert struct.unpack("=3Q", landlock.ruleset(6, has_files=False)) == (0, 3, 3)
    assert not any(landlock.ruleset(3, has_files=False))


def test_ruleset_of_one_that_connects_leaves_connections_alone() -> None:
    """It may reach any port and still binds none."""
    assert struct.unpack("=3Q", landlock.ruleset(6, may_connect=True)) == (0xFFFF, 1, 3)
    assert landlock.ruleset(3, may_connect=True) == landlock.ruleset(3)


@pytest.mark.parametrize(
    ("abi", "access", "is_folder", "kept"),
    [
        (1, landlock.WRITE, True, landlock.WRITE & 0x1FFF),
        (2, landlock.WRITE, True, landlock.WRITE & 0x3FFF),
        (3, landlock.WRITE, True, landlock.WRITE),
        (3, landlock.WRITE, False, landlock.READ_FILE | landlock.WRITE_FILE | landlock.TRUNCATE),
        (8, landlock.RESOLVE_SOCKET, False, 0),
        (9, landlock.RESOLVE_SOCKET, False, landlock.RESOLVE_SOCKET),
        (9, landlock.READ, False, landlock.READ_FILE),
    ],
)
def test_rule_allows_what_an_abi_knows_of_a_folder_or_a_file(abi: int, access: int, is_folder: bool, kept: int) -> None:
    """The kernel refuses a rule for a file that speaks of what only folders have."""
    assert struct.unpack("=Qi", landlock.beneath(abi, access, is_folder=is_folder, file=7)) == (kept, 7)


def test_writing_makes_no_links_devices_pipes_or_sockets() -> None:
    """What lies in a folder afterwards leads nowhere else."""
    make_device, make_socket, make_pipe, make_block, make_link = 1 << 6, 1 << 9, 1 << 10, 1 << 11, 1 << 12
    assert not landlock.WRITE & (make_device | make_socket | make_pipe | make_block | make_link | landlock.EXECUTE)


@pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock")
def test_kernel_takes_every_rule(tmp_path: Path) -> None:
    """A child that cannot be confined would run with all rights; a rule for what is not there is left out."""
    (tmp_path / "file").touch()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            rules = [landlock.Rule(str(path), 0x1FFFF) for path in (tmp_path, tmp_path / "file", tmp_path / "nothing")]
            landlock._called(157, 38, 1, 0, 0, 0) if os.uname().machine == "x86_64" else landlock._libc.prctl(38, 1)
            landlock.restrict(rules, landlock.version())
            (tmp_path / "file").read_bytes()
            try:
                Path(__file__).read_bytes()
            except PermissionError:
                code = 0
        finally:
            os._exit(code)

    assert os.waitpid(pid, 0)[1] == 0
