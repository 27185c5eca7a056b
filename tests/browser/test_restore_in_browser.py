"""Restoring by the page: a file is chosen, sent in pieces, and the page follows until it is in force."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("selenium", reason="`make test-browser` installs it")

from testing.chromium import Browser, House
from testing.reviewrig import PASSWORD
from testing.waiting import until


def alerts(house: House) -> int:
    with contextlib.closing(sqlite3.connect(house.service.database, timeout=10)) as connection:
        return int(connection.execute("SELECT count(*) FROM alerts_alert").fetchone()[0])


@pytest.mark.parametrize("width", [390, 1440])
def test_owner_restores_a_file_and_goes_back(
    house: House, browser: Callable[..., Browser], tmp_path: Path, width: int
) -> None:
    """Progress is shown, the page says that it is in force, and one click goes back to the database of before."""
    from camalert.store.sqlite.backup import backup  # noqa: PLC0415 - beside the others it would run at collection

    copy, before = tmp_path / "alerts-copy.sqlite3", alerts(house)
    backup(house.service.database, copy)
    house.alarm(f"Your IPCamera:Door {width} detected motion")  # another one than before, or it is a repeat
    assert alerts(house) == before + 1
    person = browser(width, 900)
    person.open("/account/confirm/?next=/backup/")
    person.one("#id_password, input[name=password]").send_keys(PASSWORD)
    person.one("main form button").click()
    person.wait(lambda: person.all("#restore-file"), "the page")

    person.one("#restore-file").send_keys(str(copy))
    person.wait(lambda: person.one("#restore-upload").is_enabled(), "the button")
    person.one("#restore-upload").click()

    until(lambda: alerts(house) == before, "the restored database", 90.0)
    shown = "const last = document.querySelector('.last-restore.success'); return Boolean(last && !last.hidden);"
    person.wait(lambda: person.script(shown), "the page's word that it is in force")
    person.photograph(f"restored-{width}")
    person.complaints()  # of the seconds in which the site was away
    person.one(".kept-before form button").click()
    until(lambda: alerts(house) == before + 1, "the former database", 90.0)
    house.wait_settled()
    person.complaints()
