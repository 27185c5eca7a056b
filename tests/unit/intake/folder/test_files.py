"""What is scanned, read, removed and rejected in the folder, whoever writes into it meanwhile."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from camalert.intake.folder import files
from camalert.intake.folder.files import FileChanged, WatchedFolder
from camalert.intake.folder.rules import FileState


@pytest.fixture
def root(tmp_path: Path) -> Path:
    found = tmp_path / "incoming"
    found.mkdir()
    return found


def seen(folder: WatchedFolder, path: str) -> FileState:
    return next(state for state in folder.scan().files if state.path == path)


def test_scan_finds_files_down_to_the_depth(root: Path) -> None:
    """Sub-folders are looked into as deep as configured; hidden and rejected ones are not."""
    for path in ("a.jpg", "gate/b.jpg", "gate/2024/c.jpg", "gate/2024/03/d.jpg", ".trash/e.jpg", "rejected/f.jpg"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"x")

    found = [sorted(state.path for state in WatchedFolder(str(root), depth).scan().files) for depth in (0, 1, 2, 8)]

    assert found[0] == ["a.jpg"]
    assert found[1] == ["a.jpg", "gate/b.jpg"]
    assert found[2] == ["a.jpg", "gate/2024/c.jpg", "gate/b.jpg"]
    assert found[3] == ["a.jpg", "gate/2024/03/d.jpg", "gate/2024/c.jpg", "gate/b.jpg"]


def test_scan_makes_the_folder(tmp_path: Path) -> None:
    """An owner who only switched it on finds the folder."""
    assert WatchedFolder(str(tmp_path / "new" / "incoming"), 8).scan().files == []
    assert (tmp_path / "new" / "incoming").is_dir()


def test_scan_links_pipes_and_sockets_are_skipped(root: Path, tmp_path: Path) -> None:
    """Nothing that is no file of the folder is opened: no link out of it, no pipe that would be waited for."""
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "c.jpg").write_bytes(b"x")
    (root / "a.jpg").symlink_to(tmp_path / "secret.jpg")
    (root / "b").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(root / "c.jpg")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "d.jpg"))

    found = WatchedFolder(str(root), 8).scan()

    assert found.files == []
    assert sorted(path for path, _ in found.skipped) == ["a.jpg", "b", "c.jpg", "d.jpg"]


@pytest.mark.parametrize("trap", ["symlink", "fifo", "folder"])
def test_read_into_a_swapped_file_is_not_read(root: Path, tmp_path: Path, trap: str) -> None:
    """A file that became something else between the scan and the reading is refused without waiting."""
    folder = WatchedFolder(str(root), 8)
    (root / "a.jpg").write_bytes(b"picture")
    file = seen(folder, "a.jpg")
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
        folder.read_into(file, memoryview(buffer))

    assert buffer == bytes(100)


def test_read_into_a_swapped_sub_folder_is_not_entered(root: Path, tmp_path: Path) -> None:
    """A sub-folder that became a link leads nowhere."""
    folder = WatchedFolder(str(root), 8)
    (root / "gate").mkdir()
    (root / "gate" / "a.jpg").write_bytes(b"picture")
    file = seen(folder, "gate/a.jpg")
    (root / "gate").rename(tmp_path / "gate")
    (root / "gate").symlink_to(tmp_path / "gate")

    with pytest.raises(OSError, match="gate"):
        folder.read_into(file, memoryview(bytearray(100)))
    with pytest.raises(OSError, match="gate"):
        folder.remove(file)

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
    file = seen(folder, "a.jpg")
    (root / "a.jpg").write_bytes(b"half and half")

    with pytest.raises(FileChanged):
        folder.read_into(file, memoryview(bytearray(100)))


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
    assert folder.scan().files == []


def test_reject_does_not_follow_a_link_named_rejected(root: Path, tmp_path: Path) -> None:
    """Somebody who may write into the folder cannot have files moved elsewhere."""
    (tmp_path / "elsewhere").mkdir()
    (root / "rejected").symlink_to(tmp_path / "elsewhere")
    folder = WatchedFolder(str(root), 8)
    (root / "a.jpg").write_bytes(b"x")

    with pytest.raises(OSError, match="rejected"):
        folder.reject(seen(folder, "a.jpg"))


def test_scan_removes_old_empty_folders_of_days(root: Path) -> None:
    """Folders that cameras make for a day or an hour go when they are empty; a camera's own stays, and a fresh one."""
    for path in ("gate/2024/old", "gate/2024/new", "gate/2024/full"):
        (root / path).mkdir(parents=True)
    (root / "gate/2024/full/a.jpg").write_bytes(b"x")
    long_ago = 1_000_000_000
    for path in ("gate/2024/old", "gate/2024/full", "gate"):
        os.utime(root / path, (long_ago, long_ago))
    (root / "lonely").mkdir()
    os.utime(root / "lonely", (long_ago, long_ago))

    WatchedFolder(str(root), 8).scan()

    assert sorted(path.name for path in (root / "gate/2024").iterdir()) == ["full", "new"]
    assert (root / "lonely").is_dir()


def test_scan_is_bounded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flooded folder is taken in parts."""
    monkeypatch.setattr(files, "MOST_FILES", 10)
    for number in range(25):
        (root / f"{number}.jpg").write_bytes(b"x")
    folder = WatchedFolder(str(root), 8)

    found = folder.scan()
    for state in found.files:
        folder.remove(replace(state))

    assert len(found.files) == 10
    assert len(list(root.iterdir())) == 15


def test_scan_strays_never_hide_pictures(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many files lie there that nobody wants, each picture is seen, and the strays are counted."""
    monkeypatch.setattr(files, "MOST_FILES", 10)
    for number in range(60):
        (root / f"{number}.idx").touch()
        (root / f"{number}.txt").write_text("no picture is called so")
    for number in range(8):
        (root / f"picture-{number}.jpg").write_bytes(b"x")
    (root / "picture-0.txt").write_text("its text")

    found = WatchedFolder(str(root), 8).scan()

    assert sorted(state.path for state in found.files) == [
        *(f"picture-{number}.jpg" for number in (0,)), "picture-0.txt",
        *(f"picture-{number}.jpg" for number in range(1, 8)),
    ]  # fmt: skip
    assert found.strays == {".idx": 60, ".txt": 60}
    assert found.stray.endswith((".idx", ".txt"))


def test_scan_strays_of_too_many_endings_are_counted_together(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever invents endings takes no memory with them."""
    monkeypatch.setattr(files, "MOST_ENDINGS", 5)
    for number in range(40):
        (root / f"file.x{number}").touch()

    found = WatchedFolder(str(root), 8).scan()

    assert len(found.strays) <= 6
    assert found.strays.total() == 40


def test_scan_file_with_a_second_name_is_skipped(root: Path, tmp_path: Path) -> None:
    """A hard link may be somebody else's secret: neither the picture nor the text of a picture is taken from one."""
    (tmp_path / "secret").write_text("root:secret")
    os.link(tmp_path / "secret", root / "a.jpg")
    (root / "b.jpg").write_bytes(b"x")
    os.link(tmp_path / "secret", root / "b.txt")

    found = WatchedFolder(str(root), 8).scan()

    assert [state.path for state in found.files] == ["b.jpg"]
    assert [path for path, reason in found.skipped if "hard links" in reason] == ["a.jpg"]


def test_read_file_that_got_a_second_name_is_refused(root: Path, tmp_path: Path) -> None:
    """A link made between the scan and the reading is no picture either."""
    folder = WatchedFolder(str(root), 8)
    (root / "a.jpg").write_bytes(b"picture")
    file = replace(seen(folder, "a.jpg"))
    os.link(root / "a.jpg", tmp_path / "second")
    now = replace(file, arrived_utc=(root / "a.jpg").stat().st_ctime)

    with pytest.raises(FileChanged):
        folder.read(now, 100)


def test_scan_folder_below_the_depth_is_named(root: Path) -> None:
    """Pictures that lie too deep are not passed over without a word."""
    (root / "gate" / "2024").mkdir(parents=True)

    assert WatchedFolder(str(root), 1).scan().skipped == [("gate/2024", "is deeper than intake.folder.depth")]
