"""Who counts is decided by the camera's rules, and said in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert.config import Area, Camera, Config, Detector
from camalert.detection.people import Person
from camalert.detection.rules import Rule, camera_of, effort_of, explain, feet, judge
from camalert.errors import ConfigError
from camalert.polygon import contains, parse_polygon

SHAPE = (200, 100)  # height, width
LEFT = Area("street", "ignore", "0,0 50,0 50,100 0,100")
RIGHT = Area("door", "watch", "50,0 100,0 100,100 50,100")
PERSON = Person(70, 100, 20, 60, 0.8)  # 30 % tall, feet at 80, 80 %


def ruling(person, **settings):
    return judge([person], Camera(name="yard", **settings), 0.5, SHAPE)[0]


def test_judge_without_rules_counts_everybody_above_the_threshold():
    """The threshold itself counts."""
    assert ruling(PERSON).rule is Rule.COUNTED
    assert ruling(Person(0, 0, 9, 9, 0.5)).rule is Rule.COUNTED
    assert ruling(Person(0, 0, 9, 9, 0.49)).rule is Rule.DOUBTFUL


@pytest.mark.parametrize(
    ("settings", "rule", "words"),
    [
        ({"min_person_height_percent": 31.0}, Rule.SMALL, "0.80, 30 % tall, is smaller than the 31 % allowed"),
        ({"max_person_height_percent": 29.0}, Rule.LARGE, "0.80, 30 % tall, is larger than the 29 % allowed"),
        ({"area": (RIGHT,)}, Rule.COUNTED, "is counted"),
        ({"area": (LEFT,)}, Rule.COUNTED, "is counted"),
        ({"area": (Area("", "watch", LEFT.points),)}, Rule.UNWATCHED, "stands outside the watched areas"),
        ({"area": (Area("road", "ignore", RIGHT.points), RIGHT)}, Rule.IGNORED, "stands in the ignored area 'road'"),
    ],
)
def test_judge_names_the_rule_that_decided(settings, rule, words):
    """Size before place; an ignored area beats a watched one."""
    found = ruling(PERSON, **settings)

    assert found.rule is rule
    assert words in found.words


def test_feet_are_the_lower_middle_in_per_cent():
    """Where somebody stands is where the box touches the ground."""
    assert feet(PERSON, SHAPE) == (80.0, 80.0)


@pytest.mark.parametrize(
    ("scores", "settings", "words"),
    [
        ((), {}, "nobody found: best score 0.00, threshold 0.50"),
        ((0.4, 0.2), {}, "nobody counted: best score 0.40 is below the threshold 0.50"),
        ((0.4968,), {}, "nobody counted: best score 0.497 is below the threshold 0.500"),
        ((0.9, 0.7, 0.2), {}, "2 people counted: best score 0.90, threshold 0.50"),
        ((0.9,), {}, "1 person counted: best score 0.90, threshold 0.50"),
        ((0.9, 0.2), {"area": (Area("road", "ignore", RIGHT.points),)}, "in the ignored area 'road'"),
    ],
)
def test_explain_answers_why(scores, settings, words):
    """One sentence answers why a picture was or was not counted."""
    people = [Person(70, 100, 20, 60, score) for score in scores]
    rulings = judge(people, Camera(**settings), 0.5, SHAPE)

    assert words in explain(rulings, max(scores, default=0.0), 0.5)


def test_camera_of_ignores_capitals_and_knows_no_stranger():
    """A camera's section is found by its name; any other camera has the defaults."""
    config = Config(camera=(Camera(name="Front Door", effort="fast"),), detector=Detector(effort="thorough"))

    assert effort_of(config, camera_of(config, "front door")) == "fast"
    assert camera_of(config, "garage") == Camera(name="garage")
    assert effort_of(config, camera_of(config, "garage")) == "thorough"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0,0 10,10", "has 2 corners"),
        ("", "has 0 corners"),
        ("0,0 10,x 5,5", "'10,x'"),
        ("0,0 1,2,3 5,5", "'1,2,3'"),
        ("0,0 101,0 5,5", "outside the picture"),
        ("0,0 nan,0 5,5", "outside the picture"),
        (" ".join(["1,1"] * 65), "has 65 corners"),
    ],
)
def test_parse_polygon_of_nonsense_says_what_is_wrong(text, words):
    """The message holds the corner that cannot be read, or their number."""
    with pytest.raises(ConfigError, match=words):
        parse_polygon(text)


@given(st.floats(0, 100), st.floats(0, 100))
def test_contains_agrees_with_a_rectangle(x, y):
    """For a rectangle the rule is plain arithmetic; the edge itself may fall either way."""
    polygon = parse_polygon("20,30 80,30 80,60 20,60")
    if x in (20, 80) or y in (30, 60):
        return

    assert contains(polygon, (x, y)) == (20 < x < 80 and 30 < y < 60)


def test_contains_knows_a_notch():
    """A corner that points inwards is left out."""
    polygon = parse_polygon("0,0 100,0 100,100 50,20 0,100")

    assert contains(polygon, (50, 10))
    assert not contains(polygon, (50, 60))
