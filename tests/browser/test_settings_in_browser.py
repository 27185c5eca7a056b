"""Settings by mouse, touch and keys: cameras, set-up, notifications."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("selenium", reason="`make test-browser` installs it")

from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys
from testing.chromium import Browser, House
from testing.receivers import http_receiver
from testing.waiting import until

MakeBrowser = Callable[..., Browser]
CAMERA = "/cameras/Garage/"


def _sentence(person: Browser) -> str:
    return str(person.one("#sentence").text)


def _wait_for_other_sentence(person: Browser, before: str) -> str:
    person.wait(lambda: _sentence(person) not in (before, "…"), f"another sentence than {before!r}")
    return _sentence(person)


def _open_camera(person: Browser) -> str:
    person.open(CAMERA)
    return _wait_for_other_sentence(person, "…")


def test_threshold_says_at_once_what_it_would_have_meant(browser: MakeBrowser) -> None:
    """A higher one shows the pictures that go; nothing is changed before "Use these"."""
    person = browser(1440, 900)
    before = _open_camera(person)
    assert before.startswith("Nothing changes")

    person.script("const r = document.getElementById('threshold'); r.value = 90;"
                  "r.dispatchEvent(new Event('input', {bubbles: true}))")  # fmt: skip

    after = _wait_for_other_sentence(person, before)
    assert "instead of" in after
    assert person.all("#examples .examples a")
    person.one("#reset").click()
    person.wait(lambda: _sentence(person) == before, "the first sentence again")


def test_area_is_drawn_by_keys_alone(browser: MakeBrowser) -> None:
    """A corner is moved, added and removed without a mouse; everything stays on the picture."""
    person = browser(1440, 900)
    _open_camera(person)
    person.one("#add-ignore").send_keys(Keys.ENTER)
    corner = person.driver.switch_to.active_element
    assert "Corner 1" in corner.get_attribute("aria-label")

    corner.send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.SHIFT + Keys.ARROW_UP)
    assert "23 % across, 30 % down" in person.driver.switch_to.active_element.get_attribute("aria-label")
    person.driver.switch_to.active_element.send_keys("+")
    assert len(person.all(".handle.corner")) == 5
    person.driver.switch_to.active_element.send_keys(Keys.DELETE)
    assert len(person.all(".handle.corner")) == 4
    for _ in range(40):
        person.driver.switch_to.active_element.send_keys(Keys.SHIFT + Keys.ARROW_RIGHT)
    assert "100 % across" in person.driver.switch_to.active_element.get_attribute("aria-label")


@pytest.mark.parametrize("width", [1440, 390])
def test_area_and_height_are_dragged(browser: MakeBrowser, width: int) -> None:
    """A pointer moves corners, whole areas and the measures of a person."""
    person = browser(width, 900)
    _open_camera(person)
    person.script("document.getElementById('add-ignore').click();"
                  "document.getElementById('drawing').scrollIntoView({block: 'center'})")  # fmt: skip
    before = _points(person)

    _drag(person, ".handle.corner", 30, 20)
    moved = _points(person)
    assert moved[0] != before[0]
    assert moved[1:] == before[1:]

    _drag(person, ".handle.between", 0, 25)
    assert len(_points(person)) == 5

    _drag(person, ".handle.measure", 0, -60)
    assert int(person.one("#min").get_attribute("value")) > 5


def _points(person: Browser) -> Any:
    return person.script(
        "return [...document.querySelectorAll('.handle.corner')].map(h => [h.style.left, h.style.top].join())"
    )


def _drag(person: Browser, selector: str, right: int, down: int) -> None:
    handle = person.one(selector)
    ActionChains(person.driver).click_and_hold(handle).move_by_offset(right, down).release().perform()


def test_settings_are_used_and_taken_back(browser: MakeBrowser, house: House) -> None:
    """They are in force a moment later, as the page says; Undo in the toast takes them back."""
    changes = house.changes()
    person = browser(1440, 900)
    _open_camera(person)
    person.script("const r = document.getElementById('threshold'); r.value = 80;"
                  "r.dispatchEvent(new Event('input', {bubbles: true}))")  # fmt: skip
    person.one("#use").click()

    undo = person.wait(lambda: person.all("#toast button"), "the toast with Undo")[0]
    assert (
        "80" in (house.service.folder / "review" / "settings.toml").read_text()
        or "0.8" in (house.service.folder / "review" / "settings.toml").read_text()
    )
    undo.click()
    person.wait(
        lambda: "Garage" not in (house.service.folder / "review" / "settings.toml").read_text(), "what was before"
    )
    person.wait(
        lambda: person.script("return document.getElementById('sentence').textContent") != "…", "the page again"
    )
    house.wait_settled(changes + 2)
    person.driver.get_log("browser")  # the site was away: the browser complains, and the page has said it


def test_camera_is_set_up_by_make_and_seen_to_work(browser: MakeBrowser, house: House) -> None:
    """The make's own words; what the camera then does appears by itself; a failure stays on top."""
    person = browser(390, 844)
    person.open("/cameras/set-up/")
    person.script("const s = document.getElementById('brand'); s.value = 'dahua';"
                  "s.dispatchEvent(new Event('change', {bubbles: true}))")  # fmt: skip
    person.wait(lambda: "brand=dahua" in person.driver.current_url, "the make in the address")
    assert "Anonymity" in person.one(".fields-table").text
    person.one(".copy").click()
    person.wait(lambda: "Copied" in person.one("#toast").text, "the words that it was copied")

    house.alarm("Your IPCamera:Porch detected motion")

    person.wait(lambda: "Porch delivered, 1 picture" in person.one(".watch").text, "the camera's success")
    assert ": works" in person.one(".watch .good").text


def test_camera_is_renamed_on_its_page(browser: MakeBrowser, house: House) -> None:
    """Its pictures and its page follow the new name."""
    house.alarm("Your IPCamera:Cellar detected motion")
    person = browser(1440, 900)
    person.wait(lambda: person.open("/cameras/Cellar/") or person.all("#new-name"), "the camera's page")
    person.one("#new-name").clear()
    person.one("#new-name").send_keys("Wine cellar", Keys.ENTER)

    person.wait(lambda: "Wine%20cellar" in person.driver.current_url, "the page under the new name")
    assert "Wine cellar" in person.one("h1").text
    assert person.all("#last")


def test_target_is_added_tested_and_removed(browser: MakeBrowser, house: House) -> None:
    """By a form; the test goes the way of all messages, and its answer is shown; the address never again."""
    changes = house.changes()
    person = browser(390, 844)
    with http_receiver() as receiver:
        person.open("/notifications/")
        form = "form.target[data-name='']"
        person.one(f"{form} [name=name]").send_keys("hook")
        person.script("arguments[0].value = 'webhook'; arguments[0].dispatchEvent(new Event('change'))",
                      person.one(f"{form} [name=kind]"))  # fmt: skip
        person.one(f"{form} [data-part=address]").send_keys(receiver.url("http", "/secret-path"))
        cell = person.one(f"{form} .week button[aria-label='Mon 8:00']")
        person.script("arguments[0].focus()", cell)
        cell.send_keys(Keys.ENTER, Keys.ARROW_RIGHT)
        person.driver.switch_to.active_element.send_keys(Keys.ENTER)
        assert person.one(f"{form} .hours-said").text == "Only Mon 08:00-10:00"
        person.script("document.querySelector(\"form.target[data-name=''] button[type=submit]\").click()")

        card = "[data-target=hook]"
        until(lambda: person.all(f"{card} .test"), "the new target", 90.0)
        house.wait_settled(changes + 1)
        assert "secret-path" not in person.driver.page_source
        person.script("document.querySelector('[data-target=hook] .test').click()")
        person.wait(lambda: person.one(f"{card} .tested").text.startswith("Sent"), "the answer")
        assert b"messages arrive here" in receiver.requests[-1].body

        receiver.answers[:] = [(410, {})]
        person.script("document.querySelector('[data-target=hook] .test').click()")
        person.wait(lambda: "Not sent" in person.one(f"{card} .tested").text, "why it was not sent")
        assert person.all(".switches") or person.open("/status/") is None
        person.one(".switches")

    person.open("/notifications/")
    person.script("document.querySelector('[data-target=hook] .remove').click()")
    until(lambda: not person.all(card), "that it is gone", 90.0)
    house.wait_settled(changes + 2)
    person.driver.get_log("browser")  # the site was away: the browser complains, and the page has said it
