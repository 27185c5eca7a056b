"""Which store a configuration names."""

from __future__ import annotations

from collections.abc import Callable

from camalert.config import schema as config
from camalert.errors import ConfigError
from camalert.store import driver
from camalert.store.interface import Store
from camalert.store.sqlite import opening
from camalert.store.sqlite.store import SqliteStore


def store_of(settings: config.Database, alive: Callable[[], None] = lambda: None, *, node: str = "") -> Store:
    """Return the store of `[database]`, not opened yet.

    Args:
        settings: Where it is, and how it is kept.
        alive: Called again and again while tables are made, adopted or upgraded, which may take minutes.
        node: The name of a writer's node, where several share one database.
    Raises: ConfigError when it cannot be used here.
    """
    if not settings.url:
        return SqliteStore(settings, alive)
    if not driver.is_available():
        raise ConfigError(f"database.url {driver.MISSING}")
    from camalert.store.postgresql.store import PostgresqlStore  # noqa: PLC0415 - an extra

    return PostgresqlStore(settings, alive, node=node)


def advice(settings: config.Database) -> list[str]:
    """Return what the owner should know about the engine on this machine."""
    return [] if settings.url else opening.advice(settings.journal)
