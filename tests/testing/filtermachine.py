"""The machine that runs a filter of system calls, as the kernel has it."""

from __future__ import annotations

import struct


def run(code: bytes, audit: int, number: int, *arguments: int) -> int:
    """Run a filter as the kernel does; return the error, 0 when the call is allowed. Source: filter.h, bpf(4)."""
    data = struct.pack("=iIQ6Q", number, audit, 0, *arguments, *[0] * (6 - len(arguments)))
    steps = list(struct.iter_unpack("=HBBI", code))
    at, word = 0, 0
    while True:
        operation, if_true, if_false, value = steps[at]
        at += 1
        match operation:
            case 0x20:
                (word,) = struct.unpack_from("=I", data, value)
            case 0x15:
                at += if_true if word == value else if_false
            case 0x35:
                at += if_true if word >= value else if_false
            case 0x45:
                at += if_true if word & value else if_false
            case 0x06:
                return 0 if value == 0x7FFF_0000 else value & 0xFFFF
            case _:
                raise AssertionError(f"no operation {operation:#x}")
