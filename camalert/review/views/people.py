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
from camalert.review import logins, second_factor, sessions
from camalert.review.guard import must_own
from camalert.system.logs import log

MAX_PEOPLE = 200
NAME_CHARS = 150
OWNER, VIEWER = "owner", "viewer"
DISABLE, ENABLE = "disable", "enable"
NO_SECOND_FACTOR = "no-second-factor"  # for who has neither app nor recovery codes any more


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
    users = get_user_model().objects
    is_new = not users.filter(username=name).exists()
    if is_new and users.count() >= MAX_PEOPLE:
        messages.error(
            request,
            gettext("There are %(count)s accounts, the most there can be; remove one first.") % {"count": MAX_PEOPLE},
        )
        return redirect("people-accounts")
    is_owner = request.POST.get("role") == OWNER if is_new else None
    try:
        logins.put(name, request.POST.get("password", ""), is_owner=is_owner)
    except CamalertError as error:
        messages.error(request, str(error))
    else:
        log.info("review_account_changed", user=request.user.get_username(), account=name, change="password")
        text = gettext("%(name)s can log in.") if is_new else gettext("%(name)s can log in with the new password.")
        messages.success(request, text % {"name": name})
    return redirect("people-accounts")


@require_POST
def change(request: HttpRequest, user_id: int) -> HttpResponse:
    """Make somebody an owner or a viewer, or remove the account; nobody can do so to himself."""
    must_own(request)
    found = get_user_model().objects.filter(pk=user_id).first()
    if found is None:
        raise Http404(gettext("There is no such account any more."))
    what = request.POST.get("change", "")
    if found.pk == request.user.pk:
        messages.error(request, gettext("Your own account is changed by another owner: one must stay."))
    elif what in (OWNER, VIEWER):
        found.is_staff = found.is_superuser = what == OWNER
        found.save(update_fields=["is_staff", "is_superuser"])
        text = gettext("%(name)s is an owner now.") if what == OWNER else gettext("%(name)s is a viewer now.")
        messages.success(request, text % {"name": found.get_username()})
    elif what in (DISABLE, ENABLE):
        found.is_active = what == ENABLE
        found.save(update_fields=["is_active"])
        sessions.end(found)
        name = found.get_username()
        text = gettext("%(name)s can log in again.") if found.is_active else gettext("%(name)s can no longer log in.")
        messages.success(request, text % {"name": name})
    elif what == NO_SECOND_FACTOR:
        second_factor.switch_off(found)
        messages.success(
            request, gettext("%(name)s logs in with the password alone now.") % {"name": found.get_username()}
        )
    elif what == "remove":
        logins.remove(found.get_username())
        messages.success(
            request, gettext("%(name)s is removed, with sessions and tokens.") % {"name": found.get_username()}
        )
    else:
        raise Http404(gettext("There is no such change."))
    log.info(
        "review_account_changed", user=request.user.get_username(), account=found.get_username(), change=what
    )  # fmt: skip
    return redirect("people-accounts")


@require_POST
def end_sessions(request: HttpRequest, user_id: int) -> HttpResponse:
    """End sessions of somebody: the ones of the form, or all."""
    must_own(request)
    found = get_user_model().objects.filter(pk=user_id).first()
    if found is None:
        raise Http404("There is no such account any more.")
    this = request.session.session_key if found.pk == request.user.pk else ""
    ended = sessions.end(found, sessions.ids(request.POST.getlist("id")), besides=this)
    log.info(
        "review_sessions_ended", user=request.user.get_username(), account=found.get_username(), count=ended
    )  # fmt: skip
    messages.success(request, sessions.said(ended))
    return redirect("people-accounts")
