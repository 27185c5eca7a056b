"""What a configuration needs on this machine to be valid: certificates, keys, password hashes, places for files.

It reads and changes nothing. `camalert check`, the start of the service and a reload ask here. A temporary failure
(a full disk, a port in use) is no mistake of the configuration.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from camalert.config.build import shown
from camalert.config.schema import Config
from camalert.config.sources import LoadedConfig
from camalert.errors import ConfigError
from camalert.intake.smtp import passwords, tls
from camalert.notify import channel
from camalert.store import driver

Mistake = tuple[str, str]  # the key and what is wrong with its value

CERTIFICATE_ADVICE = "`camalert make-certificate` makes certificate and key"


def refuse_mistakes(loaded: LoadedConfig) -> None:
    """Check everything.

    Raises: ConfigError with a line for each mistake: where it is written, key, value and what is allowed.
    """
    found = mistakes(loaded.config)
    if found:
        raise ConfigError("\n".join(str(loaded.problem(key, message)) for key, message in found))


def mistakes(config: Config) -> list[Mistake]:
    """Return everything that only the owner can fix."""
    return [found for check in (_certificate, _passwords, _database, _places, _targets) for found in check(config)]


def _certificate(config: Config) -> Iterator[Mistake]:
    smtp = config.smtp
    if all(listen.tls == "none" for listen in smtp.listen):
        return
    unreadable = [
        (f"smtp.{key}", f"= {shown(path)} cannot be read ({why}); {CERTIFICATE_ADVICE}")
        for key, path in (("certificate", smtp.certificate), ("private_key", smtp.private_key))
        if (why := _why_unreadable(path))
    ]
    yield from unreadable
    if not unreadable:
        try:
            tls.context(smtp.certificate, smtp.private_key, smtp.min_tls)
        except ConfigError as error:
            yield "smtp.certificate", f"= {shown(smtp.certificate)} does not fit smtp.private_key: {error}"


def _passwords(config: Config) -> Iterator[Mistake]:
    for number, user in enumerate(config.smtp.auth.user):
        try:
            passwords.is_password(b"", user.password)
        except ConfigError:
            yield f"smtp.auth.user[{number}].password", "= (hidden) must be a line that `camalert hash-password` prints"


def _database(config: Config) -> Iterator[Mistake]:
    if config.database.url:
        if not driver.is_available():
            yield "database.url", driver.MISSING
        if config.database.password_file and (why := _why_unreadable(config.database.password_file)):
            yield "database.password_file", f"= {shown(config.database.password_file)} cannot be read ({why})"
        return
    path = Path(config.database.path)
    try:
        if path.exists() and not path.is_file():
            yield "database.path", f"= {shown(str(path))} must be a file"
    except OSError as error:
        yield "database.path", f"= {shown(str(path))} cannot be used: {error.strerror}"


def _places(config: Config) -> Iterator[Mistake]:
    """Report files in the places of folders."""
    folders = [("service.run_dir", config.service.run_dir), ("database.path", str(Path(config.database.path).parent))]
    if config.review.enabled:
        folders.append(("review.data_dir", config.review.data_dir))
    if config.intake.folder.enabled:
        folders.append(("intake.folder.path", config.intake.folder.path))
    for key, folder in folders:
        try:
            existing = next(place for place in (Path(folder), *Path(folder).parents) if place.exists())
            is_wrong = not existing.is_dir()
        except OSError as error:
            yield key, f"= {shown(folder)} cannot be used: {error.strerror}"
        else:
            if is_wrong:
                yield key, f"needs the folder {folder}, but {existing} is a file"


def _why_unreadable(path: str) -> str:
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        return error.strerror or str(error)
    return "" if Path(path).is_file() else "not a file"


def _targets(config: Config) -> Iterator[Mistake]:
    for number, target in enumerate(config.notify):
        try:
            address, _ = channel.read_address(target)
            if address.option("ca") and not address.scheme.startswith("webhook"):
                channel.tls_of(address)
        except ConfigError as error:
            yield f"notify[{number}]", f"{shown(target.name)}: {error}"
