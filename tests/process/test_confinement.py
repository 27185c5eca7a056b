"""What each child can still do once it is set up, tried for real from inside the real child: docs/security.md."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from testing import inmate
from testing.ports import free_port
from testing.waiting import until

from camalert.config.schema import (
    Auth,
    Config,
    Database,
    Detector,
    Folder,
    Intake,
    Listen,
    Metrics,
    Notify,
    Review,
    Service,
    Smtp,
    User,
)
from camalert.config.schema import Pool as PoolSettings
from camalert.ipc import child, needs, spawn
from camalert.ipc.layout import Layout
from camalert.ipc.pool import Pool
from camalert.store.sqlite import opening
from camalert.system import confinement, landlock, ports

ABI = landlock.version()
pytestmark = pytest.mark.skipif(
    ABI < 6 or bool(confinement.support().gap), reason="this kernel's Landlock is older than 6, or has no seccomp"
)

ALL = {"read program", "signal itself", "start a thread"}
STARTS = {"fork", "run Python", "raise a limit"}
DATABASE = {
    "read database", "write database", "make a file beside the database", "let SQLite make a temporary file",
}  # fmt: skip
MAY = {
    needs.WRITER: ALL | DATABASE,
    needs.SMTP: ALL | STARTS | {"know a camera's login", "accept", "read frames by name", "write frames by name"},
    needs.READER: ALL,
    needs.FOLDER: ALL
    | {
        "read picture in the folder", "make a file in the folder", "move a file to the rejected",
        "write what is being read",
    },
    needs.DECODER: ALL,
    needs.DETECTOR: ALL,
    needs.METRICS: ALL | {"accept", "read status"},
    needs.NOTIFIER: ALL | DATABASE | {"know a target", "connect", "connect locally", "send a datagram", "read status"},
    needs.REVIEW: ALL | STARTS | DATABASE | {
        "accept", "read status", "read key of the site", "make a file of the site",
    },
}  # fmt: skip


class House:
    """A folder with everything that a child could want, and children that look for it."""

    def __init__(self, root: Path) -> None:
        self.places = places = inmate.Places(root)
        for folder in (places.database.parent, places.drop, places.site, places.run_dir, root / "tls"):
            folder.mkdir()
        for file in ("tls/key.pem", "config.toml", "drop/there.txt", "run/status.json", "site/secret-key", "victim"):
            (root / file).write_text("secret")
        opening.open_writer(Database(path=str(places.database)), 5).close()
        self.config = Config(
            service=Service(run_dir=str(places.run_dir)),
            smtp=Smtp(
                listen=(Listen("127.0.0.1", 0),),
                auth=Auth(user=(User("garage", inmate.SECRETS["a camera's login"]),)),
            ),
            notify=(Notify("phone", url=inmate.SECRETS["a target"]),),
            intake=Intake(folder=Folder(enabled=True, path=str(places.drop))),
            database=Database(path=str(places.database)),
            pool=PoolSettings(intake_slots=2),
            detector=Detector(engine="opencv", effort="fast"),
            metrics=Metrics(enabled=True, host="127.0.0.1", port=free_port()),
            review=Review(host="127.0.0.1", port=free_port(), data_dir=str(places.site)),
        )
        self._layout = Layout(2, 1 << 20, 1, 1 << 20, 1 << 20, 1 << 20, 1)
        self._pool = Pool.create(f"camalert-test-{secrets.token_hex(6)}", self._layout)
        (root / "segment").write_text(self._pool.name)
        # Like the service's own processes no better armed than a child is: one with capabilities would be safe by them.
        self._stranger = subprocess.Popen(["setpriv", "--bounding-set=-all", "--inh-caps=-all", "sleep", "600"])
        (root / "stranger").write_text(str(self._stranger.pid))
        self._server = socket.create_server(("127.0.0.1", 0))
        (root / "port").write_text(str(self._server.getsockname()[1]))
        self._local = socket.socket(socket.AF_UNIX)
        self._local.bind(str(places.socket))
        self._local.listen()

    def tries(self, kind: str, *, by: str = "") -> set[str]:
        """Start a child of a kind, or `by` another one, and return what it could do."""
        by = by or kind
        listeners = ports.open_all(self.config.smtp.listen, ()) if by == needs.SMTP else ()
        has_pool = by not in (needs.METRICS, needs.REVIEW, needs.NOTIFIER)
        pool, layout = (self._pool.name, self._layout) if has_pool else ("", None)
        started = spawn.start(
            child.Orders(
                by, f"{inmate.__name__}:main", self.config, os.getpid(), pool, layout, listeners,
                engine="opencv" if by == needs.DETECTOR else "", needs=needs.of(by, self.config),
            )
        )  # fmt: skip
        report = self.places.root / f"{kind}.json"
        try:
            until(lambda: report.exists() and report.read_text().endswith("\n"), f"the report of {kind}", 60)
        finally:
            started.signal(signal.SIGKILL)
            started.reap()
            for listener in listeners:
                listener.socket.close()
        return set(json.loads(report.read_text()))

    def close(self) -> None:
        self._stranger.kill()
        self._stranger.wait()
        self._server.close()
        self._local.close()
        self._pool.close()
        self._pool.unlink()


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setenv("CAMALERT_NOTIFY__0__URL", inmate.SECRETS["a target"])
    monkeypatch.setenv("CAMALERT_SMTP__AUTH__USER__0__PASSWORD", inmate.SECRETS["a camera's login"])
    found = House(tmp_path)
    yield found
    found.close()


@pytest.mark.parametrize("kind", MAY)
def test_child_can_do_what_it_needs_and_nothing_else(house: House, kind: str) -> None:
    """Whoever takes a child over by a mail, a picture or a request gains what its row says, and no more."""
    assert house.tries(kind, by=needs.SMTP if kind == needs.READER else kind) == MAY[kind]


def test_detector_that_asks_a_server_connects_and_nothing_else(house: House) -> None:
    """An inference server is reached; files, programs and other processes are not."""
    house.config = replace(house.config, detector=replace(house.config.detector, engine="remote"))

    assert house.tries(needs.DETECTOR) == ALL | {"connect", "connect locally", "send a datagram"}


def test_notifier_of_web_push_reaches_the_list_of_browsers_and_no_more_of_the_site(house: House) -> None:
    """It removes browsers that have ended; logins, sessions and the site's key stay out of its reach."""
    house.config = replace(house.config, notify=(Notify("Browsers", url="webpush://browsers"),))
    (house.places.site / needs.BROWSERS).mkdir()

    assert house.tries(needs.NOTIFIER) == MAY[needs.NOTIFIER] - {"know a target"}
    assert str(house.places.site / needs.BROWSERS) in needs.table(house.config)[needs.NOTIFIER].writes


def test_thumbnails_process_can_do_nothing(house: House) -> None:
    """The site's pictures are shrunk where they can do no harm."""
    code = (
        "import json\nfrom pathlib import Path\nfrom camalert.review import shrink\nfrom testing import inmate\n"
        f"places = inmate.Places(Path({str(house.places.root)!r}))\n"
        "given = places.stranger, places.port, places.segment\nreal = shrink.Confinement\n"
        "def confine(needs):\n    real(needs)\n    raise SystemExit(json.dumps(inmate.attempt(places, *given)))\n"
        "shrink.Confinement = confine\nshrink.main()\n"
    )
    path = os.pathsep.join(str(folder) for folder in (Path(__file__).parents[1], Path(__file__).parents[2]))

    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path},
        stdin=subprocess.DEVNULL, timeout=60, check=False,
    )  # fmt: skip

    assert set(json.loads(ended.stderr)) == ALL


def test_unconfined_child_can_do_nearly_everything(house: House) -> None:
    """What the others could not do is refused to them by the confinement, and by nothing else."""
    house.config = replace(house.config, service=replace(house.config.service, confine=False))

    could = house.tries(needs.DECODER)

    refused = {name for kind in MAY.values() for name in kind} | {
        "read key of TLS", "read configuration", "read users", "make a file anywhere", "make a temporary file",
        "make a file in the run directory", "change the program", "empty by reading", "change rights", "change times",
        "cut", "link", "connect", "connect locally", "listen", "send a datagram", "run a program", "signal its parent",
        "signal a stranger", "signal a stranger by a descriptor", "watch a folder",
    }  # fmt: skip
    assert could >= refused - {
        "let SQLite make a temporary file",
        "read picture in the folder",
        "write what is being read",
        *(f"know {what}" for what in inmate.SECRETS),  # it was not told
    }
