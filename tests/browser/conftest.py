"""A whole household for the browser: the real service with its review site, cameras that mail, and Chromium."""

from __future__ import annotations

import datetime
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from testing import household
from testing.chromium import ROOT, Browser, House
from testing.ports import free_port
from testing.reviewrig import Visitor
from testing.service import ServiceUnderTest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip these tests with the reason where no browser can be driven."""
    missing = [program for program in ("chromium", "chromedriver") if not shutil.which(program)]
    try:
        import django  # noqa: F401, PLC0415 - an extra
        import selenium  # noqa: F401, PLC0415 - an extra
    except ImportError as error:
        missing.append(str(error.name))
    if missing:
        for item in items:
            if Path(__file__).parent in item.path.parents and "firefox" not in item.fixturenames:
                item.add_marker(pytest.mark.skip(reason=f"`make test-browser` installs {', '.join(missing)}"))


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Return a service with some weeks of alarms and one login."""
    port = free_port()
    folder = tmp_path_factory.mktemp("house")
    service = ServiceUnderTest(
        folder, review__enabled="true", review__host="127.0.0.1", review__port=port, review__data_dir=folder / "review",
        review__admin="true",
        database__keep_alerts=100_000, database__keep_detections=100_000,
    )  # fmt: skip
    home = household.Household(service.database)
    home.fill(220, household.scenes(), end=datetime.datetime.now().replace(microsecond=0))  # noqa: DTZ005 - as rows are
    home.close()
    service.start()
    try:
        service.wait_for("review_site_ready")
        assert Visitor(port).set_up(folder / "review").status == 302
        yield House(service, port)
    finally:
        service.close()


@pytest.fixture
def browser(house: House, tmp_path: Path) -> Iterator[Callable[..., Browser]]:
    """Make browsers that are closed at the end; none of them may have complained."""
    made: list[Browser] = []
    house.wait_settled()

    def make(width: int = 1280, height: int = 900, *, is_dark: bool = False, is_logged_in: bool = True) -> Browser:
        made.append(Browser(house, tmp_path / f"profile-{len(made)}", width, height, is_dark=is_dark))
        if is_logged_in:
            made[-1].log_in()
        return made[-1]

    yield make
    complaints = [
        words for each in made for words in each.complaints() if not re.search("/(thumbnail|preview)", words)
    ]  # being made
    for each in made:
        each.driver.quit()
    assert complaints == []


@pytest.fixture(scope="session")
def axe() -> str:
    """Return the script that looks for barriers."""
    found = sorted((ROOT / "build" / "axe").glob("*/axe.min.js"))
    if not found:
        pytest.skip("`make test-browser` fetches axe-core")
    return found[-1].read_text(encoding="utf-8")
