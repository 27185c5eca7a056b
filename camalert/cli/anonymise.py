"""`camalert anonymise`: a copy of a camera's mail that can be shown to others."""

from __future__ import annotations

import argparse
import textwrap
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from camalert.cli.terminal import say
from camalert.errors import CamalertError, Exit
from camalert.system import rights

if TYPE_CHECKING:
    from camalert.cli.anonymiser import Anonymised
    from camalert.intake.mail.reader import Reading

DESCRIPTION = """\
Write a copy of a camera's mail that can go into a report: with other names,
addresses, numbers, passwords and host names, and with grey pictures of the same
size. Its structure stays as it is, whatever is broken about it, and so do the
words that camalert knows from alarm mail: the copy is read as the original is."""

EXAMPLES = """\
examples:
  camalert anonymise alarm.eml                  writes alarm.anonymised.eml
  camalert anonymise alarm.eml -o report.eml
  camalert anonymise alarm.eml --keep Ereignis --keep Bewegung

Every word that camalert does not know is replaced, everywhere by the same other
one. The list of what was replaced and what stayed is printed: look through it,
and through the copy, before you send it. A label in another language is worth
keeping in a report: name it with --keep.

Mails that could not be read completely are on the review site, under "Kept
mails".

exit codes:
  0   the copy was written
  1   the mail could not be read, or the copy not written"""

MAX_MAIL_BYTES = 67_108_864  # more than the service accepts
SHOWN = 200  # replaced words on the screen; the copy itself is what counts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("mail", metavar="MAIL.eml", type=Path, help="the mail, as it came")
    parser.add_argument("-o", "--out", metavar="OUT", type=Path, help="the copy (default: MAIL.anonymised.eml)")
    parser.add_argument("--keep", metavar="WORD", action="append", default=[], help="a word to keep; can be repeated")


def run(arguments: argparse.Namespace) -> int:
    from camalert.cli.anonymiser import anonymise

    out = arguments.out or arguments.mail.with_suffix(".anonymised.eml")
    original = _read(arguments.mail)
    rights.become_owner_of(out)
    done = anonymise(original, arguments.keep)
    _write(out, done.mail)
    before, after = _reading(original), _reading(done.mail)
    say(*_replaced(done), *_kept(done), "", _compared(before, after), f"written to {out}")
    say("Look through it before you send it to anybody. The list above has the original words: keep it to yourself.")
    return Exit.OK


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            mail = opened.read(MAX_MAIL_BYTES + 1)
    except OSError as error:
        raise CamalertError(f"{file} cannot be read: {error.strerror}") from error
    if len(mail) > MAX_MAIL_BYTES:
        raise CamalertError(f"{file} is larger than {MAX_MAIL_BYTES >> 20} MiB, which no camera's mail is")
    if not mail.strip():
        raise CamalertError(f"{file} is empty")
    return mail


def _write(file: Path, mail: bytes) -> None:
    try:
        with file.open("xb") as opened:
            opened.write(mail)
    except FileExistsError as error:
        raise CamalertError(f"{file} exists: remove it, or name another file with --out") from error
    except OSError as error:
        raise CamalertError(f"{file} cannot be written: {error.strerror}") from error


def _reading(mail: bytes) -> tuple[Reading, list[tuple[str, int]]]:
    """Read a mail as the service does; with it the kind and size in bytes of each picture that a row would get."""
    from camalert.identity import Envelope
    from camalert.intake.mail import pictures, reader
    from camalert.intake.mail.rules import Rules

    reading = reader.read(mail, Envelope(), Rules(()), 0.0, 0.0)
    written, _ = pictures.write(reading.found, memoryview(bytearray(reading.bound_bytes)), len(reading.found))
    return reading, [(picture.kind, picture.length) for picture in written]


def _replaced(done: Anonymised) -> list[str]:
    shown = [f"  {original} -> {made}" for original, made in list(done.replaced.items())[:SHOWN]]
    more = len(done.replaced) - len(shown)
    return [
        f"replaced: {_count(done.files, 'picture or other file', 'pictures and other files')}, "
        f"{_count(len(done.replaced), 'word or number', 'words and numbers')}",
        *shown,
        *([f"  and {more} more"] if more else []),
    ]


def _kept(done: Anonymised) -> list[str]:
    text = f"kept: dates and times, numbers of up to three digits, boundaries, and the words {', '.join(done.kept)}"
    return textwrap.wrap(text, 100, subsequent_indent="  ")


def _compared(before: tuple[Reading, list[tuple[str, int]]], after: tuple[Reading, list[tuple[str, int]]]) -> str:
    what = _in_short(*before)
    if what == _in_short(*after):
        return f"The copy is read as the original is: {what}."
    return (
        f"The copy is not read as the original is ({what}), but as {_in_short(*after)}: "
        "say so in your report, and keep the original."
    )


def _in_short(reading: Reading, pictures: list[tuple[str, int]]) -> str:
    from camalert.intake.mail.languages.rows import EVENTS

    kinds = Counter(kind for kind, _ in pictures)
    record = reading.record
    facts = (
        f"kind {record.kind}",
        f"event {record.event}" if record.event in EVENTS else "",
        *(_count(count, kind, f"{kind} pictures") for kind, count in kinds.items()),
        "" if kinds else "no picture",
        "a camera's name" if record.camera else "no camera's name",
    )
    return ", ".join(fact for fact in facts if fact)


def _count(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
