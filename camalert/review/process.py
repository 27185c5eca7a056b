"""The review site's process: a web server in threads, and a main thread that minds the channel.

Optional: when Django or waitress is not installed, or the port is taken, alarms are received and examined all the same.
"""

from __future__ import annotations

import os
import time
from importlib.util import find_spec

import structlog

from camalert.child import Context
from camalert.errors import ConfigError, Exit
from camalert.messages import Ping, Pong, Ready, Stop

FIRST_TIDY_S = 5.0  # pictures were deleted while no site ran, too
TIDY_S = 300.0  # between looks for small pictures whose originals are gone
NEEDED = ("django", "waitress")

log = structlog.get_logger()


def main(context: Context) -> Exit:
    """Serve the site until told to stop.

    Raises: ConfigError when the extra is not installed; CamalertError when the port cannot be had.
    """
    require()
    # Not at the top: without the extra, these imports fail with words that help nobody.
    from camalert.review import server  # noqa: PLC0415

    site = server.start(context.config)
    log.info("review_site_ready", url=site.url)
    context.channel.send(Ready(os.getpid()))
    tidy_at = time.monotonic() + FIRST_TIDY_S
    while site.is_serving:
        if context.channel.wait(tidy_at - time.monotonic()):
            match context.channel.receive():
                case Ping(number):
                    context.channel.send(Pong(number))
                case Stop():
                    site.close()
                    return Exit.OK
                case _:
                    pass
        if time.monotonic() >= tidy_at:
            site.tidy()
            tidy_at = time.monotonic() + TIDY_S
    return Exit.CRASH


def require() -> None:
    """Look whether the extra is installed.

    Raises: ConfigError that says how to install it.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f'the review site needs {" and ".join(missing)}: pip install "camalert[review]", '
            "or set review.enabled = false"
        )
