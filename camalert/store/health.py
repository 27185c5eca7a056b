"""Whether the database can be used; each change is reported once to the log and to the supervisor's status.

While there is a fault nothing is loaded, because no verdict could be kept.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

from camalert.errors import ConfigError, StoreBusy, StoreDamaged, StoreError, StoreFull, StoreRefused
from camalert.ipc.records import NoteRecord
from camalert.store.interface import Rows, Store
from camalert.system.logs import log

OPENING_S = 2.0  # for a lock at the start; then mails are answered while the database is tried again
RETRY_EVERY_S = 1.0  # how often an unusable database is tried again when no mail does it anyway
FULL_S = 3.0  # the same for a full disk: a probe finds space where a mail finds none; longer than a turn of the status

Note = Callable[[NoteRecord], None]


class Health:
    """Hold the fault that keeps the database from being used, if there is one."""

    def __init__(self, store: Store, note: Note) -> None:
        self.retry_at = 0.0
        self._store = store
        self._note = note
        self._fault = ""
        self._is_full = False
        self._failing: dict[str, str] = {}  # what of the upkeep does not work, and why

    @property
    def is_down(self) -> bool:
        """Tell whether the database cannot be used."""
        return bool(self._fault)

    @property
    def is_full(self) -> bool:
        """Tell whether it cannot be used because the disk is full, which retention may fix."""
        return bool(self._fault) and self._is_full

    def failed(self, what: str, message: str) -> None:
        """Report once that a maintenance step failed, or with "" that it works again.

        The database stays usable, and nothing else waits for that part.
        """
        if message == self._failing.get(what, ""):
            return
        if message:
            self._failing[what] = message
            log.error("upkeep_failed", step=what, message=message, path=self._store.place)
            self._tell("upkeep_failed", f"{what}: {message}")
        else:
            log.warning("upkeep_recovered", step=what, after=self._failing.pop(what))

    def open(self) -> StoreError | None:
        """Open the database at the start; return why it cannot be used for now.

        Raises: ConfigError for what only the owner can change: a damaged database, one that is not ours.
        """
        while True:
            try:
                self._store.open(wait_s=OPENING_S)
            except (StoreBusy, StoreFull, StoreRefused) as error:
                return error
            except StoreDamaged as error:
                if not self.set_aside(error):
                    raise ConfigError(
                        f"{error}; {self._store.place} stays as it is. Put a backup in its place, or set "
                        "database.replace_corrupt = true to have it set aside and a new one begun"
                    ) from error
            else:
                return None

    def record_fault(self, fault: StoreError) -> None:
        """Report a fault once; a damaged file is set aside if that is allowed."""
        message = str(fault)
        self._is_full = isinstance(fault, StoreFull)
        self.retry_at = time.monotonic() + (FULL_S if self._is_full else RETRY_EVERY_S)
        if message != self._fault:
            self._fault = message
            log.error("database_unusable", message=message, path=self._store.place)
            self._tell("database_unusable", message)
        if isinstance(fault, StoreDamaged):
            self.set_aside(fault)

    def clear_fault(self) -> None:
        """Report once that the database can be used again, and log its warnings."""
        if self._fault:
            log.warning("database_recovered", after=self._fault)
            self._tell("database_recovered", f"before: {self._fault}")
            self._fault = ""
        for message in self._store.take_warnings():
            log.warning("database_warning", message=message)

    def try_again(self) -> None:
        """Write something, to see whether that is possible, when it is time.

        Raises: StoreError and its kinds while it is not.
        """
        if self._fault and time.monotonic() >= self.retry_at:
            with contextlib.suppress(StoreRefused):  # it answers; a refusal is reported with each job
                self._store.write(_touch, wait_s=0.0)
            self.clear_fault()

    def set_aside(self, fault: StoreDamaged) -> bool:
        """Set a damaged file aside; return whether that is allowed."""
        try:
            target = self._store.set_aside()
        except StoreError as error:
            self.failed("setting the damaged file aside", str(error))
            return False
        if target is not None:
            log.error("database_set_aside", message=str(fault), now=target)
            self._tell("database_set_aside", f"{fault}; it is now {target}")
        return target is not None

    def _tell(self, event: str, message: str) -> None:
        self._note(NoteRecord(event, "error", message=message))


def _touch(rows: Rows) -> None:
    rows.execute(
        "INSERT INTO camalert_meta (name, value) VALUES ('written', ?) ON CONFLICT (name)"
        " DO UPDATE SET value = excluded.value",
        (str(time.time()),),
    )
