"""The second factor on the review site: asked, guessed, replayed, lost; and nobody locked out by it."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from testing.reviewrig import NAME, PASSWORD, Answer, Visitor
from testing.reviewsite import Site, running

pytest.importorskip("django", reason="the review extra is not installed")

from camalert.review import totp  # needs no Django

ROOT = Path(__file__).parents[2]
PAGE = "/account/second-factor/"
PEOPLE = "/account/people/"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Return a site with an owner and a viewer."""
    with running(tmp_path) as found:
        owner = asked_again(found.visitor())
        owner.post(f"{PEOPLE}put/", {"username": "ben", "password": PASSWORD, "role": "viewer"})
        yield found


def asked_again(visitor: Visitor) -> Visitor:
    visitor.post("/account/confirm/", {"password": PASSWORD})
    return visitor


def switch_on(visitor: Visitor) -> tuple[str, list[str]]:
    """Switch it on for who is logged in; return the key and the recovery codes."""
    shown = re.search(r'class="token">([A-Z2-7 ]+)<', asked_again(visitor).get(PAGE).text)
    assert shown is not None
    secret = shown[1].replace(" ", "")
    answer = visitor.post(f"{PAGE}on/", {"code": code_now(secret)}, page=PAGE)
    assert answer.status == 200, answer.text[-800:]
    found = re.search(r'class="codes">([^<]+)<', answer.text)
    assert found is not None
    return secret, found[1].split("\n")[:10]


def code_now(secret: str, steps: int = 0) -> str:
    return totp.code_at(secret, int(time.time() // 30) + steps)


def forget_used(site: Site) -> None:
    """Let codes be right again that were used, as after half a minute."""
    connection = sqlite3.connect(site.folder / "review" / "site.sqlite3", timeout=10)
    with connection:
        connection.execute("UPDATE accounts_secondfactor SET last_step = 0")
    connection.close()


def with_password(site: Site, source: str, name: str = NAME) -> tuple[Visitor, str]:
    """Give the right password; return who did, and the note that the page then carries."""
    found = Visitor(site.port, source=source)
    answer = found.log_in(name)
    assert answer.status == 200, "no second factor was asked for"
    half = re.search(r'name="half" value="([^"]+)"', answer.text)
    assert half is not None
    assert not is_in(found)
    return found, half[1]


def answer(visitor: Visitor, half: str, code: str) -> Answer:
    return visitor.post("/login/code/", {"half": half, "code": code}, page="/login/")


def log_in(site: Site, code: str, source: str = "127.0.0.50", name: str = NAME) -> int:
    visitor, half = with_password(site, source, name)
    status = answer(visitor, half, code).status
    assert is_in(visitor) == (status == 302)
    return status


def is_in(visitor: Visitor) -> bool:
    return visitor.get("/account/").status == 200


def test_code_is_asked_after_the_password_and_works_once(site: Site) -> None:
    """Neither the code that switched it on, nor one that somebody saw being typed, opens a second session."""
    secret, _ = switch_on(site.visitor())
    used = code_now(secret)

    assert log_in(site, used) == 200
    assert log_in(site, "000000" if used != "000000" else "000001") == 200
    forget_used(site)
    later = code_now(secret)
    visitor, half = with_password(site, "127.0.0.51")
    assert answer(visitor, half, f"{later[:3]} {later[3:]}").headers["Location"] == "/"
    assert is_in(visitor)
    assert log_in(site, later, source="127.0.0.52") == 200
    other, _ = with_password(site, "127.0.0.53")
    assert answer(other, half, later).status == 200, "the same note and code once more"
    assert not is_in(other)


def test_nothing_is_asked_of_others_and_of_programs(site: Site) -> None:
    """A second factor is one account's own; tokens are a program's."""
    visitor = site.visitor()
    visitor.post("/account/tokens/", {"name": "x", "scope": "read", "password": PASSWORD})
    token = visitor.get("/account/").text.split('class="token">')[1].split("<")[0]
    switch_on(visitor)

    assert Visitor(site.port, source="127.0.0.54").log_in("ben").status == 302
    assert Visitor(site.port, headers={"Authorization": f"Bearer {token}"}).get("/api/v1/people/").status == 200
    assert is_in(visitor)


def test_recovery_code_replaces_the_app_once(site: Site) -> None:
    """However it is written; new ones take the place of all of them."""
    _, codes = switch_on(site.visitor())

    assert log_in(site, codes[0].upper().replace(" ", "-"), source="127.0.0.55") == 302
    assert log_in(site, codes[0], source="127.0.0.55") == 200
    owner = asked_again(site.visitor())
    assert "9 recovery codes are left" in owner.get(PAGE).text
    renewed = owner.post(f"{PAGE}codes/", {}, page=PAGE).text
    assert log_in(site, codes[1], source="127.0.0.55") == 200
    fresh = re.search(r'class="codes">([^\n]+)\n', renewed)
    assert fresh is not None
    assert log_in(site, fresh[1], source="127.0.0.55") == 302


def test_guessing_locks_out_neither_owner_nor_household(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Whoever knows the password is stopped after some codes, from however many addresses; its owner still gets in."""
    with running(tmp_path) as site:
        owner = asked_again(site.visitor())
        owner.post(f"{PEOPLE}put/", {"username": "ben", "password": PASSWORD, "role": "viewer"})
        home = Visitor(site.port, source="127.0.0.60")
        assert home.log_in().status == 302
        secret, codes = switch_on(home)
        forget_used(site)
        wrong = next(
            f"{n:06d}" for n in range(9) if f"{n:06d}" not in {code_now(secret, step) for step in range(-2, 9)}
        )
        statuses = []
        for n in range(12):
            guesser, half = with_password(site, f"127.0.1.{n}")
            statuses.append(answer(guesser, half, wrong).status)

        assert statuses == [200] * 8 + [429] * 4
        assert log_in(site, code_now(secret), source="127.0.1.70") == 429, "an unknown browser has to wait"
        assert log_in(site, codes[0], source="127.0.1.70") == 302, "a recovery code works all the same"
        assert log_in(site, code_now(secret), source="127.0.0.60") == 302, "so does the app where the owner is known"
        assert Visitor(site.port, source="127.0.1.71").log_in("ben").status == 302
    logged = capfd.readouterr().err
    assert '"review_second_factor_failed"' in logged
    assert '"review_second_factor_throttled"' in logged
    for hidden in (secret, f'"{wrong}"', codes[0], codes[0].replace(" ", ""), PASSWORD):
        assert hidden not in logged


def test_owner_takes_it_off_for_who_is_locked_out(site: Site) -> None:
    """On the page of accounts; a viewer cannot do so for an owner."""
    ben = Visitor(site.port, source="127.0.0.56")
    ben.log_in("ben")
    switch_on(ben)
    switch_on(site.visitor())
    assert asked_again(ben).post(f"{PEOPLE}1/", {"change": "no-second-factor"}).status == 403
    owner = asked_again(site.visitor())

    assert "Take the second factor of ben off" in owner.get(PEOPLE).text
    assert owner.post(f"{PEOPLE}2/", {"change": "no-second-factor"}).status == 302
    assert "Take the second factor of ben off" not in owner.get(PEOPLE).text
    assert Visitor(site.port, source="127.0.0.57").log_in("ben").status == 302
    assert Visitor(site.port, source="127.0.0.57").log_in().status == 200


def test_command_takes_it_off(site: Site, tmp_path: Path) -> None:
    """For the only owner, on the machine itself, while the site runs."""
    switch_on(site.visitor())
    file = tmp_path / "config.toml"
    file.write_text(f'[review]\ndata_dir = "{tmp_path / "review"}"\n')
    words = [sys.executable, "-m", "camalert", "review-user", NAME, "--no-second-factor", "--config", str(file)]

    ran = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60, cwd=ROOT)

    assert ran.returncode == 0, ran.stderr
    assert "logs in with the password alone" in ran.stdout
    assert Visitor(site.port, source="127.0.0.58").log_in().status == 302


def test_it_is_switched_on_and_off_after_the_password_alone(site: Site) -> None:
    """A session left open changes nothing; a wrong code switches nothing on; off is off."""
    visitor = Visitor(site.port)
    visitor.log_in("ben")
    for path in ("", "on/", "off/", "codes/"):
        found = visitor.get(PAGE) if not path else visitor.post(f"{PAGE}{path}", {"code": "123456"})
        assert found.headers["Location"].startswith("/account/confirm/"), path
    first = asked_again(visitor).get(PAGE)
    assert first.headers["Cache-Control"] == "no-store"
    assert visitor.post(f"{PAGE}on/", {"code": "12345"}, page=PAGE).status == 422
    assert Visitor(site.port).log_in("ben").status == 302

    switch_on(visitor)
    assert 'class="token"' not in visitor.get(PAGE).text
    assert visitor.post(f"{PAGE}off/", {}, page=PAGE).status == 302
    assert Visitor(site.port).log_in("ben").status == 302


def test_note_of_a_right_password_holds_for_it_alone(site: Site) -> None:
    """A forged note opens nothing; a real one ends with the password that it speaks of."""
    ben = Visitor(site.port, source="127.0.0.59")
    ben.log_in("ben")
    secret, codes = switch_on(ben)
    forget_used(site)
    guest, half = with_password(site, "127.0.0.61", "ben")
    for forged in ("", "x", half[:-2] + "AA", half.replace(":", "")):
        assert answer(guest, forged, code_now(secret)).headers["Location"] == "/login/"
    new = {"old_password": PASSWORD, "new_password1": "another horse 10", "new_password2": "another horse 10"}
    assert ben.post("/account/password/", new).status == 302

    assert answer(guest, half, codes[0]).headers["Location"] == "/login/"
    assert not is_in(guest)
    assert guest.get("/login/code/").headers["Location"] == "/login/"
