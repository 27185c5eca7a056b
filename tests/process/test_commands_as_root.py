"""Commands that the owner calls with sudo, in folders where the service's user has planted something."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from camalert.cli.commands import COMMANDS
from camalert.config.schema import Database as Settings
from camalert.status import model as status
from camalert.store.sqlite.database import Database

ROOT = Path(__file__).parents[2]
SERVICE = 54_321  # a user that no machine has
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be led astray")


@pytest.fixture
def state() -> Iterator[Path]:
    """Return a folder of the service's, beside a configuration of root's, where everybody may enter."""
    place = Path(tempfile.mkdtemp(prefix="camalert-state-"))
    place.chmod(0o755)
    (place / "config.toml").write_text(
        '[database]\npath = "state/alerts.sqlite3"\n[review]\ndata_dir = "state/review"\n'
        '[smtp]\ncertificate = "state/tls/certificate.pem"\nprivate_key = "state/tls/key.pem"\n'
    )
    state = place / "state"
    for folder in (state, state / "review", state / "tls"):
        folder.mkdir()
        os.chown(folder, SERVICE, SERVICE)
    yield state
    shutil.rmtree(place)


# What each command is called with, where it works in folders of the service's.
WORDS: dict[str, tuple[str, ...]] = {
    "anonymise": ("{state}/mail.eml",),
    "arm": (),
    "backup": ("{state}/out/copy.sqlite3",),
    "cameras": ("forget", "garage"),
    "check": (),
    "compact": (),
    "config": (),
    "detect": ("{state}/picture.jpg", "--out", "{state}/out"),
    "disarm": (),
    "export-model": ("{state}/out/models", "--effort", "fast"),
    "init-db": (),
    "learned": (),
    "make-certificate": (),
    "presence": ("home",),
    "review-user": ("anna",),
    "snooze": (),
    "status": (),
    "verify": (),
}
ELSEWHERE = {
    "run": "it is the service",
    "send": "it only reads",
    "explain": "it only reads",
    "hash-password": "it only prints",
    "notify": "it only reads",
    "import": "tests/systemd",
}
COMPANIONS = ("-wal", "-shm", "-journal")  # of any file, which SQLite may make


def _call(state: Path, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return _camalert(*words, "--config", str(state.parent / "config.toml"), typed=typed)


def _camalert(*words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Call the command with a Python that the service's user can read, too."""
    program, found = sys.executable, dict(os.environ)
    if not all(folder.stat().st_mode & 0o001 for folder in Path(os.__file__).parents):
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        program = shutil.which(f"python{version}", path="/usr/bin") or pytest.skip("Python is root's alone here")
        found["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if "site-packages" in path or path == str(ROOT))
    if not all(folder.stat().st_mode & 0o001 for folder in ROOT.parents):
        pytest.skip("the checkout is root's alone")
    command = [program, "-m", "camalert", *words]
    return subprocess.run(
        command, input=typed, capture_output=True, text=True, timeout=60, check=False, env=found, cwd=ROOT
    )


def _secret(state: Path) -> Path:
    file = state.parent / "shadow"
    file.write_text("root:secret")
    file.chmod(0o640)
    return file


def test_review_user_gives_no_file_of_roots_away(state: Path) -> None:
    """A link in the data folder, under any name, keeps its target as it was; the login is the service's own."""
    secret = _secret(state)
    (state / "review" / "thumbnails.txt").symlink_to(secret)

    done = _call(state, "review-user", "anna", typed="a long enough password\n")

    assert done.returncode == 0, done.stderr
    assert (secret.stat().st_uid, secret.stat().st_mode & 0o777) == (0, 0o640)
    for name in ("site.sqlite3", "secret-key"):
        made = (state / "review" / name).stat()
        assert (made.st_uid, made.st_mode & 0o777) == (SERVICE, 0o600)


@pytest.mark.parametrize("name", ["site.sqlite3", "secret-key"])
def test_review_user_writes_through_no_link(name: str, state: Path) -> None:
    """A link in the place of the site's database or key makes no file where only root may."""
    (state / "review" / name).symlink_to(state.parent / "made-by-root")

    done = _call(state, "review-user", "anna", typed="a long enough password\n")

    assert not (state.parent / "made-by-root").exists()
    assert "Traceback" not in done.stderr


def test_review_user_in_a_data_folder_that_is_a_link_stays_the_services(state: Path) -> None:
    """The whole folder as a link to one of root's: nothing is written there."""
    (state / "review").rmdir()
    (state.parent / "etc").mkdir()
    (state / "review").symlink_to(state.parent / "etc")

    done = _call(state, "review-user", "anna", typed="a long enough password\n")

    assert done.returncode != 0
    assert list((state.parent / "etc").iterdir()) == []
    assert "review.data_dir" in done.stderr


def test_init_db_makes_the_services_database_and_follows_no_link(state: Path) -> None:
    """The database that root makes is the service's; a dangling link in its place makes no file elsewhere."""
    assert _call(state, "init-db").returncode == 0
    assert (state / "alerts.sqlite3").stat().st_uid == SERVICE

    for file in state.glob("alerts.sqlite3*"):
        file.unlink()
    (state / "alerts.sqlite3").symlink_to(state.parent / "made-by-root")
    assert _call(state, "init-db").returncode != 0
    assert not (state.parent / "made-by-root").exists()


@pytest.mark.parametrize("command", ["compact", "verify", "status"])
def test_command_on_a_database_that_is_a_link_reads_and_writes_nothing_of_roots(command: str, state: Path) -> None:
    """A link to a database of root's is opened with the service's rights, which do not suffice."""
    target = state.parent / "roots.sqlite3"
    database = Database(Settings(path=str(target)))
    database.open()
    database.close()
    target.chmod(0o600)
    before = target.read_bytes()
    (state / "alerts.sqlite3").symlink_to(target)

    done = _call(state, command)

    assert done.returncode != 0
    assert target.read_bytes() == before
    assert target.stat().st_uid == 0
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl program is not installed")
def test_make_certificate_writes_through_no_link(state: Path) -> None:
    """A dangling link in the key's place makes no file of root's; without one the key is the service's."""
    (state / "tls" / "key.pem").symlink_to(state.parent / "made-by-root")
    assert _call(state, "make-certificate").returncode != 0
    assert not (state.parent / "made-by-root").exists()

    (state / "tls" / "key.pem").unlink()
    assert _call(state, "make-certificate").returncode == 0
    assert (state / "tls" / "key.pem").stat().st_uid == SERVICE


def test_configuration_of_somebody_else_gets_nothing_done_as_root(state: Path) -> None:
    """Who may write the configuration cannot name a place where only root may write."""
    config = state / "config.toml"
    config.write_text('[database]\npath = "/etc/camalert-planted.sqlite3"\n')
    os.chown(config, SERVICE, SERVICE)

    done = _camalert("init-db", "--config", str(config))

    assert done.returncode != 0
    assert not Path("/etc/camalert-planted.sqlite3").exists()


@pytest.mark.parametrize("command", ["init-db", "compact", "verify", "status", "backup", "cameras"])
def test_command_where_the_owner_has_no_rights_says_so(command: str, state: Path) -> None:
    """A folder that its owner cannot enter ends a command in a line that names it, never in a stack."""
    closed = state / "closed"
    closed.mkdir(mode=0o700)
    (state.parent / "config.toml").write_text('[database]\npath = "state/closed/alerts.sqlite3"\n')
    words = {"backup": [str(state.parent / "copy")], "cameras": ["forget", "garage"]}

    done = _call(state, command, *words.get(command, []))

    assert done.returncode != 0
    assert "Traceback" not in done.stderr + done.stdout
    assert "denied" in done.stderr + done.stdout or command == "status"


def test_status_without_the_right_to_the_database_shows_the_rest(state: Path) -> None:
    """Whoever is not in the group still learns how the service is, and what he would have to join."""
    closed, run = state / "closed", state / "run"
    closed.mkdir(mode=0o700)
    run.mkdir()
    os.chown(run, SERVICE, SERVICE)
    status.write(run, status.Status("1.0", os.getpid(), time.time(), time.time(), "running", time.time()))
    os.chown(run / status.FILE_NAME, SERVICE, SERVICE)
    (state.parent / "config.toml").write_text(
        '[service]\nrun_dir = "state/run"\n[database]\npath = "state/closed/alerts.sqlite3"\n'
    )

    done = _call(state, "status")

    assert done.returncode == 0, done.stderr
    assert "Running for " in done.stdout
    assert "is not readable by this user: join the group camalert" in done.stdout


def test_every_command_is_tried() -> None:
    """Whoever adds a command says with which words it works in the service's folders."""
    assert {command.name for command in COMMANDS} == {*WORDS, *ELSEWHERE}


@pytest.mark.parametrize("command", sorted(WORDS))
def test_command_leaves_nothing_of_roots_and_follows_no_link(command: str, state: Path) -> None:
    """Whatever it makes there is the service's; and a link in the place of any of it leads root nowhere."""
    before = _furnish(state)
    _run(command, state)
    found = {path for path in state.rglob("*") if path.is_file()}
    assert {path for path in found if path.stat().st_uid != SERVICE} == set()

    trap = state.parent / "trap"
    trap.mkdir()
    database = state / "alerts.sqlite3"
    for planted in ([Path(f"{database}{end}") for end in COMPANIONS], *([path] for path in sorted(found - before))):
        for path in planted:
            path.unlink(missing_ok=True)
            path.symlink_to(trap / path.name)
        assert "Traceback" not in _run(command, state)
        assert list(trap.iterdir()) == [], planted


def _furnish(state: Path) -> set[Path]:
    """Put into the service's folder what commands read; return the files."""
    with (state.parent / "config.toml").open("a") as config:
        config.write('[detector]\nengine = "opencv"\neffort = "fast"\n')
    (state / "out").mkdir()
    (state / "mail.eml").write_bytes(b"Subject: Motion at garage\r\nFrom: a@b.example\r\n\r\nhello\r\n")
    shutil.copy(ROOT / "camalert/detection/models/astronaut.jpg", state / "picture.jpg")
    database = Database(Settings(path=str(state / "alerts.sqlite3")))
    database.open()
    database.close()
    found = set(state.rglob("*"))
    for path in found:
        os.chown(path, SERVICE, SERVICE)
    return found


def _run(command: str, state: Path) -> str:
    words = [word.format(state=state) for word in WORDS[command]]
    if command in ("anonymise", "export-model"):
        done = _camalert(command, *words)
    else:
        done = _call(state, command, *words, typed="a long enough password\n")
    return done.stdout + done.stderr
