"""CAMALERT_SECTION__KEY and the original system's `.env`."""

from __future__ import annotations

from pathlib import Path

import pytest

from camalert.configfile import Loaded, Source, load
from camalert.errors import ConfigError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give an empty configuration file."""
    path = tmp_path / "config.toml"
    path.touch()
    return path


def _load(file: Path, environment: dict[str, str] | None = None, dotenv: Path | None = None) -> Loaded:
    return load(Source(file=file, dotenv=dotenv), environment or {})


def test_environment_scalar_overrides_file(file: Path) -> None:
    """The environment comes before the file, for every scalar type."""
    file.write_text('[detector]\nprocesses = 2\nengine = "hog"\n')

    config = _load(
        file,
        {
            "CAMALERT_DETECTOR__PROCESSES": "4",
            "CAMALERT_DETECTOR__ENGINE": "opencv",
            "CAMALERT_DETECTOR__THRESHOLD": "0.25",
        },
    ).config

    assert (config.detector.processes, config.detector.engine, config.detector.threshold) == (4, "opencv", 0.25)


@pytest.mark.parametrize(
    "text", ["private,192.0.2.0/24", ' ["private", "192.0.2.0/24"] ', "['private', '192.0.2.0/24']"]
)
def test_environment_list_is_read_with_commas_or_brackets(file: Path, text: str) -> None:
    """A list may be written with commas, as JSON or as TOML."""
    config = _load(file, {"CAMALERT_SMTP__ALLOW": text}).config

    assert config.smtp.allow == ("private", "192.0.2.0/24")


def test_environment_entry_of_a_list_keeps_the_rest_of_it(file: Path) -> None:
    """One port can be changed without writing all listeners again."""
    file.write_text('[[smtp.listen]]\nhost = "127.0.0.1"\n[[smtp.listen]]\nport = 465\ntls = "implicit"\n')

    listen = _load(file, {"CAMALERT_SMTP__LISTEN__0__PORT": "2525"}).config.smtp.listen

    assert [(entry.host, entry.port, entry.tls) for entry in listen] == [
        ("127.0.0.1", 2525, "none"),
        ("", 465, "implicit"),
    ]


def test_environment_entry_of_a_list_starts_from_the_default(file: Path) -> None:
    """The default listener has number 0 although the file does not mention it; number 1 adds one."""
    listen = _load(
        file, {"CAMALERT_SMTP__LISTEN__0__HOST": "::1", "CAMALERT_SMTP__LISTEN__1__PORT": "2526"}
    ).config.smtp.listen

    assert [(entry.host, entry.port) for entry in listen] == [("::1", 1025), ("", 2526)]


@pytest.mark.parametrize("text", ['[{"port": 2525}]', "[{port = 2525}]"])
def test_environment_list_of_tables_is_read_as_json_or_toml(file: Path, text: str) -> None:
    """A whole list of tables fits one variable."""
    listen = _load(file, {"CAMALERT_SMTP__LISTEN": text}).config.smtp.listen

    assert [entry.port for entry in listen] == [2525]


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        (
            "CAMALERT_DETECTOR__PROCESSES",
            "many",
            'environment variable CAMALERT_DETECTOR__PROCESSES: detector.processes = "many" must be a whole number',
        ),
        ("CAMALERT_DETECTOR__PROCESES", "1", "detector.proceses is not a key; did you mean processes?"),
        ("CAMALERT_SMTP__LISTEN__3__PORT", "1", "smtp.listen[3].port has no entry 3: smtp.listen has 1"),
        ("CAMALERT_SMTP__LISTEN__PORT", "1", "smtp.listen"),
        ("CAMALERT_LOG__LEVEL__X", "1", "log.level"),
        ("CAMALERT_0__X", "1", "CAMALERT_0__X"),
        ("CAMALERT_CAMERA__0__EXAMINE", "perhaps", 'camera[0].examine = "perhaps" must be true or false'),
    ],
)
def test_environment_wrong_variable_is_named(file: Path, name: str, value: str, complaint: str) -> None:
    """A wrong variable is an error that names the variable and the key, never a traceback."""
    with pytest.raises(ConfigError) as caught:
        _load(file, {name: value})

    assert complaint in str(caught.value)


def test_environment_wrong_below_a_scalar_in_the_file_is_named(file: Path) -> None:
    """A variable that goes below a scalar of the file is an error, too."""
    file.write_text('[log]\nlevel = "info"\n')

    with pytest.raises(ConfigError, match=r"CAMALERT_LOG__LEVEL__X: log\.level\.x cannot be set"):
        _load(file, {"CAMALERT_LOG__LEVEL__X": "1"})


def test_environment_name_with_one_underscore_is_pointed_out(file: Path) -> None:
    """The usual slip is not silently ignored."""
    notices = _load(file, {"CAMALERT_LOG_LEVEL": "debug"}).notices

    assert any("CAMALERT_LOG_LEVEL is not used: two underscores" in notice for notice in notices)


def test_environment_override_leaves_a_line_for_the_log(file: Path) -> None:
    """The log can say why a value is not the file's."""
    notices = _load(file, {"CAMALERT_LOG__LEVEL": "debug"}).notices

    assert "environment variable CAMALERT_LOG__LEVEL sets log.level" in notices


def test_dotenv_beside_the_file_is_understood(file: Path) -> None:
    """The original's five variables are read in the original's way of writing."""
    (file.parent / ".env").write_text(
        "# serve.py variables\n\nURL = '192.168.1.5'\nPORT = '2525'\nDEST_DIR = 'email/msgfiles'\n"
        "DATABASE = \"/srv/db/alerts.sqlite3\"\nLOG_ACTIVE = 'False'\n"
    )

    loaded = _load(file)

    listen = loaded.config.smtp.listen[0]
    assert (listen.host, listen.port) == ("192.168.1.5", 2525)
    assert loaded.config.database.path == "/srv/db/alerts.sqlite3"
    assert loaded.config.log.level == "warning"
    assert loaded.config.intake.folder.path == str(file.parent / "email/msgfiles")
    assert not loaded.config.intake.folder.enabled, "nothing is taken from a folder unasked"
    for name in ("URL", "PORT", "DEST_DIR", "DATABASE", "LOG_ACTIVE"):
        assert sum(f": {name} " in notice for notice in loaded.notices) == 1, f"no single log line for {name}"


def test_dotenv_comes_between_environment_and_file(file: Path) -> None:
    """CAMALERT_* before .env before config.toml before the default."""
    file.write_text('[[smtp.listen]]\nhost = "127.0.0.1"\nport = 1\n[database]\npath = "file.sqlite3"\n')
    (file.parent / ".env").write_text("PORT=2\nDATABASE=dotenv.sqlite3\n")

    config = _load(file, {"CAMALERT_SMTP__LISTEN__0__PORT": "3"}).config

    assert config.smtp.listen[0].port == 3
    assert config.smtp.listen[0].host == "127.0.0.1"
    assert config.database.path == str(file.parent / "dotenv.sqlite3")


def test_dotenv_variables_in_the_ambient_environment_are_ignored(file: Path) -> None:
    """URL and PORT are set for many reasons; only the file means camalert."""
    config = _load(file, {"URL": "192.0.2.1", "PORT": "9", "DATABASE": "/x", "LOG_ACTIVE": "False"}).config

    assert config == _load(file).config


def test_dotenv_given_by_name_replaces_the_one_beside(file: Path, tmp_path: Path) -> None:
    """`--env FILE` is read instead of `.env`, and its relative paths start at its own folder."""
    (file.parent / ".env").write_text("PORT=2\n")
    other = tmp_path / "original" / ".env"
    other.parent.mkdir()
    other.write_text("DATABASE = db/alerts.sqlite3")

    config = _load(file, dotenv=other).config

    assert config.smtp.listen[0].port == 1025
    assert config.database.path == str(other.parent / "db/alerts.sqlite3")


def test_dotenv_wrong_port_names_file_and_line(file: Path) -> None:
    """A wrong value in .env is reported as such."""
    (file.parent / ".env").write_text("URL=127.0.0.1\nPORT=abc\n")

    with pytest.raises(ConfigError, match=r"\.env line 2: PORT: smtp\.listen\[0\]\.port = \"abc\" must be"):
        _load(file)


def test_dotenv_foreign_variable_is_noticed_and_harmless(file: Path) -> None:
    """Another program's line in .env changes nothing and is mentioned."""
    (file.parent / ".env").write_text("SECRET_KEY=abc\n")

    loaded = _load(file)

    assert loaded.config == load(Source(file=file), {}).config
    assert any("SECRET_KEY is not a variable of the original" in notice for notice in loaded.notices)
    assert not any("abc" in notice for notice in loaded.notices)


def test_dotenv_given_but_missing_is_an_error(file: Path, tmp_path: Path) -> None:
    """A misspelt `--env` does not start with other settings than meant."""
    with pytest.raises(ConfigError, match="there is no such file"):
        _load(file, dotenv=tmp_path / "missing")
