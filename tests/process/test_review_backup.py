"""Copies of the database, made and handed out by a running site."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from testing.reviewsite import running
from testing.waiting import until

PASSWORD = "correct horse 9"


def test_owner_makes_a_copy_and_downloads_it(tmp_path: Path) -> None:
    """After the password once more; what is downloaded is a whole database with every picture."""
    with running(tmp_path) as site:
        (tmp_path / "review" / "settings.toml").write_text("# mine\n")
        owner = site.visitor()
        assert owner.get("/backup/").headers["Location"] == "/account/confirm/?next=%2Fbackup%2F"
        assert owner.post("/backup/make/", {}).status == 302
        assert not list((tmp_path / "review").glob("copies/*"))
        assert owner.post("/account/confirm/", {"password": PASSWORD, "next": "/backup/"}).status == 302

        assert owner.post("/backup/make/", {}).status == 302
        listed = until(lambda: owner.get("/api/v1/copies/").json()["copies"], "the copy", 30.0)
        listed = until(lambda: len(owner.get("/api/v1/copies/").json()["copies"]) == 2, "both files", 30.0)

        page = owner.get("/backup/").text
        names = {each["name"]: each["file"] for each in owner.get("/api/v1/copies/").json()["copies"]}
        assert all(name in page for name in names)
        for name, address in names.items():
            answer = owner.get(address)
            assert int(answer.headers["Content-Length"]) == len(answer.body)
            (tmp_path / name).write_bytes(answer.body)
        (copy,) = tmp_path.glob("alerts-*.sqlite3")
        with contextlib.closing(sqlite3.connect(copy)) as found:
            assert found.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert found.execute("SELECT count(*) FROM alerts_alert").fetchall() == site.query(
                "SELECT count(*) FROM alerts_alert"
            )
        (settings,) = tmp_path.glob("settings-*.toml")
        assert settings.read_text() == "# mine\n"
        assert listed


def test_nothing_but_copies_is_handed_out(tmp_path: Path) -> None:
    """No other file of the folder, and no path out of it; a stranger gets none."""
    with running(tmp_path) as site:
        owner = site.visitor()
        owner.post("/account/confirm/", {"password": PASSWORD, "next": "/backup/"})
        for name in ("..%2Fsecret-key", "%2e%2e%2fsecret-key", "secret-key", "alerts-2026-01-01-000000.sqlite3"):
            assert owner.get(f"/backup/{name}/").status == 404
        stranger = site.visitor()
        stranger.cookies.clear()
        assert stranger.get("/backup/alerts-2026-01-01-000000.sqlite3/").status == 302
        assert stranger.get("/api/v1/copies/").status == 401
