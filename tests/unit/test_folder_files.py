"""What is looked at, read, removed and set aside in the folder, whoever writes into it meanwhile."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from camalert.folder import files
from camalert.folder.files import FileChanged, WatchedFolder
from camalert.folder.rules import Sighting


@pytest.fixture
def root(tmp_path: Path) -> Path:
    found = tmp_path / "incoming"
    found.mkdir()
    return found


def seen(folder: WatchedFolder, path: str) -> Sighting:
    return next(sighting for sighting in folder.look().files if sighting.path == path)


def test_look_finds_files_down_to_the_depth(root: Path) -> None:
    """Sub-folders are looked into as deep as configured; hidden and rejected ones are not."""
    for path in ("a.jpg", "gate/b.jpg", "gate/2024/c.jpg", "gate/2024/03/d.jpg", ".trash/e.jpg", "rejected/f.jpg"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x")

    found = [
        sorted(sighting.path for sighting in WatchedFolder(str(root), depth).look().files) for depth in (0, 1, 2, 8)
    ]

    assert found[0] == ["a.jpg"]
    assert found[1] == ["a.jpg", "gate/b.jpg"]
    assert found[2] == ["a.jpg", "gate/2024/c.jpg", "gate/b.jpg"]
    assert found[3] == ["a.jpg", "gate/2024/03/d.jpg", "gate/2024/c.jpg", "gate/b.jpg"]


def test_look_makes_the_folder(tmp_path: Path) -> None:
    """An owner who only switched it on finds the folder."""
    assert WatchedFolder(str(tmp_path / "new" / "incoming"), 8).look().files == []
    assert (tmp_path / "new" / "incoming").is_dir()


def test_look_links_pipes_and_sockets_are_left_alone(root: Path, tmp_path: Path) -> None:
    """Nothing that is no file of the folder is opened: no link out of it, no pipe that would be waited for."""
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "c.jpg").write_bytes(b"x")
    (root / "a.jpg").symlink_to(tmp_path / "secret.jpg")
    (root / "b").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(root / "c.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "d.jpg"))

    look = WatchedFolder(str(root), 8).look()

    assert look.files == []
    assert sorted(look.others) == ["a.jpg", "b", "c.jpg", "d.jpg"]


@pytest.mark.parametrize("trap", ["symlink", "fifo", "folder"])
def test_read_into_a_swapped_file_is_not_read(root: Path, tmp_path: Path, trap: str) -> None:
    """A file that became something else between the look and the reading is refused without waiting."""
    folder = WatchedFolder(str(root), 8)
    (root / "a.jpg").write_bytes(b"picture")
    sighting = seen(folder, "a.jpg")
    (root / "a.jpg").unlink()
    (tmp_path / "secret").write_bytes(b"secret!")
    if trap == "symlink":
        (root / "a.jpg").symlink_to(tmp_path / "secret")
    elif trap == "fifo":
        os.mkfifo(root / "a.jpg")
    else:
        (root / "a.jpg").mkdir()
    buffer = bytearray(100)

    with pytest.raises((OSError, FileChanged)):
        folder.read_into(sighting, memoryview(buffer))

    assert buffer == bytes(100)


def test_read_into_a_swapped_sub_folder_is_not_entered(root: Path, tmp_path: Path) -> None:
    """A sub-folder that became a link leads nowhere."""
    folder = WatchedFolder(str(root), 8)
    (root / "gate").mkdir()
    (root / "gate" / "a.jpg").write_bytes(b"picture")
    sighting = seen(folder, "gate/a.jpg")
    (root / "gate").rename(tmp_path / "gate")
    (root / "gate").symlink_to(tmp_path / "gate")

    with pytest.raises(OSError, match="gate"):
        folder.read_into(sighting, memoryview(bytearray(100)))
    with pytest.raises(OSError, match="gate"):
        folder.remove(sighting)

    assert (tmp_path / "gate" / "a.jpg").exists()


def test_read_into_reads_exactly_the_file(root: Path) -> None:
    """The bytes come as they lie there, and nothing behind them is touched."""
    folder = WatchedFolder(str(root), 8)
    content = bytes(range(256)) * 5000
    (root / "a.jpg").write_bytes(content)
    buffer = bytearray(b"\xaa" * (len(content) + 10))

    folder.read_into(seen(folder, "a.jpg"), memoryview(buffer))

    assert buffer == content + b"\xaa" * 10


def test_read_into_grown_file_is_told(root: Path) -> None:
    """A file that grew since it was seen is no finished one."""
    folder = WatchedFolder(str(root), 8)
    (root / "a.jpg").write_bytes(b"half")
    sighting = seen(folder, "a.jpg")
    (root / "a.jpg").write_bytes(b"half and half")

    with pytest.raises(FileChanged):
        folder.read_into(sighting, memoryview(bytearray(100)))


def test_remove_spares_a_new_file_of_the_same_name(root: Path) -> None:
    """What the camera wrote over the stored picture meanwhile is not lost."""
    folder = WatchedFolder(str(root), 8)
    (root / "a.jpg").write_bytes(b"first")
    first = seen(folder, "a.jpg")
    (root / "a.jpg").write_bytes(b"second")

    folder.remove(first)
    assert (root / "a.jpg").read_bytes() == b"second"

    folder.remove(seen(folder, "a.jpg"))
    assert not (root / "a.jpg").exists()


def test_reject_moves_and_never_overwrites(root: Path) -> None:
    """Each refused file is kept, also when the name was there before."""
    folder = WatchedFolder(str(root), 8)
    places = []
    for content in (b"one", b"two", b"three"):
        (root / "gate").mkdir(exist_ok=True)
        (root / "gate" / "bad.jpg").write_bytes(content)
        places.append(folder.reject(seen(folder, "gate/bad.jpg")))

    assert places == ["rejected/bad.jpg", "rejected/bad-2.jpg", "rejected/bad-3.jpg"]
    assert [(root / place).read_bytes() for place in places] == [b"one", b"two", b"three"]
    assert folder.look().files == []


def test_reject_does_not_follow_a_link_named_rejected(root: Path, tmp_path: Path) -> None:
    """Somebody who may write into the folder cannot have files moved elsewhere."""
    (tmp_path / "elsewhere").mkdir()
    (root / "rejected").symlink_to(tmp_path / "elsewhere")
    folder = WatchedFolder(str(root), 8)
    (root / "a.jpg").write_bytes(b"x")

    with pytest.raises(OSError, match="rejected"):
        folder.reject(seen(folder, "a.jpg"))


def test_look_removes_old_empty_folders_of_days(root: Path) -> None:
    """Folders that cameras make for a day or an hour go when they are empty; a camera's own stays, and a fresh one."""
    for path in ("gate/2024/old", "gate/2024/new", "gate/2024/full"):
        (root / path).mkdir(parents=True)
    (root / "gate/2024/full/a.jpg").write_bytes(b"x")
    long_ago = 1_000_000_000
    for path in ("gate/2024/old", "gate/2024/full", "gate"):
        os.utime(root / path, (long_ago, long_ago))
    (root / "lonely").mkdir()
    os.utime(root / "lonely", (long_ago, long_ago))

    WatchedFolder(str(root), 8).look()

    assert sorted(path.name for path in (root / "gate/2024").iterdir()) == ["full", "new"]
    assert (root / "lonely").is_dir()


def test_look_is_bounded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flooded folder is taken in parts."""
    monkeypatch.setattr(files, "MOST_FILES", 10)
    for number in range(25):
        (root / f"{number}.jpg").write_bytes(b"x")
    folder = WatchedFolder(str(root), 8)

    look = folder.look()
    for sighting in look.files:
        folder.remove(replace(sighting))

    assert len(look.files) == 10
    assert len(list(root.iterdir())) == 15
