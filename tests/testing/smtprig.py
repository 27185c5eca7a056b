"""The real smtp process with a writer and a supervisor that are doubles: what it stores is kept in a list."""

from __future__ import annotations

import multiprocessing
import os
import socket
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from camalert.config.schema import Config
from camalert.errors import ChannelClosed
from camalert.ipc import child, messages, needs
from camalert.ipc.channel import pair
from camalert.ipc.layout import Layout
from camalert.ipc.messages import Store, StoreCode, Stored
from camalert.ipc.pool import Pool
from camalert.ipc.records import MailRecord
from camalert.system import ports
from testing.waiting import until

START_S = 30.0
SMTP = "camalert.intake.smtp.process:main"


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail that reached the writer."""

    words: MailRecord
    pictures: tuple[bytes, ...]


@dataclass(slots=True)
class SmtpRig:
    """Run the smtp process for a test.

    Args:
        config: What it runs with; the listeners' ports should be 0.
        answer: Decides what the writer's double answers to a mail; None leaves the Store open.
    """

    config: Config = field(default_factory=Config)
    answer: Callable[[Mail], StoreCode | None] = lambda _: StoreCode.STORED
    on_mail: Callable[[Mail], None] = lambda _: None
    held: tuple[int, ...] = ()
    target: str = SMTP
    largest_bytes: int = 0  # of a mail that the pool has room for; 0: as configured
    reason: str = ""  # what the writer's double leaves in the slot of a mail that it does not store
    mails: list[Mail] = field(default_factory=list)
    notes: list[bytes] = field(default_factory=list)
    stores: list[Store] = field(default_factory=list)
    has_pong: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> SmtpRig:
        self._layout = Layout(
            intake_slots=self.config.pool.intake_slots,
            intake_slot_bytes=self.config.pool.intake_slot_bytes,
            frame_slots=1,
            picture_bytes=65_536,
            frame_bytes=65_536,
            largest_bytes=self.largest_bytes or self.config.intake.max_mail_bytes,
        )
        self.pool = Pool.create(f"camalert-test-{uuid.uuid4().hex[:12]}", self._layout)
        self.listeners = ports.open_all(self.config.smtp.listen, ())
        self.channel, theirs = pair()
        orders = child.Orders(
            name="smtp",
            target=self.target,
            config=self.config,
            parent_pid=os.getpid(),
            pool_name=self.pool.name,
            layout=self._layout,
            listeners=self.listeners,
            # A double of the readers does what no reader does.
            needs=needs.of(needs.SMTP, self.config) if self.target == SMTP else None,
        )
        self.process = multiprocessing.get_context("spawn").Process(target=child.run, args=(orders, theirs))
        self.process.start()
        theirs.close()
        self._is_ready = threading.Event()
        self._next_id = 1
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        assert self._is_ready.wait(START_S), "the smtp process did not become ready"
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self.channel.close()
        self.process.join(10)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self._thread.join(5)
        for listener in self.listeners:
            listener.socket.close()
        self.pool.close()
        self.pool.unlink()

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    def port(self, index: int = 0) -> int:
        """Return the port of a listener."""
        return int(self.listeners[index].socket.getsockname()[1])

    def send(self, message: messages.Message) -> None:
        """Say something as the supervisor."""
        self.channel.send(message)

    def connect(self, index: int = 0) -> socket.socket:
        """Open a raw connection."""
        return socket.create_connection(("127.0.0.1", self.port(index)), timeout=20)

    def wait_mails(self, count: int, limit_s: float = 20.0) -> list[Mail]:
        """Wait until so many mails have reached the writer."""
        until(lambda: len(self.mails) >= count, f"{count} mails, {len(self.mails)} came", limit_s)
        return self.mails

    def readers(self) -> set[int]:
        """Return the processes that read its mails."""
        found = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text(encoding="ascii")
        return {int(pid) for pid in found.split()}

    def anonymous_bytes(self) -> int:
        """Return the anonymous memory of the process."""
        for line in Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
        raise AssertionError("no RssAnon")

    def _serve(self) -> None:
        try:
            while not self._ends.is_set():
                if not self.channel.wait(0.2):
                    continue
                while (message := self.channel.receive()) is not None:
                    self._take(message)
        except (ChannelClosed, OSError, ValueError):
            if not self._ends.is_set() and not self._is_ready.is_set():
                raise

    def _take(self, message: messages.Message) -> None:
        match message:
            case messages.Ready():
                for slot in self.held:
                    self.channel.send(messages.Held(slot, 7, 0))
                self.channel.send(messages.Ping(0))  # these were all
                self._is_ready.set()
            case messages.Pong():
                self.has_pong.set()
            case messages.Noted():
                self.notes.append(message.text)
            case Store():
                self._store(message)
            case _:
                raise AssertionError(message)

    def _store(self, message: Store) -> None:
        words = MailRecord.decode(self.pool.read_record(message.slot))
        with self.pool.encoded(message.slot) as view:
            pictures = tuple(bytes(view[item.offset : item.offset + item.length]) for item in words.pictures)
        mail = Mail(words, pictures)
        self.stores.append(message)
        code = self.answer(mail)
        if code is StoreCode.STORED:
            self.mails.append(mail)
            self.on_mail(mail)
        elif self.reason:
            self.pool.write_refusal(message.slot, self.reason)
        if code is not None:
            self.reply(message, code, len(pictures))

    def reply(self, store: Store, code: StoreCode, count: int = 1) -> None:
        """Answer a Store as the writer would."""
        stored = Stored(store.slot, store.generation, store.mail_id, code, self._next_id, count)
        self._next_id += count
        self.channel.send(stored)

    # The attributes below are set by __enter__.
    _layout: Layout = field(init=False)
    pool: Pool = field(init=False)
    listeners: tuple[ports.Listener, ...] = field(init=False)
    channel: object = field(init=False)
    process: object = field(init=False)
    _is_ready: threading.Event = field(init=False)
    _next_id: int = field(init=False)
    _ends: threading.Event = field(init=False)
    _thread: threading.Thread = field(init=False)
