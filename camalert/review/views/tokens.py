"""Tokens for programs, made and taken back on the account page."""

from __future__ import annotations

import structlog
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from camalert.review.accounts.models import issue

MAX_TOKENS = 50

log = structlog.get_logger()


@require_POST
def add(request: HttpRequest) -> HttpResponse:
    """Make a token; it is shown once."""
    name = request.POST.get("name", "").strip()
    if not name:
        messages.error(request, "Give the token a name, such as the program's.")
    elif request.user.tokens.count() >= MAX_TOKENS:
        messages.error(request, f"There are {MAX_TOKENS} tokens already; remove some first.")
    else:
        request.session["new_token"] = issue(request.user, name)
        log.info("review_token_made", user=request.user.get_username(), token=name[:100])
    return redirect("account")


@require_POST
def remove(request: HttpRequest, token_id: int) -> HttpResponse:
    """Take a token back."""
    count, _ = request.user.tokens.filter(pk=token_id).delete()
    if count:
        log.info("review_token_removed", user=request.user.get_username())
        messages.success(request, "The token is removed and does not work any more.")
    return redirect("account")
