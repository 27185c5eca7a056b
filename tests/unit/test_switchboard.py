"""Who may say what, and what a child's coming and going means for the pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from camalert import plan
from camalert.config import Config, Folder, Intake, Pool, Review
from camalert.config import Service as ServiceSettings
from camalert.dispatch import Dispatch, Limits
from camalert.engines import EngineChoice
from camalert.errors import ProtocolError
from camalert.messages import (
    Conclude,
    Concluded,
    Counted,
    Decode,
    Decoded,
    Detect,
    Detected,
    Held,
    Lend,
    Loaded,
    Message,
    Noted,
    Outcome,
    Ping,
    Pong,
    Ready,
    Stage,
    Store,
    StoreCode,
    Stored,
)
from camalert.orders import Run
from camalert.reporter import Reporter
from camalert.service import Supervisor
from camalert.switchboard import Switchboard
from camalert.turnclock import TurnClock

CONFIG = Config(
    pool=Pool(intake_slots=2, frame_slots=2),
    intake=Intake(folder=Folder(enabled=True)),
    review=Review(enabled=True),
)
PLAN = plan.make(CONFIG, cores=2, memory_bytes=1 << 40)
FRAME = PLAN.layout.frames[0]
INTAKE = PLAN.layout.intake[0]
MAIL = bytes(16)


class Board:
    """A switchboard whose children are names."""

    def __init__(self, folder: Path) -> None:
        self.sent: list[tuple[str, Message]] = []
        self.deaf: set[str] = set()  # those that are not there
        settings = Config(service=ServiceSettings(run_dir=str(folder)))
        self.books = Dispatch(PLAN.layout, Limits(10, 20))
        self.reporter = Reporter(settings, 0, 0)
        specs = plan.specs(CONFIG, PLAN)
        self.board = Switchboard(specs, self.books, self.send, self.reporter, TurnClock(0.0))

    def send(self, name: str, message: Message) -> bool:
        """Take a message for a child."""
        self.sent.append((name, message))
        return name not in self.deaf

    def say(self, name: str, message: Message) -> list[tuple[str, Message]]:
        """Let a child say something; return what was sent to whom for it."""
        self.board.routes[name][type(message)](name, message)
        return self.taken()

    def join(self, *names: str) -> list[tuple[str, Message]]:
        """Let children become ready."""
        for name in names:
            self.board.join(name)
        return self.taken()

    def load(self) -> list[tuple[str, Message]]:
        """Let the writer load a picture into the first frame slot."""
        return self.say("writer", Loaded(FRAME, self.generation, 7, 55, tries=0, is_clip=False, is_live=True))

    @property
    def generation(self) -> int:
        """Return the generation of the first frame slot."""
        return self.books.slots.generation(FRAME)

    def taken(self) -> list[tuple[str, Message]]:
        """Return what was sent since the last look."""
        sent, self.sent = self.sent, []
        return sent


@pytest.fixture
def board(tmp_path: Path) -> Board:
    """Return a switchboard whose children are not there yet."""
    return Board(tmp_path)


def test_alarm_goes_its_way_over_the_board(board: Board) -> None:
    """Each message is answered by the next one on the way, to the child whose turn it is, and counted."""
    board.join("smtp", "writer", "decoder-1", "detector-1")
    store = Store(INTAKE, 1, MAIL)
    stored = Stored(INTAKE, 1, MAIL, StoreCode.STORED, 7, 1)

    assert board.say("smtp", store) == [("writer", store)]
    assert board.say("writer", stored) == [("smtp", stored)]
    assert board.load() == [("decoder-1", Decode(FRAME, 1, 55, 0, is_clip=False))]
    decoded = Decoded(FRAME, 1, pictures=1, is_failed=False)
    assert board.say("decoder-1", decoded) == [("detector-1", Detect(FRAME, 1))]
    detected = Detected(FRAME, 1, Outcome.PERSON)
    assert board.say("detector-1", detected) == [("writer", Conclude(FRAME, 1, 7, Outcome.PERSON, Stage.DETECT, 0, 0))]
    assert board.say("writer", Concluded(FRAME, 1, 7)) == []

    shown = board.reporter.book.render(0.0, 0.0)
    assert (shown.mails, shown.examined, shown.persons) == (1, 1, 1)


def test_newcomers_are_told_what_concerns_them(board: Board) -> None:
    """The writer gets the free slots, the intake what still waits, a worker nothing before there is work."""
    assert [type(message) for _, message in board.join("writer")] == [Lend] * len(PLAN.layout.frames)
    board.say("folder", Store(INTAKE, 1, MAIL))
    board.taken()

    assert board.join("folder") == [("folder", Held(INTAKE, 1, 0)), ("folder", Ping(0))]
    assert board.join("decoder-1", "detector-1", "review") == []


def test_child_says_only_what_its_role_lets_it_say(board: Board) -> None:
    """A decoder that hands in mails has been taken over by a picture."""
    common = {Pong, Noted}

    assert board.board.routes["smtp"].keys() == board.board.routes["folder"].keys() == common | {Store}
    assert board.board.routes["writer"].keys() == common | {Stored, Loaded, Concluded, Counted}
    assert board.board.routes["decoder-1"].keys() == common | {Decoded}
    assert board.board.routes["detector-1"].keys() == common | {Detected}
    assert board.board.routes["review"].keys() == common


def test_worker_that_ends_in_its_job_takes_its_picture_down(board: Board) -> None:
    """The writer is told how it ended: died, or hung."""
    board.join("writer", "decoder-1")
    board.load()

    board.board.retire("decoder-1")
    assert board.board.leave("decoder-1", -11, is_hung=False, is_unread=False)
    assert board.taken() == [("writer", Conclude(FRAME, 1, 7, Outcome.DIED, Stage.DECODE, 1, -11))]


def test_worker_that_hung_in_its_job_is_told_apart(board: Board) -> None:
    """The owner reads another reason than for one that died."""
    board.join("writer", "decoder-1")
    board.load()

    assert board.board.leave("decoder-1", -6, is_hung=True, is_unread=False)
    assert board.taken() == [("writer", Conclude(FRAME, 1, 7, Outcome.HUNG, Stage.DECODE, 1, -6))]


def test_worker_that_never_read_its_job_is_not_held_to_it(board: Board) -> None:
    """Its picture goes to another one, and no try is counted."""
    board.join("writer", "decoder-1")
    board.load()

    assert not board.board.leave("decoder-1", -9, is_hung=False, is_unread=True)
    assert board.taken() == []
    assert board.join("decoder-1") == [("decoder-1", Decode(FRAME, 1, 55, 0, is_clip=False))]


def test_job_that_cannot_be_sent_goes_to_another_worker(tmp_path: Path) -> None:
    """A worker may be gone before anybody noticed."""
    board = Board(tmp_path)
    board.join("writer")
    board.books.worker_ready(board.books.decoders, "decoder-2", 0.0)
    board.join("decoder-1")
    board.deaf = {"decoder-1"}

    assert [name for name, _ in board.load()] == ["decoder-1", "decoder-2"]


def test_idle_children_leave_without_a_trace(board: Board) -> None:
    """Nobody is to blame for an end between two jobs; the writer's slots come back, the intake's mails stay open."""
    board.join("smtp", "writer", "decoder-1")
    board.say("smtp", Store(INTAKE, 1, MAIL))
    for name in ("smtp", "writer", "decoder-1", "review"):
        board.board.retire(name)
        assert not board.board.leave(name, 1, is_hung=False, is_unread=False)
    board.taken()

    sent = board.join("writer")
    assert ("writer", Store(INTAKE, 1, MAIL)) in sent
    assert [type(message) for _, message in sent].count(Lend) == len(PLAN.layout.frames)


def test_supervisor_says_how_many_messages_it_dropped(tmp_path: Path) -> None:
    """What is about nothing that is under way changes nothing, and is not passed over in silence."""
    config = Config(service=ServiceSettings(run_dir=str(tmp_path)))
    supervisor = Supervisor(
        Run(config, PLAN, "pool", ()), EngineChoice(("opencv",)), Reporter(config, 0, 0), lambda: config
    )

    supervisor._take("writer", Concluded(FRAME, 12345, 7))
    supervisor._take("detector-1", Detected(FRAME, 12345, Outcome.PERSON))
    with capture_logs() as lines:
        supervisor._check()
        supervisor._check()

    supervisor._fleet.close()
    assert [line["count"] for line in lines if line["event"] == "messages_dropped"] == [2]


def test_message_that_a_child_has_no_business_sending_is_nonsense(tmp_path: Path) -> None:
    """The supervisor does not guess what it may have meant."""
    config = Config(service=ServiceSettings(run_dir=str(tmp_path)))
    supervisor = Supervisor(
        Run(config, PLAN, "pool", ()), EngineChoice(("opencv",)), Reporter(config, 0, 0), lambda: config
    )

    with pytest.raises(ProtocolError, match="smtp sent Detected"):
        supervisor._take("smtp", Detected(FRAME, 1, Outcome.PERSON))
    with pytest.raises(ProtocolError, match="ready before"):
        supervisor._take("smtp", Ready(1))
    supervisor._fleet.close()
