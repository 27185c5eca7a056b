"""The start of the service: read, check, lock, allocate, bind, show the first screen, and run the supervisor.

Any failure ends in one clear line and a named exit code; what was opened is always closed again.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
from pathlib import Path

from camalert import __version__
from camalert.config.postgresql import place_of
from camalert.config.schema import Config, Database, Log
from camalert.config.sources import LoadedConfig, Source, find
from camalert.detection.choice import EngineChoice, candidates
from camalert.errors import CamalertError, ConfigError, Exit
from camalert.ipc.pool import Pool, free_bytes, remove_stale, stop_tracker
from camalert.status import origins
from camalert.status.model import counted
from camalert.store import filesystem, restoring
from camalert.supervisor import plan, reload
from camalert.supervisor.loop import Ended, Supervisor
from camalert.supervisor.processes import Run
from camalert.supervisor.reload import Inheritance, Resources
from camalert.supervisor.reporter import Reporter
from camalert.system import confinement, firstlogin, limits, logs, networks, rights, sdnotify
from camalert.system.logs import log
from camalert.system.ports import Listener
from camalert.system.signals import Signals

MIB = 1 << 20
GIB = 1 << 30
_TLS_SHOWN = {"none": "", "starttls": " (STARTTLS)", "implicit": " (TLS)"}
_LOGINS = {
    "any": "any user and password",
    "users": "user and password as in [[smtp.auth.user]]",
    "none": "no user and password",
}


def main(source: Source) -> int:
    """Run the service with the configuration of `source`, or the one that was left to it; return its exit code."""
    caught = Signals()
    try:
        return _serve(source, caught)
    finally:
        caught.close()


def _serve(source: Source, caught: Signals) -> int:
    """Run one configuration after another, until the service ends for good or another program takes its place."""
    inheritance = _inherited()
    try:
        loaded = inheritance.loaded if inheritance else reload.load_config(source)
    except ConfigError as error:
        _refuse(error)
        return Exit.CONFIG
    resources = Resources(source, inheritance)
    try:
        while True:
            ended = _run(loaded, resources, caught)
            if ended.successor is not None:
                resources.execute_next(loaded, ended.successor, caught, is_reload_requested=ended.is_reload_requested)
            elif (
                ended.code != Exit.OK
                and not ended.is_stop_requested
                and restoring.go_back(loaded.config.database.path, ended.reason)
            ):
                continue
            elif ended.code != Exit.OK and resources.former is not None and not ended.is_stop_requested:
                log.error("reload_failed", message=f"{ended.reason}; the previous configuration is active again")
                loaded, resources.former = resources.former, None
            else:
                return ended.code
    finally:
        resources.close()


def _inherited() -> Inheritance | None:
    """Return what the program before this one left; a line says when it cannot be understood."""
    try:
        return reload.inherited()
    except CamalertError as error:
        logs.configure(Log(), "supervisor")
        log.error("reload_failed", message=f"{error}; the ports are bound and the configuration is read again")
        return None


def _run(loaded: LoadedConfig, resources: Resources, caught: Signals) -> Ended:
    """Let a supervisor run to its end."""
    logs.configure(loaded.config.log, "supervisor")
    if not logs.is_under_systemd():
        os.umask(rights.umask_for(Path(loaded.config.database.path)))
    for notice in loaded.notices:
        log.info("configuration_override", message=notice)
    if loaded.settings.problem:
        log.warning("settings_not_used", file=str(loaded.settings.file), message=loaded.settings.problem)
    try:
        with contextlib.ExitStack() as cleanup:
            return _prepared(loaded, resources, caught, cleanup).run()
    except ConfigError as error:
        log.error("service_misconfigured", message=str(error))
        sdnotify.notify(sdnotify.status(str(error)))
        return Ended(Exit.CONFIG, str(error))
    except CamalertError as error:
        log.error("service_not_started", message=str(error))
        sdnotify.notify(sdnotify.status(str(error)))
        return Ended(Exit.CANNOT_START, str(error))
    finally:
        stop_tracker()


def _refuse(error: ConfigError) -> None:
    """Say what is wrong with a configuration: to a person in plain lines, to the journal as an event."""
    if not logs.is_under_systemd():
        print(error, file=sys.stderr)  # noqa: T201 - there is no log before the configuration
        return
    logs.configure(Log(), "supervisor")
    log.error("configuration_refused", message=str(error))
    sdnotify.notify(sdnotify.status(str(error)))


def _prepared(loaded: LoadedConfig, resources: Resources, caught: Signals, cleanup: contextlib.ExitStack) -> Supervisor:
    """Make the supervisor and all that it needs.

    Raises: CamalertError when a resource is not available.
    """
    try:
        return _prepare(loaded, resources, caught, cleanup)
    except OSError as error:
        raise CamalertError(f"the system refused a required resource: {error}") from error


def _prepare(loaded: LoadedConfig, resources: Resources, caught: Signals, cleanup: contextlib.ExitStack) -> Supervisor:
    config = loaded.config
    cores, memory_bytes = limits.cores(), limits.memory_bytes()
    shape = plan.make(config, cores, memory_bytes)
    limits.claim_files(len(plan.specs(config, shape)), len(config.smtp.listen), config.smtp.max_connections)
    engine = EngineChoice(candidates(config.detector))
    opened = resources.open(config)
    restoring.complete(config.database.path)  # under the lock of the run directory, and no child is there yet
    if gap := confinement.support().gap if config.service.confine else "":
        log.warning("confinement_limited", message=gap)
    for name in remove_stale(opened.instance.prefix):
        log.info("stale_segment_removed", segment=name)
    shape = plan.make(config, cores, memory_bytes, free_bytes())
    if shape.concession:
        log.info("pool_reduced", message=shape.concession)
    pool = Pool.create(opened.instance.segment_name, shape.layout)
    cleanup.callback(pool.unlink)
    cleanup.callback(pool.close)
    try:
        origins.write(opened.instance.run_dir, loaded)
    except OSError as error:
        log.warning("status_write_failed", folder=str(opened.instance.run_dir), message=str(error))
    reporter = Reporter(config, shape.layout.size_bytes, len(shape.layout.frames))
    cleanup.callback(reporter.close)
    _show(loaded, shape, engine.name, opened.listeners)
    return Supervisor(Run(config, shape, pool.name, opened.listeners), engine, reporter, caught, resources)


def _show(loaded: LoadedConfig, shape: plan.Plan, engine: str, listeners: tuple[Listener, ...]) -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\n".join(first_screen(loaded, shape, engine, listeners)) + "\n")
        sys.stderr.flush()
        return
    log.info(
        "service_starting",
        version=__version__,
        config=_file(loaded),
        ports=_ports(listeners),
        database=_place(loaded.config.database),
        engine=engine,
        effort=loaded.config.detector.effort,
        detectors=shape.detectors,
        decoders=shape.decoders,
        pool_bytes=shape.layout.size_bytes,
    )


def first_screen(loaded: LoadedConfig, shape: plan.Plan, engine: str, listeners: tuple[Listener, ...]) -> list[str]:
    """Return the lines that a person who starts camalert on a terminal needs."""
    config = loaded.config
    command = _command()
    options = "" if loaded.file == find(None) else f" --config {shlex.quote(str(loaded.file))}"
    rows = [("configuration", _file(loaded))]
    if ports_shown := _ports(listeners):
        server = networks.own_address() or "this machine's address"
        rows.append(("camera's mail", f"SMTP server {server}, port {' or '.join(ports_shown)}"))
        plain = [shown for shown in ports_shown if "(" not in shown]
        no_ssl = f"; no SSL on port {' and '.join(plain)}" if plain else ""
        rows.append(("", f"any sender, any recipient, {_LOGINS[config.smtp.auth.accept]}{no_ssl}"))
    if config.intake.folder.enabled:
        rows.append(("folder", config.intake.folder.path))
    rows += [
        ("database", _place(config.database)),
        ("detector", f"{engine}, effort {config.detector.effort}, {counted(shape.detectors, 'process')}"),
        ("pool", f"{shape.layout.size_bytes / MIB:.0f} MiB shared memory, {len(shape.layout.frames)} frame slots, "
                 f"{counted(shape.decoders, 'decoder')}"),
    ]  # fmt: skip
    if kept_bytes := _kept_bytes(config.database):
        kept = f"up to {kept_bytes / GIB:.1f} GiB on its disk; `{command} status{options}` says for how long"
        rows.append(("keeps", kept))
    if review := networks.site_url(config.review):
        rows.append(("review", review))
        if code := _first_login(config):
            rows.append(("first login", f"{review}setup/?code={code}   (once, for whoever reads this)"))
    rows.append(("try it", f"{command} send{options} PICTURE.jpg   (from another terminal)"))
    return [f"camalert {__version__}", *(f"  {label:<14} {text}" for label, text in rows), "  Ctrl-C stops it", ""]


def _file(loaded: LoadedConfig) -> str:
    return str(loaded.file or "none, using the defaults")


def _place(database: Database) -> str:
    return place_of(database.url) if database.url else database.path


def _ports(listeners: tuple[Listener, ...]) -> list[str]:
    """Return each port once, as "1025" or "465 (TLS)"."""
    return list(
        dict.fromkeys(f"{listener.socket.getsockname()[1]}{_TLS_SHOWN[listener.rules.tls]}" for listener in listeners)
    )


def _kept_bytes(database: Database) -> int:
    """Return how large the database may become, 0 for any size."""
    if database.url:
        return database.keep_bytes
    path = Path(database.path)
    limits = [database.keep_bytes] if database.keep_bytes else []
    if database.keep_disk_percent:
        size_bytes = path.stat().st_size if path.exists() else 0
        free_bytes = filesystem.free_bytes(path.parent)
        limits.append(filesystem.share_bytes(database.keep_disk_percent, size_bytes, free_bytes))
    return min(limits, default=0)


def _first_login(config: Config) -> str:
    """Return the code that makes the first login of the review site, "" when there is a login or no site."""
    if not config.review.enabled:
        return ""
    try:
        return firstlogin.wanted(Path(config.review.data_dir))
    except OSError:
        return ""  # the site itself says what is wrong with its folder


def _command() -> str:
    """Return how the command line is called here: by name when it is on the path, else by its file."""
    own = Path(sys.prefix, "bin", "camalert")
    found = shutil.which("camalert")
    if found and Path(found).resolve() == own.resolve():
        return "camalert"
    return str(own.relative_to(Path.cwd()) if own.is_relative_to(Path.cwd()) else own)
