"""Accounts and sessions for programs. A token alone makes nobody an owner: changes of accounts need a password, too."""

from __future__ import annotations

from collections import Counter
from typing import Any

from django.contrib.auth import get_user_model
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST, require_safe

from camalert.errors import CamalertError
from camalert.review import account_changes, second_factor, sessions
from camalert.review.account_changes import CHANGES, MAX_PEOPLE, OWNER, VIEWER
from camalert.review.guard import must_own
from camalert.review.passwords import trying, was_right
from camalert.review.views import api
from camalert.system.logs import log

TEXT_CHARS = 200
_FORMAT = "%Y-%m-%d %H:%M:%S"


@require_safe
def accounts(request: HttpRequest) -> HttpResponse:
    """List the accounts."""
    must_own(request)
    protected, counts = second_factor.whose(), Counter(each.user_id for each in sessions.of(request))
    listed = [
        {
            "id": user.pk,
            "name": user.get_username(),
            "role": OWNER if user.is_superuser else VIEWER,
            "active": user.is_active,
            "last_login": user.last_login.strftime(_FORMAT) if user.last_login else None,
            "second_factor": user.pk in protected,
            "sessions": counts[user.pk],
        }
        for user in get_user_model().objects.order_by("username")[:MAX_PEOPLE]
    ]
    return JsonResponse({"accounts": listed})


@sensitive_variables()
@require_POST
def put(request: HttpRequest) -> HttpResponse:
    """Make an account, or give one another password."""
    must_own(request)
    asked = api.asked(request)
    name, password, role = _text(asked.get("name")), _text(asked.get("password")), asked.get("role", VIEWER)
    if not name or not password or role not in (OWNER, VIEWER):
        return api.bad('send {"name": "eva", "password": "…", "role": "viewer", "confirm": "your own password"}')
    if refusal := _unconfirmed(request, asked):
        return refusal
    try:
        return JsonResponse({"new": account_changes.put(request.user, name, password, role)})
    except CamalertError as error:
        return api.bad(str(error))


@sensitive_variables()
@require_POST
def change(request: HttpRequest, user_id: int) -> HttpResponse:
    """Change the role of an account, disable or enable it, take its second factor off, or remove it."""
    must_own(request)
    asked = api.asked(request)
    what = asked.get("change")
    if what not in CHANGES:
        return api.bad(f"change must be one of: {', '.join(CHANGES)}")
    if refusal := _unconfirmed(request, asked):
        return refusal
    found = get_user_model().objects.filter(pk=user_id).first()
    if found is None:
        raise Http404(gettext("There is no such account any more."))
    try:
        account_changes.change(request.user, found, str(what))
    except CamalertError as error:
        return api.bad(str(error))
    return JsonResponse({"changed": 1})


@require_safe
def open_sessions(request: HttpRequest) -> HttpResponse:
    """List where all accounts are logged in, the sessions used last first."""
    must_own(request)
    listed = [
        {
            "id": each.id,
            "account": each.account,
            "device": each.device,
            "address": each.address,
            "began": each.began.strftime(_FORMAT),
            "seen": each.seen.strftime(_FORMAT),
            "this": each.is_this,
        }
        for each in sessions.of(request)
    ]
    return JsonResponse({"sessions": listed})


@require_POST
def end_sessions(request: HttpRequest) -> HttpResponse:
    """End sessions of an account, those of `ids` or all; the one that asks stays."""
    must_own(request)
    asked = api.asked(request)
    name, ids = _text(asked.get("account")), api.ids(asked)
    if not name or ("ids" in asked and ids is None):
        return api.bad('send {"account": "ben"}, or with "ids": [1, 2] for some of its sessions')
    found = get_user_model().objects.filter(username=name).first()
    if found is None:
        return JsonResponse({"ended": 0})
    this = "" if getattr(request, "token", None) else request.session.session_key or ""
    ended = sessions.end(found, ids, besides=this)
    log.info("review_sessions_ended", user=request.user.get_username(), account=name, count=ended)
    return JsonResponse({"ended": ended})


def _unconfirmed(request: HttpRequest, asked: dict[str, Any]) -> HttpResponse | None:
    """Refuse without the owner's password; each one counts as a try, as on a page."""
    name = request.user.get_username()
    with trying(request, name) as refusal:
        if refusal:
            return refusal
        if request.user.check_password(_text(asked.get("confirm"))):
            was_right(request, name)
            return None
    log.warning("review_login_failed", user=name, peer=request.META["REMOTE_ADDR"])
    return JsonResponse({"error": "confirm must be your own password"}, status=403)


def _text(value: Any) -> str:
    """Return a text that is one, "" for anything else: JSON can carry halves of characters, which nothing can store."""
    if not isinstance(value, str) or len(value) > TEXT_CHARS or "\0" in value:
        return ""
    return value if value.isascii() or value.encode("utf-8", "replace").decode() == value else ""
