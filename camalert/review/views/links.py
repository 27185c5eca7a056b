"""Links of messages: each switches one thing, once, without a login, and can be undone.

Whoever has the link may use it: its signature is what a login is elsewhere. Programs open the links of a mail to look
for viruses, so that a GET shows what would be done and only a POST does it.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from camalert.errors import StoreRefused
from camalert.ipc.records import SwitchRecord
from camalert.notify import links
from camalert.notify.message import id_of
from camalert.ratelimit import RateLimit
from camalert.review.accounts.models import UsedLink
from camalert.review.alerts.models import Told
from camalert.review.formats import local_time
from camalert.review.passwords import network_of
from camalert.review.settings import ALERTS
from camalert.review.views.error_pages import error_page
from camalert.review.views.switches import read
from camalert.store.rows import switches
from camalert.system.logs import log

USED_KEPT = 2000
INVALID = gettext_lazy(
    "This link is not valid, or its message is too old. Log in to switch messages on the page People."
)
_wrong = RateLimit(per_second=1 / 5, burst=20)


@dataclass(frozen=True, slots=True)
class Act:
    """What a link does."""

    switch: SwitchRecord
    does: str  # as a button says it
    did: str  # as a sentence


@login_not_required
@csrf_exempt  # who has no cookie needs no protection of one; the link itself is the secret
@require_http_methods(["GET", "HEAD", "POST"])
def do(request: HttpRequest, token: str) -> HttpResponse:
    """Show what a link does, do it (POST), or undo it (POST with `undo`)."""
    now_utc = time.time()
    peer = request.META["REMOTE_ADDR"]
    parsed = links.parse(token)
    row = Told.objects.filter(pk=parsed.row).first() if parsed else None
    identity = id_of(row.key, row.created_utc) if row else ""
    if parsed is None or row is None or not links.is_signed(_key(), parsed, identity):
        if not may_try(request):
            return error_page(
                request, 429, gettext("Too many tries"), gettext("Wait a minute, then open the link again.")
            )
        raise Http404(str(INVALID))
    link = hashlib.sha256(f"{parsed.action} {identity}".encode()).hexdigest()
    used = UsedLink.objects.filter(pk=link).first()
    if used is None and parsed.until_s < now_utc:
        raise Http404(str(INVALID))
    act = _act(parsed.action, row.camera, row.target, now_utc)
    remark = ""
    if request.method == "POST" and "undo" in request.POST:
        if used is not None and used.undone is None:
            remark = _undo(used, now_utc)
            log.info("link_undone", target=row.target, message=used.did, peer=peer)
    elif request.method == "POST" and used is None:
        try:
            used = _use(link, act, parsed.until_s, now_utc)
        except StoreRefused as error:
            return error_page(request, 409, gettext("Nothing was switched"), str(error))
        log.info("link_used", target=row.target, message=act.did, peer=peer)
    context = {
        "does": act.does,
        "camera": row.camera,
        "used": used,
        "at": local_time(used.at)[:16] if used else "",
        "can_undo": used is not None and used.undone is None and not remark,
        "remark": remark,
    }
    return render(request, "review/link.html", context)


def may_try(request: HttpRequest) -> bool:
    """Count an address of a link that is none, and tell whether its sender may try another one."""
    return _wrong.admit(network_of(request.META["REMOTE_ADDR"]), time.monotonic()).is_admitted


def _key() -> bytes:
    try:
        return links.key_of(settings.CAMALERT.review)
    except (OSError, ValueError) as error:
        log.warning("links_unsigned", message=str(error))
        raise Http404(str(INVALID)) from error


def _act(action: str, camera: str, by: str, now_utc: float) -> Act:
    match action:
        case links.SNOOZE:
            until_utc = now_utc + links.SNOOZE_S
            clock = local_time(until_utc)[11:16]
            if not camera:
                return Act(
                    SwitchRecord(switches.SNOOZE, camera, "", until_utc, by),
                    gettext("Snooze all cameras for an hour"),
                    gettext("No messages about all cameras until %(clock)s.") % {"clock": clock},
                )
            return Act(
                SwitchRecord(switches.SNOOZE, camera, "", until_utc, by),
                gettext("Snooze %(camera)s for an hour") % {"camera": camera},
                gettext("No messages about %(camera)s until %(clock)s.") % {"camera": camera, "clock": clock},
            )
        case links.DISARM:
            return Act(
                SwitchRecord(switches.ARMED, "", switches.OFF, None, by),
                gettext("Disarm all cameras"),
                gettext("No messages about people until you arm the cameras again."),
            )
    return Act(
        SwitchRecord(switches.PRESENCE, "", "home", None, by),
        gettext("Say that I am at home"),
        gettext("Somebody is at home: no messages from the cameras that are quiet then."),
    )


def _use(link: str, act: Act, until_s: int, now_utc: float) -> UsedLink:
    """Switch, once: of two that come together, the second one finds what the first one did.

    Raises: StoreRefused when it cannot be switched.
    """
    with transaction.atomic():  # IMMEDIATE
        found = UsedLink.objects.filter(pk=link).first()
        if found is not None:
            return found
        kind = act.switch.kind
        with transaction.atomic(using=ALERTS):
            before = read(lambda connection: switches.rows_of(connection, kind))
            read(lambda connection: switches.put(connection, act.switch, now_utc))
            after = read(lambda connection: switches.rows_of(connection, kind))
        newest = UsedLink.objects.order_by("-at").values("pk")[: USED_KEPT - 1]
        UsedLink.objects.exclude(pk__in=list(newest.values_list("pk", flat=True))).delete()
        UsedLink.objects.filter(until__lt=now_utc - links.LASTS_S).delete()
        return UsedLink.objects.create(
            link=link, at=now_utc, until=until_s, did=act.did[:300], kind=kind, before=before, after=after
        )


def _undo(used: UsedLink, now_utc: float) -> str:
    """Put back what a link has switched; return why not, "" when it was."""
    with transaction.atomic():
        if not UsedLink.objects.filter(pk=used.pk, undone=None).exists():
            return gettext("This was undone already.")
        with transaction.atomic(using=ALERTS):
            is_back = read(
                lambda connection: switches.restore(connection, used.kind, before=used.before, after=used.after)
            )
        if not is_back:
            return gettext(
                "Somebody has switched something else since, so nothing was undone. Log in to see what holds."
            )
        used.undone = now_utc
        used.save()
    return ""
