"""A place of each kind of store, for the contract's tests: opened by several nodes, harmed and healed from outside."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg

from camalert.config.schema import Config, Database
from camalert.config.schema import Intake as IntakeSettings
from camalert.ipc.messages import Outcome
from camalert.ipc.records import FrameRecord, MailRecord, PersonRecord, PictureRecord
from camalert.store.interface import Store
from camalert.store.postgresql.store import PostgresqlStore
from camalert.store.queue import Waiting
from camalert.store.rows import alerts
from camalert.store.rows.alerts import Conclusion, Intake, MailResult, Picture, Rules
from camalert.store.sqlite.store import SqliteStore
from camalert.store.verdict import Verdict
from testing.postgresql import Server

MARKED = b"\xff\xd8 marked \xff\xd9"
_numbers = itertools.count(1)


class Place(ABC):
    """Where one database is, and what can happen to it."""

    settings: Database

    @abstractmethod
    def store(self, **settings: Any) -> Store:
        """Return a store that is not opened yet, as another process would have it."""

    @abstractmethod
    def full(self, store: Store) -> contextlib.AbstractContextManager[None]:
        """Let there be no space, or no permission to write, while in the `with` block."""

    @abstractmethod
    def locked(self) -> contextlib.AbstractContextManager[None]:
        """Let another program lock what a mail needs while in the `with` block."""

    @abstractmethod
    def refusing(self) -> contextlib.AbstractContextManager[None]:
        """Let the database refuse rows whose subject is "refused" while in the `with` block."""


class SqlitePlace(Place):
    """A file in a folder of the test's."""

    def __init__(self, folder: Path) -> None:
        self.settings = Database(path=str(folder / "alerts.sqlite3"), busy_seconds=30.0)

    def store(self, **settings: Any) -> Store:
        """Return a store of the file."""
        return SqliteStore(replace(self.settings, **settings))

    @contextlib.contextmanager
    def full(self, store: Store) -> Iterator[None]:
        """Let SQLite take no further page."""
        [[pages]] = store.read(lambda rows: rows.execute("PRAGMA page_count").fetchall())
        [[before]] = store.read(lambda rows: rows.execute("PRAGMA max_page_count").fetchall())
        store.read(lambda rows: rows.execute(f"PRAGMA max_page_count = {pages}").fetchall())
        yield
        store.read(lambda rows: rows.execute(f"PRAGMA max_page_count = {before}").fetchall())

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Begin to write and do not end."""
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Add a trigger of somebody else's."""
        with self._connected() as connection:
            connection.execute(
                "CREATE TRIGGER strict BEFORE INSERT ON alerts_alert WHEN NEW.subject = 'refused'"
                " BEGIN SELECT RAISE(ABORT, 'no such subject'); END"
            )
            yield
            connection.execute("DROP TRIGGER strict")

    def _connected(self) -> contextlib.closing[sqlite3.Connection]:
        return contextlib.closing(sqlite3.connect(self.settings.path, isolation_level=None))


class PostgresqlPlace(Place):
    """A database of a throw-away server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.settings = Database(url=server.database(), busy_seconds=30.0)

    def store(self, **settings: Any) -> Store:
        """Return a store of the database."""
        return PostgresqlStore(replace(self.settings, **settings))

    @contextlib.contextmanager
    def full(self, store: Store) -> Iterator[None]:
        """Let the server say what it says of a full disk."""
        with self._trigger("RAISE EXCEPTION 'could not extend file' USING ERRCODE = '53100'", "true"):
            yield

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Lock a table and keep it so."""
        with self.connected() as connection:
            connection.execute("BEGIN; LOCK TABLE camalert_mail IN EXCLUSIVE MODE")
            yield
            connection.execute("ROLLBACK")

    @contextlib.contextmanager
    def refusing(self) -> Iterator[None]:
        """Add a trigger of somebody else's."""
        with self._trigger("RAISE EXCEPTION 'no such subject'", "NEW.subject = 'refused'"):
            yield

    def connected(self) -> contextlib.closing[psycopg.Connection[Any]]:
        """Return a connection of another program's."""
        return contextlib.closing(psycopg.connect(self.settings.url, autocommit=True))

    @contextlib.contextmanager
    def _trigger(self, what: str, when: str) -> Iterator[None]:
        with self.connected() as connection:
            connection.execute(
                f"CREATE FUNCTION strict() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {what}; END $$;"
                f" CREATE TRIGGER strict BEFORE INSERT ON alerts_alert FOR EACH ROW WHEN ({when})"
                " EXECUTE FUNCTION strict()"
            )
            yield
            connection.execute("DROP TRIGGER strict ON alerts_alert; DROP FUNCTION strict()")


class Node:
    """What the writer of one node does with a store, without processes and shared memory."""

    def __init__(self, store: Store, config: Config | None = None) -> None:
        self.config = config or Config(intake=IntakeSettings(repeat_window_seconds=3600.0))
        self.store = store
        self.intake = Intake(self.config, store.free_bytes)
        self.rules = Rules("utc", self.config.visits)

    def mail(self, *pictures: bytes, mail_id: bytes = b"", kind: str = "jpeg", **facts: Any) -> MailResult:
        """Store a mail and return what becomes of it."""
        places = [sum(len(before) for before in pictures[:index]) for index in range(len(pictures))]
        record = MailRecord(
            pictures=tuple(
                PictureRecord(offset, len(picture), kind, "a picture")
                for offset, picture in zip(places, pictures, strict=True)
            ),
            **{"received_utc": time.time(), "camera": "garage", "peer": "10.0.0.5", **facts},
        )
        own = mail_id or next(_numbers).to_bytes(16, "big")
        section = memoryview(b"".join(pictures))
        return self.store.write(lambda rows: self.intake.store(rows, own, record, section))

    def conclude(self, alert_id: int, outcome: Outcome, **facts: Any) -> Conclusion:
        """Write a verdict; one of a person has a marked picture."""
        people = (PersonRecord(1, 2, 3, 4, 0.9),) if outcome is Outcome.PERSON else ()
        record = FrameRecord(alert_id, reason="why", best_score=0.9 if people else 0.1, threshold=0.5, people=people)
        verdict = Verdict(alert_id, outcome, record=record, annotated=MARKED if people else b"", **facts)
        return self.store.write(lambda rows: alerts.conclude(rows, verdict, time.time(), self.rules))

    def pending(self, *, is_large: bool = False, known: frozenset[int] = frozenset()) -> list[Waiting]:
        """Return what the queue would be told to be pending."""
        return self.store.read(lambda rows: alerts.pending_of(rows, known, 1_000_000, is_large=is_large))

    def load(self, waiting: Waiting) -> Picture | None:
        """Return a pending picture."""
        return self.store.read(lambda rows: alerts.load(rows, waiting, alerts.LEARN))

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return what a query finds."""
        return [tuple(row) for row in self.store.read(lambda rows: rows.execute(query, values).fetchall())]
