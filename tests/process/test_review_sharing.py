"""Links to one visit: who has one sees that visit and nothing else, as long as it works."""

from __future__ import annotations

import hashlib
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from testing.reviewrig import PASSWORD, Answer, Visitor
from testing.reviewsite import MP4, Site, running

pytest.importorskip("django", reason="the review extra is not installed")

VIEWER = "ben"


@pytest.fixture(scope="module", params=["/", "/cams"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("sharing"), path=request.param) as found:
        yield found


def prefix(site: Site) -> str:
    """Return the path that the site is below."""
    return site.visitor().get("/").text.split('class="brand" href="')[1].split('/"')[0]


def visit_of(site: Site, alert: int) -> int:
    ((visit,),) = site.query("SELECT visit FROM camalert_alert WHERE alert_id = ?", alert)
    assert isinstance(visit, int)
    return visit


def made(site: Site, visit: int, term: str = "day") -> str:
    """Make a link as an owner does; return its path."""
    owner, page = site.visitor(), f"/visits/{visit}/"
    answer = owner.post(f"{page}share/", {"term": term}, page=page)
    assert answer.status == 302
    assert answer.headers["Location"].endswith(f"{page}#share")
    text = owner.get(page).text
    found = re.search(r'id="share-link" value="http://localhost([^"]+)"', text)
    assert found is not None, text[:3000]
    assert found[1] not in owner.get(page).text  # shown once
    return found[1]


def stranger(site: Site, source: str = "127.0.0.40") -> Visitor:
    return Visitor(site.port, source=source)


def own(site: Site) -> sqlite3.Connection:
    return sqlite3.connect(site.folder / "review" / "site.sqlite3", timeout=10)


def is_closed(answer: Answer) -> bool:
    """Tell whether an answer is kept out of search engines, caches and other sites."""
    return (
        answer.headers["Referrer-Policy"] == "no-referrer"
        and "noindex" in answer.headers["X-Robots-Tag"]
        and answer.headers["Cache-Control"] == "no-store"
        and answer.headers.get("Set-Cookie") is None
    )


def test_link_shows_one_visit_and_nothing_else(site: Site) -> None:
    """Its pictures, thumbnails and clips without a session; no other picture, no menu, no form, no cookie."""
    alert, visit = site.rows.person[0], visit_of(site, site.rows.person[0])
    link = made(site, visit)
    assert link.startswith(f"{prefix(site)}/shared/")
    somebody = stranger(site)

    page = somebody.get(link)

    assert page.status == 200
    assert is_closed(page)
    assert "Garage" in page.text
    assert not re.search(r"<form|<nav|csrf|/account/|manifest|/api/", page.text)
    links = set(re.findall(r'(?:href|src|data-full)="([^"]*/shared/[^"]*)"', page.text))
    assert links
    for path in links:
        answer = somebody.thumbnail(path)
        assert answer.status == 200, path
        assert is_closed(answer), path
    assert somebody.get(f"{link}{alert}/picture").body[:2] == b"\xff\xd8"
    assert somebody.get(f"{link}clips/{site.rows.clip}").body == MP4
    part = somebody.get(f"{link}clips/{site.rows.clip}", Range="bytes=10-19")
    assert (part.status, part.body) == (206, MP4[10:20])

    for path in (f"{link}1/picture", f"{link}1/thumbnail", f"{link}{site.rows.foreign}/picture", f"{link}clips/999",
                 f"{link}clips/999/preview"):  # fmt: skip
        assert somebody.get(path).status == 404, path
    assert somebody.get(f"{prefix(site)}/alarms/{alert}/picture").status == 302
    for method in ("POST", "PUT", "DELETE"):
        assert somebody.ask(method, link).status in (401, 403, 405)
    assert site.visitor().get(link).text == page.text  # whoever is logged in


def test_link_is_stored_as_a_digest_and_ends(site: Site) -> None:
    """What is on the disk opens nothing; an ended link and one whose time is over show nothing at once."""
    visit = visit_of(site, site.rows.person[0])
    link, other = made(site, visit), made(site, visit, "hour")
    token = link.rstrip("/").rpartition("/")[2]
    with own(site) as connection:
        rows = connection.execute("SELECT id, digest, until - made, last_opened FROM sharing_sharedvisit").fetchall()
    by_digest = {row[1]: row for row in rows}
    number, _, lasts_s, last = by_digest[hashlib.sha256(token.encode()).hexdigest()]
    assert (lasts_s, last) == (86_400.0, None)
    assert token not in (site.folder / "review" / "site.sqlite3").read_bytes().decode("latin-1")

    assert stranger(site).get(link).status == 200
    assert "0 seconds ago" in (text := site.visitor().get(f"/visits/{visit}/").text) or "second ago" in text

    page = f"/visits/{visit}/"
    assert site.visitor().post(f"/shared/{number}/end/", {"visit": str(visit)}, page=page).status == 302
    for path in ("", f"{site.rows.person[0]}/picture", f"clips/{site.rows.clip}"):
        answer = stranger(site).get(link + path)
        assert answer.status == 404
        assert "it has ended" in answer.text
        assert is_closed(answer)

    assert stranger(site).get(other).status == 200
    with own(site) as connection:
        connection.execute("UPDATE sharing_sharedvisit SET until = 1")
    connection.close()
    assert stranger(site).get(other).status == 404
    assert "No link works" in site.visitor().get("/shared/").text


def test_link_of_another_database_shows_nothing(site: Site) -> None:
    """Ids begin anew in another database: what a link was made for is not what has its number now."""
    link = made(site, visit_of(site, site.rows.person[0]))
    with own(site) as connection:
        connection.execute("UPDATE sharing_sharedvisit SET source = 'another'")
    connection.close()

    assert stranger(site).get(link).status == 404


def test_link_shows_no_later_visit_of_the_same_number(site: Site) -> None:
    """A database that was put back by hand gives its numbers again: what is newer than the link was never shared."""
    link = made(site, visit_of(site, site.rows.person[0]))
    assert stranger(site).get(link).status == 200
    with own(site) as connection:
        connection.execute("UPDATE sharing_sharedvisit SET made = 1")
    connection.close()

    for path in ("", f"{site.rows.person[0]}/picture", f"clips/{site.rows.clip}"):
        assert stranger(site).get(link + path).status == 404, path


def test_only_owners_share(site: Site) -> None:
    """A viewer sees neither the form nor the links, and makes none, also not by the API."""
    owner, visit = site.visitor(), visit_of(site, site.rows.person[0])
    owner.post("/account/confirm/", {"password": PASSWORD})
    owner.post("/account/people/put/", {"username": VIEWER, "password": PASSWORD, "role": "viewer"})
    ben = Visitor(site.port, source="127.0.0.41")
    assert ben.log_in(VIEWER).status == 302
    text = ben.get(f"/visits/{visit}/").text
    assert "share" not in text

    assert ben.post(f"/visits/{visit}/share/", {"term": "day"}).status == 403
    assert ben.get("/shared/").status == 403
    assert ben.send(f"/api/v1/visits/{visit}/share/", {"term": "day"}).status == 403
    assert ben.get("/api/v1/links/").status == 403
    assert ben.send("/api/v1/links/1/end/", {}).status == 403


def test_program_makes_lists_and_ends_links(site: Site) -> None:
    """By the API, with the reason where something is wrong."""
    owner, visit = site.visitor(), visit_of(site, site.rows.person[0])
    assert owner.send(f"/api/v1/visits/{visit}/share/", {"term": "year"}).status == 400
    assert owner.send("/api/v1/visits/999999/share/", {"term": "day"}).status == 404

    answer = owner.send(f"/api/v1/visits/{visit}/share/", {"term": "week"})

    assert answer.status == 201
    facts = answer.json()
    path = facts.pop("url").partition("localhost")[2]
    assert stranger(site).get(path).status == 200
    listed = {each["id"]: each for each in owner.get("/api/v1/links/").json()["links"]}
    assert listed[facts["id"]]["last_opened"]
    assert owner.send(f"/api/v1/links/{facts['id']}/end/", {}).json() == {"ended": facts["id"]}
    assert owner.send(f"/api/v1/links/{facts['id']}/end/", {}).status == 404
    assert stranger(site).get(path).status == 404


def test_who_guesses_links_is_slowed_down(site: Site) -> None:
    """After some tries the address waits; another one's link works meanwhile."""
    link = made(site, visit_of(site, site.rows.person[0]))
    guesser = stranger(site, "127.0.0.42")
    tries = [guesser.get(f"/shared/{'x' * 30}{number}/").status for number in range(30)]
    assert tries[:5] == [404] * 5
    assert tries[-1] == 429

    assert stranger(site, "127.0.0.43").get(link).status == 200


def test_links_are_bounded(site: Site) -> None:
    """Ten of a visit, two hundred of all; those whose time is over count no more."""
    owner, visit = site.visitor(), visit_of(site, site.rows.person[0])
    with own(site) as connection:
        connection.execute("DELETE FROM sharing_sharedvisit")
    codes = [owner.send(f"/api/v1/visits/{visit}/share/", {"term": "hour"}).status for _ in range(11)]
    assert codes == [201] * 10 + [409]
    owner.post(f"/visits/{visit}/share/", {"term": "day"}, page=f"/visits/{visit}/")
    assert "10 links already" in owner.get(f"/visits/{visit}/").text

    with own(site) as connection:
        connection.execute("UPDATE sharing_sharedvisit SET visit = 1000 + id")
        connection.executemany(
            "INSERT INTO sharing_sharedvisit (digest, source, visit, title, made_by, made, until)"
            " VALUES (?, '', ?, '', '', 0, 9e12)",
            [(f"x{number}", 5000 + number) for number in range(190)],
        )
    assert owner.send(f"/api/v1/visits/{visit}/share/", {"term": "hour"}).status == 409
    with own(site) as connection:
        connection.execute("UPDATE sharing_sharedvisit SET until = 1 WHERE digest = 'x1'")
    connection.close()
    assert owner.send(f"/api/v1/visits/{visit}/share/", {"term": "hour"}).status == 201


def test_making_opening_and_ending_are_logged(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """With who made and ended it; the token is in no line, also when the database is not there."""
    with running(tmp_path) as site:
        visit = visit_of(site, site.rows.person[0])
        link = made(site, visit)
        stranger(site).get(link)
        stranger(site).get(link)
        site.visitor().post("/shared/1/end/", {})
        database = site.folder / "alerts.sqlite3"
        away = database.rename(database.with_name("away"))
        assert stranger(site).get(link).status == 503
        away.rename(database)
    whole = capfd.readouterr().err
    lines = [line for line in whole.splitlines() if "share_" in line]

    assert [re.search("share_[a-z]+", line)[0] for line in lines] == ["share_made", "share_opened", "share_ended"]  # type: ignore[index]
    assert "anna" in lines[0]
    assert "127.0.0.40" in lines[1]
    assert "anna" in lines[2]
    assert "review_database_unavailable" in whole
    assert link.split("/")[-2] not in whole
