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
    rules = (_transit, _slots, _ports, _logins, _cameras)
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
    for key, host, port in _listening(config):
        everywhere = "" if host in _ALL_ADDRESSES else host
        for other_host, other_port, other in taken:
            if port == other_port != 0 and (everywhere == other_host or not everywhere or not other_host):
                yield key, f"= {port} is taken by {other} already"
        taken.append((everywhere, port, key))


def _listening(config: Config) -> Iterator[tuple[str, str, int]]:
    """Yield the key, the host and the port of everything that listens."""
    for number, listen in enumerate(config.smtp.listen):
        yield f"smtp.listen[{number}].port", listen.host, listen.port
    if config.review.enabled:
        yield "review.port", config.review.host, config.review.port
    if config.metrics.enabled:
        yield "metrics.port", config.metrics.host, config.metrics.port


def _logins(config: Config) -> Iterator[Contradiction]:
    if config.smtp.auth.accept == "users" and not config.smtp.auth.user:
        yield "smtp.auth.accept", '= "users" needs at least one [[smtp.auth.user]], or no camera can log in'


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
