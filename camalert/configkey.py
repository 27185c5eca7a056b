"""How a key of the configuration is declared: its default and what is allowed.

Pure. What is said here travels with the field as its metadata; the validation reads it from there, and `problems` puts
it into words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Any


def key(  # noqa: PLR0913 - the facets of a key, all by name
    default: Any,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    unit: str = "",
    check: Callable[[Any], object] | None = None,
    path: bool = False,
    secret: bool = False,
) -> Any:
    """Declare a configuration key with its default and what is allowed.

    `check`, for what a range cannot say, raises ConfigError with words fit for the owner. For a list,
    range, choices and check hold for each entry. A `path` that is relative is taken from the configuration
    file's folder. A `secret` is never shown in a message.
    """
    metadata = {
        "low": low, "high": high, "choices": choices, "unit": unit,
        "check": check, "path": path, "secret": secret,
    }  # fmt: skip
    if isinstance(default, (list, dict)):
        message = "configuration defaults are immutable values"
        raise TypeError(message)
    return field(default=default, metadata=metadata)
