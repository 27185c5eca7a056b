"""The log of a process: structlog's chain, and where its lines go.

Mechanism: `configure` is the first thing every process calls, because a spawned child inherits no configuration. Under
systemd an event is one entry of the journal with its facts as fields; on a terminal it is a line for a person;
otherwise a line of JSON, written at once, so that the lines of several processes never mix.

structlog brings asyncio with it, about 70 ms of a process's start (measured); a short-lived command that logs nothing
does better without this module.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from types import TracebackType

import structlog
from structlog.types import EventDict, ExcInfo, WrappedLogger

from camalert import config, logline
from camalert.journal import Journal, field_name, is_journal
from camalert.logstream import STDERR, LogStream
from camalert.ratelimit import RateLimit

IDENTIFIER = "camalert"  # journalctl -t camalert
# What one client can put into the log: a bad evening of a recorder with many cameras passes, a flood does not.
PEER_LINES_BURST = 200
PEER_LINES_PER_S = 2.0
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
# Facts that the journal knows by itself.
_JOURNAL_HAS = frozenset({"timestamp", "level"})

Emit = Callable[[logline.Facts], None]


def configure(log: config.Log, process: str) -> None:
    """Set up the log of this process, its libraries' included.

    Args:
        log: Level and format.
        process: The name that each line carries, such as `smtp` or `detector-2`.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _PeerLimit(),
            structlog.processors.format_exc_info,
            _Finish(process),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[log.level]),
        logger_factory=_Sink.factory(_emitter(log.format)),
        # Each call looks the configuration up (2 us), so that configuring again has an effect everywhere.
        cache_logger_on_first_use=False,
    )
    _route_libraries()
    sys.excepthook = _log_crash


def is_under_systemd() -> bool:
    """Tell whether this process's stderr leads to the journal."""
    return is_journal(STDERR, os.environ.get("JOURNAL_STREAM", ""))


class _PeerLimit:
    """Hold back what one peer causes too often; see `PEER_LINES_BURST`."""

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
            facts["is_limited"] = True
        return facts


class _Finish:
    """Name the process, make the facts safe to show, and hand them to the sink as its one argument."""

    def __init__(self, process: str) -> None:
        self._process = process

    def __call__(self, _logger: WrappedLogger, _method: str, facts: EventDict) -> tuple[tuple[EventDict], EventDict]:
        return (logline.clean({"process": self._process, **facts}),), {}


class _Sink:
    """Be the logger that structlog wraps: every level ends in the same place."""

    def __init__(self, emit: Emit) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = self.exception = emit

    @classmethod
    def factory(cls, emit: Emit) -> Callable[..., _Sink]:
        sink = cls(emit)
        return lambda *_names: sink


def _emitter(line_format: str) -> Emit:
    is_text = line_format == "text" or (line_format == "auto" and not is_under_systemd() and os.isatty(STDERR))
    if is_under_systemd():
        return _journal_emitter(Journal(), is_text=is_text)
    is_coloured = os.isatty(STDERR) and "NO_COLOR" not in os.environ
    return _stream_emitter(LogStream(), _shows_text(is_coloured=is_coloured) if is_text else logline.to_json)


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


def _shows_text(*, is_coloured: bool) -> logline.Show:
    return lambda facts: logline.to_text(facts, time.strftime("%H:%M:%S"), is_coloured=is_coloured)


def _stream_emitter(stream: LogStream, shown: logline.Show) -> Emit:
    def emit(facts: logline.Facts) -> None:
        if stream.lost:
            facts = {**facts, "lines_lost": stream.lost}
        stream.write(logline.fit(facts, logline.STREAM_LINE_BYTES, shown)[1])

    return emit


class _Library(logging.Handler):
    """Turn the log records of libraries into events."""

    def emit(self, record: logging.LogRecord) -> None:
        facts: EventDict = {"library": record.name, "words": record.getMessage()}
        if record.exc_info:
            facts["exc_info"] = record.exc_info
        log = structlog.get_logger()
        if record.levelno >= logging.ERROR:
            log.error("library_failed", **facts)
        else:
            log.warning("library_warned", **facts)


def _route_libraries() -> None:
    """Send what libraries say through the standard library's logging, and warnings, into our log.

    Below WARNING they are not heard: aiosmtpd's `mail.log` would write every line of every mail at DEBUG.
    """
    root = logging.getLogger()
    root.handlers[:] = [_Library()]
    root.setLevel(logging.WARNING)
    for name in ("mail.log", "mail.debug", "asyncio"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)


def _log_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    exc_info: ExcInfo = (kind, error, trace)
    structlog.get_logger().critical("process_crashed", words=f"unexpected {kind.__name__}: {error}", exc_info=exc_info)
