"""The status page: what runs, what is pending, how full the disk is, what went wrong last."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from camalert.errors import StatusError
from camalert.notify import outbox
from camalert.review import figures, tally
from camalert.review.sentences import sentence
from camalert.review.views import switches, visits
from camalert.status import model as status
from camalert.status.text import health


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Show the page."""
    return render(request, "review/status.html", _facts() | _keeping())


@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """Return the part of the page that changes."""
    return render(request, "review/_status.html", _facts() | _keeping())


@require_safe
def alive(_request: HttpRequest) -> HttpResponse:
    """Tell every open page whether the service works."""
    found = _facts()
    answer = {"health": found["health"], "message": sentence(found["message"])}
    with contextlib.suppress(DatabaseError):
        answer["to_review"] = visits.counted(visits.to_review())
    return JsonResponse(answer)


def _facts() -> dict[str, Any]:
    config = settings.CAMALERT
    database = Path(config.database.path)
    found: dict[str, Any] = {"database": str(database), "sizes": _sizes(database), "service": None}
    with contextlib.suppress(DatabaseError):  # the page says elsewhere that the database is away
        found |= {"targets": _targets(), "switched": switches.shown(), "exceptions": switches.exceptions()}
    try:
        service = status.read(Path(config.service.run_dir))
    except StatusError as error:
        return found | {"message": str(error), "health": "unknown"}
    # Our parent, or one that a process without rights may see: proc(5), hidepid.
    is_alive = service.pid == os.getppid() or Path(f"/proc/{service.pid}").exists()
    judgement, message = health(service, time.time(), is_alive=is_alive)
    return found | {
        "service": service,
        "message": message,
        "health": judgement.name.lower(),
        "problems": list(reversed(service.problems)),
    }


def _targets() -> list[tuple[str, outbox.Record]]:
    """Return how each target has fared."""
    names = [target.name for target in settings.CAMALERT.notify]
    return switches.read(lambda found: [(name, outbox.record_of(found, name)) for name in names])


def _keeping() -> dict[str, Any]:
    """Return how many rows of the two tables are there and may be, and the oldest."""
    names = {"alerts_alert": gettext("Alarms"), "alerts_detect": gettext("Pictures with people")}
    with contextlib.suppress(DatabaseError):
        found = tally.kept()
        rows = [(title, figures.keeping(*found[name], 0)) for name, title in names.items() if name in found]
        return {"keeping": rows}
    return {}


def _sizes(database: Path) -> list[tuple[str, int]]:
    files = ((gettext("Database"), database), (gettext("Write-ahead log"), database.with_name(database.name + "-wal")))
    sizes = [(name, os.path.getsize(path)) for name, path in files if path.exists()]
    with contextlib.suppress(OSError):
        disk = shutil.disk_usage(database.parent)
        sizes += [(gettext("Disk, free"), disk.free), (gettext("Disk, whole"), disk.total)]
    return sizes
