"""What all sessions of the smtp process share: limits, books, budget, logins, and the way to the writer.

Mechanism: belongs to the event loop; nothing here waits for a client.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol

import structlog

from camalert.config import Config
from camalert.mail.envelope import Envelope
from camalert.ratelimit import RateLimit
from camalert.smtp import diagnosis, replies
from camalert.smtp.addresses import Network, is_allowed
from camalert.smtp.connections import Connections
from camalert.smtp.delivery import Delivery, Parcel
from camalert.smtp.interfaces import own_networks
from camalert.smtp.logins import Logins
from camalert.smtp.notes import Notes
from camalert.smtp.transit import Transit

RECEIVE_BYTES = 131_072  # of one read; larger ones gain nothing (measured), and each may come on top of the budget
TICK_S = 1.0  # how often paused mails are looked at
OWN_NETWORKS_S = 30.0  # how long the machine's addresses are believed

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Listener:
    """The rules of one listening port."""

    port: int
    tls: str = "none"
    allow: tuple[str, ...] = ("private",)


class Guest(Hashable, Protocol):
    """What the reception needs to know of a session."""

    @property
    def peer(self) -> str:
        """Return the client's address."""

    def pause(self) -> None:
        """Read no more for now."""

    def resume(self) -> None:
        """Read again."""

    def end(self, reply: str, trouble: str = "") -> None:
        """End the session with a last reply."""


class Reception:
    """Hold what sessions share."""

    def __init__(
        self, config: Config, delivery: Delivery, notes: Notes, tls: ssl.SSLContext | None, tls_ports: tuple[int, ...]
    ) -> None:
        self.smtp = config.smtp
        self.max_mail_bytes = config.intake.max_mail_bytes
        self.tls = tls
        self.tls_ports = tls_ports
        self.logins = Logins(self.smtp.auth)
        self.receive_buffer = memoryview(bytearray(RECEIVE_BYTES))
        self.is_draining = False
        self._wait_s = config.intake.wait_seconds
        self._delivery = delivery
        self._notes = notes
        self._guests: set[Guest] = set()
        self._connections: Connections[Guest] = Connections(
            self.smtp.max_connections, self.smtp.max_connections_per_address
        )
        self._transit: Transit[Guest] = Transit(config.intake.transit_bytes, config.intake.max_mail_bytes)
        self._paused_at: dict[Guest, float] = {}
        self._mails: set[Guest] = set()
        self._tick: asyncio.TimerHandle | None = None
        self._rate = RateLimit(per_second=self.smtp.mails_per_minute / 60, burst=max(1, self.smtp.mails_per_minute))
        self._own: tuple[Network, ...] = ()
        self._own_until = 0.0

    # --- sessions come and go -----------------------------------------------------------------------------------------

    def begin(self, guest: Guest, listener: Listener) -> str:
        """Take in a session; returns why it is refused, "" when it is not. A full house sends an idle session away."""
        self._guests.add(guest)
        if not self._is_allowed(guest.peer, listener.allow):
            is_ports_own_rule = listener.allow != self.smtp.allow
            return diagnosis.refused_address(guest.peer, listener.port, is_ports_own_rule=is_ports_own_rule)
        self._connections.enter(guest, guest.peer, time.monotonic())
        leaving = self._connections.excess(guest.peer)
        if leaving is guest:
            guest.end(replies.CROWDED, diagnosis.crowded(guest.peer, len(self._connections) - 1))
        elif leaving is not None:
            log.info("idle_session_ended", peer=leaving.peer, connections=len(self._connections))
            leaving.end(replies.GIVE_WAY)
        return ""

    def finish(self, guest: Guest, trouble: str) -> None:
        """Let a session go, and say in one line what was wrong with it."""
        self.end_mail(guest)
        self._connections.leave(guest)
        self._guests.discard(guest)
        if trouble:
            log.warning("session_failed", peer=guest.peer, words=trouble)
            self._notes.failure("session_failed", guest.peer, trouble)

    def heard(self, guest: Guest) -> None:
        """Note that a session said something."""
        self._connections.heard(guest, time.monotonic(), is_busy=guest in self._mails)

    async def drain(self, limit_s: float) -> None:
        """End the idle sessions and wait for the mails under way."""
        self.is_draining = True
        for guest in list(self._guests):
            if guest not in self._mails:
                guest.end(replies.STOPPING)
        ends_at = time.monotonic() + limit_s
        while self._mails and time.monotonic() < ends_at:
            await asyncio.sleep(0.02)
        for guest in list(self._guests):
            guest.end(replies.STOPPING)

    # --- mails --------------------------------------------------------------------------------------------------------

    def begin_mail(self, guest: Guest) -> None:
        """Note that a session's mail begins."""
        now = time.monotonic()
        self._mails.add(guest)
        self._transit.enter(guest, now)
        self._connections.heard(guest, now, is_busy=True)

    def mail_grew(self, guest: Guest, held_bytes: int) -> None:
        """Note what a session's mail holds; when the budget is spent, all but the oldest are paused."""
        self._transit.hold(guest, held_bytes)
        if self._transit.is_tight:
            self._balance()

    def end_mail(self, guest: Guest) -> None:
        """Note that a session's mail is over, however it ended."""
        self._mails.discard(guest)
        self._free(guest)
        self._connections.heard(guest, time.monotonic(), is_busy=False)

    def parcel(self, guest: Guest, mail: bytearray) -> Parcel:
        """Wrap a session's complete mail for delivery; nobody else may keep it, or its memory would not come free."""
        return Parcel(mail, lambda: self._free(guest))

    async def deliver(self, parcel: Parcel, envelope: Envelope, acknowledged: set[str]) -> str:
        """Deliver a mail; returns the reply, `replies.OK` when it is stored."""
        return await self._delivery.deliver(parcel, envelope, acknowledged)

    def is_over_rate(self, peer: str) -> bool:
        """Tell whether an address has sent more mails than it may."""
        return bool(self.smtp.mails_per_minute) and not self._rate.admit(peer, time.monotonic()).is_admitted

    def _free(self, guest: Guest) -> None:
        was_tight = self._transit.is_tight
        self._transit.leave(guest)
        self._paused_at.pop(guest, None)
        if was_tight or self._paused_at:
            self._balance()

    def _balance(self) -> None:
        """Pause and resume mails by the budget, and look again soon while one waits."""
        now = time.monotonic()
        self._transit.review(now)
        for guest in list(self._mails):
            if self._transit.may_go_on(guest):
                self._paused_at.pop(guest, None)
                guest.resume()
            else:
                paused_at = self._paused_at.setdefault(guest, now)
                guest.pause()
                if now - paused_at > self._wait_s:
                    guest.end(replies.NO_ROOM, diagnosis.no_room(guest.peer))
        if self._paused_at and self._tick is None:
            self._tick = asyncio.get_running_loop().call_later(TICK_S, self._look_again)

    def _look_again(self) -> None:
        self._tick = None
        self._balance()

    def _is_allowed(self, peer: str, allow: tuple[str, ...]) -> bool:
        if is_allowed(peer, allow, self._own):
            return True
        if time.monotonic() < self._own_until:
            return False
        self._own, self._own_until = own_networks(), time.monotonic() + OWN_NETWORKS_S
        return is_allowed(peer, allow, self._own)
