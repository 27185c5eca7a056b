"""The day at a glance, the calendar and the search of a running site."""

from __future__ import annotations

import datetime
import gzip
import re
from collections.abc import Iterator
from html import unescape

import pytest
from testing import household
from testing.reviewsite import NOON, Site, running

DAY = "2026-11-22"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("day")) as found:
        yield found


def test_strip_counts_what_the_list_has(site: Site) -> None:
    """Its sums are those of the rows of that day, and each cell's link leads to its hour."""
    visitor = site.visitor()
    answer = visitor.get(f"/api/v1/day/?day={DAY}").json()

    listed = visitor.get(f"/api/v1/alarms/?day={DAY}&limit=500").json()["rows"]
    assert sum(row["alarms"] for row in answer["cameras"]) == len(listed)
    hours = {(row["camera"], each["hour"]): each for row in answer["cameras"] for each in row["hours"]}
    assert hours["Garage", 12] == {"hour": 12, "alarms": 2, "people": 1}

    page = visitor.get(f"/alarms/?day={DAY}").text
    links = [unescape(link) for link in re.findall(r'<a href="([^"]+)" data-since="2026-11-22 12:00"', page)]
    assert links
    found = re.findall(r'data-timestamp="([^"]+)"', visitor.get("/alarms/" + links[0]).text)
    assert max(found) < "2026-11-22 13:00"
    assert "2026-11-22 12:00:20" in found


def test_lists_travel_compressed(site: Site) -> None:
    """To a browser that can read it: with the strip of a full day a list stays small."""
    packed = site.visitor().get(f"/alarms/?day={DAY}", Accept_Encoding="gzip, br")

    assert packed.headers["Content-Encoding"] == "gzip"
    assert b"data-timestamp" in gzip.decompress(packed.body)
    assert len(packed.body) < 20_000
    picture = site.visitor().get(f"/alarms/{site.rows.nobody}/picture", Accept_Encoding="gzip")
    assert picture.headers["Content-Encoding"] is None


def test_calendar_has_the_days_with_people(site: Site) -> None:
    """A month back is one link away, and a day in it leads to its rows."""
    page = site.visitor().get(f"/alarms/?day={DAY}&month=2026-11").text

    assert '<details class="calendar" id="calendar" open>' in page
    assert re.search(r'data-day="2026-11-22" class="people" aria-current="date"', page)
    assert 'data-day="2026-11-23"' not in page
    for month in ("0001-01", "9999-12", "2026-13", "x"):
        assert site.visitor().get(f"/day/?list=alarms&month={month}&strip=0001-01-01").status == 200


def test_days_are_found_by_the_index(site: Site) -> None:
    """The scrubber's days are those that rows have, newest first, of one camera too."""
    visitor = site.visitor()

    days = visitor.get("/api/v1/days/?list=alarms").json()["days"]
    rows = site.query("SELECT DISTINCT substr(timestamp, 1, 10) FROM camalert_alert ORDER BY 1 DESC")
    assert days == [day for (day,) in rows]
    own = visitor.get("/api/v1/days/?list=people&camera=garage").json()["days"]
    rows = site.query("SELECT DISTINCT substr(timestamp, 1, 10) FROM camalert_detect WHERE camera = 'Garage'"
                      " ORDER BY 1 DESC")  # fmt: skip
    assert own == [day for (day,) in rows]
    assert visitor.get("/api/v1/days/?camera=nobody").json()["days"] == []


def test_search_leads_to_the_list_and_says_how_it_was_understood(site: Site) -> None:
    """The address has the filters as they are, so that it shows the same tomorrow."""
    visitor = site.visitor()

    found = visitor.get("/search/?q=garage+2026-11-22+12:00&list=alarms")

    assert found.status == 302
    page = visitor.get(found.headers["Location"])
    stamps = re.findall(r'data-timestamp="([^"]+)"', page.text)
    assert stamps == ["2026-11-22 12:00:20", "2026-11-22 12:00:00"]
    assert "Shows: <strong>Garage, " in page.text
    assert 'value="garage 2026-11-22 12:00"' in page.text


def test_search_for_what_is_not_a_person_leads_to_all_alarms(site: Site) -> None:
    """The list of people has nobody without people."""
    assert site.visitor().get("/search/?q=nobody&list=people").headers["Location"].startswith("/alarms/?outcome=nobody")


def test_words_are_searched_in_subjects_of_pictures_and_visits(site: Site) -> None:
    """Also such that look like a pattern, and capitals that only Unicode knows."""
    home = site.home()
    at = NOON + datetime.timedelta(days=3)
    home.add("Gate", at, household.tiny()[0], subject="Paket: 100%_TÜR")
    home.group()
    home.close()
    visitor = site.visitor()

    for words in ("t%C3%BCr", "100%25_", "paket+gate"):
        assert [row["timestamp"] for row in visitor.get(f"/api/v1/alarms/?words={words}").json()["rows"]] == [str(at)]
        assert [visit["camera"] for visit in visitor.get(f"/api/v1/visits/?words={words}").json()["visits"]] == ["Gate"]
    assert visitor.get("/api/v1/alarms/?words=100_1").json()["rows"] == []
    assert len(visitor.get("/api/v1/visits/?since=2026-11-25T11:00&until=2026-11-25T13:00").json()["visits"]) == 1


def test_search_of_the_inbox_finds_what_is_reviewed(site: Site) -> None:
    """An inbox that nobody has filtered says nothing of a filter."""
    visitor = site.visitor()

    assert visitor.get("/search/?q=garage&list=visits").headers["Location"] == "/?camera=Garage&review=all&asked=garage"
    assert "review=all" in visitor.get("/day/?list=visits&strip=2026-11-22").text
    assert 'id="shown"' not in visitor.get("/").text
    assert visitor.get("/search/?q=cats+unreviewed&list=visits").headers["Location"] == (
        "/?object=cat&asked=cats+unreviewed"
    )


def test_search_says_what_it_left_out(site: Site) -> None:
    """A program gets it with the filters, a person on the page."""
    visitor = site.visitor()

    answer = visitor.get("/api/v1/search/?q=last+week+14:00+%22%3E%3Cscript%3E").json()
    assert set(answer["filters"]) == {"since", "until", "words"}
    assert answer["left_out"] == ["“14:00” was left out: a time of day needs one day."]

    page = visitor.get(visitor.get("/search/?q=last+week+14:00+%22%3E%3Cscript%3E").headers["Location"]).text
    assert "was left out" in page
    assert "<script>" not in page.split("<main", 1)[1].split('<script type="module"')[0]
