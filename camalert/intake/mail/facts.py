"""What a mail says of its alarm: which camera, which event, when, and of which kind it is.

What makers write before a colon and call their events is in `languages`, a table for each language. Here is how it is
looked for, and the sentences that no table holds.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from camalert.identity import SAYS_NOTHING
from camalert.intake.mail.languages import label_apart, label_key, plain, tables, tokens_of
from camalert.intake.mail.languages.rows import (
    CAMERA,
    DEVICE,
    END,
    EVENT,
    HEALTH,
    KINDS,
    NUMBER,
    OTHER,
    TEST,
    TIME,
    Word,
)

ALARM = "alarm"
OWN = "own message"  # one that camalert sent, and that came back; its pictures are not taken
# What a mail without a picture is by its event; any other is an alarm.
KINDS_OF_EVENTS = {
    "video loss": "video loss",
    "tampering": "tampering",
    "disk": "storage fault",
    "login": "login warning",
}
KINDS_OF_MAIL = (ALARM, OWN, TEST, HEALTH, END, *KINDS_OF_EVENTS.values())

_SEEN = r"(?:an? |some )?(?:motion|movement|persons?|people|humans?|vehicles?|cars?|animals?|pets?|sound|noise|faces?)"
_PROGRAM = r"(?:\[[\w .-]{1,40}\] |[\w .-]{1,40}: )?"
# subject or single line -> named groups camera, device, number, event, time
SENTENCES: tuple[re.Pattern[str], ...] = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # Hikvision: "Yard: on Camera1: Intrusion Detection"
        r"^(?P<device>[^:]{1,80}): on (?P<camera>[^:]{1,80}): (?P<event>.{1,80})$",
        # Hikvision: "IPC: Line Crossing Detected On Channel 02", "Embedded Net DVR: Motion Detected On Channel A2"
        r"^(?P<device>[^:]{1,80}): (?P<event>.{1,80}?) (?:detected )?on channel (?P<number>\w{1,8})$",
        # ZoneMinder, ZM_EMAIL_SUBJECT: "ZoneMinder: Alarm - Drive-4711 (21 - 9 7)"
        r"^[\w -]{1,40}: alarm - (?P<camera>.{1,60})-\d{1,12} \([\d -]{1,40}\)$",
        # Reolink: "Motion Detected from Door at 2026/6/14 15:17:28"
        r"^(?P<event>.{1,80}?) detected from (?P<camera>.{1,80}?) at (?P<time>.{1,40})$",
        # Foscam and its kin: "IPCamera alarm(Cellar) 20220505120000"
        r"^ipcamera (?P<event>\w{1,20})\((?P<camera>[^)]{1,60})\)",
        # Foscam and its kin: "Your IPCamera:C1(Garage) motion alarm 20220505120000"
        r"(?:your )?ipcamera:\s*+(?P<camera>\S.{0,79}?)(?<![\s,])[\s,]++(?:has |is )?"
        r"(?:(?:detected )?(?P<event>motion|sound|alarm|human)\b|detected\b)",
        # Panasonic: "Name:YYYYMMDDhhmmssmmm"
        r"^(?P<camera>[^:]{1,80}):(?P<time>20\d{12,15})$",
        # TVT: "Alarm Message From Device DVR4."
        r"^alarm message from device (?P<device>.{1,80}?)\.?$",
        # motionEye: 'motionEye: motion detected by "Garden"', 'Motion has been detected by camera "Garden/host" at ...'
        rf'^{_PROGRAM}(?P<event>[\w ]{{1,30}}) detected (?:by|on|at|from|in) (?:camera )?"(?P<camera>[^"]{{1,80}})"',
        # ESP32-CAM, Axis, Home Assistant and many others: "Motion Alert from ESP-CAM", "A person was detected on the
        # Front Porch camera."
        rf"^{_PROGRAM}(?P<event>[\w -]{{0,40}}(?:motion|person|human|vehicle|alert|alarm|detect\w*+)[\w -]{{0,20}}?) "
        r"(?:from|on|at|by|in) (?P<camera>.{1,80})$",
        # iSpy, Blue Iris, Synology: "Front Door has detected motion", 'Camera "Yard" detected a person'
        rf"^{_PROGRAM}(?:your |the )?(?P<camera>\S.{{0,59}}?) (?:has |have )?(?:just )?detected (?P<event>{_SEEN})\b",
        # "Camera Yard was triggered", "Yard triggered"
        rf"^{_PROGRAM}(?P<camera>\S.{{0,59}}?) (?:was |has been |is )?triggered\b",
        # Synology and its kin: "Connection to camera Yard on DS920 has been lost"
        r"\b(?:connection|contact) (?:to|with) (?:the )?camera (?P<camera>\S.{0,59}?)(?: on \S{1,40})? "
        r"(?:has been |was |is )(?:lost|interrupted)\b",
        # Scrypted and scripts: "Front Door: Person detected", "[Yard] motion detected"
        rf"^\[?(?P<camera>[^:\[\]]{{1,60}})(?:\]|\]?:) ?(?P<event>{_SEEN}[\w ]{{0,20}}(?:detected|alert|alarm))\b",
        # "Yard: Motion"
        rf"^(?P<camera>[^:\[\]]{{1,60}}): (?P<event>{_SEEN})$",
        # "[Camera1] Motion Detected", "CH3 motion"
        r"^\[?(?:channel|camera|cam|ch)[ .]?0?(?P<number>\d{1,3})\]?:? (?P<event>[\w ]{1,40})$",
        # UniFi Protect, Shinobi and scripts: "Person Detected - Front Door", "Motion: Yard", "Event - Yard"
        rf"^(?P<event>{_SEEN}|alarm|event|alert)(?: (?:has been |was )?(?:detected|detection|alert|alarm|event))? ?"
        r"[-|:\u2013\u2014] ?(?P<camera>[^\s:].{0,59})$",
    )
)
# Dahua: IPC01_ch2_20220304050607_001.jpg
_NAMED = re.compile(r"^(?P<device>[^_]{1,40})_ch(?P<number>\d{1,3})_", re.IGNORECASE)

LINE_CHARACTERS = 300  # of a subject or a line: more than the longest sentence
LINES = 40  # of a text in which sentences are looked for
MOST_COLONS = 600  # of a text that may be behind a label
LABEL_CHARACTERS = 80
LABEL_WORDS = 9
VALUE_CHARACTERS = 200
_IN_LINE = 10_000  # added to the rank of a label in the middle of a line
_IN_SUBJECT = 100_000

_COLON = re.compile("[:=\uff1a\t]")
_BRACKETS = re.compile("[(\\[\uff08][^()\\[\\]\uff08\uff09\\n]{0,40}[)\\]\uff09](?=[ ]*+[:=\uff1a])")
_PARTED = re.compile("[,;|\t\u2022\u00b7\uff0c\uff1b\u3002]|  ")
_NEXT_LABEL = re.compile("[,;|]\\s{0,20}[^\\W\\d_][\\w .()/]{0,40}[:=\uff1a]")
_BULLETS = "-*>#[]\u2022\u00b7 \t"
_CONNECTIVES = frozenset(("at", "on", "@", "the", "of", "-"))
_ZONES = frozenset(("gmt", "utc", "z", "cet", "cest", "est", "edt", "pst", "pdt"))
_MOMENT = re.compile(
    r"(?:\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[t_,-]\d{1,2}:\d\d(?::\d\d)?(?:\.\d{1,6})?)?"
    r"|\d{1,2}[:h]\d\d(?::\d\d)?(?:[.:]\d{1,6})?|20\d{6}(?:[-_t]?\d{6,10})?)(?:z|[ap]m|[+-]\d\d:?\d\d)?"
    r"|\d{2,4}\u5e74\d{1,2}\u6708\d{1,2}\u65e5(?:\d{1,2}[:\u65f6\u6642]\d\d.{0,6})?"  # Chinese and Japanese dates
)
_PIECES = re.compile(r"(?: [-|\u2013\u2014]|[:\uff1a]) ")
_IN_BRACKETS = re.compile(r"([^()]{1,40}?) ?\(([^()]{2,60})\)")
_DEVICE_CHANNEL = re.compile(r"(.{1,60}?),? (?:channel|ch|chn|kanal|canal|canale)[ .]?(\d{1,3})", re.IGNORECASE)
_CLOCKS = frozenset(("am", "pm", "a.m", "p.m", "uhr", "o'clock", "uur", "hrs", "horas"))  # a number before is an hour
_OFFSET = re.compile(r"(?:gmt|utc)[+-]\d{1,2}(?::?\d\d)?")
_NUMBER = re.compile(r"\d{1,4}(?:st|nd|rd|th|am|pm)?|[+-]\d\d:?\d\d")
_MAKERS_TEXT = """
amcrest annke axis bosch d-link dahua dlink ezviz foscam geovision hanwha hikvision imou instar i-pro lorex
milesight mobotix panasonic provision-isr qvr reolink ring swann synology tapo tp-link tplink tvt unifi uniview unv
vigi vivotek wisenet wyze
"""
_MAKERS = frozenset(_MAKERS_TEXT.split())
# "by your camera" names none, nor does the program or the maker that sends the mail.
_NO_NAME = SAYS_NOTHING | _MAKERS | frozenset(
    (
        "a", "an", "the", "my", "your", "our", "this", "ip", "any", "ipcam", "test", "fwd", "re", "fw", "warning",
        "new", "motioneye", "zoneminder", "shinobi", "frigate", "ispy", "agent", "blue", "iris", "station", "synology",
        "qnap", "unifi", "protect", "scrypted", "assistant", "diskstation", "qvr", "monitor", "motion", "detector",
        "detection",
    )
)  # fmt: skip
# What is in a sentence and in no name.
_OF_A_SENTENCE = frozenset(
    ("your", "installation", "has", "have", "was", "were", "been", "please", "attached", "detected", "following",
     "http", "https", "is", "are", "we", "you", "details", "picture", "attachment")
)  # fmt: skip
_SMALL_WORDS = frozenset(("a", "an", "the", "has", "was", "been", "is", "new", "event", "your"))
_QUOTES = "'\u2018\u2019 "
NAME_WORDS = 8
EVENT_WORDS = 4  # that are an event and nothing else
MOST_PIECES = 3  # of a line: program, camera, event
SENTENCE_WORDS = 7  # in which the name of a camera begins
_ONLY_CHANNEL = frozenset(("", "0", "1"))  # the only channel of a single camera
_CHANNEL = re.compile(
    r"(?:ip|ch|chn|channel|cam|camera|kanal|canal|canale|d|a|\u901a\u9053)?[ .#_-]{0,3}([ad]?\d{1,3})", re.IGNORECASE
)
_LAST_NUMBER = re.compile(r"((?:(?<![^\W\d_])[ad])?\d{1,3})\D{0,3}$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something was read as it was: what (camera, event, time), what was taken, and which rule or row said so."""

    what: str
    taken: str
    rule: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a mail says of its alarm, each "" when it does not say.

    Attributes:
        camera: Its name.
        event: Our name of what happened, or the camera's own.
        time: The labelled time, as the camera wrote it.
        channel: Where no name tells: which of the sender's cameras it is, "" for its only one.
        reasons: Which rule or row of a table decided each.
    """

    camera: str = ""
    event: str = ""
    time: str = ""
    channel: str = ""
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class _Said:
    """A value that a mail gives something, and by which rule; the smaller rank counts."""

    value: str
    rule: str
    rank: int = 0

    @property
    def is_sentence(self) -> bool:
        """Tell what a sentence says from what stands behind a label."""
        return self.rule.startswith("the sentence")


def facts_of(subject: str, text: str, names: Iterable[str]) -> Facts:
    """Read camera, event and labelled time from a mail's subject, text and file names; labels in the text win."""
    found = _labelled(text)
    for meaning, said in _labelled(subject, is_subject=True).items():
        found.setdefault(meaning, said)
    lines = [line.strip()[:LINE_CHARACTERS] for line in (subject, *text.splitlines()[:LINES])]
    _take_sentences(found, lines)
    for name in names:
        if match := _NAMED.match(name):
            for meaning, value in match.groupdict().items():
                found.setdefault(meaning, _Said(value, f'the file name "{name}"'))
            break
    camera, channel, why = _camera(found)
    event, why_event = _event(found.get(EVENT), lines)
    reasons = [Reason("camera", camera or f"channel {channel}", why)] if camera or channel else []
    reasons += [Reason("event", event, why_event)] if event else []
    time = found.get(TIME, _Said("", ""))
    reasons += [Reason("time", time.value, time.rule)] if time.value else []
    return Facts(camera, event, time.value, channel, tuple(reasons))


def _take_sentences(found: dict[str, _Said], lines: list[str]) -> None:
    """Add what the sentences of a mail say and no label has said: the subject first, then line by line."""
    for number, sentence in enumerate(lines):
        if number and any(_marks(sentence, LINES)):
            continue  # a field is no sentence
        match = next((match for pattern in SENTENCES if (match := pattern.search(sentence))), None)
        if match is None and (place := _place(sentence)):
            found.setdefault(CAMERA, _Said(place, f'the sentence "{sentence}"'))
        if match:
            for meaning, value in match.groupdict().items():
                own = _named(value or "") if meaning in (CAMERA, DEVICE) else (value or "").strip()
                if own:
                    found.setdefault(meaning, _Said(own, f'the sentence "{sentence}"'))
            if found.keys() & {CAMERA, DEVICE}:
                break
    if not found.keys() & {CAMERA, DEVICE}:
        for number, sentence in enumerate(lines):
            if number and any(_marks(sentence, LINES)):
                continue
            if beside := _beside_event(sentence):
                found[CAMERA] = _Said(beside, f'the sentence "{sentence}", beside its event')
                break
    if (said := found.get(CAMERA)) and said.is_sentence and (parts := _DEVICE_CHANNEL.fullmatch(said.value)):
        del found[CAMERA]
        found.setdefault(DEVICE, replace(said, value=parts[1]))
        found.setdefault(NUMBER, replace(said, value=_short(parts[2])))


def kind_of_mail(subject: str, text: str, event: str = "") -> tuple[str, str]:
    """Return what a mail without a picture is, one of KINDS_OF_MAIL, and why.

    A mail with a picture is an alarm whatever it says, so that a wrong guess here never costs a picture.
    """
    said = _labelled(text).get(EVENT)
    alone = [subject, *([said.value] if said else []), text if len(text) < LINE_CHARACTERS else ""]
    words = [tuple(token.text for token in tokens_of(line)) for line in alone]
    known = tables()
    best: Word | None = None
    for found in known.kinds.find(f"{subject}\n{text[:4096]}"):
        own = tuple(token.text for token in tokens_of(found.word.text))
        is_alone = len(own) > 1 or not own[0].isascii() or own in words
        if is_alone and (best is None or _kind_rank(found.word) < _kind_rank(best)):
            best = found.word
    if best is not None:
        return best.means, f"the words {best.source}"
    for line in (said.value if said else "", subject, *text.splitlines()[:LINES]):
        if word := _end_of(line):
            return END, f"the words {word.source} behind the event"
    if event in KINDS_OF_EVENTS:
        return KINDS_OF_EVENTS[event], f"its event, {event}"
    return ALARM, "nothing that says otherwise"


def event_named(text: str) -> str:
    """Return our name of an event, or the camera's own for one that is not in the table."""
    known = tables().events.best(text)
    return known.means if known else text.strip().lower()[:60]


def _kind_rank(word: Word) -> int:
    return KINDS.index(word.means)


def _end_of(line: str) -> Word | None:
    """Return the word that says that the event of a line is over: it stands behind the event, at the end or nearly."""
    known = tables()
    events = [found.end for found in known.events.find(line[:LINE_CHARACTERS])]
    if not events:
        return None
    after = [found for found in known.ends.find(line[:LINE_CHARACTERS]) if found.start >= min(events)]
    tail = LINE_CHARACTERS if len(line) <= LABEL_CHARACTERS else 0
    return next((found.word for found in after if len(line) - found.end <= tail), None)


def _event(said: _Said | None, lines: list[str]) -> tuple[str, str]:
    """Name the event: what the mail calls it, else what the subject or the line of the alarm speaks of."""
    known = tables()
    if said and (word := known.events.best(said.value)):
        return word.means, f"{said.rule}, by the words {word.source}"
    line = next((line for line in lines[1:] if known.alarm.best(line) and not any(_marks(line, LINES))), "")
    for sentence in (lines[0], line):
        if word := known.events.best(sentence):
            return word.means, f'"{sentence}", by the words {word.source}'
    if said is None or not any(
        token.text not in _SMALL_WORDS and not known.alarm.best(token.text) for token in tokens_of(said.value)
    ):
        return "", ""  # "an alarm has been detected" calls it nothing
    return said.value.strip().lower()[:60], f"{said.rule}, as the camera calls it"


def _labelled(text: str, *, is_subject: bool = False) -> dict[str, _Said]:
    """Return the value of each label of a text, the best one of each meaning."""
    best: dict[str, _Said] = {}
    colons_left = MOST_COLONS
    for line in _with_headings(text.splitlines()):
        marks = list(_marks(line[: LINE_CHARACTERS + VALUE_CHARACTERS], colons_left, is_subject=is_subject))
        colons_left -= len(marks) + line.count(":")
        if not marks:
            continue
        for (word, own_rank, _, start), (_, _, end, _) in zip(
            marks, (*marks[1:], (None, 0, len(line), 0)), strict=True
        ):
            if word is None:
                continue
            meaning, value = _value(word.means, line[start:end])
            rank = own_rank + (_IN_SUBJECT if is_subject else 0)
            if value and meaning != OTHER and (meaning not in best or rank < best[meaning].rank):
                best[meaning] = _Said(value, f"the label {word.source}", rank)
        if colons_left <= 0:
            break
    return best


def _with_headings(lines: list[str]) -> Iterator[str]:
    """Yield lines; below a row of labels, each cell as a line of its own behind its label."""
    heads: list[str] = []
    for line in lines:
        cells = [cell.strip() for cell in line.strip("\t ").split("\t")] if "\t" in line else []
        if len(cells) > 1 and len(cells) == len(heads):
            yield from (f"{head}: {cell}" for head, cell in zip(heads, cells, strict=True))
        elif len(cells) > 1 and all(label_key(cell) in tables().labels for cell in cells):
            heads = cells
        else:
            yield line
            heads = heads if not line.strip() else []


def _marks(line: str, colons: int, *, is_subject: bool = False) -> Iterator[tuple[Word | None, int, int, int]]:
    """Yield the labels of a line: row, rank, where it begins, where its value begins."""
    bare = _BRACKETS.sub(lambda found: " " * len(found[0]), line)
    at = 0
    is_first = not is_subject
    for colon in itertools.islice(_COLON.finditer(bare), max(0, colons)):
        begin = max(at, colon.start() - LABEL_CHARACTERS)
        at = colon.end()
        region = bare[begin : colon.start()].rstrip()
        if not region:
            continue  # nothing stands before it: a line of "=" is a ruler
        parted = max((found.end() for found in _PARTED.finditer(region)), default=0)
        own = region[parted:]
        start = begin + parted + len(own) - len(own.lstrip(_BULLETS))
        word, rank = _label(own.lstrip(_BULLETS)), 0
        if word is not None and (not is_subject or " " in word.text):
            rank = word.rank
        elif colon[0] == "\t":
            continue
        else:
            word, start = _label_behind(own, begin + parted, is_first=is_first)
            rank = word.rank + _IN_LINE if word else 0
        if word is not None:
            is_first = False
            yield word, rank, start, at


def _label(text: str) -> Word | None:
    labels = tables().labels
    return labels.get(label_key(text)) or labels.get(label_apart(text))


def _label_behind(text: str, offset: int, *, is_first: bool) -> tuple[Word | None, int]:
    """Return the longest label that a text ends with, and where it begins; the first of a line has two words."""
    words = list(re.finditer(r"\S+", text))[-LABEL_WORDS:]
    for found in words[: -1 if is_first else None]:
        word = _label(text[found.start() :])
        if word is not None:
            return word, offset + found.start()
    return None, 0


def _value(meaning: str, text: str) -> tuple[str, str]:
    """Return what a label's value is and the value; a number that is none is a name."""
    text = text.strip().partition("\t")[0]
    if following := _NEXT_LABEL.search(text):
        text = text[: following.start()]
    value = text.strip().rstrip(",;|").strip()[:VALUE_CHARACTERS]
    if meaning in (CAMERA, DEVICE):
        return meaning, _without_moment(value)[:120]
    if meaning == NUMBER:
        number = _CHANNEL.fullmatch(value)
        return (NUMBER, _short(number[1])) if number else (CAMERA, _without_moment(value)[:120])
    return meaning, value[:120]


def _named(text: str) -> str:
    """Return the name in what a sentence calls a camera, "" when it calls it none."""
    name = _without_moment(text.strip())
    known = tables()
    quoted = re.search('["\u201c\u201e\u00ab\\[]([^"\u201d\u201c\u00bb\\]]{1,80}+)["\u201d\u201c\u00bb\\]]', name)
    if quoted:
        return quoted[1].strip()
    if " - " in name:
        named = [piece for piece in (_named(piece) for piece in name.split(" - ")[:3]) if piece]
        return named[0] if len(named) == 1 else name if named else ""
    name = _without_moment(name.rstrip(".!,;:- ").strip(_QUOTES))
    if (inside := _IN_BRACKETS.fullmatch(name)) and _factory_number(inside[1], known.cameras) is not None:
        name = inside[2]
    words = name.split()
    while len(words) > 1 and plain(words[0]) in _MAKERS and plain(words[1]) in known.cameras:
        words = words[1:]
    if words and plain(words[-1]) in ("camera", "cam", "kamera") and len(words) > 1:
        words = words[1:-1] if plain(words[0]) == "the" else words[:-1]
    first = plain(words[0]) if words else ""
    if len(words) > 1 and first in known.cameras and not _CHANNEL.fullmatch(words[1]) and len(first) > 1:
        words = words[1:]
    plains = [plain(word.strip(".,")) for word in words]
    if not words or len(words) > NAME_WORDS or _NO_NAME.issuperset(plains) or _OF_A_SENTENCE.intersection(plains):
        return ""
    if plains[0] in ("your", "our") or all(known.events.best(word) or known.alarm.best(word) for word in plains):
        return ""
    return " ".join(words).strip(_QUOTES)


def _place(sentence: str) -> str:
    """Return the camera in a short sentence of any language: words of an event, a small word, a name."""
    known = tables()
    words = list(itertools.islice(tokens_of(sentence[:LABEL_CHARACTERS]), SENTENCE_WORDS))
    for before, word in itertools.pairwise(words):
        own = sentence[before.start : before.end]
        is_behind_event = known.events.best(own) or known.alarm.best(own)
        if word.text in known.places and is_behind_event and known.events.best(sentence[: word.start]):
            return _named(sentence[word.end :])
    return ""


def _beside_event(sentence: str) -> str:
    """Return the camera in a line of a few pieces, of which one is an event and one a name: "Line crossing - Gate"."""
    known = tables()
    if len(sentence) > LABEL_CHARACTERS:
        return ""
    pieces = [piece for piece in _PIECES.split(_without_moment(sentence)) if piece.strip()]
    events = [piece for piece in pieces if _is_event(piece)]
    others = [piece for piece in pieces if piece not in events]
    names = [name for piece in others if (name := _named(piece)) and not known.events.best(name)]
    is_so = len(events) == 1 and 1 < len(pieces) <= MOST_PIECES and len(names) == 1
    return names[0] if is_so and _factory_number(names[0], known.recorders) is None else ""


def _is_event(piece: str) -> bool:
    """Tell whether a few words are an event, or say that there is an alarm, and nothing else."""
    known = tables()
    words = [token.text for token in tokens_of(piece)]
    if not words or len(words) > EVENT_WORDS:
        return False
    covered = known.events.best(piece) is not None
    return covered or all(known.alarm.best(word) or word in _SMALL_WORDS for word in words)


def _without_moment(text: str) -> str:
    """Return the name in a text that may end in a date, a time or a day, "" when there is nothing else in it."""
    given = text.split()
    bare = [plain(word.strip(",;.()[]")) for word in given]
    start = len(bare)
    while start and _is_of_a_moment(bare[start - 1]):
        start -= 1
    moments = [
        number
        for number, (word, following) in enumerate(itertools.zip_longest(bare, bare[1:]))
        if number >= start and (_is_moment(word) or (word.isdecimal() and following in _CLOCKS))
    ]
    days = tables().days
    for number in range(start, moments[-1] + 1 if moments else 0):
        # "Gate 2 15:17" is gate 2: a number belongs to the moment only before its month.
        if (
            bare[number] in _CONNECTIVES
            or bare[number] in tables().clock
            or number in moments
            or (bare[number].isdecimal() and bare[number + 1] in days)
        ):
            return " ".join(given[:number]).rstrip(",;-(")
    return text.strip()


def _is_moment(word: str) -> bool:
    """Tell whether a word alone is a date, a time or a day."""
    return word in tables().days or _MOMENT.fullmatch(word) is not None


def _is_of_a_moment(word: str) -> bool:
    if not word or word in _CONNECTIVES or word in _ZONES or word in _CLOCKS or word in tables().clock:
        return True
    return _is_moment(word) or _NUMBER.fullmatch(word) is not None or _OFFSET.fullmatch(word) is not None


def _camera(found: dict[str, _Said]) -> tuple[str, str, str]:
    """Name the camera: its own name, else the device's with the channel's number.

    Returns: The name, or else the channel that is to be told apart; and why.
    """
    known = tables()
    own, device, number = (found.get(meaning, _Said("", "")) for meaning in (CAMERA, DEVICE, NUMBER))
    channel, why = number.value.upper(), [device.rule, number.rule]
    if own.value:
        factory = _factory_number(own.value, known.cameras)
        if factory is None:
            return own.value, "", own.rule
        channel, why = channel or factory, [device.rule, f"{own.rule}, which is a name from the factory"]
    because = "; ".join(filter(None, why))
    is_only = channel in _ONLY_CHANNEL
    if device.value and not is_only:
        return f"{device.value} {channel}", "", because
    if device.value and _factory_number(device.value, known.recorders) is None:
        return device.value, "", because
    return "", "" if is_only else channel, because


def _factory_number(name: str, words: frozenset[str]) -> str | None:
    """Return the number in a name that a maker gives every camera, such as Camera 01, None for any other name."""
    found: list[str] = re.findall(r"[^\W\d_]+|\d+", plain(name))
    letters = [token for token in found if not token.isdecimal()]
    if not words.issuperset(letters) or len(found) > 6 or not (letters or found):
        return None
    if any(len(token) > 3 for token in found if token.isdecimal()) or (not letters and len(found) > 1):
        return None
    number = _LAST_NUMBER.search(name)
    return _short(number[1]) if number else ""


def _short(number: str) -> str:
    """Return a channel's number without zeros in front: 02 is 2, A2 stays."""
    digits = number.lstrip("0")
    return digits.upper() if digits else "0"
