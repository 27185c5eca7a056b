"""Every reader of foreign bytes takes time in proportion to its input: no small mail, file or command stops the others.

All patterns of the package are found by walking it, so that a new one is tried as well; all functions that read mails,
pictures and commands must be reached by the pumped readers below.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import importlib
import inspect
import itertools
import math
import pkgutil
import re
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import pytest
from testing.pumping import CHARACTERS, PAIRS, growth, pumps

import camalert
from camalert.config.schema import Camera, Folder, Match, check_pattern
from camalert.decoding import headers as headers_of_pictures
from camalert.decoding import kinds
from camalert.errors import CamalertError, ConfigError
from camalert.identity import Envelope
from camalert.intake.folder import paths
from camalert.intake.folder import rules as folder
from camalert.intake.mail import charsets, pictures, reader
from camalert.intake.mail.facts import Facts, event_named
from camalert.intake.mail.rules import Rules
from camalert.intake.mail.text import legible
from camalert.intake.smtp import syntax

ROOT = Path(camalert.__file__).parent
PATTERN_CHARACTERS = 4096
READER_BYTES = 40_000
WHOLE_BYTES = 4_000_000
PASSES = 12  # of a reader, beside one pattern
LINEAR = 8.0  # growth from n to 4 n: linear is 4, quadratic 16

# Patterns that are put together while running, and who says what is in them.
BUILT = {
    ("camalert.intake.mail.rules", "_compiled"): "the owner's own patterns: camalert.config.schema.check_pattern",
    ("camalert.config.schema", "check_pattern"): "the check itself",
    ("camalert.visits.policy", "_pattern"): "the owner's own patterns, of at most PATTERN_STARS stars",
    ("camalert.intake.folder.paths", "facts_of_path"): "the owner's own pattern: camalert.config.schema.check_pattern",
    (
        "camalert.review.search",
        "understand",
    ): "words of the module; what is searched has at most ASKED_CHARS characters",
    ("camalert.review.daywords", "in_english"): "words of the module, in what is searched",
    ("camalert.review.formats", "hours"): "names of days, in the owner's own hours",
    ("camalert.review.sentences", "_patterns"): "sentences of the module, in a text of at most LONGEST_CHARS",
    ("camalert.review.search", "_take_cameras"): "names of cameras, escaped, in a text as short",
    ("camalert.review.search", "_take_score"): "one constant pattern, in a text as short",
    ("camalert.review.search", "_take_times"): "words of the module, in a text as short",
    ("camalert.store.sqlite.schema", "original_number"): "sees the triggers of the owner's database",
}

# Patterns that are not linear and need not be: nobody but the owner writes what they read.
OWNERS_OWN = {"camalert.cli.import_plan._value_end.0": "one line of the owner's configuration file"}


# --- patterns ---------------------------------------------------------------------------------------------------------


def _modules() -> Iterator[tuple[str, ast.Module, ModuleType | None]]:
    for found in pkgutil.walk_packages([str(ROOT)], "camalert."):
        spec = importlib.util.find_spec(found.name)
        assert spec is not None
        assert spec.origin is not None
        tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
        try:
            module = importlib.import_module(found.name)
        except Exception:  # noqa: BLE001 - Django's models outside of Django; a library that is not installed
            module = None
        yield found.name, tree, module


def _patterns_in(value: object, depth: int = 0) -> Iterator[re.Pattern[Any]]:
    if isinstance(value, re.Pattern):
        yield value
    elif depth < 5 and isinstance(value, dict):
        for item in (*value, *value.values()):
            yield from _patterns_in(item, depth + 1)
    elif depth < 5 and isinstance(value, tuple | list | set | frozenset):
        for item in value:
            yield from _patterns_in(item, depth + 1)


def _is_re(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "re"
        and node.func.attr in {"compile", "search", "match", "fullmatch", "split", "findall", "finditer", "sub", "subn"}
    )


def _uses(tree: ast.Module) -> dict[str, set[str]]:
    """Return how each global name is used: `_NAME.match(...)`."""
    found: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.setdefault(node.value.id, set()).add(node.attr)
    return found


def _inline(function: ast.FunctionDef | ast.stmt) -> tuple[dict[str, tuple[re.Pattern[Any], frozenset[str]]], bool]:
    """Return the constant patterns that a function has in `re.sub(...)` and its like, and whether it builds others."""
    found: dict[str, tuple[re.Pattern[Any], frozenset[str]]] = {}
    is_built = False
    for number, call in enumerate(node for node in ast.walk(function) if _is_re(node)):
        assert isinstance(call, ast.Call)
        assert isinstance(call.func, ast.Attribute)
        first = call.args[0]
        if isinstance(first, ast.Constant):
            way = frozenset(() if call.func.attr == "compile" else (call.func.attr,))
            found[f"{getattr(function, 'name', '')}.{number}"] = re.compile(first.value, re.DOTALL), way
        else:
            is_built = True
    return found, is_built


def _collect() -> tuple[dict[str, tuple[re.Pattern[Any], frozenset[str]]], list[str]]:
    """Return all patterns with the ways they are used in, and what the walk could not see."""
    found: dict[str, tuple[re.Pattern[Any], frozenset[str]]] = {}
    unseen: list[str] = []
    for name, tree, module in _modules():
        calls = [node for node in ast.walk(tree) if _is_re(node)]
        if not calls:
            continue
        uses = _uses(tree)
        for key, value in vars(module).items() if module else ():
            for number, pattern in enumerate(_patterns_in(value)):
                ways = uses.get(key, set()) if isinstance(value, re.Pattern) else set()
                found[f"{name}.{key}.{number}"] = pattern, frozenset(ways)
        for statement in tree.body:
            inside = [node for node in ast.walk(statement) if _is_re(node)]
            if not inside:
                continue
            if isinstance(statement, ast.Assign | ast.AnnAssign):
                if module is None:
                    constant, built = _inline(statement)
                    found |= {f"{name}:{statement.lineno}{key}": use for key, use in constant.items()}
                    if built:
                        unseen.append(f"{name}:{statement.lineno} puts a pattern together and cannot be imported here")
                    continue
                target = statement.targets[0] if isinstance(statement, ast.Assign) else statement.target
                if not (isinstance(target, ast.Name) and any(_patterns_in(vars(module)[target.id]))):
                    unseen.append(f"{name}:{statement.lineno} keeps its pattern where the walk does not look")
                continue
            for function in (node for node in ast.walk(statement) if isinstance(node, ast.FunctionDef)):
                constant, built = _inline(function)
                found |= {f"{name}.{key}": use for key, use in constant.items()}
                if built and (name, function.name) not in BUILT:
                    unseen.append(f"{name}.{function.name} puts a pattern together: say in BUILT from what")
    return found, unseen


COLLECTED, UNSEEN = _collect()


def test_walk_sees_every_pattern_of_the_package() -> None:
    """A new pattern is tried below without being entered anywhere."""
    assert not UNSEEN
    assert set(OWNERS_OWN) <= set(COLLECTED)
    assert len(COLLECTED) > 70


@pytest.mark.parametrize("name", sorted(set(COLLECTED) - set(OWNERS_OWN)))
def test_pattern_takes_linear_time(name: str) -> None:
    """One and two repeated characters, its own pieces repeated, and failing ends: the time grows with the length."""
    pattern, ways = COLLECTED[name]

    for pump in pumps(pattern):
        assert growth(_run(pattern, ways), pump, PATTERN_CHARACTERS) < LINEAR, pump


def _run(pattern: re.Pattern[Any], ways: frozenset[str]) -> Callable[[str], object]:
    """Use a pattern in the way its module does; one that is in a table is searched for."""

    def run(text: str) -> object:
        words: Any = text.encode("latin-1", "replace") if isinstance(pattern.pattern, bytes) else text
        if ways and ways <= {"match", "fullmatch", "pattern", "flags"}:
            return pattern.fullmatch(words) if "match" not in ways else pattern.match(words)
        return sum(1 for _ in pattern.finditer(words))

    return run


@pytest.mark.parametrize(
    "old",
    [
        rb"\xff+([^\x00\xff\xd0-\xd7])", rb"^(--[^\r\n]{1,200}?)[ \t]*\r?\n", r"<(style|head)\b.{0,20000}?</\1\s*>",
        r"(jan|feb)[a-z]*\s+\d", r"(?<![\w ])[ \t]*(camera|time)[ \t]*:", r"<+\s*([^<>]*)(?:>+|$)",
        r"ipcamera:\s*(?P<camera>.{1,80}?)[\s,]+(?:has |is )?(?P<event>motion|detected)\b", r"camera[ \t]*(x)?[ \t]*:",
        rb"[;\s]\s*([A-Za-z0-9]+)\s*=", r"(a+)+$", r"(?:\w+\s*)+:",
    ],
)  # fmt: skip
def test_pattern_that_explodes_is_found(old: str | bytes) -> None:
    """The trial above finds what once stopped the service, and worse."""
    pattern: re.Pattern[Any] = re.compile(old, re.IGNORECASE | re.MULTILINE)

    assert any(growth(_run(pattern, frozenset()), pump, PATTERN_CHARACTERS) >= LINEAR for pump in pumps(pattern))


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(?:\w+\s*)+:", r"(\d{1,3})*x", r"(?:(?:ab*)|c)+d", r"(?=(a*)*b)"])
def test_owners_pattern_that_explodes_is_refused(pattern: str) -> None:
    """When the configuration is read, with what to write instead; not when the first hostile mail comes."""
    with pytest.raises(ConfigError, match="possessive"):
        check_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "Zone (?P<camera>.+) (?P<event>tripped|opened)", "Zone: (?P<camera>.*)", "garage@", r"^192\.168\.1\.(\d{1,3})$",
        r"(?:\d{1,3}\.){3}\d{1,3}", r"(?:-?\d\d)+", r"(a++)+$", r"(?i:front|back) door", r"a|b*|c+",
    ],
)  # fmt: skip
def test_owners_pattern_is_accepted_and_stays_bounded(pattern: str) -> None:
    """On the longest texts that a mail can have, however they are pumped."""
    check_pattern(pattern)
    rules = Rules((Camera(name="x", match=Match(subject=pattern)), Camera(name="y", match=Match(body=pattern))))

    def read(text: str) -> None:
        rules.apply(Facts(), Envelope(), legible(text[:8192]), legible(text)[: reader.RULES_CHARACTERS])

    for pump in pumps(re.compile(pattern)):
        assert growth(read, pump, 8192, PASSES) < LINEAR, pump


# --- readers ----------------------------------------------------------------------------------------------------------

OWNERS = Rules(
    (Camera(name="a", match=Match(subject="zone (?P<camera>.+) (?P<event>.+)", body=r"x:\s+(?P<time>.+)y")),)
)


def _mail(mail: bytes) -> None:
    """Read a mail and write its pictures out, as the intake does."""
    reading = reader.read(bytearray(mail), Envelope(), OWNERS, 1.7e9, 86_400)
    pictures.write(reading.found, memoryview(bytearray(reading.bound_bytes)), 64)
    reading.record.encode()


def _part(headers: str, start: bytes = b"") -> Callable[[bytes], None]:
    return lambda content: _mail(headers.replace("\n", "\r\n").encode() + b"\r\n\r\n" + start + content)


def _picture(start: bytes) -> Callable[[bytes], None]:
    def read(content: bytes) -> None:
        with contextlib.suppress(CamalertError):
            header = headers_of_pictures.read_header(start + content)
            headers_of_pictures.check_scans(start + content, header)
        with contextlib.suppress(CamalertError):
            headers_of_pictures.complete_jpeg(start + content)
        with contextlib.suppress(CamalertError):
            headers_of_pictures.check_scans(start + content, headers_of_pictures.Header("jpeg", 640, 480))
        kind = kinds.kind_of((start + content)[: kinds.HEAD_BYTES])
        kinds.is_zip(start + content)
        kinds.named((start + content)[: kinds.HEAD_BYTES])
        for known in ("mp4", "avif", kind):
            folder.is_whole(start + content, known)

    return read


def _command(line: bytes) -> None:
    syntax.is_http(line)
    verb, argument = syntax.parse_command(line)
    for text in (verb, argument, line.decode("latin-1")):
        syntax.parse_sender(text)
        syntax.parse_recipients(text)


def _file(text: bytes) -> None:
    seen = folder.FileState("garage/a.jpg", 1, 1, 1, 1.7e9)
    folder.record_of(file=seen, kind="jpeg", content=b"", text=text, folder=Folder(), now_utc=1.7e9, max_skew_s=60)
    folder.is_wanted(seen.shown)
    folder.text_paths(seen.shown)
    paths.facts_of_path(text.decode("latin-1") + "/x.jpg", Folder(), Facts())
    folder.stray_reason(folder.ending_of(text.decode("latin-1")), 1)
    watch = folder.Watch(1.0)
    watch.update((seen,), 0.0)
    assert watch.update((seen,), 2.0) == [seen]
    assert (watch.text_of(seen.path), watch.unchanged_s(seen, 2.0)) == (None, 2.0)
    watch.put_off(seen)
    assert seen.mail_id


def _words(raw: bytes) -> None:
    for charset in ("", "gb2312", "utf-16", "iso-2022-jp", "no such"):
        charsets.text_of(raw, charset)
    charsets.header_text(raw, "gbk")
    event_named(raw.decode("gb18030", "replace"))


B64 = "Content-Transfer-Encoding: base64"
READERS: dict[str, Callable[[bytes], object]] = {
    "mail": _mail,
    "text": _part("Subject: x"),
    "page": _part("Content-Type: text/html"),
    "subject": lambda raw: _mail(b"Subject: " + raw.translate(None, b"\r\n") + b"\r\n\r\nx"),
    "type": lambda raw: _mail(b"Content-Type: text/plain;" + raw + b"\r\n\r\nx"),
    "name": lambda raw: _mail(b"Content-Disposition: attachment; filename=" + raw + b"\r\n\r\nx"),
    "parts": _part("Content-Type: multipart/mixed; boundary=b", b"--b\r\n"),
    "alternatives": _part("Content-Type: multipart/alternative; boundary=-", b"--b\r\n"),
    "digest": _part("Content-Type: multipart/digest; boundary=b", b"--b\r\n\r\n"),
    "parts without a boundary": _part("Content-Type: multipart/mixed"),
    "parts in base64": lambda raw: _part(f"Content-Type: multipart/mixed; boundary=b\n{B64}")(base64.encodebytes(raw)),
    "base64": _part(f"Content-Type: image/jpeg\n{B64}", b"/9j/4AAQ"),
    "quoted": _part("Content-Type: image/jpeg\nContent-Transfer-Encoding: quoted-printable", b"=FF=D8=FF"),
    "uuencode": _part("Content-Type: image/jpeg\nContent-Transfer-Encoding: x-uuencode", b"begin 644 x\r\nM_]C_X"),
    "picture": _part("Content-Type: image/jpeg", b"\xff\xd8\xff\xe0"),
    "inside base64": lambda raw: _part(f"Content-Type: image/heic\n{B64}")(base64.encodebytes(raw)),
    "jpeg": _picture(b"\xff\xd8"),
    "jpeg's data": _picture(b"\xff\xd8\xff\xda\0\4ab"),
    "exif": _picture(b"\xff\xd8\xff\xe1\xff\xffExif\0\0II*\0\x08\0\0\0\xff\xff"),
    "png": _picture(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
    "webp": _picture(b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0"),
    "bmp": _picture(b"BM" + bytes(12) + b"\x28\0\0\0"),
    "gif": _picture(b"GIF89a"),
    "zip": lambda raw: _part("Content-Type: application/zip", b"PK\x03\x04" + bytes(26))(
        raw + struct.pack("<4s4HIIH", b"PK\x05\x06", 0, 0, 65_535, 65_535, len(raw), 30, 0)
    ),
    "avif": _picture(b"\0\0\0\x18ftypavif\0\0\0\0avifmif1\0\0\0\0meta\0\0\0\0"),
    "avif's properties": _picture(b"\0\0\0\x18ftypavif\0\0\0\0avifmif1\0\0\0\0meta\0\0\0\0\0\0\0\0iprp\0\0\0\0ipco"),
    "jp2": _picture(b"\0\0\0\x0cjP  \r\n\x87\n"),
    "tiff": _picture(b"II*\0\x08\0\0\0\xff\xff"),
    "clip": _picture(b"\0\0\0\x18ftypisom"),
    "a recorder's": _picture(b"DHAV\xfd"),
    "raw video": _picture(b"\0\0\0\x01\x09\x10"),
    "command": lambda raw: _command(raw[:4096]),
    "recipient": lambda raw: _command(b"RCPT TO:" + raw[:4096] + b"x<"),
    "file": lambda raw: _file(raw[: folder.TEXT_BYTES]),
    "words": lambda raw: _words(raw[:32_768]),
    "raw": lambda raw: reader.unreadable(raw, Envelope(), 1.7e9, "x"),
}
FRAGMENTS = (
    *(text.encode("latin-1") for text in (*CHARACTERS, *PAIRS)),
    b"\n\n", b"--b\r\n", b"--b--\r\n", b"--bx\r\n", b"---x\n", b"--\t\t\t\tx\r\n", b"\r\n\r\n", b"Content-Type: a\r\n",
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n", b"Content-Type: message/rfc822\r\n\r\n", b" a\r\n",
    b"ipcamera:", b"ipcamera: ", b"Your IPCamera:x ", b"camera ", b"camera: gate at 10:10\n", b"camera(", b"time:",
    b"<style", b"<head ", b"</style ",
    b"<br", b"jan", b"jan 1 ", b"10:10.1", b"2020-1-1 ", b"20231114221320", b"14 Nov 2023 22:13:20 +0100 ",
    b"=?utf-8?B?", b"=?a?q?x?= ", b"=?utf-8?B?YWJj?= ",
    b"begin 644 a\r\n", b"begin 644 a\r\nM_]C_X  02D9)1@ !\r\n", b"begin 644 a.heic\r\n$    ,\r\nend\r\n", b";base64,",
    b"data:image/jpeg;base64,", b"data:image/jpeg;base64,/9j/4AAQ%20 ", b"data:image/heic;base64,AAAAGGZ0\"",
    b"\n/9j/4AAQ",
    b"&#11", b"\xff\xd8", b"\xff\xe0\0\2", b"\xff\xda\0\2", b"\xff\xe1\0\x08Exif\0\0", b"\xff\xc0\0\x08\x08\0\1\0\1",
    b"a*0*=x'y'%41;", b"a=\"\\", b"\xb1\xa8", b"=\r\n", b"= \t", b"0" * 60 + b"\r\n", b"M" + b"0" * 60 + b"\n",
    b"test ", b"alarm ", b"test mail keep alive ", b"channel: 02, ", b"motion end ",
    b"camera: camera 01\tevent: motion ",
    b"nome do dispositivo ", b"camera yard has detected motion ", b"26/11/27 pm 6:10 ",
    b"(D/M/Y H:M:S): ", "\u901a\u9053\uff1a ".encode(),
    b"alarm ", b"motion from ", b"zone ", b"From: a\r\n", b"a:b\r\n", b"\0\0\0\0eXIf", b"\0\0\0\0IEND",
    b"VP8 \0\0\0\0", b"VP8L\0\0\0\0",
    b"EXIF\0\0\0\0", b"\0\0\0\x08free", b"\0\0\0\x14ispe", b"\0\0\0\x09irot\0", b"\0\0\x01\x06", b"<a@b>,",
    b"GET / HTTP/1.1", b"PK\x05\x06",
    struct.pack("<4s6H3I5HII", b"PK\x01\x02", 0, 0, 0, 8, 0, 0, 0, 40, 60, 0, 0, 0, 0, 0, 0, 0),
)  # fmt: skip


@pytest.mark.parametrize("name", READERS)
def test_reader_takes_linear_time(name: str) -> None:
    """Whatever is repeated: four times the bytes take four times as long."""
    read = READERS[name]

    for fragment in FRAGMENTS:
        pump = "", fragment.decode("latin-1"), ""
        assert growth(lambda text: read(text.encode("latin-1")), pump, READER_BYTES, PASSES, math.inf) < LINEAR, (
            fragment
        )


@pytest.mark.parametrize(
    ("name", "fragment"),
    [
        ("parts", b"--bx\r\n"), ("alternatives", b"---x\n"), ("text", b"--\t\t\t\tx\r\n"), ("uuencode", b"From: a\r\n"),
        ("text", b"begin 644 a\r\nM_]C_X  02D9)1@ !\r\n"), ("text", b"\n"), ("picture", b"\xff\xd8"), ("jpeg", b"\xff"),
        ("text", b";base64,"), ("mail", b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"),
        ("jpeg's data", b"\xff\xe0\0\2"), ("inside base64", b"> "),
    ],
)  # fmt: skip
def test_largest_mails_take_linear_time(name: str, fragment: bytes) -> None:
    """What is bounded by a count only shows in a large mail."""
    read = READERS[name]

    pump = "", fragment.decode("latin-1"), ""
    assert growth(lambda text: read(text.encode("latin-1")), pump, WHOLE_BYTES // 4, PASSES, math.inf) < LINEAR


OUR_OWN_TABLES = "camalert.intake.mail.languages.rows"
# Functions that read no foreign bytes, or none of variable length.
NOT_PUMPED = {
    "camalert.intake.mail.parts.LeftOut.message": "puts together what is cut already",
    "camalert.intake.mail.rules.Rules.__init__": "reads the configuration",
    "camalert.intake.mail.rules._compiled": "reads the configuration",
    "camalert.intake.mail.languages.table_names": "reads our own tables",
    "camalert.intake.mail.languages.table": "reads our own tables",
    "camalert.intake.mail.languages.tables": "reads our own tables",
    "camalert.intake.mail.languages.Phrases.__init__": "reads our own tables",
    "camalert.intake.mail.encodings._decode_lines": "the library that makes it fast: C, on lines of one length",
}


def test_every_function_that_reads_is_reached_by_the_readers() -> None:
    """A new reader, or one that the pumped inputs pass by, does not go untried."""
    modules = [
        module
        for name, _, module in _modules()
        if module is not None
        and name != OUR_OWN_TABLES
        and (
            name.startswith("camalert.intake.mail.")
            or name
            in {
                "camalert.decoding.headers",
                "camalert.decoding.kinds",
                "camalert.intake.smtp.syntax",
                "camalert.intake.folder.rules",
            }
        )
    ]
    files = {module.__file__: module.__name__ for module in modules}
    missing = set()
    for module in modules:
        for value in vars(module).values():
            for function in (value, *(vars(value).values() if inspect.isclass(value) else ())):
                code = getattr(getattr(function, "fget", getattr(function, "__func__", function)), "__code__", None)
                if code and code.co_filename == module.__file__:
                    missing.add(f"{module.__name__}.{code.co_qualname}")
    missing -= set(NOT_PUMPED)

    def profile(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename in files:
            missing.discard(f"{files[frame.f_code.co_filename]}.{frame.f_code.co_qualname}")

    sys.setprofile(profile)
    try:
        for fragment, read in itertools.product(FRAGMENTS, READERS.values()):
            if missing:
                read(fragment * max(2, 200 // len(fragment)))
    finally:
        sys.setprofile(None)

    assert not missing, sorted(missing)
