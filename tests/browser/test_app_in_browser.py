"""The site as an app: its worker answers when camalert does not."""

from __future__ import annotations

import contextlib
import json
import signal
import struct
from pathlib import Path

import pytest

pytest.importorskip("selenium", reason="`make test-browser` installs it")

from selenium.common.exceptions import WebDriverException
from testing import reviewsite
from testing.chromium import Browser, House


class Alone(House):
    """A site without the rest of the service."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._visitors = 0


@pytest.mark.parametrize("path", ["", "/cams"])
def test_no_answer_is_said_by_the_installed_site(tmp_path: Path, path: str) -> None:
    """The worker keeps one page; a site that is away, below a path too, is not the browser's error page."""
    with reviewsite.running(tmp_path, path=path or "/") as site:
        person = Browser(Alone(site.port), tmp_path / "profile", 390, 844, is_dark=True)
        try:
            person.open(f"{path}/login/")
            manifest = person.script(
                "const r = await fetch(document.querySelector('link[rel=manifest]').href);"
                "return [r.status, await r.json()]"
            )
            assert manifest[0] == 200
            assert manifest[1]["scope"] == manifest[1]["start_url"] == f"{path}/"
            for icon in manifest[1]["icons"]:
                content = site.visitor().ask("GET", icon["src"]).body
                assert content[:8] == b"\x89PNG\r\n\x1a\n"
                assert "{}x{}".format(*struct.unpack(">II", content[16:24])) == icon["sizes"]
            assert {icon["purpose"] for icon in manifest[1]["icons"]} == {"any", "maskable"}
            person.wait(lambda: person.script("return navigator.serviceWorker.controller !== null"), "the worker")
            person.open(f"{path}/login/")
            assert person.all("#id_username")
            person.complaints()  # the browser's own words about the manifest's early look

            site.process.signal(signal.SIGKILL)
            person.wait(lambda: not Path(f"/proc/{site.pid}/exe").exists(), "the site's end")
            person.open(f"{path}/status/")

            assert person.one("h1").text == "No answer from camalert"
            assert person.script("return getComputedStyle(document.querySelector('.card')).borderRadius") != "0px"
            person.photograph(f"offline-390{path.replace('/', '-')}")
        finally:
            person.driver.quit()


@pytest.mark.parametrize("path", ["", "/cams"])
def test_worker_shows_a_message_that_leads_to_its_visit(tmp_path: Path, path: str) -> None:
    """What a browser's service delivers is shown in words, and its page is the visit's, below a path too."""
    with reviewsite.running(tmp_path, path=path or "/") as site:
        person = Browser(Alone(site.port), tmp_path / "profile", 390, 844, is_dark=False)
        try:
            origin = f"http://127.0.0.1:{site.port}"
            person.open(f"{path}/login/")
            person.wait(lambda: person.script("return navigator.serviceWorker.controller !== null"), "the worker")
            cdp = person.driver.execute_cdp_cmd
            cdp("Browser.grantPermissions", {"origin": origin, "permissions": ["notifications"]})
            cdp("ServiceWorker.enable", {})
            message = {
                "id": "5f0e",
                "title": "Somebody at Garage",
                "text": "21:04:11",
                "at": 1782900000,
                "page": "visits/7/",
            }
            shown = (
                "const r = await navigator.serviceWorker.ready; const all = await r.getNotifications();"
                "return all.map((n) => [n.title, n.body, n.tag, n.data.page]);"
            )

            def is_shown() -> list[list[str]]:
                for number in range(5):
                    with contextlib.suppress(WebDriverException):  # numbers of registrations are the browser's own
                        cdp(
                            "ServiceWorker.deliverPushMessage",
                            {"origin": origin, "registrationId": str(number), "data": json.dumps(message)},
                        )
                found: list[list[str]] = person.script(shown)
                return found

            [[title, text, tag, page]] = person.wait(is_shown, "the notification")
            assert (title, text, tag) == ("Somebody at Garage", "21:04:11", "5f0e")
            assert page == f"{origin}{path}/visits/7/"
        finally:
            person.driver.quit()
