"""Checks of configuration values that are written in a small language: patterns and networks.

Pure; the configuration asks here, so that a slip is found when the file is read and not when the first mail comes.
"""

from __future__ import annotations

import ipaddress
import re

from camalert.errors import ConfigError

PRIVATE = "private"


def check_pattern(text: str) -> None:
    """Accept a regular expression.

    Raises: ConfigError that says what is wrong with it.
    """
    try:
        re.compile(text, re.IGNORECASE)
    except re.error as error:
        raise ConfigError(f"not a regular expression: {error}") from error


def check_network(text: str) -> None:
    """Accept "private", an address or a network.

    Raises: ConfigError that says how to write one.
    """
    if text == PRIVATE:
        return
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise ConfigError(f'write "{PRIVATE}" or a network such as "192.168.1.0/24" ({error})') from error
