"""settings.toml: what the site may set, and how it lies below config.toml."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from camalert.config import settings_file
from camalert.config.sources import LoadedConfig, Source, load, pack, unpack
from camalert.detection.rules import camera_of
from camalert.errors import ConfigError

KEYS = st.from_regex(r"[A-Za-z0-9_-]{1,8}|.{1,8}", fullmatch=True)
VALUES: Any = st.one_of(
    st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False), st.text(max_size=20),
    st.lists(st.text(max_size=5), max_size=3),
)  # fmt: skip
TABLES: Any = st.recursive(
    st.dictionaries(KEYS, VALUES, min_size=1, max_size=4),
    lambda below: st.dictionaries(
        KEYS, st.one_of(VALUES, below, st.lists(below, min_size=1, max_size=3)), min_size=1, max_size=4
    ),
    max_leaves=8,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "var" / "review").mkdir(parents=True)
    (tmp_path / "config.toml").write_text("")
    return tmp_path


def _load(folder: Path, own: str, config: str = "", **ambient: str) -> LoadedConfig:
    (folder / "config.toml").write_text(config)
    (folder / "var/review/settings.toml").write_text(own)
    return load(Source(file=folder / "config.toml"), ambient)


def _ports(loaded: LoadedConfig) -> list[tuple[int, str]]:
    return [(listen.port, listen.tls) for listen in loaded.config.smtp.listen]


@given(TABLES)
def test_written_tables_are_read_again(tables: dict[str, Any]) -> None:
    """Whatever stands in the tables is the same in the file."""
    assert tomli.loads(settings_file.written(tables)) == tables


def test_camera_of_the_site_counts(folder: Path) -> None:
    """A block that config.toml does not have follows its own blocks, and the origin says where it is from."""
    loaded = _load(folder, '[[camera]]\nname = "Garage"\nthreshold = 0.7\n', '[[camera]]\nname = "Yard"\n')

    assert [camera.name for camera in loaded.config.camera] == ["Yard", "Garage"]
    assert camera_of(loaded.config, "garage").threshold == 0.7
    assert loaded.origins["camera", 1, "threshold"] == f"{folder}/var/review/settings.toml:3"
    assert loaded.settings.digest
    assert unpack(pack(loaded)).settings == loaded.settings


def test_config_toml_wins_key_by_key(folder: Path) -> None:
    """Of one camera each file has its part, whatever the capitals of its name."""
    config = '[[camera]]\nname = "garage"\nthreshold = 0.6\n'
    loaded = _load(folder, '[[camera]]\nname = "Garage"\nthreshold = 0.9\neffort = "fast"\n', config)

    (camera,) = loaded.config.camera
    assert (camera.name, camera.threshold, camera.effort) == ("garage", 0.6, "fast")
    assert loaded.origins["camera", 0, "threshold"] == f"{folder}/config.toml:3"


def test_environment_wins_over_both(folder: Path) -> None:
    """Entries of config.toml keep their numbers, so a variable means what it meant before."""
    own = '[[camera]]\nname = "Garage"\n'
    loaded = _load(folder, own, '[[camera]]\nname = "Yard"\n', CAMALERT_CAMERA__0__THRESHOLD="0.3")

    assert camera_of(loaded.config, "Yard").threshold == 0.3


def test_port_is_added_to_the_default_ones(folder: Path) -> None:
    """A further port takes none away; a port of config.toml is its own with all that is said of it."""
    own = '[smtp]\n[[smtp.listen]]\nport = 1465\ntls = "implicit"\n[[smtp.listen]]\nport = 2525\ntls = "implicit"\n'

    assert _ports(_load(folder, own)) == [(1025, "none"), (1465, "implicit"), (2525, "implicit")]
    assert _ports(_load(folder, own, "[[smtp.listen]]\nport = 2525\n")) == [(2525, "none"), (1465, "implicit")]


def test_certificate_of_the_site_gives_way_to_a_chosen_one_only(folder: Path) -> None:
    """The installed file names the default, which is no choice."""
    own = f'[smtp]\ncertificate = "{folder}/var/review/tls/c.pem"\n'

    assert _load(folder, own).config.smtp.certificate == f"{folder}/var/review/tls/c.pem"
    default = '[smtp]\ncertificate = "tls/certificate.pem"\n'
    assert _load(folder, own, default).config.smtp.certificate == f"{folder}/var/review/tls/c.pem"
    assert _load(folder, own, '[smtp]\ncertificate = "mine.pem"\n').config.smtp.certificate == f"{folder}/mine.pem"


@pytest.mark.parametrize(
    ("own", "why"),
    [
        ("nonsense", "is not valid TOML"),
        ("[service]\nconfine = false\n", "service is not a setting of the site"),
        ('[review]\nallow = ["0.0.0.0/0"]\n', "review is not a setting of the site"),
        ('[smtp]\nallow = ["0.0.0.0/0"]\n', "smtp.allow is not a setting of the site"),
        ('[[smtp.listen]]\nport = 9\nallow = ["0.0.0.0/0"]\n', "smtp.listen[0].allow is not a setting of the site"),
        ('[smtp]\ncertificate = "/etc/shadow"\n', "smtp.certificate must be in the site's folder"),
        ('[[notify]]\nname = "x"\nurl_file = "/etc/shadow"\n', "notify[0].url_file is not a setting of the site"),
        ('[[camera]]\nname = "Yard"\nthreshold = 7\n', "camera[0].threshold = 7 must be a number"),
        ('[[camera]]\nname = ""\n', "must be the camera's name"),
        ('camera = 5\n', "camera is a list of tables"),
        ('smtp = 5\n', "smtp = 5 must be a table"),
    ],
)  # fmt: skip
def test_spoilt_file_is_never_the_reason_why_nothing_runs(folder: Path, own: str, why: str) -> None:
    """What is wrong with it is said, the file stays, and config.toml alone counts."""
    loaded = _load(folder, own, '[[camera]]\nname = "Garage"\n')

    assert why in loaded.settings.problem
    assert not loaded.settings.digest
    assert [camera.name for camera in loaded.config.camera] == ["Garage"]
    assert (folder / "var/review/settings.toml").read_text() == own


def test_what_contradicts_config_toml_is_not_used(folder: Path) -> None:
    """Both files are right alone; together they are not."""
    loaded = _load(folder, '[[camera]]\nname = "Yard"\nmin_person_height_percent = 60\n',
                   '[[camera]]\nname = "yard"\nmax_person_height_percent = 40\n')  # fmt: skip

    assert "must not exceed" in loaded.settings.problem
    assert loaded.config.camera[0].max_person_height_percent == 40


def test_neither_a_pipe_nor_a_link_is_read(folder: Path) -> None:
    """The site's folder cannot make the service wait, or read elsewhere."""
    file = folder / "var/review/settings.toml"
    os.mkfifo(file)
    assert "is no regular file" in load(Source(file=folder / "config.toml"), {}).settings.problem
    file.unlink()
    file.symlink_to("/etc/passwd")
    assert "cannot be read" in load(Source(file=folder / "config.toml"), {}).settings.problem


def test_mistake_in_config_toml_is_still_one(folder: Path) -> None:
    """Only settings.toml may be left out."""
    with pytest.raises(ConfigError, match="threshold"):
        _load(folder, "", "[detector]\nthreshold = 7\n")


def test_entry_is_replaced_and_removed(folder: Path) -> None:
    """An entry is found by its name; others stay."""
    own = settings_file.with_entry({}, "camera", "Yard", {"name": "Yard"})
    own = settings_file.with_entry(own, "camera", "Garage", {"name": "Garage", "threshold": 0.4})
    own = settings_file.with_entry(own, "camera", "YARD", {"name": "yard", "effort": "fast"})
    own = settings_file.with_entry(own, "listen", "465", {"port": 465, "tls": "implicit"})

    assert settings_file.entry_of(own, "camera", "Yard") == {"name": "yard", "effort": "fast"}
    assert settings_file.entry_of(own, "listen", "465") == {"port": 465, "tls": "implicit"}
    assert settings_file.with_entry(own, "camera", "garage", None)["camera"] == [{"name": "yard", "effort": "fast"}]
