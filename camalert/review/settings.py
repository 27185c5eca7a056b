"""Django for this process: its settings, made from the configuration, and the site's own database.

Two databases: `default` is the site's own (logins, sessions, tokens), `alerts` is the service's. The second one is
opened without creating it, never checkpointed from here, and written in short IMMEDIATE transactions only.
"""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path
from typing import Any

from camalert.config.schema import Config, Review
from camalert.errors import CamalertError
from camalert.system import keyfile, networks

ALERTS = "alerts"
HERE = Path(__file__).parent
KEY_FILE = "secret-key"
SITE_BUSY_S = 10.0
LANGUAGES = (
    ("en", "English"),
    ("de", "Deutsch"),
    ("es", "Español"),
    ("fr", "Français"),
    ("it", "Italiano"),
    ("nl", "Nederlands"),
    ("pt", "Português"),
)
CATALOGUES = HERE / "locale"


class Router:
    """Send the app `alerts` to the database `alerts`, where nothing is ever migrated: the service makes its tables."""

    def db_for_read(self, model: Any, **_hints: Any) -> str | None:
        """Return the database of a model."""
        return ALERTS if model._meta.app_label == ALERTS else None

    db_for_write = db_for_read

    def allow_migrate(self, db: str, app_label: str, **_hints: Any) -> bool:
        """Allow migrations of the site's own tables only."""
        return ALERTS not in (db, app_label)


def open_site(config: Config) -> None:
    """Set Django up and bring the site's own database up to date.

    Raises: CamalertError when the data folder or what is in it cannot be used.
    """
    import django  # noqa: PLC0415 - an optional extra
    from django.conf import settings  # noqa: PLC0415
    from django.core.management import call_command  # noqa: PLC0415
    from django.db import DatabaseError  # noqa: PLC0415

    folder = Path(config.review.data_dir)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        settings.configure(**build(config, keyfile.key(folder / KEY_FILE)))
        django.setup()
        # A warning for each missing page would be a log line for each address that a scanner tries.
        logging.getLogger("django.request").setLevel(logging.ERROR)
        logging.getLogger("django.security").setLevel(logging.ERROR)  # of a refused form `error_pages` writes a line
        logging.getLogger("waitress").setLevel(logging.ERROR)
        call_command("migrate", database="default", verbosity=0, interactive=False)
        _keep_private(folder)
    except DatabaseError as error:
        raise CamalertError(f"{folder}/site.sqlite3 cannot be used: {error}") from error
    except OSError as error:
        raise CamalertError(f"review.data_dir = {folder} cannot be used: {error.strerror}") from error


def prefix(review: Review) -> str:
    """Return the configured path as it stands before every address: "/camalert", or ""."""
    path = review.path.strip("/")
    return f"/{path}" if path else ""


def _keep_private(folder: Path) -> None:
    """Take every right to our own regular files from others: they hold sessions and pictures.

    By path, with no more than our own rights (`rights`): closing a descriptor of the database here would release
    SQLite's locks on it.
    """
    for path in folder.iterdir():
        found = path.lstat()
        if stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid() and found.st_nlink == 1:
            path.chmod(0o600)


def build(config: Config, key: str) -> dict[str, Any]:
    """Return all of Django's settings."""
    review = config.review
    path = prefix(review)
    alerts = Path(config.database.path).absolute()
    return {
        "CAMALERT": config,
        # Asked for now: the process gives up its right to open sockets.
        "CAMALERT_ADDRESS": networks.own_address(),
        "SECRET_KEY": key,
        "DEBUG": False,
        "ALLOWED_HOSTS": ["*"],  # `guard` decides: it also knows private addresses and local names
        "ROOT_URLCONF": "camalert.review.urls",
        "FORCE_SCRIPT_NAME": path or None,
        "INSTALLED_APPS": [
            *(["django.contrib.admin"] if review.admin else []),
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "django.contrib.staticfiles",
            "camalert.review.alerts",
            "camalert.review.accounts",
            "camalert.review.sharing",
        ],
        "MIDDLEWARE": [
            "camalert.review.guard.Guard",
            "camalert.review.compression.Compressed",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "camalert.review.languages.Language",
            "camalert.review.guard.Tokens",
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
                        "camalert.review.urls.menu",
                        "camalert.review.views.switches.on_every_page",
                    ],
                    "builtins": [
                        "django.templatetags.i18n",
                        "django.templatetags.l10n",
                        "camalert.review.formats",
                        "camalert.review.sentences",
                        "camalert.review.views.day",
                    ],
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
            ALERTS: {
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
        "DATABASE_ROUTERS": ["camalert.review.settings.Router"],
        "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
        "STORAGES": {
            "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
            "staticfiles": {"BACKEND": "camalert.review.assets.Assets"},
        },
        "STATIC_URL": "static/",
        "STATICFILES_DIRS": [HERE / "static"],
        "PASSWORD_HASHERS": ["camalert.review.passwords.Hasher"],
        "AUTH_PASSWORD_VALIDATORS": [
            {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
            {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
            {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
            {"NAME": "camalert.review.accounts.models.EndTokens"},
        ],
        "LOGIN_URL": "login",
        "LOGIN_REDIRECT_URL": "visits",
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
        "CSRF_FAILURE_VIEW": "camalert.review.views.error_pages.csrf_failed",
        "USE_TZ": False,  # the rows' times are local; the site shows no others
        # Only a name, and never shown: set up by values, Django leaves the process's own time zone alone.
        "TIME_ZONE": "UTC",
        "USE_I18N": True,
        "LANGUAGE_CODE": "en",
        "LANGUAGES": LANGUAGES,
        "LOCALE_PATHS": [CATALOGUES],
        "LOGGING_CONFIG": None,  # the process's own logging takes it all
        "DATA_UPLOAD_MAX_NUMBER_FIELDS": 5000,
        "FORM_RENDERER": "django.forms.renderers.DjangoTemplates",
        "MESSAGE_STORAGE": "django.contrib.messages.storage.session.SessionStorage",
    }
