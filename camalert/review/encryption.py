"""A certificate for cameras that insist on encryption, in the site's folder.

It is made before the process gives up its right to start `openssl`, so that one click can open a port with TLS later.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

from camalert.config.schema import Config
from camalert.errors import CamalertError
from camalert.system import networks
from camalert.system.certificate import make_certificate
from camalert.system.logs import log

FOLDER = "tls"
CERTIFICATE, KEY = "certificate.pem", "key.pem"


def keep_ready(config: Config) -> None:
    """Make certificate and key, unless the configuration names some that are there, or they were made before."""
    if Path(config.smtp.certificate).exists() or available(config) is not None:
        return
    certificate, key = _files(config)
    names = tuple(dict.fromkeys(name for name in (socket.gethostname(), networks.own_address()) if name))
    try:
        certificate.parent.mkdir(mode=0o700, exist_ok=True)
        key.unlink(missing_ok=True)  # half of a pair is none
        certificate.unlink(missing_ok=True)
        make_certificate(certificate, key, names or ("camalert",))
        certificate.chmod(0o600)  # like all in this folder; cameras are sent it
    except (CamalertError, OSError) as error:
        log.info("review_certificate_missing", message=str(error))
    else:
        log.info("review_certificate_made", file=str(certificate))


def available(config: Config) -> tuple[str, str] | None:
    """Return the site's certificate and key, None when there are none."""
    certificate, key = _files(config)
    return (str(certificate), str(key)) if certificate.is_file() and key.is_file() else None


def is_configured(config: Config) -> bool:
    """Tell whether the configuration's own certificate is there; who may read it is the supervisor's business."""
    return os.path.lexists(config.smtp.certificate)


def _files(config: Config) -> tuple[Path, Path]:
    folder = Path(config.review.data_dir).absolute() / FOLDER
    return folder / CERTIFICATE, folder / KEY
