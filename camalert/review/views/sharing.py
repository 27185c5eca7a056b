"""Links to one visit for whoever has them: made, listed and ended by owners, opened without a login.

An owner decides who sees pictures beyond those with an account. Who has a link sees that visit's pictures and clips,
and changes nothing; `review.allow` says from where, as for everybody.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import AnonymousUser
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from camalert.review.alerts.models import AlertFacts, Visit
from camalert.review.formats import local_time
from camalert.review.guard import must_own
from camalert.review.selection import Album
from camalert.review.sharing.listing import NEW, source, told, working
from camalert.review.sharing.models import TERMS_S, SharedVisit, TooManyLinksError, opened, share
from camalert.review.views import api, files, visits
from camalert.review.views.error_pages import error_page
from camalert.review.views.links import may_try
from camalert.system import networks
from camalert.system.logs import log

# --- for who has the link --------------------------------------------------------------------------------------------


@login_not_required
@require_safe
def show(request: HttpRequest, token: str) -> HttpResponse:
    """Show the visit of a link."""
    request.user = AnonymousUser()  # the same page for everybody, whoever is logged in
    found, refusal = _opened(request, token)
    if found is None:
        return refusal
    card = _card(found)
    clips = visits.clips_of(found.visit)
    context = {
        "token": token,
        "visit": card,
        "pictures": visits.pictures_of(found.visit),
        "clips": clips,
        "until": local_time(found.until)[:16],
    }
    return _closed(render(request, "review/shared.html", context))


@login_not_required
@require_safe
def picture(request: HttpRequest, token: str, row_id: int) -> HttpResponse:
    """Hand out a picture of the visit as it is stored."""
    return _hand_out(request, token, lambda: files.picture(request, Album.ALARMS, row_id), pk=row_id)


@login_not_required
@require_safe
def thumbnail(request: HttpRequest, token: str, row_id: int) -> HttpResponse:
    """Hand out a thumbnail of the visit."""
    return _hand_out(request, token, lambda: files.thumbnail(request, Album.ALARMS, row_id), pk=row_id)


@login_not_required
@require_safe
def clip(request: HttpRequest, token: str, clip_id: int) -> HttpResponse:
    """Hand out a clip of the visit, or the range that a player asks for."""
    return _hand_out(request, token, lambda: files.clip(request, clip_id), clip=clip_id)


@login_not_required
@require_safe
def clip_preview(request: HttpRequest, token: str, clip_id: int) -> HttpResponse:
    """Hand out the moving preview of a clip of the visit."""
    return _hand_out(request, token, lambda: files.clip_preview(request, clip_id), clip=clip_id)


def _hand_out(request: HttpRequest, token: str, answer: Callable[[], Any], **row: int) -> HttpResponse:
    """Answer with what belongs to one row of the visit of a link."""
    found, refusal = _opened(request, token)
    if found is None:
        return refusal
    if not AlertFacts.objects.filter(visit=found.visit, **row).exists():
        raise Http404(_("This is no longer part of the visit."))
    return _closed(answer())


def _opened(request: HttpRequest, token: str) -> tuple[SharedVisit | None, HttpResponse]:
    """Return the link of a token; else the answer that refuses it, slowed down for who guesses."""
    found, is_new = opened(token, source(), time.time())
    if found is None or not _was_there(found):
        if not may_try(request):
            return None, _closed(error_page(request, 429, _("Too many tries"), _("Wait a minute, then try again.")))
        message = _("This link is not valid, or it has ended. Ask who sent it for another one.")
        return None, _closed(error_page(request, 404, _("Nothing is shared here"), message))
    if is_new:
        log.info("share_opened", visit=found.visit, link=found.pk, peer=request.META["REMOTE_ADDR"])
    return found, HttpResponse()


def _was_there(found: SharedVisit) -> bool:
    """Tell whether its visit is the one that was shared: after a restore by hand another one may get that id."""
    pictures = AlertFacts.objects.filter(visit=found.visit)
    return pictures.filter(Q(received_utc__lte=found.made) | Q(received_utc__isnull=True)).exists()


def _card(found: SharedVisit) -> visits.Card:
    card = next(iter(visits.cards(Visit.objects.filter(pk=found.visit))), None)
    if card is None:
        raise Http404(_("This visit no longer exists: its pictures were deleted, or removed for newer ones."))
    return card


def _closed(response: Any) -> HttpResponse:
    """Keep an answer out of search engines and caches, and its address from other sites."""
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    response.headers["Cache-Control"] = "no-store"
    closed: HttpResponse = response
    return closed


# --- for owners ------------------------------------------------------------------------------------------------------


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """List all links, so that none is forgotten."""
    must_own(request)
    return render(request, "review/shares.html", {"shares": [told(each) for each in working(time.time())]})


@require_POST
def make(request: HttpRequest, visit_id: int) -> HttpResponse:
    """Make a link to a visit; it is shown once."""
    must_own(request)
    term = request.POST.get("term", "")
    if term not in TERMS_S:
        messages.error(request, _("Choose how long the link is to work."))
        return redirect("visit", visit_id)
    try:
        found, url = _make(request, visit_id, term)
    except TooManyLinksError as error:
        messages.error(request, _("There are %s links already, the most there can be; end one first.") % error)
    else:
        request.session[NEW] = {"visit": visit_id, "url": url, "until": local_time(found.until)[:16]}
    return redirect(reverse("visit", args=(visit_id,)) + "#share")


@require_POST
def end(request: HttpRequest, share_id: int) -> HttpResponse:
    """End a link."""
    must_own(request)
    found = _end(request, share_id)
    if found is not None:
        messages.success(request, _("The link has ended. Who opens it sees nothing any more."))
    if "visit" in request.POST and found is not None:
        return redirect("visit", found.visit)
    return redirect("shares")


@require_safe
def rows(request: HttpRequest) -> HttpResponse:
    """List all links for a program."""
    must_own(request)
    return JsonResponse({"links": [_facts(each) for each in working(time.time())]})


@require_POST
def api_make(request: HttpRequest, visit_id: int) -> HttpResponse:
    """Make a link for a program."""
    must_own(request)
    asked = api.asked(request)
    term = asked.get("term")
    if not isinstance(term, str) or term not in TERMS_S:
        return api.bad(f"term must be one of: {', '.join(TERMS_S)}")
    try:
        found, url = _make(request, visit_id, term)
    except TooManyLinksError as error:
        return JsonResponse({"error": f"there are {error} links already; end one first"}, status=409)
    return JsonResponse(_facts(found) | {"url": url}, status=201)


@require_POST
def api_end(request: HttpRequest, share_id: int) -> HttpResponse:
    """End a link for a program."""
    must_own(request)
    if _end(request, share_id) is None:
        raise Http404(_("This link has ended already."))
    return JsonResponse({"ended": share_id})


def _make(request: HttpRequest, visit_id: int, term: str) -> tuple[SharedVisit, str]:
    card = next(iter(visits.cards(Visit.objects.filter(pk=visit_id))), None)
    if card is None:
        raise Http404(_("This visit no longer exists: its pictures were deleted, or removed for newer ones."))
    title = f"{card.name} {card.day} {card.time}"
    found, token = share(visit_id, source(), title, request.user.get_username(), term)
    log.info("share_made", visit=visit_id, link=found.pk, term=term, user=found.made_by)
    review = settings.CAMALERT.review
    path = reverse("shared", args=(token,))
    if review.address:  # under which others find the site, whatever way its owner came
        return found, f"{networks.site_url(review)}shared/{token}/"
    return found, request.build_absolute_uri(path)


def _end(request: HttpRequest, share_id: int) -> SharedVisit | None:
    found = SharedVisit.objects.filter(pk=share_id).first()
    if found is None or not SharedVisit.objects.filter(pk=share_id).delete()[0]:
        return None
    log.info("share_ended", visit=found.visit, link=share_id, user=request.user.get_username())
    return found


def _facts(found: SharedVisit) -> dict[str, Any]:
    return {
        "id": found.pk,
        "visit": found.visit,
        "title": found.title,
        "made_by": found.made_by,
        "made": local_time(found.made),
        "until": local_time(found.until),
        "last_opened": local_time(found.last_opened) or None,
    }
