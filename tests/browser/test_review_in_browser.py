"""The review site as its owner uses it: with a mouse, by keys alone, on a phone, and two people at a time."""

from __future__ import annotations

import signal
import smtplib
from collections.abc import Callable

import pytest

pytest.importorskip("selenium", reason="`make test-browser` installs it")

from selenium.webdriver import ActionChains
from selenium.webdriver.common.keys import Keys
from testing.chromium import Browser, House
from testing.reviewrig import PASSWORD
from testing.waiting import until

MakeBrowser = Callable[..., Browser]
PAGES = {
    "visits": "/", "people": "/people/", "bin": "/bin/", "alarms": "/alarms/",
    "filtered": "/alarms/?camera=Garage&review=new", "nothing": "/?camera=none",
    "cameras": "/cameras/", "set-up": "/cameras/set-up/", "status": "/status/", "account": "/account/",
    "kept": "/kept/", "settings": "/settings/", "notifications": "/notifications/", "known": "/cameras/known/",
    "camera": "/cameras/Garage/", "accounts": "/account/people/", "figures": "/figures/", "app": "/app/",
    "backup": "/backup/",
}  # fmt: skip


def test_alarm_arrives_while_one_looks(house: House, browser: MakeBrowser) -> None:
    """A real mail appears by itself, first as examined, then among the people; without a reload."""
    person = browser()
    person.open("/people/")
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
    clear = person.one(".clear")  # which only the filtered page has
    person.wait(lambda: person.script("return document.readyState === 'complete'"), "the whole page")
    names = {each.text for each in person.all(".event h3")}
    clear.click()

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


def test_select_several_and_delete_them(browser: MakeBrowser) -> None:
    """By mouse: select, delete, take it back, delete again: then they are in the bin."""
    person = browser()
    person.open("/alarms/?camera=Driveway")
    ids = person.ids()[:2]
    for row_id in ids:
        person.script("arguments[0].click()", person.one(f"#alarms-{row_id} input"))
    person.photograph("selecting")

    person.one(".selected .danger").click()
    person.wait(lambda: not set(ids) & set(person.ids()), "the pictures to go")
    assert "2 pictures deleted; the bin keeps them for a day." in person.one("#toast").text
    person.one("#toast button").click()
    person.wait(lambda: set(ids) <= set(person.ids()), "the pictures to come back")
    assert person.ids() == sorted(person.ids(), key=lambda row_id: -row_id)

    for row_id in ids:
        person.script("arguments[0].click()", person.one(f"#alarms-{row_id} input"))
    person.one(".selected .danger").click()
    person.wait(lambda: not set(ids) & set(person.ids()), "the pictures to go")
    person.driver.refresh()
    person.one("#days")
    assert not set(ids) & set(person.ids())
    person.open("/bin/")
    assert "2 pictures" in person.one(".binned h2").text
    person.photograph("bin-full")
    person.one(".binned button").click()
    person.wait(lambda: "2 pictures restored." in person.one("#toast").text, "the restoration in words")
    person.open("/alarms/?camera=Driveway")
    person.wait(lambda: set(ids) <= set(person.ids()), "the pictures to be back")


def test_keys_alone_do_everything(browser: MakeBrowser) -> None:
    """Log in, go to a picture, choose, mark, open, look at its neighbour, delete it, and come back."""
    person = browser(is_logged_in=False)
    person.open("/login/")
    person.press("anna", Keys.TAB, "correct horse 9", Keys.ENTER)
    person.one(".visit")
    person.open("/people/")
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
    person.wait(lambda: person.all(f"#alarm:not([data-id='{here}'])"), "the next one")
    person.press(Keys.ESCAPE)
    person.wait(lambda: person.all("#days"), "the list")
    assert int(here) not in person.ids()


def test_two_people_see_each_others_work(browser: MakeBrowser) -> None:
    """What one marks or deletes, the other sees without a reload."""
    anna, ben = browser(), browser()
    for each in (anna, ben):
        each.open("/people/?review=new")
    marked, deleted = ben.ids()[2:4]
    anna.open(f"/people/{marked}/")
    anna.one("#reviewed").click()
    anna.wait(lambda: "✓" in anna.one("#reviewed").text, "the mark")
    ben.wait(lambda: ben.all(f"#people-{marked}.done"), "the other's mark")

    anna.open(f"/people/{deleted}/")
    anna.one("#remove").click()

    ben.wait(lambda: deleted not in ben.ids(), "the other's deletion")


def test_marks_are_kept(browser: MakeBrowser) -> None:
    """What the detection got wrong is said with one click and found again by the filter."""
    person = browser()
    person.open("/people/")
    row_id = person.ids()[5]
    person.open(f"/people/{row_id}/")

    person.one("[data-mark]").click()
    person.wait(lambda: person.all("[data-mark][aria-pressed=true]"), "the mark")

    person.open("/people/?mark=any")
    assert row_id in person.ids()


def test_phone_has_all_of_it(browser: MakeBrowser) -> None:
    """Nothing is wider than the screen; a long press chooses; a swipe leads to the neighbour."""
    phone = browser(390, 844)
    for name, path in PAGES.items():
        phone.open(path)
        phone.one("h1")
        width = phone.script("return document.documentElement.scrollWidth")
        assert width <= 390, f"{name} is {width} px wide"
    phone.open("/people/")
    row_id = phone.ids()[0]
    place = phone.script(f"const r = document.querySelector('#people-{row_id}').getBoundingClientRect();"
                         "return [r.x + r.width / 2, r.y + r.height / 2]")  # fmt: skip
    point = {"x": place[0], "y": place[1]}
    phone.tell("Input.dispatchTouchEvent", type="touchStart", touchPoints=[point])
    phone.wait(lambda: phone.all("body.selecting"), "the choice by a long press")
    phone.tell("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    phone.photograph("selecting-phone")
    phone.open(f"/people/{row_id}/")
    older = phone.one("#older").get_attribute("href")
    box = phone.one("#picture").rect
    y = box["y"] + min(100, box["height"] / 2)
    phone.tell("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": 300, "y": y}])
    for x in (250, 180, 110):
        phone.tell("Input.dispatchTouchEvent", type="touchMove", touchPoints=[{"x": x, "y": y}])
    phone.tell("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
    phone.wait(lambda: phone.driver.current_url == older, "the neighbour by a swipe")


def test_set_up_page_says_what_a_camera_does(house: House, browser: MakeBrowser) -> None:
    """What a camera does, and why it fails, appears in sentences while its owner watches."""
    person = browser()
    person.open("/cameras/set-up/")
    before = len(person.all(".log li"))

    with smtplib.SMTP("127.0.0.1", house.service.port, timeout=30) as camera:
        camera.ehlo("garage-cam")
        camera.mail("not an address at all@@@")
        camera.rcpt("alarm@home")
    house.alarm("Your IPCamera:Garden gate detected motion")

    person.wait(lambda: len(person.all(".log li")) > before, "what the camera did")
    assert "Garden gate" in person.one(".log .good").text


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
    person.open("/people/")
    row_id = person.ids()[0]
    person.open("/?review=all")
    pages = {**PAGES, "alarm": f"/people/{row_id}/", "visit": f"/visits/{person.ids()[0]}/"}
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


def test_shift_selects_a_range(browser: MakeBrowser) -> None:
    """From the last one chosen to this one."""
    person = browser()
    person.open("/alarms/?review=done")
    first, *_, last = person.ids()[:5]

    def click(row_id: int, *held: str) -> None:
        chain = ActionChains(person.driver)
        for key in held:
            chain = chain.key_down(key)
        tick = person.one(f"#alarms-{row_id} input")
        person.script("arguments[0].scrollIntoView({block: 'center'})", tick)  # the bar at the bottom covers some
        chain = chain.move_to_element(tick).click()
        for key in held:
            chain = chain.key_up(key)
        chain.perform()

    click(first)
    click(last, Keys.SHIFT)

    assert person.script("return document.querySelectorAll('.shot input:checked').length") == 5


# --- being told ------------------------------------------------------------------------------------------------------

SIZES = pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
PAGES_WITH_A_BAR = {**PAGES, "one alarm": "/people/{}/"}


def _is_visible(person: Browser, selector: str) -> bool:
    return bool(
        person.script(
            "const r = document.querySelector(arguments[0])?.getBoundingClientRect();"
            "return !!r && r.height > 0 && r.top >= 0 && r.bottom <= innerHeight + 1",
            selector,
        )
    )


def _go_offline(person: Browser, *, is_offline: bool = True) -> None:
    rate = 0 if is_offline else -1
    person.tell("Network.enable")
    person.tell(
        "Network.emulateNetworkConditions",
        offline=is_offline,
        latency=0,
        downloadThroughput=rate,
        uploadThroughput=rate,
    )


@SIZES
def test_every_page_says_that_nobody_answers(browser: MakeBrowser, width: int, height: int) -> None:
    """A dead service is a red bar with the time, wherever one is, and it goes when there is an answer again."""
    person = browser(width, height)
    person.open("/people/")
    first = person.ids()[0]
    for name, path in PAGES_WITH_A_BAR.items():
        person.open(path.format(first))
        person.one("h1")
        assert not person.all("#bar:not([hidden])")
        person.tell("Network.enable")
        person.tell(
            "Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0
        )
        person.script("dispatchEvent(new Event('offline'))")
        person.wait(lambda: _is_visible(person, "#bar:not([hidden])"), f"the bar of {name}")
        person.wait(
            lambda: person.one("#bar").text.startswith("No answer from camalert since "),
            "its words: an answer that was on its way takes the bar away once more",
        )
        if name == "status":
            assert float(person.script("return getComputedStyle(document.querySelector('[data-refresh]')).opacity")) < 1
            person.photograph(f"no-answer-{width}")

        _go_offline(person, is_offline=False)
        person.script("dispatchEvent(new Event('online'))")
        person.wait(lambda: not person.all("#bar:not([hidden])"), "the bar to go")
    person.complaints()  # that nobody answered


@SIZES
def test_every_page_says_that_the_session_has_ended(browser: MakeBrowser, width: int, height: int) -> None:
    """A link leads to the login and from there back to where one was."""
    person = browser(width, height)
    person.open("/people/")
    first = person.ids()[0]
    cookie = person.driver.get_cookie("camalert_session")
    for path in PAGES_WITH_A_BAR.values():
        person.driver.add_cookie(cookie)
        person.open(path.format(first))
        person.one("h1")
        person.driver.delete_cookie("camalert_session")
        person.script("dispatchEvent(new Event('online'))")  # looks at once
        link = person.one("#bar a")
        assert "Your session has ended." in person.one("#bar").text
        assert "/login/?next=" in link.get_attribute("href")
    person.photograph(f"session-ended-{width}")
    link.click()
    person.one("#id_password")
    person.complaints()  # the answers without a login


@SIZES
def test_place_in_a_list_is_never_lost(browser: MakeBrowser, width: int, height: int) -> None:
    """From one alarm back to the same picture, far down: by Esc, button and browser, after a neighbour too."""
    from_where = {
        "Esc": lambda person: person.press(Keys.ESCAPE),
        "button": lambda person: person.one("#back").click(),
        "browser": lambda person: person.driver.back(),
    }
    person = browser(width, height)
    person.open("/alarms/")
    person.one(".shot")
    chosen = None
    for name, leave in from_where.items():
        if chosen is None:
            for count in (100, 150):
                person.wait(lambda: _scrolled_beyond(person, count), f"{count} pictures")  # noqa: B023 - waited for here
            chosen = person.ids()[140]
        shot = person.one(f"#alarms-{chosen} .open")
        person.script("arguments[0].scrollIntoView({block: 'center'}); arguments[0].click()", shot)
        person.one("#alarm")
        leave(person)
        person.wait(lambda: person.all("#days"), "the list")
        focused = "return document.activeElement?.closest('.shot')?.dataset.id"
        person.wait(lambda: person.script(focused) == str(chosen), f"the same picture by {name}")  # noqa: B023
        assert _is_visible(person, f"#alarms-{chosen}")

    person.script("arguments[0].click()", person.one(f"#alarms-{chosen} .open"))
    person.one("#older").click()
    person.wait(lambda: person.all(f"#alarm:not([data-id='{chosen}'])"), "the neighbour")
    neighbour = person.one("#alarm").get_attribute("data-id")
    person.press(Keys.ESCAPE)
    person.wait(lambda: person.script(focused) == neighbour, "the neighbour in the list")
    assert _is_visible(person, f"#alarms-{neighbour}")


def _scrolled_beyond(person: Browser, count: int) -> bool:
    person.script("window.scrollTo(0, document.body.scrollHeight)")
    return len(person.ids()) > count


@SIZES
def test_actions_are_at_the_head_of_a_list(browser: MakeBrowser, width: int, height: int) -> None:
    """Mark all, download and the keys are seen without scrolling past an endless list."""
    person = browser(width, height)
    person.open("/alarms/")
    person.one(".shot")

    assert _is_visible(person, "#review-all button")
    assert _is_visible(person, "#help summary")
    person.press("?")
    person.wait(lambda: _is_visible(person, "#help .keys"), "the keys")
    person.photograph(f"head-{width}")


@SIZES
def test_what_was_done_is_said_where_one_looks_and_can_be_undone(browser: MakeBrowser, width: int, height: int) -> None:
    """A message at the foot of the screen, however far one scrolled, with Undo; a failure says that nothing changed."""
    person = browser(width, height)
    person.open("/alarms/?review=new")
    person.wait(lambda: _scrolled_beyond(person, 70), "a long list")
    shot = person.ids()[65]
    person.script(
        f"const a = document.querySelector('#alarms-{shot} .open'); a.scrollIntoView({{block: 'center'}}); a.focus()"
    )

    person.press("r")
    person.wait(lambda: _is_visible(person, "#toast .message"), "the message")
    assert "1 picture marked as reviewed." in person.one("#toast").text
    person.photograph(f"toast-{width}")
    person.one("#toast button").click()
    person.wait(lambda: "Undone." in person.one("#toast").text, "the undoing")
    assert person.all(f"#alarms-{shot}:not(.done)")

    _go_offline(person)
    person.script(f"document.querySelector('#alarms-{shot} .open').focus()")
    person.press("r")
    person.wait(lambda: "nothing was changed" in person.one("#toast").text, "the failure in words")
    assert "camalert does not answer; nothing was changed." in person.one("#toast").text
    assert person.all(f"#alarms-{shot}:not(.done)")
    _go_offline(person, is_offline=False)
    person.script("dispatchEvent(new Event('online'))")
    person.wait(lambda: not person.all("#bar:not([hidden])"), "the bar to go")
    person.complaints()  # that nobody answered

    person.open(f"/alarms/{shot}/")
    person.one("[data-mark]").click()
    person.wait(lambda: "Flagged: " in person.one("#toast").text, "the mark in words")
    person.one("#toast button").click()
    person.wait(lambda: person.all("[data-mark][aria-pressed=false]"), "the mark to be taken back")
    person.wait(lambda: person.all("#alarm[data-reviewed=false]"), "not reviewed, as before")


@SIZES
def test_tables_leave_the_theme_alone(browser: MakeBrowser, width: int, height: int) -> None:
    """Django's admin keeps a theme of its own under a name of its own."""
    person = browser(width, height, is_dark=True)
    theme = "return document.documentElement.dataset.theme"
    person.open("/admin/")
    person.script("localStorage.setItem('theme', 'auto')")  # as its button does
    person.open("/cameras/")
    assert person.script(theme) == "dark"
    person.script("localStorage.setItem('camalert-theme', 'mauve')")
    person.open("/cameras/")
    assert person.script(theme) == "dark"


def test_every_page_says_that_the_service_is_stuck(house: House, browser: MakeBrowser) -> None:
    """The site itself answers, and says that what takes the mails does not work; until it does again."""
    person = browser()
    person.open("/cameras/")
    assert house.service.process is not None
    house.service.process.send_signal(signal.SIGSTOP)
    try:
        until(lambda: _is_visible(person, "#bar:not([hidden])"), "the bar", 120.0)  # after `status.STALE_S`
        assert "has not updated its status" in person.one("#bar").text
    finally:
        house.service.process.send_signal(signal.SIGCONT)
    person.wait(lambda: not person.all("#bar:not([hidden])"), "the bar to go")


def test_accounts_fit_a_phone(browser: MakeBrowser) -> None:
    """A long name stays readable beside its buttons, and nothing leaves the screen."""
    phone = browser(390, 844)
    phone.open("/account/people/")
    phone.one("input[name=password]").send_keys(PASSWORD)
    phone.script("document.querySelector('input[name=password]').form.requestSubmit()")
    phone.one("#person-name").send_keys("somebody-with-rather-a-long-name")
    phone.one("#person-password").send_keys("correct horse 10")
    phone.script("document.getElementById('person-name').form.requestSubmit()")

    phone.wait(lambda: "somebody-with" in phone.one(".rows").text, "the new account")

    assert phone.script("return document.documentElement.scrollWidth") <= 390
    widths = phone.script("return [...document.querySelectorAll('.rows li > :first-child')].map(r => r.clientWidth)")
    assert min(widths) >= 150
