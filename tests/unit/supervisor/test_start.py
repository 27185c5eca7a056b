"""One configuration after another: which one follows, and when none does; and what the first screen says."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import pytest
from testing.logged import captured
from testing.ports import free_port

from camalert.config.schema import Auth, Config, Database, Detector, Listen, Smtp
from camalert.config.schema import Service as ServiceSettings
from camalert.config.sources import LoadedConfig, Source
from camalert.errors import Exit
from camalert.supervisor import plan, reload, start
from camalert.supervisor.loop import Ended
from camalert.supervisor.reload import Inheritance, Opened, Resources
from camalert.system import networks, ports
from camalert.system.instance import Instance
from camalert.system.signals import Signals

Screen = Callable[..., str]
# No port that a service on this machine may have.
SMTP = Smtp(listen=(Listen("127.0.0.1", free_port()),))
GOOD, UNPROVEN, NEXT = (
    LoadedConfig(Config(smtp=SMTP, detector=Detector(effort=effort)), None, ())
    for effort in ("fast", "balanced", "thorough")
)


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    return Opened(Instance(tmp_path), ())


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> list[Inheritance]:
    """Collect what is left to a next program, which never comes."""
    found: list[Inheritance] = []

    def execute(inheritance: Inheritance, *_: Any, **__: Any) -> None:
        found.append(inheritance)
        raise OSError("no")

    monkeypatch.setattr(reload, "execute", execute)
    return found


@pytest.mark.parametrize("is_proven", [False, True])
def test_reload_goes_back_to_what_has_proven_itself(opened: Opened, left: list[Inheritance], is_proven: bool) -> None:
    """A configuration that is replaced before it has worked once is none to go back to."""
    resources = Resources(Source(None), Inheritance(opened, UNPROVEN, GOOD))
    if is_proven:
        resources.prove()
    resources.open_next(NEXT.config)
    resources.execute_next(UNPROVEN, NEXT, None, is_reload_requested=False)  # type: ignore[arg-type] # what it is given is a double's

    assert left[0].former == (UNPROVEN if is_proven else GOOD)
    assert resources.former == (None if is_proven else GOOD), "the old program goes on, and may still go back"
    resources.close()


def test_ports_are_closed_for_an_end_but_those_of_systemd(tmp_path: Path) -> None:
    """A camera that comes while the service ends is refused at once; with the socket unit it waits for the next."""
    own, passed, new = (socket.create_server(("127.0.0.1", 0)) for _ in range(3))
    numbers = [sock.getsockname()[1] for sock in (own, passed, new)]
    config = Config(
        service=ServiceSettings(run_dir=str(tmp_path)),
        smtp=Smtp(listen=tuple(Listen("127.0.0.1", number) for number in numbers)),
    )
    held = ports.Listener(own, "127.0.0.1", numbers[0]), ports.Listener(passed, "127.0.0.1", numbers[1], is_passed=True)
    new.close()
    resources = Resources(Source(None), Inheritance(Opened(Instance(tmp_path), held), GOOD, GOOD))
    resources.open_next(config)

    resources.close_ports()

    for number in (numbers[0], numbers[2]):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", number), timeout=5)
    socket.create_connection(("127.0.0.1", numbers[1]), timeout=5).close()
    resources.close()


@pytest.mark.parametrize("is_stop_requested", [False, True])
def test_end_that_was_asked_for_is_the_end_although_the_configuration_failed(
    monkeypatch: pytest.MonkeyPatch, opened: Opened, is_stop_requested: bool
) -> None:
    """Whoever stops a service whose new configuration fails gets no service with the old one."""
    ran: list[LoadedConfig] = []

    def run(loaded: LoadedConfig, *_: Any) -> Ended:
        ran.append(loaded)
        return Ended(Exit.CONFIG if loaded is NEXT else Exit.OK, "why", is_stop_requested=is_stop_requested)

    monkeypatch.setattr(reload, "inherited", lambda: Inheritance(opened, NEXT, GOOD))
    monkeypatch.setattr(start, "_run", run)
    caught = Signals()
    try:
        code = start._serve(Source(None), caught)
    finally:
        caught.close()

    assert (code, ran) == ((Exit.CONFIG, [NEXT]) if is_stop_requested else (Exit.OK, [NEXT, GOOD]))


HOME = Path("/home/you/camalert")


def _listener(port: int, tls: str = "none") -> ports.Listener:
    bound = create_autospec(socket.socket, instance=True)
    bound.getsockname.return_value = ("0.0.0.0", port)
    return ports.Listener(bound, "", port, rules=Listen("", port, tls))


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    """Return what shows the first screen of a board with four cores."""
    monkeypatch.setattr(networks, "own_address", lambda: "192.168.1.5")
    monkeypatch.setattr(start, "_command", lambda: ".venv/bin/camalert")
    monkeypatch.setattr(start, "_kept_bytes", lambda _: 20 << 30)
    monkeypatch.setattr(start, "_first_login", lambda _: "7KQ2-MXHB-94TD")
    monkeypatch.setattr(networks, "find_spec", lambda _: True)

    def show(*listeners: ports.Listener, config: Config = Config(), file: Path = HOME / "config.toml") -> str:  # noqa: B008 - frozen
        shape = plan.make(config, cores=4, memory_bytes=4 << 30)
        return "\n".join(start.first_screen(LoadedConfig(config, file, ()), shape, "openvino", listeners))

    return show


@pytest.mark.parametrize("is_found", [True, False])
def test_first_screen_says_which_configuration_the_commands_need(
    is_found: bool, screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it tells to type reaches this service, and not one on the default port."""
    file = tmp_path / "config.toml"
    file.touch()
    monkeypatch.chdir(tmp_path if is_found else "/")
    options = "" if is_found else f" --config {file}"

    shown = screen(_listener(1025), file=file)

    assert f"camalert send{options} PICTURE.jpg" in shown
    assert f"camalert status{options}` says" in shown


@pytest.mark.parametrize(
    ("accept", "listeners", "text"),
    [
        ("any", [_listener(1025)], "any user and password; no SSL on port 1025"),
        ("users", [_listener(1025)], "user and password as in [[smtp.auth.user]]"),
        ("none", [_listener(1025)], "no user and password"),
        ("any", [_listener(465, "implicit"), _listener(1025)], "port 465 (TLS) or 1025\n"),
        ("any", [_listener(465, "implicit"), _listener(1025)], "; no SSL on port 1025\n"),
    ],
)
def test_first_screen_says_what_a_camera_has_to_be_told(
    accept: str, listeners: list[ports.Listener], text: str, screen: Screen
) -> None:
    """What it says of logins and of TLS is what holds."""
    assert text in screen(*listeners, config=Config(smtp=Smtp(auth=Auth(accept=accept))))


def test_start_shows_the_host_and_the_name_of_a_database_alone(screen: Screen) -> None:
    """Whatever else its URL says may be somebody's secret."""
    config = Config(database=Database(url="postgresql://me@db/alarms?sslcert=/secret.pem"))
    shape = plan.make(config, cores=4, memory_bytes=4 << 30)

    with captured() as lines:
        start._show(LoadedConfig(config, None, ()), shape, "openvino", ())

    assert [line["database"] for line in lines] == ["postgresql://db/alarms"]
    assert "postgresql://db/alarms" in screen(config=config)
    assert "secret" not in screen(config=config)


def test_first_screen_without_a_plain_port_says_nothing_of_one(screen: Screen) -> None:
    """An owner whose only port speaks TLS does not read that it needs none."""
    assert "no SSL" not in screen(_listener(465, "implicit"))


def test_first_screen_shows_the_code_of_the_first_login(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever starts it on a terminal reads where the first login is made, and with what; not where there is one."""
    assert (
        "  first login    http://192.168.1.5:8025/setup/?code=7KQ2-MXHB-94TD   (once, for whoever reads this)"
        in screen(_listener(1025))
    )
    monkeypatch.setattr(start, "_first_login", lambda _: "")
    assert "first login" not in screen(_listener(1025))


def test_first_screen_in_the_readme_is_the_real_one(screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a board with four cores and the defaults."""
    monkeypatch.setattr(start, "find", lambda _: HOME / "config.toml")
    config = Config(database=Database(path=str(HOME / "var/alerts.sqlite3")))

    shown = screen(_listener(1025), config=config).strip()
    assert shown in (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
