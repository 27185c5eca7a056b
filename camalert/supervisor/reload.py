"""A new configuration: tested while the service keeps running, then applied by re-executing the supervisor.

A reload goes through `Trial`, which tries the configuration in another process; `Resources.open_next`, which locks and
binds what it needs beside what is open; the drain of the service; and `execute`. The process id, the standard streams
and the place under systemd stay. The lock of the run directory and the listening sockets are inherited as open files; a
file without a name tells the next program their numbers, the configuration to run, and the one that ran before.

Source: execve(2), memfd_create(2).
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from camalert.config.checks import listening
from camalert.config.schema import Config
from camalert.config.sources import LoadedConfig, Source, load, pack, unpack
from camalert.errors import CamalertError, ConfigError
from camalert.ipc import spawn
from camalert.supervisor import plan, prerequisites
from camalert.system import limits, ports, signals
from camalert.system.instance import Instance
from camalert.system.logs import log
from camalert.system.ports import Listener

VARIABLE = "CAMALERT_RELOAD"  # in the environment: the number of the file; it is no key of the configuration
TRIAL_S = 240.0  # three engines on a slow board, with the detectors at work beside them
ANSWER_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Opened:
    """What outlives one run of the supervisor: the lock of the run directory, and the listening sockets."""

    instance: Instance
    listeners: tuple[Listener, ...]

    def close(self, but: Opened | None = None) -> None:
        """Close everything that `but` does not have as well."""
        if but is None or but.instance is not self.instance:
            self.instance.close()
        for listener in self.listeners:
            if but is None or listener not in but.listeners:
                listener.socket.close()


@dataclass(frozen=True, slots=True)
class Inheritance:
    """What a program leaves to the next one: a configuration that was found right, and the one that ran before it."""

    opened: Opened
    loaded: LoadedConfig
    former: LoadedConfig


class Resources:
    """What this process holds for the configuration that runs and for the next one, and where they are read from.

    Attributes:
        former: The configuration to go back to, None once the present one has worked.
    """

    def __init__(self, source: Source, inheritance: Inheritance | None) -> None:
        self.former = inheritance.former if inheritance else None
        self._source = source
        self._opened = inheritance.opened if inheritance else None
        self._next: Opened | None = None

    def load_config(self) -> LoadedConfig:
        """Read the configuration anew, and check what can be checked at once.

        Raises: CamalertError that says everything that is wrong with it, also with settings.toml.
        """
        loaded = load_config(self._source)
        if loaded.settings.problem:
            raise ConfigError(f"{loaded.settings.file}: {loaded.settings.problem}")
        plan.make(loaded.config, limits.cores(), limits.memory_bytes())
        return loaded

    def open_next(self, config: Config) -> None:
        """Lock and bind what a new configuration needs, beside what is open for the present one.

        Raises: CamalertError when a resource is not available.
        """
        if self._opened:
            self._next = open_for(config, self._opened.instance, self._opened.listeners)

    def open(self, config: Config) -> Opened:
        """Lock and bind what a configuration needs, and close what was open for another one.

        Raises: CamalertError when a resource is not available.
        """
        if (old := self._opened) is None:
            self._opened = open_for(config, None, ports.take_passed())
        else:
            self._opened = open_for(config, old.instance, old.listeners)
            old.close(but=self._opened)
        return self._opened

    def prove(self) -> None:
        """Note that the present configuration works: every process that it needs is ready."""
        if self.former is not None:
            self.former = None
            log.info("service_reloaded")

    def close_ports(self) -> None:
        """Refuse connections from now on: the service stops, and no process would serve those that wait.

        Where systemd holds the port they wait for the next start.
        """
        for opened in (self._opened, self._next):
            for listener in opened.listeners if opened else ():
                if not listener.is_passed:
                    listener.socket.close()

    def execute_next(
        self, loaded: LoadedConfig, successor: LoadedConfig, caught: signals.Signals, *, is_reload_requested: bool
    ) -> None:
        """Let the next program take the place of this one; return only when the system refuses.

        What it may go back to is the last configuration that has worked, which need not be the present one.
        """
        opened, self._next = self._next, None
        if opened is None:
            return
        inheritance = Inheritance(opened, successor, self.former or loaded)
        try:
            execute(inheritance, caught, is_reload_requested=is_reload_requested)
        except OSError as error:
            log.error("reload_failed", message=f"{error}; the old configuration stays active")
            opened.close(but=self._opened)

    def close(self) -> None:
        """Close everything."""
        if self._next:
            self._next.close(but=self._opened)
        if self._opened:
            self._opened.close()


def load_config(source: Source) -> LoadedConfig:
    """Read the configuration, at the start and for a reload; without settings.toml where that alone is the mistake.

    Raises: ConfigError when it is wrong.
    """
    loaded = load(source, os.environ)
    try:
        _refuse_mistakes(loaded)
    except ConfigError as error:
        if not loaded.settings.digest:
            raise
        loaded = load(source, os.environ, refused=str(error))
        _refuse_mistakes(loaded)
    return loaded


def _refuse_mistakes(loaded: LoadedConfig) -> None:
    spawn.check_size(loaded.config, str(loaded.file))
    prerequisites.refuse_mistakes(loaded)


def open_for(config: Config, locked: Instance | None, listeners: Sequence[Listener]) -> Opened:
    """Lock and bind what a configuration needs; what is there already is used, and nothing of it is closed.

    Args:
        config: The configuration.
        locked: The run directory that is locked now.
        listeners: What is listened on now.
    Raises: CamalertError when a resource is not available; nothing new is left open.
    """
    run_dir = Path(config.service.run_dir)
    instance = locked if locked and locked.run_dir == run_dir else Instance(run_dir)
    try:
        return Opened(instance, ports.open_all(config.smtp.listen, listeners))
    except BaseException:
        if instance is not locked:
            instance.close()
        raise


class Trial:
    """One trial of a configuration by `python -m camalert.supervisor.preflight`, which looks at all that it needs.

    Certificates, database, memory, engine and so on; the supervisor waits for the answer as for any other descriptor.

    Raises: OSError when no process can be started.
    """

    def __init__(self, loaded: LoadedConfig, running: Config, pool_bytes: int, now: float) -> None:
        """Begin.

        Args:
            loaded: What to try.
            running: What runs now; its ports are not to be bound once more.
            pool_bytes: The shared memory that it gives back before the new one takes its own.
            now: Monotonic seconds.
        """
        self.loaded = loaded
        self.deadline = now + TRIAL_S
        used = [(host, port) for _, host, port in listening(running)]
        question = json.dumps({"loaded": pack(loaded), "pool_bytes": pool_bytes, "ports": used})
        self._file, output = os.pipe2(os.O_CLOEXEC)
        note = os.memfd_create("camalert-trial")
        os.set_blocking(self._file, False)
        try:
            _write(note, question.encode())
            with signals.held(*signals.OBEYED):
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "camalert.supervisor.preflight"],
                    stdin=note,
                    stdout=output,
                    stderr=output,
                )
        except OSError:
            os.close(self._file)
            raise
        finally:
            os.close(note)
            os.close(output)
        self._answer = b""

    def fileno(self) -> int:
        """Return the descriptor that can be read when there is more of the answer, or its end."""
        return self._file

    def read(self) -> bool:
        """Read what there is; return whether the answer is complete."""
        try:
            more = os.read(self._file, 1 << 16)
        except BlockingIOError:
            return False
        self._answer += more
        return not more or len(self._answer) > ANSWER_BYTES

    def finish(self) -> list[str]:
        """End it, and return everything that is wrong; a trial that did not finish is itself a reason."""
        self._process.kill()  # it has answered, or is late
        code = self._process.wait()
        os.close(self._file)
        lines = self._answer.decode("utf-8", "replace").splitlines()
        try:
            return [str(message) for message in json.loads(lines[-1])["wrong"]]
        except (IndexError, KeyError, TypeError, ValueError):
            last = f": {lines[-1]}" if lines else ""
            return [f"the trial of the new configuration did not finish (exit {code}){last}"]


def execute(inheritance: Inheritance, caught: signals.Signals, *, is_reload_requested: bool) -> None:
    """Become the next program; return only by raising.

    Signals that come meanwhile wait for it, and those that were caught but not obeyed yet come once more.

    Raises: OSError when the system refuses; then nothing is changed.
    """
    instance, listeners = inheritance.opened.instance, inheritance.opened.listeners
    files = [instance.fileno(), *(listener.socket.fileno() for listener in listeners)]
    note = os.memfd_create("camalert-reload")
    try:
        _write(note, _encode(inheritance, files))
        for file in (note, *files):
            os.set_inheritable(file, True)
        os.environ[VARIABLE] = f"{os.getpid()}:{note}"
        with signals.held(*signals.OBEYED):
            for number in (*caught.take(), *((signal.SIGHUP,) if is_reload_requested else ())):
                os.kill(os.getpid(), number)
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - what we were started as
    finally:
        os.environ.pop(VARIABLE, None)
        for file in files:
            os.set_inheritable(file, False)
        os.close(note)


def inherited() -> Inheritance | None:
    """Take over what the program before this one left, None at a first start.

    The variable is removed, so that no child believes that it is meant for it.

    Raises: CamalertError when it cannot be understood: it was left by another release. The lock and the sockets are
        closed then.
    """
    pid, _, number = os.environ.pop(VARIABLE, "").partition(":")
    if pid != str(os.getpid()) or not number.isdecimal():
        return None
    with os.fdopen(int(number), "rb") as note:
        found = json.load(note)
    for file in found["files"]:
        os.set_inheritable(file, False)
    try:
        return _decode(found)
    except (ConfigError, OSError, KeyError, TypeError, ValueError) as error:
        for file in found["files"]:
            with contextlib.suppress(OSError):
                os.close(file)
        raise CamalertError(f"what the previous program left cannot be read: {error}") from error


def _write(note: int, text: bytes) -> None:
    with open(note, "wb", closefd=False) as stream:
        stream.write(text)
    os.lseek(note, 0, os.SEEK_SET)


def _encode(inheritance: Inheritance, files: Sequence[int]) -> bytes:
    opened = inheritance.opened
    listeners = [
        {"host": listener.host, "port": listener.port, "is_passed": listener.is_passed} for listener in opened.listeners
    ]
    content = {
        "files": files,
        "run_dir": str(opened.instance.run_dir),
        "listeners": listeners,
        "loaded": pack(inheritance.loaded),
        "former": pack(inheritance.former),
    }
    return json.dumps(content).encode()


def _decode(found: Any) -> Inheritance:
    loaded, former = unpack(found["loaded"]), unpack(found["former"])
    lock, *sockets = found["files"]
    listeners = [
        Listener(socket.socket(fileno=file), listener["host"], listener["port"], listener["is_passed"])
        for file, listener in zip(sockets, found["listeners"], strict=True)
    ]
    return Inheritance(Opened(Instance(Path(found["run_dir"]), lock), tuple(listeners)), loaded, former)
