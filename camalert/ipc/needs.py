"""What each child needs of the system once it is set up: one row a child. docs/security.md has the same table in words.

Whoever adds a child adds its row; without one it does not start.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from camalert.config.build import without_secrets
from camalert.config.schema import Config
from camalert.config.targets import WEB_PUSH
from camalert.system.confinement import DISPOSABLE, Needs

BROWSERS = "push"  # in the site's data folder: who is told by Web Push
JOURNAL = "folder.reading"  # in the run directory: which file the folder process reads

WRITER, SMTP, READER, FOLDER, DECODER, DETECTOR = "writer", "smtp", "reader", "folder", "decoder", "detector"
METRICS, REVIEW, THUMBNAILS, NOTIFIER = "metrics", "review", "thumbnails", "notifier"


def table(config: Config) -> dict[str, Needs]:
    """Return the needs of every kind of child."""
    run_dir = config.service.run_dir
    database = _folders_of(config.database.path)
    return {
        # It names the program that has the database locked: /proc/locks and the programs' names.
        WRITER: _of_server(config.database.url) if config.database.url else Needs(reads=("/proc",), writes=database),
        SMTP: Needs(serves=True, starts=True),
        READER: DISPOSABLE,
        FOLDER: Needs(
            writes=(config.intake.folder.path,), updates=(str(Path(run_dir) / JOURNAL),), moves=True,
            files=DISPOSABLE.files,
        ),
        DECODER: DISPOSABLE,
        DETECTOR: replace(DISPOSABLE, connects=config.detector.engine == "remote"),
        METRICS: Needs(reads=(run_dir,), serves=True, binds=(config.metrics.port,), files=DISPOSABLE.files),
        REVIEW: Needs(
            reads=(run_dir,), writes=(config.review.data_dir, *database), serves=True, starts=True,
            binds=(config.review.port,),
        ),
        THUMBNAILS: DISPOSABLE,
        # A reader of SQLite's WAL writes into its index. With Web Push it removes the browsers that have ended.
        NOTIFIER: Needs(reads=(run_dir,), writes=(*database, *_browsers(config)), connects=True),
    }  # fmt: skip


def _browsers(config: Config) -> tuple[str, ...]:
    """Return the folder of the browsers that are told, where there is a target for them."""
    is_on = any(target.url.startswith(f"{WEB_PUSH}:") for target in config.notify)
    return (str(Path(config.review.data_dir) / BROWSERS),) if is_on else ()


def of(kind: str, config: Config) -> Needs | None:
    """Return what a kind of child needs, None when nothing is to be taken from any."""
    return table(config)[kind] if config.service.confine else None


def told(kind: str, config: Config) -> Config:
    """Return the configuration as a kind of child gets it: of the secrets those that it uses."""
    bare = without_secrets(config)
    return replace(
        bare,
        smtp=config.smtp if kind == SMTP else bare.smtp,
        database=config.database if kind == WRITER else bare.database,
        notify=config.notify if kind == NOTIFIER else bare.notify,
    )


def kind_of(name: str) -> str:
    """Return the kind of a child by its name: "decoder" of "decoder-2"."""
    return name.partition("-")[0]


def _of_server(url: str) -> Needs:
    """Return what a client of PostgreSQL needs: a connection, and the files that say who it is and whom it trusts."""
    parts = urlsplit(url)
    named = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    home = Path.home()
    usual = (home / ".pgpass", home / ".postgresql", home / ".pg_service.conf", Path("/etc/postgresql-common"))
    files = [named[name] for name in ("passfile", "sslrootcert", "sslcert", "sslkey", "sslcrl") if name in named]
    files += [os.environ[name] for name in ("PGPASSFILE", "PGSERVICEFILE", "PGSYSCONFDIR") if name in os.environ]
    host = named.get("host", parts.hostname or "")
    folders = [one for one in host.split(",") if one.startswith("/")] if host else ["/run/postgresql", "/tmp"]  # noqa: S108
    return Needs(reads=(*map(str, usual), *files), sockets=tuple(folders), connects=True)


def _folders_of(file: str) -> tuple[str, ...]:
    """Return the folders of a file and of what it is a link to: companions of a database lie beside either."""
    path = Path(file).absolute()
    return tuple(dict.fromkeys((str(path.parent), str(path.resolve().parent))))
