"""Where the configuration comes from: the file, `CAMALERT_SECTION__KEY` and the original system's `.env`."""

from __future__ import annotations

from pathlib import Path

import pytest

from camalert.config.sources import LoadedConfig, Source, load
from camalert.errors import ConfigError


def _refused(path: Path, text: str) -> str:
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
    """Without any file the defaults apply, with paths below the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("camalert.config.sources.SYSTEM_FILE", tmp_path / "none.toml")

    loaded = load(Source(), {})

    assert loaded.config.database.path == str(tmp_path / "var/alerts.sqlite3")
    assert any("using the defaults" in notice for notice in loaded.notices)


def test_load_missing_file_is_an_error(tmp_path: Path) -> None:
    """A file that was asked for must be there."""
    with pytest.raises(ConfigError, match=r"nowhere\.toml: no such file"):
        load(Source(file=tmp_path / "nowhere.toml"), {})


def test_load_broken_toml_names_the_line(tmp_path: Path) -> None:
    """A slip in the syntax is found by its line."""
    complaint = _refused(tmp_path / "config.toml", "[log]\nlevel = info\n")

    assert complaint.startswith(f"{tmp_path}/config.toml: is not valid TOML: ")
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
            "smtp.listen[1].port = 1025 is already taken by smtp.listen[0]",
        ),
        ("[[camera]]\nname = 'a'\n[[camera]]\nname = 'a'\n", 'camera[1].name = "a" is already used by another'),
        ("[review]\nport = 1025\n", "review.port = 1025 is already taken by smtp.listen[0].port"),
        ("[metrics]\nenabled = true\nport = 8025\n", "metrics.port = 8025 is already taken by review.port"),
        ('[smtp.auth]\naccept = "users"\n', 'smtp.auth.accept = "users" needs at least one [[smtp.auth.user]]'),
        (
            "[[camera]]\nmin_person_height_percent = 60\nmax_person_height_percent = 50\n",
            "camera[0].min_person_height_percent = 60.0 must not exceed",
        ),
    ],
)
def test_load_contradiction_names_both_keys(tmp_path: Path, text: str, complaint: str) -> None:
    """Values that cannot hold together are an error before anything starts."""
    assert complaint in _refused(tmp_path / "config.toml", text)


@pytest.mark.parametrize("ports", [(0, 0), (1025, 1026)])
def test_load_different_or_free_ports_are_no_contradiction(tmp_path: Path, ports: tuple[int, int]) -> None:
    """Port 0 takes a free one, so it may stand twice."""
    file = tmp_path / "config.toml"
    file.write_text("".join(f"[[smtp.listen]]\nport = {port}\n" for port in ports))

    assert len(load(Source(file=file), {}).config.smtp.listen) == 2


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give an empty configuration file."""
    path = tmp_path / "config.toml"
    path.touch()
    return path


def _load(file: Path, environment: dict[str, str] | None = None, dotenv: Path | None = None) -> LoadedConfig:
    return load(Source(file=file, dotenv=dotenv), environment or {})


def test_environment_scalar_overrides_file(file: Path) -> None:
    """The environment overrides the file, for every scalar type."""
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

    assert any("CAMALERT_LOG_LEVEL is not used: write two underscores" in notice for notice in notices)


def test_environment_override_leaves_a_line_for_the_log(file: Path) -> None:
    """The log can say why a value is not the file's."""
    notices = _load(file, {"CAMALERT_LOG__LEVEL": "debug"}).notices

    assert "environment variable CAMALERT_LOG__LEVEL sets log.level" in notices


def test_environment_file_gives_the_value_that_is_in_it(file: Path, tmp_path: Path) -> None:
    """A secret comes in a file, as containers are given it; its last line end is not part of it, and it is not told."""
    secret = tmp_path / "garage"
    secret.write_text("scrypt:abc=\n")
    loaded = _load(
        file,
        {"CAMALERT_SMTP__AUTH__USER__0__NAME": "garage", "CAMALERT_SMTP__AUTH__USER__0__PASSWORD_FILE": str(secret)},
    )

    assert loaded.config.smtp.auth.user[0].password == "scrypt:abc="
    assert any(str(secret) in notice and "password" in notice for notice in loaded.notices)
    assert not any("scrypt" in notice for notice in loaded.notices)


def test_environment_file_that_is_missing_or_of_no_key_is_named(file: Path, tmp_path: Path) -> None:
    """A secret that was forgotten ends the start with its path, and a name without a key is reported as one."""
    with pytest.raises(ConfigError, match=r"nowhere: no such file"):
        _load(file, {"CAMALERT_LOG__LEVEL_FILE": str(tmp_path / "nowhere")})
    (tmp_path / "there").write_text("x")
    with pytest.raises(ConfigError, match=r"log\.lewel is not a key"):
        _load(file, {"CAMALERT_LOG__LEWEL_FILE": str(tmp_path / "there")})


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
    with pytest.raises(ConfigError, match="no such file"):
        _load(file, dotenv=tmp_path / "missing")
