"""The review site under test: its real child process, and a visitor who speaks HTTP."""

from __future__ import annotations

import http.client
import io
import json
import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from camalert.config.schema import Config, Database, Notify, Review, Service
from camalert.errors import ChannelClosed
from camalert.ipc import child, needs, spawn
from camalert.ipc.messages import Ready, Stop
from camalert.system import firstlogin
from testing.waiting import until

NAME, PASSWORD = "anna", "correct horse 9"
START_S = 60.0


def config(folder: Path, port: int, **review: object) -> Config:
    """Return a configuration of a site in a folder."""
    return Config(
        service=Service(run_dir=str(folder / "run")),
        database=Database(path=str(folder / "alerts.sqlite3"), busy_seconds=1.0),
        review=Review(host="127.0.0.1", port=port, data_dir=str(folder / "review"), **review),  # type: ignore[arg-type]
        notify=(Notify(name="phone", url="ntfy://ntfy.example/garden", away_cameras=("Garden*",)),),
    )


@contextmanager
def site(settings: Config) -> Iterator[spawn.ChildProcess]:
    """Run the site's process until the block ends."""
    Path(settings.service.run_dir).mkdir(parents=True, exist_ok=True)  # as the supervisor does, before any child
    target = "camalert.review.process:main"
    row = needs.of(needs.REVIEW, settings)
    process = spawn.start(child.Orders("review", target, settings, os.getpid(), needs=row))
    try:
        assert process.channel.wait(START_S), "the site did not start"
        assert isinstance(process.channel.receive(), Ready)
        yield process
    finally:
        with suppress(ChannelClosed):  # a test may have ended it
            process.channel.send(Stop())
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and Path(f"/proc/{process.pid}/exe").exists():
            process.channel.wait(0.05)
        process.signal(signal.SIGKILL)
        process.reap()


@dataclass(slots=True)
class Answer:
    """What the site answered."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> dict:  # type: ignore[type-arg]
        return json.loads(self.body)

    def stream(self) -> io.BytesIO:
        return io.BytesIO(self.body)


@dataclass(slots=True)
class Visitor:
    """Somebody with a cookie jar; `source` is the loopback address that they come from."""

    port: int
    source: str = "127.0.0.1"
    host: str = "localhost"
    cookies: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Send one request and return the answer; `Content_Type` becomes Content-Type."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30, source_address=(self.source, 0))
        sent = {"Host": self.host, "Connection": "close"} | self.headers
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        finally:
            connection.close()
        for cookie in response.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def thumbnail(self, path: str) -> Answer:
        """Ask for a thumbnail until it is made, as a page does."""
        return until(
            lambda: answer if (answer := self.get(path)).status != 503 else None, f"the thumbnail {path}", 60.0
        )

    def post(self, path: str, fields: dict[str, str], *, page: str = "/account/") -> Answer:
        """Send a form with the token of a page."""
        form = urlencode({"csrfmiddlewaretoken": self.form_token(page), **fields}).encode()
        return self.ask("POST", path, form, Content_Type="application/x-www-form-urlencoded")

    def send(self, path: str, body: object) -> Answer:
        """Send JSON as the pages' scripts do."""
        encoded = json.dumps(body).encode()
        return self.ask(
            "POST", path, encoded, Content_Type="application/json", X_CSRFToken=self.form_token("/account/")
        )

    def form_token(self, page: str) -> str:
        found = re.search(r'csrfmiddlewaretoken" value="([^"]+)"', self.get(page).text)
        return found[1] if found else ""

    def log_in(self, name: str = NAME, password: str = PASSWORD) -> Answer:
        return self.post("/login/", {"username": name, "password": password}, page="/login/")

    def set_up(self, data_dir: Path) -> Answer:
        """Make the first login, with the code that its owner reads in the site's data folder."""
        code = (data_dir / firstlogin.CODE_FILE).read_text().strip()
        fields = {"code": code, "username": NAME, "password1": PASSWORD, "password2": PASSWORD}
        return self.post("/setup/", fields, page="/setup/")
