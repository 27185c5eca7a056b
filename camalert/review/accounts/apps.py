"""The app `accounts`: the site's own tables beside Django's users and sessions."""

from __future__ import annotations

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Hold the tokens."""

    name = "camalert.review.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"
