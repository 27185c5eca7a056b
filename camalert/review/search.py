"""What somebody types into the search field, as the filters of a list; and the filters again in words.

English words for days and times, and those of the page's language (`daywords`); names of cameras, what was found,
what was marked; the other words must occur in the subject, the event or the camera's name. Nothing here fails: what is
not understood is searched for as a word, and what cannot be said by filters is named as left out.

Days and times are local. A day without a year, and a weekday, is the latest one that is not in the future. A night
begins at 18:00 and ends at 06:00 of the next day, and belongs to the day on which it begins.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from django.utils.translation import gettext

from camalert import identity
from camalert.config.objects import PERSON
from camalert.review.daywords import in_english
from camalert.review.formats import day_in_line
from camalert.review.formats import word as named
from camalert.review.selection import ANY_MARK, ASKED_CHARS, MARKS, UNNAMED, Selection

_DAY = datetime.timedelta(days=1)
_HOUR = datetime.timedelta(hours=1)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
)  # fmt: skip
# Parts of a day in hours since its midnight.
_PARTS = {
    "early morning": (4, 7), "morning": (6, 12), "forenoon": (8, 12), "afternoon": (12, 18), "evening": (18, 24),
    "night": (18, 30), "daytime": (6, 18),
}  # fmt: skip
_FOUND = {
    r"not examined|unexamined|failed": {"outcome": "failed"},
    r"being examined|pending": {"outcome": "pending"},
    r"not (?:an? )?person|false alarms?|false positives?": {"mark": MARKS[0]},
    r"missed (?:an? )?persons?|missed people|missed": {"mark": MARKS[1]},
    r"flagged(?: as wrong)?": {"mark": ANY_MARK},
    r"nobody|no ?one|without (?:people|persons?)|no people|empty": {"outcome": "nobody"},
    r"(?:with )?(?:people|persons?|somebody|someone|anybody|anyone)": {"outcome": "person"},
    r"(?:to|not|un)[ -]?review(?:ed)?|unseen": {"review": "new"},
    r"reviewed|seen": {"review": "done"},
}
_FILLING = """
a about alarm alarms all an and any at by camera cameras did find for from happened i in it me of on or picture
pictures please saw search show the there to was were what when where which who with
"""
_SAYS_NOTHING = frozenset(_FILLING.split())
_WORD = re.compile(r"[^\s\"“”„,;?!()]+")
_DASH = "[-\N{EN DASH}]"
_APOSTROPHE = "['\N{RIGHT SINGLE QUOTATION MARK}]"
_MARKS_BESIDE = ".:'-\N{EN DASH}\N{RIGHT SINGLE QUOTATION MARK}"


@dataclass(frozen=True, slots=True)
class Understood:
    """The filters of a search, and what could not be made one, each as a sentence."""

    filters: dict[str, str]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Days:
    """Whole days: the first, and the one after the last."""

    first: datetime.date
    after: datetime.date
    is_weekday: bool = False


@dataclass(frozen=True, slots=True)
class _Clock:
    """A time of day, or a part of one: since midnight, beyond 24 h in the next day."""

    begin: datetime.timedelta
    end: datetime.timedelta
    text: str
    is_point: bool = False


@dataclass(slots=True)
class _Side:
    """One end of a range, or all of it."""

    days: _Days | None = None
    clock: _Clock | None = None

    @property
    def is_empty(self) -> bool:
        return self.days is None and self.clock is None


@dataclass(frozen=True, slots=True)
class _Span:
    """A range that is complete: "the last 3 hours"."""

    since: datetime.datetime


_Token = _Days | _Clock | _Span | str  # a str is "since", "after", "until", "before" or "to"


def understand(
    text: str, now: datetime.datetime, cameras: Iterable[str], objects: Iterable[str] = (), language: str = "en"
) -> Understood:
    """Read a search.

    Args:
        text: What was typed.
        now: Local time, without a zone.
        cameras: The names of the cameras, as they are written.
        objects: What else than people is told apart: "dog", "car".
        language: Whose words for days and times are understood beside the English ones.
    """
    rest = f" {' '.join(text[:ASKED_CHARS].split())} "
    filters: dict[str, str] = {}
    left_out: list[str] = []
    rest = _take_cameras(rest, cameras, filters, left_out)
    rest = in_english(rest, language)
    rest = _take_score(rest, filters)
    tokens, rest = _take_times(rest, now)
    filters |= _range(tokens, now, left_out)
    for pattern, found in _FOUND.items():
        rest, count = re.subn(rf"(?<!\w)(?:{pattern})(?!\w)", " ", rest, flags=re.IGNORECASE)
        if count:
            for name, value in found.items():
                filters.setdefault(name, value)
    words = []
    kinds = {kind.casefold(): kind for kind in objects}
    for each in _WORD.findall(rest):
        word = each.strip(_MARKS_BESIDE)
        folded = word.casefold()
        kind = kinds.get(folded) or kinds.get(folded.removesuffix("s")) or kinds.get(folded.removesuffix("es"))
        if kind and kind != PERSON and "object" not in filters:
            filters["object"] = kind
        elif word and folded not in _SAYS_NOTHING:
            words.append(word)
    if words:
        filters["words"] = " ".join(words)
    return Understood(filters, tuple(left_out))


def said(selection: Selection, today: datetime.date) -> str:
    """Return what a selection selects, in words: "Garage, yesterday 18:00 to today 06:00"; "" for everything."""
    parts = [selection.camera if selection.camera != UNNAMED else gettext("cameras without a name")]
    if selection.day:
        parts.append(_day_name(datetime.date.fromisoformat(selection.day), today))
    parts.append(_range_name(selection.since, selection.until, today))
    outcomes = {"person": gettext("with people"), "nobody": gettext("without people"),
                "failed": gettext("not examined"), "pending": gettext("being examined")}  # fmt: skip
    parts.append(outcomes.get(selection.outcome, ""))
    parts.append(gettext("%(score)s %% or more") % {"score": selection.score} if selection.score else "")
    parts.append({"new": gettext("to review"), "done": gettext("reviewed")}.get(selection.review, ""))
    if selection.mark == ANY_MARK:
        parts.append(gettext("flagged as wrong"))
    elif selection.mark:
        parts.append(gettext("flagged: %(mark)s") % {"mark": named(selection.mark)})
    parts.append(named(selection.object))
    words = [f"“{word}”" for word in selection.words.split()]
    parts.append(f" {gettext('and')} ".join(words))
    return ", ".join(part for part in parts if part)


def _day_name(day: datetime.date, today: datetime.date) -> str:
    if day == today:
        return gettext("today")
    if day == today - _DAY:
        return gettext("yesterday")
    return day_in_line(day, today)


def _range_name(since: str, until: str, today: datetime.date) -> str:
    names = []
    for text in (since, until):
        if not text:
            names.append("")
            continue
        moment = datetime.datetime.fromisoformat(text)
        is_end_of_day = text is until and moment.time() == datetime.time() and moment.year > 1
        day, clock = (moment.date() - _DAY, "24:00") if is_end_of_day else (moment.date(), f"{moment:%H:%M}")
        names.append(f"{_day_name(day, today)} {clock}")
    begin, end = names
    if begin and end:
        begins_day, ends_day = begin.endswith(" 00:00"), end.endswith(" 24:00")
        same = begin.rpartition(" ")[0] == end.rpartition(" ")[0]
        if begins_day and ends_day:
            begin, end = begin.removesuffix(" 00:00"), end.removesuffix(" 24:00")
            return begin if same else _from_to(begin, end)
        return _from_to(begin, end.rpartition(" ")[2] if same else end)
    if begin:
        return gettext("since %(moment)s") % {"moment": begin.removesuffix(" 00:00")}
    return gettext("until %(moment)s") % {"moment": end} if end else ""


def _from_to(begin: str, end: str) -> str:
    return gettext("%(begin)s to %(end)s") % {"begin": begin, "end": end}


# --- cameras and scores ----------------------------------------------------------------------------------------------


def _take_cameras(rest: str, cameras: Iterable[str], filters: dict[str, str], left_out: list[str]) -> str:
    """Take the names of cameras out, the longest first; of names that share a word, the word stays a word."""
    names = {identity.key(name): name for name in cameras if identity.spelled(name)}
    named: dict[int, str] = {}
    for key in sorted(names, key=len, reverse=True):
        pattern = r"\s+".join(re.escape(word) for word in key.split())
        for found in re.finditer(rf"(?<!\w){pattern}(?!\w)", rest, re.IGNORECASE):
            named[found.start()] = names[key]
            rest = rest[: found.start()] + " " * (found.end() - found.start()) + rest[found.end() :]
    if named:
        filters["camera"], *others = dict.fromkeys(name for _, name in sorted(named.items()))
        text = gettext("%(camera)s was left out: one camera at a time.")
        left_out.extend(text % {"camera": name} for name in others)
        return rest
    owners: dict[str, set[str]] = {}
    for key in names:
        for word in key.split():
            owners.setdefault(word, set()).add(key)
    for word in _WORD.findall(rest):
        only, *others = owners.get(word.casefold(), {""})
        if only and not others and len(word) > 2 and word.casefold() not in _SAYS_NOTHING and not _is_time(word):
            filters["camera"] = names[only]
            return rest.replace(word, " ", 1)
    return rest


def _is_time(word: str) -> bool:
    return word.casefold() in (*_WEEKDAYS, *_MONTHS, *_PARTS, "today", "yesterday")


def _take_score(rest: str, filters: dict[str, str]) -> str:
    pattern = r"(?:over|above|from|at least|>=?)?\s*(?<!\d)(\d{1,3})\s*%(?: or (?:more|better))?"
    found = re.search(pattern, rest, re.IGNORECASE)
    if not found or int(found[1]) > 100:
        return rest
    filters["score"] = found[1]
    return rest.replace(found[0], " ", 1)


# --- days and times --------------------------------------------------------------------------------------------------

_CLOCK = (
    r"(\d{1,2})(?::(\d{2}))?\s*(am|pm|a\.m\.|p\.m\.)|(\d{1,2}):(\d{2})(?: ?h(?:ours?)?)?"
    rf"|(\d{{1,2}})\s*(?:h|o{_APOSTROPHE}clock)"
)
_UNITS = "minutes?|mins?|hours?|days?|weeks?|months?|years?"
_MONTH = "|".join(f"{month[:3]}(?:{month[3:]})?" if len(month) > 3 else month for month in _MONTHS) + "|sept"
_WEEKDAY = "mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:r(?:s(?:day)?)?)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?"

Reader = Callable[["re.Match[str]", datetime.datetime], "Sequence[_Token] | None"]


def _take_times(rest: str, now: datetime.datetime) -> tuple[list[_Token], str]:
    """Take days, times and the words between them out of a text."""
    tokens: list[tuple[int, _Token]] = []
    for pattern, reader in _READERS:
        for found in re.finditer(rf"(?<![\w:.%])(?:{pattern})(?![\w%])", rest, re.IGNORECASE):
            try:
                made = reader(found, now)
            except (ValueError, OverflowError):  # no such day, or none that a calendar holds
                continue
            if made is None:
                continue
            tokens.extend((found.start() + number, token) for number, token in enumerate(made))
            rest = rest[: found.start()] + "\0" * (found.end() - found.start()) + rest[found.end() :]
    # A word such as "to" counts between or before times only.
    for found in re.finditer(rf"(?<!\w)(since|from|after|between|until|till|before|to|and)(?!\w)|{_DASH}", rest, re.I):
        before, after = rest[: found.start()].rstrip(), rest[found.end() :].lstrip()
        word = found[0].casefold()
        is_between = before.endswith("\0") and after.startswith("\0")
        kind = {"from": "since", "between": "since", "till": "until", "and": "to"}.get(word, word)
        kind = "to" if len(kind) == 1 else kind
        if not after.startswith("\0") or (kind == "to" and not is_between):
            continue
        tokens.append((found.start(), kind))
        rest = rest[: found.start()] + "\0" * (found.end() - found.start()) + rest[found.end() :]
    return [token for _, token in sorted(tokens, key=lambda each: each[0])], rest.replace("\0", " ")


def _range(tokens: Sequence[_Token], now: datetime.datetime, left_out: list[str]) -> dict[str, str]:
    """Put days and times together to one range."""
    for token in tokens:
        if isinstance(token, _Span):
            return {"since": _text(token.since)}
    begin, end, opening, closing = _sides(tokens, left_out)
    try:
        if closing and not end.is_empty:
            return _between(begin, end, closing, now)
        if begin.is_empty:
            return {}
        if opening:
            return {"since": _text(_since(begin, opening, now))}
        return _whole(begin, now, left_out)
    except OverflowError:  # beyond the calendar
        return {}


def _sides(tokens: Sequence[_Token], left_out: list[str]) -> tuple[_Side, _Side, str, str]:
    """Share days and times out to the two ends; return these, and the words that open and close the range."""
    begin, end = _Side(), _Side()
    side, opening, closing = begin, "", ""
    for token in tokens:
        match token:
            case "since" | "after":
                side, opening = begin, token
            case str():
                side, closing = end, token
            case _Days() if side.days is None:
                side.days = token
            case _Days() if begin.days is None:
                begin.days = token
            case _Clock() if side.clock is None:
                side.clock = token
            case _:
                left_out.append(gettext("A second day or time was left out: a search has one range."))
    return begin, end, opening, closing


def _between(begin: _Side, end: _Side, closing: str, now: datetime.datetime) -> dict[str, str]:
    begin_days, end_days = begin.days, end.days
    is_end_given = end_days is not None
    today = _Days(now.date(), now.date() + _DAY)
    end_days = end_days or begin_days
    if begin_days is None and begin.clock is not None:
        begin_days = end_days = end_days or _days_of(begin.clock, now)
    end_days = end_days or today
    if end.clock is None:
        last = end_days.first if closing == "before" else end_days.after
        until = datetime.datetime.combine(last, datetime.time())
    else:
        until = datetime.datetime.combine(end_days.first, datetime.time()) + end.clock.begin
        if not end.clock.is_point and closing == "to":
            until += end.clock.end - end.clock.begin
    if begin_days is None and is_end_given:
        return {"until": _text(until)}  # nothing says when it begins
    since = datetime.datetime.combine((begin_days or end_days).first, datetime.time())
    since += begin.clock.begin if begin.clock else datetime.timedelta()
    if until <= since and not is_end_given:
        until += _DAY  # 22:00 to 06:00
    elif until <= since and begin_days is not None and begin_days.is_weekday:
        since -= 7 * _DAY  # Friday to Monday
    if until <= since:
        since, until = until, since
    until += _DAY if until == since else 0 * _DAY
    return {"since": _text(since), "until": _text(until)}


def _since(side: _Side, opening: str, now: datetime.datetime) -> datetime.datetime:
    if side.clock is not None:
        days = side.days or _days_of(side.clock, now)
        return datetime.datetime.combine(days.first, datetime.time()) + side.clock.begin
    assert side.days is not None  # noqa: S101 - one of both is there
    return datetime.datetime.combine(side.days.after if opening == "after" else side.days.first, datetime.time())


def _whole(side: _Side, now: datetime.datetime, left_out: list[str]) -> dict[str, str]:
    days, clock = side.days, side.clock
    if days is not None and clock is not None and days.after - days.first > _DAY:
        left_out.append(gettext("“%(clock)s” was left out: a time of day needs one day.") % {"clock": clock.text})
        clock = None
    if clock is not None:
        days = days or _days_of(clock, now)
        midnight = datetime.datetime.combine(days.first, datetime.time())
        return {"since": _text(midnight + clock.begin), "until": _text(midnight + clock.end)}
    assert days is not None  # noqa: S101 - one of both is there
    if days.after - days.first == _DAY:
        return {"day": str(days.first)}
    return {
        "since": _text(datetime.datetime.combine(days.first, datetime.time())),
        "until": _text(datetime.datetime.combine(days.after, datetime.time())),
    }


def _days_of(clock: _Clock, now: datetime.datetime) -> _Days:
    """Return the latest day on which a time of day has begun."""
    day = (
        now.date() if datetime.datetime.combine(now.date(), datetime.time()) + clock.begin <= now else now.date() - _DAY
    )
    return _Days(day, day + _DAY)


def _text(moment: datetime.datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}".rjust(16, "0")


# --- readers: each makes tokens of what its pattern found, None when it is none after all ----------------------------


def _day(day: datetime.date) -> _Days:
    return _Days(day, day + _DAY)


def _month(year: int, month: int) -> _Days:
    first = datetime.date(year, month, 1)
    return _Days(first, (first + 31 * _DAY).replace(day=1))


def _past(day: int, month: int, year: str | None, now: datetime.datetime) -> _Days:
    """Return a day; without a year, the latest that is not in the future."""
    if year:
        return _day(datetime.date(int(year) + (2000 if len(year) == 2 else 0), month, day))
    for number in range(8):  # 29 February
        try:
            found = datetime.date(now.year - number, month, day)
        except ValueError:
            continue
        if found <= now.date():
            return _day(found)
    raise ValueError(day)


def _month_number(word: str) -> int:
    return [month[:3] for month in _MONTHS].index(word.casefold()[:3]) + 1


def _last(found: re.Match[str], now: datetime.datetime) -> Sequence[_Token] | None:
    count, unit = found["count"].casefold() if found["count"] else "", found["unit"].casefold()
    if not count and unit.startswith(("week", "month", "year", "day")):
        return None  # "last week" is the one of the calendar
    number = {"": 1, "a": 1, "an": 1, "few": 3, "couple of": 2}.get(count) or int(count)
    hours = {"m": 1 / 60, "h": 1, "d": 24, "w": 168, "y": 8766}[unit[0]] if not unit.startswith("mo") else 730.5
    return [_Span(_earlier(now, number * hours))]


def _ago(found: re.Match[str], now: datetime.datetime) -> Sequence[_Token] | None:
    number = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3}.get(found["count"].casefold()) or int(found["count"])
    unit = found["unit"].casefold()
    if unit.startswith("min"):
        moment = _earlier(now, number / 60)
        return [_day(moment.date()), _point(moment.hour, moment.minute, found[0], 10)]
    if unit[0] == "h":
        moment = _earlier(now, number)
        return [_day(moment.date()), _point(moment.hour, 0, found[0])]
    if unit.startswith("month"):
        months = now.year * 12 + now.month - 1 - number
        return [_month(months // 12, months % 12 + 1)]
    if unit[0] == "y":
        return [_Days(datetime.date(now.year - number, 1, 1), datetime.date(now.year - number + 1, 1, 1))]
    return [_day(now.date() - number * (7 if unit[0] == "w" else 1) * _DAY)]


def _earlier(now: datetime.datetime, hours: float) -> datetime.datetime:
    """Return the local minute that was so many hours ago; of few hours the clock may have been set meanwhile."""
    if hours >= 48:
        return (now - hours * _HOUR).replace(second=0, microsecond=0)
    return datetime.datetime.fromtimestamp(now.timestamp() - hours * 3600).replace(second=0, microsecond=0)  # noqa: DTZ006


def _point(hour: int, minute: int, text: str, minutes: int = 60) -> _Clock:
    begin = datetime.timedelta(hours=hour, minutes=minute)
    return _Clock(begin, begin + datetime.timedelta(minutes=minutes), text, is_point=True)


def _part(name: str, text: str) -> _Clock:
    begin, end = _PARTS[" ".join(name.casefold().split())]
    return _Clock(begin * _HOUR, end * _HOUR, text)


def _part_of_near_day(found: re.Match[str], now: datetime.datetime) -> Sequence[_Token]:
    """Read "tonight", "last night", "this morning"."""
    word, name = (found["which"] or "").casefold(), (found["part"] or "night").casefold()
    if name == "night" and word == "this" and now.hour < 6:
        word = "last"  # before the morning, this night is the one that began yesterday
    return [_day(now.date() - (_DAY if word == "last" else 0 * _DAY)), _part(name, found[0])]


def _period(found: re.Match[str], now: datetime.datetime) -> Sequence[_Token]:
    is_last, unit = found["which"].casefold() in ("last", "previous", "past"), found["unit"].casefold()
    if unit == "week":
        first = now.date() - (now.weekday() + (7 if is_last else 0)) * _DAY
        return [_Days(first, first + 7 * _DAY)]
    if unit == "year":
        return [_Days(datetime.date(now.year - is_last, 1, 1), datetime.date(now.year - is_last + 1, 1, 1))]
    first = now.date().replace(day=1)
    first = (first - _DAY).replace(day=1) if is_last else first
    return [_month(first.year, first.month)]


def _weekend(found: re.Match[str], now: datetime.datetime) -> Sequence[_Token]:
    saturday = now.date() - ((now.weekday() - 5) % 7) * _DAY
    if (found["which"] or "").casefold() in ("last", "previous") and now.weekday() >= 5:
        saturday -= 7 * _DAY
    return [_Days(saturday, saturday + 2 * _DAY)]


def _weekday(found: re.Match[str], now: datetime.datetime) -> Sequence[_Token]:
    number = [name[:3] for name in _WEEKDAYS].index(found["weekday"].casefold()[:3])
    back = (now.weekday() - number) % 7
    if (found["which"] or "").casefold() in ("last", "previous") and back == 0:
        back = 7
    return [replace(_day(now.date() - back * _DAY), is_weekday=True)]


def _numbers(found: re.Match[str], now: datetime.datetime) -> Sequence[_Token]:
    first, second = int(found["first"]), int(found["second"])
    # Days first, as most of the world writes; months first where nothing else makes sense.
    day, month = (second, first) if second > 12 else (first, second)
    return [_past(day, month, found["year"], now)]


def _hour(hour: str | None, minute: str | None, half: str | None) -> tuple[int, int]:
    hours, minutes = int(hour or 0), int(minute or 0)
    if half:
        if not 1 <= hours <= 12:
            raise ValueError(hour)
        hours = hours % 12 + (12 if half.casefold().startswith("p") else 0)
    if hours > 24 or minutes > 59 or (hours == 24 and minutes):
        raise ValueError(hour)
    return hours, minutes


def _clock(found: re.Match[str], _now: datetime.datetime) -> Sequence[_Token]:
    half_hour, half_minute, half, hour, minute, bare = found.groups()
    return [_point(*_hour(half_hour or hour or bare, half_minute or minute, half), found[0])]


def _hours(found: re.Match[str], _now: datetime.datetime) -> Sequence[_Token]:
    """Read "between 14 and 16", "2-4pm"."""
    half = found["half"] or found["half2"]
    begin, end = (_hour(found[name] or found[f"{name}2"], None, half) for name in ("begin", "end"))
    since, until = (datetime.timedelta(hours=hours) for hours, _ in (begin, end))
    return [_Clock(since, until if until > since else until + _DAY, found[0])]


_WHICH = r"(?:(?P<which>last|previous|past|this)\s+)"
_READERS: tuple[tuple[str, Reader], ...] = (
    (r"(?:in |within |during )?(?:the )?(?:last|past|previous)\s+(?P<count>\d{1,4}|an?|few|couple of)?\s*"
     rf"(?P<unit>{_UNITS})", _last),
    (rf"(?P<count>\d{{1,4}}|an?|one|two|three)\s+(?P<unit>{_UNITS})\s+ago", _ago),
    (r"(?:the )?day before yesterday", lambda _found, now: [_day(now.date() - 2 * _DAY)]),
    (r"yesterday", lambda _found, now: [_day(now.date() - _DAY)]),
    (r"today", lambda _found, now: [_day(now.date())]),
    (rf"(?:{_WHICH}(?P<part>night|morning|afternoon|evening)|tonight)", _part_of_near_day),
    (rf"{_WHICH}(?P<unit>week|month|year)", _period),
    (rf"(?:on |at )?(?:the )?{_WHICH}?weekend", _weekend),
    (r"(\d{4})-(\d{2})-(\d{2})", lambda found, _now: [_day(datetime.date(*map(int, found.groups())))]),
    (r"(?P<first>\d{1,2})\.\s?(?P<second>\d{1,2})\.(?:\s?(?P<year>\d{4}|\d{2}))?", _numbers),
    (r"(?P<first>\d{1,2})/(?P<second>\d{1,2})(?:/(?P<year>\d{4}|\d{2}))?", _numbers),
    (rf"(?:the )?(?P<day>\d{{1,2}})(?:st|nd|rd|th|\.)?\s+(?:of\s+)?(?P<month>{_MONTH})\.?(?:,?\s+(?P<year>\d{{4}}))?",
     lambda found, now: [_past(int(found["day"]), _month_number(found["month"]), found["year"], now)]),
    (rf"(?P<month>{_MONTH})\.?\s+(?:the )?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:,?\s+(?P<year>\d{{4}}))?(?!:)",
     lambda found, now: [_past(int(found["day"]), _month_number(found["month"]), found["year"], now)]),
    (rf"(?:in )?(?P<month>{_MONTH})(?:\s+(?P<year>\d{{4}}))?",
     lambda found, now: [_month(int(found["year"] or now.year - (_month_number(found["month"]) > now.month)),
                                _month_number(found["month"]))]),
    (rf"(?:on )?{_WHICH}?(?P<weekday>{_WEEKDAY})s?", _weekday),
    (rf"(?:between|from)\s+(?P<begin>\d{{1,2}})\s*(?:and|to|{_DASH})\s*(?P<end>\d{{1,2}})"
     rf"(?:\s*(?:h|o{_APOSTROPHE}clock|(?P<half>am|pm)))?(?!:)"
     rf"|(?P<begin2>\d{{1,2}})\s*(?:to|{_DASH})\s*(?P<end2>\d{{1,2}})\s*(?:h|o{_APOSTROPHE}clock|(?P<half2>am|pm))",
     _hours),
    (rf"(?:at )?(?:{_CLOCK})", _clock),
    (r"(?:(?<=before )|(?<=after )|(?<=since )|(?<=until )|at )(?P<hour>\d{1,2})(?![:.\d])",
     lambda found, _now: [_point(*_hour(found["hour"], None, None), found[0])]),
    (r"(?:at )?(?:noon|midday)", lambda found, _now: [_point(12, 0, found[0])]),
    (r"(?:at )?midnight", lambda found, _now: [_point(24, 0, found[0])]),
    (rf"(?:in the |at |during the )?(?P<part>{'|'.join(_PARTS)})",
     lambda found, _now: [_part(found["part"], found[0])]),
)  # fmt: skip
