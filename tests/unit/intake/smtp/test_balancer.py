"""The PROXY header: who the client is, and what is no such header."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert.errors import ProtocolError
from camalert.intake.smtp.balancer import FIXED_BYTES, MOST_BYTES, SIGNATURE, Header


def header(command: int, family: int, rest: bytes) -> bytes:
    return SIGNATURE + bytes((command, family)) + len(rest).to_bytes(2) + rest


def of(address: str, extensions: bytes = b"") -> bytes:
    packed = ipaddress.ip_address(address).packed
    return header(0x21, 0x11 if len(packed) == 4 else 0x21, packed * 2 + b"\x12\x34\0\x19" + extensions)


def read(data: bytes, step: int = 1000) -> str:
    """Feed a header as a connection does: never more than is missing."""
    found = Header()
    at = 0
    while found.missing_bytes:
        part = data[at : at + min(step, found.missing_bytes)]
        assert part, "the header is not complete"
        found.feed(memoryview(part))
        at += len(part)
    assert at == len(data), "bytes behind the header belong to the client"
    return found.client


@pytest.mark.parametrize("step", [1, 5, 1000])
@pytest.mark.parametrize(
    ("address", "client"),
    [("192.168.1.64", "192.168.1.64"), ("2001:db8::7", "2001:db8::7"), ("::ffff:10.0.0.9", "10.0.0.9")],
)
def test_header_names_the_client_in_whatever_pieces_it_comes(address: str, client: str, step: int) -> None:
    """Extensions behind the addresses are read over."""
    assert read(of(address), step) == client
    assert read(of(address, b"\x04\0\x03abc" * 20), step) == client


def test_balancer_that_checks_speaks_for_itself() -> None:
    """The command LOCAL has no client, whatever stands behind it."""
    assert read(header(0x20, 0, b"")) == ""
    assert read(header(0x20, 0x11, bytes(12))) == ""


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"EHLO camera\r\n" + bytes(9), "no PROXY header"),
        (b"PROXY TCP4 10.0.0.1 10.0.0.2 5 25\r\n", "version 1"),
        (header(0x11, 0x11, bytes(12)), "version and command 0x11"),
        (header(0x21, 0x11, bytes(MOST_BYTES + 1)), f"{MOST_BYTES + 1} bytes"),
        (header(0x21, 0x11, bytes(11)), "without the address"),
        (header(0x21, 0x12, bytes(12)), "without the address"),
        (header(0x21, 0x31, socket.gethostname().encode().ljust(216, b"\0")), "without the address"),
    ],
)
def test_what_is_no_header_is_said_in_words(data: bytes, what: str) -> None:
    """The owner reads what the balancer sent instead."""
    with pytest.raises(ProtocolError, match=what):
        read(data)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_client_or_said_to_be_none(data: bytes) -> None:
    """Nothing else happens, and never more than the longest header is read."""
    for content in (data, SIGNATURE + data):
        found = Header()
        at = 0
        try:
            while found.missing_bytes and at < len(content):
                part = content[at : at + found.missing_bytes]
                found.feed(memoryview(part))
                at += len(part)
            if not found.missing_bytes and found.client:
                ipaddress.ip_address(found.client)
        except ProtocolError:
            pass
        assert at <= FIXED_BYTES + MOST_BYTES
