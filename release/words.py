"""Collect the words of the site into the catalogues of its languages, and compile these.

python release/words.py           add what is new to each .po, take out what is gone, and write the .mo files
python release/words.py --check   change nothing; say what is missing or not up to date, and exit with 1 then
"""

from __future__ import annotations

import ast
import io
import re
import struct
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import tomli
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_javascript
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / "camalert" / "review"
LOCALE = SITE / "locale"
DOMAINS = ("django", "djangojs")
# Of Django's functions how many texts each takes, and whether a context stands before them.
CALLS = {
    "_": (1, 0), "gettext": (1, 0), "gettext_lazy": (1, 0), "gettext_noop": (1, 0),
    "ngettext": (2, 0), "ngettext_lazy": (2, 0), "pgettext": (1, 1), "pgettext_lazy": (1, 1),
}  # fmt: skip
# Two forms everywhere: a third one, for whole millions, is nothing that a page here counts.
PLURALS = {"fr": "(n > 1)"}
# No moment of making: the same words give the same files.
_MADE = datetime(2000, 1, 1, tzinfo=UTC)
_CHANGING = re.compile('"(POT-Creation-Date|PO-Revision-Date|Generated-By|Report-Msgid-Bugs-To|Project-Id-Version):')
_ARGUMENT = re.compile(r"""_\((["'])(.*?)\1\)""")
_PLACEHOLDER = re.compile(r"%\([a-z_]+\)(?:\.[0-9])?[sdf]|%[sd]|%%")
_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True)
class Found:
    """A message of the source, and the file that it is in."""

    context: str | None
    id: str | tuple[str, str]
    place: str


def found(domain: str) -> list[Found]:
    """Return the messages of a domain: those of scripts, or all others."""
    return list(_of_scripts() if domain == "djangojs" else _of_pages())


def _of_scripts() -> Iterator[Found]:
    for path in sorted((SITE / "static" / "review").glob("*.js")):
        with path.open("rb") as file:
            for _, function, text, _ in extract_javascript(file, ("gettext", "ngettext"), (), {}):
                yield Found(None, _id(function, text), _place(path))


def _of_pages() -> Iterator[Found]:
    for path in sorted(SITE.rglob("*.py")):
        yield from of_module(path.read_text(encoding="utf-8"), _place(path))
    for path in sorted((SITE / "templates").rglob("*.html")):
        yield from of_template(path.read_text(encoding="utf-8"), _place(path))
    path = SITE / "brands.toml"
    for brand in tomli.loads(path.read_text(encoding="utf-8"))["brand"]:
        values = [value for _, value in brand["fields"] if not value.startswith("{")]
        if brand["key"] == "other":  # whose words are ours; those of a brand are on its menu
            values += [brand["name"], brand["menu"], *(label for label, _ in brand["fields"])]
        for text in (brand["event"], *values):
            if re.search("[a-z]{2}", text):
                yield Found(None, text.replace("%", "%%"), _place(path))


def of_module(source: str, place: str) -> Iterator[Found]:
    """Return the messages of a module: what is given to Django's functions as it stands there."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or node.func.id not in CALLS:
            continue
        count, has_context = CALLS[node.func.id]
        given = node.args[: count + has_context]
        texts = [each.value for each in given if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        if len(texts) == count + has_context:
            context = texts.pop(0) if has_context else None
            yield Found(context, texts[0] if count == 1 else (texts[0], texts[1]), place)


def of_template(source: str, place: str) -> Iterator[Found]:
    """Return the messages of a template, by Django's own reading of it."""
    from django.template import Engine  # noqa: PLC0415 - needs its settings
    from django.templatetags.i18n import BlockTranslateNode, TranslateNode  # noqa: PLC0415

    nodes = Engine.get_default().from_string(source).nodelist
    for node in nodes.get_nodes_by_type(TranslateNode):
        literal = node.filter_expression.var.literal if hasattr(node.filter_expression.var, "literal") else None
        if literal:
            yield Found(None, literal.replace("%", "%%"), place)
    for node in nodes.get_nodes_by_type(BlockTranslateNode):
        one, _ = node.render_token_list(node.singular)
        many = node.render_token_list(node.plural)[0] if node.plural else ""
        yield Found(None, (one, many) if many else one, place)
    for argument in _ARGUMENT.finditer(source):
        yield Found(None, argument[2].replace("%", "%%"), place)


def _id(function: str, text: Any) -> str | tuple[str, str]:
    if function.startswith("ngettext"):
        return text[0], text[1]
    return text[0] if isinstance(text, tuple) else text


def _place(path: Path) -> str:
    return str(path.relative_to(ROOT))


def languages() -> list[str]:
    """Return the languages that have catalogues."""
    return sorted(path.name for path in LOCALE.iterdir() if path.is_dir())


def po_of(language: str, domain: str) -> Path:
    """Return a catalogue's file; the compiled one is beside it."""
    return LOCALE / language / "LC_MESSAGES" / f"{domain}.po"


def read(path: Path, language: str) -> Catalog:
    """Read a catalogue, an empty one where there is no file."""
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def updated(old: Catalog, messages: Iterable[Found], language: str) -> Catalog:
    """Return a catalogue of the messages, with those translations that are known."""
    new = Catalog(
        locale=language, fuzzy=False, creation_date=_MADE, revision_date=_MADE, header_comment="# Words of the site.",
        project="camalert", copyright_holder="camalert", last_translator="camalert", language_team=language,
    )  # fmt: skip
    new._num_plurals, new._plural_expr = 2, PLURALS.get(language, "(n != 1)")
    places: dict[tuple[str | None, Any], set[str]] = {}
    for each in messages:
        key = (each.context, each.id)
        places.setdefault(key, set()).add(each.place)
    for (context, text), where in sorted(places.items(), key=lambda item: (_first(item[0][1]), item[0][0] or "")):
        known = old.get(_first(text), context)
        string = known.string if known is not None and isinstance(known.id, tuple) == isinstance(text, tuple) else ""
        new.add(text, string, locations=[(place, 1) for place in sorted(where)], context=context)
    for message in new:
        message.flags.discard("python-format")
    return new


def _first(text: str | tuple[str, str]) -> str:
    return text[0] if isinstance(text, tuple) else text


def po_text(catalog: Catalog) -> bytes:
    """Return a catalogue as its file has it."""
    file = io.BytesIO()
    write_po(file, catalog, width=120, include_lineno=False)
    lines = file.getvalue().decode().split("\n")
    return "\n".join(line for line in lines if not _CHANGING.match(line)).encode()


def mo_bytes(catalog: Catalog) -> bytes:
    """Return a catalogue compiled: GNU's format without a table of hashes, and of its head what is read."""
    head = f"Content-Type: text/plain; charset=utf-8\nPlural-Forms: {catalog.plural_forms}\n"
    texts: dict[bytes, bytes] = {b"": head.encode()}
    for message in catalog:
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        if message.id and all(strings):
            ids = message.id if isinstance(message.id, tuple) else (message.id,)
            context = f"{message.context}\x04" if message.context else ""
            texts[(context + "\0".join(ids)).encode()] = "\0".join(strings).encode()
    ids, strings = sorted(texts), [texts[each] for each in sorted(texts)]
    tables = 28
    at = tables + 16 * len(ids)  # behind both tables, each row of which is a length and a place
    rows = []
    for each in (*ids, *strings):
        rows.append(struct.pack("<II", len(each), at))
        at += len(each) + 1
    return b"".join(
        (
            struct.pack("<7I", 0x950412DE, 0, len(ids), tables, tables + 8 * len(ids), 0, tables),
            *rows,
            *(each + b"\0" for each in (*ids, *strings)),
        )
    )


def wrong(message: Message) -> str:
    """Say what is wrong with a translation, "" for nothing."""
    ids = message.id if isinstance(message.id, tuple) else (message.id,)
    strings = message.string if isinstance(message.string, tuple) else (message.string,)
    if "fuzzy" in message.flags:
        return "is marked fuzzy"
    if len(strings) < len(ids) or not all(strings):
        return "is not translated"
    wanted = [set(_PLACEHOLDER.findall(text)) for text in ids]
    for number, string in enumerate(strings):
        own = set(_PLACEHOLDER.findall(string))
        # "one alarm" need not say 1
        if own != wanted[min(number, len(wanted) - 1)] and own != wanted[-1]:
            return f"has other placeholders: {string}"
        if sorted(_TAG.findall(string)) != sorted(_TAG.findall(ids[0])):
            return f"has other tags: {string}"
        if '"' in _TAG.sub("", string):
            return f"has a plain quotation mark, which would end an attribute: {string}"
    return ""


def main(arguments: list[str]) -> int:
    """Bring the catalogues up to date, or check that they are."""
    _set_up()
    is_check = "--check" in arguments
    problems = []
    for domain in DOMAINS:
        messages = found(domain)
        for language in languages():
            path = po_of(language, domain)
            new = updated(read(path, language), messages, language)
            problems += [f"{path}: {each.id!r} {wrong(each)}" for each in new if each.id and wrong(each)]
            po, mo = po_text(new), mo_bytes(new)
            for file, data in ((path, po), (path.with_suffix(".mo"), mo)):
                if is_check and (not file.exists() or file.read_bytes() != data):
                    problems.append(f"{file} is not up to date: run python release/words.py")
                elif not is_check:
                    file.parent.mkdir(parents=True, exist_ok=True)
                    file.write_bytes(data)
    print("\n".join(problems) or "all words are translated")
    return 1 if problems else 0


def _set_up() -> None:
    """Set Django up far enough to read templates."""
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    import django  # noqa: PLC0415
    from django.conf import settings  # noqa: PLC0415

    from camalert.config.schema import Config  # noqa: PLC0415
    from camalert.review.settings import build  # noqa: PLC0415

    if not settings.configured:
        settings.configure(**build(Config(), "key"))
        django.setup()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
