"""The add-on for Home Assistant: its files fit each other and the program, and its options become settings."""

from __future__ import annotations

import http.server
import importlib.util
import json
import os
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import tomli

from camalert.config import targets
from camalert.config.schema import Config
from camalert.config.sources import Source, load
from camalert.intake.smtp.passwords import is_password

CHECKOUT = Path(__file__).parents[2]
ADDON = CHECKOUT / "homeassistant"
CONFIG = (ADDON / "config.yaml").read_text(encoding="utf-8")
TOKEN = "the supervisor's token"
BROKER = {
    "addon": "core_mosquitto", "host": "core-mosquitto", "port": 1883, "ssl": False, "username": "addons",
    "password": "a/b:c@d#e", "protocol": "3.1.1",
}  # fmt: skip


def _load(name: str, file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


start = _load("addon_start", ADDON / "start.py")
release = _load("release_addon", CHECKOUT / "release" / "addon.py")


def _block(name: str) -> dict[str, str]:
    """Return the plain keys below a heading of config.yaml; a list is "…" when it is not empty."""
    found = re.search(rf"^{name}:\n((?:  .*\n)+)", CONFIG, re.M)
    assert found, name
    return dict(re.findall(r"^  ([a-z0-9_/]+): ?(.*)$", found[1], re.M))


def _config(environment: dict[str, str], own: Path | None = None) -> Config:
    return load(Source(file=own), environment).config


@pytest.fixture
def supervisor() -> Iterator[http.server.HTTPServer]:
    """Return a double of Home Assistant's Supervisor; `answer` is what its services API says, `asked` who asked."""

    class Supervisor(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.server.asked.append((self.path, self.headers["Authorization"]))  # type: ignore[attr-defined]
            status, body = self.server.answer  # type: ignore[attr-defined]
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Supervisor) as server:
        server.asked, server.answer = [], (200, json.dumps({"result": "ok", "data": BROKER}).encode())  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


# --- files ------------------------------------------------------------------------------------------------------------


def test_addon_has_the_programs_version() -> None:
    """Home Assistant offers an update when it is another one."""
    version = tomli.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]

    assert f'\nversion: "{version}"\n' in CONFIG


def test_every_option_is_checked_named_and_documented() -> None:
    """Options, their schema, their names for people and the table of DOCS.md are of the same set, and set something."""
    names = set(_block("options"))
    translated = (ADDON / "translations" / "en.yaml").read_text(encoding="utf-8").partition("network:")[0]
    documented = (ADDON / "DOCS.md").read_text(encoding="utf-8")

    assert set(_block("schema")) - {"name", "password"} == names
    assert set(re.findall(r"^  ([a-z_]+):$", translated, re.M)) == names
    assert set(re.findall(r"^\| `([a-z_]+)` \|", documented, re.M)) == names
    assert names == {*start._KEYS, "mqtt", "logins"}


def test_options_choices_are_those_of_the_keys() -> None:
    """Whatever the owner can choose, the program takes; and each default is the program's."""
    schema, options, ordinary = _block("schema"), _block("options"), Config()

    for option, key in start._KEYS.items():
        section, _, name = key.lower().partition("__")
        assert str(getattr(getattr(ordinary, section), name)).removesuffix(".0") == options[option]
        choices = re.fullmatch(r"list\((.+)\)", schema[option])
        for choice in choices[1].split("|") if choices else re.findall(r"[\d]+", schema[option]):
            _config(start.settings({option: choice}, None, Path("/data")))


def test_ports_and_gateway_fit() -> None:
    """The site's port is the one that Home Assistant asks; the stop waits longer than the drain."""
    config = _config(start.settings({}, None, Path("/data")))

    assert f"ingress_port: {config.review.port}\n" in CONFIG
    assert f"{config.smtp.listen[0].port}/tcp" in _block("ports")
    assert config.review.ingress == (start.GATEWAY,)
    assert config.review.proxies == ()
    (seconds,) = re.findall(r"^timeout: (\d+)$", CONFIG, re.M)
    assert int(seconds) > config.service.drain_seconds + 10


def test_dockerfile_is_the_containerfile_that_begins_as_root() -> None:
    """Everything but its end is shared; a change of the Containerfile that would be lost stops the build."""
    containerfile = (CHECKOUT / "Containerfile").read_text(encoding="utf-8")
    made = release.dockerfile(containerfile)

    assert "start.py" in made
    assert not re.search(r"^(USER|VOLUME|CMD)\b", made, re.M)
    assert made.splitlines()[:30] == containerfile.splitlines()[:30]
    assert f"--uid {start.UID} " in made
    with pytest.raises(ValueError, match="0 times"):
        release.dockerfile(containerfile.replace("VOLUME", "VOLUMES"))


# --- options ----------------------------------------------------------------------------------------------------------


def test_options_become_settings() -> None:
    """Cameras' logins are hashed before anybody reads them; data is in the volume, wherever a config.toml is."""
    options = {
        "profile": "small", "effort": "thorough", "keep_alerts": 500, "silent_days": 2.5, "log_level": "debug",
        "logins": [{"name": "garage", "password": "geheim"}, {"name": "door", "password": "auch geheim"}],
    }  # fmt: skip

    environment = start.settings(options, None, Path("/data"))
    config = _config(environment)

    assert (config.service.profile, config.detector.effort, config.log.level) == ("small", "thorough", "debug")
    assert (config.database.keep_alerts, config.status.silent_days) == (500, 2.5)
    assert config.smtp.auth.accept == "users"
    assert [user.name for user in config.smtp.auth.user] == ["garage", "door"]
    assert is_password(b"auch geheim", config.smtp.auth.user[1].password)
    assert "geheim" not in " ".join(environment.values())
    for path in (
        config.database.path, config.review.data_dir, config.service.run_dir, config.smtp.certificate,
        config.smtp.private_key,
    ):  # fmt: skip
        assert path.startswith("/data/")
    assert config.notify == ()


@pytest.mark.parametrize(
    ("broker", "scheme", "port"),
    [(BROKER, "mqtt", 1883), (BROKER | {"ssl": True, "port": "8883"}, "mqtts", 8883),
     (BROKER | {"username": None, "password": None}, "mqtt", 1883)],
)  # fmt: skip
def test_broker_becomes_a_target(broker: dict[str, Any], scheme: str, port: int) -> None:
    """Whatever is in its password."""
    (target,) = _config(start.settings({}, broker, Path("/data"))).notify
    address = targets.parse(target.url)

    assert (address.scheme, address.host, address.port) == (scheme, "core-mosquitto", port)
    assert (address.user, address.password) == (broker["username"] or "", broker["password"] or "")
    assert "visit" in target.events


# --- the start --------------------------------------------------------------------------------------------------------


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "options.json").write_text(json.dumps({"effort": "fast", "mqtt": True, "logins": []}))
    return tmp_path


def _start(data: Path, monkeypatch: pytest.MonkeyPatch, supervisor: str) -> tuple[list[str], dict[str, str]]:
    """Start the add-on as somebody who is not root; return the command and environment that it becomes."""
    became: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setenv("SUPERVISOR_TOKEN", TOKEN)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(os, "execve", lambda program, command, environment: became.append((command, environment)))
    before, umask = Path.cwd(), os.umask(0o022)
    try:
        start.main(data, data / "own.toml", supervisor)
    finally:
        os.chdir(before)
        os.umask(umask)
    return became[0]


def test_start_asks_for_the_broker_and_gives_its_token_up(
    data: Path, supervisor: http.server.HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service knows the broker, and not what opens Home Assistant."""
    command, environment = _start(data, monkeypatch, f"127.0.0.1:{supervisor.server_address[1]}")

    assert supervisor.asked == [("/services/mqtt", f"Bearer {TOKEN}")]  # type: ignore[attr-defined]
    assert command[1:] == ["-m", "camalert", "run"]
    config = _config({name: text for name, text in environment.items() if name.startswith("CAMALERT_")})
    assert config.detector.effort == "fast"
    assert [target.name for target in config.notify] == ["Home Assistant"]
    assert TOKEN not in " ".join(environment.values())


@pytest.mark.parametrize(
    "answer", [(400, b'{"result": "error", "message": "Service not enabled"}'), (200, b"<html>"), (200, b"{}"), None]
)
def test_start_goes_on_without_a_broker(
    data: Path,
    supervisor: http.server.HTTPServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: tuple[int, bytes] | None,
) -> None:
    """A Home Assistant without a broker, or that does not answer, costs the messages alone, and the log says so."""
    supervisor.answer = answer  # type: ignore[attr-defined]
    where = f"127.0.0.1:{supervisor.server_address[1]}" if answer else "127.0.0.1:1"

    _, environment = _start(data, monkeypatch, where)

    assert not [name for name in environment if "NOTIFY" in name]
    assert "no MQTT broker" in capsys.readouterr().err


def test_start_asks_for_nothing_that_is_switched_off(
    data: Path, supervisor: http.server.HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With `mqtt` off Home Assistant is asked for nothing; an own config.toml is read."""
    (data / "options.json").write_text('{"mqtt": false}')
    (data / "own.toml").write_text("[visits]\ngap_seconds = 30\n")

    command, _ = _start(data, monkeypatch, f"127.0.0.1:{supervisor.server_address[1]}")

    assert supervisor.asked == []  # type: ignore[attr-defined]
    assert command[-2:] == ["--config", str(data / "own.toml")]


def test_options_are_no_link_and_nobody_elses(data: Path) -> None:
    """They hold passwords, and lie in a folder of the service's: root follows no link there."""
    options = data / "options.json"
    options.chmod(0o644)
    assert start.options_of(options)["effort"] == "fast"
    if os.geteuid() == 0:
        assert options.stat().st_mode & 0o777 == 0o600

    secret = data / "shadow"
    secret.write_text("{}")
    secret.chmod(0o644)
    options.unlink()
    options.symlink_to(secret)
    with pytest.raises(OSError, match=r"loop|levels"):
        start.options_of(options)
    assert secret.stat().st_mode & 0o777 == 0o644
