"""The review site in Home Assistant: through a gateway like its own, below a path that it makes up."""

from __future__ import annotations

import http.client
import http.server
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urljoin

import pytest
from testing.reviewrig import PASSWORD, Visitor
from testing.reviewsite import Site, running

pytest.importorskip("django", reason="the review extra is not installed")

GATEWAY = "127.0.0.72"  # the address from which the gateway asks the site
PREFIX = "/api/hassio_ingress/Zk3-_x9"
HOST = "home.ui.example"
_LINK = re.compile(r'(?:href|src|action|data-(?!state)[a-z-]+)="(/[^"]*)"')  # data-state has slashes, and no address
_PAGES = ("/", "/people/", "/alarms/", "/cameras/", "/cameras/set-up/", "/status/", "/account/")


class _Gateway(http.server.BaseHTTPRequestHandler):
    """Do what Home Assistant and its Supervisor do: cut the path off, say what it was, and who asks."""

    port = 0

    def _pass_on(self) -> None:
        if not self.path.startswith(f"{PREFIX}/"):
            self.send_error(404)
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        passed = {name: value for name, value in self.headers.items() if name.lower() != "content-length"}
        passed |= {
            "X-Ingress-Path": PREFIX, "X-Forwarded-Host": HOST, "X-Forwarded-Proto": "https",
            "X-Forwarded-For": "203.0.113.9, 172.30.32.1", "X-Remote-User-Name": "anna",
        }  # fmt: skip
        site = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30, source_address=(GATEWAY, 0))
        try:
            site.request(self.command, self.path[len(PREFIX) :], body, passed)
            answer = site.getresponse()
            content = answer.read()
        finally:
            site.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = _pass_on  # noqa: N815 - the library's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Say nothing."""


@contextmanager
def gateway(port: int) -> Iterator[int]:
    """Run a gateway in front of a site; its port."""
    handler = type("Gateway", (_Gateway,), {"port": port})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("ingress"), ingress=(GATEWAY,)) as found:
        yield found


@pytest.fixture(scope="module")
def owner(site: Site) -> Iterator[Visitor]:
    """Return the owner, logged in through Home Assistant from far away."""
    with gateway(site.port) as port:
        found = Visitor(port, host=HOST, headers={"Origin": f"https://{HOST}"})
        page = found.get(f"{PREFIX}/login/")
        token = re.search(r'csrfmiddlewaretoken" value="([^"]+)"', page.text)
        assert token, page.text
        form = f"csrfmiddlewaretoken={token[1]}&username=anna&password={PASSWORD.replace(' ', '+')}"
        answer = found.ask(
            "POST", f"{PREFIX}/login/", form.encode(), Content_Type="application/x-www-form-urlencoded",
            Referer=f"https://{HOST}{PREFIX}/login/",
        )  # fmt: skip
        assert (answer.status, answer.headers["Location"]) == (302, f"{PREFIX}/")
        yield found


@pytest.mark.parametrize("page", _PAGES)
def test_every_link_leads_through_home_assistant(owner: Visitor, page: str) -> None:
    """Pages, pictures, scripts and addresses for scripts are below the path, and are there."""
    answer = owner.get(f"{PREFIX}{page}")
    assert answer.status == 200

    links = {link.replace("&amp;", "&") for link in _LINK.findall(answer.text)}
    assert links
    assert {link for link in links if not link.startswith(f"{PREFIX}/")} == set()
    for link in sorted(link for link in links if "/static/" in link):
        assert owner.get(urljoin(page, link)).status == 200, link


def test_home_assistant_may_frame_it_and_nobody_else(site: Site, owner: Visitor) -> None:
    """In Home Assistant it is a frame of a page of the same origin; directly it is in no frame."""
    through, direct = owner.get(f"{PREFIX}/alarms/"), site.visitor().get("/alarms/")

    assert through.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert "frame-ancestors 'self'" in through.headers["Content-Security-Policy"]
    assert "default-src 'none'" in through.headers["Content-Security-Policy"]
    assert direct.headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in direct.headers["Content-Security-Policy"]


def test_home_assistant_is_no_login(site: Site) -> None:
    """Whoever it shows the site to still logs in: what it says of them is not believed."""
    with gateway(site.port) as port:
        answer = Visitor(port, host=HOST).get(f"{PREFIX}/alarms/")

    assert answer.status == 302
    assert answer.headers["Location"].startswith(f"{PREFIX}/login/")


@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.73"])
def test_visitor_who_plays_the_gateway_gets_nowhere(site: Site, source: str) -> None:
    """The path, the frame and the open door are for the gateway's address alone."""
    said = {"X-Ingress-Path": PREFIX, "X-Forwarded-For": "192.168.1.5"}

    answer = Visitor(site.port, source=source, headers=said).get("/login/")
    stranger = Visitor(site.port, source=source, headers=said, host="evil.example").get("/login/")

    assert PREFIX not in answer.text
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert stranger.status == 403
