"""The review site as its owner uses it: with a mouse, by keys alone, on a phone, and two people at a time."""

from __future__ import annotations

import smtplib
from collections.abc import Callable

import pytest

pytest.importorskip("selenium", reason="`make test-browser` installs it")

from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys
from testing.chromium import Browser, House

MakeBrowser = Callable[..., Browser]
PAGES = {
    "people": "/", "alarms": "/alarms/", "filtered": "/alarms/?camera=Garage&review=new", "nothing": "/?camera=none",
    "cameras": "/cameras/", "test": "/test/", "status": "/status/", "account": "/account/",
}  # fmt: skip


def test_alarm_arrives_while_one_looks(house: House, browser: MakeBrowser) -> None:
    """A real mail appears by itself, first as examined, then among the people; without a reload."""
    person = browser()
    person.open("/")
    person.one(".shot")
    before = person.ids()
    person.script("window.isSamePage = true")

    house.alarm()

    new = person.wait(lambda: set(person.ids()) - set(before), "the new picture")
    assert person.ids()[0] in new
    assert person.script("return window.isSamePage")
    person.one(".shot .open").click()
    person.one("#snapshot")
    assert person.all(".boxes rect")
    person.press("b")
    assert person.wait(lambda: person.all(".without-boxes"), "boxes switched off")
    assert "person" in person.one(".facts h2").text.lower()


def test_pending_alarm_learns_its_verdict(house: House, browser: MakeBrowser) -> None:
    """Among all alarms a picture is there before its verdict, and the verdict follows."""
    person = browser()
    person.open("/alarms/")
    before = person.ids()

    house.alarm("Your IPCamera:Terrace detected motion")

    (new,) = person.wait(lambda: set(person.ids()) - set(before), "the new picture")
    person.one(f"#alarms-{new} .badge.person")


def test_filters_narrow_the_list(browser: MakeBrowser) -> None:
    """A choice is applied at once, stays in the address, and can be taken back."""
    person = browser()
    person.open("/alarms/")

    person.script("const s = document.querySelector('[name=camera]'); s.value = 'Garage';"
                  "s.dispatchEvent(new Event('change', {bubbles: true}))")  # fmt: skip
    person.wait(lambda: "camera=Garage" in person.driver.current_url, "the filter in the address")
    names = {each.text for each in person.all(".event h3")}
    person.one(".clear").click()

    assert names == {"Garage"}
    person.wait(lambda: "camera" not in person.driver.current_url, "everything again")


def test_older_pictures_come_by_scrolling(browser: MakeBrowser) -> None:
    """No day and no event is split in two where pages meet, and nothing is shown twice."""
    person = browser()
    person.open("/alarms/")
    first = len(person.ids())

    def scrolled() -> bool:
        person.script("window.scrollTo(0, document.body.scrollHeight)")
        return not person.all(".more")

    person.wait(scrolled, "the last page")

    ids = person.ids()
    assert len(ids) > first
    assert len(set(ids)) == len(ids)
    days = person.script("return [...document.querySelectorAll('.day')].map(d => d.dataset.day)")
    assert days == sorted(set(days), reverse=True)


def test_choose_several_and_delete_them(browser: MakeBrowser) -> None:
    """By mouse: choose, be asked, keep; be asked again, delete."""
    person = browser()
    person.open("/alarms/?camera=Driveway")
    ids = person.ids()[:2]
    for row_id in ids:
        person.script("arguments[0].click()", person.one(f"#alarms-{row_id} input"))
    person.photograph("choosing")

    delete = person.one(".chosen .danger")
    delete.click()
    person.one("dialog[open] .plain").click()
    assert set(ids) <= set(person.ids())
    delete.click()
    person.one("dialog[open] .danger").click()

    person.wait(lambda: not set(ids) & set(person.ids()), "the pictures to go")
    person.driver.refresh()
    assert not set(ids) & set(person.ids())


def test_keys_alone_do_everything(browser: MakeBrowser) -> None:
    """Log in, go to a picture, choose, mark, open, look at its neighbour, delete it, and come back."""
    person = browser(is_logged_in=False)
    person.open("/login/")
    person.press("anna", Keys.TAB, "correct horse 9", Keys.ENTER)
    person.one(".shot")
    person.press(Keys.ARROW_RIGHT)
    person.press(Keys.ARROW_RIGHT)
    focused = "return document.activeElement.closest('.shot')?.dataset.id"
    second = int(person.script(focused))
    assert second == person.ids()[1]
    person.press(Keys.ARROW_DOWN)
    person.press(Keys.ARROW_UP)
    assert person.script(focused)

    person.script(f"document.querySelector('#people-{second} .open').focus()")
    was_done = bool(person.all(f"#people-{second}.done"))
    person.press("r")
    person.wait(lambda: bool(person.all(f"#people-{second}.done")) != was_done, "the mark")
    person.press(" ")
    assert person.script("return document.querySelectorAll('.shot input:checked').length") == 1
    person.press(Keys.ESCAPE)
    assert person.script("return document.querySelectorAll('.shot input:checked').length") == 0

    person.press(Keys.ENTER)
    person.one("#alarm")
    person.press(Keys.ARROW_RIGHT)
    person.wait(lambda: f"/people/{second}/" not in person.driver.current_url, "the neighbour")
    here = person.one("#alarm").get_attribute("data-id")
    person.press(Keys.DELETE)
    person.one("dialog[open]")
    person.press(Keys.TAB, Keys.ENTER)
    person.wait(lambda: person.all(f"#alarm:not([data-id='{here}'])"), "the next one")
    person.press(Keys.ESCAPE)
    person.wait(lambda: person.all("#days"), "the list")
    assert int(here) not in person.ids()


def test_two_people_see_each_others_work(browser: MakeBrowser) -> None:
    """What one marks or deletes, the other sees without a reload."""
    anna, ben = browser(), browser()
    for each in (anna, ben):
        each.open("/?review=new")
    marked, deleted = ben.ids()[2:4]
    anna.open(f"/people/{marked}/")
    anna.one("#reviewed").click()
    anna.wait(lambda: "✓" in anna.one("#reviewed").text, "the mark")
    ben.wait(lambda: ben.all(f"#people-{marked}.done"), "the other's mark")

    anna.open(f"/people/{deleted}/")
    anna.one("#remove").click()
    anna.one("dialog[open] .danger").click()

    ben.wait(lambda: deleted not in ben.ids(), "the other's deletion")


def test_marks_are_kept(browser: MakeBrowser) -> None:
    """What the detection got wrong is said with one click and found again by the filter."""
    person = browser()
    person.open("/")
    row_id = person.ids()[5]
    person.open(f"/people/{row_id}/")

    person.one("[data-mark]").click()
    person.wait(lambda: person.all("[data-mark][aria-pressed=true]"), "the mark")

    person.open("/?mark=any")
    assert row_id in person.ids()


def test_phone_has_all_of_it(browser: MakeBrowser) -> None:
    """Nothing is wider than the screen; a long press chooses; a swipe leads to the neighbour."""
    phone = browser(390, 844)
    for name, path in PAGES.items():
        phone.open(path)
        phone.one("h1")
        width = phone.script("return document.documentElement.scrollWidth")
        assert width <= 390, f"{name} is {width} px wide"
    phone.open("/")
    row_id = phone.ids()[0]
    place = phone.script(f"const r = document.querySelector('#people-{row_id}').getBoundingClientRect();"
                         "return [r.x + r.width / 2, r.y + r.height / 2]")  # fmt: skip
    point = {"x": place[0], "y": place[1]}
    phone.tell("Input.dispatchTouchEvent", type="touchStart", touchPoints=[point])
    phone.wait(lambda: phone.all("body.choosing"), "the choice by a long press")
    phone.tell("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    phone.photograph("choosing-phone")
    phone.open(f"/people/{row_id}/")
    older = phone.one("#older").get_attribute("href")
    box = phone.one("#picture").rect
    y = box["y"] + min(100, box["height"] / 2)
    phone.tell("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": 300, "y": y}])
    for x in (250, 180, 110):
        phone.tell("Input.dispatchTouchEvent", type="touchMove", touchPoints=[{"x": x, "y": y}])
    phone.tell("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    phone.wait(lambda: phone.driver.current_url == older, "the neighbour by a swipe")


def test_test_page_says_what_a_camera_does(house: House, browser: MakeBrowser) -> None:
    """A camera that fails to deliver is heard, in words, while its owner watches."""
    person = browser()
    person.open("/test/")
    before = len(person.all(".heard li"))

    with smtplib.SMTP("127.0.0.1", house.service.port, timeout=30) as camera:
        camera.ehlo("garage-cam")
        camera.mail("not an address at all@@@")
        camera.rcpt("alarm@home")
    house.alarm("Your IPCamera:Garden gate detected motion")

    person.wait(lambda: len(person.all(".heard li")) > before, "what was heard")
    assert "Garden gate" in person.one(".heard .good").text


def test_theme_follows_the_system_until_one_chooses(browser: MakeBrowser) -> None:
    """Dark for who has it dark; the button's choice outlives the page."""
    person = browser(is_dark=True)
    theme = "return document.documentElement.dataset.theme"
    assert person.script(theme) == "dark"

    person.one("#theme").click()
    person.open("/cameras/")

    assert person.script(theme) == "light"


def test_pages_fetch_nothing_from_elsewhere(house: House, browser: MakeBrowser) -> None:
    """Everything that a page loads comes from the site itself."""
    person = browser()
    for path in PAGES.values():
        person.open(path)
        person.one("h1")
        loaded = person.script("return performance.getEntriesByType('resource').map(e => e.name)")
        assert [name for name in loaded if not name.startswith(house.url)] == []


@pytest.mark.parametrize("look", ["desktop", "desktop-dark", "phone", "phone-dark"])
def test_pages_have_no_barriers(browser: MakeBrowser, axe: str, look: str) -> None:
    """Labels, names, contrast, order: axe-core finds nothing, in both palettes and at both sizes."""
    width, height = (390, 844) if "phone" in look else (1280, 900)
    person = browser(width, height, is_dark="dark" in look)
    person.open("/")
    pages = {**PAGES, "alarm": f"/people/{person.ids()[0]}/"}
    found = []
    for name, path in pages.items():
        person.open(path)
        person.one("h1")
        person.photograph(f"{name}-{look}")
        person.script(axe)
        result = person.driver.execute_async_script(
            "const done = arguments[0]; axe.run({resultTypes: ['violations']}).then(r => done(r.violations.map("
            "v => [v.id, v.nodes.map(n => n.target.join(' ') + ': ' + n.failureSummary)])))"
        )
        found += [(name, rule, nodes[:3]) for rule, nodes in result]

    assert found == []


def test_shift_chooses_a_range(browser: MakeBrowser) -> None:
    """From the last one chosen to this one."""
    person = browser()
    person.open("/alarms/?review=done")
    first, *_, last = person.ids()[:5]

    def click(row_id: int, *held: str) -> None:
        chain = ActionChains(person.driver)
        for key in held:
            chain = chain.key_down(key)
        chain = chain.move_to_element(person.one(f"#alarms-{row_id} input")).click()
        for key in held:
            chain = chain.key_up(key)
        chain.perform()

    click(first)
    click(last, Keys.SHIFT)

    assert person.script("return document.querySelectorAll('.shot input:checked').length") == 5
