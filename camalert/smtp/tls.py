"""TLS for cameras: contexts, a certificate of our own, and what a failed handshake means in words.

Mechanism: reads certificate files and runs the `openssl` program.
"""

from __future__ import annotations

import os
import ssl
import subprocess
import warnings
from pathlib import Path

from camalert.errors import CamalertError, ConfigError

CERTIFICATE_DAYS = 3650  # nobody renews a camera's idea of a certificate
OPENSSL_S = 60.0
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
        found.load_cert_chain(certificate, private_key)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"smtp.certificate = {certificate}, smtp.private_key = {private_key}: {error.strerror or error}; "
            "`camalert make-certificate` makes both"
        ) from error
    return found


def make_certificate(certificate: Path, private_key: Path, names: tuple[str, ...]) -> None:
    """Make a self-signed certificate and its key with the `openssl` program.

    Args:
        certificate: File to write.
        private_key: File to write, readable by its owner alone.
        names: Host names and addresses that cameras may know this machine by, the first one as its common name.
    Raises: CamalertError when a file exists already, or openssl is missing or fails.
    """
    for file in (certificate, private_key):
        if file.exists():
            raise CamalertError(f"{file} exists already; move it away first")
        file.parent.mkdir(parents=True, exist_ok=True)
    alternatives = ",".join(f"{'IP' if _is_address(name) else 'DNS'}:{name}" for name in names)
    command = (
        "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-sha256", "-days", str(CERTIFICATE_DAYS),
        "-subj", f"/CN={names[0]}", "-addext", f"subjectAltName={alternatives}",
        "-keyout", str(private_key), "-out", str(certificate),
    )  # fmt: skip
    before = os.umask(0o077)
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=OPENSSL_S)  # noqa: S603 - a list, no shell
    except FileNotFoundError as error:
        raise CamalertError("the openssl program is not installed (Debian: apt install openssl)") from error
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        words = (getattr(error, "stderr", b"") or b"").decode("utf-8", "replace").strip().splitlines()
        raise CamalertError(f"openssl failed: {words[-1] if words else error}") from error
    finally:
        os.umask(before)
    certificate.chmod(0o644)


def _is_address(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdigit()
