"""The container's files: what they name is there, and what they set is understood."""

from __future__ import annotations

import re
from pathlib import Path

from camalert.config.sources import Source, load

CHECKOUT = Path(__file__).parents[2]
CONTAINERFILE = (CHECKOUT / "Containerfile").read_text(encoding="utf-8")
COMPOSE = (CHECKOUT / "compose.yaml").read_text(encoding="utf-8")
IGNORE = (CHECKOUT / ".containerignore").read_text(encoding="utf-8").splitlines()


def test_containerfile_copies_what_is_there_and_not_left_out() -> None:
    """A file that was moved is missed here, and not by whoever builds the image."""
    copied = [name for line in re.findall(r"^COPY (?!--from)(.+)$", CONTAINERFILE, re.M) for name in line.split()[:-1]]

    assert len(copied) > 3
    for name in copied:
        assert (CHECKOUT / name).exists(), name
        assert f"!{Path(name).parts[0]}" in IGNORE, f"{name} is left out by .containerignore"


def test_containerfile_ports_are_the_defaults() -> None:
    """What is exposed is what listens, and needs no privilege."""
    exposed = {int(port) for port in re.findall(r"^EXPOSE (.+)$", CONTAINERFILE, re.M)[0].split()}
    config = load(Source(file=CHECKOUT / "config.toml"), {}).config

    assert exposed == {config.smtp.listen[0].port, config.review.port, config.metrics.port}
    assert min(exposed) > 1023


def test_compose_settings_are_understood(tmp_path: Path) -> None:
    """Every variable, those in comments included, is a key with an allowed value."""
    variables = dict(re.findall(r'^ +#? ?(CAMALERT_\w+): "?([^"\n]+)"?$', COMPOSE, re.M))
    secret = tmp_path / "garage"
    secret.write_text("scrypt:")
    variables = {name: str(secret) if name.endswith("_FILE") else value for name, value in variables.items()}
    (tmp_path / "config.toml").touch()

    loaded = load(Source(file=tmp_path / "config.toml"), variables)

    assert len(variables) >= 6
    assert loaded.config.smtp.auth.user[0].name == "garage"


def test_compose_waits_longer_than_the_drain() -> None:
    """A container that is stopped is not killed in the middle of a mail."""
    (seconds,) = re.findall(r"stop_grace_period: (\d+)s", COMPOSE)

    assert int(seconds) > load(Source(file=CHECKOUT / "config.toml"), {}).config.service.drain_seconds + 10


def test_compose_explains_every_setting() -> None:
    """Each line that sets something has a comment above it, or opens or begins a block that has one."""
    before = ""
    for line in map(str.strip, COMPOSE.splitlines()):
        if line and not line.startswith("#"):
            assert before.startswith("#") or before.endswith(":"), f"not explained: {line}"
        before = line
