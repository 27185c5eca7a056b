"""Landlock: which files, TCP ports, sockets and processes this process may reach from now on.

What is to be allowed is turned into bytes for the kernel's version by pure functions; `restrict` hands them over. Later
versions of the kernel watch over more, and what one does not know is left out.

Source: landlock(7); include/uapi/linux/landlock.h and Documentation/userspace-api/landlock.rst of the kernel. ABI 1 is
Linux 5.13, 2 is 5.19, 3 is 6.2, 4 is 6.7, 5 is 6.10, 6 is 6.12, 8 is 7.0.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from dataclasses import dataclass

# Their numbers are the same for all processors.
_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION = 1  # flag of _CREATE
_BENEATH = 1  # kind of rule: a path with all below
_TSYNC = 1 << 3  # flag of _RESTRICT: for all threads
_TSYNC_ABI = 8

EXECUTE, WRITE_FILE, READ_FILE, READ_FOLDER, REMOVE_FOLDER, REMOVE_FILE = (1 << bit for bit in range(6))
MAKE_FOLDER, MAKE_FILE = 1 << 7, 1 << 8
MOVE, TRUNCATE, DEVICE_CONTROL, RESOLVE_SOCKET = 1 << 13, 1 << 14, 1 << 15, 1 << 16
READ = READ_FILE | READ_FOLDER
WRITE = (
    READ | WRITE_FILE | TRUNCATE | REMOVE_FOLDER | REMOVE_FILE | MAKE_FOLDER | MAKE_FILE | MOVE
)  # and no links, devices, pipes or sockets
_OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | DEVICE_CONTROL | RESOLVE_SOCKET
_FIRST = (1 << 13) - 1
_SINCE = ((2, MOVE), (3, TRUNCATE), (5, DEVICE_CONTROL), (9, RESOLVE_SOCKET))
MOVING_ABI = 2  # before it no file could be moved to another folder at all
_CONNECT = 0b10
_TCP_ABI, _TCP = 4, 0b01 | _CONNECT  # bind, connect
_SCOPE_ABI, _SCOPE = 6, 0b11  # abstract sockets and signals: within the restricted processes only

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Rule:
    """What may be done with a path and all below it."""

    path: str
    access: int


def version() -> int:
    """Return the kernel's ABI, 0 where there is none or it is switched off."""
    return max(0, int(_libc.syscall(_CREATE, None, ctypes.c_size_t(0), _VERSION)))


def handled(abi: int) -> tuple[int, int, int]:
    """Return what an ABI watches over: actions on files, on TCP ports, and what is kept within."""
    files = _FIRST
    for since, action in _SINCE:
        files |= action if abi >= since else 0
    return files, _TCP if abi >= _TCP_ABI else 0, _SCOPE if abi >= _SCOPE_ABI else 0


def ruleset(abi: int, *, has_files: bool = True, may_connect: bool = False) -> bytes:
    """Return the kernel's description of what is refused unless a rule allows it."""
    files, tcp, scope = handled(abi)
    values = [files if has_files else 0]
    values += [tcp & ~_CONNECT if may_connect else tcp] if abi >= _TCP_ABI else []
    values += [scope] if abi >= _SCOPE_ABI else []
    return struct.pack(f"={len(values)}Q", *values)


def beneath(abi: int, access: int, *, is_folder: bool, file: int) -> bytes:
    """Return the kernel's form of a rule; an open `file` says for which path."""
    known = handled(abi)[0]
    return struct.pack("=Qi", access & known & (known if is_folder else _OF_FILES), file)


def restrict(rules: Iterable[Rule], abi: int, *, has_files: bool = True, may_connect: bool = False) -> None:
    """Allow this process and its threads to come what the rules say, and nothing else that the ABI watches over.

    A rule for what is not there allows nothing.

    Raises: OSError when the kernel refuses.
    """
    content = ruleset(abi, has_files=has_files, may_connect=may_connect)
    if not any(content):
        return
    found = _called(_CREATE, content, ctypes.c_size_t(len(content)), 0)
    try:
        for rule in rules if has_files else ():
            _allow(found, rule, abi)
        _called(_RESTRICT, found, _TSYNC if abi >= _TSYNC_ABI else 0)
    finally:
        os.close(found)


def _allow(found: int, rule: Rule, abi: int) -> None:
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        file = os.open(rule.path, os.O_PATH | os.O_CLOEXEC)
        try:
            is_folder = stat.S_ISDIR(os.fstat(file).st_mode)
            content = beneath(abi, rule.access, is_folder=is_folder, file=file)
            if any(content[:8]):
                _called(_ADD, found, _BENEATH, content, 0)
        finally:
            os.close(file)


def _called(number: int, *arguments: object) -> int:
    result = int(_libc.syscall(number, *arguments))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"Landlock: {os.strerror(error)}")
    return result
