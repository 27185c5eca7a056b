"""What holds for every request and every answer: who may ask, under which name, and what a browser may do with it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog
from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.db import DatabaseError, connections
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden, JsonResponse

from camalert.ratelimit import RateLimit
from camalert.review.origins import is_local_host
from camalert.review.router import ALERTS
from camalert.review.views.faults import API, database_away
from camalert.smtp.addresses import is_allowed
from camalert.smtp.interfaces import own_networks

log = structlog.get_logger()

# Nothing from elsewhere, nothing inline, no frame around or inside, no plug-in.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
# What came with a mail is shown as a picture or not at all: a document of it could do nothing.
PICTURE_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"

_HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cache-Control": "private, no-cache",
}


class Guard:
    """Refuse strangers and names that could be a trap; put the security headers on every answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        self._review = settings.CAMALERT.review
        self._own = own_networks()
        self._lines = RateLimit(per_second=1 / 10, burst=10)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a request."""
        response = self._refusal(request) or self._get_response(request)
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        if request.is_secure():
            for cookie in response.cookies.values():
                cookie["secure"] = True
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Say so when the service's database is missing, locked or damaged; everything else is a defect of ours."""
        if not isinstance(error, DatabaseError):
            return None
        log.warning("review_database_away", error=str(error), path=request.path_info)
        connections[ALERTS].close()
        return database_away(request, error)

    def _refusal(self, request: HttpRequest) -> HttpResponse | None:
        client, host = request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_HOST", "")
        if not self._is_allowed(client):
            if self._may_tell("client"):
                log.warning("review_client_refused", peer=client)
            return _plain("This site is for the local network only (review.allow in config.toml).")
        if not is_local_host(host, self._review.hosts, self._review.allow, self._own):
            if self._may_tell("host"):
                log.warning("review_host_refused", peer=client, host=host[:100])
            return _plain("This site is not known under this name. Its owner can list it: review.hosts in config.toml.")
        return None

    def _may_tell(self, what: str) -> bool:
        """Tell whether the log may have another line about what strangers cause."""
        return self._lines.admit(what, time.monotonic()).is_admitted

    def _is_allowed(self, client: str) -> bool:
        if is_allowed(client, self._review.allow, self._own):
            return True
        # The machine may have joined another network since: at boot the site is often faster than the router.
        self._own = own_networks()
        return is_allowed(client, self._review.allow, self._own)


class LoginRequired(LoginRequiredMiddleware):
    """Send people to the login, and tell programs and scripts that they need one."""

    def handle_no_permission(self, request: HttpRequest, view_func: Any) -> HttpResponse:
        """Answer a request without a login."""
        if request.path_info.startswith(API) or request.method != "GET":
            return JsonResponse({"error": "log in, or send a token: Authorization: Bearer …"}, status=401)
        return super().handle_no_permission(request, view_func)


def _plain(text: str) -> HttpResponse:
    response: Any = HttpResponseForbidden(text + "\n", content_type="text/plain; charset=utf-8")
    return response
