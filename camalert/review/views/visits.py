"""The visits, each somebody in front of a camera: the list of those to review, and one visit with its pictures."""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.contrib import messages
from django.db.models import Count, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_POST, require_safe

from camalert import identity
from camalert.config.objects import PERSON
from camalert.review import changes, reviewers, shots
from camalert.review.alerts.models import IS_OPEN, TO_REVIEW, AlertFacts, Clip, SeenCamera, Told, Visit
from camalert.review.boxes import Box, Part, read
from camalert.review.formats import lasting, local_time, many, phrase, span, word
from camalert.review.guard import must_own
from camalert.review.selection import MARKS, MAX_ID, NOT_A_PERSON, Album, Selection, parse_ids
from camalert.review.sharing import listing
from camalert.review.shots import Day, Shot, part_of, visit_conditions
from camalert.review.views import api, grid, switches

PAGE_VISITS = 36  # with more, a first page would be beyond 60 kB before its pictures
MAX_VISITS = 500
MAX_CAMERAS = 500
MAX_TOLD = 200
MAX_PICTURES = 5000  # of one visit that are listed by the API
MAX_SHOWN = 300  # of one visit that its page shows
MAX_CLIPS = 20
MAX_WATCHED = 300  # visits of a page that are kept up to date
MAX_NEW = 60
MAX_SELECTED = 5000
MAX_REVIEWED = 50_000
MAX_COUNTED = 999  # to review: beyond it the menu says "999+"
SCORES = (0, 30, 50, 70, 90)  # percent
_CURSOR = re.compile(r"(-?[0-9]{1,12}(?:\.[0-9]{1,9})?)~([0-9]{1,19})")


@dataclass(frozen=True, slots=True)
class Card:
    """One visit as a list shows it."""

    id: int
    camera: str
    began_utc: float
    last_utc: float
    pictures: int
    people: int
    kinds: str  # what was seen, as the database has it
    best_alert: int
    score: float
    is_open: bool
    is_reviewed: bool
    mark: str  # of its best picture
    has_clip: bool
    event: str
    boxes: tuple[Box, ...]
    width_px: int
    height_px: int

    @property
    def name(self) -> str:
        """Return the camera's name, or that it has none."""
        return self.camera or gettext("Unnamed camera")

    @property
    def timestamp(self) -> str:
        """Return when it began, as text in local time."""
        return local_time(self.began_utc)

    @property
    def day(self) -> str:
        """Return the day on which it began."""
        return self.timestamp[:10]

    @property
    def time(self) -> str:
        """Return from when to when it was."""
        began, last = self.timestamp, local_time(self.last_utc)
        begin, end = began[11:16], last[11:16]
        return begin if begin == end else gettext("%(begin)s to %(end)s") % {"begin": begin, "end": end}

    @property
    def percent(self) -> int:
        """Return the best score in percent, at most 99."""
        return min(99, round(self.score * 100))

    @property
    def part(self) -> Part | None:
        """Return the part of the best picture that a list shows, None for all of it."""
        return part_of(self.boxes, self.width_px, self.height_px)

    @property
    def text(self) -> str:
        """Return how much there is of it: "3 pictures, up to 2 people, for 40 seconds"."""
        length_s = self.last_utc - self.began_utc
        parts = [phrase(self.kinds)] if self.kinds != PERSON else []
        parts += [many(self.pictures, "picture")]
        parts += [gettext("up to %(people)s people") % {"people": self.people}] if self.people > 1 else []
        parts += [lasting(length_s)] if length_s >= 1 else []
        return ", ".join(parts)

    @property
    def state(self) -> str:
        """Return what may change on an open page, as one string to compare."""
        done = "done" if self.is_reviewed else "new"
        return f"{self.best_alert}/{done}/{self.mark}/{self.pictures}{'+' if self.is_open else ''}"

    @property
    def cursor(self) -> str:
        """Return its place in the list, from which the next page can begin."""
        return f"{self.began_utc!r}~{self.id}"


# --- the list --------------------------------------------------------------------------------------------------------


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Show the visits to review, or those of another selection, by day, newest first."""
    selection = Selection.inbox(request.GET)
    newest = _newest_id()  # before the rows: what arrives in between is then sent twice and shown once
    found, following = _page(selection, request.GET.get("before", ""), PAGE_VISITS)
    names = sorted(SeenCamera.foremost(MAX_CAMERAS).exclude(name="").values_list("name", flat=True))
    context = {
        "page": _days(request, found, selection, following),
        "cameras": [(name, identity.key(name) == identity.key(selection.camera)) for name in names],
        "scores": SCORES,
        "selection": selection,
        "newest": newest,
        "is_first_page": not request.GET.get("before"),
        "is_empty": not found,
        "has_visits": bool(found) or Visit.objects.exists(),
        "earlier": selection.beside(-1),
        "later": selection.beside(1),
        "switched": switches.shown(selection.camera),
        "exceptions": switches.exceptions(),
    }
    return render(request, "review/visits.html", context)


@require_safe
def more(request: HttpRequest) -> HttpResponse:
    """Return the next visits, for the script that adds them to the page."""
    selection = Selection.inbox(request.GET)
    found, following = _page(selection, request.GET.get("before", ""), PAGE_VISITS)
    return HttpResponse(_days(request, found, selection, following))


@require_POST
def live(request: HttpRequest) -> HttpResponse:
    """Return what changed: visits that are new or have new pictures, that look different now, and that are gone.

    The body is what the page shows, "id=state,…".
    """
    selection = Selection.inbox(request.GET)
    newest = _newest_id()
    after_id = next(iter(parse_ids(request.GET.get("after", ""), 1)), newest)
    body = request.body.decode("utf-8", "replace")
    watched = dict(part.split("=", 1) for part in body.split(",")[:MAX_WATCHED] if "=" in part)
    shown_ids = parse_ids(",".join(watched), MAX_WATCHED)
    # A visit that was reviewed comes back with its next picture: open ones are looked at as well.
    rows = _rows(selection).exclude(pk__in=shown_ids)
    found = cards(rows.filter(pk__gt=after_id).order_by("-pk")[:MAX_NEW])
    found += cards(rows.filter(IS_OPEN, TO_REVIEW, pk__lte=after_id).order_by("-heard_utc")[:MAX_NEW])
    added = sorted(found, key=lambda card: (card.began_utc, card.id), reverse=True)
    present = {card.id: card for card in cards(Visit.objects.filter(pk__in=shown_ids))} if shown_ids else {}
    changed = {row_id: card for row_id, card in present.items() if watched.get(str(row_id)) != card.state}
    answer = {
        "newest": max(newest, after_id),
        "added": _days(request, added, selection, "") if added else "",
        "count": len(added),
        "changed": {row_id: _card(request, card, selection) for row_id, card in changed.items()},
        "gone": [row_id for row_id in shown_ids if row_id not in present],
        "to_review": counted(to_review()),
    }
    return JsonResponse(answer)


@require_POST
def act(request: HttpRequest) -> HttpResponse:
    """Review, mark, delete or download the selected visits, without a script too."""
    action = request.POST.get("action", "")
    if action == "delete":
        must_own(request)
    selected = parse_ids(",".join(request.POST.getlist("id")), MAX_SELECTED)
    back = reverse("visits") + f"?{Selection.inbox(QueryDict(request.POST.get('query', '')).dict()).query()}"
    if not selected:
        messages.info(request, gettext("Select some visits first."))
        return redirect(back)
    pictures, user = changes.pictures_of(selected), request.user.get_username()
    count = len(selected)
    match action:
        case "reviewed" | "unreviewed":
            changes.set_reviewed(Album.ALARMS, pictures, is_reviewed=action == "reviewed", user=user)
            messages.success(request, _changed(action, count))
        case "not a person":
            changes.set_mark(Album.ALARMS, pictures, NOT_A_PERSON, user)
            text = ngettext("%(count)s visit flagged: %(mark)s.", "%(count)s visits flagged: %(mark)s.", count)
            messages.success(request, text % {"count": count, "mark": word(NOT_A_PERSON)})
        case "zip":
            return grid.download(Album.ALARMS, pictures, "camalert-visits.zip")
        case "delete":
            changes.delete(Album.ALARMS, pictures, user)
            text = ngettext(
                "%(count)s visit deleted; the bin keeps it for a day.",
                "%(count)s visits deleted; the bin keeps them for a day.",
                count,
            )
            messages.success(request, text % {"count": count})
        case _:
            return HttpResponseBadRequest("unknown action")
    return redirect(back)


@require_POST
def review_all(request: HttpRequest) -> HttpResponse:
    """Mark all visits of a selection as reviewed."""
    selection = replace(Selection.inbox(request.POST), review="new")
    visits = list(_rows(selection).order_by("-began_utc").values_list("pk", flat=True)[:MAX_REVIEWED])
    unreviewed = _unreviewed(visits)
    changes.set_reviewed(Album.ALARMS, unreviewed, is_reviewed=True, user=request.user.get_username())
    message = _changed("reviewed", len(visits))
    if request.headers.get("Accept", "") == "application/json":
        return JsonResponse({"message": message, "pictures": unreviewed if len(unreviewed) <= api.MAX_IDS else []})
    messages.success(request, message)
    return redirect(reverse("visits") + f"?{Selection.inbox(request.POST).query()}")


def _changed(action: str, count: int) -> str:
    if action == "reviewed":
        text = ngettext("%(count)s visit marked as reviewed.", "%(count)s visits marked as reviewed.", count)
    else:
        text = ngettext("%(count)s visit marked as unreviewed.", "%(count)s visits marked as unreviewed.", count)
    return text % {"count": count}


def to_review() -> int:
    """Return how many visits are to review, at most one more than `MAX_COUNTED`."""
    return Visit.objects.filter(TO_REVIEW)[: MAX_COUNTED + 1].count()


def counted(count: int) -> str:
    """Return how many visits are to review as the menu says it, "" for none."""
    return f"{MAX_COUNTED}+" if count > MAX_COUNTED else str(count or "")


def _newest_id() -> int:
    return Visit.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def _unreviewed(visits: Sequence[int]) -> list[int]:
    """Return the pictures of some visits that nobody has looked at."""
    pictures = changes.pictures_of(visits)
    found: list[int] = []
    for start in range(0, len(pictures), 500):
        rows = AlertFacts.objects.filter(pk__in=pictures[start : start + 500], reviewed_utc__isnull=True)
        found += rows.values_list("pk", flat=True)
    return found


def _days(request: HttpRequest, found: Sequence[Card], selection: Selection, following: str) -> str:
    today = datetime.date.today()  # noqa: DTZ011 - the local day, as everywhere on the site
    days: dict[str, list[Card]] = {}
    for card in found:
        days.setdefault(card.day, []).append(card)
    context = {
        "days": [(date, Day(date).title(today), visits) for date, visits in days.items()],
        "selection": selection,
        "following": selection.query(before=following) if following else "",
    }
    return render_to_string("review/_visits.html", context, request)


def _card(request: HttpRequest, card: Card, selection: Selection) -> str:
    return render_to_string("review/_visit.html", {"visit": card, "selection": selection}, request)


def _rows(selection: Selection) -> QuerySet[Visit]:
    return Visit.objects.filter(*visit_conditions(selection))


def _page(selection: Selection, before: str, limit: int) -> tuple[list[Card], str]:
    """Return the visits of a page, newest first, and where the next one begins, "" when there is none."""
    visits = _rows(selection).order_by("-began_utc", "-pk")
    if (place := _CURSOR.fullmatch(before)) and int(place[2]) <= MAX_ID:
        began_utc = float(place[1])
        # Written so that the index gives the range: a plain OR of both cases would read it from the start.
        visits = visits.filter(began_utc__lte=began_utc).exclude(began_utc=began_utc, pk__gte=int(place[2]))
    found = cards(visits[: limit + 1])
    return found[:limit], found[limit - 1].cursor if len(found) > limit else ""


def cards(visits: QuerySet[Visit]) -> list[Card]:
    """Return visits with what is known of their best pictures, in their order."""
    rows = list(visits)
    columns = ("alert_id", "event", "mark", "people", "width_px", "height_px")
    best = {
        facts["alert_id"]: facts
        for facts in AlertFacts.objects.filter(pk__in=[visit.best_alert for visit in rows]).values(*columns)
    }
    with_clips = set(
        AlertFacts.objects.filter(visit__in=[visit.pk for visit in rows], clip__isnull=False)
        .values_list("visit", flat=True)
        .distinct()
    )
    found = []
    for visit in rows:
        facts = best.get(visit.best_alert, {})
        card = Card(
            id=visit.pk,
            camera=visit.camera,
            began_utc=visit.began_utc,
            last_utc=visit.last_utc,
            pictures=visit.pictures,
            people=visit.people,
            kinds=visit.kinds or PERSON,
            best_alert=visit.best_alert,
            score=visit.best_score,
            is_open=visit.state == "open",
            is_reviewed=visit.unreviewed == 0,
            mark=facts.get("mark") or "",
            has_clip=visit.pk in with_clips,
            event=facts.get("event") or "",
            boxes=read(facts.get("people")),
            width_px=facts.get("width_px") or 0,
            height_px=facts.get("height_px") or 0,
        )
        found.append(card)
    return found


# --- one visit -------------------------------------------------------------------------------------------------------


@require_safe
def visit(request: HttpRequest, visit_id: int) -> HttpResponse:
    """Show one visit: its pictures, its clips, and who was told of it; its neighbours are those of the selection."""
    found = cards(Visit.objects.filter(pk=visit_id))
    if not found:
        raise Http404(gettext("This visit no longer exists: its pictures were deleted, or removed for newer ones."))
    card, selection = found[0], Selection.inbox(request.GET)
    newer, older = _neighbours(selection, card)
    pictures = pictures_of(visit_id)
    best = next((shot for shot in pictures if shot.id == card.best_alert), None)
    context = listing.on_page(request, visit_id) | {
        "visit": card,
        "length": span(card.last_utc - card.began_utc),
        "selection": selection,
        "newer": newer,
        "older": older,
        "best": best,
        "pictures": pictures,
        "hidden": max(0, AlertFacts.objects.filter(visit=visit_id).count() - len(pictures)),
        "clips": clips_of(visit_id),
        "told": told(visit_id),
        "reviewers": reviewers.of([shot.id for shot in pictures]),
        "pictures_in_all": len(pictures),
        "mark": NOT_A_PERSON,
    }
    return render(request, "review/visit.html", context)


def clips_of(visit_id: int) -> list[tuple[Clip, float | None]]:
    """Return the clips of a visit in their order, each with the second that was found."""
    with_clip = AlertFacts.objects.filter(visit=visit_id, clip__isnull=False).order_by("timestamp")
    seconds = dict(with_clip.values_list("clip", "clip_second")[:MAX_CLIPS])
    clips = Clip.objects.defer("clip").in_bulk(seconds)
    return [(clips[clip_id], second) for clip_id, second in seconds.items() if clip_id in clips]


def pictures_of(visit_id: int) -> list[Shot]:
    """Return the pictures of a visit in their order."""
    ids = AlertFacts.objects.filter(visit=visit_id).order_by("timestamp", "pk").values_list("pk", flat=True)
    shown = shots.some(Album.ALARMS, list(ids[:MAX_SHOWN]))
    return sorted(shown, key=lambda shot: (shot.timestamp, shot.id))


def _neighbours(selection: Selection, card: Card) -> tuple[int | None, int | None]:
    """Return the ids of the next newer and the next older visit of a selection."""
    here = {"began_utc": card.began_utc}
    newer = _rows(selection).filter(began_utc__gte=card.began_utc).exclude(**here, pk__lte=card.id)
    older = _rows(selection).filter(began_utc__lte=card.began_utc).exclude(**here, pk__gte=card.id)
    return (
        newer.order_by("began_utc", "pk").values_list("pk", flat=True).first(),
        older.order_by("-began_utc", "-pk").values_list("pk", flat=True).first(),
    )


def told(visit_id: int) -> list[dict[str, Any]]:
    """Return for each target and event of a visit whether it was told, when, or why not."""
    return [
        {
            "target": row.target,
            "event": row.event,
            "state": row.state,
            "reason": row.reason,
            "tries": row.tries,
            "sent": local_time(row.sent_utc),
            "next_try": local_time(row.due_utc),
        }
        for row in Told.objects.filter(visit=visit_id).order_by("pk")[:MAX_TOLD]
    ]


# --- for programs ----------------------------------------------------------------------------------------------------


@require_safe
def rows(request: HttpRequest) -> HttpResponse:
    """List them as JSON; `next` is where the following page begins."""
    asked = request.GET.get("limit", "")
    limit = max(1, min(MAX_VISITS, int(asked))) if re.fullmatch("[0-9]{1,6}", asked) else PAGE_VISITS
    selection = Selection.parse(Album.PEOPLE, request.GET)
    found, following = _page(selection, request.GET.get("before", ""), limit)
    return JsonResponse({"visits": [_facts(card) for card in found], "next": following or None})


@require_safe
def row(_request: HttpRequest, visit_id: int) -> HttpResponse:
    """Return one visit with its pictures that are still there, oldest first."""
    found = cards(Visit.objects.filter(pk=visit_id))
    if not found:
        raise Http404(gettext("This visit no longer exists."))
    columns = ("alert_id", "detect_id", "timestamp", "best_score", "reviewed_utc", "mark", "clip")
    pictures = AlertFacts.objects.filter(visit=visit_id).order_by("timestamp", "pk").values(*columns)
    shown = [
        {
            "alert_id": facts["alert_id"],
            "detect_id": facts["detect_id"],
            "timestamp": facts["timestamp"],
            "score": facts["best_score"],
            "reviewed": facts["reviewed_utc"] is not None,
            "mark": facts["mark"],
            "clip": reverse("clip", args=(facts["clip"],)) if facts["clip"] else None,
        }
        for facts in pictures[:MAX_PICTURES]
    ]
    seen = reviewers.by([facts["alert_id"] for facts in shown])
    return JsonResponse(_facts(found[0]) | {"alerts": shown, "told": told(visit_id), "reviewed_by": seen})


@require_POST
def change(request: HttpRequest) -> HttpResponse:
    """Set `reviewed` or `mark` of all pictures of the visits `ids`.

    `pictures` are those that look different now, and `undo` are the requests that make each what it was.
    """
    asked = api.asked(request)
    ids = api.ids(asked)
    if ids is None or not ({"reviewed", "mark"} & asked.keys()):
        return api.bad('send {"ids": [1, 2], "reviewed": true} or {"ids": [1], "mark": "not a person"}')
    if "mark" in asked and asked["mark"] not in (*MARKS, None):
        return api.bad(f"mark must be null or one of: {', '.join(MARKS)}")
    if "reviewed" in asked and not isinstance(asked["reviewed"], bool):
        return api.bad("reviewed must be true or false")
    user = request.user.get_username()
    pictures = changes.pictures_of(ids)
    before = _differing(pictures, asked)
    changed = [picture for pictures in before.values() for picture in pictures]
    if "mark" in asked:
        changes.set_mark(Album.ALARMS, pictures, asked["mark"], user)
    if "reviewed" in asked:
        changes.set_reviewed(Album.ALARMS, changed, is_reviewed=asked["reviewed"], user=user)
    count = Visit.objects.filter(pk__in=ids).aggregate(count=Count("pk"))["count"]
    undo = [
        {"ids": pictures[start : start + api.MAX_IDS], "mark": mark, "reviewed": was_reviewed}
        for (mark, was_reviewed), pictures in before.items()
        for start in range(0, len(pictures), api.MAX_IDS)
    ]
    return JsonResponse({"changed": count, "pictures": changed, "undo": undo, "to_review": counted(to_review())})


def _differing(pictures: Sequence[int], asked: dict[str, Any]) -> dict[tuple[str | None, bool], list[int]]:
    """Return the pictures that are not yet as they are asked to be, by what they are: mark, and whether reviewed."""
    found: dict[tuple[str | None, bool], list[int]] = {}
    for start in range(0, len(pictures), 500):
        facts = AlertFacts.objects.filter(pk__in=pictures[start : start + 500])
        other = Q(pk__in=())
        if "reviewed" in asked:
            other |= Q(reviewed_utc__isnull=asked["reviewed"])
        if "mark" in asked:
            other |= ~Q(mark=asked["mark"]) | Q(mark__isnull=True) if asked["mark"] else Q(mark__isnull=False)
        for picture, mark, reviewed_utc in facts.filter(other).values_list("pk", "mark", "reviewed_utc"):
            found.setdefault((mark or None, reviewed_utc is not None), []).append(picture)
    return found


@require_POST
def delete(request: HttpRequest) -> HttpResponse:
    """Move all pictures of the visits `ids` into the bin; for owners only."""
    must_own(request)
    ids = api.ids(api.asked(request))
    if ids is None:
        return api.bad('send {"ids": [1, 2]}')
    visits = Visit.objects.filter(pk__in=ids).aggregate(count=Count("pk"))["count"]
    gone = changes.delete(Album.ALARMS, changes.pictures_of(ids), request.user.get_username())
    return JsonResponse(
        {"deleted": visits, "pictures": gone.count, "deletion": gone.number or None, "to_review": counted(to_review())}
    )


def _facts(card: Card) -> dict[str, Any]:
    return {
        "id": card.id,
        "camera": card.camera,
        "event": card.event,
        "began": card.timestamp,
        "last": local_time(card.last_utc),
        "length_s": round(card.last_utc - card.began_utc, 3),
        "pictures": card.pictures,
        "people": card.people,
        "objects": card.kinds.split(","),
        "score": card.score,
        "state": "open" if card.is_open else "over",
        "reviewed": card.is_reviewed,
        "mark": card.mark or None,
        "best_alert": card.best_alert,
        "page": reverse("visit", args=(card.id,)),
        "picture": reverse("picture", args=(Album.ALARMS, card.best_alert)),
        "thumbnail": reverse("thumbnail", args=(Album.ALARMS, card.best_alert)),
    }
