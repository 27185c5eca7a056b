"""The service's own sentences in the language of a page.

The service writes them in English: into its log, the status and the database. Here stands how each is built; a text
that fits is said again in the page's language, and every other text, such as a server's answer, stays as it is.
"""

from __future__ import annotations

import functools
import re

from django.template import Library
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_noop as _

from camalert.review.formats import ago_of, many, word

register = Library()

# What stands in the place of a %(name)s may be a sentence of this table itself. Of two that fit, the first counts.
SENTENCES = (
    # how the service is
    _("Running for %(span)s"),
    _("running for %(span)s"),
    _("still starting: %(names)s"),
    _("silent: %(names)s (up to %(span)s)"),
    _("Degraded: %(what)s"),
    _("cannot store alarms: %(what)s"),
    _("cannot examine pictures: %(what)s"),
    _("Starting, waiting for %(names)s"),
    _("Reloading: finishing what has begun, then starting with the new configuration; new mails wait"),
    _("Stopping: accepting no more mails, finishing what has begun"),
    _("Stopped (%(ago)s)"),
    _("Exited unexpectedly: see its log (%(ago)s)"),
    _("Process %(number)s exists but has not updated its status for %(span)s"),
    _("there is no %(file)s: camalert does not run, or with another run_dir"),
    # why somebody was not told
    _("disarmed"),
    _("snoozed by %(by)s until %(moment)s"),
    _("snoozed until %(moment)s"),
    _("somebody is at home"),
    _("nobody was seen meanwhile"),
    _("outside of %(hours)s"),
    _("cool-down until %(moment)s"),
    _("score %(score)s below %(least)s"),
    _("camera %(camera)s is none of %(names)s"),
    # what an examination found
    _("%(said)s; also seen: %(what)s"),
    _("%(said)s (clip, picture %(number)s of %(all)s)"),
    _("%(said)s (lowered from %(least)s because people were missed)"),
    _("%(kinds)s, surest %(percent)s, threshold %(least)s, known object %(names)s left out"),
    _("%(kinds)s, surest %(percent)s, threshold %(least)s"),
    _("no %(kinds)s counted: %(why)s"),
    _("no %(kinds)s found"),
    _("%(percent)s is below the threshold of %(least)s"),
    _("%(percent)s, %(height)s of the picture's height: below the minimum of %(least)s"),
    _("%(percent)s, %(height)s of the picture's height: above the maximum of %(most)s"),
    _("%(percent)s, %(height)s of the picture's height: stands in the ignored area %(area)s"),
    _("%(percent)s, %(height)s of the picture's height: stands outside the watched areas"),
    _("not examined: the pictures of camera %(camera)s are only stored"),
    _("not examined: %(why)s"),
    # a camera's clock
    _("%(span)s ahead"),
    _("%(span)s behind"),
    # what is wrong with a camera's mails
    _("camera at %(peer)s started TLS on the plain port %(port)s: switch SSL off in the camera, or use port %(other)s"),
    _("camera at %(peer)s started TLS on the plain port %(port)s: switch SSL off in the camera"),
    _("camera at %(peer)s spoke without TLS %(where)s"),
    _("camera at %(peer)s said nothing for %(seconds)s s ([smtp] command_seconds), so the connection was closed"),
    _("camera at %(peer)s said nothing %(where)s"),
    _("on the TLS port %(port)s: switch SSL on in the camera, or use a plain port"),
    _("after STARTTLS on port %(port)s: switch encryption off in the camera, or set it to SSL and to a TLS port"),
    _("camera at %(peer)s broke off the TLS handshake on port %(port)s: %(why)s"),
    _(
        "camera at %(peer)s refused our certificate (%(why)s): switch certificate checking off in the camera, or give"
        " it our certificate"
    ),
    _(
        "camera at %(peer)s logged in as %(login)s with a wrong name or password: correct it in the camera, or in"
        " [[smtp.auth.user]]"
    ),
    _(
        "%(peer)s tried too many wrong logins and is refused for a minute: somebody is guessing passwords, or a camera"
        " has a wrong one"
    ),
    _(
        "camera at %(peer)s sent a mail of more than %(size)s MiB: choose fewer or smaller pictures or a shorter clip"
        " in the camera, or raise [intake] max_mail_bytes"
    ),
    _(
        "camera at %(peer)s broke off within a mail after %(bytes)s bytes: its network is weak, or it gave up waiting;"
        " the camera's own test button shows whether it happens again"
    ),
    _("camera at %(peer)s did not finish its mail within %(seconds)s s ([smtp] mail_seconds): is its network weak?"),
    _("camera at %(peer)s left after %(last)s without sending a mail: %(why)s"),
    _("camera at %(peer)s left after %(last)s without sending a mail"),
    _("%(peer)s spoke HTTP, as a browser does, to the mail port %(port)s: this port is for cameras' mails only"),
)
_PLACE = re.compile(r"%\(([a-z_]+)\)s")
_LENGTH = re.compile(r"([0-9]{1,9}) (second|minute|hour|day)s?( ago)?")
_DEEPEST = 3
LONGEST_CHARS = 600  # several places in one sentence take time by more than a text's length


@register.filter
def sentence(text: str) -> str:
    """Say a sentence of the service in the language of the page; one that is not known, or is very long, stays."""
    is_said = text and len(text) <= LONGEST_CHARS and (get_language() or "en") != "en"
    return _said(str(text), 0) if is_said else text


def _said(text: str, depth: int) -> str:
    if length := _LENGTH.fullmatch(text):
        count, unit = int(length[1]), length[2]
        return ago_of(count, unit) if length[3] else many(count, unit)
    if depth > _DEEPEST:
        return text
    for pattern, message in _patterns():
        if found := pattern.fullmatch(text):
            return gettext(message) % {name: _said(value, depth + 1) for name, value in found.groupdict().items()}
    parts = text.split("; ")
    return word(text) if len(parts) == 1 else "; ".join(_said(part, depth + 1) for part in parts)


@functools.cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return how to recognise each sentence."""
    found = []
    for message in SENTENCES:
        texts = _PLACE.split(message)  # what stands between the places, and every second one a name
        parts = (f"(?P<{text}>.+?)" if number % 2 else re.escape(text) for number, text in enumerate(texts))
        pattern = "".join(parts)
        found.append((re.compile(pattern, re.DOTALL), message))
    return tuple(found)
