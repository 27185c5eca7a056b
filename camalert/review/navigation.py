"""What every page shows around its content."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from camalert import __version__

PAGES = (("people", "People"), ("alarms", "All alarms"), ("cameras", "Cameras"), ("test", "Test"), ("status", "Status"))


def context(request: HttpRequest) -> dict[str, Any]:
    """Return the pages and which one is open."""
    found = getattr(request, "resolver_match", None)
    return {"pages": PAGES, "open_page": found.url_name if found else "", "version": __version__}
