"""The service's state: what runs, what waits, how full the disk is, what went wrong last."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from camalert import status
from camalert.errors import StatusError
from camalert.review.alarm import local_time
from camalert.statusview import health


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Show the page."""
    return render(request, "review/status.html", facts())


@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """Give the part of the page that changes."""
    return render(request, "review/_status.html", facts())


def facts() -> dict[str, Any]:
    """Return what the page shows."""
    config = settings.CAMALERT
    database = Path(config.database.path)
    found: dict[str, Any] = {"database": str(database), "sizes": _sizes(database), "service": None}
    try:
        service = status.read(Path(config.service.run_dir))
    except StatusError as error:
        return found | {"words": str(error), "health": "unknown"}
    is_alive = Path(f"/proc/{service.pid}").exists()
    judgement, words = health(service, time.time(), is_alive=is_alive)
    return found | {
        "service": service,
        "words": words,
        "health": judgement.name.lower(),
        "started": local_time(service.started_utc),
        "children": service.children,
        "troubles": [(local_time(trouble.at_utc), trouble) for trouble in reversed(service.troubles)],
    }


def _sizes(database: Path) -> list[tuple[str, int]]:
    names = (("Database", database), ("Its log of changes", database.with_name(database.name + "-wal")))
    sizes = [(words, os.path.getsize(path)) for words, path in names if path.exists()]
    try:
        disk = shutil.disk_usage(database.parent)
    except OSError:
        return sizes
    return [*sizes, ("Free on its disk", disk.free), ("Its disk", disk.total)]
