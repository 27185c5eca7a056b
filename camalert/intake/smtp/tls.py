"""TLS for cameras: the context of a listener, and how a client that opens TLS is recognised."""

from __future__ import annotations

import ssl
import warnings

from camalert.errors import ConfigError

_VERSIONS = {
    "1.0": ssl.TLSVersion.TLSv1,
    "1.1": ssl.TLSVersion.TLSv1_1,
    "1.2": ssl.TLSVersion.TLSv1_2,
    "1.3": ssl.TLSVersion.TLSv1_3,
}


def is_client_hello(data: bytes) -> bool:
    """Tell whether a client's first bytes open TLS. Source: RFC 8446, section 5.1: handshake, version 3.x."""
    return len(data) >= 3 and data[0] == 0x16 and data[1] == 0x03 and data[2] <= 0x04


def context(certificate: str, private_key: str, min_version: str) -> ssl.SSLContext:
    """Make the context of a listener.

    Raises: ConfigError that says how to make a certificate.
    """
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if min_version in ("1.0", "1.1"):
        # Old cameras' ciphers and signatures are below OpenSSL's default level too.
        found.set_ciphers("DEFAULT:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the owner was told; see [smtp] min_tls
        found.minimum_version = _VERSIONS[min_version]
    try:
        found.load_cert_chain(certificate, private_key, password="")  # or it would ask a terminal for one
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"smtp.certificate = {certificate}, smtp.private_key = {private_key}: {error.strerror or error}; "
            "`camalert make-certificate` makes both"
        ) from error
    return found
