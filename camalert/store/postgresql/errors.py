"""What PostgreSQL's errors mean for a camera and for the owner."""

from __future__ import annotations

import psycopg

from camalert.errors import StoreBusy, StoreDamaged, StoreError, StoreFull, StoreLocked, StoreRefused

ALTERED = "0A000"  # what a prepared statement says whose result has another shape now

# By SQLSTATE, or its class. Source: the appendix "PostgreSQL Error Codes" of its manual.
_MEANINGS: dict[str, tuple[type[StoreError], str]] = {
    ALTERED: (StoreBusy, "the database's tables were altered meanwhile"),
    "08": (StoreBusy, "the database server cannot be reached"),
    "25006": (StoreBusy, "the database is read-only: a standby, or one that was set so"),
    "25P03": (StoreBusy, "the database server ended the connection"),
    "40": (StoreLocked, "another program changes the same rows of the database"),
    "53100": (StoreFull, "the disk of the database server is full"),
    "53": (StoreBusy, "the database server has too little memory or too many connections"),
    "55P03": (StoreLocked, "another program holds a lock on the database"),
    "57": (StoreBusy, "the database server stops, starts, or has cancelled the statement"),
    "58": (StoreBusy, "the database server's disk reported an error"),
    "XX001": (StoreDamaged, "the database is damaged"),
    "XX002": (StoreDamaged, "an index of the database is damaged"),
}


def translate(error: psycopg.Error, *, is_away: bool = False) -> StoreError:
    """Return our error for one of PostgreSQL's; what is not known counts as the statement's own fault.

    Args:
        error: The driver's.
        is_away: Whether the connection is gone, or there never was one.
    """
    code = error.sqlstate or ""
    kind, message = (
        _MEANINGS.get(code) or _MEANINGS.get(code[:2]) or (StoreRefused, "the database refused the statement")
    )
    if is_away and kind is StoreRefused:
        kind, message = StoreBusy, "the database server cannot be reached"
    said = " ".join(str(error).split()) or type(error).__name__
    return kind(f"{message} ({said}{f', {code}' if code else ''})")


def is_passing(refusal: BaseException) -> bool:
    """Tell whether what was refused may be taken later: tables that are being altered, and not a wrong value."""
    cause = refusal.__cause__
    return isinstance(cause, psycopg.Error) and bool(cause.sqlstate) and not str(cause.sqlstate).startswith("22")
