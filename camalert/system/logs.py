"""The log of a process: events with their facts, and where their lines go.

`configure` is the first thing every process calls, because a spawned child inherits no configuration. Under systemd an
event is one entry of the journal with its facts as fields; on a terminal it is a line for a person; otherwise a line of
JSON, written at once, so that the lines of several processes never mix.

structlog did no more for it than what `Log` does, and imports asyncio and others: 5 MB in each of eight processes, and
70 ms of each one's start (measured).
"""

from __future__ import annotations

import functools
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

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
    "critical": logging.CRITICAL,
}  # fmt: skip
# Facts that journald adds itself.
_JOURNAL_HAS = frozenset({"timestamp", "level"})

Emit = Callable[[logline.Facts], None]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class Log:
    """What a process says: an event is a name in snake_case, and facts that say more.

    Until it is configured, as in a command, warnings and errors are text on stderr. Modules share the one instance, so
    that configuring it again has an effect everywhere.
    """

    def __init__(self) -> None:
        self._process = ""
        self._least = logging.WARNING
        self._emit: Emit = _emit_first
        self._limit = RateLimit(per_second=PEER_LINES_PER_S, burst=PEER_LINES_BURST)

    def configure(self, process: str, least: int, emit: Emit) -> None:
        """Name the process, and say from which level of `logging` on its events go where."""
        self._process, self._least, self._emit = process, least, emit

    def debug(self, event: str, **facts: Any) -> None:
        """Say what only a search for a defect needs."""
        self._say("debug", event, facts)

    def info(self, event: str, **facts: Any) -> None:
        """Say what happened as it should."""
        self._say("info", event, facts)

    def warning(self, event: str, **facts: Any) -> None:
        """Say what somebody may want to look at."""
        self._say("warning", event, facts)

    def error(self, event: str, **facts: Any) -> None:
        """Say what somebody has to look at."""
        self._say("error", event, facts)

    def critical(self, event: str, **facts: Any) -> None:
        """Say why the process ends."""
        self._say("critical", event, facts)

    def exception(self, event: str, **facts: Any) -> None:
        """Say what went wrong, with the traceback of the exception that is being handled."""
        self._say("error", event, {"exc_info": True, **facts})

    def _say(self, level: str, event: str, facts: logline.Facts) -> None:
        if _LEVELS[level] < self._least:
            return
        facts = {"event": event, **facts, "level": level}
        if not self._admits(facts):
            return
        if trouble := facts.pop("exc_info", None):
            facts["exception"] = _traceback(trouble)
        stamp = datetime.now(UTC).isoformat().removesuffix("+00:00") + "Z"
        self._emit(logline.clean({"process": self._process, **facts, "timestamp": stamp}))

    def _admits(self, facts: logline.Facts) -> bool:
        """Suppress what one peer causes too often; see `PEER_LINES_BURST`."""
        if "peer" not in facts:
            return True
        admission = self._limit.admit((facts["event"], facts["peer"]), time.monotonic())
        if admission.suppressed:
            facts["suppressed"] = admission.suppressed
        if admission.is_last:
            facts["rate_limited"] = True
        return admission.is_admitted


def configure(settings: config.Log, process: str) -> None:
    """Set up the log of this process, its libraries' included.

    Args:
        settings: Level and format.
        process: The name that each line carries, such as `smtp` or `detector-2`.
    """
    log.configure(process, _LEVELS[settings.level], _emitter(settings.format))
    _route_libraries()
    sys.excepthook = _log_crash


def is_under_systemd() -> bool:
    """Tell whether this process's stderr leads to the journal."""
    return is_journal(STDERR, os.environ.get("JOURNAL_STREAM", ""))


def _traceback(trouble: BaseException | ExcInfo | bool) -> str:
    """Return the traceback of an exception, or of the one that is being handled."""
    if isinstance(trouble, BaseException):
        error: BaseException | None = trouble
    else:
        error = trouble[1] if isinstance(trouble, tuple) else sys.exc_info()[1]
    return "".join(traceback.format_exception(error)).rstrip("\n") if error else ""


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
        facts: logline.Facts = {"library": record.name, "message": record.getMessage()}
        headers = getattr(getattr(record, "request", None), "META", None)
        if headers:  # Django's, of somebody's request: the limit for what one peer causes holds
            facts["peer"] = headers.get("REMOTE_ADDR", "")
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
    log.critical(
        "process_crashed", message=f"unexpected {kind.__name__}: {error}", exc_info=error.with_traceback(trace)
    )


log = Log()
