"""The history of settings at the site's process, without a supervisor that takes them."""

from __future__ import annotations

import html
import re
import sqlite3
from pathlib import Path

import pytest
import tomli
from testing.reviewsite import Site, running
from testing.waiting import until

from camalert.ipc.messages import Refused, Reload

pytest.importorskip("django", reason="the site is an extra")

CHANGE = "/api/v1/settings/change/"


@pytest.fixture
def site(tmp_path: Path) -> object:
    with running(tmp_path) as found:
        yield found


def _put(site: Site, name: str, threshold: float) -> int:
    answer = site.visitor().send(CHANGE, {"kind": "camera", "name": name, "block": {"threshold": threshold}})
    assert answer.status == 202, answer.text
    return int(answer.json()["id"])


def _states(site: Site) -> dict[int, str]:
    return {each["id"]: each["state"] for each in site.visitor().get("/api/v1/settings/changes/").json()["changes"]}


def test_refused_change_is_taken_back_with_its_reason(site: Site) -> None:
    """The supervisor is asked once; its refusal puts the file back, and the page says why."""
    first = _put(site, "Garage", 0.6)
    assert site.process.channel.wait(10)
    assert isinstance(site.process.channel.receive(), Reload)
    file = site.folder / "review" / "settings.toml"
    assert tomli.loads(file.read_text())["camera"] == [{"name": "Garage", "threshold": 0.6}]
    again = site.visitor().send(CHANGE, {"kind": "camera", "name": "Yard", "block": {}})
    assert "another change is being applied" in again.json()["error"]

    site.process.channel.send(Refused(b"no port < left"))

    until(lambda: _states(site)[first] == "refused", "the refusal", 20)
    assert not file.exists()
    assert "no port &lt; left" in site.visitor().get("/settings/").text


def test_history_is_bounded(site: Site) -> None:
    """The oldest changes go."""
    database = sqlite3.connect(site.folder / "review" / "site.sqlite3", timeout=20)
    rows = [(f"change {n}", "2026-11-22 12:00:00") for n in range(250)]
    database.executemany(
        "INSERT INTO accounts_settingschange (user, summary, edits, digest, text_before, state, why, at)"
        " VALUES ('anna', ?, '[]', '', '', 'in force', '', ?)", rows,
    )  # fmt: skip
    database.commit()

    _put(site, "Garage", 0.6)

    assert database.execute("SELECT count(*), max(summary) FROM accounts_settingschange").fetchone()[0] == 200
    database.close()


def test_what_is_no_setting_is_refused(site: Site) -> None:
    """Each refusal has words, and nothing is written."""
    owner = site.visitor()
    for body, word in (
        ({"kind": "service", "name": "x", "block": {}}, "send"),
        ({"kind": "camera", "name": "Garage", "block": []}, "object"),
        ({"kind": "camera", "name": "Garage", "block": {"threshold": {"a": [1, [2]]}}}, "threshold"),
        ({"kind": "camera", "name": "Garage", "block": {"nonsense": 1}}, "nonsense"),
        ({"kind": "camera", "name": "Garage", "block": {"area": [{"points": "1,2"}]}}, "corners"),
        ({"kind": "notify", "name": "me", "block": {"url_file": "/etc/passwd"}}, "url_file"),
        ({"kind": "listen", "name": "many", "block": {}}, "port"),
    ):
        answer = owner.send(CHANGE, body)
        assert (answer.status, word in answer.json()["error"]) == (400, True), answer.text
    assert not (site.folder / "review" / "settings.toml").exists()


def test_preview_asks_the_past_and_changes_nothing(site: Site) -> None:
    """The interface tells what a threshold would have meant; what is no setting is refused with words."""
    reader = site.visitor()
    path = "/api/v1/cameras/garage/preview/"
    same = reader.send(path, {}).json()
    none = reader.send(path, {"threshold": 1.0}).json()

    assert same["sentence"].startswith("Nothing changes")
    assert same["before"] == same["after"] == none["before"] > 0
    assert none["after"] == 0
    assert none["going"]["count"] == none["before"]
    assert reader.get(none["going"]["examples"][0]["page"]).status == 200
    for body in ([], {"threshold": 7}, {"nonsense": 1}, {"area": [{"points": "x"}]}, {"area": {"a": [1, [2]]}}):
        assert reader.send(path, body).status == 400, body
    assert reader.send("/api/v1/cameras/nobody/preview/", {}).status == 404
    assert not (site.folder / "review" / "settings.toml").exists()


def test_page_of_each_camera_opens_whatever_its_name(site: Site) -> None:
    """Names come from mails: markup, slashes and nothing at all."""
    visitor = site.visitor()
    database = sqlite3.connect(site.folder / "alerts.sqlite3", timeout=20)
    for name in ("a/b ? c#d", "<script>", "%2e%2e"):
        database.execute("INSERT INTO camalert_camera VALUES (?, 1, 1, 'alarm', '192.168.1.20', 30, 1, 0)", (name,))
    database.commit()
    database.close()

    text = visitor.get("/cameras/").text
    links = {html.unescape(link) for link in re.findall(r'<h2><a href="(/cameras/[^"]+)"', text)}
    assert len(links) >= 5
    for link in links:
        page = visitor.get(link)
        assert (page.status, "<script>" in page.text) == (200, False), link
    assert visitor.get("/cameras/no%20such/").status == 404
