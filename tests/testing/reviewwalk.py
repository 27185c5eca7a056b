"""Walk every address of the review site with hostile values; run as a program, as Django is set up once a process.

Which parameters a view reads is not listed anywhere: it is recorded while the views run. So a new view, or a new
parameter of an old one, is walked without a word here. Prints what went wrong and how much was walked, as JSON.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

from camalert.review.settings import open_site
from testing import reviewrig, reviewsite

DEEP = 300_000
VALUES: tuple[bytes, ...] = (
    b"", b" ", b"\0", b"a\0b", b"9" * 5000, b"-1", b"1e999", b"NaN", b"0", b"1", b"1,2,,x,-1,99999999999999999999",
    b"2026-02-30", b"0001-01-01", b"9999-12-31", b"-0001-01-01", "²".encode(), "٣".encode(), b"\xed\xa0\x80",
    b"\xff\xfe", b"../../etc/passwd", b"<script>alert(1)</script>", b"{{ 7 }}{% now %}", b"'; DROP TABLE x; --",
    b"//evil.example/", b"/login/", b"http://[", b"[::1", b"~", b"9999-12-31~9223372036854775807", b"x" * 20_000,
    b"%", b"%ff%00", b"[" * 9000,
    b"delete", b"reviewed", b"zip", b"yes", b"admin", b"any", b"on",
)  # fmt: skip
BODIES: tuple[bytes, ...] = (
    b"", b"\xff", b"null", b"[]", b"{}", b'"x"', b"1e400", b"[" * DEEP, b'{"ids":' * DEEP, b'{"ids": [1e400]}',
    b'{"ids": [9223372036854775808], "reviewed": true}', b'{"ids": [1], "reviewed": "x"}', b'{"ids": [1], "mark": []}',
    b'{"ids": [1], "mark": "\\ud800"}', b'{"ids": {"a": 1}}', b'{"ids": [[1]], "mark": null}',
    b'{"ids": [1], "mark": {}}', b"9" * 6000, b"1=a/new/,2,=,9" + b"9" * 40 + b"=x", b"--x\r\n\r\n", b"a=" * 20_000,
)  # fmt: skip
TYPES = (
    "application/json", "text/plain", "application/x-www-form-urlencoded; charset=nonsense", "multipart/form-data",
    "multipart/form-data; boundary=x", "application/x-www-form-urlencoded; charset=utf-16", "", "x/\xff",
)  # fmt: skip
HEADERS: tuple[dict[str, str], ...] = (
    {"HTTP_RANGE": "bytes=9-1"}, {"HTTP_RANGE": "bytes=" + "9" * 12 + "-"}, {"HTTP_RANGE": "bytes=-0"},
    {"HTTP_RANGE": "x" * 5000}, {"HTTP_AUTHORIZATION": "Bearer \xff\0" + "x" * 5000}, {"HTTP_AUTHORIZATION": "Bearer"},
    {"HTTP_IF_NONE_MATCH": '"' * 99}, {"HTTP_ACCEPT_LANGUAGE": "x" * 5000}, {"HTTP_ORIGIN": "http://["},
    {"HTTP_REFERER": "http://["}, {"HTTP_HOST": "[::1"}, {"HTTP_HOST": "a:b:c"}, {"HTTP_HOST": "\xff"},
    {"HTTP_COOKIE": "camalert_session=\xff; camalert_csrf=" + "x" * 5000}, {"HTTP_COOKIE": "camalert_device=a:b:c"},
    {"HTTP_X_CSRFTOKEN": "\xff"}, {"CONTENT_LENGTH": "x"},
)  # fmt: skip
PATH_PARTS = {"album": ("people", "alarms"), "row": ("1", "151", "9223372036854775807")}
NAMED_PARTS = {"app_label": "alerts", "url": "x", "name": "review/site.css"}


def main(folder: Path) -> None:
    """Walk a site with rows in a folder."""
    settings = reviewrig.config(folder, 0, admin=True)
    reviewsite.fill(folder)
    open_site(settings)
    sys.stdout.write("\n" + json.dumps(_walk()) + "\n")


def _walk() -> dict[str, Any]:  # noqa: PLR0915 - one walk
    from django.conf import settings  # noqa: PLC0415 - only once it is set up
    from django.contrib.auth import get_user_model  # noqa: PLC0415
    from django.http import QueryDict  # noqa: PLC0415
    from django.test import Client  # noqa: PLC0415
    from django.urls import get_resolver  # noqa: PLC0415

    from camalert.review import passwords  # noqa: PLC0415
    from camalert.review.visitors import SENT_HOST  # noqa: PLC0415

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # thousands of tries
    passwords._throttle.wait_s = lambda *_: 0.0

    def is_owner_logged_in(client: Any) -> bool:
        owner = get_user_model().objects.filter(username="anna", is_superuser=True, is_active=True).first()
        return owner is not None and client.session.get("_auth_user_id") == str(owner.pk)

    def log_in(client: Any) -> None:
        user = get_user_model().objects.filter(username="anna").first()  # the walk may delete or spoil it
        user = user or get_user_model().objects.create_superuser("anna", password="correct horse 9")
        get_user_model().objects.filter(pk=user.pk).update(is_superuser=True, is_staff=True, is_active=True)
        client.force_login(user)
        session = client.session
        session["password_at"] = time.time()
        session.save()

    read: dict[str, set[str]] = defaultdict(set)
    here = ""
    for name in ("get", "getlist", "__getitem__", "__contains__"):
        original = getattr(QueryDict, name)

        def recorded(self: Any, key: Any, *rest: Any, original: Any = original) -> Any:
            if isinstance(key, str):
                read[here].add(key)
            return original(self, key, *rest)

        setattr(QueryDict, name, recorded)

    wrong: list[str] = []
    count = 0

    def ask(client: Any, method: str, path: str, query: str = "", **more: Any) -> None:
        nonlocal count
        count += 1
        try:
            answer = client.generic(method, path, QUERY_STRING=query, **more)
            for _ in answer.streaming_content if answer.streaming else ():
                pass
        except Exception as error:  # noqa: BLE001 - what escapes to the web server is a 500 as well
            wrong.append(f"{method} {path}?{query[:200]} {str(more)[:300]}: {type(error).__name__}: {error}"[:800])
            return
        # A thumbnail that is being made, and a service that does not run.
        is_told = answer.status_code == 503 and answer.headers.get("Retry-After")
        if answer.status_code >= 500 and not is_told:
            wrong.append(f"{method} {path}?{query[:200]} {str(more)[:300]}: {answer.status_code}"[:800])

    walked = []
    for route in _routes(get_resolver().url_patterns):
        for path in _paths(route):
            here = path
            walked.append(path)
            client = Client(raise_request_exception=False, HTTP_HOST="localhost", **{SENT_HOST: "localhost"})
            log_in(client)
            stranger = Client(raise_request_exception=False, HTTP_HOST="localhost", **{SENT_HOST: "localhost"})
            form = {"content_type": "application/x-www-form-urlencoded"}
            for method in ("GET", "POST"):
                ask(client, method, path, **(form if method == "POST" else {}))
            for turn in range(len(VALUES) if read[path] else 1):
                fields = {key: VALUES[(turn + n) % len(VALUES)] for n, key in enumerate(sorted(read[path]))}
                encoded = "&".join(f"{quote_from_bytes(k.encode())}={quote_from_bytes(v)}" for k, v in fields.items())
                for who in (client, stranger) if turn % 8 == 0 else (client,):
                    ask(who, "GET", path, encoded)
                    ask(who, "POST", path, encoded[:30_000], data=encoded.encode(), **form)
                if not is_owner_logged_in(client):
                    log_in(client)
            for body, content_type in itertools.zip_longest(BODIES, TYPES * 3, fillvalue="application/json"):
                if isinstance(body, bytes):
                    ask(client, "POST", path, data=body, content_type=content_type)
            for header in HEADERS:
                ask(client, "GET", path, **header)
                ask(client, "POST", path, data=b"{}", content_type="application/json", **header)
    return {"wrong": wrong, "count": count, "walked": walked, "read": {path: sorted(read[path]) for path in walked}}


def _routes(patterns: Any, prefix: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for pattern in patterns:
        here = (*prefix, pattern.pattern)
        if hasattr(pattern, "url_patterns"):
            yield from _routes(pattern.url_patterns, here)
        else:
            yield here


def _paths(route: tuple[Any, ...]) -> list[str]:
    """Return addresses of a pattern, with rows that are there and rows that are not."""
    pieces: list[tuple[str, ...]] = []
    for part in route:
        if hasattr(part, "_route"):
            rest = part._route
            for name, converter in part.converters.items():
                kind = type(converter).__name__.removesuffix("Converter").lower()
                before, _, after = rest.partition(f":{name}>" if f":{name}>" in rest else f"<{name}>")
                pieces += [
                    (before.rpartition("<")[0] if f":{name}>" in rest else before,),
                    PATH_PARTS.get(kind, ("1",)),
                ]
                rest = after
            pieces.append((rest,))
        else:
            text = part._regex.lstrip("^").rstrip("$")
            for name in part.regex.groupindex:
                start = text.index(f"(?P<{name}>")
                depth, end = 0, start
                for end in range(start, len(text)):
                    depth += {"(": 1, ")": -1}.get(text[end], 0)
                    if depth == 0:
                        break
                text = text[:start] + NAMED_PARTS.get(name, "x") + text[end + 1 :]
            pieces.append((text,))
    return ["/" + "".join(choice) for choice in itertools.product(*pieces)]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
