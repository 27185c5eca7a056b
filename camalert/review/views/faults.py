"""Pages for what went wrong, in words that say what to do."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

API = "/api/"


def fault(request: HttpRequest, status: int, title: str, words: str) -> HttpResponse:
    """Say that something went wrong, to a person or to a program."""
    if request.path_info.startswith(API):
        return JsonResponse({"error": words}, status=status)
    return render(request, "review/fault.html", {"title": title, "words": words}, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what cannot be understood."""
    return fault(request, 400, "That cannot be done", "This request cannot be understood. Go back and try again.")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what is not allowed."""
    return fault(request, 403, "Not allowed", "Your login does not allow this.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer what is not there; a view may say why."""
    words = str(exception.args[0]) if exception.args and isinstance(exception.args[0], str) else ""
    return fault(request, 404, "Not there", words or "There is no such page.")


def broken(request: HttpRequest) -> HttpResponse:
    """Answer a defect of ours."""
    return fault(request, 500, "Something broke", "This is a defect of the site; the service's log has the details.")


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form that did not come from a page of this site."""
    words = f"This form did not come from a page of this site, or cookies are switched off: {reason}."
    return fault(request, 403, "Please try again", words)


def database_away(request: HttpRequest, error: Exception) -> HttpResponse:
    """Answer while the service's database cannot be read or written."""
    response = fault(
        request,
        503,
        "The database is not available",
        f"It is made when the service first starts, and may be busy for a moment. Try again soon. ({error})",
    )
    response.headers["Retry-After"] = "5"
    return response
