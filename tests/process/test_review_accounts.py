"""Accounts on the review site: where they are logged in."""

from __future__ import annotations

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
