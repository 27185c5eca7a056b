"""Where accounts are logged in: noted as people use the site, listed, and ended.

Django's own table has a session and when it ends; beside it is noted whose it is, of which browser, and when it was
last used. What is ended is gone from both, so that its browser has to log in again at once.
"""

from __future__ import annotations

import contextlib
import datetime
import re
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import login
from django.contrib.sessions.models import Session
from django.db import DatabaseError
from django.http import HttpRequest
from django.utils.translation import gettext, ngettext

from camalert.review.accounts.models import OpenSession
from camalert.review.devices import device_of

STEP_S = 300.0  # a write for each request would be one too many
SESSIONS_EACH = 50  # of an account; the one unused for longest gives way
REMEMBERED = 500  # sessions of which this process knows when it noted them
AGENT_CHARS = 300
BACKEND = "django.contrib.auth.backends.ModelBackend"

_lock = threading.Lock()
_noted: OrderedDict[tuple[str, str], float] = OrderedDict()  # session and address, and when in monotonic seconds


@dataclass(frozen=True, slots=True)
class Shown:
    """One session as a page shows it."""

    id: int
    user_id: int
    account: str
    device: str
    address: str
    began: datetime.datetime
    seen: datetime.datetime
    is_this: bool


def start(request: HttpRequest, user: Any) -> None:
    """Log somebody in who has proved to be who they say."""
    login(request, user, BACKEND)
    note(request)


def note(request: HttpRequest) -> None:
    """Note that a session is used, every few minutes and when its address changes."""
    session, address = request.session.session_key, request.META["REMOTE_ADDR"]
    if not session or not _is_due((session, address), time.monotonic()):
        return
    now = datetime.datetime.now()  # noqa: DTZ005 - the site's own times are local
    found = {"user": request.user, "seen": now, "address": address[:64], "agent": _agent(request)}
    with contextlib.suppress(DatabaseError):  # no reason to refuse a page
        _, is_new = OpenSession.objects.update_or_create(
            session=session, defaults=found, create_defaults=found | {"began": now}
        )
        if is_new:
            _end_oldest(request.user)


def of(request: HttpRequest, user: Any = None) -> list[Shown]:
    """List the sessions of an account, or of all, the ones used last first."""
    rows = OpenSession.objects.select_related("user").filter(session__in=_alive())
    if user is not None:
        rows = rows.filter(user=user)
    this = request.session.session_key if not getattr(request, "token", None) else None
    return [
        Shown(
            row.pk, row.user_id, row.user.get_username(), device_of(row.agent), row.address, row.began, row.seen,
            is_this=row.session == this,
        )
        for row in rows.order_by("-seen", "-pk")
    ]  # fmt: skip


def end(user: Any, ids: list[int] | None = None, besides: str = "") -> int:
    """End sessions of an account, those given or all, except the one `besides`; return how many were open."""
    rows = OpenSession.objects.filter(user=user).exclude(session=besides)
    if ids is not None:
        rows = rows.filter(pk__in=ids)
    keys = list(rows.values_list("session", flat=True))
    with _lock:
        for key in [key for key in _noted if key[0] in keys]:
            del _noted[key]
    ended, _ = Session.objects.filter(session_key__in=keys).delete()
    OpenSession.objects.filter(session__in=keys).delete()
    return ended


def ids(texts: list[str]) -> list[int] | None:
    """Return the ids that a form names; None, for all, when it names none."""
    return [int(text) if re.fullmatch("[0-9]{1,18}", text) else 0 for text in texts] or None


def said(count: int) -> str:
    """Say how many sessions have ended."""
    if not count:
        return gettext("No session was ended: it was over already.")
    return ngettext("%(count)d session has ended.", "%(count)d sessions have ended.", count) % {"count": count}


def tidy() -> None:
    """Remove what is noted of sessions that are over."""
    OpenSession.objects.exclude(session__in=_alive()).delete()


def _alive() -> Any:
    now = datetime.datetime.now()  # noqa: DTZ005
    return Session.objects.filter(expire_date__gt=now).values("session_key")


def _is_due(key: tuple[str, str], now: float) -> bool:
    with _lock:
        if now - _noted.get(key, -STEP_S) < STEP_S:
            return False
        _noted[key] = now
        _noted.move_to_end(key)
        while len(_noted) > REMEMBERED:
            _noted.popitem(last=False)
        return True


def _end_oldest(user: Any) -> None:
    over = OpenSession.objects.filter(user=user).order_by("-seen", "-pk").values_list("pk", flat=True)[SESSIONS_EACH:]
    if ids := list(over):
        end(user, ids)


def _agent(request: HttpRequest) -> str:
    return request.headers.get("User-Agent", "")[:AGENT_CHARS]
