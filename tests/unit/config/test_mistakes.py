"""Every mistake in a configuration is a line with key, place and what is allowed; none is anything else."""

from __future__ import annotations

import subprocess
import typing
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from camalert.cli import check
from camalert.config.build import keys_of
from camalert.config.schema import Config
from camalert.config.sources import LoadedConfig, Source, load
from camalert.errors import ConfigError
from camalert.intake.smtp.passwords import hash_password
from camalert.supervisor import plan, start
from camalert.supervisor.prerequisites import mistakes, refuse_mistakes
from camalert.supervisor.reload import load_config

KEYS = keys_of(Config)


@pytest.fixture(autouse=True)
def _no_site(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be written where an odd value says."""
    monkeypatch.setattr(start, "_first_login", lambda _: "")


ODD_TEXTS = [
    "", " ", "~", "~/x", "x" * 5000, "\\u0000", "a\\nb", "\\u202e", "é.example", "a..b", "[::1", "-1", "/", ".",
]  # fmt: skip
ODD_VALUES = [
    *(f'"{text}"' for text in ODD_TEXTS),
    "0", "-1", "1.5", "nan", "inf", "-inf", "1" * 400, "0x" + "f" * 5000, "true", "1979-05-27", "07:32:00",
    "[]", "[[]]", '["x"]', '[""]', "[1]", "{}", "{ x = 1 }", "[{}]", '[{ name = "x" }]',
]  # fmt: skip


def _text(key: str, value: str) -> str:
    """Write a configuration in which one key has a value."""
    *tables, name = key.split(".")
    lines, kind, path = [], Config, ""
    for table in tables:
        annotation = typing.get_type_hints(kind)[table]
        path = f"{path}.{table}" if path else table
        is_list = typing.get_origin(annotation) is tuple
        kind = typing.get_args(annotation)[0] if is_list else annotation
        lines.append(f"[[{path}]]" if is_list else f"[{path}]")
        if path == "camera" and name != "name":
            lines.append('name = "gate"')
    return "\n".join([*lines, f"{name} = {value}"]) + "\n"


def _judge(folder: Path, text: str) -> LoadedConfig | None:
    """Bring a configuration as far as the first process would be started."""
    file = folder / "config.toml"
    file.write_text(text, encoding="utf-8")
    try:
        loaded = load(Source(file), {})
        refuse_mistakes(loaded)
        shape = plan.make(loaded.config, cores=4, memory_bytes=8 << 30)
        plan.specs(loaded.config, shape)
    except ConfigError:
        return None
    start.first_screen(loaded, shape, "opencv", ())
    return loaded


@pytest.mark.parametrize("key", KEYS)
def test_any_value_of_any_key_is_taken_or_refused_in_words(key: str, tmp_path: Path) -> None:
    """A wrong type, an empty text, numbers beyond everything: a line or a start, and never a traceback."""
    for value in ODD_VALUES:
        _judge(tmp_path, _text(key, value))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.sampled_from(sorted(KEYS)), value=st.text(max_size=20))
def test_any_text_for_any_key_is_taken_or_refused_in_words(key: str, value: str, tmp_path: Path) -> None:
    """By the environment, where nobody has looked at it before."""
    name = "CAMALERT_" + "__".join(key.upper().split("."))
    for list_of_tables in ("CAMERA", "NOTIFY", "SMTP__LISTEN", "SMTP__AUTH__USER", "CAMERA__0__AREA"):
        name = name.replace(f"{list_of_tables}__", f"{list_of_tables}__0__")
    file = tmp_path / "config.toml"
    file.write_text("")
    try:
        mistakes(load(Source(file), {name: value}).config)
    except ConfigError as refusal:
        said = str(refusal)
    else:
        said = name
    assert name in said or "config.toml" in said


def test_lists_without_an_end_and_numbers_without_an_end_are_refused_in_words(tmp_path: Path) -> None:
    """The parser's own limits are no traceback either."""
    for text in ("x = " + "[" * 20_000, "x = " + "1" * 20_000, "[" + "a." * 20_000 + "a]\n"):
        assert _judge(tmp_path, text) is None


WRONG = {
    "smtp.listen": ("[smtp]\nlisten = []\n", 2, "leaves no port for cameras"),
    "camera[1].name": ('[[camera]]\nname = "a"\n[[camera]]\nthreshold = 0.5\n', 3, "must be the camera's name"),
    "camera[1].name ": ('[[camera]]\nname = "Gate"\n\n[[camera]]\nname = "gate"\n', 5, "used by another [[camera]]"),
    "database.path": ('[database]\npath = ""\n', 2, "leave the key out"),
    "database.path ": ('\n[database]\npath = "~/alerts.sqlite3"\n', 3, "write the whole path"),
    "database.path  ": ('[database]\npath = "/dev"\n', 2, "must be a file"),
    "database.path   ": ('[database]\npath = "/dev/null/x"\n', 2, "is a file"),
    "service.run_dir": ('[service]\nrun_dir = "/dev/null"\n', 2, "is a file"),
    "review.allow[0]": ('[review]\nallow = ["privat"]\n', 2, 'write "private" or a network'),
    "review.proxies[1]": ('[review]\nproxies = [\n"10.0.0.1",\n"10.0.0.300"]\n', 4, "or a network"),
    "smtp.listen[0].host": ('[[smtp.listen]]\nhost = "a b"\n', 2, "write an address"),
    "smtp.auth.user[0].password": ('[[smtp.auth.user]]\nname = "a"\npassword = "secret"\n', 3, "hash-password"),
    "smtp.auth.user[0].name": (f'[[smtp.auth.user]]\npassword = "{hash_password("x")}"\n', 1, "logs in with"),
    "smtp.certificate": ('[[smtp.listen]]\ntls = "starttls"\n[smtp.auth]\n', 1, "make-certificate"),
}


@pytest.mark.parametrize("case", WRONG)
def test_mistake_is_named_with_its_key_and_its_line(case: str, tmp_path: Path) -> None:
    """The start, a reload and `camalert check` say the same of it."""
    text, line, words = WRONG[case]
    file = tmp_path / "config.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as started:
        load_config(Source(file))
    with pytest.raises(ConfigError) as checked:
        check.run(_arguments(file))

    assert str(started.value) == str(checked.value)
    assert any(found.startswith(f"{file}:{line}: {case.strip()} ") for found in str(started.value).splitlines())
    assert words in str(started.value)


def _arguments(file: Path) -> Any:
    import argparse  # noqa: PLC0415

    return argparse.Namespace(config=file, env=None)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make two certificates with their keys, one key of them locked."""
    folder = tmp_path_factory.mktemp("tls")
    for name in ("one", "two"):
        command = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-subj",
            "/CN=x",
            "-keyout",
            f"{name}.key",
        ]
        subprocess.run([*command, "-out", f"{name}.pem"], cwd=folder, check=True, capture_output=True)
    command = ["openssl", "rsa", "-aes128", "-passout", "pass:secret", "-in", "one.key", "-out", "locked.key"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


@pytest.mark.parametrize(
    ("key", "is_right"), [("one.key", True), ("two.key", False), ("locked.key", False), ("one.pem", False), ("", False)]
)
def test_certificate_and_key_must_fit(keys: Path, key: str, is_right: bool) -> None:
    """One that is another's, locked by a password, no key at all or a folder; nobody is asked for a password."""
    file = keys / f"config{key}.toml"
    file.write_text(
        f'smtp.certificate = "one.pem"\nsmtp.private_key = "{keys / key}"\n[[smtp.listen]]\ntls = "implicit"\n'
    )
    config = load(Source(file), {}).config

    assert (mistakes(config) == []) is is_right


def test_folder_alone_is_a_service_too(tmp_path: Path) -> None:
    """No port at all is right when pictures come by a folder; the first screen says so."""
    loaded = _judge(tmp_path, "smtp.listen = []\nintake.folder.enabled = true\n")

    assert loaded is not None
    lines = "\n".join(start.first_screen(loaded, plan.make(loaded.config, 4, 8 << 30), "opencv", ()))
    assert "SMTP" not in lines
    assert f"folder         {tmp_path}/var/incoming" in lines
