"""The pages in another language on a phone: nothing is cut off or wider than the screen, and drawings stay drawings."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

pytest.importorskip("selenium", reason="`make test-browser` installs it")

from testing.chromium import Browser, House

PAGES = (
    "/", "/people/", "/alarms/", "/cameras/", "/cameras/known/", "/cameras/set-up/", "/notifications/", "/figures/",
    "/status/", "/account/", "/account/people/", "/settings/", "/bin/", "/kept/", "/app/", "/backup/",
)  # fmt: skip
# Return what is wider than its place: not what scrolls by itself, nor what only a screen reader gets.
CUT = """
const found = [];
for (const more of document.querySelectorAll("details")) more.open = !more.matches(".calendar");
const wide = document.documentElement.scrollWidth;
if (wide > innerWidth) found.push(`the page is ${wide} px wide`);
const isScroller = (each) => ["auto", "scroll"].includes(getComputedStyle(each).overflowX);
const scrolls = (each) => each !== null && (isScroller(each) || scrolls(each.parentElement));
for (const each of document.querySelectorAll("button, a.button, .badge, summary, label, th, h1, h2, nav a")) {
  const box = each.getBoundingClientRect();
  const isSeen = box.width && each.clientWidth && each.checkVisibility();
  if (!isSeen || each.closest(".unseen, .scroll, .skip, pre, svg, .over")) continue;
  const words = `${each.tagName} ${each.textContent.trim().slice(0, 40)}`;
  if (each.scrollWidth > each.clientWidth + 1) found.push(`${words}: ${each.scrollWidth} in ${each.clientWidth}`);
  const isOut = box.right > innerWidth + 1 || box.left < -1;
  if (isOut && !scrolls(each.parentElement)) found.push(`${words} ends at ${Math.round(box.right)}`);
}
const drawn = ["x", "y", "width", "height", "transform"];
for (const each of document.querySelectorAll("svg *")) {
  for (const { name, value } of each.attributes) {
    if (drawn.includes(name) && /[0-9],[0-9]/.test(value)) found.push(`${name}="${value}"`);
  }
}
return found;
"""
HEADING = r"(Montag|Dienstag|Mittwoch|Donnerstag|Freitag|Samstag|Sonntag), [0-9]{1,2}\. [A-Z]"


OTHERS = ("fr", "es", "it", "nl", "pt")


def choose(person: Browser, language: str) -> None:
    """Choose the language on the account page."""
    person.open("/account/")
    person.script(f"document.getElementById('language').value = '{language}'")
    person.one("form[action$='/account/language/'] button").click()
    person.wait(lambda: person.script("return document.documentElement.lang") == (language or "en"), "the language")


# German's words are the longest; the others by `pytest -m full`.
@pytest.mark.parametrize("language", ["de", *(pytest.param(other, marks=pytest.mark.full) for other in OTHERS)])
def test_nothing_is_cut_off_on_a_phone(house: House, browser: Callable[..., Browser], language: str) -> None:
    """Every page is looked at with what the household sent."""
    person = browser(390, 844)
    try:
        choose(person, language)
        wrong = {}
        for page in PAGES:
            person.open(page)
            if found := person.script(CUT):
                wrong[page] = found
            person.photograph(f"{language}-390{page.replace('/', '-').rstrip('-')}")
        assert wrong == {}
    finally:
        choose(person, "")


def test_words_dates_and_messages_are_of_the_language(house: House, browser: Callable[..., Browser]) -> None:
    """The menu, the days' headings, a script's message: all German, after a choice that stays with the person."""
    person = browser(1280, 900)
    try:
        choose(person, "de")
        person.open("/?review=all")
        assert person.one("nav a[aria-current]").text.startswith("Personen")
        assert re.search(
            r"(Montag|Dienstag|Mittwoch|Donnerstag|Freitag|Samstag|Sonntag), [0-9]{1,2}\. [A-Z]",
            person.one(".day h2").text,
        )
        assert person.script("return gettext('Undo')") == "Rückgängig"
        other = browser(390, 844)
        other.open("/status/")
        assert other.one("h1").text == "Status"
        assert other.script("return document.documentElement.lang") == "de"
    finally:
        choose(person, "")
