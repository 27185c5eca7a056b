"""The folder child, a real process: what is dropped in is stored once, and removed after its commit."""

from __future__ import annotations

import contextlib
import hashlib
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from testing import deadly_folder, pictures
from testing.waiting import until

from camalert.config.schema import Config, Folder, Intake, Log, Service
from camalert.errors import Exit
from camalert.intake.folder.process import CrashJournal
from camalert.ipc import needs, spawn
from camalert.ipc.child import Orders
from camalert.ipc.layout import Layout
from camalert.ipc.messages import Held, Message, Noted, Ping, Pong, Ready, Stop, Store, StoreCode, Stored
from camalert.ipc.pool import Pool
from camalert.ipc.records import MailRecord

FOLDER = "camalert.intake.folder.process:main"
LAYOUT = Layout(2, 4096, 1, 4096, frame_bytes=4096, largest_bytes=300_000, folder_slots=1)
SLOT = LAYOUT.folder[0]


@dataclass(slots=True)
class Rig:
    """A folder child and this test in the supervisor's and the writer's place."""

    folder: Path
    pool: Pool
    config: Config
    child: spawn.ChildProcess | None = None
    target: str = FOLDER

    def start(self, *held: Held) -> Rig:
        orders = Orders(
            name="folder",
            target=self.target,
            config=self.config,
            parent_pid=os.getpid(),
            pool_name=self.pool.name,
            layout=LAYOUT,
            needs=needs.of(needs.FOLDER, self.config) if self.target == FOLDER else None,
        )
        self.child = spawn.start(orders)
        assert isinstance(self.next(), Ready)
        for message in (*held, Ping(0)):  # the ping says that these were all
            self.send(message)
        assert self.next() == Pong(0)
        return self

    def drop(self, name: str, content: bytes) -> Path:
        """Put a file there as a careful program does: under another name first."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}")
        unfinished.write_bytes(content)
        unfinished.rename(path)
        return path

    def send(self, message: Message) -> None:
        assert self.child is not None
        self.child.channel.send(message)

    def receive(self) -> Message | None:
        """Return the next message that is not a note for the status."""
        assert self.child is not None
        while isinstance(message := self.child.channel.receive(), Noted):
            pass
        return message

    def next(self) -> Message:
        return until(self.receive, "the folder child says something")

    def next_store(self) -> Store:
        message = self.next()
        assert isinstance(message, Store)
        assert message.slot == SLOT
        return message

    def answer(self, store: Store, code: StoreCode = StoreCode.STORED) -> None:
        self.send(Stored(store.slot, store.generation, store.mail_id, code, 1, 1))

    def is_quiet(self) -> bool:
        """Tell whether the child, having looked several times, asks for nothing; it answers a ping meanwhile."""
        for number in range(8):
            self.send(Ping(number))
            if self.next() != Pong(number):
                return False
            assert self.child is not None
            if self.child.channel.wait(0.1) and not isinstance(self.receive(), type(None)):
                return False
        return True

    def words(self) -> MailRecord:
        return MailRecord.decode(self.pool.read_record(SLOT))

    def content(self) -> bytes:
        (picture,) = self.words().pictures
        with self.pool.encoded(SLOT) as view:
            return bytes(view[picture.offset : picture.offset + picture.length])

    def end(self, number: signal.Signals) -> int:
        assert self.child is not None
        self.child.signal(number)
        code = self.child.reap()
        self.child = None
        return code


@pytest.fixture
def make_rig(tmp_path: Path) -> Iterator[Callable[..., Rig]]:
    pool = Pool.create(f"camalert-test-folder-{os.getpid()}", LAYOUT)
    rigs: list[Rig] = []

    def make(**settings: object) -> Rig:
        folder = Folder(enabled=True, path=str(tmp_path / "in"), poll_seconds=0.1, settle_seconds=0.2)
        intake = Intake(folder=replace(folder, **settings), max_mail_bytes=250_000)
        service = Service(run_dir=str(tmp_path))
        config = Config(service=service, intake=intake, log=Log(level="error", format="json"))
        (tmp_path / "in").mkdir(exist_ok=True)
        rigs.append(Rig(tmp_path / "in", pool, config))
        return rigs[-1]

    yield make
    for rig in rigs:
        if rig.child:
            rig.end(signal.SIGKILL)
    pool.close()
    pool.unlink()


def gone(path: Path) -> Callable[[], bool]:
    return lambda: not path.exists()


def test_folder_picture_with_text_is_stored_then_removed(make_rig: Callable[..., Rig]) -> None:
    """The bytes go over as they are, with subject, camera and time; both files go after the commit, not before."""
    rig = make_rig().start()
    jpeg = pictures.unique_jpeg(1)
    rig.drop("gate/Snap_20240304-120000-1.txt", b"Somebody at the gate\n")
    picture = rig.drop("gate/Snap_20240304-120000-1.jpg", jpeg)

    store = rig.next_store()

    assert rig.content() == jpeg
    words = rig.words()
    assert (words.subject, words.camera, words.camera_time) == ("Somebody at the gate", "gate", "20240304-120000")
    assert words.pictures[0].kind == "jpeg"
    assert picture.exists()
    rig.answer(store)
    until(gone(picture), "the picture is removed")
    assert list((rig.folder / "gate").iterdir()) == []


def test_folder_growing_file_is_waited_for(make_rig: Callable[..., Rig]) -> None:
    """An upload is taken when it has ended, not while it grows; one that stays torn is stored as it is."""
    rig = make_rig(incomplete_seconds=1.5).start()
    jpeg = pictures.unique_jpeg(2)
    torn = rig.folder / "torn.jpg"
    torn.write_bytes(jpeg[: len(jpeg) // 2])
    dropped_at = time.monotonic()

    store = rig.next_store()

    assert time.monotonic() - dropped_at >= 1.5
    assert rig.content() == jpeg[: len(jpeg) // 2]
    rig.answer(store)
    until(gone(torn), "the torn picture is removed")


def test_folder_files_one_after_the_other(make_rig: Callable[..., Rig]) -> None:
    """There is one slot: the next file waits for the answer about the one before, and none is forgotten."""
    rig = make_rig().start()
    dropped = {rig.drop(f"{number}.jpg", pictures.unique_jpeg(number)) for number in range(20)}
    digests = set()

    for _ in dropped:
        store = rig.next_store()
        assert rig.receive() is None
        digests.add(hashlib.sha256(rig.content()).digest())
        rig.answer(store)

    assert len(digests) == 20
    until(lambda: not any(path.exists() for path in dropped), "all are removed")


def test_folder_bad_files_are_set_aside(make_rig: Callable[..., Rig]) -> None:
    """What is no picture, empty or too large is moved away with its bytes, and the good one beside it is stored."""
    rig = make_rig(incomplete_seconds=1).start()
    bad = {"text.jpg": b"<html>not a picture</html>", "empty.png": b"", "large.jpg": b"\xff\xd8\xff" + bytes(260_000)}
    for name, content in bad.items():
        rig.drop(f"cam/{name}", content)
    good = rig.drop("good.jpg", pictures.unique_jpeg(3))

    rig.answer(rig.next_store())

    until(gone(good), "the good one is removed")
    until(lambda: len(list((rig.folder / "rejected").glob("*"))) == 3, "the bad ones are set aside")
    assert {path.name: path.read_bytes() for path in (rig.folder / "rejected").iterdir()} == bad
    assert rig.is_quiet()


def test_folder_killed_before_the_removal_stores_the_same_id(make_rig: Callable[..., Rig]) -> None:
    """A crash between commit and removal makes no double: the writer knows the id of the second Store."""
    rig = make_rig().start()
    picture = rig.drop("a.jpg", pictures.unique_jpeg(4))
    first = rig.next_store()
    rig.end(signal.SIGKILL)

    rig.start()
    second = rig.next_store()

    assert second.mail_id == first.mail_id
    rig.answer(second)
    until(gone(picture), "the picture is removed")


def test_folder_slot_held_for_the_predecessor_is_not_touched(make_rig: Callable[..., Rig]) -> None:
    """The slot stays as it is until the writer has answered the Store of the process before."""
    rig = make_rig().start()
    rig.drop("a.jpg", pictures.unique_jpeg(5))
    first = rig.next_store()
    before = rig.content()
    rig.end(signal.SIGKILL)
    other = rig.drop("b.jpg", pictures.unique_jpeg(6))
    os.utime(other, (1, 1))  # older, so that it would be the first

    rig.start(Held(SLOT, first.generation, 0))
    assert rig.is_quiet()
    assert rig.content() == before
    rig.answer(first)

    store = rig.next_store()
    assert store.mail_id != first.mail_id
    assert rig.content() != before


@pytest.mark.parametrize("code", [StoreCode.REFUSED, StoreCode.REPEATED])
def test_folder_final_answers_end_a_file(make_rig: Callable[..., Rig], code: StoreCode) -> None:
    """A repeat is removed like a stored file; one that the writer cannot take is set aside."""
    rig = make_rig().start()
    picture = rig.drop("a.jpg", pictures.unique_jpeg(7))

    rig.answer(rig.next_store(), code)

    until(gone(picture), "the file leaves the folder")
    assert (rig.folder / "rejected" / "a.jpg").exists() is (code is StoreCode.REFUSED)


def test_folder_locked_database_keeps_the_file(make_rig: Callable[..., Rig]) -> None:
    """While the database cannot be written, the file stays where it is and is offered again."""
    rig = make_rig().start()
    picture = rig.drop("a.jpg", pictures.unique_jpeg(8))
    first = rig.next_store()
    rig.answer(first, StoreCode.BUSY)

    second = rig.next_store()

    assert picture.exists()
    assert (second.mail_id, second.generation) == (first.mail_id, first.generation + 1)
    rig.answer(second)
    until(gone(picture), "the picture is removed")


@pytest.mark.parametrize("how", ["message", "SIGTERM"])
def test_folder_stop_finishes_what_is_begun(make_rig: Callable[..., Rig], how: str) -> None:
    """A stop waits for the answer about the file under way, and begins no other."""
    rig = make_rig().start()
    first, second = (rig.drop(f"{number}.jpg", pictures.unique_jpeg(number)) for number in (1, 2))
    store = rig.next_store()
    assert rig.child is not None
    if how == "message":
        rig.send(Stop())
    else:
        rig.child.signal(signal.SIGTERM)
    rig.send(Ping(1))
    assert rig.next() == Pong(1)

    rig.answer(store)

    assert rig.child.reap() == 0
    rig.child = None
    assert sorted((first.exists(), second.exists())) == [False, True]


def test_folder_that_vanishes_is_made_again(make_rig: Callable[..., Rig]) -> None:
    """The process may reach the folder that it had, so it leaves the new one to the next process."""
    rig = make_rig().start()
    rig.folder.rmdir()
    child = rig.child
    assert child is not None
    until(lambda: select.select([child.sentinel], [], [], 0)[0], "the process exits", 20)
    assert rig.end(signal.SIGKILL) == Exit.UNAVAILABLE
    rig.start()
    until(rig.folder.is_dir, "the folder is there again")
    rig.drop("a.jpg", pictures.unique_jpeg(9))

    rig.answer(rig.next_store())


@pytest.mark.parametrize("form", [deadly_folder.DYING, deadly_folder.HANGING])
def test_folder_file_that_ended_its_process_once_is_set_aside(make_rig: Callable[..., Rig], form: bytes) -> None:
    """It ends one process and not the next one; files beside it are taken as ever."""
    rig = make_rig()
    rig.target = f"{deadly_folder.__name__}:main"
    rig.drop("deadly.txt", form)
    deadly = rig.drop("deadly.jpg", pictures.unique_jpeg(1))
    rig.start()
    assert rig.child is not None
    if form == deadly_folder.DYING:
        until(lambda: select.select([rig.child.sentinel], [], [], 0)[0], "the process ends", 20)  # type: ignore[union-attr]
    else:
        until(lambda: rig.config.service.run_dir and _is_reading(rig), "the process hangs", 20)
    rig.end(signal.SIGKILL)
    other = rig.drop("other.jpg", pictures.unique_jpeg(2))

    rig.start()
    store = rig.next_store()

    assert rig.content() == pictures.unique_jpeg(2)
    rig.answer(store)
    until(gone(other), "the other is removed")
    until(gone(deadly), "the deadly one is set aside")
    until(
        lambda: sorted(path.name for path in (rig.folder / "rejected").iterdir()) == ["deadly.jpg", "deadly.txt"],
        "both",
    )
    assert rig.is_quiet()


def _is_reading(rig: Rig) -> bool:
    mark = Path(rig.config.service.run_dir) / "folder.reading"
    return mark.exists() and mark.stat().st_size > 0


def test_folder_picture_larger_than_the_slot_is_set_aside_with_the_limit(make_rig: Callable[..., Rig]) -> None:
    """What the configuration allows and the pool has no room for does not wait there for ever."""
    rig = make_rig()
    rig.config = replace(rig.config, intake=replace(rig.config.intake, max_mail_bytes=10_000_000))
    rig.start()
    large = rig.drop("large.jpg", pictures.unique_jpeg(1) + bytes(400_000))

    until(gone(large), "it is set aside")
    assert (rig.folder / "rejected" / "large.jpg").exists()


def test_undertaking_remembers_what_was_being_read(tmp_path: Path) -> None:
    """A file in whose reading a process ended stays known until it is out of the way, whatever else is read."""
    path = tmp_path / "reading"
    first, second, third = (bytes([number]) * 16 for number in range(3))
    ended = [_begun(path, first), _begun(path, second)]
    after = CrashJournal(path)
    with after.reading(third):
        pass

    assert [CrashJournal(path).is_crasher(one) for one in (first, second, third)] == [True, True, False]
    after.forget(first)
    assert [CrashJournal(path).is_crasher(one) for one in (first, second, third)] == [False, True, False]
    assert len(ended) == 2


def _begun(path: Path, mail_id: bytes) -> contextlib.AbstractContextManager[None]:
    """Begin to read a file; it is not ended before what this returns is gone."""
    reading = CrashJournal(path).reading(mail_id)
    reading.__enter__()
    return reading


def test_undertaking_is_bounded_and_needs_no_directory(tmp_path: Path) -> None:
    """Nothing grows, and a missing directory keeps no file from being read."""
    ended = [_begun(tmp_path / "reading", number.to_bytes(16, "big")) for number in range(200)]
    with CrashJournal(tmp_path / "missing" / "reading").reading(bytes(16)):
        pass

    assert (tmp_path / "reading").stat().st_size == 64 * 16
    assert len(ended) == 200
