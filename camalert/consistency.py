"""Contradictions between configuration keys that are each right by themselves.

Pure. One small function a rule; each yields the key to look at and what is wrong in words.
"""

from __future__ import annotations

from collections.abc import Iterator

from camalert.config import Config

Contradiction = tuple[str, str]

_ALL_ADDRESSES = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, not bound


def contradictions(config: Config) -> list[Contradiction]:
    """Find every contradiction in a configuration whose single values are right."""
    rules = (_transit, _slots, _ports, _cameras)
    return [found for rule in rules for found in rule(config)]


def _transit(config: Config) -> Iterator[Contradiction]:
    intake = config.intake
    if intake.transit_bytes < intake.max_mail_bytes:
        yield (
            "intake.transit_bytes",
            f"= {intake.transit_bytes} must be at least intake.max_mail_bytes ({intake.max_mail_bytes}): "
            "the largest mail alone must always fit",
        )


def _slots(config: Config) -> Iterator[Contradiction]:
    if config.pool.frame_slots == 1:
        yield "pool.frame_slots", "= 1 must be 0 (chosen by itself) or at least 2: one is kept for live pictures"


def _ports(config: Config) -> Iterator[Contradiction]:
    taken: list[tuple[str, int, str]] = []
    for number, listen in enumerate(config.smtp.listen):
        key = f"smtp.listen[{number}].port"
        host = "" if listen.host in _ALL_ADDRESSES else listen.host
        for other_host, other_port, other in taken:
            if listen.port == other_port != 0 and (host == other_host or not host or not other_host):
                yield key, f"= {listen.port} is taken by {other} already"
        taken.append((host, listen.port, key))


def _cameras(config: Config) -> Iterator[Contradiction]:
    names: set[str] = set()
    for number, camera in enumerate(config.camera):
        if camera.name and camera.name in names:
            yield f"camera[{number}].name", f'= "{camera.name}" is used by another [[camera]] already'
        names.add(camera.name)
        if camera.min_person_height_percent > camera.max_person_height_percent:
            yield (
                f"camera[{number}].min_person_height_percent",
                f"= {camera.min_person_height_percent} must not exceed max_person_height_percent "
                f"({camera.max_person_height_percent})",
            )
