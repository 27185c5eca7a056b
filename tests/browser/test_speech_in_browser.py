"""The site without a mouse and without eyes: keys alone, and what a screen reader is given to say."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytest.importorskip("selenium", reason="`make test-browser` installs it")

from selenium.webdriver.common.keys import Keys
from testing.chromium import Browser

MakeBrowser = Callable[..., Browser]
# What somebody can act on: each says what it is.
ACTIVE = frozenset(
    ("button", "checkbox", "combobox", "link", "searchbox", "slider", "spinbutton", "textbox", "DisclosureTriangle")
)


def spoken(person: Browser) -> list[tuple[str, str]]:
    """Return role and name of all that the browser gives to a screen reader."""
    nodes = person.tell("Accessibility.getFullAXTree")["nodes"]
    return [
        (node["role"]["value"], node.get("name", {}).get("value", "").strip())
        for node in nodes
        if not node["ignored"] and "role" in node
    ]


def is_named(found: list[tuple[str, str]]) -> bool:
    """Tell whether all that one can act on has a name."""
    return [role for role, name in found if role in ACTIVE and not name] == []


@pytest.mark.parametrize("width", [1440, 390])
def test_visit_is_looked_at_and_left_by_keys(browser: MakeBrowser, width: int) -> None:
    """From the list into a visit, into its picture, and back to where one was; each step is said."""
    person = browser(width, 900)
    person.open("/?review=all")
    person.one(".shot")
    found = spoken(person)
    assert is_named(found)
    assert ("heading", "People") in found
    assert [name for role, name in found if role == "link" and "picture" in name]

    person.press(Keys.ARROW_RIGHT)
    first = person.script("return document.activeElement.getAttribute('aria-label')")
    assert first in [name for role, name in found if role == "link"]
    person.press(Keys.ENTER)
    person.one("#visit")
    person.wait(lambda: person.script("return document.readyState === 'complete'"), "its scripts")
    person.press("f")
    person.one("dialog.light[open]")
    found = spoken(person)
    assert is_named(found)
    assert [name for role, name in found if role == "image" and first.split(",")[0] in name]
    person.press("+")
    person.one(".light.zoomed")
    person.press(Keys.ESCAPE)
    person.wait(lambda: not person.all("dialog[open]"), "the visit")
    person.press(Keys.ESCAPE)
    person.one("#days")
    same = "return document.activeElement.getAttribute('aria-label')"
    assert person.wait(lambda: person.script(same) == first, "the place in the list")


def test_area_is_drawn_and_moved_by_keys(browser: MakeBrowser) -> None:
    """Each corner says where it is, and what the area would have meant is said when it moves."""
    person = browser(1440, 900)
    person.open("/cameras/Garage/")
    person.wait(lambda: "pictures" in person.one("#sentence").text, "what the settings mean")
    assert is_named(spoken(person))

    person.script("document.getElementById('add-ignore').focus()")
    person.press(Keys.ENTER)
    corner = "return document.activeElement.getAttribute('aria-label')"
    before = person.wait(lambda: "Corner 1" in (person.script(corner) or "") and person.script(corner), "a corner")
    person.press(Keys.ARROW_LEFT)
    assert person.wait(lambda: person.script(corner) != before, "the corner's new place")

    found = spoken(person)
    assert is_named(found)
    assert ("button", person.script(corner)) in found
    assert ("slider", "Smallest person") in found
