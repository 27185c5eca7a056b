"""Links in messages: which there are, what they look like in each channel, and that no other is taken for one."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert.config.schema import Review
from camalert.config.targets import LINKS, parse
from camalert.notify import links, services
from camalert.notify.message import Message, Row, compose
from camalert.notify.relay import mail_of
from camalert.system import networks

NOW = 1_782_900_000.0
ROW = Row(7, "5f0e", "visit", "Garage", NOW, NOW, visit=3, alert=70, score=0.8)
KEY = b"k" * 48
SITE = "https://cams.example.org/camalert/"


def message(*rows: Row, wanted: tuple[str, ...] = LINKS, site: str = SITE, key: bytes = KEY) -> Message:
    told = rows or (ROW,)
    return compose(told, None, NOW, None).linked(links.of(told, wanted, site, key, NOW))


def test_links_of_a_visit_open_it_and_switch() -> None:
    """Each in the target's own words."""
    made = message()

    assert [link.name for link in made.links] == ["open", "snooze", "disarm", "home"]
    assert made.facts["links"]["open"] == "https://cams.example.org/camalert/alarms/70/"
    assert made.facts["links"]["snooze"].startswith("https://cams.example.org/camalert/do/snooze-7-1782986400-")
    assert [link.name for link in message(wanted=("snooze",)).links] == ["snooze"]
    assert message(wanted=()).links == message(site="").links == ()
    assert [link.name for link in message(key=b"").links] == ["open"]


@pytest.mark.parametrize(
    ("row", "page"),
    [
        (replace(ROW, kind="silent", visit=0, alert=0), "/cameras/"),
        (replace(ROW, kind="trouble", camera="", visit=0, alert=0), "/status/"),
        (replace(ROW, kind="digest", camera="", visit=0, alert=0), "/"),
    ],
)
def test_what_is_not_about_people_is_opened_only(row: Row, page: str) -> None:
    """There is nothing to snooze."""
    [link] = links.of([row], LINKS, SITE, KEY, NOW)

    assert link.url == f"https://cams.example.org/camalert{page}"


def test_summary_opens_the_site() -> None:
    """It is of many cameras."""
    assert [link.url for link in message(ROW, ROW).links] == [SITE]


@given(st.text(max_size=200), st.sampled_from(LINKS), st.integers(0, 2**63 - 1), st.floats(0, 1e11))
def test_only_what_was_signed_is_signed(text: str, action: str, row: int, until_utc: float) -> None:
    """And no text at all makes an error."""
    links.parse(text)
    if action not in links.ACTIONS:
        return
    token = links.parse(links.make(KEY, action, row, "id", until_utc))
    assert token is not None
    assert links.is_signed(KEY, token, "id")
    assert not links.is_signed(KEY, token, "another id")
    assert not links.is_signed(b"x" * 48, token, "id")
    assert not links.is_signed(KEY, replace(token, until_s=token.until_s + 1), "id")


def test_mail_and_services_without_buttons_have_the_links_in_their_text() -> None:
    """A line each."""
    made = message(wanted=("open", "snooze"))
    mail = mail_of(made, parse("smtp://mail.example.org/?to=me@example.org&from=cam@example.org"))

    text = mail.get_body().get_content()  # type: ignore[union-attr]
    assert "Open: https://cams.example.org/camalert/alarms/70/" in text
    assert f"Snooze for an hour: {made.links[1].url}" in text


def test_ntfy_gets_buttons() -> None:
    """Source: ntfy's documentation, "Action buttons": http with POST, and the message goes with it."""
    found = services._buttons(message(wanted=("open", "snooze", "home")).links)

    assert found["click"] == "https://cams.example.org/camalert/alarms/70/"
    snooze, home = found["actions"].split("; ")
    assert snooze.startswith("http, Snooze for an hour, https://cams.example.org/camalert/do/snooze-7-")
    assert snooze.endswith(", method=POST, clear=true")
    assert home.startswith("http, I am at home, ")


def test_site_is_where_its_owner_says() -> None:
    """Else at this machine's address."""
    pytest.importorskip("django", reason="the review extra is not installed")
    assert networks.site_url(Review(address="https://cams.example.org/x")) == "https://cams.example.org/x/"
    assert networks.site_url(Review(host="192.168.1.2", port=80)) == "http://192.168.1.2:80/"
    assert networks.site_url(Review(enabled=False, address="https://cams.example.org")) == ""
