"""One who looks at the review site with Firefox, driven by its own WebDriver BiDi, without a driver between.

Source: W3C WebDriver BiDi. Debian has Firefox and no geckodriver, which only translates the older protocol.
"""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from testing.chromium import LOAD_S, SCREENSHOTS, House
from testing.waiting import until

PROGRAMS = ("firefox-esr", "firefox")
START_S = 60.0
ADDRESS_FILE = "WebDriverBiDiServer.json"  # in the profile, as soon as it listens
# Nothing is asked of the internet, and pages are as for somebody who has seen the first-run tour.
PREFERENCES = {
    "app.normandy.enabled": False,
    "app.update.auto": False,
    "browser.aboutwelcome.enabled": False,
    "browser.safebrowsing.downloads.remote.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "extensions.update.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
    "toolkit.telemetry.enabled": False,
}
# Thumbnails that are being made, and the icon of a page that is left while Firefox fetches it.
UNHEARD = ("/thumbnail", "/preview", "A ServiceWorker intercepted the request")
KEYS = {"Enter": "\ue007", "Escape": "\ue00c", "Tab": "\ue004", "ArrowRight": "\ue014", "ArrowLeft": "\ue012"}


def program() -> str:
    """Return the path of the Firefox that is installed, "" when there is none."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), "")


class Firefox:
    """One Firefox with a profile of its own: one person at one device."""

    def __init__(self, house: House, profile: Path, width: int, height: int, *, is_dark: bool = False) -> None:
        import websocket  # noqa: PLC0415 - comes with selenium, an extra

        profile.mkdir()
        scheme = {"layout.css.prefers-color-scheme.content-override": 0 if is_dark else 1}
        lines = (f"user_pref({json.dumps(key)}, {json.dumps(value)});" for key, value in (PREFERENCES | scheme).items())
        (profile / "user.js").write_text("\n".join(lines), encoding="utf-8")
        self.house = house
        self._process = subprocess.Popen(
            [program(), "--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._socket: Any = None
        self._number = 0
        self._complaints: list[str] = []
        try:
            address = until(lambda: _address(profile), "Firefox", START_S)
            self._socket = websocket.create_connection(address, timeout=LOAD_S, suppress_origin=True)
            self.tell("session.new", capabilities={})
            self.tell("session.subscribe", events=["log.entryAdded"])
            self.page = self.tell("browsingContext.getTree")["contexts"][0]["context"]
            self.tell("browsingContext.setViewport", context=self.page, viewport={"width": width, "height": height})
        except BaseException:
            self.close()
            raise

    def tell(self, command: str, **facts: object) -> Any:
        """Send a command and return its result; what the browser says meanwhile is taken in."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": command, "params": facts}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") == self._number:
                assert message["type"] == "success", (command, facts, message)
                return message["result"]
            if message.get("method") == "log.entryAdded" and message["params"]["level"] == "error":
                self._complaints.append(str(message["params"]["text"]))

    def close(self) -> None:
        """End the browser."""
        if self._socket is not None:
            self._socket.close()
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def open(self, path: str = "/") -> None:
        """Open a page of the site."""
        self.tell("browsingContext.navigate", context=self.page, url=self.house.url + path, wait="complete")

    def script(self, text: str) -> Any:
        """Run the body of a function in the page and return what it returns; a promise is awaited."""
        answer = self.tell(
            "script.callFunction", functionDeclaration=f"async () => JSON.stringify(await (() => {{ {text} }})())",
            target={"context": self.page}, awaitPromise=True, userActivation=True,
        )  # fmt: skip
        assert answer["type"] == "success", (text, answer["exceptionDetails"]["text"])
        found = answer["result"]
        return json.loads(found["value"]) if found["type"] == "string" else None

    def wait(self, condition: str, what: str) -> Any:
        """Return the first true value of an expression in the page."""

        def value() -> Any:
            try:
                return self.script(f"return {condition}")
            except AssertionError as error:  # the page is just changing
                if not any(word in str(error) for word in ("no such frame", "destroyed", "unknown error")):
                    raise
                return None

        return until(value, lambda: f"{what} on {self.script('return location.href')}", LOAD_S)

    def click(self, selector: str) -> None:
        """Press the mouse in the middle of the first element of a selector, scrolled into view."""
        is_there = f"document.querySelector({json.dumps(selector)}) !== null"
        self.wait(f"document.readyState === 'complete' && {is_there}", selector)  # its scripts have run as well
        self.script(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{ block: 'center' }})")
        box = self.script(
            f"const r = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
            "return [Math.round(r.x + r.width / 2), Math.round(r.y + r.height / 2)]"
        )
        moves = [
            {"type": "pointerMove", "x": box[0], "y": box[1]},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        self._act({"type": "pointer", "id": "mouse", "actions": moves})

    def press(self, *keys: str) -> None:
        """Press keys by their names, or type a text, wherever the focus is."""
        letters = [letter for key in keys for letter in ([KEYS[key]] if key in KEYS else key)]
        actions = [{"type": kind, "value": letter} for letter in letters for kind in ("keyDown", "keyUp")]
        self._act({"type": "key", "id": "keyboard", "actions": actions})

    def _act(self, source: dict[str, object]) -> None:
        self.tell("input.performActions", context=self.page, actions=[source])

    def log_in(self) -> None:
        """Go on with a session begun elsewhere."""
        cookie = {"name": "camalert_session", "domain": "127.0.0.1", "path": "/", "httpOnly": True,
                  "value": {"type": "string", "value": self.house.session()}}  # fmt: skip
        self.tell("storage.setCookie", cookie=cookie)
        self.open("/")

    def photograph(self, name: str) -> None:
        """Keep the page as a picture for people to look at."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        time.sleep(0.3)  # what fades in has done so
        picture = self.tell("browsingContext.captureScreenshot", context=self.page)["data"]
        (SCREENSHOTS / f"{name}.png").write_bytes(base64.b64decode(picture))

    def complaints(self) -> list[str]:
        """Return what the browser complained about: errors of scripts, refused files, broken policies."""
        return [words for words in self._complaints if not any(word in words for word in UNHEARD)]


def _address(profile: Path) -> str:
    try:
        found = json.loads((profile / ADDRESS_FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return ""
    return f"ws://{found['ws_host']}:{found['ws_port']}/session"


MakeFirefox = Callable[..., Firefox]
