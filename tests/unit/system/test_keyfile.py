"""A key in a file: made once, whoever comes first."""

from __future__ import annotations

from pathlib import Path

import pytest

from camalert.system import keyfile


def test_key_stays_and_is_its_owners(tmp_path: Path) -> None:
    """And no draft is left."""
    key = keyfile.key(tmp_path / "key")

    assert keyfile.key(tmp_path / "key") == key
    assert len(key) >= keyfile.KEY_BYTES
    assert [path.name for path in tmp_path.iterdir()] == ["key"]
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_who_is_too_late_takes_the_others_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes found none; the file of the first one stays."""
    path = tmp_path / "key"
    read = Path.read_text

    def first_none(self: Path, **options: str) -> str:
        monkeypatch.setattr(Path, "read_text", read)
        path.write_text("the other's", encoding="ascii")
        raise FileNotFoundError(self)

    monkeypatch.setattr(Path, "read_text", first_none)

    assert keyfile.key(path) == "the other's"
    assert [found.name for found in tmp_path.iterdir()] == ["key"]
