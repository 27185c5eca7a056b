"""`camalert hash-password`."""

from __future__ import annotations

import io

import pytest

from camalert.__main__ import main
from camalert.intake.smtp.passwords import is_password


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
