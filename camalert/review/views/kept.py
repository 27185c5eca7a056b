"""The page of what could not be read or examined: mails, clips and pictures, each with where it is from and why."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from camalert.review.alerts.models import AlertFacts, Clip, KeptMail, Mail
from camalert.review.selection import parse_ids

PAGE_MAILS = 100
MOST_CLIPS = 200
MOST_PICTURES = 50  # the list of all alarms has the others
UNSAID = gettext_lazy("no picture in it could be read")


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Show the page: what failed, newest first; further pages are of mails alone, the others are few or listed."""
    before = request.GET.get("before", "")
    mails, following = _page(before)
    clips, pictures = ([], []) if before else (_clips(), _pictures())
    context = {"mails": mails, "following": following, "clips": clips, "pictures": pictures, "is_first": not before}
    return render(request, "review/kept.html", context | {"most": MOST_PICTURES})


@require_safe
def rows(request: HttpRequest) -> HttpResponse:
    """List them as JSON; `next` is where the following page of mails begins, clips and pictures are on the first."""
    before = request.GET.get("before", "")
    mails, following = _page(before)
    clips, pictures = ([], []) if before else (_clips(), _pictures())
    return JsonResponse({"mails": mails, "next": following, "clips": clips, "pictures": pictures})


def _clips() -> list[dict[str, Any]]:
    """Return the clips of which no picture could be taken, with the reason; the service keeps about a hundred."""
    names = ("pk", "mail", "timestamp", "name", "kind", "size_bytes", "reason")
    failed = Clip.objects.filter(state="failed", alert_id__isnull=True).order_by("-pk").values(*names)[:MOST_CLIPS]
    found = list(failed)
    cameras = dict(Mail.objects.filter(pk__in=[clip["mail"] for clip in found]).values_list("pk", "camera"))
    return [
        {
            "id": clip.pop("pk"),
            "camera": cameras.get(clip.pop("mail"), ""),
            "bytes": clip.pop("size_bytes"),
            **clip,
            "reason": clip["reason"] or str(UNSAID),
        }
        for clip in found
    ]


def _pictures() -> list[dict[str, Any]]:
    """Return the latest pictures that could not be examined, with the reason."""
    names = ("pk", "timestamp", "camera", "picture_kind", "picture_name", "reason")
    failed = AlertFacts.objects.filter(outcome="failed").order_by("-timestamp", "-pk").values(*names)[:MOST_PICTURES]
    return [{"id": row.pop("pk"), **row, "reason": row["reason"] or str(UNSAID)} for row in failed]


def _page(before: str) -> tuple[list[dict[str, Any]], int | None]:
    """Return the facts of a page of kept mails, and where the next one begins."""
    kept = KeptMail.objects.order_by("-mail")
    found = parse_ids(before, 1)
    if found:
        kept = kept.filter(mail__lt=found[0])
    rows = list(kept[: PAGE_MAILS + 1])
    shown = rows[:PAGE_MAILS]
    names = ("camera", "sender", "peer", "subject", "unreadable")
    mails = Mail.objects.filter(pk__in=[row.mail for row in shown]).values("pk", *names)
    facts = {mail.pop("pk"): mail for mail in mails}
    listed = []
    for row in shown:
        mail = facts.get(row.mail, dict.fromkeys(names, ""))
        reason = mail.pop("unreadable") or str(UNSAID)
        listed.append({"id": row.mail, "received_utc": row.received_utc, "bytes": row.bytes, **mail, "reason": reason})
    return listed, shown[-1].mail if len(rows) > PAGE_MAILS else None
