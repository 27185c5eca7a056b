"""Which files of the folder are taken, when, and what they say."""

from __future__ import annotations

import datetime as dt
import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from camalert.config.schema import Folder
from camalert.intake.folder import rules
from camalert.intake.folder.rules import FileState, Watch
from camalert.ipc.records import MailRecord

NOW_UTC = 1_709_550_030.0
DAY_S = 86_400.0


def named(utc: float) -> str:
    """Return the original's name for a picture taken then; cameras write local time."""
    return dt.datetime.fromtimestamp(utc, dt.UTC).astimezone().strftime("Snap_%Y%m%d-%H%M%S-1.jpg")


SEEN = FileState(named(NOW_UTC - 30), 7, 1000, 5_000_000_000, NOW_UTC - 5)


def encoded(kind: str) -> bytes:
    """Return a noisy picture, whose end is far from its beginning."""
    out = io.BytesIO()
    Image.effect_noise((200, 150), 80).convert("RGB").save(out, kind)
    return out.getvalue()


def record(
    file: FileState = SEEN, text: bytes = b"", folder: Folder | None = None, content: bytes = b"x"
) -> MailRecord:
    return rules.record_of(
        file=file, kind="jpeg", content=content, text=text, folder=folder or Folder(), now_utc=NOW_UTC, max_skew_s=DAY_S
    )


@pytest.mark.parametrize("name", ["a.jpg", "A.JPEG", "cam/2024/a b.png", "clip.mp4", "x.MOV", "y.webm", "z.dav"])
def test_is_wanted_pictures_and_clips(name: str) -> None:
    """Pictures and clips are taken, whatever the case of their ending."""
    assert rules.is_wanted(name)


@pytest.mark.parametrize("name", ["a.txt", ".a.jpg", "a.jpg.part", "a.jpg.filepart", "a", "jpg", "Thumbs.db", "a.tmp"])
def test_is_wanted_other_files_are_left_alone(name: str) -> None:
    """Texts, hidden files, unfinished uploads and everything else stay where they are."""
    assert not rules.is_wanted(name)


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "bmp", "gif", "avif"])
def test_is_whole_a_torn_picture_is_not(kind: str) -> None:
    """A picture without its end is not finished, wherever it is cut."""
    content = encoded(kind)

    assert rules.is_whole(content, kind)
    for share in (0.2, 0.5, 0.95):
        assert not rules.is_whole(content[: int(len(content) * share)], kind)


def test_is_whole_mp4_ends_with_its_index() -> None:
    """A recorder writes the index of an MP4 last."""
    assert rules.is_whole(b"\0\0\0\x18ftypmp42 mdat moov", "mp4")
    assert not rules.is_whole(b"\0\0\0\x18ftypmp42 mdat", "mp4")


def test_stray_reason_counts_and_says_what_to_do() -> None:
    """What stays in the folder is told by its ending; a name with a dot in it has none."""
    assert rules.stray_reason(rules.ending_of("yard/snap.HEIC"), 3).startswith(
        "3 .heic: HEIC pictures are not examined"
    )
    assert rules.stray_reason(rules.ending_of("DVRWorkDirectory"), 1).startswith("1 without an ending: neither")
    assert rules.ending_of("file.of a very long name") == ""


def test_record_of_original_names_and_text() -> None:
    """The first line of the text is the subject and the name tells the time, as the original service read them."""
    found = record(text=b"\xef\xbb\xbfMotion at the gate\r\nsecond line\r\n")

    assert found.subject == "Motion at the gate"
    assert found.event == "motion"
    assert found.taken_utc == NOW_UTC - 30
    assert found.camera_time == SEEN.name[5:20]
    assert found.received_utc == NOW_UTC
    assert found.kind == "alarm"
    assert found.pictures[0].name == SEEN.name


def test_record_of_without_text_or_time_the_arrival_counts() -> None:
    """A picture without words gets the subject of a mail without one, and the time of its arrival."""
    found = record(replace(SEEN, path="image.jpg"))

    assert (found.subject, found.camera, found.taken_utc) == ("Unknown", "", SEEN.arrived_utc)


def test_record_of_pictures_that_waited_keep_their_time() -> None:
    """What lay in the folder for a week, because nobody took it, is a week old."""
    week = 7 * DAY_S

    by_name = record(replace(SEEN, path=named(NOW_UTC - week), arrived_utc=NOW_UTC - week))
    by_arrival = record(replace(SEEN, path="a.jpg", arrived_utc=NOW_UTC - week))

    assert by_name.taken_utc == by_arrival.taken_utc == NOW_UTC - week


def test_record_of_unbelievable_times_are_not_used() -> None:
    """Neither a camera without a clock nor a file from the future decides about the row's time."""
    assert record(replace(SEEN, path="Snap_20000101-000000-1.jpg")).taken_utc == SEEN.arrived_utc
    assert record(replace(SEEN, path="a.jpg", arrived_utc=NOW_UTC + 999)).taken_utc == NOW_UTC


@pytest.mark.parametrize(
    ("path", "camera", "expected"),
    [("a.jpg", "", ""), ("a.jpg", "yard", "yard"), ("gate/a.jpg", "yard", "gate"), ("gate/2024/03/a.jpg", "", "gate")],
)
def test_record_of_camera_is_the_sub_folder(path: str, camera: str, expected: str) -> None:
    """The first sub-folder names the camera, in the folder itself the configuration does."""
    found = record(replace(SEEN, path=path), folder=Folder(camera=camera))

    assert found.camera == expected
    assert found.subject == (expected or "Unknown")


@given(st.text(max_size=20), st.text(max_size=20), st.binary(max_size=50), st.binary(max_size=50))
def test_record_of_digest_tells_files_apart(name: str, other_name: str, content: bytes, other_content: bytes) -> None:
    """The repeat rule sees a repeat in the same bytes under the same name only."""
    first = record(replace(SEEN, path=f"{name}.jpg"), content=content)
    second = record(replace(SEEN, path=f"{other_name}.jpg"), content=other_content)

    is_same = (name, content) == (other_name, other_content)
    assert (first.digest == second.digest) is is_same


def test_mail_id_is_the_files_own() -> None:
    """The same file has the same id after a restart, and a changed one another."""
    assert SEEN.mail_id == replace(SEEN, arrived_utc=1.0).mail_id
    others = [replace(SEEN, path="b.jpg"), replace(SEEN, inode=8), replace(SEEN, size_bytes=9)]
    others.append(replace(SEEN, mtime_ns=SEEN.mtime_ns + 1))
    assert len({SEEN.mail_id, *(other.mail_id for other in others)}) == 5
    assert len(SEEN.mail_id) == 16


def test_mail_id_any_name_has_one() -> None:
    """Names are bytes to the system, and not always text."""
    seen = replace(SEEN, path=b"\xff\xfe.jpg".decode("utf-8", "surrogateescape"))

    assert len(seen.mail_id) == 16
    assert seen.shown == "??.jpg"
    assert record(seen).encode()


def test_watch_takes_what_has_settled() -> None:
    """A file is due when it has been seen unchanged for long enough; growing begins anew."""
    watch = Watch(2.0)
    grown = replace(SEEN, size_bytes=2000)

    assert watch.update([SEEN], 10.0) == []
    assert watch.update([SEEN], 11.9) == []
    assert watch.update([grown], 12.0) == []
    assert watch.update([grown], 13.9) == []
    assert watch.update([grown], 14.0) == [grown]


def test_watch_waits_for_the_text() -> None:
    """A picture whose text is still being written is not taken without it."""
    watch = Watch(2.0)
    text = replace(SEEN, path=SEEN.path.replace(".jpg", ".txt"))

    watch.update([SEEN], 10.0)
    assert watch.update([SEEN, text], 12.0) == []
    assert watch.update([SEEN, text], 14.0) == [SEEN]
    assert watch.text_of(SEEN.path) == text


def test_watch_oldest_first_and_no_texts() -> None:
    """Pictures come in the order of their writing; a text alone is nothing to store."""
    watch = Watch(1.0)
    early, late = replace(SEEN, path="b.jpg", mtime_ns=1), replace(SEEN, path="a.jpg", mtime_ns=2)
    lonely = replace(SEEN, path="c.txt")

    watch.update([late, lonely, early], 0.0)

    assert watch.update([late, lonely, early], 1.0) == [early, late]


def test_watch_put_off_rests_until_then_or_until_it_changes() -> None:
    """A file with a problem is not tried in a loop."""
    watch = Watch(1.0)
    watch.update([SEEN], 0.0)

    watch.put_off(SEEN, 50.0)
    assert watch.update([SEEN], 49.0) == []
    assert watch.update([SEEN], 50.0) == [SEEN]
    watch.put_off(SEEN)
    assert watch.update([SEEN], 1e9) == []
    changed = replace(SEEN, mtime_ns=6)
    watch.update([changed], 1e9)
    assert watch.update([changed], 1e9 + 1) == [changed]


def test_watch_forgets_what_is_gone() -> None:
    """A name that comes again is a new file, and has to settle."""
    watch = Watch(1.0)
    watch.update([SEEN], 0.0)

    watch.update([], 1.0)

    assert watch.update([SEEN], 2.0) == []
