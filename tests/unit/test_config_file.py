"""The configuration file itself: found, read, paths made absolute, contradictions."""

from __future__ import annotations

from pathlib import Path

import pytest

from camalert.configfile import Source, load
from camalert.errors import ConfigError


def _load(path: Path, text: str) -> str:
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(Source(file=path), {})
    return str(caught.value)


def test_load_relative_paths_start_at_the_files_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder that a command is started in does not matter."""
    file = tmp_path / "etc" / "config.toml"
    file.parent.mkdir()
    file.write_text('[database]\npath = "db/a.sqlite3"\n')
    monkeypatch.chdir(tmp_path)

    config = load(Source(file=Path("etc/config.toml")), {}).config

    assert config.database.path == str(tmp_path / "etc/db/a.sqlite3")
    assert config.service.run_dir == str(tmp_path / "etc/var/run")


def test_load_absolute_path_stays(tmp_path: Path) -> None:
    """An absolute path is what the owner wrote."""
    file = tmp_path / "config.toml"
    file.write_text('[database]\npath = "/srv/a.sqlite3"\n')

    assert load(Source(file=file), {}).config.database.path == "/srv/a.sqlite3"


def test_load_without_file_holds_defaults_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any file the defaults hold, with paths below the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("camalert.configfile.SYSTEM_FILE", tmp_path / "none.toml")

    loaded = load(Source(), {})

    assert loaded.config.database.path == str(tmp_path / "var/alerts.sqlite3")
    assert any("the defaults hold" in notice for notice in loaded.notices)


def test_load_missing_file_is_an_error(tmp_path: Path) -> None:
    """A file that was asked for must be there."""
    with pytest.raises(ConfigError, match=r"nowhere\.toml: there is no such file"):
        load(Source(file=tmp_path / "nowhere.toml"), {})


def test_load_broken_toml_names_the_line(tmp_path: Path) -> None:
    """A slip in the syntax is found by its line."""
    complaint = _load(tmp_path / "config.toml", "[log]\nlevel = info\n")

    assert complaint.startswith(f"{tmp_path}/config.toml: this is not TOML: ")
    assert "line 2" in complaint


def test_load_binary_file_is_an_error(tmp_path: Path) -> None:
    """A wrong file gives a line, not a traceback."""
    file = tmp_path / "config.toml"
    file.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        load(Source(file=file), {})


def test_load_folder_instead_of_file_is_an_error(tmp_path: Path) -> None:
    """A folder gives a line, not a traceback."""
    with pytest.raises(ConfigError, match="cannot be read"):
        load(Source(file=tmp_path), {})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[intake]\nmax_mail_bytes = 67108864\n", "intake.transit_bytes = 33554432 must be at least"),
        ("[pool]\nframe_slots = 1\n", "pool.frame_slots = 1 must be 0"),
        (
            "[[smtp.listen]]\n[[smtp.listen]]\nhost = '127.0.0.1'\n",
            "smtp.listen[1].port = 1025 is taken by smtp.listen[0]",
        ),
        ("[[camera]]\nname = 'a'\n[[camera]]\nname = 'a'\n", 'camera[1].name = "a" is used by another'),
        ("[review]\nport = 1025\n", "review.port = 1025 is taken by smtp.listen[0].port already"),
        ("[metrics]\nenabled = true\nport = 8025\n", "metrics.port = 8025 is taken by review.port already"),
        ('[smtp.auth]\naccept = "users"\n', 'smtp.auth.accept = "users" needs at least one [[smtp.auth.user]]'),
        (
            "[[camera]]\nmin_person_height_percent = 60\nmax_person_height_percent = 50\n",
            "camera[0].min_person_height_percent = 60.0 must not exceed",
        ),
    ],
)
def test_load_contradiction_names_both_keys(tmp_path: Path, text: str, complaint: str) -> None:
    """Values that cannot hold together are an error before anything starts."""
    assert complaint in _load(tmp_path / "config.toml", text)


@pytest.mark.parametrize("ports", [(0, 0), (1025, 1026)])
def test_load_different_or_free_ports_are_no_contradiction(tmp_path: Path, ports: tuple[int, int]) -> None:
    """Port 0 takes a free one, so it may stand twice."""
    file = tmp_path / "config.toml"
    file.write_text("".join(f"[[smtp.listen]]\nport = {port}\n" for port in ports))

    assert len(load(Source(file=file), {}).config.smtp.listen) == 2
