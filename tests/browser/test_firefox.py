"""The main flows in Firefox: what another engine makes of the same pages, on a desk and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("selenium", reason="`make test-firefox` installs what drives a browser")

from testing.chromium import House
from testing.firefox import Firefox, MakeFirefox, program
from testing.reviewrig import NAME, PASSWORD

pytestmark = pytest.mark.skipif(not program(), reason="Firefox is not installed: apt-get install firefox-esr")

SIZES = {"desk": (1440, 900), "phone": (390, 844)}
PAGES = (
    "/", "/people/", "/alarms/", "/cameras/", "/cameras/Garage/", "/cameras/set-up/", "/notifications/", "/figures/",
    "/status/", "/account/", "/settings/", "/bin/", "/kept/", "/app/",
)  # fmt: skip


@pytest.fixture
def firefox(house: House, tmp_path: Path) -> Iterator[MakeFirefox]:
    """Make browsers that are closed at the end; none of them may have complained."""
    made: list[Firefox] = []
    house.wait_settled()

    def make(size: str = "desk", *, is_dark: bool = False, is_logged_in: bool = True) -> Firefox:
        made.append(Firefox(house, tmp_path / f"firefox-{len(made)}", *SIZES[size], is_dark=is_dark))
        if is_logged_in:
            made[-1].log_in()
        return made[-1]

    yield make
    complaints = [words for each in made for words in each.complaints()]
    for each in made:
        each.close()
    assert complaints == []


@pytest.mark.parametrize("size", SIZES)
def test_review_in_firefox(house: House, firefox: MakeFirefox, size: str) -> None:
    """Log in, look at a visit, zoom its picture, mark it reviewed, take that back; one that comes appears."""
    person = firefox(size, is_logged_in=False)
    person.open("/login/")
    person.script("document.getElementById('id_username').focus()")
    person.press(NAME, "Tab", PASSWORD, "Enter")
    person.wait("document.querySelectorAll('.visit').length > 1", "the visits")
    first = person.script("return document.querySelector('.shot').dataset.id")
    count = "document.getElementById('to-review')?.textContent"
    before = person.script(f"return {count}")

    house.alarm(f"Your IPCamera:Cellar {size} detected motion")
    new = person.wait(
        f"document.querySelector('.shot').dataset.id !== '{first}' && document.querySelector('.shot').dataset.id",
        "the new visit",
    )
    person.photograph(f"firefox-visits-{size}")
    person.wait(f"{count} !== '{before}'", "the count in the menu")
    marked = person.script(f"return {count}")

    person.click(f"#visits-{new} .open")
    person.click("#picture .whole")
    person.wait("document.querySelector('dialog.light[open]') !== null", "the light box")
    person.press("+")
    person.wait("document.querySelector('.light.zoomed') !== null", "the zoomed picture")
    person.press("Escape")
    person.wait("document.querySelector('dialog.light[open]') === null", "the page again")
    person.click("#reviewed")
    person.wait("document.getElementById('toast')?.textContent.includes('eviewed')", "what was done")
    person.wait(f"{count} !== '{marked}'", "one less to review")
    person.click("#toast button")
    person.wait(f"{count} === '{marked}'", "as it was")


@pytest.mark.parametrize("size", SIZES)
def test_every_page_in_firefox(firefox: MakeFirefox, size: str) -> None:
    """Nothing leaves the screen at its side, no script fails, and the dark palette follows the system."""
    person = firefox(size, is_dark=True)
    beyond = []
    for path in PAGES:
        person.open(path)
        person.wait("document.readyState === 'complete'", path)
        if person.script("return document.documentElement.scrollWidth > innerWidth"):
            beyond.append(path)
        if path in ("/", "/cameras/Garage/", "/notifications/"):
            person.photograph(f"firefox-{path.strip('/').replace('/', '-') or 'inbox'}-{size}-dark")

    assert beyond == []
    assert person.script("return document.documentElement.dataset.theme") == "dark"


def test_camera_in_firefox(firefox: MakeFirefox) -> None:
    """What another threshold would have meant is said at once, and an area is drawn and moved by keys."""
    person = firefox()
    person.open("/cameras/Garage/")
    sentence = "document.getElementById('sentence').textContent"
    before = person.wait(f"{sentence}.includes('pictures') && {sentence}", "what it means now")

    person.click("#own-threshold")
    person.script("const t = document.getElementById('threshold'); t.value = 90;"
                  "t.dispatchEvent(new Event('input', { bubbles: true }))")  # fmt: skip
    person.wait(f"{sentence}.includes('pictures') && {sentence} !== {before!r}", "what it would have meant")
    person.photograph("firefox-camera")
