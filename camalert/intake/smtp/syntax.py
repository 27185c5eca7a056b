"""The syntax of commands, as cameras write them: the verb, and the arguments of MAIL and RCPT.

Whatever can be read as an address is accepted: a camera that is refused for a missing bracket never delivers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from camalert.intake.mail.charsets import text_of

MAX_ADDRESS_CHARACTERS = 320  # 64 + 1 + 255, RFC 5321, section 4.5.3.1
MAX_ARGUMENT_CHARACTERS = 2000  # of MAIL and RCPT that are read: some addresses in one command

_KEYWORD = re.compile(r"\s*+(?:FROM|TO)(?:\s*+:|\s|(?=<)|$)\s*+", re.IGNORECASE)
_BRACKETED = re.compile(r"<\s*+([^<>]*+)(?:>++|$)")
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=(\S*))?")
_SOURCE_ROUTE = re.compile(r"^@[^:]*:")


@dataclass(frozen=True, slots=True)
class Sender:
    """What MAIL says. `size_bytes` is what the client announces, 0 when it does not."""

    address: str
    size_bytes: int = 0
    unknown: tuple[str, ...] = ()  # parameters that mean nothing to us


def is_http(line: bytes) -> bool:
    """Tell whether a line is a browser's request. Source: RFC 9112, section 3."""
    return b" HTTP/" in line


def parse_command(line: bytes) -> tuple[str, str]:
    """Part a command line into its verb, in capitals, and its argument; both are "" when there is none."""
    line = line.strip()
    word, _, rest = line.partition(b" ")
    verb = word.decode("latin-1").upper()
    if ":" in verb:  # MAIL<blank forgotten>FROM:
        verb = verb.partition(":")[0]
        for known in ("MAIL", "RCPT"):
            if verb.startswith(known):
                verb, rest = known, line[len(known) :]
    return verb, text_of(rest.strip())


def parse_sender(argument: str) -> Sender:
    """Read the argument of MAIL: with or without brackets, blanks, an @, and with any parameters."""
    rest = _without_keyword(argument[:MAX_ARGUMENT_CHARACTERS])
    bracketed = _BRACKETED.search(rest)
    if bracketed:
        address, words = bracketed[1], rest[bracketed.end() :].split()
    else:
        found = rest.split()
        words = [word for word in found[1:] if _PARAMETER.fullmatch(word)]
        parameters = frozenset(words)
        address = " ".join(word for word in found if word not in parameters)
    size_bytes = 0
    unknown = []
    for word in words:
        parameter = _PARAMETER.fullmatch(word)
        name = parameter[1].upper() if parameter else ""
        if parameter and name == "SIZE" and (parameter[2] or "").isdecimal():
            size_bytes = int(parameter[2][:18])
        elif name not in ("SIZE", "BODY", "AUTH", "SMTPUTF8", "RET", "ENVID"):
            unknown.append(word[:40])
    return Sender(_tidy(address), size_bytes, tuple(unknown))


def parse_recipients(argument: str) -> tuple[str, ...]:
    """Read the argument of RCPT: one address or several, parted by commas or semicolons."""
    rest = _without_keyword(argument[:MAX_ARGUMENT_CHARACTERS])
    bracketed = _BRACKETED.findall(rest)
    addresses = ",".join(bracketed) if bracketed else rest.partition(" NOTIFY=")[0].partition(" ORCPT=")[0]
    return tuple(tidy for address in re.split(r"[,;]", addresses) if (tidy := _tidy(address)))


def _without_keyword(argument: str) -> str:
    found = _KEYWORD.match(argument)
    return argument[found.end() :] if found else argument


def _tidy(address: str) -> str:
    address = _SOURCE_ROUTE.sub("", address.strip().strip("\"'"))
    return "".join(character for character in address if character.isprintable())[:MAX_ADDRESS_CHARACTERS].strip()
