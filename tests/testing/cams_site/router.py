"""Send the app `alerts` to its database, everything else to the default one."""

from __future__ import annotations

from typing import Any


class AlertsRouter:
    """Route by the app's label."""

    def db_for_read(self, model: Any, **_hints: Any) -> str | None:
        return "alerts" if model._meta.app_label == "alerts" else None

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, **_hints: Any) -> bool:
        return (db == "alerts") == (app_label == "alerts")
