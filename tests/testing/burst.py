"""Many mails at once from many connections, with the time that each waited for its 250."""

from __future__ import annotations

import smtplib
import threading
import time
from collections.abc import Sequence

from testing.audit import Sent


class Burst:
    """Send mails over so many connections, each of which sends one after another.

    Args:
        port: Where to.
        outgoing: The mails, each with its place in the client's record.
        connections: How many clients.
    """

    def __init__(self, port: int, outgoing: Sequence[tuple[Sent, bytes]], connections: int) -> None:
        self.waits_s: list[float] = []
        self.refusals: list[str] = []
        self._port = port
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._send, args=(outgoing[first::connections],)) for first in range(connections)
        ]

    def start(self) -> Burst:
        """Begin to send."""
        for thread in self._threads:
            thread.start()
        return self

    @property
    def is_over(self) -> bool:
        """Tell whether all has been sent."""
        return not any(thread.is_alive() for thread in self._threads)

    def wait(self, seconds: float) -> None:
        """Wait for so long, or until all has been sent."""
        for thread in self._threads:
            if thread.is_alive():
                thread.join(seconds)
                return

    def join(self) -> None:
        """Wait until all has been sent."""
        for thread in self._threads:
            thread.join()

    def _send(self, mine: Sequence[tuple[Sent, bytes]]) -> None:
        try:
            with smtplib.SMTP("127.0.0.1", self._port, local_hostname="camera", timeout=120) as client:
                client.ehlo()
                for sent, mail in mine:
                    client.mail("camera@home.example")
                    client.rcpt("owner@home.example")
                    began = time.monotonic()
                    code, words = client.data(mail)
                    waited_s = time.monotonic() - began
                    with self._lock:
                        self.waits_s.append(waited_s)
                        if code != 250:
                            self.refusals.append(f"{code} {words!r}")
                    sent.is_acknowledged = code == 250
        except (OSError, smtplib.SMTPException) as error:
            with self._lock:
                self.refusals.append(str(error))
