"""Which camera a mail is from: one name for the log, the rows, the status, the site, the rules and its silence.

In this order: what the configuration's `match` or the mail's own text says; else the word before the @ of the recipient
or the sender, or the login, unless it says nothing or several cameras share it; else the client's address. A name from
the factory (Camera 01) is a number: the channel's, beside what names the device.

Names compare without regard to capitals and to blanks around them.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

MOST_WORDS = 1024  # names and words that are remembered; any mail can invent one, so the oldest are forgotten
WORD_CHARS = 60
ESTABLISHED_MAILS = 20  # after so many, no other sender's mail changes a camera's name
OWN_HEADER = "X-Camalert"  # of a mail that camalert sent itself: it is of no camera
FOLDER = "folder"  # the camera of files in the watched folder that name none
# What makers and owners write where something is required.
_SAYS_NOTHING = """
admin administrator alarm alarms alert alerts anonymous anybody anything bot cam camalert camera cameras cams cctv
default device donotreply dvr email event events from guest home info ipc ipcam ipcamera mail mailer me motion name
nobody noreply notification notifications notify nvr owner postmaster receiver recipient recorder root security
sender service smtp snapshot surveillance system test to user username video webcam webmaster
"""
SAYS_NOTHING = frozenset(_SAYS_NOTHING.split())
_NO_LETTERS = re.compile(r"[\W_]+")
Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Envelope:
    """What SMTP says about a mail: who sent it, from which address, to whom."""

    peer: str = ""
    helo: str = ""
    login: str = ""
    sender: str = ""
    recipients: tuple[str, ...] = ()


def spelled(name: str) -> str:
    """Return a name without blanks around it and with one blank wherever there are several."""
    return " ".join(name.split())


def key(name: str) -> str:
    """Return what all spellings of a name have in common."""
    return spelled(name).casefold()


def word_of(address: str) -> str:
    """Return the word of a mail address or a login that may name a camera, "" when it says nothing."""
    word = spelled(address.partition("@")[0].strip("<>\"' ").replace("+", " "))
    bare = _NO_LETTERS.sub("", word).casefold()
    return "" if not bare or bare in SAYS_NOTHING or len(word) > WORD_CHARS else word


def words_of(envelope: Envelope) -> tuple[str, ...]:
    """Return the words of an envelope that may name its camera, the best first: one that occurs twice is meant."""
    found = [word for text in (*envelope.recipients[:1], envelope.sender, envelope.login) if (word := word_of(text))]
    keys = [key(word) for word in found]
    twice = [word for word, own in zip(found, keys, strict=True) if keys.count(own) > 1]
    unique: dict[str, str] = {}
    for word in (*twice, *found):
        unique.setdefault(key(word), word)
    return tuple(unique.values())


def place_of(camera: str, envelope: Envelope) -> str:
    """Say where in an envelope the name of a camera stands, whose mail's text gives it none."""
    places = {"recipient": envelope.recipients[:1], "sender": (envelope.sender,), "login": (envelope.login,)}
    return next(
        (
            f"the {what} {text}"
            for what, texts in places.items()
            for text in texts
            if word_of(text) and key(camera).startswith(key(word_of(text)))
        ),
        "the address of its client",
    )


@dataclass(slots=True)
class _WordUse:
    """Which cameras use a word of an envelope: by name, or where they have none, from which addresses in turn."""

    names: list[str] = field(default_factory=list)  # keys, at most two
    named_at: str = ""  # the address from which a mail had this word and a name of its own
    addresses: list[str] = field(default_factory=list)
    is_shared: bool = False
    home: str = ""  # the address that it named last
    mails: int = 0  # from there, in a row

    @property
    def is_established(self) -> bool:
        """Tell whether it names one address for good."""
        return self.mails >= ESTABLISHED_MAILS

    def use(self, address: str) -> None:
        """Note that it named an address; an established one keeps its address."""
        if address == self.home:
            self.mails += 1
        elif not self.is_established:
            self.home, self.mails = address, 1

    def note_name(self, name: str, address: str = "") -> None:
        if name not in self.names:
            self.names = [*self.names, name][:2]
        self.named_at = address or self.named_at
        self.is_shared |= len(self.names) > 1

    def name_at(self, address: str) -> str:
        """Return the name that mails with this word have at an address, "" when they have none there."""
        return self.names[0] if address and self.named_at == address and len(self.names) == 1 else ""

    def note_address(self, address: str) -> None:
        """Note an address; one that comes back after another one is a second camera's, not that of one that moved."""
        if self.addresses[-1:] != [address]:
            self.is_shared |= address in self.addresses
            self.addresses = [*self.addresses, address][-3:]


class Names:
    """The names in use, and the words that several cameras share.

    Args:
        configured: The names of the configuration, whose spelling wins.
    """

    def __init__(self, configured: Iterable[str]) -> None:
        self._configured = {key(name): spelled(name) for name in configured if spelled(name)}
        self._spellings: dict[str, str] = {}
        self._renamed: dict[str, str] = {}
        self._uses: dict[str, _WordUse] = {}

    def spell(self, name: str) -> str:
        """Return what a camera with this name is called: as the owner renamed it, else as it was first written."""
        own = key(name)
        return self._configured.get(own) or self._renamed.get(own) or self._as_written(name)

    def learn_renamed(self, renamed: Iterable[tuple[str, str]], *, is_first: bool) -> None:
        """Take over what the owner has renamed, by the key of what a camera calls itself; the first ones are anew."""
        self._renamed = {**({} if is_first else self._renamed), **dict(renamed)}

    def identify(self, named: str, envelope: Envelope, channel: str = "") -> str:
        """Return the camera of a mail, and learn from it.

        Args:
            named: The name that the configuration or the mail's text gives it, "" for none.
            envelope: Sender, recipients and address.
            channel: Where the text gives no name: which of several cameras of one device it is, "" for the only one.
        """
        found = self._identify(named, envelope)
        if spelled(named) or not channel:
            return self.spell(found)
        return self.spell(f"{found} channel {channel}" if found == envelope.peer else f"{found} {channel}")

    def _identify(self, named: str, envelope: Envelope) -> str:
        words = words_of(envelope)
        if spelled(named):
            for word in words:
                self._use_of(word).note_name(key(named), envelope.peer)
            return self._as_written(named)
        chosen, used = "", None
        for word, following in zip(words, (*words[1:], ""), strict=False):
            use = self._use_of(word)
            if following:
                use.note_name(key(following))
            else:
                use.note_address(envelope.peer)
            is_own = use.is_established and use.home == envelope.peer
            is_of_another = use.named_at not in ("", envelope.peer)
            if not chosen and (is_own or not (use.is_shared or is_of_another)):
                chosen, used = use.name_at(envelope.peer) or word, use
        if used is not None:
            used.use(envelope.peer)
        return self._as_written(chosen) if chosen else envelope.peer

    def _as_written(self, name: str) -> str:
        """Return a name as it was first written, without a look at what it was renamed to."""
        return self._configured.get(key(name)) or _remembered(self._spellings, key(name), spelled(name))

    def shared(self) -> list[str]:
        """Return the words that are known to name no single camera."""
        return [word for word, use in self._uses.items() if use.is_shared and not use.is_established]

    def learn_shared(self, words: Iterable[str]) -> None:
        """Take over what an earlier run knew of shared words: else the first mail of a run would be of a new camera."""
        for word in words:
            self._use_of(word).is_shared = True

    def _use_of(self, word: str) -> _WordUse:
        if key(word) not in self._uses and len(self._uses) >= MOST_WORDS:
            young = (own for own, use in self._uses.items() if not use.is_established)
            del self._uses[next(young, next(iter(self._uses)))]
        return _remembered(self._uses, key(word), _WordUse())


def _remembered(known: dict[Key, Value], own: Key, new: Value) -> Value:
    """Return what is known, else the new; what was used longest ago is forgotten first."""
    found = known.pop(own, new)
    known[own] = found
    if len(known) > MOST_WORDS:
        del known[next(iter(known))]
    return found
