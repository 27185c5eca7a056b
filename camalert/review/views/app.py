"""The site as an app on a phone or a desk: its manifest, its worker, and what it shows when nothing answers."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import get_script_prefix, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from camalert.review import assets
from camalert.review.views import push

ICONS = (("icon-192", 192, "any"), ("icon-512", 512, "any"), ("icon-maskable-512", 512, "maskable"))
SHORTCUTS = (
    (_("People"), "people"),
    (_("All alarms"), "alarms"),
    (_("Cameras"), "cameras"),
    (_("Status"), "status"),
)
LOCAL = ("localhost", "127.0.0.1", "[::1]")


@login_not_required
@require_safe
def manifest(_request: HttpRequest) -> HttpResponse:
    """Return the manifest; browsers ask for it without a session."""
    root = get_script_prefix()
    found = {
        "id": root,
        "name": "camalert",
        "short_name": "camalert",
        "description": gettext("Who was in front of your cameras"),
        "start_url": root,
        "scope": root,
        "display": "standalone",
        "background_color": "#0e1316",
        "theme_color": "#0f5f73",
        "icons": [
            {"src": static(f"review/{name}.png"), "sizes": f"{size}x{size}", "type": "image/png", "purpose": purpose}
            for name, size, purpose in ICONS
        ],
        "shortcuts": [{"name": str(title), "url": reverse(name)} for title, name in SHORTCUTS],
    }
    return JsonResponse(found, content_type="application/manifest+json")


@login_not_required
@require_safe
def worker(_request: HttpRequest) -> HttpResponse:
    """Return the worker from the site's root: it serves what is below its own address."""
    response: Any = HttpResponse(assets.read("review/worker.js"), content_type="text/javascript; charset=utf-8")
    return response


@login_not_required
@require_safe
def offline(request: HttpRequest) -> HttpResponse:
    """Return the page that the worker keeps for when nothing answers."""
    return render(request, "review/offline.html")


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Show how to install the site, or why it cannot be installed here."""
    is_secure = request.is_secure() or request.get_host().rpartition(":")[0] in LOCAL or request.get_host() in LOCAL
    return render(
        request,
        "review/app.html",
        {"is_secure": is_secure, "address": request.build_absolute_uri("/")} | push.on_page(request),
    )
