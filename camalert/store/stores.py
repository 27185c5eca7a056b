"""Which store a configuration names."""

from __future__ import annotations

from collections.abc import Callable

from camalert.config import schema as config
from camalert.store.interface import Store
from camalert.store.sqlite import opening
from camalert.store.sqlite.store import SqliteStore


def store_of(settings: config.Database, alive: Callable[[], None] = lambda: None) -> Store:
    """Return the store of `[database]`, not opened yet.

    Args:
        settings: Where it is, and how it is kept.
        alive: Called again and again while tables are made, adopted or upgraded, which may take minutes.
    """
    return SqliteStore(settings, alive)


def advice(settings: config.Database) -> list[str]:
    """Return what the owner should know about the engine on this machine."""
    return opening.advice(settings.journal)
