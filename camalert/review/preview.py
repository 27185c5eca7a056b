"""What other settings of a camera would have meant: the rules, asked again about the boxes and scores of its past.

Nothing is examined anew. Pictures from before `uncounted` was kept have only those who counted: who would count in
addition is not known of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext, ngettext

from camalert.config import objects
from camalert.config.schema import Camera
from camalert.detection import rules
from camalert.detection.people import Person
from camalert.detection.rules import Rule
from camalert.review.selection import MISSED, NOT_A_PERSON


@dataclass(frozen=True, slots=True)
class Past:
    """A picture that was examined."""

    id: int
    height_px: int
    width_px: int
    people: tuple[Person, ...]  # those who counted then
    uncounted: tuple[Person, ...] | None  # the others; None: not kept
    best_score: float  # of all, counted or not
    mark: str


@dataclass(frozen=True, slots=True)
class Foot:
    """Where somebody stood, in percent of the picture, and what was said of the picture."""

    x: float
    y: float
    counts: bool
    is_false: bool


@dataclass(frozen=True, slots=True)
class Effect:
    """What would change.

    Attributes:
        pictures: How many were asked about.
        before: How many count with the settings in force.
        after: How many would count.
        going: Those that would not count any more, newest first.
        coming: Those that would count in addition.
        unknown: Of how many it is not known whether they would.
        feet: Where people stood.
    """

    pictures: int
    before: int
    after: int
    going: tuple[Past, ...]
    coming: tuple[Past, ...]
    unknown: int
    feet: tuple[Foot, ...]

    @property
    def going_false(self) -> int:
        """Return how many of those that go were marked as false alarms."""
        return sum(past.mark == NOT_A_PERSON for past in self.going)

    @property
    def coming_missed(self) -> int:
        """Return how many of those that come were marked as missed."""
        return sum(past.mark == MISSED for past in self.coming)

    @property
    def sentence(self) -> str:
        """Say it as to an owner."""
        if not self.pictures:
            return gettext("No picture of this camera has been examined yet.")
        values = {"pictures": self.pictures, "after": self.after, "before": self.before}
        if not self.going and not self.coming:
            text = ngettext(
                "Nothing changes: of the last %(pictures)s pictures %(after)s counts, as now.",
                "Nothing changes: of the last %(pictures)s pictures %(after)s count, as now.",
                self.after,
            )
            text %= values
        else:
            text = ngettext(
                "Of the last %(pictures)s pictures %(after)s counts instead of %(before)s",
                "Of the last %(pictures)s pictures %(after)s count instead of %(before)s",
                self.after,
            )
            text = text % values + _going(len(self.going), self.going_false)
            text += _coming(len(self.coming), self.coming_missed) + "."
        if self.unknown:
            more = ngettext(
                "Of %(count)s older one it is not known.", "Of %(count)s older ones it is not known.", self.unknown
            )
            text += " " + more % {"count": self.unknown}
        return text


def effect(pictures: Sequence[Past], now: tuple[Camera, float], then: tuple[Camera, float]) -> Effect:
    """Tell what a camera's other settings would have meant.

    Args:
        pictures: Those to ask about, newest first.
        now: The settings in force, with the threshold in force.
        then: The settings to try, likewise.
    """
    going, coming, feet = list[Past](), list[Past](), list[Foot]()
    before = after = unknown = 0
    for past in pictures:
        counts_now = _counts(past, *now)
        rulings = _judged(past, *then)
        counts_then = any(ruling.rule is Rule.COUNTED for ruling in rulings)
        before += counts_now
        after += counts_then
        if counts_now and not counts_then:
            going.append(past)
        elif counts_then and not counts_now:
            coming.append(past)
        elif not counts_then and past.uncounted is None and past.best_score >= then[1]:
            unknown += 1
        shape = (past.height_px, past.width_px)
        feet += [
            Foot(*rules.foot_point(each.person, shape), each.rule is Rule.COUNTED, past.mark == NOT_A_PERSON)
            for each in rulings
        ]
    return Effect(len(pictures), before, after, tuple(going), tuple(coming), unknown, tuple(feet))


def _counts(past: Past, camera: Camera, threshold: float) -> bool:
    return any(ruling.rule is Rule.COUNTED for ruling in _judged(past, camera, threshold))


def _judged(past: Past, camera: Camera, threshold: float) -> tuple[rules.Ruling, ...]:
    if past.height_px <= 0 or past.width_px <= 0 or not camera.examine:
        return ()
    everybody = (*past.people, *(past.uncounted or ()))
    return rules.judge(everybody, camera, objects.NAMES, threshold, (past.height_px, past.width_px))


def _going(count: int, marked: int) -> str:
    """Say how many of those that go people had marked as *not a person*."""
    if not count:
        return ""
    if count == 1 and marked:
        return "; " + gettext("the one that goes was marked not a person")
    if count == 1:
        return "; " + gettext("the one that goes was not marked not a person")
    if not marked:
        return "; " + gettext("none of the %(count)s that go was marked not a person") % {"count": count}
    text = ngettext(
        "%(marked)s of the %(count)s that go was marked not a person",
        "%(marked)s of the %(count)s that go were marked not a person",
        marked,
    )
    return "; " + text % {"count": count, "marked": marked}


def _coming(count: int, marked: int) -> str:
    """Say how many of those that come people had marked as *missed a person*."""
    if not count:
        return ""
    if count == 1 and marked:
        return "; " + gettext("the one that comes was marked missed a person")
    if count == 1:
        return "; " + gettext("the one that comes was not marked missed a person")
    if not marked:
        return "; " + gettext("none of the %(count)s that come was marked missed a person") % {"count": count}
    text = ngettext(
        "%(marked)s of the %(count)s that come was marked missed a person",
        "%(marked)s of the %(count)s that come were marked missed a person",
        marked,
    )
    return "; " + text % {"count": count, "marked": marked}
