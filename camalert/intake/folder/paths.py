"""What the path of an upload says: which camera it is from, and when it was taken.

Cameras and recorders sort their uploads into folders for days, hours, channels and kinds of files; none of these is a
camera's name, or there would be a new camera every day.

Source: the layouts as bi-aidetection#99 and #208 (Dahua, Amcrest), mkvtoolnix#2146 (HiSilicon) and
yi-hack-Allwinner#259 show them; Reolink's and Foscam's from their uploads.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from camalert.config.schema import Folder
from camalert.intake.mail.facts import Facts, event_named

# "2026", "2026-11-28", "18.23.31", "001", "2026Y11M28D18H", "28Nov2026", "Nov 2026"
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)"
)
_DATE_OR_NUMBER = re.compile(rf"(?:\d++[ymdhs年月日时分秒]?+|{_MONTH}(?![a-z])|[-_. ]|t(?=\d))++")
# What recorders call the folders of a kind of files: "images000", "record", "jpg", "pic_001", "snap"
_FOLDER_OF_FILES = re.compile(
    r"(?:images?|img|imgs|jpe?g|png|mp4|avi|dav|h264|h265|pics?|pictures?|photos?|snaps?|snapshots?|shots?|rec|record"
    r"|records?|recordings?|videos?|clips?|media|motion|alarms?|alerts?|events?|detections?|md|pir|ftp|uploads?|incoming"
    r"|sd|sdcard|mmc|dcim|data|datadir|files?|today|yesterday|hour|day|backup|temp|tmp)[-_. ]?\d{0,4}"
)
# Reolink: the camera, the channel, the moment.
_CAMERA_BEFORE_A_MOMENT = re.compile(r"(?P<camera>[^_](?:[^_]|_(?!\d))*+)_\d{1,3}_\d{14}(?!\d)")
# A day in one folder, hour, minute and second in others or in the name.
_TIMES = tuple(
    re.compile(pattern)
    for pattern in (
        r"(\d{4})-(\d\d)-(\d\d)/[^/]+/[^/]+/(\d\d)/(\d\d)/(\d\d)(?!\d)",
        r"(\d{4})-(\d\d)-(\d\d)/(?:[^/]+/){1,3}(\d\d)\.(\d\d)\.(\d\d)(?!\d)",
        r"(\d{4})Y(\d\d)M(\d\d)D(\d\d)H/[A-Z]?(\d\d)M(\d\d)S",
    )
)
PATH_CHARACTERS = 1000
NAME_CHARACTERS = 120


def facts_of_path(path: str, settings: Folder, said: Facts) -> Facts:
    """Return camera, event and time of a file.

    Args:
        path: Relative to the watched folder.
        settings: The owner's: a pattern wins over all, and `camera` over names of files.
        said: What the text beside the file and its name say.
    """
    path = path[-PATH_CHARACTERS:]
    found = re.search(settings.pattern, path, re.IGNORECASE) if settings.pattern else None
    groups = {name: value.strip() for name, value in found.groupdict().items() if value} if found else {}
    return Facts(
        camera=groups.get("camera") or _folder(path) or settings.camera or said.camera or _stem(path),
        event=event_named(groups["event"]) if groups.get("event") else said.event,
        time=groups.get("time") or _time(path) or said.time,
    )


def is_numbered(path: str) -> bool:
    """Tell whether a file's name can stand for one picture only: it has a number or a time."""
    return any(character.isdecimal() for character in PurePosixPath(path).name)


def _folder(path: str) -> str:
    """Return the first folder that names a camera."""
    return next((name for name in PurePosixPath(path).parts[:-1] if _is_name(name)), "")


def _is_name(folder: str) -> bool:
    word = folder[:NAME_CHARACTERS].casefold()
    return not (_DATE_OR_NUMBER.fullmatch(word) or _FOLDER_OF_FILES.fullmatch(word))


def _stem(path: str) -> str:
    found = _CAMERA_BEFORE_A_MOMENT.match(PurePosixPath(path).name[:NAME_CHARACTERS])
    return found["camera"].replace("_", " ").strip() if found else ""


def _time(path: str) -> str:
    found = next((match for pattern in _TIMES if (match := pattern.search(path))), None)
    return "{}-{}-{} {}:{}:{}".format(*found.groups()) if found else ""
