"""The review site's process: a web server in threads, and a main thread that answers on the channel.

Optional: without Django or waitress, or when the port is taken, alarms are still received and examined.
"""

from __future__ import annotations

import gc
import os
import time
from importlib.util import find_spec

from camalert.errors import CamalertError, ConfigError, Exit
from camalert.ipc.child import Context
from camalert.ipc.messages import Ping, Pong, Ready, Refused, Stop
from camalert.system import memory
from camalert.system.logs import log

FIRST_TIDY_S = 5.0  # pictures may have been deleted while no site ran
TIDY_S = 300.0  # between searches for thumbnails without an original
NEEDED = ("django", "waitress")


def main(context: Context) -> Exit:
    """Serve the site until told to stop.

    Raises: ConfigError when the extra is not installed; CamalertError when the port is not available.
    """
    require()
    os.umask(0o077)  # its files are the service's user's alone, from their first moment
    from camalert.review import server  # noqa: PLC0415 - needs the extra

    sock = server.prepare(context.config)
    confinement = context.confine()  # before the server starts its threads
    from camalert.review import configuration, line, restores  # noqa: PLC0415 - needs Django set up

    line.connect(context.channel.send)
    site = server.start(context.config, sock)
    gc.collect()
    memory.give_back()  # Django's look at its migrations takes 4 MB, and none afterwards
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
                case Refused(text):
                    why = text.decode("utf-8", "replace")
                    configuration.refused(why)
                    restores.refused(why)
                case _:
                    pass
        if confinement is not None and (folder := confinement.changed()):
            raise CamalertError(f"{folder} is another folder than before; the next process may use it")
        if time.monotonic() >= tidy_at:
            site.tidy()
            tidy_at = time.monotonic() + TIDY_S
    return Exit.CRASH


def require() -> None:
    """Check that the extra is installed.

    Raises: ConfigError that says how to install it.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f'the review site needs {" and ".join(missing)}: pip install "camalert[review]", '
            "or set review.enabled = false"
        )
