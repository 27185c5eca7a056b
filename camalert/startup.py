"""The start of the service: read, check, lock, allocate, bind, show the first screen, and let the supervisor run.

Whatever cannot be had ends in one clear line and a named exit code; what was opened is closed again in every case.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sys
from pathlib import Path

import structlog

from camalert import __version__, children, descriptors, firstscreen, logs, plan, ports, sdlisten, sdnotify, segment
from camalert.config import Config, Listen, Log
from camalert.configfile import Loaded, Source, load
from camalert.detection.choice import candidates
from camalert.engines import EngineChoice
from camalert.errors import CamalertError, ConfigError, Exit
from camalert.instance import Instance
from camalert.orders import Run
from camalert.pool import Pool
from camalert.reporter import Reporter
from camalert.service import Supervisor

log = structlog.get_logger()


def main(source: Source) -> int:
    """Run the service with the configuration of `source`; return its exit code."""
    try:
        loaded = _load(source)
    except ConfigError as error:
        _refuse(error)
        return Exit.CONFIG
    logs.configure(loaded.config.log, "supervisor")
    for notice in loaded.notices:
        log.info("configuration_noticed", words=notice)
    try:
        with contextlib.ExitStack() as opened:
            return _prepared(loaded, source, opened).run()
    except ConfigError as error:
        log.error("service_misconfigured", error=str(error))
        sdnotify.notify(sdnotify.status(str(error)))
        return Exit.CONFIG
    except CamalertError as error:
        log.error("service_not_started", error=str(error))
        sdnotify.notify(sdnotify.status(str(error)))
        return Exit.CANNOT_START


def _load(source: Source) -> Loaded:
    """Read the configuration, at the start and for a reload.

    Raises: ConfigError when it is wrong.
    """
    loaded = load(source, os.environ)
    children.check_size(loaded.config, str(loaded.file))
    return loaded


def _refuse(error: ConfigError) -> None:
    """Say what is wrong with a configuration: to a person in plain lines, to the journal as an event."""
    if not logs.is_under_systemd():
        print(error, file=sys.stderr)  # noqa: T201 - there is no log before the configuration
        return
    logs.configure(Log(), "supervisor")
    log.error("configuration_refused", words=str(error))
    sdnotify.notify(sdnotify.status(str(error)))


def _prepared(loaded: Loaded, source: Source, opened: contextlib.ExitStack) -> Supervisor:
    """Make the supervisor and all that it needs.

    Raises: CamalertError when something of it cannot be had.
    """
    try:
        return _prepare(loaded, source, opened)
    except OSError as error:
        raise CamalertError(f"the system refuses something that is needed: {error}") from error


def _prepare(loaded: Loaded, source: Source, opened: contextlib.ExitStack) -> Supervisor:
    config = loaded.config
    shape = plan.make(config, len(os.sched_getaffinity(0)), _memory_bytes())
    descriptors.claim(len(plan.specs(config, shape)), len(config.smtp.listen), config.smtp.max_connections)
    engine = EngineChoice(candidates(config.detector))
    instance = opened.enter_context(contextlib.closing(Instance(Path(config.service.run_dir))))
    for name in segment.sweep(instance.prefix):
        log.info("segment_swept", segment=name)
    pool = Pool.create(instance.segment_name, shape.layout)
    opened.callback(pool.unlink)
    opened.callback(pool.close)
    listeners = _listen(config.smtp.listen, opened)
    reporter = Reporter(config, shape.layout.size_bytes, len(shape.layout.frames))
    opened.callback(reporter.close)
    _show(_facts(loaded, shape, engine.name, listeners))
    run = Run(config, shape, pool.name, listeners)
    return Supervisor(run, engine, reporter, lambda: _load(source).config)


def _listen(listen: tuple[Listen, ...], opened: contextlib.ExitStack) -> tuple[socket.socket, ...]:
    """Take over systemd's sockets and bind the rest; smtp tells them apart by their port."""
    passed = sdlisten.match(sdlisten.take(), listen)
    return tuple(
        opened.enter_context(contextlib.closing(sock))
        for index, address in enumerate(listen)
        for sock in passed.get(index) or [ports.bind(address)]
    )


def _memory_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _facts(loaded: Loaded, shape: plan.Plan, engine: str, listeners: tuple[socket.socket, ...]) -> firstscreen.Facts:
    config = loaded.config
    ports_shown = dict.fromkeys(
        f"{sock.getsockname()[1]}{_tls_words(config, sock.getsockname()[1])}" for sock in listeners
    )
    addresses = _addresses()
    review_host = config.review.host or next(iter(addresses), "127.0.0.1")
    return firstscreen.Facts(
        version=__version__,
        config_file=str(loaded.file or "none: the defaults hold"),
        addresses=addresses,
        ports=tuple(ports_shown),
        database=config.database.path,
        engine=engine,
        effort=config.detector.effort,
        detectors=shape.detectors,
        decoders=shape.decoders,
        pool_bytes=shape.layout.size_bytes,
        frame_slots=len(shape.layout.frames),
        review=f"http://{review_host}:{config.review.port}{config.review.path}/" if config.review.enabled else "",
        command=_command(),
    )


def _command() -> str:
    """Return how the command line is called here: by name when it is on the path, else by its file."""
    own = Path(sys.prefix, "bin", "camalert")
    found = shutil.which("camalert")
    if found and Path(found).resolve() == own.resolve():
        return "camalert"
    return str(own.relative_to(Path.cwd()) if own.is_relative_to(Path.cwd()) else own)


def _tls_words(config: Config, port: int) -> str:
    tls = next((listen.tls for listen in config.smtp.listen if listen.port == port), "none")
    return {"none": "", "starttls": " (STARTTLS)", "implicit": " (TLS)"}[tls]


def _addresses() -> tuple[str, ...]:
    """Return the address that this machine has towards its network, () when it has none.

    Connecting a datagram socket sends nothing; it only asks the kernel which way it would go.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1, RFC 5737
        except OSError:
            return ()
        return (probe.getsockname()[0],)


def _show(facts: firstscreen.Facts) -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\n".join(firstscreen.lines(facts)) + "\n")
        sys.stderr.flush()
        return
    log.info(
        "service_started",
        version=facts.version,
        config=facts.config_file,
        ports=list(facts.ports),
        database=facts.database,
        engine=facts.engine,
        effort=facts.effort,
        detectors=facts.detectors,
        decoders=facts.decoders,
        pool_bytes=facts.pool_bytes,
    )
