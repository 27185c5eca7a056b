"""The review site as a child of the supervisor, and its logins from the command line."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from testing import household, reviewrig
from testing.ports import free_port
from testing.reviewrig import Visitor
from testing.service import ServiceUnderTest
from testing.waiting import until

from camalert.errors import ConfigError, Exit
from camalert.ipc import child, spawn
from camalert.ipc.messages import Ping, Pong
from camalert.review import process

pytest.importorskip("django", reason="the review extra is not installed")


def test_site_answers_pings_and_stops(tmp_path: Path) -> None:
    """Its main thread minds the channel, whatever its server does."""
    with reviewrig.site(reviewrig.config(tmp_path, free_port())) as site:
        site.channel.send(Ping(7))
        assert site.channel.wait(10)
        assert site.channel.receive() == Pong(7)
        shrinks = Path(f"/proc/{site.pid}/cmdline").read_bytes()
        assert b"shrink" not in shrinks


def test_site_without_a_database_says_so(tmp_path: Path) -> None:
    """It may be faster than the service that makes it; and it never makes an empty one itself."""
    port = free_port()
    settings = reviewrig.config(tmp_path, port)
    with reviewrig.site(settings):
        visitor = Visitor(port)
        visitor.set_up(Path(settings.review.data_dir))
        answer = visitor.get("/")

        assert answer.status == 503
        assert "database" in answer.text
        assert not (tmp_path / "alerts.sqlite3").exists()
        household.Household(tmp_path / "alerts.sqlite3").close()
        assert visitor.get("/").status == 200


def test_taken_port_ends_in_words(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The owner reads which key to change."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings = reviewrig.config(tmp_path, other.getsockname()[1])
        orders = child.Orders("review", "camalert.review.process:main", settings, os.getpid())
        started = spawn.start(orders)
        until(lambda: started.channel.wait(0.1), "the end of a site whose port is taken")
        code = started.reap()

    assert code == Exit.UNAVAILABLE
    assert "[review] port" in capfd.readouterr().err


def test_missing_extra_is_a_matter_of_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """The words say what to install, or what to switch off."""
    monkeypatch.setattr(process, "NEEDED", ("no_such_library",))

    with pytest.raises(ConfigError, match=re.escape('pip install "camalert[review]"')):
        process.require()


def test_service_runs_on_without_its_site(make_service: Callable[..., ServiceUnderTest]) -> None:
    """A site that cannot start costs no alarm."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        service = make_service(review__enabled="true", review__host="127.0.0.1", review__port=port).start()
        service.wait_for("child_failed")

        assert service.process is not None
        assert service.process.poll() is None


def _review_user(folder: Path, *words: str, password: str = "") -> subprocess.CompletedProcess[str]:
    settings = folder / "config.toml"
    settings.write_text(f'[review]\ndata_dir = "{folder}/review"\n')
    return subprocess.run(
        [sys.executable, "-m", "camalert", "review-user", *words, "--config", str(settings)],
        input=password + "\n", capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_review_user_makes_a_login_a_token_and_an_end(tmp_path: Path) -> None:
    """The first login needs no browser; it works while the site runs."""
    household.Household(tmp_path / "alerts.sqlite3").close()
    port = free_port()
    with reviewrig.site(reviewrig.config(tmp_path, port)):
        assert _review_user(tmp_path, "anna", password="short").returncode == Exit.CRASH
        made = _review_user(tmp_path, "anna", password=reviewrig.PASSWORD)
        assert made.returncode == 0, made.stderr
        assert made.stdout.startswith("anna can log in at http://")
        visitor = Visitor(port)
        assert visitor.log_in().status == 302
        token = _review_user(tmp_path, "anna", "--token", "a program").stdout.strip()
        program = Visitor(port, headers={"Authorization": f"Bearer {token}"})
        assert program.get("/api/v1/people/").status == 200

        _review_user(tmp_path, "anna", "--keep-tokens", password="another horse 10")
        assert visitor.get("/").status == 302
        assert program.get("/api/v1/people/").status == 200
        _review_user(tmp_path, "anna", password="another horse 11")
        assert program.get("/api/v1/people/").status == 401
        token = _review_user(tmp_path, "anna", "--token", "a program", "--scope", "admin").stdout.strip()
        program = Visitor(port, headers={"Authorization": f"Bearer {token}"})
        assert program.get("/api/v1/people/").status == 200
        _review_user(tmp_path, "anna", "--role", "viewer", password="another horse 12")
        refused = _review_user(tmp_path, "anna", "--token", "a program", "--scope", "admin")
        assert "anna is a viewer" in refused.stderr

        assert _review_user(tmp_path, "anna", "--remove").returncode == 0
        assert program.get("/api/v1/people/").status == 401
        assert "there is no account anna" in _review_user(tmp_path, "anna", "--remove").stderr
