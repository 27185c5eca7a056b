"""The review site under attack: by mails, by other web sites, and by whoever reaches its port."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from testing import household, reviewrig
from testing.ports import free_port
from testing.reviewrig import Visitor
from testing.reviewsite import HOSTILE, NOON, SVG, Site, running

from camalert.system import firstlogin

pytest.importorskip("django", reason="the review extra is not installed")

PAGES = (
    "/kept/",
    "/people/",
    "/visits/1/",
    "/bin/",
    "/",
    "/alarms/",
    "/people/1/",
    "/alarms/1/",
    "/cameras/",
    "/cameras/set-up/",
    "/status/",
    "/account/",
    "/settings/",
)
PRIVATE = (
    *PAGES, "/people/more/", "/alarms/1/picture", "/people/1/picture", "/alarms/1/thumbnail", "/clips/1",
    "/cameras/set-up/live/", "/status/live/", "/people/marks.zip", "/api/v1/people/", "/api/v1/alarms/1/",
    "/api/v1/status/", "/api/v1/cameras/", "/kept/", "/kept/1/mail", "/api/v1/kept/", "/alive/",
    "/api/v1/visits/", "/api/v1/visits/1/", "/visits/more/", "/api/v1/bin/", "/bin/1/picture", "/bin/1/thumbnail",
    "/clips/1/preview",
    "/account/people/", "/backup/",
)  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return a site with rows and a login."""
    with running(tmp_path_factory.mktemp("review")) as found:
        yield found


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return a site behind a web server on the same machine; a visitor speaks as that one does."""
    with running(tmp_path_factory.mktemp("proxied"), proxies=("127.0.0.1/32",)) as found:
        yield found


def test_refused_form_is_one_line_of_the_log(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Another site's page that tries again and again does not write twice as much as it asks."""
    with running(tmp_path) as found:
        visitor = found.visitor()
        capfd.readouterr()
        assert visitor.ask("POST", "/account/", b"csrfmiddlewaretoken=wrong").status == 403
        lines = [json.loads(line) for line in capfd.readouterr().err.splitlines()]

    assert [(line["event"], line["peer"]) for line in lines] == [("review_form_refused", "127.0.0.1")]


# --- what mails bring ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/alarms/", "/alarms/{}/", "/cameras/", "/alarms/?camera={}"])
def test_hostile_words_stay_words(site: Site, path: str) -> None:
    """Subject, camera, event, file name and headers of a mail are text on every page."""
    row = site.rows.hostile
    text = site.visitor().get(path.format(row)).text

    assert "<script>alert" not in text
    assert "&lt;script&gt;alert" in text or "?camera=" in path
    assert "{{ 7" in text or "?camera=" in path  # no template sees it as its own


def test_hostile_words_stay_words_in_a_status(site: Site) -> None:
    """What a client says to the mail port is shown on the set-up page and nowhere run."""
    run_dir = site.folder / "run"
    run_dir.mkdir(exist_ok=True)
    heard = {"at_utc": 0.0, "event": "x", "peer": HOSTILE, "camera": HOSTILE, "message": "", "pictures": 1}
    words = {"version": "0", "pid": 1, "written_utc": 0.0, "started_utc": 0.0, "state": HOSTILE}
    found = words | {
        "since_utc": 0.0,
        "children": [{"name": HOSTILE, "state": "failed", "reason": HOSTILE}],
        "cameras": [{"name": HOSTILE, "last_failure_utc": 1.0, "last_failure": HOSTILE}],
        "problems": [{"at_utc": 0.0, "event": "x", "message": HOSTILE}],
        "mail_activity": [heard, heard | {"message": HOSTILE, "is_failure": True}],
    }
    (run_dir / "status.json").write_text(json.dumps(found))
    try:
        for path in ("/cameras/set-up/", "/cameras/set-up/live/", "/status/", "/status/live/", "/cameras/"):
            text = site.visitor().get(path).text
            assert "<script>alert" not in text, path
            assert "&lt;script&gt;alert" in text, path
    finally:
        (run_dir / "status.json").unlink()


@pytest.mark.parametrize("data", [SVG, b"<html><script>alert(1)</script>", b"%PDF-1.4 <script>", b"", b"\xff\xd8\xff"])
def test_hostile_picture_is_never_a_document(site: Site, data: bytes) -> None:
    """SVG and HTML in disguise are downloads; and whatever is shown could run nothing."""
    home = site.home()
    row, _ = home.add("Terrace", NOON, household.tiny()[0], snapshot=data)
    home.close()
    visitor = site.visitor()

    answer = visitor.get(f"/alarms/{row}/picture")
    small = visitor.thumbnail(f"/alarms/{row}/thumbnail")

    assert answer.body == data
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'; sandbox"
    if data[:3] != b"\xff\xd8\xff":
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert small.status == 302
    assert small.headers["Location"].startswith("/static/review/no-picture.svg")


def test_bomb_is_not_unpacked(site: Site) -> None:
    """A small file of a huge picture costs neither memory nor the site."""
    side = 60_000
    rows = zlib.compress(bytes(1 + 3 * 100) * 100)
    head = b"IHDR" + side.to_bytes(4, "big") * 2 + b"\x08\x02\x00\x00\x00"
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        len(chunk[4:]).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
        for chunk in (head, b"IDAT" + rows, b"IEND")
    )
    home = site.home()
    row, _ = home.add("Terrace", NOON, household.tiny()[0], snapshot=png)
    home.close()
    visitor = site.visitor()

    assert visitor.thumbnail(f"/alarms/{row}/thumbnail").status == 302
    assert visitor.thumbnail(f"/alarms/{site.rows.nobody}/thumbnail").status == 200


def test_thumbnails_are_made_in_a_process_that_may_die(site: Site) -> None:
    """A picture that kills its decoder takes neither the site nor other pictures with it."""
    visitor = site.visitor()
    home = site.home()
    first, second = (home.add("Terrace", NOON, household.tiny()[n])[0] for n in (1, 2))
    home.close()
    assert visitor.thumbnail(f"/alarms/{first}/thumbnail").status == 200

    for pid in _children(site.pid):
        if b"camalert.review.shrink" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, 9)

    assert visitor.thumbnail(f"/alarms/{second}/thumbnail").status == 200
    assert b"cv2" not in Path(f"/proc/{site.pid}/maps").read_bytes()


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()] + [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
        if task.name != str(pid)
    ]


# --- who may see and do what -----------------------------------------------------------------------------------------


def test_words_of_no_language_are_not_there(site: Site) -> None:
    """Whatever a stranger asks for leaves nothing in memory."""
    for name in ("x" * 20_000, "xx", "EN", "de-x"):
        assert Visitor(site.port).get(f"/words/{name}.js").status == 404
    assert Visitor(site.port).get("/words/de.js").status == 200


@pytest.mark.parametrize("path", PRIVATE)
def test_stranger_sees_nothing(site: Site, path: str) -> None:
    """Without a login every address leads to the login, or says that one is needed."""
    answer = Visitor(site.port).get(path)

    assert answer.status in (302, 401)
    if answer.status == 302:
        assert re.match(r"/login/", answer.headers["Location"])


@pytest.mark.parametrize(
    "path", ["/alarms/selected/", "/alarms/reviewed/", "/api/v1/alarms/change/", "/api/v1/alarms/delete/", "/logout/",
             "/account/password/", "/account/tokens/", "/alarms/live/"]
)  # fmt: skip
def test_other_site_changes_nothing(site: Site, path: str) -> None:
    """A form or script elsewhere has the cookies of a visitor, but not the token of a page."""
    visitor = site.visitor()
    body = json.dumps({"ids": [1], "reviewed": True}).encode()

    for headers in ({}, {"Origin": "http://evil.example"}, {"Content_Type": "text/plain"}):
        assert visitor.ask("POST", path, body, **headers).status in (401, 403)


@pytest.mark.parametrize("path", ["/alarms/selected/", "/api/v1/alarms/delete/", "/logout/", "/account/tokens/"])
def test_link_changes_nothing(site: Site, path: str) -> None:
    """What changes something is never done by following a link."""
    assert site.visitor().get(path).status == 405


def test_cookies_are_kept_from_scripts_and_other_sites(proxied: Site) -> None:
    """HttpOnly and SameSite always; Secure as soon as the visitor's connection is encrypted."""
    plain = Visitor(proxied.port).get("/login/", X_Forwarded_For="192.168.1.5")
    secure = Visitor(proxied.port).get("/login/", X_Forwarded_For="192.168.1.5", X_Forwarded_Proto="https")

    assert re.search(r"camalert_csrf=.*HttpOnly; .*SameSite=Lax", plain.headers["Set-Cookie"])
    assert "Secure" not in plain.headers["Set-Cookie"]
    assert "Secure" in secure.headers["Set-Cookie"]


@pytest.mark.parametrize("path", [*PAGES, "/login/", "/static/review/site.css", "/nothing/", "/alarms/999999999/"])
def test_every_answer_carries_the_security_headers(site: Site, path: str) -> None:
    """Nothing from elsewhere, nothing inline, no frame, no sniffing."""
    headers = site.visitor().get(path).headers

    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "Server" not in headers


@pytest.mark.parametrize("path", PAGES)
def test_page_needs_nothing_from_elsewhere(site: Site, path: str) -> None:
    """No page names another host, and none carries a script or a style in itself."""
    text = site.visitor().get(path).text

    # The one exception is the namespace of SVG, which nothing is fetched from.
    elsewhere = re.findall(r'(?:src|href|action|url\()="?((?:https?:)?//[^"\s>]+)', text)
    assert elsewhere == []
    assert not re.search(r"<script(?![^>]*src=)|<style|\son[a-z]+=|style=", text)


@pytest.mark.parametrize("host", ["evil.example.com", "", "evil.example.com:8025", "nas@evil.com", "nas/..evil.com"])
def test_name_of_a_stranger_is_refused(site: Site, host: str) -> None:
    """A web page elsewhere cannot reach the site under a name of its own."""
    answer = Visitor(site.port, host=host).get("/login/")

    assert answer.status in (400, 403)
    assert "Log in" not in answer.text


def test_address_outside_the_house_is_refused(proxied: Site) -> None:
    """Also behind a web server, which says where the visitor comes from."""
    answer = Visitor(proxied.port).get("/login/", X_Forwarded_For="203.0.113.9")

    assert answer.status == 403
    assert "local network" in answer.text


@pytest.mark.parametrize("header", ["X_Forwarded_Host", "X_Forwarded_For", "X_Forwarded_Prefix", "X_Forwarded_Proto"])
def test_forwarded_headers_are_nobodys_word_by_default(site: Site, header: str) -> None:
    """Where no web server is configured, no header changes whose request it is, its name, or its links."""
    told = {"X_Forwarded_Host": "evil.example", "X_Forwarded_For": "203.0.113.9", "X_Forwarded_Prefix": "/evil",
            "X_Forwarded_Proto": "https"}  # fmt: skip
    plain = site.visitor().get("/cameras/")
    answer = site.visitor().get("/cameras/", **{header: told[header]})

    assert answer.status == 200
    assert "evil" not in answer.text
    assert re.findall('href="([^"]+)"', answer.text) == re.findall('href="([^"]+)"', plain.text)


def test_name_of_a_stranger_is_refused_whatever_is_forwarded(proxied: Site) -> None:
    """A web server that passes a client's own X-Forwarded-Host on does not open the site to a strange page."""
    told = {"X_Forwarded_For": "192.168.1.5"}

    assert Visitor(proxied.port, host="evil.example").get("/login/", X_Forwarded_Host="localhost", **told).status == 403
    assert Visitor(proxied.port).get("/login/", X_Forwarded_Host="evil.example", **told).status == 403
    assert Visitor(proxied.port).get("/login/", X_Forwarded_Host="nas.local", **told).status == 200


@pytest.mark.parametrize("named", [{}, {"X_Forwarded_For": "unknown"}, {"X_Forwarded_For": " , "}])
def test_web_server_that_names_no_visitor_is_refused_in_words(proxied: Site, named: dict[str, str]) -> None:
    """Everybody would look like this machine itself."""
    answer = Visitor(proxied.port).get("/login/", **named)

    assert answer.status == 403
    assert "X-Forwarded-For" in answer.text


def test_login_is_slowed_down(site: Site) -> None:
    """After some wrong passwords of one address even the right one has to wait; other addresses do not."""
    guesser = Visitor(site.port, source="127.0.0.66")
    answers = [guesser.log_in(password=f"guess {n}").status for n in range(14)]

    assert answers[:8] == [200] * 8
    assert answers.count(429) >= 3
    assert Visitor(site.port, source="127.0.0.67").log_in().status == 302


def test_login_does_not_lead_elsewhere(site: Site) -> None:
    """The page to go to after the login is one of this site."""
    visitor = Visitor(site.port, source="127.0.0.68")
    fields = {"username": reviewrig.NAME, "password": reviewrig.PASSWORD, "next": "https://evil.example/"}

    assert visitor.post("/login/", fields, page="/login/").headers["Location"] == "/"


def test_first_login_needs_the_code_of_the_owner(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Whoever is fastest gets nothing: the code is in the log and in a private file, works once, and is not guessed."""
    household.Household(tmp_path / "alerts.sqlite3").close()
    port = free_port()
    settings = reviewrig.config(tmp_path, port)
    with reviewrig.site(settings):
        file = tmp_path / "review" / firstlogin.CODE_FILE
        code = file.read_text().strip()
        fields = {"username": "eve", "password1": reviewrig.PASSWORD, "password2": reviewrig.PASSWORD}
        assert file.stat().st_mode & 0o077 == 0
        assert code in capfd.readouterr().err
        form = Visitor(port).get("/setup/").text
        assert file.name in form
        assert str(tmp_path) not in form
        assert code not in form
        assert "/setup/" in Visitor(port, host="nas.local").get("/login/").text

        eve = Visitor(port, source="127.0.0.9")
        tries = [eve.post("/setup/", {**fields, "code": guess}, page="/setup/") for guess in ("", "AAAA", code[:-1])]
        assert [answer.status for answer in tries] == [403] * 3
        assert "Wrong code" in tries[0].text
        more = [eve.post("/setup/", {**fields, "code": str(n)}, page="/setup/").status for n in range(10)]
        assert set(more[-3:]) == {429}
        assert eve.log_in("eve").status != 302

        assert Visitor(port).set_up(tmp_path / "review").status == 302
        assert not file.exists()
        late = Visitor(port, source="127.0.0.10")
        assert late.get("/setup/").status == 404
        assert late.post("/setup/", {**fields, "code": code}, page="/login/").status == 404
    with reviewrig.site(settings):
        assert not file.exists()
        assert code not in capfd.readouterr().err


@pytest.mark.parametrize(
    "path",
    ["/static/../settings.py", "/static/review/../../settings.py", "/static//etc/passwd", "/static/%2e%2e/settings.py",
     "/static/review/%00", "/alarms/99999999999999999999/", "/alarms/-1/", "/alarms/1/picture/../../../etc/passwd"],
)  # fmt: skip
def test_path_leads_nowhere(site: Site, path: str) -> None:
    """No part of an address ever becomes a file's name."""
    assert site.visitor().get(path).status == 404


def test_files_of_the_site_are_private(site: Site) -> None:
    """Sessions, key and thumbnails are readable by the service's user alone."""
    folder = site.folder / "review"
    assert site.visitor().thumbnail(f"/alarms/{site.rows.nobody}/thumbnail").status == 200

    assert folder.stat().st_mode & 0o077 == 0
    assert {"secret-key", "site.sqlite3", "thumbnails.sqlite3"} <= {path.name for path in folder.iterdir()}
    assert [path.name for path in folder.iterdir() if path.stat().st_mode & 0o077] == []


def test_password_and_tokens_are_not_kept(site: Site) -> None:
    """The site's own database holds digests of them."""
    visitor = site.visitor()
    visitor.post("/account/tokens/", {"name": "x", "password": reviewrig.PASSWORD})
    token = re.search(r'class="token">([^<]+)<', visitor.get("/account/").text)
    assert token is not None

    connection = sqlite3.connect(site.folder / "review" / "site.sqlite3")
    dump = "\n".join(connection.iterdump())
    connection.close()

    assert reviewrig.PASSWORD not in dump
    assert token[1] not in dump


# --- behind a web server ---------------------------------------------------------------------------------------------


def test_site_works_below_a_path(tmp_path: Path) -> None:
    """Every link, the cookies and the files carry the path, told by the web server or by the configuration."""
    with running(tmp_path, path="/cams") as site:
        visitor = site.visitor()
        text = visitor.get("/cams/").text

        links = re.findall(r'(?:src|href|action|data-live|data-more|data-change)="(/[^"]*)"', text)
        assert len(links) > 20
        assert [link for link in links if not link.startswith("/cams/")] == []
        assert visitor.get("/").text == text or "People" in visitor.get("/").text
        style = re.search(r'href="(/cams/static/review/site.css[^"]*)"', text)
        assert style is not None
        assert visitor.get(style[1]).headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert "Path=/cams" in Visitor(site.port).get("/cams/login/").headers["Set-Cookie"]


def test_site_works_below_a_path_that_the_web_server_tells(proxied: Site) -> None:
    """X-Forwarded-Prefix of a trusted web server."""
    text = proxied.visitor().get("/alarms/", X_Forwarded_For="192.168.1.5", X_Forwarded_Prefix="/eyes").text

    links = re.findall(r'(?:src|href|action)="(/[^"]*)"', text)
    assert [link for link in links if not link.startswith("/eyes/")] == []
