"""Which database a model's rows are in: the service's tables are in `alerts`, everything else is the site's own."""

from __future__ import annotations

from typing import Any

ALERTS = "alerts"


class Router:
    """Send the app `alerts` to the database `alerts`; nothing is ever migrated there."""

    def db_for_read(self, model: Any, **_hints: Any) -> str | None:
        """Return the database to read a model from."""
        return ALERTS if model._meta.app_label == ALERTS else None

    def db_for_write(self, model: Any, **_hints: Any) -> str | None:
        """Return the database to write a model to."""
        return ALERTS if model._meta.app_label == ALERTS else None

    def allow_migrate(self, db: str, app_label: str, **_hints: Any) -> bool:
        """Tell whether a migration may touch a database: the service makes its tables itself."""
        return ALERTS not in (db, app_label)
