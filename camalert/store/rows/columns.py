"""Columns that another program has added to Django's two tables: a row of ours needs values for them."""

from __future__ import annotations

from camalert.store.interface import Rows
from camalert.store.rows.tables import DjangoTable

COLUMNS = frozenset({"id", "subject", "timestamp", "snapshot"})


def neutral_values(connection: Rows, table: DjangoTable) -> tuple[str, str]:
    """Return what an INSERT needs for columns that another program has added and gives no default.

    Django keeps the default of a field in its own code and not in the database. They are looked up each time, which
    takes as long as a picture of 10 kB, because a `migrate` may run at any moment.

    Returns: The names and the values, each with a comma before it; "" and "" for the table as it should be.
    """
    foreign = without_default(connection, table)
    return "".join(f", {_quoted(name)}" for name in foreign), "".join(f", {value}" for value in foreign.values())


def without_default(connection: Rows, table: DjangoTable) -> dict[str, str]:
    """Return the foreign columns that must have a value, each with a neutral one as SQL."""
    columns = connection.execute(f"PRAGMA table_info({table.name})").fetchall()
    return {
        str(name): _neutral(str(declared).casefold())
        for _, name, declared, is_needed, default, key in columns
        if is_needed and default is None and not key and name not in COLUMNS
    }


def _neutral(declared: str) -> str:
    """Return a neutral value for a declared type, by the words that SQLite and Django use in it."""
    for words, value in (
        (("datetime", "timestamp"), "CURRENT_TIMESTAMP"), (("date",), "CURRENT_DATE"), (("time",), "'00:00:00'"),
        (("blob",), "x''"), (("boolean",), "false"), (("int", "bool", "real", "floa", "doub", "num", "dec"), "0"),
    ):  # fmt: skip
        if any(word in declared for word in words):
            return value
    return "''"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
