"""Other words in the place of private ones: the same word becomes the same other one, as long and spelled alike.

Only what is known to say nothing private stays: the words of the tables that alarm mails are read by, those of mail
itself, what stands in them like a date or a time, and numbers of up to three digits. Everything else is replaced.
"""

from __future__ import annotations

import functools
import ipaddress
import itertools
import re
from collections.abc import Iterable, Iterator

from camalert.identity import SAYS_NOTHING
from camalert.intake.mail.facts import SENTENCES
from camalert.intake.mail.languages import Phrases, plain, tables
from camalert.intake.mail.times import MOMENTS, NAMES

KEPT_DIGITS = 3  # a channel, a percentage, a score
STEP = 7919
TELEPHONE_DIGITS = 9  # with its area; a date has eight
MIXED_PIECES = 2  # of letters and digits: Camera1, 2nd, CAM01; what changes more often is a serial number

# Words of mail, of HTML and of cameras' sentences, and makers' names. No word that names a place in or around a house.
_COMMON = """
a an and any are as at be been by can could do does for from had has have here if in into is it its may me more my no
not of on once only or other our out per please so such than that the their them then there these they this to under
up us was we were which while who will with within without would you your

accepted account activated active address addresses admin after again against alert alive all already also anonymous
application area attach attached attachment attention auto automatic automatically battery before begin begins below
block body ch channel channels check client code connection content copy correct count created crossing current date
day days default delete detect detected detecting detection detector detects device devices digital disabled
disconnected dvr email emails enabled end ended ends entered entering error event events exiting fail failed failure
file files filter firmware follow following forwarded found frame frames full generated heartbeat help hour hours
image images info information ip keep last level line link list local location lost low mac machine mail mailer mails
manual matched memory message messages minute minutes mjpeg mode model motion moving name names network new next none
normal note notice notification number object offline online open original output part people person picture pictures
ping port power press priority product ready reason receive received receiver recipient recipients record recorder
recording region reply report reset restart result saved score second seconds security see send sender sending sensor
sent serial server service set setting settings signal size smart snap snapshot snapshots software sound source start
started state status still stop stopped storage stream subject success successful successfully system tampering target
temperature test testing text time times timestamp total trigger triggered type unknown unread update user username
value version video view violation visit voltage warning web zone

am pm gmt utc cet cest bst est edt cst cdt mst mdt pst pdt mon tue tues wed thu thur thurs fri sat sun monday tuesday
wednesday thursday friday saturday sunday jan feb mar apr jun jul aug sep sept oct nov dec january february march
april june july august september october november december today tonight yesterday noon midnight

abuse accept agent alternative arc archive ascii attachement authenticated authentication base bcc big binary bit
bounces boundary cancel cc charset cid com comments complaints control delivered delsp description digest disposition
distribution dkim domain domainkey domains dtd ehlo encoding envelope errors esmtp esmtps example expires feedback
field filename flowed form format ftp gb gbk gmail header helo hosts html http https id importance inline invalid iso
jis keywords koi lan language length lines lmtp localdomain localhost loop mbox microsoft mime mixed msmail multi
multipart native newsgroups newsreader nextpart octet org organisation organization originating outlook owner parallel
path plain post postfix precedence printable quoted references related resent results return rfc sendmail sensitivity
sha sig signature smtp smtps spam spf ssl stamp starttls thread tls topic transfer transitional unicode unsubscribe
utf uu uuencode verify via windows www x xhtml xml

align arial attr avi bgcolor bmp bold border br calc cellpadding cellspacing center class color colspan css dat data
div doctype equiv family font footer gif gt head heic heif height helvetica hidden hr href img input italic jpe jpeg
jpg label left li lt ltr margin matroska meta mkv mov mp mpeg mpg msvideo nbsp nowrap ol pad padding pdf png pre px
quicktime rel right row rowspan rtl sans script serif solid span src strong style stylesheet table tbody td tfoot th
thead tif tiff title top tr transparent ul url valign vertical viewport webp weight width winmail zip

alarm amcrest annke arecont aver axis bosch camalert canon ctronics dahua dericam digoo easyn elro esp ezviz flir
foscam geovision grandstream hanwha hekai hikconnect hikmailer hikvision honeywell ieye instar ipc ipcam ipcamera
jovision lorex lts milesight mobotix motioneye night nvr onvif owl panasonic pelco ptz qsee reolink samsung sannce
sony swann tapo tech tenda tplink trendnet trivision tvt ubiquiti uniarch unifi uniview vigi vivotek wansview xiaomi
xmeye zmodo zoneminder zosi
"""


def _words_of_patterns(patterns: Iterable[re.Pattern[str]]) -> Iterator[str]:
    for pattern in patterns:
        yield from re.findall(r"[a-z]{2,}", re.sub(r"\(\?P<\w+>|\\.", " ", pattern.pattern.lower()))


@functools.cache
def vocabulary() -> frozenset[str]:
    """Return the words that say nothing private."""
    return frozenset(itertools.chain(_COMMON.split(), SAYS_NOTHING, tables().words, _words_of_patterns(SENTENCES)))


def _is_known(word: str) -> bool:
    return word in vocabulary() or plain(word) in vocabulary()


_RUN = re.compile(r"(?:[^\W_]|[\x80-\xff])+")
_PIECE = re.compile(r"[0-9]+|[^0-9]+")
_PASSWORD = re.compile(
    r"(?:pass(?:word|wd|wort|phrase|code)?|pwd|kennwort|secret|token|api[ _-]?key|pin(?: code)?)"
    r"[ \t]{0,8}[:=\uff1a][ \t]{0,8}([^\s<>&;,\"']++)",
    re.IGNORECASE,
)
_MAC = re.compile(r"(?<![\w:-])[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}(?![\w:-])", re.IGNORECASE)
_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:[._-]\d{1,3}){3}(?![\w]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?![\w:])", re.IGNORECASE)
_ENDINGS = frozenset(("s", "es", "d", "ed", "ing", "er", "ion", "ions", "or"))
_TELEPHONE = re.compile(r"(?<![\w.:/-])[+0]\d{1,4}(?:[ ./()-]{1,2}\d{2,5}){2,6}(?![\w:])")
_NUMBERS = (
    ("mac", _MAC, "00:00:5e:00:53:{:02x}"),
    ("ipv4", _IPV4, "192.0.2.{}"),
    ("ipv6", _IPV6, "2001:db8::{:x}"),
    ("telephone", _TELEPHONE, ""),
)
_CONSONANTS, _VOWELS = "bdfgjklmprvwxz", "aeou"
# Letters in the place of others of their script: every character set of the script has them.
_SCRIPTS = (
    ("\u0370", "\u03ff", "αβγδεζηθικλμ"), ("\u0400", "\u04ff", "абвгдежзиклм"), ("\u0590", "\u05ff", "אבגדהוזח"),
    ("\u0600", "\u06ff", "ابتثجحخد"), ("\u0e00", "\u0e7f", "กขคงจฉชซ"), ("\u3040", "\u30ff", "あいうえおかきく"),
    ("\u3400", "\u9fff", "甲乙丙丁戊己庚辛"), ("\uac00", "\ud7af", "가나다라마바사아"),
)  # fmt: skip
_OTHERS = "éäöüçáóú"

Span = tuple[int, int]
Edit = tuple[int, int, str]


class Pseudonyms:
    """The replacements of one mail.

    `replaced` has every private word with what stands in its place, `kept` the known words that were met and stayed.

    Args:
        keep: Further words that say nothing private, such as a maker's label that is not known here.
    """

    def __init__(self, keep: Iterable[str] = ()) -> None:
        self.replaced: dict[str, str] = {}
        self.kept: dict[str, None] = {}
        self._keep = frozenset(part for word in keep for part in _RUN.findall(word.casefold()))
        self._by_key: dict[tuple[str, str], str] = {}
        self._counts: dict[tuple[str, int], int] = {}

    def edits(self, text: str, *, is_name: bool = False) -> list[Edit]:
        """Return what to replace in a text, in order: start, end, replacement.

        Args:
            text: A text or one header field.
            is_name: Whether file names are in it, where six pairs of digits are a date and a time.
        """
        found: list[Edit] = []
        times, read = _spans(text, is_name=is_name)
        at = 0
        for start, end, made in (*self._whole(text, times), (len(text), len(text), "")):
            for run in _RUN.finditer(text, at, start):
                found += self._run(run, times, read)
            if start < end:
                found.append((start, end, made))
            at = end
        for start, end, made in found:
            self.replaced[text[start:end]] = made
        return found

    def _whole(self, text: str, times: list[Span]) -> list[Edit]:
        """Find what is more than a word: passwords, addresses in networks, telephone numbers."""
        found: list[Edit] = []
        for what, pattern, form in _NUMBERS:
            found += [
                (*item.span(), self._numbered(what, item[0], form) if form else self._other(what, item[0]))
                for item in pattern.finditer(text)
                if not _any_within(times, *item.span()) and _is_one(what, item[0])
            ]
        found += [(item.start(1), item.end(1), self._other("secret", item[1])) for item in _PASSWORD.finditer(text)]
        found.sort(key=lambda edit: (edit[0], -edit[1]))
        apart: list[Edit] = []
        for edit in found:
            if not apart or edit[0] >= apart[-1][1]:
                apart.append(edit)
        return apart

    def _run(self, run: re.Match[str], times: list[Span], read: list[Span]) -> Iterator[Edit]:
        """Replace what has to be in a run of letters and digits."""
        pieces = list(_PIECE.finditer(run[0]))
        is_of_time = _any_within(times, *run.span())
        if len(pieces) > MIXED_PIECES and not is_of_time and run[0].casefold() not in self._keep:
            yield *run.span(), self._other("serial", run[0])
            return
        for piece in pieces:
            start, end = run.start() + piece.start(), run.start() + piece.end()
            if piece[0].isdecimal() and piece[0].isascii():
                is_kept = len(piece[0]) <= KEPT_DIGITS or piece[0] in self._keep or _any_within(times, start, end)
                if not is_kept:
                    yield start, end, self._other("number", piece[0])
            else:
                yield from self._letters(piece[0], start, read)

    def _letters(self, word: str, start: int, read: list[Span]) -> Iterator[Edit]:
        own = word.casefold()
        if _is_known(own) or own in self._keep or (len(word) == 1 and word.isascii()):
            if len(word) > 1:
                self.kept[own] = None
            return
        # What an event is recognised by stays, also within a longer word; what is around it goes.
        at = start
        for begin, end in _within(read, start, start + len(word)):
            self.kept[word[begin - start : end - start].casefold()] = None
            if begin > at:
                yield at, begin, self._other("word", word[at - start : begin - start])
            at = end
        rest = word[at - start :]
        if rest and not (at > start and rest.casefold() in _ENDINGS):
            yield at, start + len(word), self._other("word", rest)

    def _numbered(self, what: str, original: str, form: str) -> str:
        own = what, original.casefold()
        if own not in self._by_key:
            self._counts[what, 0] = self._counts.get((what, 0), 0) + 1
            number = self._counts[what, 0] % 255
            made = form.format(number)
            self._by_key[own] = made.replace(":", "-") if what == "mac" and "-" in original else made
        return self._by_key[own]

    def _other(self, what: str, original: str) -> str:
        """Return what stands for something, spelled alike: its capitals, its digits, its scripts."""
        own = what, original.casefold()
        if own not in self._by_key:
            length = len(original)
            while True:
                number = self._counts[what, length] = self._counts.get((what, length), -1) + 1
                made = _drawn(original, number)
                if what != "word" or not _says_something(made):
                    break
            self._by_key[own] = made
        return _spelled(self._by_key[own], original)


def _drawn(original: str, number: int) -> str:
    """Put a word together from a number, letter for letter of the original's kinds.

    Words of different numbers differ until all combinations of a short word are used up: the step between two of them
    has no divisor in common with the number of any letter's choices.
    """
    made = []
    number = (number + 1) * STEP
    for at in range(len(original) - 1, -1, -1):
        letter = original[at]
        if letter.isdecimal():
            choices = "0123456789" if at else "123456789"
        elif letter.isascii():
            choices = (_CONSONANTS, _VOWELS)[at % 2] if letter.isalpha() else letter
        else:
            choices = next((pool for first, last, pool in _SCRIPTS if first <= letter <= last), _OTHERS)
        number, chosen = divmod(number, len(choices))
        made.append(choices[chosen])
    return "".join(reversed(made))


def _spelled(made: str, original: str) -> str:
    likes = original.ljust(len(made))
    return "".join(letter.upper() if like.isupper() else letter for letter, like in zip(made, likes, strict=False))


def _says_something(word: str) -> bool:
    return _is_known(word) or any(True for phrases in _said() for _ in phrases.find(word))


def _said() -> tuple[Phrases, ...]:
    known = tables()
    return known.events, known.kinds, known.ends, known.alarm


def _spans(text: str, *, is_name: bool) -> tuple[list[Span], list[Span]]:
    """Return where dates and times stand, and where the words that events and kinds are recognised by."""
    moments = (*MOMENTS, *NAMES) if is_name else MOMENTS
    times = [found.span() for pattern in moments for found in pattern.finditer(text)]
    return _merged(times), _merged((found.start, found.end) for phrases in _said() for found in phrases.find(text))


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def _any_within(spans: list[Span], start: int, end: int) -> bool:
    return any(True for _ in _within(spans, start, end))


def _within(spans: list[Span], start: int, end: int) -> Iterator[Span]:
    """Yield the parts of sorted spans that lie between two places."""
    low, high = 0, len(spans)
    while low < high:
        middle = (low + high) // 2
        if spans[middle][1] <= start:
            low = middle + 1
        else:
            high = middle
    for number in range(low, len(spans)):
        if spans[number][0] >= end:
            return
        yield max(start, spans[number][0]), min(end, spans[number][1])


def _is_one(what: str, text: str) -> bool:
    """Tell whether what looks like an address or a telephone number is one."""
    if what == "telephone":
        return sum(letter.isdecimal() for letter in text) >= TELEPHONE_DIGITS
    if what != "ipv6":
        return True
    try:
        return bool(ipaddress.IPv6Address(text)) and text != "::"
    except ValueError:
        return False
