"""Logging in and out, the first login, and the password."""

from __future__ import annotations

import time
from typing import Any

import structlog
from django.contrib import messages
from django.contrib.auth import get_user_model, update_session_auth_hash, views
from django.contrib.auth import login as start_session
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import PasswordChangeForm, UserCreationForm
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from camalert.review.origins import host_name, is_loopback
from camalert.review.proxy import IS_FORWARDED
from camalert.review.throttle import SECONDS_A_TRY, Throttle
from camalert.review.views.faults import fault

BACKEND = "django.contrib.auth.backends.ModelBackend"

log = structlog.get_logger()
_throttle = Throttle()


class Login(views.LoginView):
    """Ask for name and password, a bounded number of times."""

    template_name = "review/login.html"
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Try a password."""
        if _is_too_often(request):
            return _too_often(request)
        return super().post(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        """Log in."""
        log.info("review_login", user=form.get_user().get_username(), peer=self.request.META["REMOTE_ADDR"])
        return super().form_valid(form)

    def form_invalid(self, form: Any) -> HttpResponse:
        """Refuse; the log says who tried from where, so that a firewall can act on it."""
        name = str(self.request.POST.get("username", ""))[:100]
        log.warning("review_login_failed", user=name, peer=self.request.META["REMOTE_ADDR"])
        return super().form_invalid(form)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add whether there is any login yet."""
        return super().get_context_data(**kwargs) | {
            "has_users": _has_users(),
            "can_set_up": _is_at_this_machine(self.request),
        }


class PasswordForm(PasswordChangeForm):
    """Django's, without taking the focus: the page has more than this form."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["old_password"].widget.attrs.pop("autofocus", None)


class Logout(views.LogoutView):
    """End a session and let the browser forget the pictures that it kept."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Log out."""
        response = super().post(request, *args, **kwargs)
        response.headers["Clear-Site-Data"] = '"cache"'
        return response


login = Login.as_view()
logout = Logout.as_view()


@login_not_required
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def setup(request: HttpRequest) -> HttpResponse:
    """Make the first login, at the machine itself only."""
    if _has_users() or not _is_at_this_machine(request):
        raise Http404
    form = UserCreationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if _is_too_often(request):
            return _too_often(request)
        user = form.save(commit=False)
        user.is_staff = user.is_superuser = True
        user.save()
        start_session(request, user, BACKEND)
        log.info("review_first_login_made", user=user.get_username())
        return redirect("people")
    return render(request, "review/setup.html", {"form": form})


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Show the account: its password and its tokens."""
    new_token = request.session.pop("new_token", "")
    context = {"form": PasswordForm(request.user), "tokens": request.user.tokens.all(), "new_token": new_token}
    return render(request, "review/account.html", context)


@sensitive_post_parameters()
@require_POST
def change_password(request: HttpRequest) -> HttpResponse:
    """Change the password; other sessions of this login end."""
    if _is_too_often(request):
        return _too_often(request)
    form = PasswordForm(request.user, request.POST)
    if not form.is_valid():
        context = {"form": form, "tokens": request.user.tokens.all()}
        return render(request, "review/account.html", context, status=422)
    form.save()
    update_session_auth_hash(request, form.user)
    log.info("review_password_changed", user=request.user.get_username())
    messages.success(request, "The password is changed. Other browsers have to log in again.")
    return redirect("account")


def _has_users() -> bool:
    return bool(get_user_model().objects.exists())


def _is_at_this_machine(request: HttpRequest) -> bool:
    """Tell whether the browser runs on this machine.

    Behind a web server every request comes from this machine, and a strange page may use a name that points to it.
    """
    host = host_name(request.META.get("HTTP_HOST", ""))
    return (
        is_loopback(request.META["REMOTE_ADDR"])
        and not request.META.get(IS_FORWARDED)
        and (host == "localhost" or is_loopback(host))
    )


def _is_too_often(request: HttpRequest) -> bool:
    return not _throttle.is_admitted(request.META["REMOTE_ADDR"], time.monotonic())


def _too_often(request: HttpRequest) -> HttpResponse:
    log.warning("review_login_held_back", peer=request.META["REMOTE_ADDR"])
    response = fault(request, 429, "Too many tries", "Wait a minute before the next one.")
    response.headers["Retry-After"] = str(int(SECONDS_A_TRY))
    return response
