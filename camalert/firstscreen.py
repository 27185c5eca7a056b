"""The first screen: what a person who starts camalert on a terminal has to know.

Pure: facts in, lines out.
"""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Facts:
    """What is shown at the start; `addresses` are this machine's, as cameras can reach them."""

    version: str
    config_file: str
    addresses: tuple[str, ...]
    ports: tuple[str, ...]  # "1025", "465 (TLS)"
    database: str
    engine: str
    effort: str
    detectors: int
    decoders: int
    pool_bytes: int
    frame_slots: int
    command: str = "camalert"  # how to call the command line here
    review: str = ""  # where the review site is, "" when it is off


def lines(facts: Facts) -> list[str]:
    """Return the lines of the first screen."""
    server = " or ".join(facts.addresses) or "this machine's address"
    rows = [
        ("configuration", facts.config_file),
        ("camera's mail", f"SMTP server {server}, port {' or '.join(facts.ports)}"),
        ("", "any sender, any recipient, any user and password; no SSL on port " + facts.ports[0].split()[0]),
        ("database", facts.database),
        ("detector", f"{facts.engine}, effort {facts.effort}, {_count(facts.detectors, 'process')}"),
        ("pool", f"{facts.pool_bytes / MIB:.0f} MiB shared memory, {facts.frame_slots} frame slots, "
                 f"{_count(facts.decoders, 'decoder')}"),
    ]  # fmt: skip
    if facts.review:
        rows.append(("review", facts.review))
    rows.append(("try it", f"{facts.command} send PICTURE.jpg   (from another terminal)"))
    return [f"camalert {facts.version}", *(f"  {label:<14} {text}" for label, text in rows), "  Ctrl-C ends it", ""]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "es" if noun.endswith("s") else "s")
