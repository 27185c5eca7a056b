"""Cross-key checks: keys that are valid alone and contradict each other."""

from __future__ import annotations

from collections.abc import Iterator

from camalert import identity
from camalert.config import targets
from camalert.config.build import shown
from camalert.config.objects import PERSON
from camalert.config.schema import Config

Contradiction = tuple[str, str]  # the key to look at, and what is wrong with it

MOST_TARGETS = 32  # each has a thread

_ALL_ADDRESSES = ("", "0.0.0.0", "::")  # noqa: S104 - compared with, not bound


def contradictions(config: Config) -> list[Contradiction]:
    """Return every contradiction in a configuration whose single values are valid."""
    rules = (_transit, _slots, _intake, _ports, _logins, _objects, _cameras, _targets, _servers, _server_of_rows)
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
        yield (
            "pool.frame_slots",
            "= 1 must be 0 (automatic) or at least 2: one is reserved for live pictures",
        )


def _intake(config: Config) -> Iterator[Contradiction]:
    if not config.smtp.listen and not config.intake.folder.enabled:
        yield (
            "smtp.listen",
            "= [] leaves no port for cameras, and no folder is watched: write a [[smtp.listen]] block, or remove the "
            "key to listen on port 1025",
        )


def _server_of_rows(config: Config) -> Iterator[Contradiction]:
    """Name what does not work with rows in PostgreSQL yet, so that nobody finds out later."""
    database = config.database
    if not database.url:
        if database.password_file:
            yield "database.password_file", "belongs to database.url, which is not set"
        return
    if config.review.enabled:
        yield (
            "review.enabled",
            "= true does not go together with database.url yet: the site reads SQLite only; set it to false and look "
            "at the pictures with the original site, or leave database.url out",
        )
    if config.notify:
        yield "notify", "does not go together with database.url yet: messages are sent from SQLite only"


def _servers(config: Config) -> Iterator[Contradiction]:
    detector, longest_s = config.detector, config.detector.remote.timeout_seconds * len(config.detector.remote.url)
    if longest_s >= detector.deadline_seconds:
        yield (
            "detector.remote.timeout_seconds",
            f"= {detector.remote.timeout_seconds:g} is too long: {len(detector.remote.url)} servers that do not answer "
            f"take {longest_s:g} s, and after detector.deadline_seconds ({detector.deadline_seconds:g}) the detector "
            "counts as stuck",
        )


def _ports(config: Config) -> Iterator[Contradiction]:
    taken: list[tuple[str, int, str]] = []
    for key, host, port in listening(config):
        everywhere = "" if host in _ALL_ADDRESSES else host
        for other_host, other_port, other in taken:
            if port == other_port != 0 and (everywhere == other_host or not everywhere or not other_host):
                yield key, f"= {port} is already taken by {other}"
        taken.append((everywhere, port, key))


def listening(config: Config) -> Iterator[tuple[str, str, int]]:
    """Yield the key, host and port of everything that will listen."""
    for number, listen in enumerate(config.smtp.listen):
        yield f"smtp.listen[{number}].port", listen.host, listen.port
    if config.review.enabled:
        yield "review.port", config.review.host, config.review.port
    if config.metrics.enabled:
        yield "metrics.port", config.metrics.host, config.metrics.port


def _logins(config: Config) -> Iterator[Contradiction]:
    if config.smtp.auth.accept == "users" and not config.smtp.auth.user:
        yield "smtp.auth.accept", '= "users" needs at least one [[smtp.auth.user]], or no camera can log in'
    names: set[str] = set()
    for number, user in enumerate(config.smtp.auth.user):
        if not user.name:
            yield f"smtp.auth.user[{number}].name", '= "" must be the name the camera logs in with'
        elif user.name in names:
            yield (
                f"smtp.auth.user[{number}].name",
                f"= {shown(user.name)} is already used by another [[smtp.auth.user]]",
            )
        names.add(user.name)


def _objects(config: Config) -> Iterator[Contradiction]:
    if not config.detector.objects:
        yield "detector.objects", f'= [] lets nothing count: write ["{PERSON}"], or examine = false for cameras'
    if config.detector.engine == "hog":
        for key, names in (
            ("detector.objects", config.detector.objects),
            *((f"camera[{number}].objects", camera.objects) for number, camera in enumerate(config.camera)),
        ):
            if set(names) - {PERSON}:
                yield key, f'= {shown(list(names))} cannot be found by engine "hog", which knows people alone'


def _cameras(config: Config) -> Iterator[Contradiction]:
    names: set[str] = set()
    for number, camera in enumerate(config.camera):
        name = identity.key(camera.name)
        if not name:
            yield (
                f"camera[{number}].name",
                f"= {shown(camera.name)} must be the camera's name: without one the block applies to no camera",
            )
        elif name in names:
            yield (
                f"camera[{number}].name",
                f"= {shown(camera.name)} is already used by another [[camera]]; upper and lower case are the same",
            )
        names.add(name)
        if camera.min_person_height_percent > camera.max_person_height_percent:
            yield (
                f"camera[{number}].min_person_height_percent",
                f"= {camera.min_person_height_percent} must not exceed max_person_height_percent "
                f"({camera.max_person_height_percent})",
            )


def _targets(config: Config) -> Iterator[Contradiction]:
    if len(config.notify) > MOST_TARGETS:
        yield "notify", f"has {len(config.notify)} blocks; at most {MOST_TARGETS} work"
    names: set[str] = set()
    for number, target in enumerate(config.notify):
        block = f"notify[{number}]"
        name = identity.key(target.name)
        if name in names:
            yield f"{block}.name", f"= {shown(target.name)} is already used by another [[notify]]"
        names.add(name)
        for key in ("url", "secret"):
            if getattr(target, key) and getattr(target, f"{key}_file"):
                yield f"{block}.{key}_file", f"and {key} are both given: leave one out"
        if "digest" in target.events and not target.digest_at.strip():
            yield f"{block}.digest_at", 'is empty, and events has "digest": write a time of day, "home", or both'
        if not target.url:
            if not target.url_file:
                yield f"{block}.url", "is missing: write where the messages go, or url_file with a file that says it"
            continue
        address = targets.parse(target.url)
        if (target.secret or target.secret_file) and not address.scheme.startswith("webhook"):
            yield f"{block}.secret", f"is of use for a webhook only, and the URL begins with {address.scheme}://"
        if address.scheme.startswith("smtp") and _is_own(config, address):
            yield f"{block}.url", "leads back to camalert itself: each alarm would make another one"


def _is_own(config: Config, address: targets.Address) -> bool:
    """Tell whether an address is one of our own ports for mail on this machine."""
    is_here = address.host in ("localhost", "127.0.0.1", "::1") or any(
        address.host == listen.host for listen in config.smtp.listen
    )
    return is_here and any(address.port == listen.port for listen in config.smtp.listen)
