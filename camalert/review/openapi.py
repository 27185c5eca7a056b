"""The API as OpenAPI 3.1, made from one table: what each address takes and returns.

Addresses come from `urls` and scopes from `guard`, so that they are as they are; a test compares the three. The table
holds what these do not say. Source of the format: spec.openapis.org/oas/v3.1.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, get_resolver, get_script_prefix
from django.views.decorators.http import require_safe

from camalert import __version__
from camalert.review.account_changes import CHANGES, OWNER, VIEWER
from camalert.review.accounts.models import SCOPES
from camalert.review.guard import OPENS
from camalert.review.selection import ANY_MARK, MARKS, MAX_ID, OUTCOMES, Album

API_VERSION = "1"
Schema = dict[str, Any]
_GET, _POST = "get", "post"


def _text(description: str, **more: Any) -> Schema:
    return {"type": "string", "description": description} | more


def _number(description: str, **more: Any) -> Schema:
    return {"type": "integer", "description": description} | more


def _maybe(schema: Schema) -> Schema:
    return schema | {"type": [schema["type"], "null"]}


def _list_of(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def _record(required: Mapping[str, Schema], optional: Mapping[str, Schema] | None = None) -> Schema:
    return {
        "type": "object",
        "properties": dict(required) | dict(optional or {}),
        "required": list(required),
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_ANYTHING: Schema = {"type": "object"}
_ID = _number("A row's id.", minimum=1, maximum=MAX_ID)
_IDS = {"type": "array", "items": _ID, "minItems": 1, "maxItems": 5000}
_TIME = _text("Local time, YYYY-MM-DD HH:MM:SS.")
_SUMS: dict[str, Schema] = {
    "alarms": _number("Alarms."), "people": _number("Those with people."),
}  # fmt: skip
_TOTAL = _record(
    _SUMS | {"visits": _number("Visits."), "less_percent": _maybe(_number("How much less there is to look at."))}
)
_QUERY: dict[str, Schema] = {
    "camera": _text("A camera's name, or (unnamed)."),
    "day": _text("YYYY-MM-DD; takes the place of a range.", examples=["2026-11-22"]),
    "since": _text("YYYY-MM-DD HH:MM: not before.", examples=["2026-11-22 18:00"]),
    "until": _text("YYYY-MM-DD HH:MM: before.", examples=["2026-11-23 06:00"]),
    "words": _text("Each is in the subject, the event or the camera's name."),
    "outcome": _text("What was found; of all alarms.", enum=["", *OUTCOMES]),
    "score": _text("Best score in percent, at least."),
    "object": _text("What was found: dog, vehicle …"),
    "review": _text("Only those to review, or reviewed.", enum=["", "new", "done", "all"]),
    "mark": _text("Only those flagged as wrong.", enum=["", *MARKS, ANY_MARK]),
}
_PAGE = {"before": _text("`next` of the page before."), "limit": _number("Rows at most.", minimum=1, maximum=500)}

_ROW_FIELDS: dict[str, Schema] = {
    "id": _ID,
    "alert_id": _maybe(_number("Row of alerts_alert.")),
    "detect_id": _maybe(_number("Row of alerts_detect.")),
    "timestamp": _text("As in the tables."),
    "camera": _text("Its camera."),
    "event": _text("What the camera called it."),
    "subject": _text("The row's subject."),
    "outcome": _maybe(_text("What was found: person, nobody, failed, unexamined, pending.")),
    "score": {"type": ["number", "null"], "description": "The best score, 0 to 1."},
    "reviewed": {"type": "boolean"},
    "mark": _maybe(_text("What is flagged as wrong.")),
    "page": _text("Its page."),
    "picture": _text("Its picture."),
    "thumbnail": _text("Its thumbnail."),
}
_VISIT_FIELDS: dict[str, Schema] = {
    "id": _ID,
    "camera": _text("The camera."),
    "began": _TIME,
    "last": _TIME,
    "pictures": _number("Pictures with people."),
    "people": _number("The most in one picture."),
    "score": {"type": "number"},
    "state": _text("`open` while it may go on, else `over`."),
    "best_alert": _number("The alarm with the best score."),
}
_LINK_FIELDS: dict[str, Schema] = {
    "id": _ID,
    "visit": _number("The visit it shows."),
    "title": _text("Camera and time of the visit when the link was made."),
    "made_by": _text("Who made it."),
    "made": _TIME,
    "until": _TIME,
    "last_opened": _maybe(_text("When somebody opened it last.")),
}
SCHEMAS: dict[str, Schema] = {
    "Error": _record({"error": _text("What is wrong, in words.")}),
    "Row": _record(_ROW_FIELDS),
    "RowDetails": _record(
        _ROW_FIELDS
        | {"reviewed_by": _list_of(_ANYTHING), "people": _list_of(_ANYTHING), "visit": {"type": ["integer", "null"]}}
    ),
    "Visit": _record(_VISIT_FIELDS),
    "VisitDetails": _record(
        _VISIT_FIELDS | {"alerts": _list_of(_ANYTHING), "told": _list_of(_ANYTHING), "reviewed_by": _list_of(_ANYTHING)}
    ),
    "Total": _TOTAL,
}


@dataclass(frozen=True, slots=True)
class Operation:
    """What one address takes and returns."""

    summary: str
    method: str = _GET
    answer: Schema = field(default_factory=lambda: _ANYTHING)
    query: Mapping[str, Schema] = field(default_factory=dict)
    body: Schema | None = None
    content: tuple[str, ...] = ("application/json",)
    status: int = 200
    errors: Mapping[int, str] = field(default_factory=dict)


_GONE = {404: "There is no such row (any more)."}
_WRONG = {400: "The body makes no sense."}
_MADE = {503: "It is being made; ask again after Retry-After seconds."}
# What came with a mail and is no picture that browsers show is handed out as a file.
_PICTURE = ("image/*", "application/octet-stream")
_NEXT = _maybe(_text("Where the next page begins."))
_CONFIRM = _text("The password of the token's owner: a token alone changes no account.")
_BINNED = _record({}, {"ids": _IDS, "deletion": _ID}) | {"anyOf": [{"required": ["ids"]}, {"required": ["deletion"]}]}
OPERATIONS: dict[str, Operation] = {
    "api-openapi": Operation("Return this description."),
    "api-rows": Operation(
        "List pictures, newest first", query=_QUERY | _PAGE,
        answer=_record({"rows": _list_of(_ref("Row")), "next": _NEXT}),
    ),
    "api-row": Operation("Return all that is known of a picture", answer=_ref("RowDetails"), errors=_GONE),
    "api-change": Operation(
        "Mark pictures as reviewed, or flag them as wrong", _POST, errors=_WRONG,
        answer=_record({"changed": _number("Rows that exist.")}),
        body=_record({"ids": _IDS}, {"reviewed": {"type": "boolean"}, "mark": {"enum": [*MARKS, None]}})
        | {"anyOf": [{"required": ["reviewed"]}, {"required": ["mark"]}]},
    ),
    "api-delete": Operation(
        "Delete pictures with all that belongs to them; for owners", _POST, errors=_WRONG,
        answer=_record({"deleted": _number("Rows that existed.")}), body=_record({"ids": _IDS}),
    ),
    "api-cameras": Operation("List the cameras", answer=_record({"cameras": _list_of(_ANYTHING)})),
    "api-camera-preview": Operation(
        "Tell what other settings would have meant for a camera's last pictures", _POST,
        body=_ANYTHING | {"description": "Keys of [[camera]]."}, errors=_WRONG | _GONE,
    ),
    "api-threshold": Operation(
        "Return the threshold that a camera's marks propose", query={"camera": _QUERY["camera"]},
        answer=_record({"proposal": {"type": ["object", "null"]}}),
    ),
    "api-known": Operation(
        "List the objects that are known not to be people", query={"camera": _QUERY["camera"]},
        answer=_record({"known": _list_of(_ANYTHING)}),
    ),
    "api-known-forget": Operation("Forget a known object", _POST, errors=_GONE),
    "api-visits": Operation(
        "List visits, newest first", query={name: _QUERY[name] for name in (
            "camera", "day", "since", "until", "words", "review")} | _PAGE,
        answer=_record({"visits": _list_of(_ref("Visit")), "next": _NEXT}),
    ),
    "api-visit": Operation(
        "Return a visit with its pictures, and who was told", answer=_ref("VisitDetails"), errors=_GONE
    ),
    "api-visits-change": Operation(
        "Mark all pictures of visits as reviewed, or flag them as wrong", _POST, errors=_WRONG,
        answer=_record({
            "changed": _number("Visits that exist."), "pictures": _list_of(_ID), "undo": _list_of(_ANYTHING),
        }),
        body=_record({"ids": _IDS}, {"reviewed": {"type": "boolean"}, "mark": {"enum": [*MARKS, None]}})
        | {"anyOf": [{"required": ["reviewed"]}, {"required": ["mark"]}]},
    ),
    "api-visits-delete": Operation(
        "Move all pictures of visits into the bin; for owners", _POST, errors=_WRONG,
        answer=_record({"deleted": _number("Visits that existed.")}), body=_record({"ids": _IDS}),
    ),
    "api-bin": Operation("List the bin, the latest deletion first; for owners",
                         answer=_record({"pictures": _list_of(_ANYTHING)})),
    "api-bin-restore": Operation(
        "Restore rows of the bin, or all of a deletion; for owners", _POST, errors=_WRONG, body=_BINNED,
        answer=_record({"restored": _number("Rows.")}),
    ),
    "api-bin-remove": Operation(
        "Delete rows of the bin for good, or all of a deletion; for owners", _POST, errors=_WRONG, body=_BINNED,
        answer=_record({"deleted": _number("Rows.")}),
    ),
    "api-share": Operation(
        "Make a link that shows one visit without a login; for owners", _POST, status=201,
        errors=_WRONG | {409: "There are as many links as there can be."},
        body=_record({"term": _text("How long it works.", enum=["hour", "day", "week"])}),
        answer=_record(_LINK_FIELDS | {"url": _text("The link; it cannot be read again.")}),
    ),
    "api-links": Operation(
        "List the links to visits; for owners", answer=_record({"links": _list_of(_record(_LINK_FIELDS))})
    ),
    "api-link-end": Operation(
        "End a link to a visit; for owners", _POST, errors=_GONE, answer=_record({"ended": _ID})
    ),
    "api-accounts": Operation(
        "List the accounts; for owners",
        answer=_record({"accounts": _list_of(_record({
            "id": _ID, "name": {"type": "string"}, "role": _text("What it may do.", enum=[OWNER, VIEWER]),
            "active": {"type": "boolean"}, "last_login": _maybe(_TIME), "second_factor": {"type": "boolean"},
            "sessions": _number("How many are open.")}))}),
    ),
    "api-accounts-put": Operation(
        "Make an account, or give one another password; for owners", _POST, errors=_WRONG,
        body=_record({"name": {"type": "string"}, "password": _text("Its password."), "confirm": _CONFIRM},
                     {"role": _text("Of a new one.", enum=[OWNER, VIEWER])}),
        answer=_record({"new": {"type": "boolean"}}),
    ),
    "api-accounts-change": Operation(
        "Change an account's role, disable, enable or remove it, or take its second factor off; for owners", _POST,
        errors=_WRONG | {404: "There is no such account."},
        body=_record({"change": _text("What.", enum=list(CHANGES)), "confirm": _CONFIRM}),
        answer=_record({"changed": _number("Accounts.")}),
    ),
    "api-sessions": Operation(
        "List where accounts are logged in; for owners",
        answer=_record({"sessions": _list_of(_record({
            "id": _ID, "account": {"type": "string"}, "device": _text("Browser and system."),
            "address": {"type": "string"}, "began": _TIME, "seen": _TIME,
            "this": {"type": "boolean"}}))}),
    ),
    "api-sessions-end": Operation(
        "End sessions of an account, some or all; for owners", _POST, errors=_WRONG,
        body=_record({"account": _text("Its name.")}, {"ids": _IDS}),
        answer=_record({"ended": _number("Sessions that were open.")}),
    ),
    "api-copies": Operation(
        "List the copies of database and settings; for owners",
        answer=_record({"copies": _list_of(_record({
            "name": _text("The file's name."), "made": _TIME, "bytes": _number("Its size."),
            "file": _text("Where it is downloaded.")})), "is_being_made": {"type": "boolean"}}),
    ),
    "api-copies-make": Operation("Begin a copy of database and settings; for owners", _POST, status=202,
                                 answer=_record({"begun": {"type": "boolean"}}),
                                 errors={409: "A copy is being made already."}),
    "copy": Operation("Return a file of a copy; for owners", content=("application/octet-stream",), errors=_GONE),
    "api-switches": Operation("Return what is switched: armed, snoozed, at home"),
    "api-switch": Operation(
        "Switch something; for owners", _POST, errors=_WRONG,
        body=_record({"kind": _text("What.", enum=["armed", "snooze", "presence"])},
                     {"value": {"type": "string"}, "seconds": _number("How long."), "camera": {"type": "string"}}),
    ),
    "api-notifications": Operation(
        "List the targets of messages and how each fares, without addresses",
        answer=_record({"targets": _list_of(_ANYTHING)}),
    ),
    "api-notifications-test": Operation(
        "Send a test to a target; for owners", _POST, status=202, errors=_WRONG,
        body=_record({"target": _text("A target's name.")}),
        answer=_record({"id": _ID, "state": {"type": "string"}}),
    ),
    "api-notifications-tested": Operation("Return what became of a test", errors=_GONE),
    "api-settings": Operation("Return what the site has set; for owners", errors={409: "The file cannot be read."}),
    "api-setting": Operation(
        "Set or remove a camera, a target or a port; for owners", _POST, status=202, errors=_WRONG,
        body=_record({"kind": _text("Which list.", enum=["camera", "notify", "listen"]),
                      "name": _text("Its name.", minLength=1, maxLength=200)}, {"block": {"type": ["object", "null"]}}),
    ),
    "api-settings-encryption": Operation(
        "Open a port with TLS; for owners", _POST, status=202, errors=_WRONG | {409: "There is no certificate."},
        body=_record({"port": _number("Which.", minimum=1, maximum=65535)}),
    ),
    "api-settings-changes": Operation(
        "List what was changed, newest first; for owners", answer=_record({"changes": _list_of(_ANYTHING)})
    ),
    "api-settings-one": Operation("Return a change, and what became of it; for owners", errors=_GONE),
    "api-settings-undo": Operation("Take a change back; for owners", _POST, status=202, errors=_WRONG | _GONE),
    "api-day": Operation(
        "Return what each camera sent in each hour of a day", query={"day": _QUERY["day"]},
        answer=_record({"day": _text("YYYY-MM-DD."), "cameras": _list_of(
            _record({"camera": {"type": "string"}, **_SUMS, "hours": _list_of(
                _record({"hour": _number("0 to 23."), **_SUMS}))}))}),
    ),
    "api-days": Operation(
        "List the days that have pictures, newest first",
        query={"list": _text("Which list.", enum=["visits", "people", "alarms"]), "camera": _QUERY["camera"]},
        answer=_record({"days": _list_of({"type": "string"})}),
    ),
    "api-figures": Operation(
        "Return sums of the month, by day and by camera, and how long pictures stay",
        answer=_record({"month": _ref("Total"), "last_month": _ref("Total"), "days": _list_of(_ANYTHING),
                        "cameras": _list_of(_ANYTHING), "kept": _list_of(_ANYTHING)}),
    ),
    "api-search": Operation(
        "Read a search in words as filters",
        query={"q": _text("What is searched for.", examples=["garage last night"])},
        answer=_record({"filters": _ANYTHING, "understood": {"type": "string"},
                        "left_out": _list_of({"type": "string"})}),
    ),
    "api-kept": Operation(
        "List mails that could not be read", query={"before": _PAGE["before"]},
        answer=_record({"mails": _list_of(_ANYTHING), "next": {"type": ["integer", "null"]}}),
    ),
    "api-status": Operation("Return the service's status", errors={503: "It does not run."}),
    "picture": Operation("Return a picture", content=_PICTURE, errors=_GONE),
    "thumbnail": Operation("Return a thumbnail", content=_PICTURE, errors=_GONE | _MADE),
    "clip": Operation(
        "Return a clip, or a range of it",
        content=("video/*", "application/octet-stream"), errors=_GONE | {416: "No such range."}),
    "clip-preview": Operation("Return a clip's moving preview", content=_PICTURE, errors=_GONE | _MADE),
    "bin-picture": Operation("Return a picture of the bin; for owners", content=_PICTURE, errors=_GONE),
    "export-marks": Operation("Return the flagged pictures with what is known of them", content=("application/zip",)),
    "kept-mail": Operation("Return a mail as it came; for owners", content=("application/octet-stream",), errors=_GONE),
}  # fmt: skip


@require_safe
def serve(_request: HttpRequest) -> HttpResponse:
    """Return the description."""
    return JsonResponse(describe())


def describe() -> Schema:
    """Return the whole description."""
    paths: dict[str, Schema] = {}
    for name, path, parameters in routes():
        if name in OPERATIONS and name in OPENS:
            paths.setdefault(path, {"parameters": parameters} if parameters else {})[OPERATIONS[name].method] = (
                _operation(name, OPERATIONS[name], has_parameters=bool(parameters))
            )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "camalert",
            "version": f"{API_VERSION} ({__version__})",
            "description": "Within a version fields and addresses are added, and none is changed or removed.",
        },
        "servers": [{"url": get_script_prefix().rstrip("/") or "/"}],
        "security": [{"token": []}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "Made on the account page."}
            },
        },
    }


def routes() -> Iterator[tuple[str, str, list[Schema]]]:
    """Yield the name, the address and its parameters for each address that a token may open or that is below api/."""
    for found in get_resolver().url_patterns:
        if not isinstance(found, URLPattern) or found.name is None:
            continue
        route = str(found.pattern)
        if found.name in OPENS or route.startswith("api/"):
            parameters: list[Schema] = []
            for kind, name in re.findall(r"<(?:(\w+):)?(\w+)>", route):
                schema = {
                    "album": {"type": "string", "enum": [album.value for album in Album]},
                    "row": {"type": "integer", "minimum": 0, "maximum": MAX_ID},
                }.get(kind, {"type": "string", "minLength": 1})
                parameters.append({"name": name, "in": "path", "required": True, "schema": schema})
            yield found.name, "/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", route), parameters


def _operation(name: str, found: Operation, *, has_parameters: bool) -> Schema:
    scope = OPENS[name]
    of_error = {"application/json": {"schema": _ref("Error")}}
    errors = {
        **({404: "There is no such address."} if has_parameters else {}),
        **found.errors,
        401: "No token, or an unknown one.",
        429: "Too many unknown tokens from this address.",
        403: "The token's scope, or the account, does not allow it.",
    }
    is_json = found.content == ("application/json",)
    content = {kind: {"schema": found.answer} if is_json else {} for kind in found.content}
    described: Schema = {
        "operationId": name,
        "summary": found.summary.rstrip(".") + ".",
        "responses": {
            str(found.status): {"description": "Done.", "content": content},
            **{str(code): {"description": text, "content": of_error} for code, text in sorted(errors.items())},
        },
    }
    described["description"] = f"Needs a token with the scope `{scope}` ({SCOPES[scope]})."
    described["x-scope"] = scope
    if found.query:
        described["parameters"] = [
            {"name": each, "in": "query", "description": schema.get("description", ""), "schema": schema}
            for each, schema in found.query.items()
        ]
    if found.body is not None:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": found.body}}}
    return described
