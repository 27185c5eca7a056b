"""A database restored from the site: the real service begins again with it, or goes back."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from testing import household, reviewsite
from testing.ports import free_port
from testing.reviewrig import PASSWORD, Visitor
from testing.service import ServiceUnderTest
from testing.waiting import until

from camalert.store import restoring
from camalert.store.restoring import Places, State

pytest.importorskip("django", reason="the site is an extra")

PIECE = 300_000


class Restored:
    """A running service with an owner at its site."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.data = folder / "review"
        self.service = ServiceUnderTest(
            folder, review__enabled="true", review__host="127.0.0.1", review__port=self.port, review__data_dir=self.data
        )
        self.owner = Visitor(self.port)
        self.places = Places.of(self.service.database)
        home = household.Household(self.service.database)
        home.fill(30, household.tiny(), end=reviewsite.NOON)
        home.close()

    def start(self) -> None:
        self.service.start()
        self.service.wait_for("review_site_ready")
        assert self.owner.set_up(self.data).status == 302
        self.confirm()

    def confirm(self) -> None:
        assert self.owner.post("/account/confirm/", {"password": PASSWORD, "next": "/backup/"}).status == 302

    def state(self) -> dict[str, Any]:
        return self.owner.get("/backup/restore/state/").json()

    def settled(self, what: str = "last", *wanted: str) -> dict[str, Any]:
        """Wait until a restore is over; the site is away for a moment."""

        def look() -> dict[str, Any] | None:
            try:
                found = self.state()
            except (OSError, http.client.HTTPException, ValueError):
                return None
            return found if found[what] in wanted else None

        return until(look, lambda: f"{what} in {wanted}\n{self.service.tail()}", 120.0)

    def alerts(self, path: Path | None = None) -> int:
        with contextlib.closing(sqlite3.connect(path or self.service.database, timeout=10)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            return int(connection.execute("SELECT count(*) FROM alerts_alert").fetchone()[0])

    def copy(self) -> str:
        """Make a copy, as each night; return its name."""
        assert self.owner.post("/backup/make/", {}).status == 302

        def made() -> str | None:
            listed = self.owner.get("/api/v1/copies/").json()
            names = [each["name"] for each in listed["copies"] if each["name"].startswith("alerts-")]
            return names[0] if names and not listed["is_being_made"] else None

        return until(made, "the copy", 30.0)

    def upload(self, content: bytes, name: str = "camalert-alerts.sqlite3") -> None:
        """Send a file as the page's script does."""
        token = self.owner.form_token("/account/")
        for at in range(0, len(content), PIECE):
            path = f"/backup/upload/?at={at}&of={len(content)}&name={name}"
            piece = content[at : at + PIECE]
            for _ in range(2):  # a piece whose answer was lost comes again
                answer = self.owner.ask("POST", path, piece, X_CSRFToken=token)
                assert answer.status == 200, answer.text
                assert answer.json() == {"done_bytes": at + len(piece)}
        answer = self.owner.ask("POST", "/backup/upload/end/", b"", X_CSRFToken=token)
        assert answer.status == 202, answer.text

    def mail(self, count: int) -> None:
        for _ in range(count):
            code, words = self.service.send([household.tiny()[0].jpeg], "Garage: motion")
            assert code == 250, words


@pytest.fixture
def house(tmp_path: Path) -> Any:
    found = Restored(tmp_path / "service")
    yield found
    found.service.close()


def test_copy_is_restored_by_one_click_and_taken_back_by_another(house: Restored) -> None:
    """The same process goes on with the other database; what came since is in the one that is kept."""
    house.start()
    name, pid = house.copy(), house.service.pid
    house.mail(3)
    assert house.alerts() == 33
    last = house.owner.get("/api/v1/alarms/").json()
    newest = max(row["id"] for row in last[next(key for key in last if isinstance(last[key], list))])

    assert house.owner.post("/backup/restore/copy/", {"name": name}).status == 302
    assert house.settled("last", "done")["kept_bytes"] > 0

    assert house.service.pid == pid
    assert house.alerts() == 30
    assert house.alerts(house.places.kept) == 33
    house.mail(1)
    with contextlib.closing(sqlite3.connect(house.service.database, timeout=10)) as connection:
        assert connection.execute("SELECT max(id) FROM alerts_alert").fetchone()[0] > newest  # no id comes twice
    assert "in force" in house.owner.get("/backup/").text
    assert len(house.service.find("database_restored")) == 1

    assert house.owner.post("/backup/restore/copy/", {"name": "before-restore"}, page="/backup/").status == 302
    until(lambda: len(house.service.find("database_restored")) == 2, house.service.tail, 120.0)
    house.settled("last", "done")
    assert house.alerts() == 33
    assert house.owner.post("/backup/restore/kept/remove/", {}, page="/backup/").status == 302
    assert not house.places.kept.exists()


def test_upload_is_verified_before_anything_is_touched(house: Restored) -> None:
    """A damaged file and a foreign one change nothing, and the page says what is wrong; a sound one is in force."""
    house.start()
    content = house.owner.get(f"/backup/{house.copy()}/").body
    house.mail(1)
    broken = content[:40_960] + bytes(8192) + content[49_152:]

    for bad, why in (
        (broken, "not a sound database"),
        (content[: len(content) // 2 + 100], ""),
        (b"no = [", "settings"),
    ):
        house.upload(bad)
        found = house.settled("step", "failed")
        assert why in found["why"]
        assert not house.places.draft.exists()
        assert not house.places.staged.exists()
    assert house.alerts() == 31
    assert house.service.find("reload_requested") == []

    house.upload(content)
    house.settled("last", "done")
    assert house.alerts() == 30


def test_settings_are_restored_with_their_history(house: Restored) -> None:
    """They are tried as any change is, and taken back like one."""
    house.start()
    house.upload(b'[[camera]]\nname = "Garage"\nthreshold = 0.77\n', "camalert-settings.toml")
    house.settled("step", "settings", "")

    def in_force() -> bool:
        try:
            newest = house.owner.get("/api/v1/settings/changes/").json()["changes"][0]
        except (OSError, http.client.HTTPException, ValueError):
            return False
        return bool(newest["state"] == "in force" and "camalert-settings.toml" in newest["summary"])

    until(in_force, house.service.tail, 90.0)
    assert "0.77" in (house.data / "settings.toml").read_text()


def test_service_goes_back_when_it_does_not_start_with_the_other_one(house: Restored) -> None:
    """Here the disk has spoilt it between the look and the start."""
    house.places.staged.write_bytes(b"not at all a database" * 1000)

    house.service.start()
    house.service.wait_whole(120.0)  # the site was ready once before, in the run that failed

    assert house.service.find("restore_failed")
    assert house.alerts() == 30
    assert house.places.failed.read_bytes().startswith(b"not at all")
    assert restoring.read(house.places).state is State.FAILED
    assert house.owner.set_up(house.data).status == 302
    house.confirm()
    assert "went back to the database of before" in house.owner.get("/backup/").text
    house.mail(1)


def test_killed_service_completes_what_was_begun(house: Restored) -> None:
    """SIGKILL right after the restore was asked for: the next start has the one or the other, whole, and goes on."""
    house.start()
    name = house.copy()
    house.mail(2)
    assert house.owner.post("/backup/restore/copy/", {"name": name}).status == 302
    until(lambda: house.places.staged.exists() or house.places.note.exists(), "the staged database", 60.0)
    time.sleep(0.3)
    os.kill(house.service.pid, signal.SIGKILL)
    assert house.service.process is not None
    house.service.process.wait()
    until(lambda: not house.service.leftover_processes(), "the children's end", 30.0)

    house.service.start()
    house.service.wait_whole(120.0)
    assert house.alerts() == 30
    assert house.alerts(house.places.kept) == 32
    assert restoring.read(house.places).state is State.DONE


def test_only_an_owner_with_the_password_restores(house: Restored) -> None:
    """A session that was left open is asked for the password, a token and a viewer are refused."""
    house.start()
    name = house.copy()
    other = Visitor(house.port, source="127.0.0.9")
    assert other.log_in().status == 302
    token = other.form_token("/account/")
    answer = other.ask("POST", "/backup/upload/?at=0&of=5&name=x", b"12345", X_CSRFToken=token)
    assert (answer.status, "confirm" in answer.json()) == (403, True)
    assert other.post("/backup/restore/copy/", {"name": name}).status == 302
    assert house.state()["step"] == ""
    house.owner.post("/account/people/put/", {"username": "ben", "password": PASSWORD, "role": "viewer"})
    ben = Visitor(house.port, source="127.0.0.10")
    assert ben.log_in("ben").status == 302
    ben.post("/account/confirm/", {"password": PASSWORD})
    assert ben.get("/backup/restore/state/").status == 403
    assert ben.post("/backup/restore/copy/", {"name": name}).status == 403
    assert ben.ask("POST", "/backup/upload/?at=0&of=5", b"12345", X_CSRFToken=token).status == 403

    owner = house.owner
    token = owner.form_token("/account/")
    for query, status in (("at=0&of=99999999999999", 409), ("at=0&of=0", 409), ("at=x&of=5", 409), ("at=7&of=5", 409)):
        assert owner.ask("POST", f"/backup/upload/?{query}", b"12345", X_CSRFToken=token).status == status
    assert owner.post("/backup/restore/copy/", {"name": "../secret-key"}, page="/backup/").status == 404

    for name in ("first", "again"):  # the page was loaded again: its own upload does not stand in its way
        answer = owner.ask("POST", f"/backup/upload/?at=0&of=9&name={name}", b"12345", X_CSRFToken=token)
        assert (answer.status, house.state()["name"]) == (200, name), answer.text
    other.post("/account/confirm/", {"password": PASSWORD})
    token = other.form_token("/account/")
    assert other.ask("POST", "/backup/upload/?at=0&of=9&name=x", b"12345", X_CSRFToken=token).status == 409
    assert house.state()["name"] == "again"  # another session's does
