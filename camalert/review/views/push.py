"""Notifications of the browser: a person lets one subscribe, sees those that did, and ends them.

Messages go by the target with the address `webpush:`, which an owner switches on; who has subscribed gets them.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from camalert.config.schema import Config
from camalert.notify import subscriptions, webpush
from camalert.notify.subscriptions import Subscription, SubscriptionError
from camalert.review import configuration
from camalert.review.devices import device_of
from camalert.review.views import api
from camalert.system.logs import log

TARGET = "Browsers"  # the name that the target gets when it is switched on here
URL = "webpush://browsers"


def on_page(request: HttpRequest) -> dict[str, Any]:
    """Return what the page about the app shows of it."""
    if not webpush.is_available():
        return {"push": {"is_available": False}}
    folder = subscriptions.folder(settings.CAMALERT.review.data_dir)
    return {
        "push": {
            "is_available": True,
            "key": webpush.public_key(subscriptions.key(folder)),
            "is_on": any(target.name == TARGET or _is_ours(target.name) for target in settings.CAMALERT.notify),
            "url": URL,
            "target": TARGET,
            "own": [one for one in subscriptions.found(folder) if one.user == request.user.pk],
        }
    }


def _is_ours(name: str) -> bool:
    return str(configuration.entry("notify", name).get("url", "")).startswith("webpush:")


@require_POST
def subscribe(request: HttpRequest) -> HttpResponse:
    """Take a browser's subscription."""
    asked = api.asked(request)
    keys = asked.get("keys")
    parts = (asked.get("endpoint"), *(keys.get(name) for name in ("p256dh", "auth"))) if isinstance(keys, dict) else ()
    if not webpush.is_available() or len(parts) != 3 or not all(isinstance(part, str) for part in parts):
        return api.bad("send a PushSubscription as JSON")
    endpoint, key, auth = (str(part) for part in parts)
    device = device_of(request.headers.get("User-Agent", ""))
    one = Subscription(endpoint, key, auth, request.user.pk, device, time.time())
    try:
        subscriptions.put(subscriptions.folder(settings.CAMALERT.review.data_dir), one)
    except SubscriptionError as error:
        return JsonResponse({"error": str(error)}, status=409)
    log.info("push_subscribed", user=request.user.get_username(), host=one.host, device=device)
    return JsonResponse({"id": one.id}, status=201)


@require_POST
def end(request: HttpRequest) -> HttpResponse:
    """End one of one's own subscriptions, by its id or the browser's address."""
    folder = subscriptions.folder(settings.CAMALERT.review.data_dir)
    asked = api.asked(request)
    wanted = (request.POST.get("id", ""), asked.get("endpoint"))
    for one in subscriptions.found(folder):
        if one.user == request.user.pk and (one.id == wanted[0] or one.endpoint == wanted[1]):
            subscriptions.remove(folder, one.id)
            log.info("push_unsubscribed", user=request.user.get_username(), host=one.host, device=one.device)
    return redirect("app") if "id" in request.POST else JsonResponse({"ended": True})


def tidy(config: Config) -> None:
    """Remove the browsers of people whose account is gone or disabled."""
    folder = Path(config.review.data_dir) / subscriptions.FOLDER
    subscribed = subscriptions.found(folder) if folder.is_dir() else []
    active = set(get_user_model().objects.filter(is_active=True).values_list("pk", flat=True)) if subscribed else set()
    for one in subscribed:
        if one.user not in active:
            subscriptions.remove(folder, one.id)
