"""The inbox as its owner uses it: visit after visit, by keys, by mouse and with a thumb; pictures and clips in full."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("selenium", reason="`make test-browser` installs it")

from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys
from testing.chromium import ASTRONAUT, Browser, House
from testing.waiting import until

MakeBrowser = Callable[..., Browser]
SIZES = pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
LIST_BYTES = 60_000  # of a first page, before its pictures
FOCUSED = "return document.activeElement?.closest('.shot')?.dataset.id"
SCALE = "return Number(document.querySelector('dialog.light').dataset.scale)"


def _to_review(person: Browser) -> int:
    return int(person.script("return document.getElementById('to-review').textContent") or 0)


def _inbox(person: Browser, query: str = "") -> list[int]:
    """Open the list and return its visits."""
    person.open(f"/{query}")
    person.one(".visit")
    return person.ids()


def _make_clip(folder: Path, name: str, codec: str) -> bytes:
    """Return a clip of six seconds into which somebody comes after two."""
    path = folder / name
    person = cv2.resize(cv2.imread(str(ASTRONAUT)), (400, 400))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 10, (640, 480))
    assert writer.isOpened()
    for number in range(60):
        frame = np.full((480, 640, 3), 60, np.uint8)
        if number >= 20:
            left = min(240, (number - 20) * 9)
            frame[40:440, left : left + 400] = person
        writer.write(frame)
    writer.release()
    return path.read_bytes()


def _send_clip(house: House, clip: bytes, camera: str) -> int:
    """Let a camera send a clip, wait for its verdict, and return its visit."""
    code, words = house.service.send([clip], f"Your IPCamera:{camera} detected motion")
    assert code == 250, words
    query = "SELECT max(visit) FROM camalert_alert WHERE camera = ? AND clip IS NOT NULL"
    return int(until(lambda: house.service.query(query, camera)[0][0], "the clip's verdict", 120.0))


@SIZES
def test_reviewed_and_next(browser: MakeBrowser, width: int, height: int) -> None:
    """`r` takes a visit out of the list and leads to the next; menu and title count down; Undo puts it back."""
    person = browser(width, height)
    first, second, third, *_ = _inbox(person)
    count = _to_review(person)
    assert person.driver.title.startswith(f"({count}) People")
    assert "icon-new" in person.script("return document.getElementById('icon').href")

    person.script(f"document.querySelector('#visits-{first} .open').focus()")
    person.press("r")
    person.wait(lambda: person.script(FOCUSED) == str(second), "the next visit")
    person.press("r")
    person.wait(lambda: person.script(FOCUSED) == str(third), "the one after it")

    assert not {first, second} & set(person.ids())
    person.wait(lambda: _to_review(person) == count - 2, "the count in the menu")
    assert person.driver.title.startswith(f"({count - 2}) People")
    assert "1 visit marked as reviewed." in person.one("#toast").text
    person.photograph(f"inbox-reviewed-{width}")
    person.one("#toast button").click()
    person.wait(lambda: person.script(FOCUSED) == str(second), "the visit that came back")
    assert person.ids()[0] == second
    person.wait(lambda: _to_review(person) == count - 1, "the count in the menu")
    person.driver.refresh()
    person.one(".visit")
    assert person.ids()[0] == second


@SIZES
def test_many_visits_at_once(browser: MakeBrowser, width: int, height: int) -> None:
    """A day by its tick, everything by Ctrl and A, a false alarm by one button, and all of it taken back."""
    person = browser(width, height)
    before = _inbox(person)
    day = person.one(".day")
    own = [int(row_id) for row_id in person.script(
        "return [...arguments[0].querySelectorAll('.shot')].map(s => s.dataset.id)", day)]  # fmt: skip
    chosen = "return document.querySelectorAll('.shot input:checked').length"

    person.script("arguments[0].click()", day.find_element("css selector", ".pick-all input"))
    assert person.script(chosen) == len(own)
    assert person.one("#count").text == f"{len(own)} selected"
    person.photograph(f"inbox-selecting-{width}")
    ActionChains(person.driver).key_down(Keys.CONTROL).send_keys("a").key_up(Keys.CONTROL).perform()
    person.wait(lambda: person.script(chosen) == len(person.ids()), "everything chosen")
    person.press(Keys.ESCAPE)
    assert person.script(chosen) == 0

    person.script("arguments[0].click()", day.find_element("css selector", ".pick-all input"))
    person.one(".selected [value='not a person']").click()
    person.wait(lambda: not set(own) & set(person.ids()), "the false alarms to go")
    assert "flagged: not a person." in person.one("#toast").text
    person.one("#toast button").click()
    person.wait(lambda: set(own) <= set(person.ids()), "them to come back")
    assert person.ids()[: len(before)] == before
    person.driver.refresh()
    person.one(".visit")
    assert person.ids() == before
    assert not person.all(".badge.mark")


@SIZES
def test_deleted_visit_comes_back_from_the_bin(browser: MakeBrowser, width: int, height: int) -> None:
    """No question, an Undo at the foot of the screen, and a bin for who missed it."""
    person = browser(width, height)
    first, second, *_ = _inbox(person)
    person.script(f"document.querySelector('#visits-{first} .open').focus()")

    person.press(Keys.DELETE)
    person.wait(lambda: first not in person.ids(), "the visit to go")
    assert "the bin keeps it for a day." in person.one("#toast").text
    person.one("#toast button").click()
    person.wait(lambda: person.ids()[:2] == [first, second], "the visit to come back")

    person.script(f"document.querySelector('#visits-{first} .open').focus()")
    person.press(Keys.DELETE)
    person.wait(lambda: first not in person.ids(), "the visit to go")
    person.open("/bin/")
    person.photograph(f"bin-{width}")
    person.one(".binned button").click()
    person.wait(lambda: "restored." in person.one("#toast").text, "the restoration in words")
    assert _inbox(person)[:2] == [first, second]


@SIZES
def test_one_visit(browser: MakeBrowser, width: int, height: int) -> None:
    """Its pictures with the best on top; `r` leads to the next, which says what was done; Esc leads to its place."""
    person = browser(width, height)
    ids = _inbox(person)
    chosen, after = ids[3:5]
    person.script("arguments[0].click()", person.one(f"#visits-{chosen} .open"))
    person.one("#visit")
    person.photograph(f"visit-{width}")
    assert len(person.all("#visit .pictures .shot")) >= 1
    assert person.all("#picture .boxes rect")

    person.press("r")
    person.wait(lambda: person.all(f"#visit[data-id='{after}']"), "the next visit")
    person.wait(lambda: "marked as reviewed." in person.one("#toast").text, "what was done")
    person.script("window.isOld = true")
    person.one("#toast button").click()
    person.wait(lambda: person.script("return !window.isOld && document.readyState === 'complete'"), "the page again")
    person.one("#visit")
    person.press(Keys.ESCAPE)
    person.wait(lambda: person.all("#days"), "the list")
    person.wait(lambda: person.script(FOCUSED) == str(after), "the same visit in the list")
    assert person.ids() == ids


def _light(person: Browser) -> None:
    """Open the light box at the best picture of a visit that has several."""
    person.open("/?review=all&camera=Terrace")
    person.one(".visit")
    several = [each for each in person.all(".visit") if "1 picture" not in each.text]
    person.script("arguments[0].click()", several[0].find_element("css selector", ".open"))
    person.one("#visit")
    person.one("#picture a.whole").click()
    person.one("dialog.light[open]")
    person.wait(lambda: person.script("return document.querySelector('dialog.light img').naturalWidth"), "the picture")


@SIZES
def test_light_box_shows_one_picture_after_the_other(browser: MakeBrowser, width: int, height: int) -> None:
    """Whole at first, with boxes or without; Esc closes the light box alone."""
    person = browser(width, height)
    _light(person)
    left, right, bottom = person.script(
        "const r = document.querySelector('.light .sheet').getBoundingClientRect(); return [r.left, r.right, r.bottom]"
    )
    assert (left >= -1, right <= width + 1, bottom <= height + 1) == (True, True, True)
    assert person.script(SCALE) == 1
    person.photograph(f"light-{width}")

    boxes = "return getComputedStyle(document.querySelector('.light .boxes')).display"
    assert person.script(boxes) != "none"
    person.press("b")
    assert person.script(boxes) == "none"
    person.press("b")
    caption = person.one(".light .caption").text
    person.press(Keys.ARROW_LEFT if "(1 of" not in caption else Keys.ARROW_RIGHT)
    person.wait(lambda: person.one(".light .caption").text != caption, "another picture")
    person.press(Keys.ESCAPE)
    person.wait(lambda: not person.all("dialog.light"), "the page")
    assert person.all("#visit")
    assert person.script("return document.activeElement.matches('[data-light]')")


@SIZES
def test_light_box_zooms_and_moves(browser: MakeBrowser, width: int, height: int) -> None:
    """By keys, wheel, two fingers and two clicks; a zoomed picture follows the mouse or the finger."""
    person = browser(width, height)
    _light(person)
    person.press("+", "+")
    assert person.script(SCALE) > 2
    person.press("0")
    assert person.script(SCALE) == 1
    x, y = width // 2, height // 3
    person.tell("Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=-600)
    person.wait(lambda: person.script(SCALE) > 1.5, "the zoom by the wheel")
    place = "const r = document.querySelector('.light .sheet').getBoundingClientRect(); return [r.left, r.top]"
    before = person.script(place)
    if width < 600:
        person.tell("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        for by in (20, 40, 60):
            person.tell("Input.dispatchTouchEvent", type="touchMove", touchPoints=[{"x": x + by, "y": y + by}])
        person.tell("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    else:
        pane = person.one(".light .pane")
        ActionChains(person.driver).click_and_hold(pane).move_by_offset(60, 40).release().perform()
    person.wait(lambda: person.script(place) != before, "the picture to move")
    person.photograph(f"light-zoomed-{width}")
    person.press("0")

    if width < 600:
        fingers = [{"x": x - 30, "y": y, "id": 1}, {"x": x + 30, "y": y, "id": 2}]
        person.tell("Input.dispatchTouchEvent", type="touchStart", touchPoints=fingers)
        for apart in (60, 90, 120):
            fingers = [{"x": x - apart, "y": y, "id": 1}, {"x": x + apart, "y": y, "id": 2}]
            person.tell("Input.dispatchTouchEvent", type="touchMove", touchPoints=fingers)
        person.tell("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
        person.wait(lambda: person.script(SCALE) > 2, "the zoom by two fingers")
    else:
        ActionChains(person.driver).double_click(person.one(".light .pane")).perform()
        person.wait(lambda: person.script(SCALE) > 2, "the zoom by two clicks")


@SIZES
def test_clips_play_where_they_are(house: House, browser: MakeBrowser, tmp_path: Path, width: int, height: int) -> None:
    """What a browser plays begins at the second that was found; of the rest there is a moving preview."""
    avi = _send_clip(house, _make_clip(tmp_path, "clip.avi", "MJPG"), f"Shed {width}")
    mp4 = _send_clip(house, _make_clip(tmp_path, "clip.mp4", "mp4v"), f"Attic {width}")
    person = browser(width, height)

    person.open(f"/visits/{avi}/")
    person.wait(
        lambda: person.script("return document.querySelector('.clip .moving').naturalWidth") > 100, "the preview"
    )
    assert "Browsers cannot play AVI files" in person.one(".clip").text
    person.script("document.querySelector('.clip').scrollIntoView()")
    person.photograph(f"clip-preview-{width}")
    person.one(".picture .play")
    person.script("document.querySelector('.picture .play').click()")
    assert person.one(".picture.playing .moving").is_displayed()
    assert not person.one(".picture .whole").is_displayed()  # it moves where the still was
    person.photograph(f"clip-in-place-{width}")

    person.open(f"/visits/{mp4}/")
    second = float(person.one(".clip video").get_attribute("data-second"))
    assert 2 <= second <= 6, "somebody is there from the second second on"
    assert "found at second" in person.one(".clip").text
    person.script("document.querySelector('.picture .play').click()")
    assert person.one(".picture.playing video").is_displayed()


def test_card_shows_what_happened_under_the_mouse(browser: MakeBrowser) -> None:
    """One picture after the other, until the mouse leaves."""
    person = browser(1440, 900)
    _inbox(person, "?review=all")
    card = person.one("[data-moves]")

    ActionChains(person.driver).move_to_element(card.find_element("css selector", ".open")).perform()
    first = person.one("[data-moves] .over").get_attribute("src")
    if not first.endswith("/preview"):  # a clip's preview moves by itself
        person.wait(
            lambda: person.all(".over") and person.one(".over").get_attribute("src") != first, "the next picture"
        )
    ActionChains(person.driver).move_to_element(person.one("h1")).perform()

    person.wait(lambda: not person.all(".over"), "the card's own picture")


def test_swipe_over_a_card_shows_its_other_pictures(browser: MakeBrowser) -> None:
    """With a thumb, and without opening it."""
    phone = browser(390, 844)
    _inbox(phone, "?review=all")
    card = phone.one("[data-moves] .open")
    phone.script("arguments[0].scrollIntoView({block: 'center'})", card)
    place = phone.script("const r = arguments[0].getBoundingClientRect(); return [r.x + r.width / 2, r.y + 60]", card)

    phone.tell("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": place[0], "y": place[1]}])
    for by in (15, 30, 45, 60):
        phone.tell("Input.dispatchTouchEvent", type="touchMove", touchPoints=[{"x": place[0] - by, "y": place[1]}])
    phone.one("[data-moves] .over")
    phone.tell("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    assert phone.all("#days"), "the list is still there"


def test_first_page_is_light(browser: MakeBrowser) -> None:
    """Before its pictures, with every visit that it shows."""
    person = browser()
    for path in ("/?review=all", "/alarms/", "/people/"):
        person.open(path)
        person.one(".shot")
        size = person.script("return performance.getEntriesByType('navigation')[0].decodedBodySize")
        assert size <= LIST_BYTES, f"{path} has {size} bytes"
