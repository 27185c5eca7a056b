"""`camalert check`: what would run, and what stands in its way."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from camalert.__main__ import main
from camalert.errors import Exit


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Give a configuration that would run here."""
    path = tmp_path / "config.toml"
    path.write_text('[[smtp.listen]]\nhost = "127.0.0.1"\nport = 0\n[detector]\nengine = "opencv"\nprocesses = 3\n')
    return path


def test_check_right_configuration_says_what_would_run(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Processes, pool, database, port and a tried engine; and nothing is left behind."""
    code = main(["check", "--config", str(file)])

    text = capsys.readouterr().out
    assert code == Exit.OK
    assert "3 detectors" in text
    assert "MiB of shared memory" in text
    assert f"database: {file.parent}/var/alerts.sqlite3 will be made" in text
    assert "opencv finds the person of the test picture" in text
    assert "WRONG" not in text
    assert [path.name for path in file.parent.iterdir()] == ["config.toml"]


def test_check_says_the_precision_and_what_decided_it(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What the self-test's process says of the engine's precision stands behind the time it took."""
    says = "f32: 39 ms of CPU a look, 68 in bf16"
    run = subprocess.run

    def stand_in(command: list[str], **settings: object) -> subprocess.CompletedProcess[str]:
        ours = "camalert.detection.selftest" in command
        return run([sys.executable, "-c", f"print({says!r})"] if ours else command, **settings)  # type: ignore[call-overload]

    monkeypatch.setattr("camalert.supervisor.preflight.subprocess.run", stand_in)

    main(["check", "--config", str(file)])

    assert f"s to start), in {says}\n" in capsys.readouterr().out


def test_check_port_in_use_is_wrong(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A port that another program holds is found before the start."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        file.write_text(file.read_text().replace("port = 0", f"port = {port}"))

        code = main(["check", "--config", str(file)])

    assert code == Exit.CANNOT_START
    assert f"WRONG SMTP: cannot listen on port {port}" in capsys.readouterr().out


def test_check_wrong_configuration_lists_everything(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All errors come at once, and nothing is tried with a wrong configuration."""
    file.write_text('[log]\nlevel = "loud"\nformt = "json"\n')

    code = main(["check", "--config", str(file)])

    output = capsys.readouterr()
    assert code == Exit.CONFIG
    assert len(output.err.splitlines()) == 2
    assert output.out == ""


def test_check_folder_that_cannot_be_made_is_wrong(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A database below a file is a mistake of the configuration, found before the start."""
    file.write_text(file.read_text() + f'[database]\npath = "{file}/alerts.sqlite3"\n')

    code = main(["check", "--config", str(file)])

    assert code == Exit.CONFIG
    assert "database.path needs the folder" in capsys.readouterr().err


def test_check_tries_the_folder_of_a_database_to_be_made(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing can be made, for the superuser either, it does not say that the database will be."""
    file.write_text(file.read_text() + '[database]\npath = "/proc/camalert/alerts.sqlite3"\n')

    code = main(["check", "--config", str(file)])

    assert code == Exit.CANNOT_START
    assert "database: /proc/camalert cannot be used: nothing can be made in /proc" in capsys.readouterr().out
