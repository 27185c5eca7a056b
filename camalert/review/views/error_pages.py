"""The error pages, each with what to do next."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext

from camalert.system.logs import log

API = "/api/"


def error_page(request: HttpRequest, status: int, title: str, message: str) -> HttpResponse:
    """Answer with an error: a page for a person, JSON for a program."""
    if request.path_info.startswith(API) or getattr(request, "token", None):
        return JsonResponse({"error": message}, status=status)
    return render(request, "review/error.html", {"title": title, "message": message}, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that makes no sense."""
    return error_page(
        request,
        400,
        gettext("Bad request"),
        gettext("camalert cannot make sense of this request. Go back and try again."),
    )


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what this account may not do."""
    return error_page(
        request, 403, gettext("Not allowed"), _reason(exception) or gettext("Your account does not allow this.")
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer for what does not exist; a view may say why."""
    return error_page(
        request, 404, gettext("Page not found"), _reason(exception) or gettext("There is no page at this address.")
    )


def broken(request: HttpRequest) -> HttpResponse:
    """Answer after an internal error."""
    return error_page(
        request, 500, gettext("Something went wrong"), gettext("This is a bug in camalert; its log has the details.")
    )


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form that did not come from a page of this site."""
    log.info("review_form_refused", message=reason, peer=request.META["REMOTE_ADDR"])
    message = gettext(
        "The form was open for too long, came from another site, or your browser blocks cookies. Open the page again"
        " and repeat what you did."
    )
    return error_page(request, 403, gettext("Please try again"), message)


def database_unavailable(request: HttpRequest, error: Exception) -> HttpResponse:
    """Answer while the service's database cannot be read or written."""
    response = error_page(
        request,
        503,
        gettext("The database is not available"),
        gettext("camalert creates it at its first start, and it can be busy for a moment. Try again soon.")
        + f" ({error})",
    )
    response.headers["Retry-After"] = "5"
    return response


def _reason(exception: Exception) -> str:
    return str(exception.args[0]) if exception.args and isinstance(exception.args[0], str) else ""
