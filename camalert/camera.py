"""A camera in the configuration: how its mails are told, and what is different for it.

Pure. Part of `config`, where all sections are to be had.
"""

from __future__ import annotations

from dataclasses import dataclass

from camalert.configkey import key
from camalert.patterns import check_pattern
from camalert.polygon import parse_polygon


@dataclass(frozen=True, slots=True)
class Area:
    """A polygon in a camera's picture; who stands in it (the box's lower middle) belongs to it."""

    name: str = key("")  # for the reasons and the drawing only
    rule: str = key("ignore", choices=("ignore", "watch"))
    # "x,y x,y x,y": corners in per cent of width and height from the picture's upper left
    points: str = key("", unit="%", check=parse_polygon)


@dataclass(frozen=True, slots=True)
class Match:
    """Patterns that tell a camera's mails; all that are given must fit.

    Named groups `camera`, `event` and `time` in subject and body take these out of the mail.
    """

    recipient: str = key("", check=check_pattern)
    sender: str = key("", check=check_pattern)
    login: str = key("", check=check_pattern)
    address: str = key("", check=check_pattern)  # of the client
    subject: str = key("", check=check_pattern)
    body: str = key("", check=check_pattern)


@dataclass(frozen=True, slots=True)
class Camera:
    """What is different for one camera. Its name is the one that its mails give it, unless `match` tells its mails."""

    name: str = key("")
    match: Match = Match()
    # detection
    examine: bool = key(True)  # false: only store its pictures
    threshold: float = key(0.0, low=0.0, high=1.0)  # 0: the detector's
    effort: str = key("", choices=("", "fast", "balanced", "thorough"))  # "": the detector's
    min_person_height_percent: float = key(0.0, low=0, high=100, unit="%")  # of the picture's height
    max_person_height_percent: float = key(100.0, low=0, high=100, unit="%")
    area: tuple[Area, ...] = key(())
    # status
    silent_days: float = key(0.0, low=0, high=3650, unit="days")  # 0: as status.silent_days
