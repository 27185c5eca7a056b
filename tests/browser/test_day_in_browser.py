"""The day at a glance, the calendar, the scrubber and the search, with mouse, keys and fingers."""

from __future__ import annotations

from collections.abc import Callable

import pytest

pytest.importorskip("selenium", reason="`make test-browser` installs it")

from selenium.webdriver.common.keys import Keys
from testing.chromium import Browser

MakeBrowser = Callable[..., Browser]
SIZES = [(1440, 900, False), (390, 844, True)]
FOCUSED = "return document.activeElement.closest('[data-timestamp]')?.dataset.timestamp ?? ''"
HEADING = "return document.querySelector('#glance h2').textContent"
IN_VIEW = "const r = document.activeElement.getBoundingClientRect(); return r.top >= 0 && r.bottom <= innerHeight"


def barriers(person: Browser, axe: str) -> list[str]:
    """Return what axe finds on the page."""
    person.script(axe)
    found: list[str] = person.driver.execute_async_script(
        "axe.run(document, {resultTypes: ['violations']}).then(r => arguments[0](r.violations.map(v =>"
        " v.id + ': ' + v.nodes.map(n => n.html.slice(0, 200)).join(' '))))"
    )
    return found


def hour_after(since: str) -> str:
    """Return where the hour ends that begins at a moment, to compare with."""
    return f"{since[:11]}{int(since[11:13]) + 1:02}"


@pytest.mark.parametrize(("width", "height", "is_dark"), SIZES)
def test_a_click_in_the_strip_leads_to_the_hour(
    browser: MakeBrowser,
    width: int,
    height: int,
    is_dark: bool,
) -> None:
    """In the page where it is loaded, and by its address where it is not."""
    person = browser(width, height, is_dark=is_dark)
    person.open("/alarms/")
    person.one(".hours a[tabindex='0']")
    if not person.all(".hours a"):
        pytest.skip("the household was quiet since midnight")
    loaded = min(person.script("return [...document.querySelectorAll('.shot')].map(s => s.dataset.timestamp)"))
    hours = person.script("return [...document.querySelectorAll('.hours a')].map(a => a.dataset.since)")
    since = min(hour for hour in hours if hour > loaded)  # the list has all of its pictures
    until = hour_after(since)
    person.photograph(f"day-{width}")

    person.script("arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true, cancelable: true}))",
                  person.one(f".hours a[data-since='{since}']"))  # fmt: skip

    stamp = person.wait(lambda: person.script(FOCUSED), "a picture with the focus")
    assert since <= stamp < until
    assert person.script(IN_VIEW)

    person.script("scrollTo(0, 0)")
    person.one("#glance [rel=prev]").click()
    person.wait(lambda: "Yesterday" in person.script(HEADING), "yesterday's strip")
    assert person.script("return location.search") == ""
    assert person.script("return document.documentElement.scrollWidth <= innerWidth")


def test_keys_walk_through_the_strip(browser: MakeBrowser) -> None:
    """One stop for Tab, arrows from hour to hour and camera to camera, Enter leads there; / begins a search."""
    person = browser()
    person.open("/alarms/")
    person.one("#glance [rel=prev]").click()
    person.wait(lambda: "Yesterday" in person.script(HEADING), "a whole day")
    assert len(person.all(".hours a[tabindex='0']")) == 1
    person.script("document.querySelector('.hours a[tabindex=\"0\"]').focus()")
    begin = person.script(
        "return document.activeElement.dataset.since + document.activeElement.closest('svg').dataset.camera"
    )

    for key in (Keys.ARROW_RIGHT, Keys.ARROW_DOWN):
        person.press(key)
        now = person.script(
            "return document.activeElement.dataset.since + document.activeElement.closest('svg').dataset.camera"
        )
        assert now != begin
        begin = now
    since = person.script("return document.activeElement.dataset.since")
    until = hour_after(since)
    person.press(Keys.ENTER)
    person.wait(lambda: since <= person.script(FOCUSED) < until or "until=" in person.driver.current_url, "the hour")

    person.press("/")
    assert person.script("return document.activeElement.id") == "search"


@pytest.mark.parametrize(("width", "height", "is_dark"), SIZES)
def test_calendar_leads_to_a_day(
    browser: MakeBrowser,
    width: int,
    height: int,
    is_dark: bool,
) -> None:
    """A day with people is a click away; Esc closes the calendar."""
    person = browser(width, height, is_dark=is_dark)
    person.open("/alarms/")
    person.one(".calendar summary").click()
    person.photograph(f"calendar-{width}")
    person.press(Keys.ESCAPE)
    assert not person.all(".calendar[open]")
    person.one(".calendar summary").click()
    day = person.script("return document.querySelector('.calendar td a').dataset.day")

    person.script("document.querySelector('.calendar td a').click()")

    person.wait(lambda: person.script("return document.readyState") == "complete" and person.all(".shot"), "the list")
    first = person.wait(lambda: person.script(FOCUSED) or person.one(".shot").get_attribute("data-timestamp"), "a day")
    assert first[:10] == day


def test_scrubber_leads_far_back(browser: MakeBrowser) -> None:
    """A finger at its lower end leads to the oldest day; by keys the months are links."""
    person = browser(390, 844)
    person.open("/alarms/")
    bar = person.one(".scrubber")
    days = person.script("return fetch(document.getElementById('glance').dataset.days + '?list=alarms')"
                         ".then(r => r.json()).then(r => r.days)")  # fmt: skip
    person.script("scrollTo(0, 900)")
    person.wait(lambda: "shown" in bar.get_attribute("class"), "the scrubber")
    box = person.script(
        "const r = arguments[0].getBoundingClientRect(); return [r.left + 10, r.top + 5, r.bottom - 1]", bar
    )
    for kind, y in (("touchStart", box[1]), ("touchMove", box[2] - 40), ("touchMove", box[2])):
        person.tell("Input.dispatchTouchEvent", type=kind, touchPoints=[{"x": box[0], "y": y}])
    assert person.one(".bubble").text
    person.photograph("scrubber-390")
    person.tell("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    person.wait(lambda: "until=" in person.driver.current_url, "the oldest day")
    person.wait(lambda: person.all(".shot"), "its pictures")
    assert person.one(".shot").get_attribute("data-timestamp")[:10] == days[-1]


@pytest.mark.parametrize(("width", "height", "is_dark"), SIZES)
def test_search_in_words(
    browser: MakeBrowser,
    axe: str,
    width: int,
    height: int,
    is_dark: bool,
) -> None:
    """What is typed becomes filters, which are said, and which one click takes away."""
    person = browser(width, height, is_dark=is_dark)
    person.open("/alarms/")
    person.one("#search").send_keys("garage last 30 days motion", Keys.ENTER)

    person.wait(lambda: person.all("#shown"), "what is shown")
    assert person.one("#shown").text.startswith("Shows: Garage, since ")
    assert {each.text for each in person.all(".event h3")} == {"Garage"}
    person.photograph(f"search-{width}")
    assert barriers(person, axe) == []
    person.one("#shown .clear").click()
    person.wait(lambda: not person.all("#shown"), "everything")


@pytest.mark.parametrize(("width", "height", "is_dark"), [*SIZES, (1440, 900, True)])
def test_figures_are_readable(
    browser: MakeBrowser,
    axe: str,
    width: int,
    height: int,
    is_dark: bool,
) -> None:
    """Charts with a table each, no barrier, and nothing wider than the screen."""
    person = browser(width, height, is_dark=is_dark)
    person.open("/figures/")

    assert "less to look at" in person.one(".large").text
    assert len(person.all(".figure details")) >= 2
    assert person.script("return document.documentElement.scrollWidth <= innerWidth")
    person.script("for (const d of document.querySelectorAll('.figure details')) d.open = true")
    person.photograph(f"figures-{width}-{'dark' if is_dark else 'light'}")
    assert barriers(person, axe) == []
