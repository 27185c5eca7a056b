"""Accounts on the site, by their owners: a second factor taken up on a phone, and a session ended from elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

pytest.importorskip("selenium", reason="`make test-browser` installs it")

from testing.chromium import Browser, House
from testing.reviewrig import PASSWORD

from camalert.review import totp

MakeBrowser = Callable[..., Browser]
SIZES = pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)], ids=["desk", "phone"])


def type_into(person: Browser, **fields: str) -> None:
    for name, text in fields.items():
        person.one(f"main [name={name}]").send_keys(text)


def click(person: Browser, selector: str) -> None:
    person.script("arguments[0].scrollIntoView({block: 'center'}); arguments[0].click()", person.one(selector))


def confirm(person: Browser) -> None:
    """Give the password once more, where a page asks for it."""
    type_into(person, password=PASSWORD)
    click(person, "main .buttons button")


def fits(person: Browser) -> bool:
    return bool(person.script("return document.documentElement.scrollWidth <= innerWidth"))


def barriers(person: Browser, axe: str) -> list[object]:
    person.script(axe)
    found: list[object] = person.driver.execute_async_script(
        "const done = arguments[0]; axe.run({resultTypes: ['violations']}).then(r => done(r.violations.map("
        "v => [v.id, v.nodes.map(n => n.target.join(' '))])))"
    )
    return found


def log_in_by_form(person: Browser, name: str) -> None:
    person.open("/login/")
    type_into(person, username=name, password=PASSWORD)
    click(person, "main .buttons button")


@SIZES
def test_second_factor_and_sessions(browser: MakeBrowser, width: int, height: int) -> None:
    """An owner adds somebody, who takes up a second factor and logs in with it; then the owner ends that session."""
    name = f"ben-{width}"
    owner = browser(width, height)
    owner.open("/account/people/")
    confirm(owner)
    owner.one("#person-role")
    type_into(owner, username=name)
    owner.one("#person-password").send_keys(PASSWORD)
    click(owner, "form[action$='/put/'] button")
    owner.wait(lambda: f"{name} can log in" in owner.one("body").text, "the new account")

    guest = browser(width, height, is_logged_in=False)
    log_in_by_form(guest, name)
    guest.one("#to-review")
    guest.open("/account/second-factor/")
    confirm(guest)
    secret = guest.one(".token").text.replace(" ", "")
    assert fits(guest)
    guest.photograph(f"second-factor-{width}")
    type_into(guest, code=totp.code_at(secret, int(time.time() // totp.STEP_S)))
    click(guest, "form[action$='/on/'] button")
    codes = guest.one(".codes").text.splitlines()
    assert len(codes) == 10
    guest.open("/account/")
    click(guest, "form[action$='/logout/'] button")
    guest.one("#id_username")
    log_in_by_form(guest, name)
    guest.one("#id_code")
    assert fits(guest)
    type_into(guest, code=codes[0])
    click(guest, "main .buttons button")
    guest.one("#to-review")
    guest.open("/account/")
    guest.wait(lambda: "this browser" in guest.one("body").text, "the list of sessions")
    assert fits(guest)

    owner.open("/account/people/")
    owner.script("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert fits(owner)
    owner.photograph(f"people-{width}")
    click(owner, f"[aria-label='End all sessions of {name}']")
    owner.wait(lambda: "has ended" in owner.one("body").text, "the end of the session")
    guest.open("/account/")
    guest.one("#id_username")
    owner.open("/account/people/")
    click(owner, f"[aria-label='Remove {name}']")
    owner.wait(lambda: f"{name} is removed" in owner.one("body").text, "the end of the account")


def test_pages_of_accounts_have_no_barriers(house: House, browser: MakeBrowser, axe: str) -> None:
    """Labels, names, contrast, order: axe-core finds nothing on the pages behind the second asking for a password."""
    for is_dark in (False, True):
        person = browser(390, 844, is_dark=is_dark)
        person.open("/account/people/")
        confirm(person)
        person.one("#person-role")
        assert barriers(person, axe) == []
        for path in ("/account/second-factor/", "/account/"):
            person.open(path)
            person.one("h1")
            assert barriers(person, axe) == []
