"""URLs of PostgreSQL databases as its own library takes them apart, which is not as other URLs are.

A user and a password end at the first "@" before the first "/", whatever "#" and "?" are among them.

Source: the PostgreSQL manual, "Connection URIs", and what libpq does with one.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, unquote

SECRETS = ("password", "sslpassword")  # parameters that are not written into a configuration
_HOST = re.compile(r"(\[[^\]]*\]|[^:]*)(:\d*)?")
_PORT = re.compile(r":\d*(?=,|$)")
_HOSTS_AND_REST = re.compile(r"([^/?]*)/?([^?]*)\??(.*)", re.DOTALL)


def has_password(url: str) -> bool:
    """Tell whether there is a password before the host."""
    before, _ = _user_and_rest(url)
    return ":" in before


def has_wrong_port(url: str) -> bool:
    """Tell whether what stands for a port is none; it is part of a password when that has a "/"."""
    _, rest = _user_and_rest(url)
    hosts = re.split("[/?]", rest, maxsplit=1)[0]
    return not all(_HOST.fullmatch(host) for host in hosts.split(","))


def secrets_in(url: str) -> list[str]:
    """Return the names of the secrets that are among the parameters."""
    names = {unquote(part.partition("=")[0]) for part in re.split("[?&]", url)[1:]}
    return [name for name in SECRETS if name in names]


def place_of(url: str) -> str:
    """Return the URL's parts that name the database, and none that may be secret."""
    before, rest = _user_and_rest(url)
    found = _HOSTS_AND_REST.fullmatch(rest)
    hosts, database, query = found.groups() if found else ("", "", "")
    options = dict(parse_qsl(query))
    host = options.get("host") or unquote(_PORT.sub("", hosts)) or options.get("service") or "local"
    name = options.get("dbname") or unquote(database) or options.get("user") or unquote(before.partition(":")[0])
    return f"postgresql://{host}/{name}"


def _user_and_rest(url: str) -> tuple[str, str]:
    text = url.partition("://")[2]
    if "@" not in text.partition("/")[0]:
        return "", text
    before, _, rest = text.partition("@")
    return before, rest
