"""Accounts on the review site: where they are logged in, who has reviewed what, and both for programs."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator

import pytest
from testing.reviewrig import NAME, PASSWORD, Visitor
from testing.reviewsite import Site, running

pytest.importorskip("django", reason="the review extra is not installed")

PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Mobile/15E148 Safari/604.1"
DESK = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
PEOPLE = "/account/people/"


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return a site with rows and an owner."""
    with running(tmp_path_factory.mktemp("review")) as found:
        yield found


def log_in(site: Site, name: str = NAME, source: str = "127.0.0.40", agent: str = DESK) -> Visitor:
    found = Visitor(site.port, source=source, headers={"User-Agent": agent})
    assert found.log_in(name).status == 302
    assert found.get("/account/").status == 200
    return found


def add(site: Site, name: str, role: str = "viewer") -> int:
    """Make an account and return its number."""
    owner = site.visitor()
    owner.post("/account/confirm/", {"password": PASSWORD})
    assert owner.post(f"{PEOPLE}put/", {"username": name, "password": PASSWORD, "role": role}).status == 302
    return int(stored(site, "SELECT id FROM auth_user WHERE username = ?", name)[0][0])


def stored(site: Site, sql: str, *values: object) -> list[tuple[int, ...]]:
    connection = sqlite3.connect(site.folder / "review" / "site.sqlite3", timeout=10)
    try:
        with connection:
            return connection.execute(sql, values).fetchall()
    finally:
        connection.close()


def is_in(visitor: Visitor) -> bool:
    return visitor.get("/account/").status == 200


def test_own_sessions_are_listed_and_ended(site: Site) -> None:
    """Device, address and this one by name; one of them ends at once, then all others, and this one stays."""
    desk = log_in(site, source="127.0.0.41")
    phone, tablet = log_in(site, source="127.0.0.42", agent=PHONE), log_in(site, source="127.0.0.43", agent="curl/8")
    text = desk.get("/account/").text

    assert re.search(r"Firefox on Windows</strong> this browser<br>\s*<span class=\"quiet\">127\.0\.0\.41", text)
    assert "Safari on iPhone" in text
    assert "127.0.0.42, last used" in text
    found = re.search(
        r'name="id" value="(\d+)"><button class="plain" aria-label="End the session of Safari on iPhone', text
    )
    assert found is not None
    assert desk.post("/account/sessions/", {"id": found[1]}).status == 302
    assert "1 session has ended." in desk.get("/account/").text
    assert [is_in(each) for each in (desk, phone, tablet)] == [True, False, True]

    assert desk.post("/account/sessions/", {}).status == 302
    assert [is_in(each) for each in (desk, tablet, site.visitor())] == [True, False, False]
    assert desk.get("/account/").text.count("End the session of") == 0


def test_nobody_ends_or_sees_sessions_of_others_but_an_owner(site: Site) -> None:
    """A viewer has those of the own account; an owner has all of them, after the password once more."""
    number = add(site, "ben")
    ben, owner = log_in(site, "ben", source="127.0.0.44", agent=PHONE), log_in(site, source="127.0.0.45")
    others = stored(site, "SELECT id FROM accounts_opensession WHERE user_id = 1")
    assert others

    assert "Firefox on Windows" not in ben.get("/account/").text
    for (row,) in others:
        ben.post("/account/sessions/", {"id": str(row)})
    ben.post("/account/confirm/", {"password": PASSWORD})
    assert ben.post(f"{PEOPLE}1/sessions/", {}).status == 403
    assert is_in(owner)

    assert owner.post(f"{PEOPLE}{number}/sessions/", {}).headers["Location"].startswith("/account/confirm/")
    assert is_in(ben)
    owner.post("/account/confirm/", {"password": PASSWORD})
    page = owner.get(PEOPLE).text
    assert "ben: logged in with 1 browser" in page
    assert "Safari on iPhone" in page
    assert owner.post(f"{PEOPLE}{number}/sessions/", {}).status == 302
    assert not is_in(ben)
    assert is_in(owner)


def test_sessions_end_with_password_and_account(site: Site) -> None:
    """Whoever had the old password is out, and not in the list any more; so is who is disabled."""
    number = add(site, "ben")
    first, second = log_in(site, "ben", source="127.0.0.46"), log_in(site, "ben", source="127.0.0.47")
    fields = {"old_password": PASSWORD, "new_password1": "another horse 10", "new_password2": "another horse 10"}

    assert first.post("/account/password/", fields).status == 302
    assert [is_in(first), is_in(second)] == [True, False]
    assert first.get("/account/").text.count("last used") == 1

    owner = site.visitor()
    owner.post("/account/confirm/", {"password": PASSWORD})
    owner.post(f"{PEOPLE}{number}/", {"change": "disable"})
    assert not is_in(first)
    assert first.log_in("ben", "another horse 10").status == 200
    owner.post(f"{PEOPLE}{number}/", {"change": "enable"})
    assert not is_in(first)
    assert first.log_in("ben", "another horse 10").status == 302


def test_account_of_the_admins_log_is_removed(site: Site) -> None:
    """Django's admin is switched off, and its table of before still holds rows of accounts."""
    number = add(site, "ben")
    stored(site, "CREATE TABLE django_admin_log (id INTEGER PRIMARY KEY, user_id INTEGER NOT NULL"
                 " REFERENCES auth_user (id) DEFERRABLE INITIALLY DEFERRED)")  # fmt: skip
    stored(site, "INSERT INTO django_admin_log (user_id) VALUES (?)", number)
    owner = site.visitor()
    owner.post("/account/confirm/", {"password": PASSWORD})

    assert owner.post(f"{PEOPLE}{number}/", {"change": "remove"}).status == 302
    assert stored(site, "SELECT id FROM auth_user WHERE username = 'ben'") == []


def test_own_password_is_not_changed_among_the_others(site: Site) -> None:
    """It would end the session that asks; the page says where to go, and one stays logged in."""
    owner = site.visitor()
    owner.post("/account/confirm/", {"password": PASSWORD})

    answer = owner.post(f"{PEOPLE}put/", {"username": NAME, "password": "another-good-one", "role": "owner"})

    assert answer.status == 302
    assert "Change your own password on the account page." in owner.get(PEOPLE).text
    assert is_in(owner)


def test_address_of_a_session_is_the_last_one(site: Site) -> None:
    """A phone that goes from one network to the other is one session, with where it is now."""
    phone = log_in(site, source="127.0.0.48", agent=PHONE)
    phone.source = "127.0.0.49"

    text = phone.get("/account/").text

    assert "127.0.0.49, last used" in text
    assert "127.0.0.48" not in text


def test_sessions_of_an_account_are_bounded(site: Site) -> None:
    """A program that logs in each time pushes out its oldest sessions, not another account's."""
    add(site, "ben")
    now = "2026-01-01 00:00:00"
    for n in range(60):
        stored(site, "INSERT INTO django_session VALUES (?, '', '2099-01-01 00:00:00')", f"old{n}")
        stored(
            site,
            "INSERT INTO accounts_opensession (user_id, session, began, seen, address, agent)"
            " VALUES (2, ?, ?, ?, '127.0.0.50', '')", f"old{n}", now, now,
        )  # fmt: skip

    ben = log_in(site, "ben", source="127.0.0.50")

    assert stored(site, "SELECT count(*) FROM accounts_opensession WHERE user_id = 2") == [(50,)]
    assert stored(site, "SELECT count(*) FROM django_session WHERE session_key LIKE 'old%'") == [(49,)]
    assert is_in(ben)
    assert is_in(site.visitor())


# --- who has reviewed what --------------------------------------------------------------------------------------------


def reviewers(visitor: Visitor, path: str) -> list[str]:
    return [each["name"] for each in visitor.get(path).json()["reviewed_by"]]


def test_reviewed_is_shared_and_says_by_whom(site: Site) -> None:
    """One list to review for all; each person who looked is named, until somebody puts it back on the list."""
    add(site, "ben")
    ben, owner = log_in(site, "ben", source="127.0.0.51"), site.visitor()
    row = site.rows.person[0]
    ((visit,),) = site.query("SELECT visit FROM camalert_alert WHERE alert_id = ?", row)
    page, path = f"/visits/{visit}/", f"/api/v1/visits/{visit}/"
    assert reviewers(owner, path) == []
    assert "Reviewed by" not in owner.get(page).text

    ben.send("/api/v1/visits/change/", {"ids": [visit], "reviewed": True})
    assert f'"id": {visit},' not in owner.get("/api/v1/visits/?review=new").text
    assert reviewers(owner, path) == reviewers(owner, f"/api/v1/alarms/{row}/") == ["ben"]
    assert re.search(r"Reviewed by</h2>\s*<ul[^>]*><li><span><strong>ben</strong>", owner.get(page).text)
    assert "<strong>ben</strong>" in owner.get(f"/alarms/{row}/").text

    owner.send("/api/v1/alarms/change/", {"ids": [row], "mark": "not a person"})
    owner.send("/api/v1/alarms/change/", {"ids": [row], "mark": None})
    assert reviewers(owner, path) == [NAME, "ben"]
    ben.send("/api/v1/alarms/change/", {"ids": [row], "reviewed": False})
    assert reviewers(owner, f"/api/v1/alarms/{row}/") == []

    ben.send("/api/v1/alarms/change/", {"ids": [row], "reviewed": True})
    stored(site, "UPDATE accounts_reviewed SET at = 1.0 WHERE alert = ?", row)
    assert reviewers(owner, path) == [], "a picture of this id that was there before a database was restored"


def test_who_reviewed_is_bounded(site: Site) -> None:
    """However many pictures are looked at, the newest names stay."""
    for number, alert in ((1, 7001), (2, 7002), (200_002, 7003)):
        stored(site, "INSERT INTO accounts_reviewed (id, alert, name, at) VALUES (?, ?, 'ben', 0)", number, alert)

    site.visitor().send("/api/v1/alarms/change/", {"ids": [site.rows.nobody], "reviewed": True})

    assert stored(site, "SELECT alert FROM accounts_reviewed ORDER BY id") == [(7003,), (site.rows.nobody,)]


# --- for programs -----------------------------------------------------------------------------------------------------


def program(site: Site, scope: str = "admin") -> Visitor:
    visitor = site.visitor()
    visitor.post("/account/tokens/", {"name": "x", "scope": scope, "password": PASSWORD})
    text = visitor.get("/account/").text.split('class="token">')[1].split("<")[0]
    return Visitor(site.port, headers={"Authorization": f"Bearer {text}"})


def send(visitor: Visitor, path: str, **body: object) -> tuple[int, dict[str, object]]:
    encoded = json.dumps(body).encode()
    found = visitor.ask("POST", f"/api/v1/{path}", encoded, Content_Type="application/json")
    return found.status, found.json()


def test_program_manages_accounts_with_the_password_only(site: Site) -> None:
    """A token that leaked makes nobody an owner, and guesses no password either."""
    api = program(site)
    new = {"name": "eva", "password": PASSWORD, "role": "owner"}
    assert send(api, "accounts/put/", **new)[0] == 403
    assert send(api, "accounts/put/", **new, confirm="a guess")[0] == 403
    assert send(api, "accounts/put/", **new | {"password": "short"}, confirm=PASSWORD)[0] == 400
    assert send(api, "accounts/put/", **new, confirm=PASSWORD) == (200, {"new": True})
    assert send(api, "accounts/put/", **new, confirm=PASSWORD) == (200, {"new": False})
    (eva,) = [each for each in api.get("/api/v1/accounts/").json()["accounts"] if each["name"] == "eva"]
    assert (eva["role"], eva["active"], eva["second_factor"], eva["sessions"]) == ("owner", True, False, 0)

    path = f"accounts/{eva['id']}/change/"
    assert send(api, path, change="viewer")[0] == 403
    assert send(api, path, change="viewer", confirm=PASSWORD) == (200, {"changed": 1})
    assert send(api, path, change="nonsense", confirm=PASSWORD)[0] == 400
    assert send(api, "accounts/1/change/", change="remove", confirm=PASSWORD)[0] == 400, "one's own"
    assert send(api, path, change="remove", confirm=PASSWORD) == (200, {"changed": 1})
    assert send(api, path, change="remove", confirm=PASSWORD)[0] == 404
    for odd in ("\ud800", "a\0b", ["x"], {}, 7, "x" * 500):
        assert send(api, "accounts/put/", name=odd, password=PASSWORD, confirm=PASSWORD)[0] == 400
        assert send(api, "accounts/1/change/", change="viewer", confirm=odd)[0] in (403, 429)
    tries = [send(api, "accounts/put/", **new, confirm=f"guess {n}")[0] for n in range(20)]
    assert set(tries) == {403, 429}
    assert send(api, "accounts/put/", **new, confirm=PASSWORD)[0] == 429, "even the right one has to wait"


def test_program_lists_and_ends_sessions(site: Site) -> None:
    """Of anybody, for an owner's token of the widest scope alone."""
    add(site, "ben")
    ben, phone = log_in(site, "ben", source="127.0.0.52"), log_in(site, "ben", source="127.0.0.53", agent=PHONE)
    for scope in ("read", "review"):
        assert program(site, scope).get("/api/v1/sessions/").status == 403
    assert ben.get("/api/v1/sessions/").status == 403
    assert ben.get("/api/v1/accounts/").status == 403
    api = program(site)
    listed = [each for each in api.get("/api/v1/sessions/").json()["sessions"] if each["account"] == "ben"]
    assert [(each["device"], each["address"], each["this"]) for each in listed] == [
        ("Safari on iPhone", "127.0.0.53", False),
        ("Firefox on Windows", "127.0.0.52", False),
    ]

    assert send(api, "sessions/end/", account=NAME, ids=[listed[0]["id"]]) == (200, {"ended": 0})
    assert send(api, "sessions/end/", account="ben", ids=[listed[0]["id"]]) == (200, {"ended": 1})
    assert [is_in(ben), is_in(phone)] == [True, False]
    assert send(api, "sessions/end/", account="ben", ids=[])[0] == 400
    assert send(api, "sessions/end/", account="ben") == (200, {"ended": 1})
    assert not is_in(ben)
    assert is_in(site.visitor())
