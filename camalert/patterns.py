"""Checks of configuration values that are written in a small language: patterns and networks.

Pure; the configuration asks here, so that a slip is found when the file is read and not when the first mail comes.
"""

from __future__ import annotations

import ipaddress
import re

from camalert.errors import ConfigError

PRIVATE = "private"
# A name, or an address in brackets; cameras are not particular about more.
_HOSTNAME = re.compile(r"[A-Za-z0-9._-]{1,255}|\[[A-Za-z0-9.:]{1,64}\]")


def check_pattern(text: str) -> None:
    """Accept a regular expression.

    Raises: ConfigError that says what is wrong with it.
    """
    try:
        re.compile(text, re.IGNORECASE)
    except re.error as error:
        raise ConfigError(f"not a regular expression: {error}") from error


def check_hostname(text: str) -> None:
    """Accept a name or an address literal to greet clients with.

    Raises: ConfigError that says how to write one. Source: RFC 5321, section 4.1.2.
    """
    if not _HOSTNAME.fullmatch(text):
        raise ConfigError('write a name such as "camalert" or "cams.home.arpa": letters, digits, dots and hyphens')


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
