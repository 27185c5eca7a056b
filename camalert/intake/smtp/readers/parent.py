"""The reader processes as the smtp process sees them: start one, give it a mail, kill it when it hangs.

A mail that hangs or kills its reader costs its own session alone: another reader takes the next one.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable

from camalert.errors import ChannelClosed, ProtocolError
from camalert.intake.smtp.limits import Turns
from camalert.intake.smtp.readers.process import MIB, ReadingRecord, ReadRequest, limit_s
from camalert.ipc import child, needs, spawn
from camalert.ipc.child import Context
from camalert.ipc.messages import Message, Read, Ready, Stop, WasRead
from camalert.system.limits import OomScore
from camalert.system.logs import log

TARGET = "camalert.intake.smtp.readers.process:main"
READERS = 2  # the second one is started when the first keeps somebody waiting
PATIENCE_S = 0.2  # a mail of a camera is read in a twentieth of it
POLL_S = 0.1  # how often a reading is checked
# How much of the processor's time a mail may take while another one waits and all readers are taken.
HURRIED_S = 0.4
HURRIED_S_A_MIB = 0.05
HANG_S = 15.0  # a reader that has not come to an end by then does not compute, it waits for something
START_S = 30.0
REST_S = 60.0  # after which an idle second reader is stopped
MEMORY_BYTES = 128 * MIB  # what a reader may keep of what it has read before it is replaced
# What reading may allocate: decoded copies of a mail's parts beside the mail itself.
ADDRESS_SPACE_BYTES = 256 * MIB
COPIES = 6
READER_OOM_SCORE = 400  # the kernel takes it before the smtp process


class ReaderExited(Exception):
    """The reader exited while it read a mail."""


class ReaderHung(Exception):
    """The reader was killed because a mail took too long; the message says how long."""


class NoReader(Exception):
    """No reader can be started; the message says why."""


class Readers:
    """Read mails, each in one of a few processes."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._readers: list[_Reader] = []
        self._oom_score = OomScore()
        self._waiting: collections.deque[tuple[asyncio.Future[_Reader], str]] = collections.deque()
        self._turns = Turns()

    def start(self) -> None:
        """Start the first reader, so that the first mail need not wait for it.

        Raises: NoReader.
        """
        multiprocessing.current_process().daemon = False  # or it may have no children; these end with it in any case
        try:
            with self._oom_score.at_least(READER_OOM_SCORE):
                self._readers.append(_Reader(self._context, self._exited))
        except OSError as error:
            raise NoReader(f"no process can be started to read mails: {error.strerror or error}") from error

    async def read(self, slot: int, mail: bytes | bytearray, request: ReadRequest) -> ReadingRecord:
        """Read a mail; its pictures are written into the slot.

        A reader that exited in it, or at its start, may have been killed by something else, so another one tries again.

        Args:
            slot: An intake slot that is large enough for the mail.
            mail: The mail.
            request: What else the reader needs to know.
        Raises: ReaderExited for a mail that two readers exited in, ReaderHung for one that takes too long; then nobody
            touches the slot any more. NoReader.
        """
        with contextlib.suppress(ReaderExited, NoReader):
            return await self._read(slot, mail, request)
        return await self._read(slot, mail, request)

    async def _read(self, slot: int, mail: bytes | bytearray, request: ReadRequest) -> ReadingRecord:
        pool = self._context.pool
        reader = await self._turn(request.envelope.peer)
        try:
            await reader.gets_ready()
            with pool.encoded(slot) as view:
                view[: len(mail)] = mail
            pool.write_record(slot, request.encode())
            reader.ask(Read(slot, len(mail)))
            await self._answered(reader, len(mail))
            return ReadingRecord.decode(pool.read_record(slot))
        except ProtocolError as error:  # what it says is no reading
            await reader.end()
            raise ReaderExited(str(error)) from error
        finally:
            await self._release(reader)

    async def _answered(self, reader: _Reader, mail_bytes: int) -> None:
        """Wait for a reader's answer, as long as that is worth it.

        Raises: ReaderExited, ReaderHung.
        """
        asked_at, before_s = time.monotonic(), reader.processor_s
        hurried_s = HURRIED_S + HURRIED_S_A_MIB * mail_bytes / MIB
        while not await reader.answers(POLL_S):
            took_s, waited_s = reader.processor_s - before_s, time.monotonic() - asked_at
            is_hurried = bool(self._waiting) and len(self._readers) >= READERS and took_s > hurried_s
            # The reader keeps the limit itself between two parts of a mail, and lives; so it gets half of it more.
            if is_hurried or took_s > 1.5 * limit_s(mail_bytes) or waited_s > HANG_S:
                await reader.end()
                reason = f"reading it took longer than {max(took_s, waited_s if waited_s > HANG_S else 0):.1f} s"
                log.warning("reader_exited", message=reason, bytes=mail_bytes)
                raise ReaderHung(reason)

    async def _turn(self, address: str) -> _Reader:
        """Wait for a free reader; addresses take turns.

        Raises: NoReader.
        """
        turn: asyncio.Future[_Reader] = asyncio.get_running_loop().create_future()
        entry = (turn, address)
        self._waiting.append(entry)
        try:
            if not self._readers:
                self.start()
            self._serve()
            while not turn.done():
                await asyncio.wait((turn,), timeout=PATIENCE_S)
                if not turn.done() and len(self._readers) < READERS:
                    self.start()
                    self._serve()
            return turn.result()
        except BaseException:  # nobody waits for it any more
            if turn.done():
                turn.result().is_free = True
            else:
                self._waiting.remove(entry)
            self._serve()
            raise

    async def _release(self, reader: _Reader) -> None:
        """Let the next mail have a reader."""
        if reader.is_at_work:  # its mail is not waited for any more
            await reader.end()
        elif reader in self._readers:
            reader.is_free = True
            if reader.memory_bytes() > MEMORY_BYTES:
                self._retire(reader)
            elif len(self._readers) > 1:
                asyncio.get_running_loop().call_later(REST_S, self._rest)
        self._serve()

    def _rest(self) -> None:
        """End what is more than one reader, when it has nothing to do."""
        for reader in self._readers[1:]:
            if reader.is_free and not self._waiting:
                self._retire(reader)

    def _retire(self, reader: _Reader) -> None:
        self._readers.remove(reader)
        reader.retire()

    def _exited(self, reader: _Reader) -> None:
        if reader in self._readers:
            self._readers.remove(reader)
        self._serve()

    def _serve(self) -> None:
        """Give free readers to those whose turn it is; none that comes later gets in before others of its address."""
        for reader in [found for found in self._readers if found.is_free]:
            if not self._waiting:
                return
            turn, address = entry = self._turns.in_order(self._waiting)[0]
            reader.is_free = False
            self._turns.served(address)
            self._waiting.remove(entry)
            turn.set_result(reader)


class _Reader:
    """One reader process."""

    def __init__(self, context: Context, on_end: Callable[[_Reader], None]) -> None:
        """Start it.

        Raises: OSError.
        """
        self.is_free = True
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._process = spawn.start(
            child.Orders(
                name="reader", target=TARGET, config=context.config, parent_pid=os.getpid(),
                pool_name=context.pool.name, layout=context.pool.layout,
                needs=needs.of(needs.READER, context.config) if context.needs else None,
                address_space_bytes=ADDRESS_SPACE_BYTES + COPIES * context.config.intake.max_mail_bytes,
            )
        )  # fmt: skip
        self._pid = self._process.pid
        self._channel = self._process.channel.fileno()
        self._sentinel = self._process.sentinel
        self._processor_s = 0.0
        self._is_ready: asyncio.Future[None] = self._loop.create_future()
        self._is_gone: asyncio.Future[int] = self._loop.create_future()
        self._answer: asyncio.Future[None] | None = None
        self._loop.add_reader(self._channel, self._read_channel)
        self._loop.add_reader(self._sentinel, self._reap)

    @property
    def is_at_work(self) -> bool:
        """Tell whether it has not answered yet."""
        return self._answer is not None and not self._answer.done()

    @property
    def processor_s(self) -> float:
        """Return how long it has computed since its start, in seconds.

        Source: clock_getcpuclockid(3), the number as glibc makes it.
        """
        with contextlib.suppress(OSError):
            self._processor_s = time.clock_gettime((~self._pid << 3) | 2)
        return self._processor_s

    def memory_bytes(self) -> int:
        """Return the memory that it has for itself alone."""
        return self._process.memory_bytes()

    async def gets_ready(self) -> None:
        """Wait until it can work.

        Raises: NoReader when it does not get there.
        """
        if self._is_ready.done():
            return
        await asyncio.wait((self._is_ready, self._is_gone), timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
        if not self._is_ready.done():
            how = (
                f"it exited with {self._is_gone.result()}" if self._is_gone.done() else f"not ready after {START_S:g} s"
            )
            await self.end()
            raise NoReader(f"the process that reads mails does not start: {how}")

    def ask(self, message: Message) -> None:
        """Give it a mail."""
        self._answer = self._loop.create_future()
        with contextlib.suppress(ChannelClosed):  # which `_reap` tells
            self._process.channel.send(message)
        if self._is_gone.done():
            self._answer.set_exception(ReaderExited("it had exited before"))

    async def answers(self, within_s: float) -> bool:
        """Tell whether it has answered, after so long at most.

        Raises: ReaderExited.
        """
        assert self._answer is not None  # noqa: S101 - it was asked
        done, _ = await asyncio.wait((self._answer,), timeout=within_s)
        if done:
            self._answer.result()
        return bool(done)

    async def end(self) -> None:
        """Kill it, and wait until it can touch nothing any more."""
        if not self._is_gone.done():
            self._process.signal(signal.SIGKILL)
            await asyncio.shield(self._is_gone)

    def retire(self) -> None:
        """Ask it to exit; it has nothing to do."""
        with contextlib.suppress(ChannelClosed):
            self._process.channel.send(Stop())

    def _read_channel(self) -> None:
        try:
            for message in self._process.channel.receive_datagram():
                match message:
                    case Ready():
                        if not self._is_ready.done():
                            self._is_ready.set_result(None)
                    case WasRead() if self._answer is not None and not self._answer.done():
                        self._answer.set_result(None)
                    case _:
                        raise ProtocolError(f"a reader said {message}")
        except (ChannelClosed, ProtocolError):
            self._loop.remove_reader(self._channel)
            self._process.signal(signal.SIGKILL)  # it is of no use any more; `_reap` tells the rest

    def _reap(self) -> None:
        self._loop.remove_reader(self._channel)
        self._loop.remove_reader(self._sentinel)
        code = self._process.reap()
        self._is_gone.set_result(code)
        if self.is_at_work and self._answer is not None:
            log.warning("reader_exited", message=f"it exited with {code} while it read a mail")
            self._answer.set_exception(ReaderExited(f"its reader exited with {code}"))
            self._answer.exception()  # nobody need wait for it any more
        self._on_end(self)
