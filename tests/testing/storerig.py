"""A writer with a real pool, channel and database in one process, driven turn by turn."""

from __future__ import annotations

import itertools
import os
import sqlite3
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from camalert.config.schema import Config
from camalert.ipc.channel import Channel, pair
from camalert.ipc.child import Context
from camalert.ipc.layout import Layout
from camalert.ipc.messages import Conclude, Lend, Loaded, Message, Outcome, Ready, Stage, Store, Stored
from camalert.ipc.pool import Pool
from camalert.ipc.records import FrameRecord, MailRecord, PersonRecord, PictureRecord
from camalert.store.process import Writer

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40 + b"\xff\xd9"
ANNOTATED = b"\xff\xd8 annotated \xff\xd9"
LAYOUT = Layout(
    intake_slots=2,
    intake_slot_bytes=262_144,
    frame_slots=3,
    picture_bytes=65_536,
    frame_bytes=4096,
    largest_bytes=1_048_576,
)
Kind = TypeVar("Kind", bound=Message)
MakeRig = Callable[..., "Rig"]
_numbers = itertools.count(1)


class SlotFiller:
    """Play smtp, decoder and detector: put into the slots of a pool what they would."""

    def __init__(self, layout: Layout) -> None:
        self.pool = Pool.create(f"camalert-test-{os.getpid()}-{next(_numbers)}", layout)
        self.generations = itertools.count(1)

    def close(self) -> None:
        """Remove the pool."""
        self.pool.close()
        self.pool.unlink()

    def put_mail(self, *pictures: bytes, slot: int = 0, mail_id: bytes = b"", **facts: Any) -> Store:
        """Put a mail into an intake slot and return its Store."""
        number = next(self.generations)
        offset, placed = 0, []
        kind = facts.pop("picture_kind", "jpeg")
        with self.pool.encoded(slot) as section:
            for index, picture in enumerate(pictures):
                section[offset : offset + len(picture)] = picture
                placed.append(PictureRecord(offset, len(picture), kind, f"picture {index}.jpg"))
                offset += len(picture)
        mail = {"received_utc": time.time(), "subject": "a mail", "camera": "garage", **facts}
        self.pool.write_record(slot, MailRecord(pictures=tuple(placed), **mail).encode())
        return Store(slot, number, mail_id or number.to_bytes(16, "big"))

    def lend(self, count: int = 3, *, large: bool = False) -> list[Lend]:
        """Lend frame slots."""
        numbers = [self.pool.layout.large_frame] if large else list(self.pool.layout.frames)[:count]
        return [Lend(slot, next(self.generations)) for slot in numbers]

    def conclusion(self, loaded: Loaded, outcome: Outcome, **facts: Any) -> Conclude:
        """Fill a frame slot as decoder and detector do and return its Conclude."""
        fields = facts or {"reason": "why", "best_score": 0.25, "threshold": 0.5}
        found = replace(FrameRecord.decode(self.pool.read_record(loaded.slot)), **fields)
        if outcome is Outcome.PERSON:
            with self.pool.encoded(loaded.slot) as encoded:
                encoded[: len(ANNOTATED)] = ANNOTATED
            person = PersonRecord(1, 2, 3, 4, 0.9)
            found = replace(found, annotated_bytes=len(ANNOTATED), people=(person,), best_score=0.9)
        self.pool.write_record(loaded.slot, found.encode())
        return Conclude(loaded.slot, loaded.generation, loaded.alert_id, outcome, Stage.DETECT, 0, 0)


class Rig(SlotFiller):
    """Play the supervisor as well, for a writer in this process."""

    def __init__(self, directory: Path, *, layout: Layout = LAYOUT, config: Config | None = None, **database: Any):
        self.path = directory / "alerts.sqlite3"
        base = config or Config()
        settings = replace(base.database, path=str(self.path), **{"busy_seconds": 0.2, **database})
        self.config = replace(base, database=settings)
        super().__init__(layout)
        self.messages: list[Message] = []
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Begin with a new writer, as after the death of its predecessor."""
        self.take(Ready)
        self._leave()
        self._open()

    def _open(self) -> None:
        self.channel, child_socket = pair()
        self._child = Channel(child_socket)
        self.writer = Writer(Context("writer", self.config, self._child, self.pool))
        self.writer.open()
        assert self.take(Ready)

    def abandon(self) -> None:
        """Leave the writer as SIGKILL would: SQLite closes nothing, and the WAL stays as it is."""
        self.writer._store._let_go()

    def close(self) -> None:
        """Leave nothing behind."""
        self._leave()
        super().close()

    def _leave(self) -> None:
        self.writer._store.close()
        self.channel.close()
        self._child.close()

    def turn(self, *messages: Message) -> None:
        """Send messages and let the writer work once through them."""
        for message in messages:
            self.channel.send(message)
        self.writer.turn()

    def take(self, kind: type[Kind]) -> list[Kind]:
        """Return the writer's messages of one kind so far; they are taken out."""
        self._child.flush()
        while (message := self.channel.receive()) is not None:
            self.messages.append(message)
        found = [message for message in self.messages if isinstance(message, kind)]
        self.messages = [message for message in self.messages if not isinstance(message, kind)]
        return found

    def store(self, *pictures: bytes, **facts: Any) -> Stored:
        """Store a mail and return the writer's answer."""
        self.turn(self.put_mail(*pictures, **facts))
        (stored,) = self.take(Stored)
        return stored

    def rows(self, query: str, *arguments: object) -> list[Any]:
        """Query the database from outside."""
        if self.config.database.url:
            import psycopg  # noqa: PLC0415 - an extra

            with psycopg.connect(self.config.database.url) as server:
                return server.execute(query, arguments or None).fetchall()
        connection = sqlite3.connect(self.path)
        try:
            return connection.execute(query, arguments).fetchall()
        finally:
            connection.close()

    def turn_until(self, is_done: Callable[[], bool], limit_s: float = 10.0) -> None:
        """Let the writer turn until something holds."""
        deadline = time.monotonic() + limit_s
        while not is_done():
            assert time.monotonic() < deadline, "the writer did not get there"
            self.writer.turn()
