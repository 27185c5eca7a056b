"""What a child process is started with."""

from __future__ import annotations

import io
import multiprocessing.spawn
from multiprocessing.reduction import ForkingPickler

import pytest

from camalert.config.schema import Area, Camera, Config, Match
from camalert.errors import ConfigError
from camalert.ipc import spawn
from camalert.ipc.child import Orders
from camalert.supervisor import plan

PIPE_BYTES = 65_536  # pipe(7)


def site(cameras: int) -> Config:
    """Return a configuration with so many cameras, each with what cameras usually have."""
    return Config(
        camera=tuple(
            Camera(
                name=f"camera {number}",
                match=Match(sender=f"cam{number}@site\\.example\\.org"),
                area=(Area(name="street", points=f"0,{number % 90} 100,0 100,{number % 80}.5 0,50"),),
            )
            for number in range(cameras)
        )
    )


def largest() -> Config:
    """Return the largest site that is accepted."""
    low, high = 1, 5000
    while high - low > 1:
        middle = (low + high) // 2
        try:
            spawn.check_size(site(middle), "config.toml")
            low = middle
        except ConfigError:
            high = middle
    return site(low)


def test_largest_configuration_fits_the_pipe_to_a_child() -> None:
    """All that multiprocessing writes before the child reads goes into the pipe at once, so that it never waits."""
    config = largest()
    orders = Orders(
        "detector-256",
        "camalert.detection.process:main",
        config,
        4_000_000,
        "x" * 80,
        plan.make(config, 64, 1 << 40).layout,
    )
    written = io.BytesIO()

    preparation = {
        key: bytes(value) if key == "authkey" else value
        for key, value in multiprocessing.spawn.get_preparation_data("detector-256").items()
    }
    ForkingPickler(written).dump(preparation)
    ForkingPickler(written).dump(orders)

    assert len(config.camera) >= 350
    assert len(written.getvalue()) < PIPE_BYTES - 2048, "room for longer paths than those of this test"


def test_configuration_that_does_not_fit_is_refused_in_words() -> None:
    """The file, the key, how much it is and how much is allowed."""
    with pytest.raises(ConfigError, match=r"config.toml: camera makes .* 1000 \[\[camera\]\], at most 57344"):
        spawn.check_size(site(1000), "config.toml")
