"""Logging in and out, the first login, and the account page: password, tokens, other people's logins."""

from __future__ import annotations

import datetime
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth import get_user_model, update_session_auth_hash, views
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import PasswordChangeForm, UserCreationForm
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from camalert.review import languages, second_factor, sessions
from camalert.review.accounts.models import DEFAULT_DAYS, MAX_DAYS, issue, scopes_of
from camalert.review.passwords import counts_tries, is_right_again, remember, was_right
from camalert.review.settings import LANGUAGES
from camalert.review.views import second_factor as asked
from camalert.system import firstlogin
from camalert.system.logs import log

MAX_TOKENS = 50


class Login(views.LoginView):
    """Ask for name and password."""

    template_name = "review/login.html"
    redirect_authenticated_user = True

    def form_valid(self, form: Any) -> HttpResponse:
        """Log in, or ask for the second factor."""
        user = form.get_user()
        if second_factor.is_on(user):
            was_right(self.request, user.get_username())
            return asked.ask(self.request, user, self.get_success_url())
        log.info("review_login", user=user.get_username(), peer=self.request.META["REMOTE_ADDR"])
        response = super().form_valid(form)
        sessions.note(self.request)
        was_right(self.request)
        remember(self.request, response, user)
        return response

    def form_invalid(self, form: Any) -> HttpResponse:
        """Refuse; the log has name and address, so that a firewall can act on it."""
        name = str(self.request.POST.get("username", ""))[:100]
        log.warning("review_login_failed", user=name, peer=self.request.META["REMOTE_ADDR"])
        return super().form_invalid(form)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Add whether there is any account yet."""
        return super().get_context_data(**kwargs) | {"has_users": _has_users()}

    def get_redirect_url(self) -> str:
        """Return the page to go to: never one that only leads back here."""
        found: str = super().get_redirect_url()
        path = urlsplit(found).path
        return "" if path in (reverse("login"), reverse("logout"), reverse("first-login")) else found


class PasswordForm(PasswordChangeForm):
    """Django's, without the focus: the page has more than this form."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["old_password"].widget.attrs.pop("autofocus", None)
        self.fields["new_password2"].label = gettext("Repeat new password")


class Logout(views.LogoutView):
    """End a session and let the browser drop the pictures in its cache."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Log out."""
        response = super().post(request, *args, **kwargs)
        response.headers["Clear-Site-Data"] = '"cache"'
        return response


login = counts_tries(Login.as_view())
logout = Logout.as_view()


@login_not_required
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@counts_tries
def first_login(request: HttpRequest) -> HttpResponse:
    """Create the first login, for who knows the code that only the machine's owner can read."""
    if _has_users():
        raise Http404(gettext("There is an account already."))
    folder = Path(settings.CAMALERT.review.data_dir)
    form = UserCreationForm(request.POST or None)
    context = {"form": form, "code": (request.POST.get("code", "") or request.GET.get("code", ""))[:50]}
    if request.method != "POST":
        return render(request, "review/first_login.html", context)
    if not firstlogin.fits(request.POST.get("code", ""), folder):
        log.warning("review_first_login_refused", peer=request.META["REMOTE_ADDR"])
        return render(request, "review/first_login.html", context | {"is_wrong": True}, status=403)
    if not form.is_valid():
        return render(request, "review/first_login.html", context, status=422)
    with transaction.atomic():  # IMMEDIATE: of two at once, the later finds the other's login
        if _has_users():
            raise Http404(gettext("There is an account already."))
        user = form.save(commit=False)
        user.is_staff = user.is_superuser = True
        user.save()
    firstlogin.withdraw(folder)
    sessions.start(request, user)
    log.info("review_first_login_created", user=user.get_username(), peer=request.META["REMOTE_ADDR"])
    response = redirect("visits")
    remember(request, response, user)
    return response


@require_POST
def change_language(request: HttpRequest) -> HttpResponse:
    """Keep the language that somebody chooses."""
    if not languages.choose(request.user, request.POST.get("language", "")):
        raise Http404(gettext("There is no such language."))
    return redirect("account")


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    """Show the page."""
    return render(request, "review/account.html", _facts(request, PasswordForm(request.user)))


@require_POST
def end_sessions(request: HttpRequest) -> HttpResponse:
    """End other sessions of one's own: the ones of the form, or all but this one."""
    this = request.session.session_key or ""
    ended = sessions.end(request.user, sessions.ids(request.POST.getlist("id")), besides=this)
    name = request.user.get_username()
    log.info("review_sessions_ended", user=name, account=name, count=ended)
    messages.success(request, sessions.said(ended))
    return redirect("account")


@sensitive_post_parameters()
@require_POST
@counts_tries
def change_password(request: HttpRequest) -> HttpResponse:
    """Change the password; other sessions end, and the tokens unless they are to stay."""
    form = PasswordForm(request.user, request.POST)
    if not form.is_valid():
        return render(request, "review/account.html", _facts(request, form), status=422)
    request.user.keeps_tokens = bool(request.POST.get("keep_tokens"))
    was_right(request)
    form.save()
    update_session_auth_hash(request, form.user)
    sessions.note(request)
    log.info("review_password_changed", user=request.user.get_username(), keeps_tokens=request.user.keeps_tokens)
    kept = gettext("Your tokens still work.") if request.user.keeps_tokens else gettext("Your tokens no longer work.")
    text = gettext("Password changed. Other browsers have to log in again.")
    messages.success(request, f"{text} {kept}")
    return redirect("account")


@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
@counts_tries
def confirm(request: HttpRequest) -> HttpResponse:
    """Ask for the password once more, before what a session alone must not do."""
    onward = request.POST.get("next", "") or request.GET.get("next", "")
    if not url_has_allowed_host_and_scheme(onward, None) or urlsplit(onward).path == request.path:
        onward = reverse("account")
    context = {"next": onward}
    if request.method != "POST":
        return render(request, "review/confirm_password.html", context)
    if not is_right_again(request):
        return render(request, "review/confirm_password.html", context | {"is_wrong": True}, status=403)
    return redirect(onward)


@sensitive_post_parameters()
@require_POST
@counts_tries
def add_token(request: HttpRequest) -> HttpResponse:
    """Make a token; it is shown once."""
    name = request.POST.get("name", "").strip()
    scope = request.POST.get("scope", "read")
    days = request.POST.get("days", str(DEFAULT_DAYS))
    if not is_right_again(request):
        messages.error(request, gettext("Wrong password: no token was made."))
    elif not name:
        messages.error(request, gettext("Give the token a name, such as the program's."))
    elif request.user.tokens.count() >= MAX_TOKENS:
        messages.error(
            request,
            gettext("You have %(count)s tokens, the most there can be; remove one first.") % {"count": MAX_TOKENS},
        )
    elif scope not in scopes_of(request.user):
        messages.error(request, gettext("Your tokens cannot have this scope."))
    elif not re.fullmatch("[0-9]{1,5}", days) or int(days) > MAX_DAYS:
        messages.error(
            request, gettext("A token is valid for 1 to %(days)s days, or 0 for no limit.") % {"days": MAX_DAYS}
        )
    else:
        request.session["new_token"] = issue(request.user, name, scope, int(days))
        log.info("review_token_created", user=str(request.user), token=name[:100], scope=scope, days=int(days))
    return redirect("account")


@require_POST
def remove_token(request: HttpRequest, token_id: int) -> HttpResponse:
    """Remove a token."""
    count, _ = request.user.tokens.filter(pk=token_id).delete()
    if count:
        log.info("review_token_removed", user=request.user.get_username())
        messages.success(request, gettext("Token removed. It no longer works."))
    return redirect("account")


@login_not_required
def admin_login(request: HttpRequest) -> HttpResponse:
    """Redirect to the site's login: the admin's own would not be rate-limited."""
    if request.user.is_authenticated:
        raise PermissionDenied(gettext("Only owners may open the database tables."))
    return redirect(f"{reverse('login')}?{urlencode({'next': request.GET.get('next', '')})}")


def _facts(request: HttpRequest, form: PasswordForm) -> dict[str, Any]:
    return {
        "form": form,
        "languages": LANGUAGES,
        "chosen_language": languages.chosen(request.user),
        "tokens": request.user.tokens.all(),
        "new_token": request.session.pop("new_token", ""),
        "scopes": scopes_of(request.user),
        "sessions": sessions.of(request, request.user),
        "has_second_factor": second_factor.is_on(request.user),
        "now": datetime.datetime.now(),  # noqa: DTZ005 - the site's own times are local
    }


def _has_users() -> bool:
    return bool(get_user_model().objects.exists())
