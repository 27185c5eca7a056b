"""A site without thumbnails, as profile "small" has it: whole pictures in their place, and no process beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from testing import household
from testing.reviewsite import NOON, SVG, Site, running

pytest.importorskip("django", reason="the review extra is not installed")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("whole"), thumbnails=0) as found:
        yield found


def test_list_shows_whole_pictures_with_their_boxes_in_place(site: Site) -> None:
    """The browser shows the middle of a whole picture, so the boxes are drawn over that part of it."""
    visitor = site.visitor()
    page = visitor.get("/people/").text
    found = re.search(r'src="(/people/\d+/thumbnail\?people)".*?viewBox="(\d+) (\d+) (\d+) (\d+)"', page)
    assert found, page
    left, top, width, height = map(int, found.groups()[1:])

    small = visitor.get(found[1])

    assert small.status == 200
    assert small.body == visitor.get(f"/alarms/{site.rows.person[0]}/picture").body
    assert (left == 0) != (top == 0) or width / height == pytest.approx(1.6, abs=0.01)
    assert width / height == pytest.approx(1.6, abs=0.02)


def test_no_process_makes_anything_small(site: Site) -> None:
    """Whoever looks at lists and clips costs a small board no image library."""
    visitor = site.visitor()

    assert visitor.get(f"/alarms/{site.rows.nobody}/thumbnail").headers["Content-Type"] == "image/jpeg"
    assert visitor.get(f"/clips/{site.rows.clip}/preview").status == 404
    assert visitor.get("/alarms/999999/thumbnail").status == 404
    assert site.children("camalert.review.shrink") == []


def test_what_is_no_picture_stays_none(site: Site) -> None:
    """What hides behind a picture's name is not handed out where a page shows it."""
    home = site.home()
    row, _ = home.add("Terrace", NOON, household.tiny()[0], snapshot=SVG)
    home.close()

    answer = site.visitor().get(f"/alarms/{row}/thumbnail")

    assert (answer.status, answer.headers["Location"].partition("?")[0]) == (302, "/static/review/no-picture.svg")
