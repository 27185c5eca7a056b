"""The notifications page: each target, how it fares, its settings; a test, with the channel's answer in words."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from camalert import identity
from camalert.config import hours as week
from camalert.config import targets
from camalert.config.schema import Notify
from camalert.errors import ConfigError
from camalert.ipc.messages import Outbox
from camalert.notify import outbox
from camalert.review import configuration, line
from camalert.review.alerts.models import Told
from camalert.review.formats import local_time
from camalert.review.guard import must_own
from camalert.review.settings import ALERTS
from camalert.review.views import camera as cameras
from camalert.review.views import switches
from camalert.store.rows import outbox as rows
from camalert.system.logs import log

RECENT = 20
TEST_MESSAGE = gettext_lazy("If you can read this, messages arrive here. Sent from the review site.")
HOURS = 24
EVENTS = {
    "visit": gettext_lazy("somebody is there"), "better": gettext_lazy("a clearly better picture"),
    "over": gettext_lazy("a visit is over"), "digest": gettext_lazy("a summary of the day"),
    "silent": gettext_lazy("a camera sends nothing"), "back": gettext_lazy("a camera is back"),
    "trouble": gettext_lazy("camalert is in trouble"), "well": gettext_lazy("the trouble is over"),
}  # fmt: skip
PRIORITIES = ("low", "normal", "high", "urgent")


@dataclass(frozen=True, slots=True)
class Target:
    """A target as the page shows it; never its address or secret."""

    settings: Notify
    record: outbox.Record
    fixed: dict[str, configuration.Fixed]
    kind: str
    week: str
    priority: str  # "": one with hours, which the page cannot show
    others: tuple[str, ...]  # patterns of cameras that are no camera's name

    @property
    def is_fixed(self) -> bool:
        """Tell whether it cannot be removed here."""
        return "name" in self.fixed

    @property
    def fixed_names(self) -> str:
        """Return the keys that are set elsewhere, parted by blanks."""
        return " ".join(sorted(self.fixed))


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Show the page."""
    names = [name for name in cameras.names() if name]
    context = {
        "targets": _targets(names),
        "names": names,
        "events": EVENTS.items(),
        "priorities": PRIORITIES,
        "new": Notify(),
        "new_week": "0" * 7 * HOURS,
        "days": [str(WEEKDAYS_ABBR[number]) for number in range(7)],
        "hour_numbers": range(HOURS),
        "untold": _untold(),
        "problem": configuration.problem(),
    }
    return render(request, "review/notifications.html", context)


@require_safe
def api(_request: HttpRequest) -> HttpResponse:
    """List the targets and how each fares, without addresses and secrets."""
    return JsonResponse(
        {
            "targets": [
                {
                    "name": each.settings.name, "events": each.settings.events, "hours": each.settings.hours,
                    "cameras": each.settings.cameras, "waiting": each.record.waiting,
                    "sent": local_time(each.record.sent_utc), "problem": each.record.problem or None,
                    "fixed": {key: held.origin for key, held in each.fixed.items()},
                }
                for each in _targets([])
            ]
        }
    )  # fmt: skip


@require_POST
def api_test(request: HttpRequest) -> HttpResponse:
    """Let a target get a test message, by the process that sends all others; for owners only."""
    must_own(request)
    try:
        name = json.loads(request.body).get("target")
    except (ValueError, RecursionError, AttributeError):  # no JSON object
        name = None
    found = next((each.name for each in settings.CAMALERT.notify if each.name == name), None)
    if found is None:
        return JsonResponse({"error": 'send {"target": "phone"} with the name of a target in force'}, status=400)
    own = secrets.token_hex(8)
    with transaction.atomic(using=ALERTS):
        row_id = switches.read(lambda connection: rows.put_test(connection, found, str(TEST_MESSAGE), own, time.time()))
    line.say(Outbox())
    log.info("review_test_sent", user=request.user.get_username(), target=found)
    return JsonResponse({"id": row_id, "state": "waiting"}, status=202)


@require_safe
def api_tested(_request: HttpRequest, row_id: int) -> HttpResponse:
    """Return what became of a test, with the channel's answer in words."""
    found = Told.objects.filter(pk=row_id, event=rows.TEST).first()
    if found is None:
        raise Http404(gettext("There is no such test any more."))
    return JsonResponse({"id": found.pk, "target": found.target, "state": found.state, "reason": found.reason})


def _targets(names: list[str]) -> list[Target]:
    found: tuple[Notify, ...] = settings.CAMALERT.notify
    records = switches.read(lambda connection: [outbox.record_of(connection, each.name) for each in found])
    known = {identity.key(name) for name in names}
    return [
        Target(
            each, record, configuration.fixed("notify", each.name), _kind(each), week_of(each.hours),
            each.priority if each.priority in PRIORITIES else "",
            tuple(name for name in each.cameras if identity.key(name) not in known),
        )
        for each, record in zip(found, records, strict=True)
    ]  # fmt: skip


def _kind(target: Notify) -> str:
    """Return what kind of address the site's own settings have, "" for one that it does not know."""
    try:
        return targets.parse(str(configuration.entry("notify", target.name).get("url", ""))).scheme
    except ConfigError:
        return ""


def week_of(text: str) -> str:
    """Return hours as 168 times 0 or 1, from Monday 00:00 on; "" when they begin or end within an hour."""
    found = week.parse(text)
    if not found:
        return "0" * 7 * HOURS
    if any(minute % 60 for window in found for minute in (window.begin, window.end)):
        return ""
    return "".join(
        "1" if any(window.contains(day, hour * 60) for window in found) else "0"
        for day in range(7)
        for hour in range(HOURS)
    )


def _untold() -> list[dict[str, Any]]:
    """Return the last visits that somebody was not told of, and why."""
    found = Told.objects.filter(state__in=("silent", "given_up"), event="visit", visit__gt=0).order_by("-pk")[:RECENT]
    return [
        {"target": each.target, "visit": each.visit, "at_utc": each.at_utc, "reason": each.reason} for each in found
    ]
