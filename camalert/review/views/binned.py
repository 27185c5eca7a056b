"""The bin: what was deleted within the last day, to be restored or deleted for good; for owners."""

from __future__ import annotations

import itertools
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_POST, require_safe

from camalert.review import changes
from camalert.review.alerts.models import Binned
from camalert.review.formats import local_time
from camalert.review.guard import must_own
from camalert.review.selection import parse_ids
from camalert.review.views import api, files, visits
from camalert.store.rows import retention

MAX_SHOWN = 500
MAX_SELECTED = 5000
KEPT_HOURS = round(retention.BIN_KEPT_S / 3600)


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Show the page: what was deleted together stands together, the latest first."""
    must_own(request)
    rows = list(Binned.objects.order_by("-deleted_utc", "pk").defer("snapshot", "marked")[:MAX_SHOWN])
    groups = [list(group) for _, group in itertools.groupby(rows, key=lambda row: row.deletion)]
    context = {"deletions": groups, "hours": KEPT_HOURS, "hidden": Binned.objects.count() - len(rows)}
    return render(request, "review/bin.html", context)


@require_POST
def act(request: HttpRequest) -> HttpResponse:
    """Restore pictures or delete them for good: those selected, a deletion's, or all."""
    must_own(request)
    user = request.user.get_username()
    ids = parse_ids(",".join(request.POST.getlist("id")), MAX_SELECTED)
    for number in parse_ids(request.POST.get("deletion", ""), 1):
        ids = changes.deleted_together(number)
    match request.POST.get("action", ""):
        case "restore":
            messages.success(request, _restored(changes.restore(ids, user)))
        case "remove":
            messages.success(request, _removed(changes.delete_for_good(ids, user)))
        case "empty":
            everything = list(Binned.objects.values_list("pk", flat=True))
            messages.success(request, _removed(changes.delete_for_good(everything, user)))
        case _:
            return api.bad("unknown action")
    return redirect("bin")


def _restored(count: int) -> str:
    return ngettext("%(count)s picture restored.", "%(count)s pictures restored.", count) % {"count": count}


def _removed(count: int) -> str:
    text = ngettext("%(count)s picture deleted for good.", "%(count)s pictures deleted for good.", count)
    return text % {"count": count}


@require_safe
def picture(request: HttpRequest, bin_id: int) -> HttpResponse:
    """Hand out a deleted picture."""
    must_own(request)
    row = Binned.objects.filter(pk=bin_id).values("camera", "timestamp").first()
    data = Binned.stored(bin_id)
    if row is None or data is None:
        raise Http404(gettext("This picture is no longer in the bin."))
    return files.as_picture(request, data, (row["camera"], row["timestamp"], bin_id))


@require_safe
def rows(request: HttpRequest) -> HttpResponse:
    """List the bin as JSON, the latest deletion first."""
    must_own(request)
    found = Binned.objects.order_by("-deleted_utc", "pk").defer("snapshot", "marked")[:MAX_SHOWN]
    return JsonResponse({"pictures": [_facts(row) for row in found]})


@require_POST
def restore(request: HttpRequest) -> HttpResponse:
    """Restore the rows `ids` of the bin, or all of a `deletion`."""
    must_own(request)
    ids = _asked_ids(request)
    if ids is None:
        return api.bad('send {"ids": [1, 2]} or {"deletion": 1}')
    count = changes.restore(ids, request.user.get_username())
    return JsonResponse({"restored": count, "to_review": visits.counted(visits.to_review())})


@require_POST
def remove(request: HttpRequest) -> HttpResponse:
    """Delete the rows `ids` of the bin for good, or all of a `deletion`."""
    must_own(request)
    ids = _asked_ids(request)
    if ids is None:
        return api.bad('send {"ids": [1, 2]} or {"deletion": 1}')
    return JsonResponse({"deleted": changes.delete_for_good(ids, request.user.get_username())})


def _asked_ids(request: HttpRequest) -> list[int] | None:
    asked = api.asked(request)
    number = api.ids({"ids": [asked.get("deletion")]})
    return changes.deleted_together(number[0]) if number else api.ids(asked)


def _facts(row: Binned) -> dict[str, Any]:
    return {
        "id": row.pk,
        "deletion": row.deletion,
        "deleted": local_time(row.deleted_utc),
        "by": row.by,
        "alert_id": row.alert_id,
        "detect_id": row.detect_id,
        "timestamp": row.timestamp,
        "camera": row.camera,
        "subject": row.subject,
        "picture": reverse("bin-picture", args=(row.pk,)),
    }
