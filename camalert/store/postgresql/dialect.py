"""The rules' SQL in PostgreSQL's words: values, and the few things that SQLite says otherwise."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from camalert.store.rows.tables import NOW

# Tables that give their rows an id.
_WITH_ID = (
    "alerts_alert|alerts_detect|camalert_mail|camalert_clip|camalert_visit|camalert_holder|camalert_outbox"
    "|camalert_known|camalert_bin"
)
_MAKES_ID = re.compile(rf"\s*INSERT INTO ({_WITH_ID})\b(?!.*\b(?:RETURNING|ON CONFLICT)\b)", re.DOTALL)
_INDEXED = re.compile(r"\sINDEXED BY \w+")
_COLUMNS_OF = re.compile(r"\s*PRAGMA table_info\((\w+)\)\s*")
# A text between quotes, a name between double ones, a value by place or by name, a percent sign.
_PARTS = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\?|(?<![:\w]):[a-z_]\w*|%")

# As SQLite answers: number, name, type, whether it must have a value, its default, whether it is the key.
_TABLE_INFO = """SELECT a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull::int,
  CASE WHEN a.attidentity <> '' OR a.attgenerated <> '' THEN 'generated' ELSE pg_get_expr(d.adbin, d.adrelid) END,
  (EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary
    AND a.attnum = ANY (i.indkey)))::int
  FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attrelid = to_regclass('{}') AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum"""
_NOW = "extract(epoch FROM clock_timestamp())::float8"


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as the driver takes it."""

    text: str
    makes_id: bool  # it returns the id of the row that it makes


@functools.lru_cache(maxsize=512)
def statement(text: str) -> Statement:
    """Return a statement of the rules in PostgreSQL's words; there are few, and each is translated once."""
    if found := _COLUMNS_OF.fullmatch(text):
        return Statement(_TABLE_INFO.format(found[1]), makes_id=False)
    makes_id = _MAKES_ID.match(text) is not None
    translated = _INDEXED.sub("", text).replace(NOW, _NOW).replace("max(1.0, ", "greatest(1.0, ")
    translated = _PARTS.sub(_part, translated)
    return Statement(f"{translated} RETURNING id" if makes_id else translated, makes_id)


def values_of(values: Sequence[Any] | Mapping[str, Any]) -> Sequence[Any] | Mapping[str, Any]:
    """Return values as PostgreSQL takes them: a text holds no NUL there."""
    if isinstance(values, Mapping):
        return {name: _value(value) for name, value in values.items()}
    return [_value(value) for value in values]


def _value(value: Any) -> Any:
    return value.replace("\0", "\ufffd") if isinstance(value, str) and "\0" in value else value


def _part(found: re.Match[str]) -> str:
    part = found[0]
    if part == "?":
        return "%s"
    if part == "%":
        return "%%"
    if part.startswith(":"):
        return f"%({part[1:]})s"
    return part.replace("%", "%%")
