"""The header by which a balancer says whose connection it passes on: the PROXY protocol, version 2.

Only a listener that names its balancers reads it, and only from them: from anybody else it would be a lie.

Source: HAProxy, "The PROXY protocol", section 2.2.
"""

from __future__ import annotations

import ipaddress

from camalert.errors import ProtocolError

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
FIXED_BYTES = 16  # signature, version and command, family, length of the rest
MOST_BYTES = 2048  # of the rest: addresses take 36, the extensions behind them are ignored
_VERSION, _LOCAL, _PROXY = 0x20, 0x20, 0x21
_TCP4, _TCP6 = 0x11, 0x21
_ADDRESS_BYTES = {_TCP4: 4, _TCP6: 16}


class Header:
    """A header on its way; it takes exactly its own bytes, since TLS may follow at once."""

    def __init__(self) -> None:
        self._content = bytearray()
        self._length = FIXED_BYTES

    @property
    def missing_bytes(self) -> int:
        """Return how many bytes are still to come, as far as known; 0 when it is complete."""
        return self._length - len(self._content)

    def feed(self, data: memoryview) -> None:
        """Take bytes, no more than `missing_bytes`.

        Raises: ProtocolError when this is no such header; the message says it for the owner.
        """
        self._content += data
        if bytes(self._content[: len(SIGNATURE)]) != SIGNATURE[: len(self._content)]:
            is_old = self._content.startswith(b"PROXY"[: len(self._content)])
            raise ProtocolError("sent version 1 of the PROXY protocol" if is_old else "sent no PROXY header")
        if len(self._content) == FIXED_BYTES:
            if self._content[12] not in (_LOCAL, _PROXY):
                raise ProtocolError(f"sent a PROXY header of version and command {self._content[12]:#04x}")
            rest = int.from_bytes(self._content[14:16])
            if rest > MOST_BYTES:
                raise ProtocolError(f"sent a PROXY header of {rest} bytes")
            self._length += rest

    @property
    def client(self) -> str:
        """Return the client's address, an IPv4-mapped one as IPv4; "" when the balancer speaks for itself.

        Raises: ProtocolError when the header has no address of a TCP client.
        """
        if self._content[12] == _LOCAL:
            return ""
        size = _ADDRESS_BYTES.get(self._content[13], 0)
        if not size or len(self._content) < FIXED_BYTES + 2 * size + 4:
            raise ProtocolError("sent a PROXY header without the address of a TCP client")
        address = ipaddress.ip_address(bytes(self._content[FIXED_BYTES : FIXED_BYTES + size]))
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return str(mapped or address)
