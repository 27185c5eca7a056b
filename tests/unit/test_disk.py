"""The simulated disk of the fault tests holds what was synced, and forgets what a failed sync was to write."""

from __future__ import annotations

import random
from pathlib import Path

from testing.disk import PAGE_BYTES, Call, Disk, Left, Record

FOLDER = Path("/data")
NAME = "/data/a"


def played(*calls: tuple[Call, int, bytes]) -> Disk:
    """Return a disk after some calls on one file, which is open as 3, as its folder is as 4."""
    found = Disk(FOLDER)
    found.apply(Record(Call.OPEN, True, NAME, 1, 3, 0, b""))
    found.apply(Record(Call.OPEN, True, str(FOLDER), 1, 4, 0, b""))
    for call, number, data in calls:
        has_succeeded = data != b"fails"
        file = 4 if data == b"folder" else 3
        found.apply(Record(call, has_succeeded, NAME, 1, file, number, data))
    return found


def left(found: Disk, what: Left = Left.NOTHING) -> dict[str, bytes]:
    """Return what is there after the cut."""
    return found.after_the_cut(what, random.Random(1))


def test_name_is_there_when_its_folder_was_synced_and_content_when_its_file_was() -> None:
    """Neither follows from the other."""
    write, sync, folder = (Call.WRITE, 0, b"abc"), (Call.SYNC, 0, b""), (Call.SYNC, 0, b"folder")

    assert left(played(write, sync)) == {}
    assert left(played(write, folder)) == {NAME: b""}
    assert left(played(write, folder, sync)) == {NAME: b"abc"}
    assert left(played(write), Left.ALL) == {NAME: b"abc"}


def test_pages_of_a_failed_sync_are_not_written_by_the_next_one() -> None:
    """Only what is written anew is."""
    first, second = (Call.WRITE, 0, b"x" * PAGE_BYTES), (Call.WRITE, PAGE_BYTES, b"y")
    folder, fails, sync = (Call.SYNC, 0, b"folder"), (Call.SYNC, 0, b"fails"), (Call.SYNC, 0, b"")

    assert left(played(folder, first, fails, second, sync)) == {NAME: bytes(PAGE_BYTES) + b"y"}
    assert left(played(folder, first, fails, first, second, sync)) == {NAME: b"x" * PAGE_BYTES + b"y"}


def test_removed_name_comes_back_while_its_folder_was_not_synced() -> None:
    """With the content that was synced: so a journal undoes what was committed."""
    write, sync, folder = (Call.WRITE, 0, b"abc"), (Call.SYNC, 0, b""), (Call.SYNC, 0, b"folder")
    unlink = (Call.UNLINK, 0, b"")

    assert left(played(folder, write, sync, unlink)) == {NAME: b"abc"}
    assert left(played(folder, write, sync, unlink), Left.ALL) == {}
    assert left(played(folder, write, sync, unlink, folder)) == {}


def test_record_survives_its_encoding() -> None:
    """Marks are appended to a log from outside."""
    mark = Record.mark("250 7")

    assert mark.encode().endswith(b"250 7")
    assert mark.call is Call.MARK
