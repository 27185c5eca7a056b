"""The figures page of a running site."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

import pytest
from testing import household
from testing.reviewsite import HOSTILE, Site, running

NOW = datetime.datetime.now().replace(microsecond=0)  # noqa: DTZ005 - as rows are


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("figures")) as found:
        home = found.home()
        someone, nobody = household.tiny()[0], household.Picture(household.tiny()[1].jpeg, 120, 192)
        for number in range(12):
            home.add("Gate", NOW - datetime.timedelta(seconds=number), someone if number < 3 else nobody)
        home.add(HOSTILE, NOW, nobody)
        home.connection.execute("UPDATE camalert_alert SET mark = 'not a person' WHERE camera = 'Gate'"
                                " AND outcome = 'person'")  # fmt: skip
        home.close()
        yield found


def test_figures_for_programs_are_those_of_the_rows(site: Site) -> None:
    """Sums of the month, and of the days in it."""
    found = site.visitor().get("/api/v1/figures/").json()

    month = f"{NOW:%Y-%m}"
    (row,) = site.query("SELECT sum(alerts), sum(detections) FROM camalert_day WHERE day >= ?", f"{month}-01")
    assert (found["month"]["alarms"], found["month"]["people"]) == row
    gate = next(each for each in found["cameras"] if each["camera"] == "Gate")
    assert (gate["alarms"], gate["people"], gate["flagged"], gate["less_percent"]) == (12, 3, 3, 75)
    assert [each["of"] for each in found["kept"]] == ["alarms", "pictures with people"]
    assert found["kept"][0]["rows"] == site.query("SELECT count(*) FROM camalert_alert")[0][0]


def test_sums_survive_the_rows(site: Site) -> None:
    """What gave way to newer pictures still counts."""
    before = site.visitor().get("/api/v1/figures/").json()["month"]
    home = site.home()
    home.connection.execute("DELETE FROM alerts_alert WHERE id IN (SELECT alert_id FROM camalert_alert"
                            " WHERE camera = 'Gate' AND outcome = 'nobody')")  # fmt: skip
    home.close()

    assert site.visitor().get("/api/v1/figures/").json()["month"] == before


def test_page_shows_where_the_boxes_lie(site: Site) -> None:
    """Of what was flagged as not a person; names that cameras invent are text."""
    page = site.visitor().get("/figures/").text

    assert "less to look at" in page
    assert "3 pictures flagged as not a person" in page
    assert page.count('<rect x="20.8" y="16.7" width="20.8" height="75.0"') == 3
    assert "<script>alert" not in page
    assert " style=" not in page
