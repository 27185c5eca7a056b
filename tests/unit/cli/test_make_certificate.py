"""`camalert make-certificate`."""

from __future__ import annotations

import shutil
import ssl
import stat
from pathlib import Path

import pytest
import tomli

from camalert.__main__ import main


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl program is not installed")
def test_make_certificate_fits_its_key_and_keeps_it_private(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both files work together, the key is for its owner alone, and a second call overwrites nothing."""
    file = tmp_path / "config.toml"
    file.touch()

    assert main(["make-certificate", "--name", "cams.home.lan", "--name", "192.168.1.5", "--config", str(file)]) == 0
    assert main(["make-certificate", "--config", str(file)]) == 1

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    key = tmp_path / "tls" / "key.pem"
    context.load_cert_chain(tmp_path / "tls" / "certificate.pem", key)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    shown = capsys.readouterr()
    assert "exists already" in shown.err
    block = tomli.loads(shown.out[shown.out.index("[[smtp.listen]]") :])  # what it says to add, added
    assert block == {"smtp": {"listen": [{"port": 1025, "tls": "none"}, {"port": 1465, "tls": "implicit"}]}}
