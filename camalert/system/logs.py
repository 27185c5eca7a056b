"""The log of a process: structlog's chain, and where its lines go.

Every module says what happens by the one `log` here. `configure` is the first thing every process calls, because a
spawned child inherits no configuration; until then, as in a command, warnings and errors are text on stderr. Under
systemd an event is one entry of the journal with its facts as fields; on a terminal it is a line for a person;
otherwise a line of JSON, written at once, so that the lines of several processes never mix.

structlog imports asyncio: 3 to 5 MB and about 70 ms of each process's start (measured). A command that logs nothing
leaves this module alone.
"""

from __future__ import annotations

import functools
import logging
import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import structlog
from structlog.types import EventDict, ExcInfo, FilteringBoundLogger, WrappedLogger

from camalert.config import schema as config
from camalert.ratelimit import RateLimit
from camalert.system import logline
from camalert.system.logsinks import STDERR, Journal, LogStream, field_name, is_journal

IDENTIFIER = "camalert"  # journalctl -t camalert
# What one client can put into the log: a bad evening of a recorder with many cameras passes, a flood does not.
PEER_LINES_BURST = 200
PEER_LINES_PER_S = 2.0
_LEVELS = {
    "debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR,
}  # fmt: skip
# Facts that journald adds itself.
_JOURNAL_HAS = frozenset({"timestamp", "level"})

Emit = Callable[[logline.Facts], None]


def configure(settings: config.Log, process: str) -> None:
    """Set up the log of this process, its libraries' included.

    Args:
        settings: Level and format.
        process: The name that each line carries, such as `smtp` or `detector-2`.
    """
    write_to(_emitter(settings.format), _LEVELS[settings.level], process)
    _route_libraries()
    sys.excepthook = _log_crash


def is_under_systemd() -> bool:
    """Tell whether this process's stderr leads to the journal."""
    return is_journal(STDERR, os.environ.get("JOURNAL_STREAM", ""))


def write_to(emit: Emit, least: int, process: str) -> None:
    """Hand each event to `emit`, from the level `least` of `logging` on, in the name of a process."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _PeerLimit(),
            structlog.processors.format_exc_info,
            _Finish(process),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(least),
        logger_factory=lambda *_names: _Sink(emit),
        # Each call looks the configuration up (2 us), so that configuring again has an effect everywhere.
        cache_logger_on_first_use=False,
    )


class _PeerLimit:
    """Suppress what one peer causes too often; see `PEER_LINES_BURST`."""

    def __init__(self) -> None:
        self._limit = RateLimit(per_second=PEER_LINES_PER_S, burst=PEER_LINES_BURST)

    def __call__(self, _logger: WrappedLogger, _method: str, facts: EventDict) -> EventDict:
        if "peer" not in facts:
            return facts
        admission = self._limit.admit((facts["event"], facts["peer"]), time.monotonic())
        if not admission.is_admitted:
            raise structlog.DropEvent
        if admission.suppressed:
            facts["suppressed"] = admission.suppressed
        if admission.is_last:
            facts["rate_limited"] = True
        return facts


class _Finish:
    """Name the process, make the facts safe to show, and hand them to the sink as its one argument."""

    def __init__(self, process: str) -> None:
        self._process = process

    def __call__(self, _logger: WrappedLogger, _method: str, facts: EventDict) -> tuple[tuple[EventDict], EventDict]:
        return (logline.clean({"process": self._process, **facts}),), {}


class _Sink:
    """The logger that structlog wraps: every level goes to the same place."""

    def __init__(self, emit: Emit) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = self.exception = emit


def _emit_first(facts: logline.Facts) -> None:
    _first()(facts)


@functools.cache
def _first() -> Emit:
    return _emitter("text")


def _emitter(line_format: str) -> Emit:
    if is_under_systemd():
        return _journal_emitter(Journal(), is_text=line_format == "text")
    is_terminal = os.isatty(STDERR)
    is_coloured = is_terminal and "NO_COLOR" not in os.environ

    def text(facts: logline.Facts) -> str:
        show = logline.to_terminal if is_terminal else logline.to_text
        return show(facts, time.strftime("%H:%M:%S"), is_coloured=is_coloured)

    is_text = line_format == "text" or (line_format == "auto" and is_terminal)
    return _stream_emitter(LogStream(), text if is_text else logline.to_json)


def _journal_emitter(journal: Journal, *, is_text: bool) -> Emit:
    def emit(facts: logline.Facts) -> None:
        facts, line = logline.fit(facts, logline.JOURNAL_LINE_BYTES, logline.to_json)
        own = {field_name(key): text for key, text in logline.to_fields(facts).items() if key not in _JOURNAL_HAS}
        journal.send(
            {
                "MESSAGE": logline.to_text(facts, "", is_coloured=False).strip() if is_text else line,
                "PRIORITY": str(logline.PRIORITIES[facts["level"]]),
                "SYSLOG_IDENTIFIER": IDENTIFIER,
                **own,
            }
        )

    return emit


def _stream_emitter(stream: LogStream, shown: logline.Show) -> Emit:
    def emit(facts: logline.Facts) -> None:
        if stream.lost:
            facts = {**facts, "lines_lost": stream.lost}
        if line := logline.fit(facts, logline.STREAM_LINE_BYTES, shown)[1]:
            stream.write(line)

    return emit


class _Library(logging.Handler):
    """Turn the log records of libraries into events."""

    def emit(self, record: logging.LogRecord) -> None:
        facts: EventDict = {"library": record.name, "message": record.getMessage()}
        request: Any = getattr(record, "request", None)
        if headers := getattr(request, "META", None):
            # Django's, of somebody's request: the limit for what one peer causes holds. Of its address the pattern is
            # named, because a link holds its token.
            facts["peer"] = headers.get("REMOTE_ADDR", "")
            if match := getattr(request, "resolver_match", None):
                facts["message"] = facts["message"].replace(request.path, f"/{match.route}")
        if record.exc_info:
            facts["exc_info"] = record.exc_info
        if record.levelno >= logging.ERROR:
            log.error("library_error", **facts)
        else:
            log.warning("library_warning", **facts)


def _route_libraries() -> None:
    """Send warnings and what libraries log through the standard library into our log, from WARNING on."""
    root = logging.getLogger()
    root.handlers[:] = [_Library()]
    root.setLevel(logging.WARNING)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    logging.captureWarnings(True)


def _log_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    exc_info: ExcInfo = (kind, error, trace)
    log.critical("process_crashed", message=f"unexpected {kind.__name__}: {error}", exc_info=exc_info)


log: FilteringBoundLogger = structlog.get_logger()
write_to(_emit_first, logging.WARNING, "")
