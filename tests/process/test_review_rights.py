"""Who may do what on the review site: owners, viewers and programs; and nobody is locked out by others."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from testing import household, reviewrig
from testing.ports import free_port
from testing.reviewrig import NAME, PASSWORD, Visitor
from testing.reviewsite import EML, HOSTILE, NOON, Site, running

pytest.importorskip("django", reason="the review extra is not installed")

VIEWER = "ben"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return a site with rows, an owner and a viewer."""
    with running(tmp_path_factory.mktemp("review")) as found:
        owner = found.visitor()
        owner.post("/account/confirm/", {"password": PASSWORD})
        fields = {"username": VIEWER, "password": PASSWORD, "role": "viewer"}
        assert owner.post("/account/people/put/", fields).status == 302
        yield found


def viewer(site: Site) -> Visitor:
    """Return the one who may only look, review and mark, logged in."""
    found = Visitor(site.port, source="127.0.0.20")
    assert found.log_in(VIEWER).status == 302
    return found


def token(visitor: Visitor, scope: str, **fields: str) -> Visitor:
    """Make a token and return a program that uses it."""
    made = {"name": f"for {scope}", "scope": scope, "password": PASSWORD} | fields
    assert visitor.post("/account/tokens/", made).status == 302
    text = re.search(r'class="token">([^<]+)<', visitor.get("/account/").text)
    assert text is not None
    return Visitor(visitor.port, headers={"Authorization": f"Bearer {text[1]}"})


def add_alarm(site: Site) -> int:
    home = site.home()
    row, _ = home.add("Cellar", NOON, household.tiny()[0])
    home.close()
    return row


def test_viewer_looks_reviews_and_marks_but_deletes_nothing(site: Site) -> None:
    """A login without any right sees the pictures; what cannot be undone is for owners, whatever way is tried."""
    row = add_alarm(site)
    ben = viewer(site)

    assert ben.get(f"/alarms/{row}/").status == 200
    assert "Delete" not in ben.get(f"/alarms/{row}/").text
    assert "Delete" not in ben.get("/alarms/").text
    assert ben.send("/api/v1/alarms/change/", {"ids": [row], "reviewed": True}).json() == {"changed": 1}
    assert ben.send("/api/v1/alarms/change/", {"ids": [row], "mark": "not a person"}).status == 200
    assert ben.send("/api/v1/alarms/delete/", {"ids": [row]}).status == 403
    assert ben.post("/alarms/selected/", {"id": str(row), "action": "delete", "sure": "yes"}).status == 403
    assert ben.post("/account/tokens/", {"name": "x", "scope": "admin", "password": PASSWORD}).status == 302
    assert 'class="token"' not in ben.get("/account/").text
    assert site.query("SELECT count(*) FROM alerts_alert WHERE id = ?", row) == [(1,)]


@pytest.mark.parametrize(("scope", "status"), [("read", 403), ("review", 403), ("admin", 200)])
def test_token_switches_messages_with_the_scope_of_an_owner_only(site: Site, scope: str, status: int) -> None:
    """Whoever finds a token that may look turns no alarm off; nonsense is answered in words."""
    program = token(site.visitor(), scope)

    answer = program.send("/api/v1/switches/change/", {"kind": "armed", "value": "on"})

    assert answer.status == status
    assert program.get("/api/v1/switches/").json()["armed"] == {"": True}
    if scope == "admin":
        assert program.send("/api/v1/switches/change/", ["armed"]).status == 400
        assert program.send("/api/v1/switches/change/", {"kind": "snooze", "seconds": "1e9"}).status == 400
    assert viewer(site).post("/visits/switch/", {"kind": "armed", "value": "off"}).status == 403


@pytest.mark.parametrize(
    ("scope", "changes", "deletes"), [("read", 403, 403), ("review", 200, 403), ("admin", 200, 200)]
)
def test_token_does_what_its_scope_says(site: Site, scope: str, changes: int, deletes: int) -> None:
    """A program gets what it needs; the default is to look."""
    row = add_alarm(site)
    program = token(site.visitor(), scope)
    changed = json.dumps({"ids": [row], "reviewed": True}).encode()
    deleted = json.dumps({"ids": [row]}).encode()

    assert program.get("/api/v1/alarms/").status == 200
    assert program.get(f"/alarms/{row}/picture").status == 200
    assert program.ask("POST", "/api/v1/alarms/change/", changed).status == changes
    assert program.ask("POST", "/api/v1/alarms/delete/", deleted).status == deletes


@pytest.mark.parametrize(
    "path",
    ["/", "/alarms/", "/alarms/1/", "/cameras/", "/status/", "/account/", "/account/confirm/",
     "/account/people/", "/account/people/put/", "/settings/"],
)  # fmt: skip
def test_token_opens_no_page(site: Site, path: str) -> None:
    """The most powerful token makes no further token, no login, and no session."""
    program = token(site.visitor(), "admin")

    answer = program.get(path)
    made = program.ask("POST", "/account/tokens/", b"name=x&password=correct+horse+9")

    assert answer.status == 403
    assert "error" in answer.json()
    assert made.status == 403
    assert "camalert_session" not in program.cookies


def test_token_needs_the_password_again_and_ends_in_time(site: Site) -> None:
    """A session left open makes no token, and an old token is told so."""
    visitor = site.visitor()
    before = visitor.get("/account/").text.count("remove/")
    visitor.post("/account/tokens/", {"name": "x", "password": "wrong"})
    assert visitor.get("/account/").text.count("remove/") == before

    program = token(visitor, "read", days="30", name="ends soon")
    assert program.get("/api/v1/people/").status == 200
    text = visitor.get("/account/").text
    assert "from 127.0.0.1" in text
    assert "valid until" in text
    connection = sqlite3.connect(site.folder / "review" / "site.sqlite3", timeout=10)
    with connection:
        connection.execute("UPDATE accounts_token SET expires = '2020-01-01 00:00:00' WHERE name = 'ends soon'")
    connection.close()
    answer = program.get("/api/v1/people/")
    assert answer.status == 401
    assert "expired on 2020-01-01" in answer.json()["error"]


def test_users_need_the_password_again(site: Site) -> None:
    """A session alone makes nobody an owner."""
    visitor = Visitor(site.port)
    visitor.log_in()

    page = "/account/people/"
    made = {"username": "mallory", "password": PASSWORD, "role": "owner"}
    assert visitor.get(page).headers["Location"] == "/account/confirm/?next=%2Faccount%2Fpeople%2F"
    assert visitor.post(f"{page}put/", made).headers["Location"] == "/account/confirm/?next=%2Faccount%2Fpeople%2F"
    assert visitor.post("/account/confirm/", {"password": "wrong", "next": page}).status == 403
    assert visitor.get(page).status == 302
    onward = visitor.post("/account/confirm/", {"password": PASSWORD, "next": page})
    assert onward.headers["Location"] == page
    assert "mallory" not in visitor.get(page).text
    elsewhere = visitor.post("/account/confirm/", {"password": PASSWORD, "next": "//evil.example/"})
    assert elsewhere.headers["Location"] == "/account/"


@pytest.mark.parametrize("keeps", [True, False])
def test_tokens_end_with_the_password_unless_told_to_stay(tmp_path: Path, *, keeps: bool) -> None:
    """Whoever changes a password because it leaked need not think of the tokens."""
    with running(tmp_path) as site:
        visitor = site.visitor()
        program = token(visitor, "read")
        fields = {"old_password": PASSWORD, "new_password1": "another horse 10", "new_password2": "another horse 10"}
        if keeps:
            fields["keep_tokens"] = "yes"

        assert visitor.post("/account/password/", fields).status == 302

        assert program.get("/api/v1/people/").status == (200 if keeps else 401)


def test_tokens_end_with_a_password_that_another_owner_gives(site: Site) -> None:
    """By whatever way it is changed."""
    owner, page = site.visitor(), "/account/people/put/"
    owner.post("/account/confirm/", {"password": PASSWORD})
    owner.post(page, {"username": "dora", "password": PASSWORD, "role": "viewer"})
    dora = Visitor(site.port, source="127.0.0.21")
    assert dora.log_in("dora").status == 302
    program = token(dora, "read")

    assert owner.post(page, {"username": "dora", "password": "another horse 10"}).status == 302
    assert program.get("/api/v1/people/").status == 401
    assert dora.get("/account/").status == 302


def test_database_of_before_goes_on(tmp_path: Path) -> None:
    """Old tokens go on as those that look and review; who could do everything is an owner."""
    with running(tmp_path) as site:
        visitor = site.visitor()
        program = token(visitor, "admin")
    connection = sqlite3.connect(tmp_path / "review" / "site.sqlite3")
    with connection:
        connection.execute("DELETE FROM django_migrations WHERE app = 'accounts' AND name > '0002'")
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'accounts_%'")
        for (table,) in tables.fetchall():
            if table != "accounts_token":
                connection.execute(f"DROP TABLE {table}")
        for column in ("scope", "expires", "last_address"):
            connection.execute(f"ALTER TABLE accounts_token DROP COLUMN {column}")
    connection.close()

    port = free_port()
    with reviewrig.site(reviewrig.config(tmp_path, port)):
        program.port = port
        before = Visitor(port, cookies=dict(visitor.cookies))
        now = Visitor(port, source="127.0.0.25")
        assert now.log_in().status == 302
        assert now.post("/account/sessions/", {}).status == 302
        assert before.get("/account/").status == 302, "a session of before cannot be ended"
        change = json.dumps({"ids": [1], "reviewed": True}).encode()
        assert program.ask("POST", "/api/v1/alarms/change/", change).status == 200
        assert program.ask("POST", "/api/v1/alarms/delete/", json.dumps({"ids": [1]}).encode()).status == 403
        owner = Visitor(port)
        assert owner.log_in().status == 302
        assert owner.send("/api/v1/alarms/delete/", {"ids": [1]}).json()["deleted"] == 1


def test_wrong_passwords_of_others_lock_nobody_out(tmp_path: Path) -> None:
    """While a neighbour guesses, the owner gets in: from the address of before, and with the browser of before."""
    with running(tmp_path) as site:
        owner = Visitor(site.port, source="127.0.0.30")
        assert owner.log_in().status == 302
        device = owner.cookies["camalert_device"]
        guesser = Visitor(site.port, source="127.0.0.31")
        while (answer := guesser.log_in(NAME, "a guess")).status != 429:
            pass
        assert f'value="{NAME}"' in answer.text  # the form stays, with what was typed, and says for how long
        assert f'data-seconds="{answer.headers["Retry-After"]}"' in answer.text

        def tries(source: str, cookie: str = "") -> int:
            return Visitor(site.port, source=source, cookies={"camalert_device": cookie}).log_in().status

        assert tries("127.0.0.31") == 429
        assert tries("127.0.0.31", device[:-3] + "AAA") == 429
        assert tries("127.0.0.31", device) == 302
        assert tries("127.0.0.30") == 302


def test_kept_mails_are_listed_and_handed_out_to_owners(site: Site) -> None:
    """What could not be read is named with sender and reason, and is a file that no browser opens."""
    text = site.visitor().get("/kept/").text
    assert "&lt;script&gt;alert" in text
    assert "<script>alert" not in text
    listed = token(site.visitor(), "read").get("/api/v1/kept/").json()["mails"]
    assert [(mail["id"], mail["bytes"], mail["reason"]) for mail in listed] == [(1, len(EML), HOSTILE)]

    answer = site.visitor().get("/kept/1/mail")

    assert answer.body == EML
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="camalert-')
    assert answer.headers["Content-Disposition"].endswith('-1.eml"')
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert site.visitor().get("/kept/77/mail").status == 404
    assert viewer(site).get("/kept/").status == 200
    assert viewer(site).get("/kept/1/mail").status == 403
    assert token(site.visitor(), "review").get("/kept/1/mail").status == 403
    assert token(site.visitor(), "admin").get("/kept/1/mail").body == EML


def test_accounts_are_managed_on_a_page_of_the_site(site: Site) -> None:
    """After the password once more: made, made an owner and a viewer again, removed; never one's own."""
    owner, page = site.visitor(), "/account/people/"
    owner.post("/account/confirm/", {"password": PASSWORD})
    assert viewer(site).get(page).headers["Location"].startswith("/account/confirm/")

    assert (
        owner.post(f"{page}put/", {"username": "eva", "password": PASSWORD, "role": "viewer"}, page=page).status == 302
    )
    assert "eva can log in" in owner.get(page).text
    (number,) = re.findall(
        r'action="/account/people/(\d+)/"[^>]*>.{0,400}?Remove eva"', owner.get(page).text, re.DOTALL
    )[-1:]
    for change, words in (
        ("owner", "eva is an owner now"),
        ("viewer", "eva is a viewer now"),
        ("disable", "eva can no longer log in"),
        ("enable", "eva can log in again"),
        ("remove", "eva is removed"),
    ):
        assert owner.post(f"{page}{number}/", {"change": change}, page=page).status == 302
        assert words in owner.get(page).text
    assert owner.post(f"{page}put/", {"username": "eva", "password": "short", "role": "owner"}, page=page).status == 302
    assert "too short" in owner.get(page).text
    own = owner.get("/api/v1/status/").status  # still an owner with a session
    assert own in (200, 503)
    ben = viewer(site)
    ben.post("/account/confirm/", {"password": PASSWORD})
    assert ben.get(page).status == 403
