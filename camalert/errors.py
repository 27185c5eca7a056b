"""The exit codes and the exception tree of camalert."""

from __future__ import annotations

import enum


class Exit(enum.IntEnum):
    """The exit codes of camalert's processes.

    Source: sysexits.h for 69 to 78; the others are ours.
    """

    OK = 0
    CRASH = 1
    UNAVAILABLE = 69  # EX_UNAVAILABLE: a vital child failed for good; systemd starts the service anew
    CANNOT_START = 71  # EX_OSERR: port in use, /dev/shm too small, another instance runs; in a child: no memory
    PROTOCOL = 76  # EX_PROTOCOL: a child got a message it cannot trust
    CONFIG = 78  # EX_CONFIG: the owner must change something; never retried


class CamalertError(Exception):
    """Base class of what camalert raises on purpose; the message is shown to the user."""


class ConfigError(CamalertError):
    """A configuration key, value or installation is wrong; the message says what is allowed."""


class MailError(CamalertError):
    """A mail cannot be received."""


class ReadingTooLong(MailError):
    """A mail takes more time to read than its reader may spend; the mail itself may be intact."""


class FrameError(CamalertError):
    """A picture cannot be decoded or examined; the message becomes the alert's reason."""


class EngineError(CamalertError):
    """A detection engine cannot be loaded, or fails its self-test."""


class EngineUnavailable(CamalertError):
    """A detection engine cannot examine now: no inference server answers; nothing is wrong with the picture."""


class PoolError(CamalertError):
    """The shared memory cannot be created or attached."""


class ChannelClosed(CamalertError):
    """The other end of a channel is gone."""


class ProtocolError(CamalertError):
    """A message or a record is malformed."""


class StoreError(CamalertError):
    """The database cannot be opened or written."""


class StoreBusy(StoreError):
    """The database is temporarily not readable or writable; retry later."""


class StoreLocked(StoreBusy):
    """Another program holds a lock on the database."""


class StoreFull(StoreError):
    """The disk is full or the database read-only; the camera gets 452."""


class StoreForeign(StoreError):
    """The database belongs to another program or a newer release; only its owner can change that."""


class StatusError(CamalertError):
    """The status of a service cannot be read."""


class StoreRefused(StoreError):
    """The database refused this one job: a constraint, an altered table, values of a wrong type."""


class StoreLost(CamalertError):
    """The writer can no longer trust or reach its open database; only a new process can go on."""


class StoreDamaged(StoreError):
    """The database file is corrupt; only its owner can decide what to do with it."""
