"""A self-signed certificate and its key, made with the `openssl` program."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from camalert.errors import CamalertError

CERTIFICATE_DAYS = 3650  # nobody renews a camera's idea of a certificate
OPENSSL_S = 60.0


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
        lines = (getattr(error, "stderr", b"") or b"").decode("utf-8", "replace").strip().splitlines()
        raise CamalertError(f"openssl failed: {lines[-1] if lines else error}") from error
    finally:
        os.umask(before)
    certificate.chmod(0o644)


def _is_address(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdigit()
