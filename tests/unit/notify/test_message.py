"""What a message says."""

from __future__ import annotations

import datetime
import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from camalert.notify.message import LATE_S, MOST_LINES, Lost, Row, compose, gather
from camalert.visits import digest
from camalert.visits.grouping import Visit

NOW = datetime.datetime(2026, 6, 3, 14, 0, tzinfo=datetime.UTC).timestamp()
ROW = Row(1, "a", "visit", "Garage", NOW, NOW, visit=7, alert=70, score=0.83, began_utc=NOW, last_utc=NOW + 130)


def rows(count: int, age_s: float, camera: str = "Garage") -> list[Row]:
    return [
        replace(ROW, id=n, key=f"{n}", camera=camera, at_utc=NOW - age_s + n, created_utc=NOW - age_s + n)
        for n in range(count)
    ]


def text(row: Row, lost: Lost | None = None) -> tuple[str, str]:
    made = compose([row], lost, NOW, datetime.UTC)
    return made.title, made.text


def test_visit_says_who_stands_where_and_when() -> None:
    """And the id is the row's, so that a repeat is known."""
    assert text(ROW) == ("Somebody at Garage", "14:00:00, score 0.83")
    assert compose([ROW], None, NOW, None).id == "a"


def test_visit_of_something_else_says_what_it_was() -> None:
    """Nobody wants to run for a fox."""
    assert text(replace(ROW, objects="dog"))[0] == "A dog at Garage"
    assert text(replace(ROW, objects="bicycle,car"))[0] == "A bicycle and a car at Garage"
    assert text(replace(ROW, objects="person,dog"))[0] == "Somebody at Garage"


def test_over_says_how_long_it_was() -> None:
    """From the first picture to the last."""
    over = replace(ROW, kind="over", pictures=7)

    assert text(over)[1] == "14:00:00 to 14:02:10 (2 min), 7 pictures, best score 0.83"


def test_late_message_says_when_it_was() -> None:
    """A phone that shows it at three must not make its owner run."""
    title, words = text(replace(ROW, at_utc=NOW - 10_800))

    assert title == "Late: Somebody at Garage"
    assert words.endswith("This was at 2026-06-03 11:00, 3.0 h ago.")


def test_many_late_messages_become_one() -> None:
    """An outage of hours ends in one message; what is new stays one of its own."""
    late = rows(300, 10_800)
    found = gather([*late, replace(ROW, id=999)], NOW)

    assert found == late
    made = compose(found, None, NOW, datetime.UTC)
    assert made.title == "Late: 300 messages that could not be sent before"
    assert made.text == "Garage: 300 visits, 2026-06-03 11:00 to 2026-06-03 11:04"
    assert made.kind == "summary"
    assert (made.facts["count"], len(made.facts["messages"])) == (300, 200)


def test_new_messages_go_one_by_one() -> None:
    """Three cameras, three pictures; one late message is one as well."""
    assert gather(rows(3, 10), NOW) == rows(3, 10)[:1]
    assert gather(rows(1, LATE_S + 60), NOW) == rows(1, LATE_S + 60)


def test_what_was_given_up_is_summed_up_in_the_next_message() -> None:
    """Once it works again the owner learns what never arrived."""
    words = text(ROW, Lost(12, NOW - 90_000, NOW - 86_400))[1]

    assert words.endswith("12 messages between 2026-06-02 13:00 and 2026-06-02 14:00 could not be delivered.")


def test_summary_of_many_cameras_is_short() -> None:
    """A stranger may have invented their names."""
    many = [row for n in range(50) for row in rows(2, 10_800, f"camera {n}")]

    made = compose(many, None, NOW, datetime.UTC)

    assert len(made.text.splitlines()) == MOST_LINES + 1
    assert made.text.endswith("and 38 other cameras")
    assert made.camera == ""


def test_summary_is_as_urgent_as_its_most_urgent_message() -> None:
    """None of them loses its priority."""
    late = rows(3, 10_800)
    late[1] = replace(late[1], priority="urgent")

    assert compose(late, None, NOW, None).priority == "urgent"


MOMENTS = st.floats(0, 4e9)
ROWS = st.builds(
    Row,
    st.integers(0, 99),
    st.text(),
    st.sampled_from(["visit", "over", "trouble", "x"]),
    st.text(max_size=20),
    MOMENTS,
    MOMENTS,
    score=st.floats(0, 1),
    message=st.text(max_size=50),
    last_utc=MOMENTS,
)


@given(st.lists(ROWS, min_size=1, max_size=5))
def test_any_rows_make_a_message(found: list[Row]) -> None:
    """Whatever a camera is called and whatever the clocks say."""
    made = compose(gather(found, NOW), None, NOW, datetime.UTC)

    assert made.title
    json.dumps(made.facts)


def test_digest_says_all_of_a_day_and_goes_alone() -> None:
    """Visits of each camera, which number is which picture, false alarms, silent cameras; several are one."""
    row = replace(ROW, id=5, kind="digest", camera="", visit=0, alert=0, since_utc=NOW - 86_400)
    late = rows(3, 10_800)
    assert gather([*late, row], NOW) == late
    assert gather([row, *late, replace(row, id=6)], NOW) == [row, replace(row, id=6)]
    began = NOW - 7200
    visits = [Visit(n, "Garage", began + n, began + 60 * n, began, 1, n, n, 0.5) for n in (1, 2)]
    visits.append(Visit(3, "", NOW - 80_000, NOW - 80_000, began, 1, 1, 3, 0.5))
    found = digest.gather(
        visits, (), since_utc=NOW - 86_400, until_utc=NOW, silent=("Shed", "Gate"), false_alarms=1, is_whole=True
    )

    made = compose([row], None, NOW, datetime.UTC, found)

    assert made.title == "Digest: 3 visits"
    assert made.text.splitlines() == [
        "2026-06-02 14:00 to 2026-06-03 14:00",
        "Garage: 2 visits, up to 2 people, 12:00 to 12:02",
        "Unnamed camera: 1 visit, 15:46",
        "Pictures: 1 Unnamed camera 15:46, 2 Garage 12:00, 3 Garage 12:00",
        "1 picture marked as a false alarm",
        "Silent: Shed, Gate",
    ]
    assert made.kind == made.facts["event"] == "digest"
    assert made.facts["cameras"][0] == {
        "camera": "Garage", "visits": 2, "people": 2, "first": "2026-06-03T12:00:01Z", "last": "2026-06-03T12:02:00Z",
    }  # fmt: skip
    assert [one["alert"] for one in made.facts["best"]] == [3, 1, 2]
    assert json.loads(json.dumps(made.facts)) == made.facts


def test_digest_of_a_quiet_day_is_a_sign_of_life() -> None:
    """Nobody came, and that is worth a line."""
    row = replace(ROW, kind="digest", camera="", visit=0, alert=0, since_utc=NOW - 86_400)

    made = compose([row], None, NOW, datetime.UTC, digest.gather([], (), since_utc=NOW - 86_400, until_utc=NOW))

    assert (made.title, made.text) == (
        "Digest: nobody was seen",
        "2026-06-02 14:00 to 2026-06-03 14:00\nNobody was seen.",
    )
