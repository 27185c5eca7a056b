"""The app `alerts`, named as in the original site so that the admin's addresses are the same."""

from __future__ import annotations

from django.apps import AppConfig


class AlertsConfig(AppConfig):
    """Hold the unmanaged models of the database `alerts`."""

    name = "camalert.review.alerts"
    label = "alerts"
    verbose_name = "Alarms"
    default_auto_field = "django.db.models.BigAutoField"
