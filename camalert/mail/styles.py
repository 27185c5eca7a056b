"""What brands of cameras write: which camera, which event. A table, and one small reader for it.

Pure. A new brand is a new line in one of the tables below; nothing else has to change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

CAMERA, DEVICE, NUMBER, EVENT, TIME = "camera", "device", "number", "event", "time"

# label in the mail's text -> what it says, the better label first
LABELS: tuple[tuple[str, str], ...] = (
    ("alarm camera name", CAMERA),  # Reolink
    ("camera name", CAMERA),  # Hikvision recorders: CAMERA NAME(NUM)
    ("alarm channel name", CAMERA),
    ("channel name", CAMERA),  # Dahua recorders, TVT, Swann: Channel Name [IP-CH1]
    ("camera", CAMERA),
    ("ipc name", DEVICE),  # Hikvision
    ("nvr name", DEVICE),
    ("dvr name", DEVICE),
    ("alarm device name", DEVICE),  # Dahua, Amcrest, Reolink
    ("device name", DEVICE),  # TVT, Swann
    ("channel number", NUMBER),  # Hikvision
    ("channel no", NUMBER),  # Dahua recorders
    ("alarm input channel no", NUMBER),  # Reolink
    ("alarm input channel", NUMBER),  # Dahua, Amcrest
    ("channel id", NUMBER),  # TVT
    ("alarmtype", EVENT),  # Swann: what it was; its Event Type says what it looks for
    ("alarm type", EVENT),  # TVT
    ("event type", EVENT),  # Hikvision
    ("alarm event", EVENT),  # Dahua, Amcrest, Reolink
    ("event", EVENT),
    ("event time", TIME),  # Hikvision
    ("alarm start time", TIME),  # Dahua, Amcrest
    ("alarm time", TIME),  # TVT
    ("alarm stop time", TIME),
    ("time", TIME),
)

# subject or single line -> named groups camera, number, event, time
SUBJECTS: tuple[re.Pattern[str], ...] = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # Hikvision: "Yard: on Camera1: Intrusion Detection"
        r"^(?P<device>[^:]{1,80}): on (?P<camera>[^:]{1,80}): (?P<event>.{1,80})$",
        # Hikvision: "IPC: Line Crossing Detected On Channel 02", "Embedded Net DVR: Motion Detected On Channel A2"
        r"^(?P<device>[^:]{1,80}): (?P<event>.{1,80}?) (?:detected )?on channel (?P<number>\w{1,8})$",
        # Reolink: "Motion Detected from Door at 2026/6/14 15:17:28"
        r"^(?P<event>.{1,80}?) detected from (?P<camera>.{1,80}?) at (?P<time>.{1,40})$",
        # Foscam and its kin: "Your IPCamera:C1(Garage) motion alarm 20220505120000"
        r"(?:your )?ipcamera:\s*(?P<camera>.{1,80}?)[\s,]+(?:has |is )?(?P<event>motion|sound|alarm|human|detected)\b",
        # Panasonic: "Name:YYYYMMDDhhmmssmmm"
        r"^(?P<camera>[^:]{1,80}):(?P<time>20\d{12,15})$",
        # TVT: "Alarm Message From Device DVR4."
        r"^alarm message from device (?P<device>.{1,80}?)\.?$",
        # ESP32-CAM, Axis and many others: "Motion Alert from ESP-CAM"
        r"^(?P<event>[\w -]{0,40}(?:motion|person|human|vehicle|alert|alarm|detect\w*)[\w -]{0,20}?) (?:from|on|at|by) "
        r"(?P<camera>.{1,60})$",
    )
)
# Dahua: IPC01_ch2_20220304050607_001.jpg
_NAMED = re.compile(r"^(?P<device>[^_]{1,40})_ch(?P<number>\d{1,3})_", re.IGNORECASE)

# words of an event -> our name of it, the more telling first
EVENTS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), event)
    for pattern, event in (
        (r"line ?cross|cross ?line|trip ?wire|crossing", "line crossing"),
        (r"intrusion|perimeter|region|zone entr|cross ?region", "intrusion"),
        (r"person|human|people|pedestrian", "person"),
        (r"vehicle|\bcar\b", "vehicle"),
        (r"\bpet\b|\bdog\b|\bcat\b|animal", "animal"),
        (r"face", "face"),
        (r"video ?loss|signal loss", "video loss"),
        (r"tamper|blind|mask|cover", "tampering"),
        (r"sound|audio|noise", "sound"),
        (r"\bpir\b", "motion"),
        (r"motion|movement|\bvmd\b|\bmd\b", "motion"),
        (r"sensor|alarm input|i/?o alarm|external|local alarm", "alarm input"),
        (r"disk|hdd|storage", "disk"),
        (r"login|illegal access", "login"),
    )
)

_LABEL_FIELDS = {label: (rank, meaning) for rank, (label, meaning) in enumerate(LABELS)}
_LABELLED = re.compile(
    r"(?<![\w ])[ \t]*("
    + "|".join(re.escape(label) for label, _ in sorted(LABELS, key=lambda item: -len(item[0])))
    + r")"
    r"\.?[ \t]*(?:\([^)\n]{0,40}\)|\[[^\]\n]{0,40}\])?[ \t]*[:=\uff1a][ \t]*(?=([^\r\n]{0,200}))",
    re.IGNORECASE,
)
_NEXT_LABEL = re.compile(r"[,;]\s*[A-Za-z][\w .()/]{0,40}[:=\uff1a]")
_ALARM_WORD = re.compile(r"detect|alarm|alert|trigger|motion", re.IGNORECASE)
_ONLY_CHANNEL = frozenset(("", "0", "1", "00", "01"))  # the only channel of a single camera


@dataclass(frozen=True, slots=True)
class Facts:
    """What a mail says of its alarm."""

    camera: str = ""
    event: str = ""
    time: str = ""  # the labelled time, as the camera wrote it


def facts_of(subject: str, text: str, names: Iterable[str]) -> Facts:
    """Read camera, event and labelled time from a mail's subject, text and file names; the text knows best."""
    found = _labelled(text)
    for words in (subject, *text.splitlines()[:40]):
        pattern = next((match for pattern in SUBJECTS if (match := pattern.search(words.strip()))), None)
        if pattern:
            for meaning, value in pattern.groupdict().items():
                found.setdefault(meaning, (value or "").strip())
            break
    for name in names:
        if match := _NAMED.match(name):
            for meaning, value in match.groupdict().items():
                found.setdefault(meaning, value)
            break
    event = event_named(found.get(EVENT, "")) or _known_event(subject) or _known_event(_alarm_line(text))
    return Facts(_camera(found), event, found.get(TIME, ""))


def event_named(words: str) -> str:
    """Return our name of an event, or the camera's own words for one we do not know."""
    return _known_event(words) or words.strip().lower()[:60]


def _known_event(words: str) -> str:
    return next((event for pattern, event in EVENTS if pattern.search(words)), "")


def _alarm_line(text: str) -> str:
    return next((line for line in text.splitlines()[:40] if _ALARM_WORD.search(line)), "")


def _labelled(text: str) -> dict[str, str]:
    best: dict[str, tuple[int, str]] = {}
    for found in _LABELLED.finditer(text):
        rank, meaning = _LABEL_FIELDS[found[1].lower()]
        value = found[2]
        if following := _NEXT_LABEL.search(value):
            value = value[: following.start()]
        value = value.strip().rstrip(",;")
        if value and (meaning not in best or rank < best[meaning][0]):
            best[meaning] = (rank, value[:120])
    return {meaning: value for meaning, (_, value) in best.items()}


def _camera(found: dict[str, str]) -> str:
    """Name the camera: its channel's name, else the device's with the channel's number."""
    if found.get(CAMERA):
        return found[CAMERA]
    device, number = found.get(DEVICE, ""), found.get(NUMBER, "")
    if device and number not in _ONLY_CHANNEL:
        return f"{device} {number}"
    return device
