"""Access control for every request: allowed clients and host names, logins and tokens, and security headers."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.core.exceptions import FieldDoesNotExist, PermissionDenied
from django.db import DatabaseError, connections
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext

from camalert.ratelimit import RateLimit
from camalert.review import sessions
from camalert.review.accounts.models import ADMIN, READ, REVIEW, Token, digest_of
from camalert.review.passwords import network_of, was_asked
from camalert.review.settings import ALERTS
from camalert.review.views.error_pages import API, bad_request, database_unavailable
from camalert.review.visitors import IS_INGRESS, IS_NAMELESS, SENT_HOST, Visitors, host_name, is_local_host
from camalert.system.logs import log

# Nothing from elsewhere, nothing inline, no frame around or inside, no plug-in.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_NO_FRAME, _OWN_FRAME = "frame-ancestors 'none'", "frame-ancestors 'self'"
# What came with a mail is shown as a picture or not at all; as a document it could do nothing.
PICTURE_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"

_HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cache-Control": "private, no-cache",
}

_BEARER = "bearer "
_USED_STEP = datetime.timedelta(minutes=5)  # a write for each request would be one too many
# What a token opens, and the scope that this needs. Every other page is for people.
OPENS = {
    "api-openapi": READ,
    "api-rows": READ, "api-row": READ, "api-cameras": READ, "api-status": READ, "api-kept": READ,
    "api-visits": READ, "api-visit": READ, "api-switches": READ, "api-camera-preview": READ,
    "api-day": READ, "api-days": READ, "api-search": READ, "api-figures": READ,
    "picture": READ, "thumbnail": READ, "clip": READ, "clip-preview": READ, "export-marks": READ,
    "api-known": READ, "api-threshold": READ,
    "api-change": REVIEW, "api-visits-change": REVIEW, "api-known-forget": REVIEW,
    "api-settings": ADMIN, "api-settings-changes": ADMIN, "api-settings-one": ADMIN, "api-setting": ADMIN,
    "api-notifications": ADMIN, "api-notifications-test": ADMIN, "api-notifications-tested": ADMIN,
    "api-settings-encryption": ADMIN,
    "api-settings-undo": ADMIN,
    "api-switch": ADMIN, "api-delete": ADMIN, "api-visits-delete": ADMIN,
    "api-share": ADMIN, "api-links": ADMIN, "api-link-end": ADMIN,
    "api-accounts": ADMIN, "api-accounts-put": ADMIN, "api-accounts-change": ADMIN,
    "api-sessions": ADMIN, "api-sessions-end": ADMIN,
    "api-copies": ADMIN, "api-copies-make": ADMIN, "copy": ADMIN,
    "api-bin": ADMIN, "api-bin-restore": ADMIN, "api-bin-remove": ADMIN, "bin-picture": ADMIN, "kept-mail": ADMIN,
}  # fmt: skip
# Where logins are changed, and the page that a form of it belongs to.
_LOGINS = {
    "/admin/auth/": "people-accounts",
    "/account/people/": "people-accounts",
    "/account/second-factor/": "second-factor",
}
_wrong_tokens = RateLimit(per_second=1 / 5, burst=20)


class Guard:
    """Refuse clients outside `review.allow` and foreign host names; put the security headers on every answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response
        self._review = settings.CAMALERT.review
        self._visitors = Visitors(self._review)
        address = urlsplit(self._review.address).netloc
        self._hosts = (*self._review.hosts, *([host_name(address)] if address else []))
        self._lines = RateLimit(per_second=1 / 10, burst=10)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a request."""
        response = self._refusal(request) or self._get_response(request)
        if request.META.get(IS_INGRESS):
            # Home Assistant shows it in a frame of a page that has the same origin.
            response.headers["X-Frame-Options"] = "SAMEORIGIN"
            response.headers.setdefault("Content-Security-Policy", PAGE_POLICY.replace(_NO_FRAME, _OWN_FRAME))
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        if request.is_secure():
            # Over plain HTTP browsers ignore it and complain on the console of every page.
            response.headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
            for cookie in response.cookies.values():
                cookie["secure"] = True
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Explain a database that is missing, locked or damaged; everything else is a bug."""
        if isinstance(error, FieldDoesNotExist):
            return bad_request(request, error)  # the admin takes names of columns from the address
        if not isinstance(error, DatabaseError):
            return None
        # The pattern of the address and not itself: that of a link holds its token.
        route = request.resolver_match.route if request.resolver_match else ""
        log.warning("review_database_unavailable", message=str(error), path=f"/{route}")
        connections[ALERTS].close()
        return database_unavailable(request, error)

    def _refusal(self, request: HttpRequest) -> HttpResponse | None:
        if request.META.get(IS_INGRESS):
            return None  # to whom and under which names it answers is Home Assistant's to say
        client, host, sent = (request.META.get(name, "") for name in ("REMOTE_ADDR", "HTTP_HOST", SENT_HOST))
        if not self._visitors.is_allowed(client):
            if self._may_log("client"):
                log.warning("review_client_refused", peer=client)
            return _plain("This site is for the local network only (review.allow in config.toml).")
        if request.META.get(IS_NAMELESS):
            if self._may_log("nameless"):
                log.warning("review_proxy_header_missing", peer=client)
            return _plain(
                f"{client} is a web server in front of this site (review.proxies in config.toml), and it did not say"
                " whose request this is. Let it set X-Forwarded-For, as docs/review.md shows. On that machine itself,"
                " open the site through the web server."
            )
        for name in dict.fromkeys((sent, host)):
            if not is_local_host(name, self._hosts, self._review.allow, self._visitors.own):
                if self._may_log("host"):
                    log.warning("review_host_refused", peer=client, host=name[:100])
                return _plain(
                    "This site does not answer to this name. Its owner can add it: review.hosts in config.toml."
                )
        return None

    def _may_log(self, what: str) -> bool:
        """Tell whether the log may have another line of a kind that any client can trigger."""
        return self._lines.admit(what, time.monotonic()).is_admitted


class Tokens:
    """Let programs in: `Authorization: Bearer …` takes the place of a login and of the form's protection."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a request; `request.token` is the token that it came with, if any."""
        header = request.headers.get("Authorization", "")
        if not header.lower().startswith(_BEARER):
            return self._get_response(request)
        digest = digest_of(header[len(_BEARER) :].strip())
        token = Token.objects.select_related("user").filter(digest=digest, user__is_active=True).first()
        address = request.META["REMOTE_ADDR"]
        if token is None:
            is_admitted = _wrong_tokens.admit(network_of(address), time.monotonic()).is_admitted
            error = "unknown token" if is_admitted else "too many unknown tokens; wait a minute"
            return _error(error, 401 if is_admitted else 429)
        now = datetime.datetime.now()  # noqa: DTZ005 - the site's own times are local
        if token.is_expired(now):
            return _error(f"this token expired on {token.expires:%Y-%m-%d}; make a new one on the account page", 401)
        if token.last_used is None or now - token.last_used > _USED_STEP:
            Token.objects.filter(pk=token.pk).update(last_used=now, last_address=address)
        request.user = token.user
        request.token = token
        # A browser never adds this header on its own, so no other site can make it send one.
        request._dont_enforce_csrf_checks = True
        return self._get_response(request)

    def process_view(self, request: HttpRequest, _view: Any, _args: Any, _kwargs: Any) -> HttpResponse | None:
        """Refuse a page that no token opens, or that needs another scope."""
        token = getattr(request, "token", None)
        if token is None:
            return None
        match = request.resolver_match
        scope = OPENS.get(match.url_name or "") if not match.namespaces else None
        if scope is None:
            return _error("a token opens the JSON API, pictures and clips; this page is for people", 403)
        if not token.opens(scope):
            return _error(f"this needs a token with the scope {scope}; this one has {token.scope}", 403)
        return None


class LoginRequired(LoginRequiredMiddleware):
    """Send people to the login page; tell programs and scripts that they need a login or token."""

    def handle_no_permission(self, request: HttpRequest, view_func: Any) -> HttpResponse:
        """Answer a request without a login."""
        if request.path_info.startswith(API) or request.method != "GET":
            return _error("log in, or send a token: Authorization: Bearer …", 401)
        return super().handle_no_permission(request, view_func)

    def process_view(self, request: HttpRequest, view_func: Any, view_args: Any, view_kwargs: Any) -> Any:
        """Let in who is logged in; a change of logins asks for the password once more."""
        refusal = super().process_view(request, view_func, view_args, view_kwargs)
        if refusal is None and getattr(view_func, "login_required", True) and not hasattr(request, "token"):
            sessions.note(request)
        page = next((page for path, page in _LOGINS.items() if request.path_info.startswith(path)), None)
        if refusal is None and page and not was_asked(request):
            onward = request.get_full_path() if request.method in ("GET", "HEAD") else reverse(page)
            return redirect(f"{reverse('confirm')}?{urlencode({'next': onward})}")
        return refusal


def must_own(request: HttpRequest) -> None:
    """Refuse everybody but an owner.

    Raises: PermissionDenied.
    """
    if not request.user.is_superuser:
        raise PermissionDenied(gettext("Only owners may do this. Your account may look, review and mark."))


def _error(error: str, status: int) -> HttpResponse:
    return JsonResponse({"error": error}, status=status)


def _plain(text: str) -> HttpResponse:
    response: Any = HttpResponseForbidden(text + "\n", content_type="text/plain; charset=utf-8")
    return response
