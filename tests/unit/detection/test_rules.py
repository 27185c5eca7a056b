"""Who counts is decided by the camera's rules, and said in a sentence."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert.config.schema import Area, Camera, Config, Detector, parse_polygon
from camalert.detection.people import Person
from camalert.detection.rules import (
    Rule,
    asks_for_others,
    camera_of,
    contains,
    effort_of,
    efforts_of,
    explain,
    foot_point,
    judge,
    objects_of,
)

SHAPE = (200, 100)  # height, width
LEFT = Area("street", "ignore", "0,0 50,0 50,100 0,100")
RIGHT = Area("door", "watch", "50,0 100,0 100,100 50,100")
PERSON = Person(70, 100, 20, 60, 0.8)  # 30 % tall, foot point at 80, 80 %


def ruling(person, **settings):
    return judge([person], Camera(name="yard", **settings), ("person",), 0.5, SHAPE)[0]


def test_judge_without_rules_counts_everybody_above_the_threshold():
    """The threshold itself counts."""
    assert ruling(PERSON).rule is Rule.COUNTED
    assert ruling(Person(0, 0, 9, 9, 0.5)).rule is Rule.COUNTED
    assert ruling(Person(0, 0, 9, 9, 0.49)).rule is Rule.BELOW_THRESHOLD


@pytest.mark.parametrize(
    ("settings", "rule", "message"),
    [
        (
            {"min_person_height_percent": 31.0},
            Rule.SMALL,
            "80 %, 30 % of the picture's height: below the minimum of 31 %",
        ),
        (
            {"max_person_height_percent": 29.0},
            Rule.LARGE,
            "80 %, 30 % of the picture's height: above the maximum of 29 %",
        ),
        ({"area": (RIGHT,)}, Rule.COUNTED, "height: counted"),
        ({"area": (LEFT,)}, Rule.COUNTED, "height: counted"),
        ({"area": (Area("", "watch", LEFT.points),)}, Rule.UNWATCHED, "stands outside the watched areas"),
        ({"area": (Area("road", "ignore", RIGHT.points), RIGHT)}, Rule.IGNORED, "stands in the ignored area 'road'"),
    ],
)
def test_judge_names_the_rule_that_decided(settings, rule, message):
    """Size before place; an ignored area beats a watched one."""
    found = ruling(PERSON, **settings)

    assert found.rule is rule
    assert message in found.message


def test_foot_point_is_the_lower_middle_in_percent():
    """Where somebody stands is where the box touches the ground."""
    assert foot_point(PERSON, SHAPE) == (80.0, 80.0)


@pytest.mark.parametrize(
    ("scores", "settings", "message"),
    [
        ((), {}, "no person found"),
        ((0.4, 0.2), {}, "no person counted: 40 % is below the threshold of 50 %"),
        ((0.4968,), {}, "no person counted: 49.7 % is below the threshold of 50.0 %"),
        ((0.9, 0.7, 0.2), {}, "2 people, surest 90 %, threshold 50 %"),
        ((0.9,), {}, "1 person, surest 90 %, threshold 50 %"),
        ((0.9, 0.2), {"area": (Area("road", "ignore", RIGHT.points),)}, "in the ignored area 'road'"),
    ],
)
def test_explain_answers_why(scores, settings, message):
    """One sentence answers why a picture was or was not counted."""
    people = [Person(70, 100, 20, 60, score) for score in scores]
    rulings = judge(people, Camera(**settings), ("person",), 0.5, SHAPE)

    assert message in explain(rulings, ("person",), 0.5)


DOG = Person(10, 150, 30, 20, 0.7, "dog")


@pytest.mark.parametrize(
    ("asked", "found", "counted", "message"),
    [
        (("person",), [PERSON, DOG], ["person"], "1 person, surest 80 %, threshold 50 %; also seen: dog 70 %"),
        (("person",), [DOG], [], "no person found; also seen: dog 70 %"),
        (("person", "animal"), [PERSON, DOG], ["person", "dog"], "1 person, 1 dog, surest 80 %"),
        (("dog",), [PERSON, DOG], ["dog"], "1 dog, surest 70 %, threshold 50 %; also seen: person 80 %"),
        (("vehicle", "cat"), [], [], "no vehicle or cat found"),
        (("animal",), [Person(0, 0, 9, 9, 0.3, "cat")], [], "no animal counted: 30 % is below the threshold of 50 %"),
    ],
)
def test_judge_counts_what_the_camera_asks_for(asked, found, counted, message):
    """A group stands for its kinds; what nobody asked for is named and does not count."""
    rulings = judge(found, Camera(), asked, 0.5, SHAPE)

    assert [ruling.person.kind for ruling in rulings if ruling.rule is Rule.COUNTED] == counted
    assert message in explain(rulings, asked, 0.5)


def test_judge_measures_people_alone_by_their_height_and_everything_by_where_it_stands():
    """A dog is small; in an ignored area it is ignored."""
    small = judge([DOG], Camera(min_person_height_percent=50.0), ("dog",), 0.5, SHAPE)[0]
    ignored = judge([DOG], Camera(area=(LEFT,)), ("dog",), 0.5, SHAPE)[0]

    assert (small.rule, ignored.rule) == (Rule.COUNTED, Rule.IGNORED)
    assert ignored.message.startswith("dog 70 %")


def test_asks_for_others_looks_at_every_camera_that_is_examined():
    """One camera is enough; one that is only stored is not."""
    dogs = Camera(name="yard", objects=("dog",))

    assert not asks_for_others(Config(camera=(Camera(name="door"),)))
    assert asks_for_others(Config(camera=(Camera(name="door"), dogs)))
    assert not asks_for_others(Config(camera=(dataclasses.replace(dogs, examine=False),)))
    assert asks_for_others(Config(detector=Detector(objects=("person", "vehicle"))))
    assert objects_of(Config(camera=(dogs,)), dogs) == ("dog",)


def test_camera_of_ignores_capitals_and_knows_no_stranger():
    """A camera's section is found by its name; any other camera has the defaults."""
    config = Config(camera=(Camera(name="Front Door", effort="fast"),), detector=Detector(effort="thorough"))

    assert effort_of(config, camera_of(config, "front door")) == "fast"
    assert camera_of(config, "garage") == Camera(name="garage")
    assert effort_of(config, camera_of(config, "garage")) == "thorough"


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


def test_efforts_of_are_those_of_the_detector_and_of_examined_cameras():
    """What a detector may be asked for is known when it starts."""
    config = Config(
        detector=Detector(effort="fast"),
        camera=(
            Camera(name="gate", effort="balanced"),
            Camera(name="yard"),
            Camera(name="shed", effort="thorough", examine=False),
        ),
    )

    assert efforts_of(config) == ("fast", "balanced")
