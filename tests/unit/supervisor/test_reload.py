"""Ports and lock from one configuration, and from one program, to the next."""

from __future__ import annotations

import errno
import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from testing.ports import free_port

from camalert.config.schema import Camera, Config, Listen, Smtp
from camalert.config.schema import Service as ServiceSettings
from camalert.config.sources import LoadedConfig, pack, unpack
from camalert.errors import CamalertError, ConfigError
from camalert.supervisor.reload import open_for
from camalert.system import ports

HERE = "127.0.0.1"


def _open(*listen: Listen, have: tuple[ports.Listener, ...] = ()) -> tuple[ports.Listener, ...]:
    return ports.open_all(listen, have)


def _number(listener: ports.Listener) -> int:
    return int(listener.socket.getsockname()[1])


def _close(*listeners: ports.Listener) -> None:
    for listener in listeners:
        listener.socket.close()


def test_address_that_stays_keeps_its_socket_whatever_its_place() -> None:
    """Its connections wait in it; the others are opened beside it."""
    number = free_port()
    old = _open(Listen(HERE, 0), Listen(HERE, number))
    new = _open(Listen(HERE, number), Listen(HERE, 0), Listen(HERE, 0), have=old)

    assert [listener.socket for listener in new[:2]] == [old[1].socket, old[0].socket]
    assert _number(new[2]) not in (number, _number(old[0]))
    _close(*new)


def test_port_that_cannot_be_had_leaves_everything_as_it_was() -> None:
    """What was open before is still open, what was opened for it is closed."""
    first = free_port()
    with socket.create_server((HERE, 0)) as stranger:
        old = _open(Listen(HERE, 0))
        with pytest.raises(CamalertError, match="another program uses it"):
            _open(Listen(HERE, 0), Listen(HERE, first), Listen(HERE, stranger.getsockname()[1]), have=old)

    socket.create_server((HERE, first)).close()
    socket.create_connection((HERE, _number(old[0])), timeout=5).close()
    _close(*old)


@pytest.mark.parametrize(("before", "after"), [(HERE, ""), ("", HERE)])
def test_port_moves_to_another_host_without_a_gap(before: str, after: str) -> None:
    """Both are open until the old one is closed."""
    number = free_port()
    old = _open(Listen(before, number))
    new = _open(Listen(after, number), have=old)
    socket.create_connection((HERE, number), timeout=5).close()
    _close(*old)

    with socket.create_connection((HERE, number), timeout=5):
        accepted, _ = new[0].socket.accept()
    accepted.close()
    _close(*new)


def test_sockets_of_systemd_belong_to_their_port_together() -> None:
    """IPv4 and IPv6 may come separately; the configuration names the port once."""
    passed = tuple(replace(listener, port=25, is_passed=True) for listener in _open(Listen(HERE, 0), Listen(HERE, 0)))

    assert _open(Listen("", 25), have=passed) == passed
    _close(*passed)


def test_addresses_with_one_port_keep_their_own_rules() -> None:
    """Who asks for TLS on one address of the machine gets it there, and not on the other one."""
    number = free_port()
    inside, outside = Listen(HERE, number), Listen("127.0.0.2", number, tls="starttls", allow=("127.0.0.2/32",))
    opened = _open(inside, outside)
    again = _open(outside, inside, have=opened)

    assert [(listener.socket.getsockname()[0], listener.rules) for listener in opened] == [
        (HERE, inside),
        ("127.0.0.2", outside),
    ]
    assert again == opened[::-1]
    assert [listener.rules for listener in again] == [outside, inside]
    _close(*opened)


def test_freely_chosen_ports_keep_their_own_rules() -> None:
    """They are told apart by their place in the configuration: nothing else is different."""
    wanted = Listen(HERE, 0), Listen(HERE, 0, tls="starttls")
    opened = _open(*wanted)

    assert tuple(listener.rules for listener in opened) == wanted
    _close(*opened)


def _passed(host: str) -> ports.Listener:
    return ports.Listener(socket.socket(), host, 25, is_passed=True)


def test_sockets_of_systemd_with_one_port_belong_to_their_hosts() -> None:
    """Names are looked up; an empty host means the sockets of every address."""
    name, address, everywhere = Listen("localhost", 25), Listen("127.0.0.2", 25, tls="starttls"), Listen("", 25)
    first, second, four, six = (_passed(host) for host in (HERE, "127.0.0.2", "0.0.0.0", "::"))

    rules = {listener.host: listener.rules for listener in _open(address, name, have=(first, second))}
    assert rules == {HERE: name, "127.0.0.2": address}
    rules = {listener.host: listener.rules for listener in _open(address, everywhere, have=(six, second, four))}
    assert rules == {"127.0.0.2": address, "0.0.0.0": everywhere, "::": everywhere}
    _close(first, second, four, six)


def test_socket_of_systemd_that_could_be_of_two_addresses_is_an_error_in_words() -> None:
    """Which rules hold on it cannot be told, and the weaker ones are not guessed."""
    passed = _passed("::")

    with pytest.raises(ConfigError, match=r"on port 25 of ::, but .* names that port of 127\.0\.0\.1 and 127\.0\.0\.2"):
        _open(Listen(HERE, 25), Listen("127.0.0.2", 25), have=(passed,))
    _close(passed)


def test_run_directory_that_stays_stays_locked(tmp_path: Path) -> None:
    """The same lock goes on; another directory is locked beside it, and let go if the rest cannot be had."""
    config = Config(service=ServiceSettings(run_dir=str(tmp_path / "run")), smtp=Smtp(listen=(Listen(HERE, 0),)))
    held = open_for(config, None, ())
    assert open_for(config, held.instance, held.listeners) == held

    with socket.create_server((HERE, 0)) as stranger:
        elsewhere = Config(
            service=ServiceSettings(run_dir=str(tmp_path / "other")),
            smtp=Smtp(listen=(Listen(HERE, stranger.getsockname()[1]),)),
        )
        with pytest.raises(CamalertError):
            open_for(elsewhere, held.instance, held.listeners)
    other = open_for(replace(elsewhere, smtp=config.smtp), held.instance, held.listeners)
    held.close(but=other)
    with pytest.raises(OSError, match="Bad file") as error:
        os.fstat(held.instance.fileno())
    assert error.value.errno == errno.EBADF
    assert held.listeners == other.listeners
    socket.create_connection((HERE, _number(other.listeners[0])), timeout=5).close()
    other.close()


def test_configuration_is_the_same_after_its_way_to_another_process() -> None:
    """Every value, and where it came from."""
    config = Config(smtp=Smtp(listen=(Listen("::1", 0, "starttls"),), allow=()), camera=(Camera("Tür"),))
    loaded = LoadedConfig(config, Path("/etc/x.toml"), ("a notice",), {("smtp", "listen", 0, "tls"): "line 3"})

    assert unpack(json.loads(json.dumps(pack(loaded)))) == loaded


PROGRAM = """
import os, signal, socket, sys
from dataclasses import replace
from pathlib import Path
from camalert.config.schema import Config, Listen, Service, Smtp
from camalert.config.sources import LoadedConfig
from camalert.system.signals import Signals
from camalert.supervisor.reload import Inheritance, execute, open_for, inherited

caught = Signals()
run_dir = Path(sys.argv[-1])
config = Config(service=Service(run_dir=str(run_dir)), smtp=Smtp(listen=(Listen("127.0.0.1", 0),)))
left = inherited()
if left is None:
    held = open_for(config, None, ())
    number = held.listeners[0].socket.getsockname()[1]
    print(os.getpid(), number, flush=True)
    waiting = socket.create_connection(("127.0.0.1", number))
    waiting.sendall(b"still here")
    os.set_inheritable(waiting.fileno(), True)
    os.kill(os.getpid(), signal.SIGTERM)
    new = LoadedConfig(replace(config, smtp=replace(config.smtp, hostname="new")), None, ())
    execute(Inheritance(held, new, LoadedConfig(config, None, ())), caught, is_reload_requested=True)
listener = left.opened.listeners[0]
accepted, _ = listener.socket.accept()
print(os.getpid(), listener.socket.getsockname()[1], accepted.recv(10).decode(), left.loaded.config.smtp.hostname,
      left.former.config.smtp.hostname, os.get_inheritable(listener.socket.fileno()),
      sorted(number.name for number in caught.take()), "CAMALERT_RELOAD" in os.environ, flush=True)
try:
    open_for(config, None, ())
except Exception as error:
    print(error)
"""


def test_next_program_has_ports_lock_configuration_and_signals(tmp_path: Path) -> None:
    """A connection that waited is served by it, the run directory was never free, and no signal was lost."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "run")], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.stderr == ""
    first, second, third = done.stdout.splitlines()
    assert second == f"{first} still here new camalert False ['SIGHUP', 'SIGTERM'] False"
    assert f"another camalert (pid {first.split()[0]}) runs with" in third


def test_program_that_cannot_be_executed_changes_nothing(tmp_path: Path) -> None:
    """The reason is an error to go on with; nothing is inheritable afterwards."""
    program = PROGRAM.replace("waiting = socket", "sys.executable = '/nowhere/python'; waiting = socket").replace(
        "    execute(",
        "    try: execute(",
    ).replace(
        "is_reload_requested=True)",
        "is_reload_requested=False)\n    except OSError as error:\n        print(error.errno, os.get_inheritable("
        "held.listeners[0].socket.fileno()), [n.name for n in caught.take()]); sys.exit()",
    )  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "run")], capture_output=True, text=True, timeout=60, check=False
    )

    assert done.stderr == ""
    assert done.stdout.splitlines()[1] == f"{errno.ENOENT} False ['SIGTERM']"


def test_what_another_release_left_is_told_from_nothing(tmp_path: Path) -> None:
    """The start says so and is a first one, with the ports free to be bound."""
    program = """
import os
from camalert.supervisor import reload
note = os.memfd_create("note")
held = os.open("/dev/null", os.O_RDONLY)
os.write(note, b'{"files": [%d], "loaded": {"config": {"smtq": 1}, "file": null, "notices": [], "origins": []}}' % held)
os.lseek(note, 0, 0)
os.environ["CAMALERT_RELOAD"] = f"{os.getpid()}:{note}"
try: reload.inherited()
except reload.CamalertError as error: print(error)
try: os.fstat(held)
except OSError: print("closed")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)

    assert done.stderr == ""
    assert "cannot be read" in done.stdout
    assert done.stdout.endswith("closed\n")
