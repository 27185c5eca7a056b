"""The second factor: asked after the password, and switched on and off on a page of the account.

The guard asks for the password once more before that page opens.
"""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from camalert.review import qr, second_factor, sessions, totp
from camalert.review.passwords import remember, trying, was_right
from camalert.review.views.error_pages import error_page
from camalert.system.logs import log

_NEW_KEY = "second_factor_key"  # in the session, from the first look at the page until it is switched on


def ask(request: HttpRequest, user: Any, onward: str) -> HttpResponse:
    """Answer a right password with the question for a code."""
    log.info("review_second_factor_asked", user=user.get_username(), peer=request.META["REMOTE_ADDR"])
    return _question(request, second_factor.half(user, onward))


@login_not_required
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def answer(request: HttpRequest) -> HttpResponse:
    """Log in who has the code, too."""
    if request.method != "POST":
        return redirect("login")
    note, text = request.POST.get("half", ""), request.POST.get("code", "")[:100]
    found = second_factor.whose_half(note)
    if found is None:
        messages.error(request, _("That took too long. Log in again."))
        return redirect("login")
    user, onward = found
    name, peer = user.get_username(), request.META["REMOTE_ADDR"]
    with trying(request, name) as refusal:
        if refusal:
            return refusal
        if totp.digits_of(text) and not second_factor.may_try(request, user):
            log.warning("review_second_factor_throttled", user=name, peer=peer)
            return _refused(request)
        if not second_factor.is_right(request, user, text):
            log.warning("review_second_factor_failed", user=name, peer=peer)
            return _question(request, note, is_wrong=True)
        was_right(request, name)
    sessions.start(request, user)
    log.info("review_login", user=name, peer=peer)
    response = redirect(onward)
    remember(request, response, user)
    return response


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Show the page: a key to take over into an app, or that it is on."""
    return _page(request)


@sensitive_post_parameters()
@require_POST
def switch_on(request: HttpRequest) -> HttpResponse:
    """Switch it on for who shows a code of the key."""
    if second_factor.is_on(request.user):
        return redirect("second-factor")
    secret = request.session.get(_NEW_KEY, "")
    codes = second_factor.switch_on(request.user, secret, request.POST.get("code", "")) if secret else []
    if not codes:
        return _page(request, is_wrong=True, status=422)
    del request.session[_NEW_KEY]
    log.info("review_second_factor_on", user=request.user.get_username())
    return _page(request, codes=codes)


@require_POST
def switch_off(request: HttpRequest) -> HttpResponse:
    """Switch it off."""
    if second_factor.switch_off(request.user):
        name = request.user.get_username()
        log.warning("review_second_factor_off", user=name, account=name)
        messages.success(request, _("The second factor is off. The password alone logs you in."))
    return redirect("account")


@require_POST
def renew_codes(request: HttpRequest) -> HttpResponse:
    """Make other recovery codes."""
    if not second_factor.is_on(request.user):
        return redirect("second-factor")
    codes = second_factor.new_codes(request.user)
    log.info("review_recovery_codes_made", user=request.user.get_username())
    return _page(request, codes=codes)


def _question(request: HttpRequest, note: str, *, is_wrong: bool = False) -> HttpResponse:
    return _unstored(render(request, "review/second_factor_asked.html", {"half": note, "is_wrong": is_wrong}))


def _refused(request: HttpRequest) -> HttpResponse:
    title = _("Too many tries")
    message = _(
        "There were too many wrong codes for this account. Wait two minutes, use a browser that you logged in with"
        " before, or log in with a recovery code."
    )
    response = error_page(request, 429, title, message)
    response.headers["Retry-After"] = str(int(second_factor.SECONDS_A_TRY))
    return response


def _page(
    request: HttpRequest, *, codes: list[str] | None = None, is_wrong: bool = False, status: int = 200
) -> HttpResponse:
    context: dict[str, Any] = {"is_on": second_factor.is_on(request.user), "is_wrong": is_wrong}
    if codes:
        context["codes"] = [totp.grouped(code) for code in codes]
    elif context["is_on"]:
        context["left"] = second_factor.codes_left(request.user)
    else:
        secret = request.session.setdefault(_NEW_KEY, totp.new_secret())
        link = totp.link(secret, request.user.get_username())
        context |= {"key": totp.grouped(secret), "link": link, "picture": qr.svg(link)}
    return _unstored(render(request, "review/second_factor.html", context, status=status))


def _unstored(response: HttpResponse) -> HttpResponse:
    response.headers["Cache-Control"] = "no-store"  # no key or code in a browser's cache
    return response
