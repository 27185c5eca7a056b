"""`camalert hash-password` and `camalert make-certificate`."""

from __future__ import annotations

import io
import shutil
import ssl
import stat
from pathlib import Path

import pytest

from camalert.__main__ import main
from camalert.smtp.passwords import is_password


def test_hash_password_prints_what_the_configuration_takes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The hash fits the password, and does not contain it."""
    monkeypatch.setattr("sys.stdin", io.StringIO("Gärten 1\n"))

    code = main(["hash-password"])

    printed = capsys.readouterr().out.strip()
    assert code == 0
    assert is_password("Gärten 1".encode(), printed)
    assert "Gärten" not in printed


def test_hash_password_empty_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty password would let everybody in."""
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))

    assert main(["hash-password"]) == 1
    assert "the password is empty" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl program is not installed")
def test_make_certificate_fits_its_key_and_keeps_it_private(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both files work together, the key is for its owner alone, and a second call overwrites nothing."""
    file = tmp_path / "config.toml"
    file.touch()

    assert main(["make-certificate", "--name", "cams.home.lan", "--name", "192.168.1.5", "--config", str(file)]) == 0
    assert main(["make-certificate", "--config", str(file)]) == 1

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    key = tmp_path / "var" / "tls" / "key.pem"
    context.load_cert_chain(tmp_path / "var" / "tls" / "certificate.pem", key)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "exists already" in capsys.readouterr().err
