"""Django's admin on the review site: away unless it is switched on, and then for owners alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from testing import household
from testing.reviewrig import PASSWORD, Visitor
from testing.reviewsite import NOON, Site, running

pytest.importorskip("django", reason="the review extra is not installed")

TABLES = ("/admin/", "/admin/alerts/alert/", "/admin/alerts/detect/", "/admin/auth/user/", "/admin/auth/user/add/")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return a site with Django's admin and a user that was made in it and given nothing."""
    with running(tmp_path_factory.mktemp("tables"), admin=True) as found:
        page = "/admin/auth/user/add/"
        fields = {"username": "ben", "password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
        assert asked_again(found.visitor()).post(page, fields, page=page).status == 302
        yield found


def asked_again(visitor: Visitor) -> Visitor:
    visitor.post("/account/confirm/", {"password": PASSWORD})
    return visitor


def test_tables_are_away_unless_switched_on(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No address of them answers, no page leads there, and none of their files is served."""
    with running(tmp_path_factory.mktemp("plain")) as plain:
        owner = asked_again(plain.visitor())
        for path in (*TABLES, "/admin/login/", "/admin/password_change/", "/static/admin/css/base.css"):
            assert owner.get(path).status == 404, path
            assert Visitor(plain.port).get(path).status == 404, path
        assert "admin/" not in owner.get("/").text


@pytest.mark.parametrize("path", TABLES)
def test_tables_are_for_owners(site: Site, path: str) -> None:
    """An owner finds them; a viewer is refused, without an endless way between two logins; a token opens none."""
    owner = asked_again(site.visitor())
    assert owner.get(path).status == 200
    assert 'href="/admin/"' in owner.get("/cameras/").text

    ben = Visitor(site.port, source="127.0.0.20")
    assert ben.log_in("ben").status == 302
    answer = asked_again(ben).get(path)
    for _ in range(3):
        if answer.status != 302:
            break
        answer = ben.get(answer.headers["Location"])
    assert answer.status == 403

    stranger = Visitor(site.port).get(path)
    assert stranger.status == 302
    assert stranger.headers["Location"].startswith(("/login/", "/admin/login/"))


def test_accounts_need_the_password_again(site: Site) -> None:
    """A session alone makes nobody an owner in the tables."""
    owner = Visitor(site.port, source="127.0.0.23")
    assert owner.log_in().status == 302
    answer = owner.get("/admin/auth/user/add/")

    assert answer.headers["Location"] == "/account/confirm/?next=%2Fadmin%2Fauth%2Fuser%2Fadd%2F"


def test_tables_have_no_login_of_their_own(site: Site) -> None:
    """It would be one that is not slowed down."""
    answer = Visitor(site.port).ask("POST", "/admin/login/", b"username=anna&password=x")

    assert answer.status in (302, 403)
    assert "sessionid" not in str(answer.headers)


def test_tables_delete_but_add_nothing(site: Site) -> None:
    """The two tables as in the original site; alarms come from mails alone."""
    home = site.home()
    alert, _ = home.add("Terrace", NOON, household.tiny()[5])
    home.close()
    visitor = site.visitor()

    assert visitor.get("/admin/alerts/alert/add/").status == 403
    page = f"/admin/alerts/alert/{alert}/delete/"
    assert visitor.post(page, {"post": "yes"}, page=page).status == 302
    assert site.query("SELECT count(*) FROM camalert_alert WHERE alert_id = ?", alert) == [(0,)]


def test_hostile_words_stay_words(site: Site) -> None:
    """The subject of a mail is text there, too; nothing comes from elsewhere."""
    answer = site.visitor().get("/admin/alerts/alert/")

    assert "&lt;script&gt;alert" in answer.text
    assert "<script>alert" not in answer.text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_password_changed_in_the_tables_ends_tokens(site: Site) -> None:
    """By whatever way it is changed."""
    ben = Visitor(site.port, source="127.0.0.22")
    assert ben.log_in("ben").status == 302
    ben.post("/account/tokens/", {"name": "x", "scope": "read", "password": PASSWORD})
    token = ben.get("/account/").text.split('class="token">')[1].split("<")[0]
    program = Visitor(site.port, headers={"Authorization": f"Bearer {token}"})
    assert program.get("/api/v1/people/").status == 200
    new = {"password1": "another horse 10", "password2": "another horse 10", "usable_password": "true"}
    number = 2  # the second account of a new site
    page = f"/admin/auth/user/{number}/password/"

    assert asked_again(site.visitor()).post(page, new, page=page).status == 302
    assert program.get("/api/v1/people/").status == 401
