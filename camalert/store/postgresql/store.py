"""The store in a PostgreSQL database: one connection, transactions that end in an answer, and reconnection.

All transactions that write take one advisory lock, so that the rules run one after another as they do in a file, also
when several connections write: the repeat rule, the bounds and the visits look before they insert. The lock ends with
the transaction, or with the connection.

Connections that were lost are made anew by the next call. A commit whose answer was lost may have happened; then the
same mail finds its row, and the same verdict finds no pending one.

Source: the PostgreSQL manual, "Explicit Locking" (advisory locks), "Database Connection Control Functions".
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.numeric import NumericBinaryLoader

from camalert.config import schema as config
from camalert.config.postgresql import place_of
from camalert.errors import ConfigError, StoreBusy, StoreError, StoreForeign
from camalert.store.interface import Rows, Step, Values
from camalert.store.postgresql import schema
from camalert.store.postgresql.dialect import statement, values_of
from camalert.store.postgresql.errors import ALTERED, is_passing, translate
from camalert.store.rows import retention

T = TypeVar("T")

WRITING_LOCK = 0x63616D_616C6572  # of a transaction that writes: "camaler"
NODES = 0x63616D  # of the locks that say which nodes are there: "cam", and the node's name
CONNECT_S = 5  # for each of the hosts; a camera waits for it
AGAIN_S = 1.0  # after a connection that failed, during which others fail at once
STATEMENT_S = 60.0  # no statement of ours takes near as long; one that does is of no use to anybody who waits
SIZE_EVERY_S = 1.0
VERY_MUCH_BYTES = 1 << 62

OLDEST_SERVER = 14  # the first with CREATE OR REPLACE TRIGGER

# What is noticed of a server that does not answer any more, in seconds and, the last one, milliseconds.
_WATCHING = {
    "keepalives_idle": 10, "keepalives_interval": 3, "keepalives_count": 3, "tcp_user_timeout": 15_000,
}  # fmt: skip
# And what the server notices of us, so that the locks of a node that was cut off do not outlive it.
_WATCHED = {
    "tcp_keepalives_idle": 10, "tcp_keepalives_interval": 3, "tcp_keepalives_count": 3, "tcp_user_timeout": 15_000,
    "idle_in_transaction_session_timeout": 60_000,
}  # fmt: skip
HALF_A_YEAR_S = 182 * 86_400


class _WholeNumbers(NumericBinaryLoader):
    """Sums of whole numbers come as exact decimals, and are whole numbers."""

    def load(self, data: Any) -> Any:
        """Return an int for a whole number, else a float."""
        found = super().load(data)
        return int(found) if found == found.to_integral_value() else float(found)


class PostgresqlRows:
    """The tables within a transaction, or outside of one for queries."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def execute(self, text: str, values: Values = (), /) -> PostgresqlFound:
        """Run one statement of the rules."""
        found = statement(text)
        cursor = self._connection.cursor(binary=True)
        cursor.execute(found.text.encode(), values_of(values))
        return PostgresqlFound(cursor, makes_id=found.makes_id)

    def executemany(self, text: str, values: Iterable[Values], /) -> PostgresqlFound:
        """Run one statement of the rules for each set of values."""
        cursor = self._connection.cursor(binary=True)
        cursor.executemany(statement(text).text.encode(), [values_of(each) for each in values])
        return PostgresqlFound(cursor, makes_id=False)


class PostgresqlFound:
    """What a statement found or did."""

    def __init__(self, cursor: psycopg.Cursor[Any], *, makes_id: bool) -> None:
        self._cursor = cursor
        self.rowcount = cursor.rowcount
        row = cursor.fetchone() if makes_id else None
        self.lastrowid: int | None = row[0] if row else None

    def fetchone(self) -> Any:
        """Return the next row, None after the last."""
        return self._cursor.fetchone()

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""
        return self._cursor.fetchall()

    def __iter__(self) -> Iterator[Any]:
        return iter(self._cursor)


class PostgresqlStore:
    """Keep rows in a PostgreSQL database; see `store.interface`."""

    def __init__(self, settings: config.Database, alive: Callable[[], None] = lambda: None, *, node: str = "") -> None:
        """Connect to nothing yet.

        Args:
            settings: `url` and `password_file` say where it is, and who we are.
            alive: Called again and again while tables are made, adopted or upgraded.
            node: Under which name pictures are claimed; of each name one store at a time works. "": none are.
        Raises: ConfigError when the URL or the password's file cannot be read.
        """
        self.epoch = 0
        self._settings = settings
        self._alive = alive
        self.node = node
        self._parameters = _parameters(settings)
        # Found now, for a confined process cannot read it.
        self._zone = "UTC" if settings.timestamps == "utc" else _local_zone()
        self._connection: psycopg.Connection[Any] | None = None
        self._identity = ""
        self._warnings: list[str] = []
        self._not_before = 0.0
        self._fault: StoreError | None = None  # why there was no connection a moment ago

    @property
    def place(self) -> str:
        """Return the URL's parts that name the database."""
        return place_of(self._settings.url)

    def open(self, *, wait_s: float | None = None) -> None:
        """Connect, then create, adopt or upgrade the tables.

        Raises: ConfigError when the first database of this process is not fit for us; StoreError and its kinds.
        """
        self._let_go()
        connection = self._connect()
        try:
            with self._translated(connection):
                self._make_ready(connection, self._settings.busy_seconds if wait_s is None else wait_s)
        except StoreForeign as fault:
            connection.close()
            if not self.epoch:
                raise ConfigError(f"{self.place}: {fault}") from fault
            raise
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def look(self) -> int | None:
        """Return how many alerts there are, None when the tables are still to be made; nothing is changed.

        Raises: StoreForeign when the server or the database is not fit for us; StoreError and its kinds.
        """
        with contextlib.closing(self._connect()) as connection, self._translated(connection):
            _refuse_unfit(connection)
            return schema.look(PostgresqlRows(connection))

    def close(self) -> None:
        """End the connection, if there is one."""
        self._let_go()

    def take_warnings(self) -> list[str]:
        """Return what the owner should know of the tables, once."""
        found, self._warnings = self._warnings, []
        return found

    def write(
        self, work: Callable[[Rows], T], *, on_commit: Callable[[T], None] = lambda _: None,
        wait_s: float | None = None, is_small: bool = False,
    ) -> T:  # fmt: skip
        """Run `work` in one transaction; the server has it on its disk when this returns. See `Store.write`."""
        connection = self._ready(wait_s)
        with self._translated(connection):
            try:
                _begin(connection, self._settings.busy_seconds if wait_s is None else wait_s)
                result = work(PostgresqlRows(connection))
                connection.execute("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise
        on_commit(result)
        return result

    def read(self, work: Callable[[Rows], T]) -> T:
        """Run queries, each in a transaction of its own."""
        connection = self._ready()
        with self._translated(connection):
            return work(PostgresqlRows(connection))

    def is_passing(self, refusal: BaseException) -> bool:
        """Tell whether what was refused may be taken later."""
        return is_passing(refusal)

    def set_aside(self) -> None:
        """Leave a damaged database as it is: the server's owner has its backups."""

    # --- space: the server's disk is its owner's ----------------------------------------------------------------------

    def check_space(self, rows: Rows, needed_bytes: int) -> None:
        """Leave it to the server, which refuses what does not fit and goes on."""

    def has_space(self, needed_bytes: int) -> bool:
        """Tell nothing: the server knows."""
        return False

    def make_room(self, needed_bytes: int, senders: Collection[str], now: float) -> bool:
        """Remove nothing: rows that are deleted give their space back only later, when the server vacuums."""
        return False

    def free_bytes(self) -> int:
        """Return very much: what is free on the server's disk is not known."""
        return VERY_MUCH_BYTES

    # --- upkeep -------------------------------------------------------------------------------------------------------

    def maintain(self, now: float, failed: Callable[[str, str], None], *, is_idle: bool) -> None:
        """Do nothing: the server checkpoints and vacuums."""

    def steps(self, now: float, now_text: str) -> dict[str, tuple[Step, float]]:
        """Keep what is stored within `keep_bytes`."""
        limit_bytes = self._settings.keep_bytes
        if not limit_bytes:
            return {}
        return {"size": (lambda rows: retention.by_size(rows, limit_bytes, now_text, _held_bytes), SIZE_EVERY_S)}

    def end(self) -> None:
        """Leave nothing behind: there is nothing."""

    # --- the connection -----------------------------------------------------------------------------------------------

    def _ready(self, wait_s: float | None = None) -> psycopg.Connection[Any]:
        if self._connection is not None and (self._connection.closed or self._connection.broken):
            self._let_go()
        if self._connection is None:
            if self._fault is not None and time.monotonic() < self._not_before:
                raise type(self._fault)(str(self._fault))
            try:
                self.open(wait_s=wait_s)
            except StoreError as fault:
                self._fault, self._not_before = fault, time.monotonic() + AGAIN_S
                raise
            self._fault = None
        assert self._connection is not None  # noqa: S101 - open() ends in a connection or raises
        return self._connection

    def _connect(self) -> psycopg.Connection[Any]:
        try:
            connection = psycopg.connect(**self._parameters, autocommit=True)
        except psycopg.Error as error:
            raise translate(error, is_away=True) from error
        connection.adapters.register_loader("numeric", _WholeNumbers)
        return connection

    def _make_ready(self, connection: psycopg.Connection[Any], wait_s: float) -> None:
        _refuse_unfit(connection)
        for name, value in _WATCHED.items():
            _set(connection, name, str(value))
        # Ours, whatever the others' is; set in any case, or the server's owner could change it under us.
        waits_for = _setting(connection, "synchronous_commit")
        _set(connection, "synchronous_commit", "on" if waits_for == "off" else waits_for)
        if _setting(connection, "transaction_read_only") == "on":
            raise StoreBusy("the database is read-only: a standby, or one that was set so")
        _set_zone(connection, self._zone, is_local=self._settings.timestamps != "utc")
        if self.node and not _is_alone(connection, self.node):
            raise StoreBusy(
                f"another camalert of the name {self.node} uses this database; this one waits until it is gone: give "
                "each a node.name of its own"
            )
        self._alive()
        connection.execute("SET statement_timeout = 0")  # facts of a large database take their time
        rows = PostgresqlRows(connection)
        try:
            _begin(connection, wait_s)
            self._warnings += schema.prepare(rows, connection.execute, self._settings, self._zone, time.time())
            found = schema.identity(rows)
            connection.execute("COMMIT")
        except BaseException:
            _roll_back(connection)
            raise
        connection.execute(f"SET statement_timeout = {int(STATEMENT_S * 1000)}")
        if found != self._identity:
            self._identity = found
            self.epoch += 1

    @contextlib.contextmanager
    def _translated(self, connection: psycopg.Connection[Any]) -> Iterator[None]:
        """Raise our errors for the driver's, and leave a connection that is gone."""
        try:
            yield
        except psycopg.Error as error:
            is_away = bool(connection.closed or connection.broken)
            if error.sqlstate == ALTERED:
                connection.close()  # what it has prepared goes with it
            if connection.closed and self._connection is connection:
                self._connection = None
            raise translate(error, is_away=is_away) from error

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _parameters(settings: config.Database) -> dict[str, Any]:
    """Return what libpq is told."""
    try:
        found: dict[str, Any] = conninfo_to_dict(settings.url)
    except psycopg.Error as error:
        raise ConfigError(f"database.url cannot be read: {' '.join(str(error).split())}") from error
    if settings.password_file:
        try:
            found["password"] = Path(settings.password_file).read_text(encoding="utf-8").strip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"database.password_file = {settings.password_file} cannot be read: {error}") from error
    if "," in str(found.get("host", "")):
        found.setdefault("target_session_attrs", "read-write")  # of several servers the one that is no standby
    return {
        "application_name": "camalert",
        "connect_timeout": CONNECT_S,
        "client_encoding": "UTF8",
        **_WATCHING,
        **found,
    }


def _begin(connection: psycopg.Connection[Any], wait_s: float) -> None:
    """Begin a transaction as the only one of ours that writes."""
    wait_ms = max(1, int(wait_s * 1000))
    connection.execute(
        f"BEGIN; SET LOCAL lock_timeout = {wait_ms}; SELECT pg_advisory_xact_lock({WRITING_LOCK})".encode()
    )


def _roll_back(connection: psycopg.Connection[Any]) -> None:
    with contextlib.suppress(psycopg.Error):
        if not connection.closed and not connection.broken:
            connection.execute("ROLLBACK")


def _is_alone(connection: psycopg.Connection[Any], node: str) -> bool:
    """Note that a node is there, as long as the connection lasts; return False when one of its name is already."""
    row = connection.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", (NODES, node)).fetchone()
    return bool(row and row[0])


def _refuse_unfit(connection: psycopg.Connection[Any]) -> None:
    """Refuse a server that cannot do, or does not keep, what a mail's answer promises.

    Raises: StoreForeign with the reason.
    """
    version = connection.info.server_version // 10_000
    if version < OLDEST_SERVER:
        raise StoreForeign(f"the database server is PostgreSQL {version}: camalert needs {OLDEST_SERVER} or newer")
    if (encoding := _setting(connection, "server_encoding")) != "UTF8":
        raise StoreForeign(
            f"the database has the encoding {encoding}, and mails have characters that it lacks: create one with UTF8"
        )
    schema.refuse_unsafe({name: _setting(connection, name) for name in schema.SAFE})


def _setting(connection: psycopg.Connection[Any], name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
    return str(row[0]) if row else ""


def _set(connection: psycopg.Connection[Any], name: str, value: str) -> None:
    connection.execute("SELECT set_config(%s, %s, false)", (name, value))


def _set_zone(connection: psycopg.Connection[Any], zone: str, *, is_local: bool) -> None:
    """Let the session write moments in a zone.

    Raises: StoreForeign when the server does not know it, or it is not the one this machine's clock shows.
    """
    known = connection.execute("SELECT name FROM pg_timezone_names WHERE name = %s", (zone,)).fetchone()
    if known is None:
        raise StoreForeign(
            f'the database server knows no time zone {zone}, which is this machine\'s: set database.timestamps = "utc"'
        )
    _set(connection, "TimeZone", zone)
    now = time.time()
    for moment in (now, now + HALF_A_YEAR_S) if is_local else ():  # with summer time and without
        row = connection.execute("SELECT extract(timezone FROM to_timestamp(%s))::int", (moment,)).fetchone()
        if row is None or row[0] != time.localtime(moment).tm_gmtoff:
            raise StoreForeign(
                f"this machine's clock does not show the time that the database server has for {zone}: set TZ to the "
                'name of the zone, or database.timestamps = "utc"'
            )


def _local_zone() -> str:
    """Return the name of this machine's time zone, as far as it is known."""
    if named := os.environ.get("TZ", "").lstrip(":"):
        return named
    with contextlib.suppress(OSError):
        _, is_found, name = str(Path("/etc/localtime").readlink()).partition("zoneinfo/")
        if is_found:
            return name
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return Path("/etc/timezone").read_text(encoding="utf-8").strip() or "UTC"
    return "UTC"


def _held_bytes(rows: Rows) -> int:
    """Return the size of all that is stored."""
    return int(rows.execute("SELECT coalesce(sum(bytes), 0) FROM camalert_holder").fetchone()[0])
