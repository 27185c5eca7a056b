"""The exit codes and the exception tree of camalert, in one place.

Pure: every process imports this module.
"""

from __future__ import annotations

import enum


class Exit(enum.IntEnum):
    """Name the exit codes that camalert's processes use.

    Source: sysexits.h for 69 to 78; the others are ours.
    """

    OK = 0
    CRASH = 1
    UNAVAILABLE = 69  # EX_UNAVAILABLE: a needed child failed for good; systemd starts the service anew
    CANNOT_START = 71  # EX_OSERR: port in use, /dev/shm too small, another instance runs
    PROTOCOL = 76  # EX_PROTOCOL: a child got a message it cannot trust
    CONFIG = 78  # EX_CONFIG: the owner must change something; never retried


class CamalertError(Exception):
    """Be the root of everything camalert raises on purpose; its text is fit for the owner's eyes."""


class ConfigError(CamalertError):
    """Say which configuration key, value or installation is wrong and what is allowed."""


class MailError(CamalertError):
    """Say why a mail cannot be taken."""


class FrameError(CamalertError):
    """Say why a picture cannot be decoded or examined; the text becomes the alert's reason."""


class EngineError(CamalertError):
    """Say why a detection engine cannot be loaded, or finds nobody where there is somebody."""


class PoolError(CamalertError):
    """Say why the shared memory cannot be created or attached."""


class ChannelClosed(CamalertError):
    """Say that the other end of a channel is gone."""


class ProtocolError(CamalertError):
    """Say that a message or a block of words cannot be understood."""


class StoreError(CamalertError):
    """Say why the database cannot be opened or written."""


class StoreBusy(StoreError):
    """Say that the database is locked or temporarily not writable; trying again later is right."""


class StoreFull(StoreError):
    """Say that the disk is full or the database read-only; the camera gets 452."""


class StoreForeign(StoreError):
    """Say that the database is not one of ours, or a newer release's; only its owner can change that."""


class StatusError(CamalertError):
    """Say why the status of a service cannot be read."""


class StoreRefused(StoreBusy):
    """Say that the database refused this one statement: a constraint, or a table that was altered."""


class StoreLost(CamalertError):
    """Say that this process cannot trust or reach what it has open any more; a new writer can begin anew."""


class StoreDamaged(StoreError):
    """Say that the database file is no sound database any more; only its owner can decide what becomes of it."""
