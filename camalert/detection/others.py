"""Things other than people: what the first look sees of animals, vehicles and bags.

PicoDet knows them as it knows people, and no other look is asked about them. docs/internals/detection.md says how well
that works.
"""

from __future__ import annotations

import numpy as np

from camalert.detection.boxes import agreement, distinct, to_people
from camalert.detection.looks import Seen, Size
from camalert.detection.passes import calibrated
from camalert.detection.people import Person

# PicoDet's score that becomes 0.5: the 5 % point of animals and of vehicles, measured on two sets of pictures. Bags
# have it as well, without pictures that would tell.
MIDPOINT = 0.43
# A box that is a person's, too, is that of a person unless the thing is so much surer.
PERSON_FIRST = 0.8
LEAST = 0.2  # below it a thing is not worth a line
MOST = 16  # things of a picture


def judged(seen: Seen, shape: Size) -> list[Person]:
    """Return the things seen, best first, each once, with calibrated scores; a person is none of them."""
    is_thing = PERSON_FIRST * seen.others[:, 4] > agreement(seen.others, seen.people)
    boxes, kinds = seen.others[is_thing], np.array(seen.kinds, object)[is_thing]
    kept = distinct(boxes)[:MOST]
    things = to_people(calibrated(boxes[kept], MIDPOINT), shape, list(kinds[kept]))
    return [thing for thing in things if thing.score >= LEAST]
