"""What all sessions of the smtp process share: its limits, the logins, the way to the writer, and the drain.

Nothing here waits for a client.
"""

from __future__ import annotations

import asyncio
import enum
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from camalert.config.schema import Config
from camalert.identity import Envelope
from camalert.intake.notes import Notes
from camalert.intake.smtp import diagnosis, replies
from camalert.intake.smtp.auth import Logins
from camalert.intake.smtp.delivery import Delivery, MailBuffer
from camalert.intake.smtp.limits import Places, Step, Transit, Wait
from camalert.ratelimit import RateLimit
from camalert.system.logs import log
from camalert.system.networks import Network, is_allowed, own_networks

if TYPE_CHECKING:
    from camalert.intake.smtp.connection import Connection

RECEIVE_BYTES = 131_072  # of one read; larger ones gain nothing (measured), and each may come on top of the budget
TICK_S = 1.0  # how often paused mails are looked at
DAY_S = 86_400.0
IDLE_S = 2.0  # a session that is silent for so long in a drain is sent away; a camera on weak Wi-Fi needs one
ARRIVAL_S = 5.0  # and so is one that has not come to its mail by then
OWN_NETWORKS_S = 30.0  # how long the machine's addresses are believed


@dataclass(frozen=True, slots=True)
class ListenerRules:
    """The rules of one listening port."""

    port: int
    tls: str = "none"
    allow: tuple[str, ...] = ("private",)
    balancers: tuple[str, ...] = ()  # whose connections begin with the client's address; nobody else may connect


class Pause(enum.Enum):
    """Why a client is not read."""

    GREETING = enum.auto()  # nobody waits for what it says yet
    COMMANDS = enum.auto()  # it talks without listening
    ENCRYPTION = enum.auto()
    BUDGET = enum.auto()  # the memory for mails is spent


class Reception:
    """Hold what sessions share."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of a process that there is one of
        self,
        config: Config,
        delivery: Delivery,
        notes: Notes,
        tls: ssl.SSLContext | None,
        tls_ports: tuple[int, ...],
        max_mail_bytes: int,
    ) -> None:
        self.smtp = config.smtp
        self.max_mail_bytes = max_mail_bytes
        self.tls = tls
        self.tls_ports = tls_ports
        self.logins = Logins(self.smtp.auth)
        self.receive_buffer = memoryview(bytearray(RECEIVE_BYTES))
        self.is_draining = False
        self.lingering = 0  # connections that are closed and not yet let go
        self.unnamed = 0  # connections of a balancer that has not said whose they are
        self._wait_s = config.intake.wait_seconds
        self._delivery = delivery
        self._notes = notes
        self._clients: set[Connection] = set()
        self._places: Places[Connection] = Places(self.smtp.max_connections, self.smtp.max_connections_per_address)
        self._transit: Transit[Connection] = Transit(config.intake.transit_bytes, max_mail_bytes)
        self._paused_at: dict[Connection, float] = {}
        self._mails: set[Connection] = set()
        self._tick: asyncio.TimerHandle | None = None
        self._rate = RateLimit(per_second=self.smtp.mails_per_minute / 60, burst=max(1, self.smtp.mails_per_minute))
        self._daily = RateLimit(per_second=1 / DAY_S, burst=1)
        self._own: tuple[Network, ...] = ()
        self._own_until = 0.0

    # --- sessions come and go -----------------------------------------------------------------------------------------

    def begin(self, client: Connection, listener: ListenerRules) -> str:
        """Take in a client; returns why it is refused, "" when it is not. If all places are taken, one gives way."""
        self._clients.add(client)
        if not self._is_allowed(client.peer, listener.allow):
            is_ports_own_rule = listener.allow != self.smtp.allow
            return diagnosis.refused_address(client.peer, listener.port, is_ports_own_rule=is_ports_own_rule)
        now = time.monotonic()
        self._places.enter(client, client.peer, now)
        leaving = self._places.excess(client, now)
        if leaving is client:
            client.end(replies.CROWDED, diagnosis.crowded(client.peer, len(self._places) - 1))
        elif leaving is not None:
            log.info("session_evicted", peer=leaving.peer, connections=len(self._places) - 1)
            problem = diagnosis.gave_way(leaving.peer) if self._places.has_begun(leaving) else ""
            leaving.end(replies.GIVE_WAY, problem)
        if leaving is not None:
            self._places.leave(leaving)  # at once: the next newcomer must not find it in its way
        return ""

    def is_balancer(self, peer: str, listener: ListenerRules) -> bool:
        """Tell whether connections from an address to this listener are passed on for others."""
        return self._is_allowed(peer, listener.balancers)

    def finish(self, client: Connection, problem: str) -> None:
        """Let a session go, and say in one line what was wrong with it."""
        self.end_mail(client, is_taken=False)
        self._places.leave(client)
        self._clients.discard(client)
        if problem:
            log.warning("session_failed", peer=client.peer, message=problem)
            self._notes.failure("session_failed", client.peer, problem)

    def came_to(self, client: Connection, step: Step) -> None:
        """Note that a session has come a step further towards a mail."""
        self._places.came_to(client, step, time.monotonic())

    def met_bare_line_feeds(self, peer: str) -> None:
        """Say once a day of a client that it ends its lines in a way of its own."""
        if self._daily.admit(peer, time.monotonic()).is_admitted:
            log.info("bare_line_feeds", peer=peer, message=diagnosis.bare_line_feeds(peer))

    async def drain(self, limit_s: float) -> None:
        """End the idle sessions and wait for the mails under way.

        A session that has just come, or is on its way to DATA, delivers its mail first: its camera may not try again.
        """
        self.is_draining = True
        began_at = now = time.monotonic()
        sent_away: set[Connection] = set()
        while self._clients and now - began_at < limit_s:
            for client in self._clients - self._mails - sent_away:
                if now - began_at > ARRIVAL_S or self._places.behind_s(client, now) > IDLE_S:
                    client.end(replies.STOPPING)
                    sent_away.add(client)
            await asyncio.sleep(0.02)
            now = time.monotonic()
        for client in self._clients - sent_away:
            client.end(replies.STOPPING)

    # --- mails --------------------------------------------------------------------------------------------------------

    def begin_mail(self, client: Connection) -> None:
        """Note that a session's mail begins."""
        now = time.monotonic()
        self._mails.add(client)
        self._transit.enter(client, client.peer, now)
        self._places.came_to(client, Step.DATA, now)

    def mail_grew(self, client: Connection, held_bytes: int, came_bytes: int) -> None:
        """Note what came of a session's mail, and what it holds; when the budget is spent, all but the oldest wait."""
        self._places.brought(client, came_bytes, time.monotonic())
        self._transit.hold(client, held_bytes)
        if self._transit.is_tight:
            self._balance()

    def end_mail(self, client: Connection, *, is_taken: bool) -> None:
        """Note that a session's mail is over, however it ended."""
        self._mails.discard(client)
        self._free(client)
        self._places.ended_mail(client, time.monotonic(), is_taken=is_taken)

    async def deliver(self, client: Connection, mail: bytearray, envelope: Envelope, acknowledged: set[str]) -> str:
        """Deliver a client's complete mail; returns the reply, `replies.OK` when it is stored.

        Whoever else keeps the mail keeps its memory from coming free while the writer works.
        """
        self._places.waits(client, Wait.ANSWER, time.monotonic())
        buffer = MailBuffer(mail, lambda: self._free(client))
        del mail
        return await self._delivery.deliver(buffer, envelope, acknowledged)

    def is_over_rate(self, peer: str) -> bool:
        """Tell whether an address has sent more mails than it may."""
        return bool(self.smtp.mails_per_minute) and not self._rate.admit(peer, time.monotonic()).is_admitted

    def _free(self, client: Connection) -> None:
        was_tight = self._transit.is_tight
        self._transit.leave(client)
        self._paused_at.pop(client, None)
        if was_tight or self._paused_at:
            self._balance()

    def _balance(self) -> None:
        """Pause and resume mails by the budget, and look again soon while one waits."""
        now = time.monotonic()
        self._transit.review(now)
        for client in list(self._mails):
            if self._transit.may_go_on(client):
                if self._paused_at.pop(client, None) is not None:
                    self._places.waits(client, Wait.NOTHING, now)
                client.resume(Pause.BUDGET)
            else:
                if client not in self._paused_at:
                    self._places.waits(client, Wait.MEMORY, now)
                paused_at = self._paused_at.setdefault(client, now)
                client.pause(Pause.BUDGET)
                if now - paused_at > self._wait_s:
                    client.end(replies.NO_MEMORY, diagnosis.no_memory(client.peer))
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
