"""A house with a running service, and one who looks at its review site with Chromium."""

from __future__ import annotations

import http.client
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from selenium.common.exceptions import WebDriverException

from testing.reviewrig import Visitor
from testing.service import ServiceUnderTest
from testing.waiting import until

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / "build" / "screenshots"
ASTRONAUT = ROOT / "camalert" / "detection" / "models" / "astronaut.jpg"
LOAD_S = 30.0


class House:
    """The running service, seen from outside."""

    def __init__(self, service: ServiceUnderTest, port: int) -> None:
        self.service = service
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._visitors = 0

    def session(self) -> str:
        """Begin a session, each from another address, so that nobody is slowed down; return its cookie."""
        self._visitors += 1
        visitor = Visitor(self.port, source=f"127.0.1.{self._visitors}")

        def is_in() -> bool:
            try:
                return visitor.log_in().status == 302
            except (OSError, http.client.HTTPException):  # the site begins again after its settings were changed
                return False

        until(is_in, "a login", LOAD_S)
        return visitor.cookies["camalert_session"]

    def changes(self) -> int:
        """Return how many changes of settings the site has asked the service to take."""
        return len(self.service.find("reload_requested"))

    def wait_settled(self, changes: int = 0) -> None:
        """Wait until so many changes of settings were asked for and the last is in force: the site is there again."""

        def is_settled() -> bool:
            names = [str(event.get("event")) for event in self.service.events(since_start=True)]
            if names.count("reload_requested") < changes:
                return False
            if "reload_requested" in names:
                names = names[len(names) - names[::-1].index("reload_requested") :]
                if "reload_started" not in names or "service_reloaded" not in names[names.index("reload_started") :]:
                    return False
            return self.service.is_whole()

        until(is_settled, lambda: f"the settings are not in force\n{self.service.tail()}", 90.0)

    def alarm(self, subject: str = "Your IPCamera:Front door detected motion") -> None:
        """Let a camera send a picture of a person by a real mail."""
        code, words = self.service.send([ASTRONAUT.read_bytes()], subject)
        assert code == 250, words


class Browser:
    """One Chromium with a profile of its own: one person at one device."""

    def __init__(self, house: House, profile: Path, width: int, height: int, *, is_dark: bool) -> None:
        from selenium import webdriver  # noqa: PLC0415 - an extra

        options = webdriver.ChromeOptions()
        options.binary_location = str(shutil.which("chromium"))
        for word in (
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
            "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
            f"--user-data-dir={profile}", f"--window-size={width},{height}",
            *(() if width < 600 else ("--blink-settings=primaryHoverType=2,availableHoverTypes=2",)),
        ):  # fmt: skip
            options.add_argument(word)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver: Any = webdriver.Chrome(
            options=options, service=webdriver.ChromeService(str(shutil.which("chromedriver")))
        )
        self.house = house
        is_phone = width < 600
        density = 2 if is_phone else 1
        self.tell("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=density,
                  mobile=is_phone)  # fmt: skip
        self.tell("Emulation.setTouchEmulationEnabled", enabled=is_phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self.tell("Emulation.setEmulatedMedia", features=[scheme])

    def tell(self, command: str, **facts: object) -> Any:
        """Send a command of the browser's own protocol."""
        return self.driver.execute_cdp_cmd(command, facts)

    def open(self, path: str = "/") -> None:
        """Open a page of the site."""

        def is_open() -> bool:
            try:
                self.driver.get(self.house.url + path)
            except WebDriverException as error:
                if "ERR_CONNECTION_REFUSED" not in str(error):
                    raise
                return False  # the site begins again after its settings were changed
            return True

        until(is_open, "the site", LOAD_S)

    def log_in(self) -> None:
        """Go on with a session begun elsewhere: tests log in more often than any household."""
        self.open("/login/")
        cookie = {"name": "camalert_session", "value": self.house.session(), "path": "/", "httpOnly": True}
        self.driver.add_cookie(cookie)
        self.open("/")

    def all(self, selector: str) -> list[Any]:
        """Return what a selector finds now."""
        found: list[Any] = self.driver.find_elements("css selector", selector)
        return found

    def one(self, selector: str) -> Any:
        """Wait for one thing on the page and return it."""
        return self.wait(lambda: self.all(selector), f"{selector} on {self.driver.current_url}")[0]

    def script(self, text: str, *arguments: object) -> Any:
        """Run a script in the page and return what it returns."""
        return self.driver.execute_script(text, *arguments)

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        from selenium.webdriver import ActionChains  # noqa: PLC0415 - an extra

        ActionChains(self.driver).send_keys(*keys).perform()

    def wait(self, condition: Callable[[], Any], what: str) -> Any:
        """Return the first true value of a condition."""
        return until(condition, what, LOAD_S)

    def ids(self) -> list[int]:
        """Return the pictures of the page in their order."""
        found = self.script("return [...document.querySelectorAll('.shot')].map(s => s.dataset.id)")
        return [int(row_id) for row_id in found]

    def photograph(self, name: str) -> None:
        """Keep the page as a picture for people to look at."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        is_shown = "((r) => r.top > innerHeight || r.bottom < 0 || i.complete)(i.getBoundingClientRect())"
        self.wait(lambda: self.script(f"return [...document.images].every(i => {is_shown})"), "the pictures")
        self.driver.save_screenshot(str(SCREENSHOTS / f"{name}.png"))

    def complaints(self) -> list[str]:
        """Return what the browser complained about: errors of scripts, refused files, broken policies."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]
