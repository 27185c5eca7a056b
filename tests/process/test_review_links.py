"""Links of messages on the running site: without a login, once, for a day, undone, and nothing by being looked at."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from testing import household, reviewrig
from testing.ports import free_port
from testing.reviewrig import Visitor

from camalert.config.schema import Config
from camalert.notify import links
from camalert.notify.message import id_of
from camalert.store.rows import outbox
from camalert.visits.policy import Event, Target

pytest.importorskip("django", reason="the review extra is not installed")

PHONE = Target("phone", frozenset({"visit"}))
CAMERA = "Garage <b>&"


class House:
    """A running site, and the database behind it."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.port = config.review.port
        self.db = sqlite3.connect(config.database.path, isolation_level=None, timeout=10)
        self.visits = 0

    def link(self, action: str = links.SNOOZE, lasts_s: float = 3600.0, camera: str = CAMERA) -> str:
        """Tell of another visit; return the path of its link."""
        self.visits += 1
        now_utc = time.time()
        outbox.tell(self.db, [Event("visit", camera, now_utc, self.visits)], [PHONE], now_utc)
        own, key, created_utc = self.db.execute(
            "SELECT id, key, created_utc FROM camalert_outbox ORDER BY id DESC LIMIT 1"
        ).fetchone()
        key_of = links.key_of(self.config.review)
        return f"/do/{links.make(key_of, action, own, id_of(key, created_utc), now_utc + lasts_s)}/"

    def switched(self) -> list[tuple[object, ...]]:
        return self.db.execute(
            'SELECT kind, camera, value, "by", until_utc > ? FROM camalert_switch ORDER BY kind, camera', (time.time(),)
        ).fetchall()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("links")
    home = household.Household(folder / "alerts.sqlite3")
    home.close()
    config = reviewrig.config(folder, free_port(), address="https://cams.example.org:8443/x")
    with reviewrig.site(config):
        house = House(config)
        yield house
        house.db.close()


@pytest.fixture
def house(running: House) -> House:
    running.db.execute("DELETE FROM camalert_switch")
    return running


def test_link_asks_first_does_once_and_is_undone_once(house: House) -> None:
    """A stranger without a cookie: a look changes nothing, a POST does it, and the second POST does not."""
    visitor, link = Visitor(house.port), house.link()
    for method in ("GET", "HEAD", "GET"):
        assert visitor.ask(method, link).status == 200
    assert "Snooze Garage &lt;b&gt;&amp; for an hour?" in visitor.get(link).text
    assert house.switched() == []

    done = Visitor(house.port).ask("POST", link)

    assert done.status == 200
    assert "No messages about Garage &lt;b&gt;&amp; until" in done.text
    assert house.switched() == [("snooze", "garage <b>&", "", "phone", 1)]
    house.db.execute("DELETE FROM camalert_switch")
    assert "works once" in Visitor(house.port).ask("POST", link).text
    assert house.switched() == []


def test_undo_puts_back_what_was_before(house: House) -> None:
    """Also what was said of single cameras; and it works once."""
    house.db.execute(
        "INSERT INTO camalert_switch (kind, camera, value, \"by\") VALUES ('armed', 'door', 'on', 'anna'),"
        " ('armed', 'shed', 'off', 'anna')"
    )
    before = house.switched()
    visitor, link = Visitor(house.port), house.link(links.DISARM)
    assert "Undo" in visitor.ask("POST", link).text
    assert house.switched() == [("armed", "", "off", "phone", None)]

    form = {"Content_Type": "application/x-www-form-urlencoded"}
    assert "Undone" in visitor.ask("POST", link, b"undo=1", **form).text

    assert house.switched() == before
    assert "Undone" in visitor.ask("POST", link).text
    assert "Undone" in visitor.ask("POST", link, b"undo=1", **form).text
    assert house.switched() == before


def test_undo_takes_nothing_from_who_has_switched_since(house: House) -> None:
    """It says so instead."""
    visitor, link = Visitor(house.port), house.link(links.HOME)
    visitor.ask("POST", link)
    house.db.execute("UPDATE camalert_switch SET value = 'away', \"by\" = 'ben'")

    answer = visitor.ask("POST", link, b"undo=1", Content_Type="application/x-www-form-urlencoded")

    assert "nothing was undone" in answer.text
    assert house.switched() == [("presence", "", "away", "ben", None)]


def test_link_that_is_old_altered_or_of_another_database_does_nothing(house: House) -> None:
    """An action, a row or an end in the place of another is not signed; nor is a row that came in its place."""
    old, good = house.link(lasts_s=-1.0), house.link()
    number = good.split("-")[1]
    visitor = Visitor(house.port, source="127.0.0.30")
    wrong = [
        old,
        good.replace("snooze", "disarm"),
        good.replace(f"-{number}-", f"-{int(number) - 1}-"),
        good.replace(f"-{number}-", "-9223372036854775807-"),
        good.replace(good.split("-")[2], str(int(time.time()) + 10**9)),
        good[:-3] + ("A" if good[-3] != "A" else "B") + good[-2:],
        "/do/snooze-1-2-3/",
        "/do/x/",
    ]
    for link in wrong:
        assert visitor.ask("POST", link).status == 404, link
    house.db.execute("UPDATE camalert_outbox SET created_utc = created_utc + 1")
    assert visitor.ask("POST", good).status == 404

    assert house.switched() == []


def test_who_guesses_is_slowed_down_and_others_are_not(house: House) -> None:
    """By address; a good link works for everybody else."""
    guesser = Visitor(house.port, source="127.0.0.31")
    answers = [guesser.ask("POST", f"/do/snooze-1-9999999999-{number:022d}/").status for number in range(30)]
    assert answers[0] == 404
    assert answers[-1] == 429

    assert Visitor(house.port, source="127.0.0.32").ask("POST", house.link()).status == 200


def test_two_that_press_at_once_switch_once(house: House) -> None:
    """The later one finds what the earlier one did."""
    link = house.link()
    answers: list[int] = []

    def press(number: int) -> None:
        answers.append(Visitor(house.port, source=f"127.0.0.{40 + number}").ask("POST", link).status)

    threads = [threading.Thread(target=press, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers == [200] * 6
    assert len(house.switched()) == 1


def test_site_answers_to_its_own_address(house: House) -> None:
    """The name of `review.address` is one of its names; another is none."""
    link = house.link()

    assert Visitor(house.port, host="cams.example.org:8443").get(link).status == 200
    assert Visitor(house.port, host="evil.example.org").get(link).status == 403


def test_used_links_are_bounded(house: House) -> None:
    """Those of long ago go with the next that is used, and so do those beyond the newest."""
    site = sqlite3.connect(Path(house.config.review.data_dir) / "site.sqlite3", isolation_level=None, timeout=10)
    now_utc = time.time()
    rows = [(f"{number}", now_utc + number, now_utc, "", "snooze", "[]", "[]") for number in range(2100)]
    rows.append(("old", now_utc + 9e6, now_utc - 90_000, "", "snooze", "[]", "[]"))
    site.executemany("INSERT INTO accounts_usedlink VALUES (?, ?, ?, ?, ?, ?, ?, NULL)", rows)

    assert Visitor(house.port).ask("POST", house.link()).status == 200

    kept = [link for (link,) in site.execute("SELECT link FROM accounts_usedlink")]
    site.close()
    assert len(kept) <= 2000
    assert "old" not in kept
    assert "2099" in kept


def test_key_is_its_owners_alone(house: House) -> None:
    """And is not the one that signs sessions."""
    folder = Path(house.config.review.data_dir)
    key, session = folder / links.KEY_FILE, folder / "secret-key"

    links.key_of(house.config.review)

    assert key.stat().st_mode & 0o777 == 0o600
    assert key.read_bytes() != session.read_bytes()
