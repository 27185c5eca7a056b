"""The language of a page: the one that a person has chosen, else the one that the browser asks for."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from typing import Any

import django
from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe
from django.views.i18n import JavaScriptCatalog

from camalert.review.settings import CATALOGUES, LANGUAGES

ASSETS = "/static/"  # which have no words
_FOREVER = "public, max-age=31536000, immutable"


class Language:
    """Answer in the language of who asks."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a request."""
        if request.path_info.startswith(ASSETS):
            return self._get_response(request)
        language = chosen(request.user) or translation.get_language_from_request(request)
        with translation.override(language):
            response = self._get_response(request)
        response.headers.setdefault("Content-Language", language)
        patch_vary_headers(response, ("Accept-Language",))
        return response


def chosen(user: Any) -> str:
    """Return the language that a person has chosen, "" for the browser's."""
    from camalert.review.accounts.models import Preference  # noqa: PLC0415 - Django's settings name this module

    if not user.is_authenticated:
        return ""
    found = Preference.objects.filter(user=user.pk).values_list("language", flat=True).first() or ""
    return found if found in dict(LANGUAGES) else ""


def choose(user: Any, language: str) -> bool:
    """Keep the language that a person chooses, "" for the browser's; return whether there is such a language."""
    from camalert.review.accounts.models import Preference  # noqa: PLC0415 - Django's settings name this module

    if language and language not in dict(LANGUAGES):
        return False
    Preference.objects.update_or_create(user=user, defaults={"language": language})
    return True


class _Words(JavaScriptCatalog):
    """The words of the scripts in the language of an address: `gettext` and its like, defined for all of them."""

    domain = "djangojs"
    packages = ("camalert.review.accounts",)  # Django's own scripts have theirs elsewhere

    def get(self, request: HttpRequest, language: str, *args: Any, **kwargs: Any) -> HttpResponse:
        """Return the words."""
        if language not in dict(LANGUAGES):  # before anything is kept of it: nobody needs to log in here
            raise Http404
        with translation.override(language):
            response: HttpResponse = super().get(request, *args, **kwargs)
        if request.GET.get("v") == _digest(language):
            response.headers["Cache-Control"] = _FOREVER
        return response


words = login_not_required(require_safe(_Words.as_view()))


def address_of_words() -> str:
    """Return the address of the scripts' words in the language of the page."""
    language = translation.get_language() or "en"
    return f"{reverse('words', args=(language,))}?v={_digest(language)}"


@functools.cache
def _digest(language: str) -> str:
    """Return what changes with the words; a language's file, and what reads it."""
    path = CATALOGUES / language / "LC_MESSAGES" / "djangojs.mo"
    data = path.read_bytes() if path.exists() else b""
    return hashlib.sha256(django.__version__.encode() + data).hexdigest()[:12]
