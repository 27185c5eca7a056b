"""Requests of programs: `Authorization: Bearer …` takes the place of a login and of the form's protection."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse

from camalert.ratelimit import RateLimit
from camalert.review.accounts.models import Token, digest_of
from camalert.review.throttle import network_of

SCHEME = "bearer "
USED_STEP = datetime.timedelta(minutes=5)  # a write for each request would be one too many
_wrong = RateLimit(per_second=1 / 5, burst=20)


class TokenMiddleware:
    """Put the token's owner into the request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a request."""
        header = request.headers.get("Authorization", "")
        if not header.lower().startswith(SCHEME):
            return self._get_response(request)
        digest = digest_of(header[len(SCHEME) :].strip())
        token = Token.objects.select_related("user").filter(digest=digest, user__is_active=True).first()
        if token is None:
            is_admitted = _wrong.admit(network_of(request.META["REMOTE_ADDR"]), time.monotonic()).is_admitted
            words = "unknown token" if is_admitted else "too many unknown tokens; wait a minute"
            return JsonResponse({"error": words}, status=401 if is_admitted else 429)
        now = datetime.datetime.now()  # noqa: DTZ005 - the site's own times are local
        if token.last_used is None or now - token.last_used > USED_STEP:
            Token.objects.filter(pk=token.pk).update(last_used=now)
        request.user = token.user
        # A browser never adds this header by itself, so no other site can make it send one.
        request._dont_enforce_csrf_checks = True
        return self._get_response(request)
