"""Pumped inputs: texts of repeated characters that drive a reader of foreign bytes into more than linear time.

A pattern is taken apart by Python's own parser: for each of its repeats there are texts that reach it (the shortest
text that fits what stands before it), feed it for long (what it repeats, in several characters), and then fail.
"""

from __future__ import annotations

import functools
import itertools
import math
import re
import time
from collections.abc import Callable, Iterator
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

MEMBERS = "a0 \t\n\r:;,.-_/<>=\"'\xff@[]()?{}*%\\xZ\x00\x0c\uff1a"  # tried for each class of characters
# Repeated alone and in pairs against every pattern and reader.
CHARACTERS = " \t\n\r\x0ca0<>\"'=;:,.-/\\@[(\xff\x00"
PAIRS = (" \t", "\t ", "a ", " a", "a\t", "=;", "; ", "a=", "a;", "<a", "<>", "> ", ", ", "\r\n", "\n ",
         "- ", "--", "-\n",         "a:", ": ", "0 ", "0-", "0:", "/0", "\\\"", "\"\\", "\xff\xd8", "\xff\x00", "?=",
         "=?", "=\n", "%2", "@:", "(a", "[a", "_a")  # fmt: skip
# In turns of an empty loop: what is quicker is not measured further, what is dearer is refused without a second try.
QUICK_TURNS = 200_000
QUICK_TURNS_A_CHARACTER = 50
DEAR_TURNS_A_CHARACTER = 90


def shortest(tree: Any, choice: int = 0) -> str:
    """Return a short text that fits a parsed pattern, as well as can be; `choice` turns alternatives."""
    return "".join(_sample(op, argument, choice) for op, argument in tree)


def _members(items: Any) -> str:
    """Return characters of a class, few but of several kinds."""
    pattern_items = list(items)
    is_negated = bool(pattern_items) and pattern_items[0][0] is sre.NEGATE
    listed: list[str] = [chr(value) for op, value in pattern_items if op is sre.LITERAL]
    listed += [chr(value[0]) for op, value in pattern_items if op is sre.RANGE]
    found = (
        character
        for character in dict.fromkeys([*([] if is_negated else listed), *MEMBERS])
        if any(_is_in(op, value, character) for op, value in pattern_items if op is not sre.NEGATE) != is_negated
    )
    return "".join(itertools.islice(found, 6)) or "a"


def _is_in(op: Any, value: Any, character: str) -> bool:
    match op:
        case sre.LITERAL:
            return ord(character) == value
        case sre.RANGE:
            return bool(value[0] <= ord(character) <= value[1])
        case sre.CATEGORY:
            name = str(value)
            is_it = (
                (character.isalnum() or character == "_")
                if "WORD" in name
                else (character.isdigit() if "DIGIT" in name else character.isspace())
            )
            return is_it != ("NOT" in name)
    return False


def _sample(op: Any, argument: Any, choice: int) -> str:
    match op:
        case sre.LITERAL:
            return chr(argument)
        case sre.NOT_LITERAL:
            return "a" if argument != ord("a") else "b"
        case sre.ANY:
            return "a"
        case sre.IN:
            members = _members(argument)
            return members[choice % len(members)]
        case sre.BRANCH:
            branches = argument[1]
            return shortest(branches[choice % len(branches)], choice)
        case sre.SUBPATTERN:
            return shortest(argument[-1], choice)
        case sre.ATOMIC_GROUP:
            return shortest(argument, choice)
        case sre.MAX_REPEAT | sre.MIN_REPEAT | sre.POSSESSIVE_REPEAT:
            low, _, inner = argument
            return "".join(shortest(inner, choice) for _ in range(min(low, 64)))
    return ""


def _repeats(tree: Any, before: str, choice: int) -> Iterator[tuple[str, Any]]:
    """Yield each repeat of a parsed pattern with a text that leads to it."""
    for op, argument in tree:
        match op:
            case sre.MAX_REPEAT | sre.MIN_REPEAT | sre.POSSESSIVE_REPEAT:
                if argument[1] > 8:
                    yield before, argument[2]
                yield from _repeats(argument[2], before, choice)
            case sre.SUBPATTERN:
                yield from _repeats(argument[-1], before, choice)
            case sre.ATOMIC_GROUP:
                yield from _repeats(argument, before, choice)
            case sre.BRANCH:
                for branch in argument[1]:
                    yield from _repeats(branch, before, choice)
        before += _sample(op, argument, choice)


def _bodies(inner: Any) -> Iterator[str]:
    """Yield what a repeat repeats, in several characters."""
    for choice in range(4):
        yield shortest(inner, choice)


def pumps(pattern: re.Pattern[Any]) -> list[tuple[str, str, str]]:
    """Return texts for a pattern: (once before, repeated, once behind)."""
    source = pattern.pattern if isinstance(pattern.pattern, str) else pattern.pattern.decode("latin-1")
    flags = pattern.flags & ~re.UNICODE if isinstance(pattern.pattern, bytes) else pattern.flags
    tree = _parser.parse(source if isinstance(pattern.pattern, str) else pattern.pattern, flags & ~re.DEBUG)
    found: dict[tuple[str, str, str], None] = {}
    prefixes: dict[str, None] = {"": None}
    for choice in range(3):
        whole = shortest(tree, choice)
        found["", whole, "x"] = None
        found["", whole, ""] = None
        for cut in {len(whole) // 2, len(whole) - 1}:
            if cut > 0:
                found["", whole[:cut], "x"] = None
        bodies: list[str] = []
        for before, inner in _repeats(tree, "", choice):
            prefixes[before] = None
            for body in _bodies(inner):
                bodies.append(body)
                for end in ("", "x", "\n!", "x" + body):
                    found[before, body, end] = None
                found["", before + body, "x"] = None
                found["", before + body + body, "x"] = None
        for one, other in itertools.permutations(dict.fromkeys(bodies[:6]), 2):
            found["", one + other, "x"] = None
    for before in prefixes:
        if before:
            found["", before, "x"] = None
        for text in CHARACTERS:
            found[before, text, "x" + text] = None
    for text in PAIRS:
        found["", text, "x" + text] = None
    return [item for item in found if item[1]]


@functools.cache
def turn_s() -> float:
    """Return the CPU time of one turn of an empty loop, in seconds: the measure for this machine."""

    def turns() -> None:
        for _ in range(100_000):
            pass

    return min(_cpu_s(turns) for _ in range(5)) / 100_000


def growth(
    read: Callable[[str], object],
    pump: tuple[str, str, str],
    size: int,
    passes: int = 1,
    dear_turns: float = DEAR_TURNS_A_CHARACTER,
) -> float:
    """Return how many times longer four times the input takes.

    1 when the input takes next to no time, infinity when it takes more than linear time could.

    Args:
        read: The reader.
        pump: What stands before, what is repeated, what stands behind.
        size: In characters; what takes longer than linear time shows long before.
        passes: How many times the cost of one pattern is fair; a mail is looked at by dozens.
        dear_turns: What a character may cost in each pass, however the cost grows (a repeat of bounded length can
            multiply it); infinity for a reader whose cost is known to be fair: only its growth counts then.
    """
    before, repeated, behind = pump

    def took_s(characters: int, tries: int) -> float:
        text = before + repeated * max(1, characters // len(repeated)) + behind
        return min(_cpu_s(lambda: read(text)) for _ in range(tries))

    for characters in (16, 24, 32, 256, 2048, size):
        quick_s = turn_s() * passes * max(QUICK_TURNS, QUICK_TURNS_A_CHARACTER * characters)
        if took_s(characters, 1) < quick_s or (once_s := took_s(characters, 3)) < quick_s:
            continue
        if once_s > turn_s() * passes * dear_turns * max(characters, QUICK_TURNS // QUICK_TURNS_A_CHARACTER):
            return math.inf
        if characters < 256:  # a quarter more doubles what explodes many times over; four times as much would never end
            if took_s(characters * 5 // 4, 2) > 3 * once_s:
                return math.inf
            continue
        twice_s = took_s(2 * characters, 2)
        found = max(2 * twice_s, took_s(4 * characters, 2)) / once_s if twice_s < 4 * once_s else math.inf
        if characters == size or found > 6:
            return found
    return 1.0


def _cpu_s(work: Callable[[], object]) -> float:
    """Return the CPU time of one call in seconds; the machine's other work does not count."""
    began = time.thread_time()
    work()
    return time.thread_time() - began
