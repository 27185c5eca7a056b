"""Passwords typed into the site: how often one may be tried, who is known from before, and asking once more.

A few tries at once and then slowly, for each network and for all together. Guessing is slowed down, and nobody is
locked out by what others do: a browser or address from which somebody logged in before has its own tries, and a flood
from very many addresses makes unknown clients wait instead of refusing them. Source: OWASP Authentication Cheat Sheet,
"Slow down online guessing attacks with device cookies".

A password's digest takes a tenth of a second and 16 MiB by design, so few are made at a time, whoever asks: a flood
leaves web threads, processor and memory for those who look at pictures.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import ipaddress
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import ScryptPasswordHasher
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext

from camalert.ratelimit import RateLimit
from camalert.review.accounts.models import GoodLogin
from camalert.review.views.error_pages import error_page
from camalert.system.logs import log
from camalert.system.networks import parse

TRIES_AT_ONCE = 8
SECONDS_A_TRY = 15.0
ALL_AT_ONCE = 40
SECONDS_A_TRY_OF_ALL = 2.0
SLOW_S = 2.0
SLOW_THREADS = 2  # of the web server's: tries of unknown clients wait in them
UNKNOWN_THREADS = 4  # of the web server's: those in which unknown clients' tries are, waiting or not
DIGESTS_AT_ONCE = 2
DEVICE_COOKIE = "camalert_device"  # says that somebody logged in with this browser; opens nothing
DEVICE_DAYS = 180
ADDRESS_DAYS = 30
TYPED_CHARS = 300  # of a name or an address that the form is given back
AGAIN_S = 600.0  # how long a password asked for once more holds
_SALT = "camalert.review.device"
_TOO_MANY = "There were too many wrong passwords from this address. Wait a minute, then try again."
_MANY_OTHERS = "Many others are trying passwords now. Try again soon, or use a browser that you logged in with before."


class Throttle:
    """Admit tries to log in; `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._known = RateLimit(per_second=1 / SECONDS_A_TRY, burst=TRIES_AT_ONCE)
        self._each = RateLimit(per_second=1 / SECONDS_A_TRY, burst=TRIES_AT_ONCE)
        self._all = RateLimit(per_second=1 / SECONDS_A_TRY_OF_ALL, burst=ALL_AT_ONCE)

    def wait_s(self, client: str, known: Iterable[str], now: float) -> float | None:
        """Count a try at `now` and return how long it has to wait, None when there were too many from there.

        Args:
            client: The address.
            known: Keys of what this login was used with before, the surest first: a browser, an address.
        """
        if any(self._known.admit(key, now).is_admitted for key in known):
            return 0.0
        if not self._each.admit(network_of(client), now).is_admitted:
            return None
        return 0.0 if self._all.admit("", now).is_admitted else SLOW_S

    def was_right(self, client: str, known: Sequence[str]) -> None:
        """Give the try back: only wrong passwords count, and who knows the right one gains nothing by it."""
        if known:
            self._known.give_back(known[0])
        else:
            self._each.give_back(network_of(client))
            self._all.give_back("")


def network_of(client: str) -> str:
    """Return what a client is counted by: its address, or for IPv6 its network, whose addresses are all its own."""
    found = parse(client)
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found or client)


_throttle = Throttle()
_unknown = threading.BoundedSemaphore(UNKNOWN_THREADS)
_slow = threading.BoundedSemaphore(SLOW_THREADS)
# Threads of their own also because each thread's arena keeps the memory of its largest digest.
_digests = ThreadPoolExecutor(DIGESTS_AT_ONCE, thread_name_prefix="review-digest")


class Hasher(ScryptPasswordHasher):
    """Django's, a few at a time. Hard in memory, not in time: a graphics card is not much faster than a small board."""

    def encode(self, password: str, salt: str, n: Any = None, r: Any = None, p: Any = None) -> str:
        """Return what is stored of a password."""
        return str(_digests.submit(super().encode, password, salt, n, r, p).result())


def counts_tries(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Make a view whose forms carry a password count each as a try, and refuse it when there were too many."""

    @functools.wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method != "POST":
            return view(request, *args, **kwargs)
        name = request.user.get_username() or request.POST.get("username", "")
        with trying(request, name) as refusal:
            return refusal or view(request, *args, **kwargs)

    return answer


@contextlib.contextmanager
def trying(request: HttpRequest, name: str) -> Iterator[HttpResponse | None]:
    """Count a try of the password of `name`, and hold a place for as long as it takes; the refusal, if it is one."""
    known = known_keys(request, name)
    wait_s = _throttle.wait_s(request.META["REMOTE_ADDR"], known, time.monotonic())
    with contextlib.ExitStack() as places:
        if wait_s is None:
            yield _refusal(request, SECONDS_A_TRY, _TOO_MANY)
            return
        if not (known or _takes(places, _unknown)) or (wait_s and not _takes(places, _slow)):
            yield _refusal(request, SLOW_S, _MANY_OTHERS)
            return
        time.sleep(wait_s)
        yield None


def _takes(places: contextlib.ExitStack, free: threading.BoundedSemaphore) -> bool:
    if not free.acquire(blocking=False):
        return False
    places.callback(free.release)
    return True


def _refusal(request: HttpRequest, again_s: float, message: str) -> HttpResponse:
    log.warning("review_login_throttled", peer=request.META["REMOTE_ADDR"])
    title = gettext("Too many tries")
    if request.resolver_match is not None and request.resolver_match.url_name == "login":
        typed = {name: request.POST.get(name, "")[:TYPED_CHARS] for name in ("username", "next")}
        context = {"name": typed["username"], "next": typed["next"], "wait_s": int(again_s), "has_users": True}
        response = render(request, "review/login.html", context | {"title": title, "refusal": message}, status=429)
    else:
        response = error_page(request, 429, title, message)
    response.headers["Retry-After"] = str(int(again_s))
    return response


def was_right(request: HttpRequest, name: str = "") -> None:
    """Give back the try of somebody whose password was right, before that login is remembered."""
    _throttle.was_right(request.META["REMOTE_ADDR"], known_keys(request, name or request.user.get_username()))


def remember(request: HttpRequest, response: HttpResponse, user: Any) -> None:
    """Remember the browser and the address of a successful login."""
    now = datetime.datetime.now()  # noqa: DTZ005 - the site's own times are local
    network = network_of(request.META["REMOTE_ADDR"])
    GoodLogin.objects.update_or_create(user=user, network=network, defaults={"at": now})
    GoodLogin.objects.filter(at__lt=now - datetime.timedelta(days=ADDRESS_DAYS)).delete()
    response.set_cookie(
        DEVICE_COOKIE,
        signing.dumps({"user": user.pk, "device": secrets.token_urlsafe(9)}, salt=_SALT),
        max_age=DEVICE_DAYS * 86_400,
        path=settings.SESSION_COOKIE_PATH,
        httponly=True,
        samesite="Lax",
    )


def is_right_again(request: HttpRequest) -> bool:
    """Tell whether the form has the password of who is logged in; if so, it counts for some minutes."""
    is_right = request.user.check_password(request.POST.get("password", ""))
    if is_right:
        was_right(request)
        request.session["password_at"] = time.time()
    else:
        log.warning("review_login_failed", user=request.user.get_username(), peer=request.META["REMOTE_ADDR"])
    return is_right


def was_asked(request: HttpRequest) -> bool:
    """Tell whether the password was asked for once more in the last minutes."""
    return 0.0 <= time.time() - request.session.get("password_at", 0.0) < AGAIN_S


def known_keys(request: HttpRequest, name: str) -> list[str]:
    """Return keys of the browser and the address, as far as the login of this name was used with them before."""
    user = get_user_model().objects.filter(username=name).first() if name and "\0" not in name else None
    if user is None:
        return []
    known = []
    try:
        cookie = signing.loads(request.COOKIES.get(DEVICE_COOKIE, ""), salt=_SALT, max_age=DEVICE_DAYS * 86_400)
        if cookie["user"] == user.pk:
            known.append(f"device {cookie['device']}")
    except (signing.BadSignature, KeyError, TypeError):
        pass
    network = network_of(request.META["REMOTE_ADDR"])
    since = datetime.datetime.now() - datetime.timedelta(days=ADDRESS_DAYS)  # noqa: DTZ005
    if GoodLogin.objects.filter(user=user, network=network, at__gte=since).exists():
        known.append(f"{user.pk} at {network}")
    return known
