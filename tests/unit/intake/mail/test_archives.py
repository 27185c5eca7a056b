"""A ZIP archive gives its files within bounds, and what is not unpacked is named with its reason."""

from __future__ import annotations

import base64
import io
import struct
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from testing import pictures as samples

from camalert.identity import Envelope
from camalert.intake.mail import archives, pictures, reader
from camalert.intake.mail.archives import Member, Refused, members
from camalert.intake.mail.region import Region
from camalert.intake.mail.rules import Rules

JPEG = samples.unique_jpeg(1)
OTHER = samples.unique_jpeg(2)
LIMIT_BYTES = 1 << 20


def packed(*files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED, before: bytes = b"") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return before + out.getvalue()


def found(archive: bytes, limit_bytes: int = LIMIT_BYTES) -> list[tuple[str, bytes]]:
    """Return the names and bytes of what is unpacked, and the names and reasons of what is not."""
    return [
        (item.name, item.content.copy() if isinstance(item, Member) else item.reason.encode())
        for item in members(Region.whole(archive), limit_bytes)
    ]


def mail(archive: bytes) -> bytes:
    head = b'Content-Type: application/zip; name="alarm.zip"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    return b"Subject: alarm\r\n" + head + base64.encodebytes(archive)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("before", [b"", b"#!/bin/sh\n"])
def test_files_are_unpacked_byte_for_byte(method: int, before: bytes) -> None:
    """Stored and deflated, in folders, behind something else; a folder is no file."""
    archive = packed(("day/a.jpg", JPEG), ("empty/", b""), ("b.jpg", OTHER), method=method, before=before)

    assert found(archive) == [("a.jpg", JPEG), ("b.jpg", OTHER)]


def test_bounds_hold_in_number_size_ratio_and_depth() -> None:
    """Whatever an archive claims, memory and time stay within bounds, and the reason is in words."""
    many = packed(*((f"{number}.jpg", b"x") for number in range(archives.MAX_MEMBERS + 5)))
    assert found(many)[-1] == ("", b"more than 200 files in a ZIP archive")
    assert len(found(many)) == archives.MAX_MEMBERS + 1

    bomb = packed(("bomb.bmp", bytes(8 << 20)))
    assert found(bomb, 1 << 30) == [("bomb.bmp", b"packed in a ZIP archive to less than a 30th, as no picture is")]

    large = packed(("a.jpg", JPEG), ("b.jpg", OTHER))
    assert found(large, len(JPEG)) == [("a.jpg", JPEG), ("b.jpg", b"too large to be unpacked from a ZIP archive")]


def test_liar_gives_no_more_than_it_says() -> None:
    """A size in the directory that the data exceed, or do not reach, is damage."""
    archive = packed(("a.jpg", JPEG))
    place = archive.index(b"PK\x01\x02") + 24
    for said in (10, len(JPEG) + 10):
        lying = archive[:place] + struct.pack("<I", said) + archive[place + 4 :]
        assert found(lying) == [("a.jpg", b"damaged in a ZIP archive")]


def test_what_cannot_be_unpacked_is_named() -> None:
    """Encrypted, packed otherwise, cut off."""
    archive = packed(("a.jpg", JPEG))
    entry = archive.index(b"PK\x01\x02")

    encrypted = archive[: entry + 8] + b"\x01" + archive[entry + 9 :]
    assert found(encrypted)[0][1].startswith(b"encrypted")
    assert found(packed(("a.jpg", JPEG), method=zipfile.ZIP_LZMA))[0][1].endswith(b"not known here")
    assert found(archive[: len(archive) // 2]) == [("", b"a ZIP archive without its end: it was cut off")]


@given(st.binary(max_size=400), st.integers(0, 65_535), st.integers(0, 1 << 32), st.integers(0, 1 << 32))
def test_any_directory_is_read_within_its_bounds(content: bytes, count: int, size: int, offset: int) -> None:
    """Numbers that lead nowhere end in words."""
    end = struct.pack("<4s4HIIH", b"PK\x05\x06", 0, 0, count, count, size & 0xFFFFFFFF, offset & 0xFFFFFFFF, 0)

    items = list(members(Region.whole(content + end), LIMIT_BYTES))

    assert sum(len(item.content) for item in items if isinstance(item, Member)) <= LIMIT_BYTES
    assert all(item.reason for item in items if isinstance(item, Refused))


def _read(archive: bytes) -> tuple[list[bytes], list[tuple[str, str]]]:
    reading = reader.read(bytearray(mail(archive)), Envelope(), Rules(()), 1.7e9, 86_400)
    room = memoryview(bytearray(reading.bound_bytes))
    written, _ = pictures.write(reading.found, room, 64)
    taken = [bytes(room[item.offset : item.offset + item.length]) for item in written]
    return taken, [(item.name, item.reason) for item in reading.left_out]


def test_pictures_of_an_attached_archive_are_those_of_the_mail() -> None:
    """A text beside them is nothing lost; a picture of a kind that is not examined is named."""
    heic = b"\0\0\0\x1cftypheic\0\0\0\0mif1heic" + bytes(200)

    taken, left_out = _read(packed(("a.jpg", JPEG), ("index.txt", b"two pictures"), ("b.jpg", OTHER), ("c.heic", heic)))

    assert taken == [JPEG, OTHER]
    assert left_out == [("c.heic", "a HEIC picture, which is not examined: set the camera to JPEG")]


def test_archive_within_an_archive_is_named_and_not_opened() -> None:
    """One level is enough for a camera."""
    taken, left_out = _read(packed(("inner.zip", packed(("a.jpg", JPEG)))))

    assert taken == []
    assert left_out == [("inner.zip", "a ZIP archive within one, which is not opened")]


def test_archive_without_a_picture_is_named() -> None:
    """The owner learns that an attachment came, and that nothing of it is shown."""
    taken, left_out = _read(packed(("index.txt", b"nothing here")))

    assert (taken, left_out) == ([], [("alarm.zip", "a ZIP archive without a picture or clip")])
