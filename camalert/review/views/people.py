"""The page of accounts, for owners: who may log in, as what; new ones, new passwords, and away with one.

The guard asks for the password once more before it opens.
"""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth import get_user_model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST, require_safe

from camalert.errors import CamalertError
from camalert.review import account_changes, second_factor, sessions
from camalert.review.account_changes import CHANGES, MAX_PEOPLE
from camalert.review.guard import must_own
from camalert.system.logs import log

NAME_CHARS = 150


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Show the accounts."""
    must_own(request)
    people = list(get_user_model().objects.order_by("username")[:MAX_PEOPLE])
    protected = second_factor.whose()
    for person in people:
        person.open_sessions = []
        person.has_second_factor = person.pk in protected
    by_id = {person.pk: person for person in people}
    for found in sessions.of(request):
        if found.user_id in by_id:
            by_id[found.user_id].open_sessions.append(found)
    return render(request, "review/people.html", {"people": people, "count": get_user_model().objects.count()})


@sensitive_post_parameters()
@require_POST
def put(request: HttpRequest) -> HttpResponse:
    """Make an account, or give one another password."""
    must_own(request)
    name = request.POST.get("username", "").strip()[:NAME_CHARS]
    try:
        is_new = account_changes.put(request.user, name, request.POST.get("password", ""), request.POST.get("role", ""))
    except CamalertError as error:
        messages.error(request, str(error))
    else:
        said = gettext("%(name)s can log in.") if is_new else gettext("%(name)s can log in with the new password.")
        messages.success(request, said % {"name": name})
    return redirect("people-accounts")


@require_POST
def change(request: HttpRequest, user_id: int) -> HttpResponse:
    """Make somebody an owner or a viewer, or remove the account; nobody can do so to himself."""
    must_own(request)
    found = get_user_model().objects.filter(pk=user_id).first()
    if found is None:
        raise Http404(gettext("There is no such account any more."))
    what = request.POST.get("change", "")
    if what not in CHANGES:
        raise Http404(gettext("There is no such change."))
    try:
        account_changes.change(request.user, found, what)
    except CamalertError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _done(what) % {"name": found.get_username()})
    return redirect("people-accounts")


def _done(what: str) -> str:
    match what:
        case account_changes.OWNER:
            return gettext("%(name)s is an owner now.")
        case account_changes.VIEWER:
            return gettext("%(name)s is a viewer now.")
        case account_changes.DISABLE:
            return gettext("%(name)s can no longer log in.")
        case account_changes.ENABLE:
            return gettext("%(name)s can log in again.")
        case account_changes.NO_SECOND_FACTOR:
            return gettext("%(name)s logs in with the password alone now.")
    return gettext("%(name)s is removed, with sessions and tokens.")


@require_POST
def end_sessions(request: HttpRequest, user_id: int) -> HttpResponse:
    """End sessions of somebody: the ones of the form, or all."""
    must_own(request)
    found = get_user_model().objects.filter(pk=user_id).first()
    if found is None:
        raise Http404(gettext("There is no such account any more."))
    this = request.session.session_key if found.pk == request.user.pk else ""
    ended = sessions.end(found, sessions.ids(request.POST.getlist("id")), besides=this)
    log.info(
        "review_sessions_ended", user=request.user.get_username(), account=found.get_username(), count=ended
    )  # fmt: skip
    messages.success(request, sessions.said(ended))
    return redirect("people-accounts")
