"""What the site sets: settings.toml in its data folder, with a history of who changed what and when.

A change is checked by the code that reads the configuration, written in one step, and asked to be taken: the supervisor
tries it and begins again with it, and this process ends with all others. The next one finds in the run directory which
text is in force (`settle`). When the supervisor refuses it, it says why, and what was written is taken back.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext

from camalert.config import settings_file
from camalert.config.build import Problem, build, dotted
from camalert.config.checks import contradictions
from camalert.config.schema import Config
from camalert.config.settings_file import LISTS, Kind, Raw
from camalert.errors import ConfigError
from camalert.ipc.messages import Reload
from camalert.review import line
from camalert.review.accounts.models import SettingsChange
from camalert.status import origins
from camalert.system.logs import log

CHANGES_KEPT = 200
TEXT_BYTES = 262_144
TRIED_S = 300.0  # the supervisor's own limit is shorter: a change that nobody answers is over then
ANY_URL = "json://fixed.invalid/"  # in place of an address that only config.toml and the notifier know

_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Edit:
    """An entry of settings.toml as it is to be; None removes it."""

    kind: Kind
    name: str
    block: Raw | None


@dataclass(frozen=True, slots=True)
class Fixed:
    """A key that config.toml or the environment holds, which the site cannot change."""

    value: Any
    origin: str  # "/etc/camalert/config.toml:41"


def file() -> Path:
    """Return the path of settings.toml."""
    return Path(settings.CAMALERT.review.data_dir) / settings_file.FILE_NAME


def own() -> Raw:
    """Return the tables of settings.toml.

    Raises: ConfigError when it is spoilt; only its owner can mend it.
    """
    try:
        return tomli.loads(_text())
    except (tomli.TOMLDecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise ConfigError(f"{file()} is spoilt: {error}. Mend it, or move it away.") from error


def entry(kind: Kind, name: str) -> Raw:
    """Return what settings.toml says of something, {} for nothing or when it is spoilt."""
    try:
        return settings_file.entry_of(own(), kind, name) or {}
    except ConfigError:
        return {}


def fixed(kind: Kind, name: str) -> dict[str, Fixed]:
    """Return the keys of an entry that are set elsewhere."""
    return _all_fixed(kind).get(settings_file.name_of(kind, {"name": name, "port": name}), {})


@functools.cache  # both the configuration and where it came from are this process's as long as it lives
def _all_fixed(kind: Kind) -> dict[str, dict[str, Fixed]]:
    found = _origins()
    place = LISTS[kind]
    return {
        settings_file.name_of(kind, each): {
            key: Fixed(value, where) for key, value in each.items() if (where := found.fixed((*place, number, key)))
        }
        for number, each in enumerate(_in_force(kind))
    }


@functools.cache
def _origins() -> origins.Origins:
    return origins.read(Path(settings.CAMALERT.service.run_dir))


def problem() -> str:
    """Say why settings.toml is not used, "" when it is."""
    return _origins().problem


def put(user: str, edits: Sequence[Edit], summary: str, certificate: tuple[str, str] | None = None) -> SettingsChange:
    """Write settings.toml with some entries changed, and ask for it to be taken.

    Args:
        user: Who changes it.
        edits: The entries.
        summary: What changes, in words.
        certificate: Files of certificate and key to be used for ports with TLS.
    Raises: ConfigError with what is wrong; nothing is changed then.
    """
    with _lock:
        _refuse_while_busy()
        before = own()
        tables = before
        for edit in edits:
            tables = settings_file.with_entry(tables, edit.kind, edit.name, edit.block)
        if certificate:
            tables = {**tables, "smtp": {**tables.get("smtp", {}), **dict(zip(_CERTIFICATE, certificate, strict=True))}}
        return _take(user, before, tables, edits, summary)


def put_whole(user: str, text: str, summary: str) -> SettingsChange:
    """Write another settings.toml in the place of the present one, and ask for it to be taken.

    Raises: ConfigError as `put` does, and for what is no such file.
    """
    try:
        tables = tomli.loads(text)
    except (tomli.TOMLDecodeError, RecursionError, ValueError) as error:
        raise ConfigError(f"this is no file of settings: {error}") from error
    with _lock:
        _refuse_while_busy()
        before = own()
        check(tables)
        edits = []
        for kind in LISTS:
            names = dict.fromkeys((*_names(before, kind), *_names(tables, kind)))
            edits += [Edit(kind, name, settings_file.entry_of(tables, kind, name)) for name in names]
        return _take(user, before, tables, edits, summary)


def _names(tables: Raw, kind: Kind) -> list[str]:
    found: Any = tables
    for part in LISTS[kind]:
        found = found.get(part, {}) if isinstance(found, dict) else {}
    return [settings_file.name_of(kind, each) for each in found] if isinstance(found, list) else []


def _take(user: str, before: Raw, tables: Raw, edits: Sequence[Edit], summary: str) -> SettingsChange:
    """Write what was decided on; the lock is held."""
    check(tables)
    text = settings_file.written(tables)
    if len(text.encode()) > TEXT_BYTES:
        raise ConfigError("the site's settings would become too large")
    former = [
        [edit.kind, edit.name, settings_file.entry_of(before, edit.kind, edit.name), edit.block] for edit in edits
    ]
    with transaction.atomic():
        change = SettingsChange.objects.create(
            user=user, summary=summary[:200], edits=json.dumps(former), digest=_digest(text), text_before=_text()
        )
        old = SettingsChange.objects.order_by("-pk").values_list("pk", flat=True)[CHANGES_KEPT:]
        SettingsChange.objects.filter(pk__in=list(old)).delete()
    _write(text)
    log.info("settings_changed", user=user, change=change.pk, summary=change.summary)
    if not line.say(Reload()):
        _finish(change, SettingsChange.WRITTEN, "it counts when the service is started the next time")
    return change


_CERTIFICATE = ("certificate", "private_key")


def undo(user: str, change: SettingsChange) -> SettingsChange:
    """Put what a change changed back to what it was before, and keep what was changed elsewhere since.

    Raises: ConfigError as `put` does.
    """
    edits = [Edit(kind, name, before) for kind, name, before, _ in json.loads(change.edits)]
    return put(user, edits, gettext("Taken back: %(summary)s") % {"summary": change.summary})


def check(tables: Raw) -> None:
    """Check the tables of settings.toml together with all that is set elsewhere.

    Raises: ConfigError with one line for each mistake.
    """
    config: Config = settings.CAMALERT
    wrong = [f"{dotted(path)} {why}" for path, why in settings_file.foreign(tables, config.review.data_dir)]
    _, problems = build(Config, tables, "", {})
    if not wrong and not problems:
        whole = dataclasses.asdict(config)
        bare = {
            kind: [
                known for number, each in enumerate(_in_force(kind)) if (known := _known_elsewhere(kind, number, each))
            ]
            for kind in LISTS
        }
        base = {"camera": bare["camera"], "notify": bare["notify"], "smtp": {"listen": bare["listen"]}}
        both, _ = settings_file.merged(tables, base)
        whole |= {"camera": both["camera"], "notify": both["notify"]}
        whole["smtp"] = {**whole["smtp"], "listen": both["smtp"]["listen"]}
        made, problems = build(Config, whole, "", {})
        if made is not None:
            wrong += [f"{key} {why}" for key, why in contradictions(made)]
    wrong += [_words(problem) for problem in problems]
    if wrong:
        raise ConfigError("\n".join(wrong))


def _words(problem: Problem) -> str:
    return f"{problem.key} {problem.text}".strip()


def _known_elsewhere(kind: Kind, number: int, each: Raw) -> Raw:
    """Return an entry in force without what settings.toml says of it, {} when all of it is from there."""
    if kind == "listen":  # also the default one, which stands nowhere
        return {} if _origins().is_own(_origins().keys.get((*LISTS[kind], number), "")) else each
    found = {key: held.value for key, held in fixed(kind, str(each["name"])).items()}
    if found and kind == "notify" and not found.get("url"):
        found |= {"url": ANY_URL, "url_file": "", "secret": "", "secret_file": ""}
    return found


def _in_force(kind: Kind) -> list[Raw]:
    config: Config = settings.CAMALERT
    entries: dict[Kind, tuple[Any, ...]] = {
        "camera": config.camera, "notify": config.notify, "listen": config.smtp.listen,
    }  # fmt: skip
    return [dataclasses.asdict(each) for each in entries[kind]]


# --- what became of a change ------------------------------------------------------------------------------------------


def refused(why: str) -> None:
    """Take back the change that the supervisor refuses."""
    with _lock:
        change = SettingsChange.objects.filter(state=SettingsChange.ASKED).order_by("-pk").first()
        if change is not None:
            _take_back(change, why)


def settle() -> None:
    """Note at the start what became of the changes that were asked for."""
    found = _origins()
    for change in SettingsChange.objects.filter(state=SettingsChange.ASKED).order_by("-pk"):
        if found.digest == change.digest:
            _finish(change, SettingsChange.IN_FORCE)
        elif change.digest == _digest(_text()):
            _take_back(change, found.problem or "the service did not start with it")
        else:
            _finish(change, SettingsChange.REFUSED, "something else was written meanwhile")


def _take_back(change: SettingsChange, why: str) -> None:
    if change.digest == _digest(_text()):
        if change.text_before:
            _write(change.text_before)
        else:
            file().unlink(missing_ok=True)
    _finish(change, SettingsChange.REFUSED, why)
    log.warning("settings_refused", change=change.pk, message=why)


def _finish(change: SettingsChange, state: str, why: str = "") -> None:
    change.state, change.why = state, why[:1000]
    change.save(update_fields=["state", "why"])


def _refuse_while_busy() -> None:
    newest = SettingsChange.objects.filter(state=SettingsChange.ASKED).order_by("-pk").first()
    if newest is not None and time.time() - newest.at.timestamp() < TRIED_S:
        raise ConfigError("another change is being applied; try again in a moment")


# --- the file ---------------------------------------------------------------------------------------------------------


def _text() -> str:
    try:
        with os.fdopen(os.open(file(), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as stream:
            return stream.read(TEXT_BYTES + 1).decode()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ConfigError(f"{file()} cannot be read: {error.strerror}") from error


def _write(text: str) -> None:
    """Replace the file in one step that outlives a power failure.

    Raises: ConfigError when it cannot be written.
    """
    path = file()
    draft = path.with_name(f".{path.name}")
    try:
        draft.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(draft, flags, 0o600), "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(draft, path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from error


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
