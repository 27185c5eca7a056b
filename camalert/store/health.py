"""Whether the database can be used, and who is told of it: the log and the supervisor's status, once a change.

In the writer process, from its start on. While there is a fault nothing is loaded, because no verdict could be kept.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable

import structlog

from camalert.errors import ConfigError, StoreBusy, StoreDamaged, StoreError, StoreFull
from camalert.store.database import Database

OPENING_S = 2.0  # for a lock at the start; then mails are answered while the database is tried again
RETRY_EVERY_S = 1.0  # how often an unusable database is tried again when no mail does it anyway
WORDS_CHARS = 400  # of a note; it must fit into one message

log = structlog.get_logger()

Note = Callable[[dict[str, str | float]], None]


class Health:
    """Hold the fault that keeps the database from being used, if there is one."""

    def __init__(self, database: Database, note: Note) -> None:
        self.retry_at = 0.0
        self._database = database
        self._note = note
        self._fault = ""

    @property
    def is_down(self) -> bool:
        """Tell whether the database cannot be used."""
        return bool(self._fault)

    def open(self) -> StoreError | None:
        """Open the database at the start; return why it cannot be used for now.

        Raises: ConfigError for what only the owner can change: a damaged database, one that is not ours.
        """
        while True:
            try:
                self._database.open(wait_s=OPENING_S)
            except (StoreBusy, StoreFull) as error:
                return error
            except StoreDamaged as error:
                if not self.set_aside(error):
                    raise ConfigError(
                        f"{error}; {self._database.path} stays as it is. Put a backup in its place, or set "
                        "database.replace_corrupt = true to have it set aside and a new one begun"
                    ) from error
            else:
                return None

    def met(self, fault: StoreError) -> None:
        """Take note of a fault; a damaged file is set aside if that is allowed."""
        self.retry_at = time.monotonic() + RETRY_EVERY_S
        words = str(fault)
        if words != self._fault:
            self._fault = words
            log.error("database_unusable", words=words, path=str(self._database.path))
            self._tell("database_unusable", words)
        if isinstance(fault, StoreDamaged):
            self.set_aside(fault)

    def works(self) -> None:
        """Take note that the database can be used."""
        if self._fault:
            log.warning("database_usable_again", after=self._fault)
            self._tell("database_usable_again", f"before: {self._fault}")
            self._fault = ""
        for words in self._database.take_warnings():
            log.warning("database_warning", words=words)

    def try_again(self) -> None:
        """Write something, to see whether that is possible, when it is time.

        Raises: StoreError and its kinds while it is not.
        """
        if self._fault and time.monotonic() >= self.retry_at:
            self._database.write(_touch, wait_s=0.0)
            self.works()

    def set_aside(self, fault: StoreDamaged) -> bool:
        """Set a damaged file aside; return whether that is allowed."""
        target = self._database.set_aside()
        if target is not None:
            log.error("database_set_aside", words=str(fault), now=str(target))
            self._tell("database_set_aside", f"{fault}; it is now {target}")
        return target is not None

    def _tell(self, event: str, words: str) -> None:
        self._note({"event": event, "level": "error", "words": words[:WORDS_CHARS]})


def _touch(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT OR REPLACE INTO camalert_meta VALUES ('written', ?)", (str(time.time()),))
