"""The contract of a store: what the writer may expect of whatever keeps its rows, and what the rules may say to it.

There are three layers. The writer (`batch`, `loader`, `upkeep`, `notes`, `telling`) decides what is written together,
and what follows from a fault. The rules (`rows`) say what a mail, a verdict or a mark does to the tables. A store
brings the tables, makes a transaction last, and says in words why it cannot. Nothing above a store may expect that
ids are consecutive, that a row that becomes visible has a higher id than those before it, or that only its own process
writes: what is known of the rows is asked for in the transaction that depends on it.

Both stores pass `tests/unit/store/contract`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

Values = Sequence[Any] | Mapping[str, Any]


class Found(Protocol):
    """What a statement found or did."""

    @property
    def rowcount(self) -> int:
        """Return how many rows a change has changed."""
        ...

    @property
    def lastrowid(self) -> int | None:
        """Return the id of the row that an INSERT without ON CONFLICT has made, where the table gives ids."""
        ...

    def fetchone(self) -> Any:
        """Return the next row, None after the last."""
        ...

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Rows(Protocol):
    """The tables within one transaction, in the SQL that SQLite and PostgreSQL have in common.

    That is: `?` and `:name` for values; ON CONFLICT with the table's name before a
    column of the row that is there; a name for each subquery in FROM; no empty list after IN. Beyond it both take what
    `rows.tables` names (`NOW`, the larger of two numbers), INDEXED BY, and PRAGMA table_info.
    """

    def execute(self, text: str, values: Values = ..., /) -> Found:
        """Run one statement."""
        ...

    def executemany(self, text: str, values: Iterable[Values], /) -> Found:
        """Run one statement for each set of values."""
        ...


Step = Callable[[Rows], int]  # a short transaction of upkeep; returns how much it removed, 0: nothing is left to do


class Store(Protocol):
    """Where rows are kept. One thread uses it; other processes, and other machines, may have the same tables open.

    Whatever happens to the store (locked, away, replaced, full, damaged), each call ends in its result or in one of
    `StoreError`'s kinds, and a later one works again as soon as the store does. The kinds decide what follows:
    StoreBusy (with StoreLocked) and StoreFull are answers to a camera, 451 and 452; StoreRefused concerns one job
    alone; StoreDamaged and StoreForeign need the owner; StoreLost needs another process.
    """

    @property
    def place(self) -> str:
        """Return where it is, for the log and for people; without a password."""
        ...

    @property
    def node(self) -> str:
        """Return under which name this store claims pictures, "" where nobody else examines any."""
        ...

    @property
    def epoch(self) -> int:
        """Return a number that is another one when the tables are others: ids are those of one epoch. 0: none yet."""
        ...

    def open(self, *, wait_s: float | None = None) -> None:
        """Open, create, adopt or upgrade the tables; each of these in one transaction, whoever else does the same.

        Raises: ConfigError for what only the owner can change; StoreError and its kinds.
        """
        ...

    def close(self) -> None:
        """End the connection, if there is one."""
        ...

    def take_warnings(self) -> list[str]:
        """Return what the owner should know of the tables, once."""
        ...

    def write(
        self, work: Callable[[Rows], T], *, on_commit: Callable[[T], None] = ..., wait_s: float | None = None,
        is_small: bool = False,
    ) -> T:  # fmt: skip
        """Run `work` in one transaction; when this returns, it is on the disk and outlives a power cut.

        Args:
            work: Gets the rows; what it raises rolls everything back. It is run once.
            on_commit: Gets the result when others may see it and perhaps before the disk has it; it must not use the
                store.
            wait_s: How long to wait for locks, when not as long as the configuration says.
            is_small: Whether all of it may be held in memory twice.
        Raises: StoreError and its kinds. Then nothing may be answered for. Whether something was written is not known
            when the store went away in the midst of a commit; so jobs have ids, and to ask again is always right.
        """
        ...

    def read(self, work: Callable[[Rows], T]) -> T:
        """Run queries.

        Raises: StoreError and its kinds.
        """
        ...

    def is_passing(self, refusal: BaseException) -> bool:
        """Tell whether what was refused may be taken later: tables that are being altered, and not a wrong value."""
        ...

    def set_aside(self) -> str | None:
        """Put damaged tables aside, so that `open` begins new ones; return where, None when that is not allowed."""
        ...

    # --- space ------------------------------------------------------------------------------------------------------

    def check_space(self, rows: Rows, needed_bytes: int) -> None:
        """Refuse mails in time, inside their transaction, while there is still space to remove anything.

        Raises: StoreFull.
        """
        ...

    def has_space(self, needed_bytes: int) -> bool:
        """Tell whether there is space for what was refused a moment ago: then it was refused in passing."""
        ...

    def make_room(self, needed_bytes: int, senders: Collection[str], now: float) -> bool:
        """Let old rows give way to the mails of these senders; return whether it is worth trying again."""
        ...

    def free_bytes(self) -> int:
        """Return what is free, as far as it is known; else very much."""
        ...

    # --- upkeep -----------------------------------------------------------------------------------------------------

    def maintain(self, now: float, failed: Callable[[str, str], None], *, is_idle: bool) -> None:
        """Do what the store needs beyond transactions, as checkpoints, if it is time; it never raises StoreError.

        Args:
            now: Monotonic seconds.
            failed: Gets what did not work and why, "" when it does again.
            is_idle: Whether no message waits.
        """
        ...

    def steps(self, now: float, now_text: str) -> dict[str, tuple[Step, float]]:
        """Return the steps of upkeep that are this store's own, each with its pause when nothing is left to do."""
        ...

    def end(self) -> None:
        """Leave nothing behind that only a running service needs."""
        ...
