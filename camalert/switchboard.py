"""The switchboard: which child may say what, which book it is for, and to whom goes what follows.

    camera --SMTP--> smtp --Store--> supervisor --> writer --> alerts_alert, pending   (one commit)
                      <------ 250 ---- Stored ------+  |
                                                      +-- Loaded --> supervisor
                       supervisor --Decode--> decoder --Decoded-->
                                  --Detect--> detector --Detected-->
                                  --Conclude--> writer --> alerts_detect               (one commit)

Entry, in the supervisor. `dispatch` keeps the books and decides; here its answers are sent, and what a child's coming
and going means for the pipeline is told by its role.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from camalert import messages
from camalert.crew import Crew
from camalert.dispatch import Dispatch, Send
from camalert.frameslots import WRITER
from camalert.messages import Message, Outcome
from camalert.reporter import Reporter
from camalert.states import ChildSpec, Role
from camalert.turnclock import TurnClock

Handle = Callable[[str, Any], None]  # gets the child's name and its message
Routes = dict[type[Message], Handle]  # by what a child may send


class Switchboard:
    """Route messages between children.

    Args:
        specs: The children.
        books: Whose answers are sent.
        send: Sends to a child; returns False when it is not there.
        reporter: Gets what is worth counting, and the children's notes.
        clock: Tells the time of deadlines.

    Attributes:
        routes: By child, what it may send, apart from Ready, and what is called with it.
    """

    def __init__(
        self,
        specs: Iterable[ChildSpec],
        books: Dispatch,
        send: Callable[[str, Message], bool],
        reporter: Reporter,
        clock: TurnClock,
    ) -> None:
        self._books = books
        self._send_to = send
        self._reporter = reporter
        self._clock = clock
        self._roles = {spec.name: spec.role for spec in specs}
        crews = {Role.DECODER: books.decoders, Role.DETECTOR: books.detectors}
        self._crews: dict[str, Crew] = {name: crews[role] for name, role in self._roles.items() if role in crews}
        own = self._own_routes()
        self.routes: dict[str, Routes] = {
            name: self._common_routes() | own.get(role, {}) for name, role in self._roles.items()
        }

    def join(self, name: str) -> None:
        """Take a ready child into the work."""
        if self._roles[name] is Role.INTAKE:
            self._send(self._books.intake_ready(name))
        elif name == WRITER:
            self._reporter.database_usable()
            self._send(self._books.writer_ready())
        elif crew := self._crews.get(name):
            self._send(self._books.worker_ready(crew, name, self._clock.now))

    def retire(self, name: str) -> None:
        """Give no further work to a child that goes, or is to go."""
        if name == WRITER:
            self._books.writer_leaving()
        elif crew := self._crews.get(name):
            crew.retire(name)

    def leave(self, name: str, code: int, *, is_hung: bool, is_unread: bool) -> bool:
        """Let the work of an ended child go on elsewhere.

        Args:
            name: The child.
            code: Its exit code.
            is_hung: It was given up: it did not answer in time, or made no sense.
            is_unread: It never read the job that it was sent.

        Returns: Whether it ended in a job, which is the picture's fault.
        """
        crew = self._crews.get(name)
        if crew and is_unread:
            self._send(self._books.undelivered(crew, name, self._clock.now))
        was_busy = name in self._books.busy()
        if crew:
            outcome = Outcome.HUNG if is_hung else Outcome.DIED
            self._send(self._books.worker_gone(crew, name, outcome, code))
        elif name == WRITER:
            self._books.writer_gone()
        elif self._roles[name] is Role.INTAKE:
            self._books.intake_gone(name)
        return was_busy

    # --- routes -----------------------------------------------------------------------------------------------------

    def _common_routes(self) -> Routes:
        return {
            messages.Pong: lambda *_: None,
            messages.Noted: lambda name, message: self._reporter.note(name, message.text),
        }

    def _own_routes(self) -> dict[Role, Routes]:
        books, send, clock = self._books, self._send, self._clock
        return {
            Role.INTAKE: {messages.Store: lambda name, message: send(books.store(name, message))},
            Role.WRITER: {
                messages.Stored: self._take_stored,
                messages.Loaded: lambda _, message: send(books.loaded(message, clock.now)),
                messages.Concluded: self._take_concluded,
                messages.Counted: lambda _, message: self._reporter.count(message),
            },
            Role.DECODER: {messages.Decoded: lambda name, message: send(books.decoded(name, message, clock.now))},
            Role.DETECTOR: {messages.Detected: lambda name, message: send(books.detected(name, message, clock.now))},
        }

    def _take_stored(self, _: str, message: messages.Stored) -> None:
        if message.code == messages.StoreCode.STORED:
            self._reporter.stored(message.count)
        self._send(self._books.stored(message))

    def _take_concluded(self, _: str, message: messages.Concluded) -> None:
        outcome = self._books.concluded(message)
        if outcome is not None:
            self._reporter.examined(outcome)

    def _send(self, sends: list[Send]) -> None:
        for name, message in sends:
            if not self._send_to(name, message) and (crew := self._crews.get(name)):
                self._send(self._books.undelivered(crew, name, self._clock.now))
