"""Notifications of the browser on the running site: who may subscribe, what is refused, who is told."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from testing.reviewrig import PASSWORD, Visitor
from testing.reviewsite import Site, running
from testing.waiting import until

from camalert.notify import subscriptions, webpush
from camalert.notify.subscriptions import Subscription

pytest.importorskip("django", reason="the review extra is not installed")
pytest.importorskip("cryptography", reason="the push extra is not installed")

FIREFOX = "Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("push")
    orphan = Subscription("https://fcm.googleapis.com/gone", key(), auth(), 999, "Firefox", 1.0)
    subscriptions.put(subscriptions.folder(str(folder / "review")), orphan)
    with running(folder) as found:
        yield found


def key() -> str:
    return base64.urlsafe_b64encode(b"\x04" + b"k" * 64).rstrip(b"=").decode()


def auth() -> str:
    return base64.urlsafe_b64encode(b"a" * 16).rstrip(b"=").decode()


def browser(number: int, **other: Any) -> dict[str, Any]:
    """Return what a browser's own code sends."""
    keys = {"p256dh": key(), "auth": auth()}
    return {"endpoint": f"https://fcm.googleapis.com/fcm/send/{number}", "expirationTime": None, "keys": keys} | other


def stored(site: Site) -> list[Subscription]:
    return subscriptions.found(site.folder / "review" / "push")


def test_person_subscribes_sees_and_ends_the_own_browsers(site: Site) -> None:
    """The page has the key that signs; a viewer may be told as well, and ends nobody else's."""
    owner = site.visitor()
    owner.post("/account/confirm/", {"password": PASSWORD})
    owner.post("/account/people/put/", {"username": "ben", "password": PASSWORD, "role": "viewer"})
    ben = Visitor(site.port, source="127.0.0.50")
    assert ben.log_in("ben").status == 302
    page = owner.get("/app/").text
    public = webpush.public_key(subscriptions.key(site.folder / "review" / "push"))
    assert f'data-key="{public}"' in page
    assert 'id="push-on"' in page
    assert 'id="push-on"' not in ben.get("/app/").text

    owner.headers["User-Agent"] = FIREFOX
    made = owner.send("/app/push/subscribe/", browser(1))
    assert made.status == 201
    assert ben.send("/app/push/subscribe/", browser(2)).status == 201

    assert "Firefox on Android" in owner.get("/app/").text
    assert "fcm.googleapis.com" in ben.get("/app/").text
    ben.send("/app/push/end/", {"endpoint": browser(1)["endpoint"]})
    ben.post("/app/push/end/", {"id": made.json()["id"]})
    assert len([one for one in stored(site) if one.user != 999]) == 2
    assert owner.post("/app/push/end/", {"id": made.json()["id"]}).status == 302
    assert ben.send("/app/push/end/", {"endpoint": browser(2)["endpoint"]}).json() == {"ended": True}
    assert [one for one in stored(site) if one.user != 999] == []


@pytest.mark.parametrize(
    "sent",
    [
        {}, {"endpoint": 5, "keys": {}}, browser(1, keys={"p256dh": key()}), browser(1, keys=[1, 2]), [],
        browser(1, endpoint="https://192.168.1.1/admin"), browser(1, endpoint="http://fcm.googleapis.com/x"),
        browser(1, endpoint="https://example.org/x"), browser(1, keys={"p256dh": auth(), "auth": auth()}),
        browser(1, keys={"p256dh": "\ud800", "auth": "é"}),
    ],
)  # fmt: skip
def test_what_is_no_subscription_is_refused_in_words(site: Site, sent: Any) -> None:
    """No other host becomes an address that the service connects to."""
    answer = site.visitor().send("/app/push/subscribe/", sent)

    assert answer.status in (400, 409)
    assert answer.json()["error"]
    assert [one for one in stored(site) if one.user != 999] == []


def test_stranger_and_program_subscribe_nothing(site: Site) -> None:
    """Only a person with a session."""
    stranger = Visitor(site.port, source="127.0.0.51")
    answer = stranger.ask("POST", "/app/push/subscribe/", json.dumps(browser(1)).encode())
    assert answer.status in (401, 403)
    assert [one for one in stored(site) if one.user != 999] == []


def test_browsers_of_accounts_that_are_gone_are_removed(site: Site) -> None:
    """Whoever may not log in any more is not told either."""
    until(lambda: not [one for one in stored(site) if one.user == 999], "the orphan's end", 40.0)


def test_page_without_https_says_so(site: Site) -> None:
    """A browser offers nothing there, and the page promises nothing."""
    visitor = site.visitor()
    visitor.host = "cams.lan"

    page = visitor.get("/app/").text

    assert "They need HTTPS" in page
    assert "data-key" not in page


def test_subscription_survives_what_is_written(tmp_path: Path) -> None:
    """What is stored is what was given."""
    folder = subscriptions.folder(str(tmp_path))
    one = Subscription("https://fcm.googleapis.com/x", key(), auth(), 3, "Firefox", 5.0)
    subscriptions.put(folder, one)
    assert subscriptions.found(folder) == [one]
    subscriptions.put(folder, replace(one, device="other"))
    assert [asdict(found)["device"] for found in subscriptions.found(folder)] == ["other"]
