"""A site of the same shape as cams: one app in a database of its own. Paths and options come from the environment."""

from __future__ import annotations

import json
import os
from pathlib import Path

HOME = Path(os.environ["CAMS_HOME"])
SECRET_KEY = "only for tests"
ALLOWED_HOSTS = ["testserver"]
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "alerts",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
ROOT_URLCONF = "urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES = {
    "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": HOME / "default.sqlite3"},
    "alerts": json.loads(os.environ.get("CAMS_DATABASE", "null"))
    or {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["CAMS_ALERTS"],
        "OPTIONS": json.loads(os.environ.get("CAMS_OPTIONS", "{}")),
    },
}
if "CAMS_DATABASE" in os.environ:
    TIME_ZONE = "UTC"  # a time zone is PostgreSQL's affair, and nobody's in SQLite
DATABASE_ROUTERS = ["router.AlertsRouter"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = False
STATIC_URL = "static/"
