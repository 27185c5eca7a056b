"""Django's settings, made from the configuration: there is no settings module to edit.

Two databases: `default` is the site's own (logins, sessions, tokens), `alerts` is the service's. The second one is
opened without creating it, never checkpointed from here, and written in short IMMEDIATE transactions only.
"""

from __future__ import annotations

import logging
import os
import secrets
from pathlib import Path
from typing import Any

from camalert.config import Config

HERE = Path(__file__).parent
KEY_FILE = "secret-key"
SITE_BUSY_S = 10.0


def set_up(config: Config) -> None:
    """Configure and start Django in this process.

    Raises: OSError when the data folder cannot be made or written.
    """
    import django  # noqa: PLC0415 - an optional extra
    from django.conf import settings  # noqa: PLC0415

    folder = Path(config.review.data_dir)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings.configure(**build(config, secret_key(folder)))
    django.setup()
    # A warning for each page that is not there would be a line for each of a stranger's guesses.
    logging.getLogger("django.request").setLevel(logging.ERROR)
    logging.getLogger("waitress").setLevel(logging.ERROR)


def secret_key(folder: Path) -> str:
    """Return the key that signs sessions, made at the first start and readable by its owner only."""
    path = folder / KEY_FILE
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError:
        key = secrets.token_urlsafe(48)
    draft = folder / f".{KEY_FILE}.{os.getpid()}"
    draft.touch(mode=0o600)
    draft.write_text(key, encoding="ascii")
    os.replace(draft, path)
    return key


def build(config: Config, key: str) -> dict[str, Any]:
    """Return all settings as values."""
    review = config.review
    path = "/" + review.path.strip("/") if review.path.strip("/") else ""
    alerts = Path(config.database.path).absolute()
    return {
        "CAMALERT": config,
        "SECRET_KEY": key,
        "DEBUG": False,
        "ALLOWED_HOSTS": ["*"],  # decided by `guard`, which also knows private addresses and local names
        "ROOT_URLCONF": "camalert.review.urls",
        "FORCE_SCRIPT_NAME": path or None,
        "INSTALLED_APPS": [
            "django.contrib.admin",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "django.contrib.staticfiles",
            "camalert.review.alerts",
            "camalert.review.accounts",
        ],
        "MIDDLEWARE": [
            "camalert.review.guard.Guard",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "camalert.review.accounts.tokens.TokenMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "camalert.review.guard.LoginRequired",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        "TEMPLATES": [
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "DIRS": [HERE / "templates"],
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                        "camalert.review.navigation.context",
                    ]
                },
            }
        ],
        "DATABASES": {
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": str(Path(review.data_dir) / "site.sqlite3"),
                "OPTIONS": {
                    "timeout": SITE_BUSY_S,
                    "transaction_mode": "IMMEDIATE",
                    "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL",
                },
            },
            "alerts": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": f"{alerts.as_uri()}?mode=rw",  # never makes an empty database in the place of a missing one
                "OPTIONS": {
                    "timeout": config.database.busy_seconds,
                    "transaction_mode": "IMMEDIATE",
                    "init_command": "PRAGMA wal_autocheckpoint = 0; PRAGMA synchronous = FULL",
                },
                "CONN_MAX_AGE": 60,
            },
        },
        "DATABASE_ROUTERS": ["camalert.review.router.Router"],
        "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
        "STORAGES": {
            "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
            "staticfiles": {"BACKEND": "camalert.review.assets.Assets"},
        },
        "STATIC_URL": "static/",
        "STATICFILES_DIRS": [HERE / "static"],
        # Hard in memory, not in time: a small board needs a tenth of a second, and a graphics card not much less.
        "PASSWORD_HASHERS": ["django.contrib.auth.hashers.ScryptPasswordHasher"],
        "AUTH_PASSWORD_VALIDATORS": [
            {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
            {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
            {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
        ],
        "LOGIN_URL": "login",
        "LOGIN_REDIRECT_URL": "people",
        "LOGOUT_REDIRECT_URL": "login",
        "SESSION_COOKIE_NAME": "camalert_session",  # cookies know no ports: another Django may run on this machine
        "SESSION_COOKIE_AGE": int(review.session_days * 86_400),
        "SESSION_COOKIE_SAMESITE": "Lax",
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_PATH": path or "/",
        "CSRF_COOKIE_NAME": "camalert_csrf",
        "CSRF_COOKIE_SAMESITE": "Lax",
        "CSRF_COOKIE_HTTPONLY": True,  # the page carries the token for its scripts
        "CSRF_COOKIE_PATH": path or "/",
        "CSRF_FAILURE_VIEW": "camalert.review.views.faults.csrf_failed",
        "USE_TZ": False,  # the rows' times are the house's own; the site speaks of no others
        # Only a name, and never shown: set up by values, Django leaves the process's own time zone alone.
        "TIME_ZONE": "UTC",
        "USE_I18N": False,
        "LOGGING_CONFIG": None,  # the process's own logging takes it all
        "DATA_UPLOAD_MAX_NUMBER_FIELDS": 5000,
        "FORM_RENDERER": "django.forms.renderers.DjangoTemplates",
        "MESSAGE_STORAGE": "django.contrib.messages.storage.session.SessionStorage",
    }
