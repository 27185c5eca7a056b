"""Every word of the site in every language: nothing bare, nothing untranslated; times and numbers as they are read."""

from __future__ import annotations

import datetime
import re
import sys
from pathlib import Path

import pytest
from django.template.loader import render_to_string
from django.utils import translation

pytest.importorskip("babel", reason="a development tool")

from camalert.detection.thresholds import Proposal
from camalert.intake.smtp import diagnosis
from camalert.review import formats, glance, shots
from camalert.review.sentences import SENTENCES, sentence
from camalert.review.settings import LANGUAGES
from camalert.review.views.day import weekdays
from camalert.status.model import off_in_words

ROOT = Path(__file__).parents[3]
SITE = ROOT / "camalert" / "review"
TEMPLATES = sorted((SITE / "templates").rglob("*.html"))
OTHERS = [code for code, _ in LANGUAGES if code != "en"]

sys.path.insert(0, str(ROOT / "release"))
import words  # noqa: E402 - the tool that makes the catalogues

# A piece of a template: a tag or a variable of Django, an element with all of these in it, or a comment.
PIECE = re.compile(
    r"(\{%.*?%\}|\{\{.*?\}\}|<!--.*?-->"
    r"|</?[a-zA-Z!](?:\{%.*?%\}|\{\{.*?\}\}|\"(?:\{%.*?%\}|\{\{.*?\}\}|[^\"])*\"|[^>\"{])*>)",
    re.DOTALL,
)
SAID = re.compile(r'\b(?:aria-label|title|placeholder|alt|label)="((?:\{%.*?%\}|\{\{.*?\}\}|[^"])*)"')
OWN_NAMES = re.compile(r"&[a-z]+;|camalert|iPhone, iPad|Android|JSON|Safari|PNG|\bGB\b")
VERBATIM = ("code", "pre", "kbd", "script", "style")  # keys, commands and addresses are the same everywhere


def bare(source: str) -> list[str]:
    """Return the words of a template that no translation reaches."""
    found = []
    inside: list[str] = []
    for number, piece in enumerate(PIECE.split(source)):
        if number % 2 == 0:
            left = OWN_NAMES.sub("", piece)
            if not inside and re.search("[A-Za-z]{2}", left):
                found.append(piece.strip())
        elif piece.startswith("{%"):
            if re.match(r"\{%\s*blocktrans", piece):
                inside.append("blocktranslate")
            elif re.match(r"\{%\s*endblocktrans", piece):
                inside.remove("blocktranslate")
        elif piece.startswith("<") and inside[:1] != ["blocktranslate"]:
            name = re.match(r"</?([a-zA-Z]+)", piece)
            if name and name[1] in VERBATIM:
                (inside.remove if piece.startswith("</") else inside.append)(name[1])
            for value in SAID.findall(piece):
                outside = re.sub(r"\{% blocktranslate.*?endblocktranslate %\}|\{%.*?%\}|\{\{.*?\}\}", "", value)
                if re.search("[A-Za-z]{2}", OWN_NAMES.sub("", outside)):
                    found.append(value)
    return found


def test_bare_words_are_found() -> None:
    """The look itself sees what it is to see."""
    assert bare('<p title="Hello">{% if x %}Word{% endif %}</p>') == ["Hello", "Word"]
    assert bare('<p title="{% translate "Hello" %}">{{ x }} <code>ls -l</code>{% translate "Word" %}</p>') == []
    assert bare('<b aria-label="Remove {{ x }}"></b>') == ["Remove {{ x }}"]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_template_has_no_bare_words(path: Path) -> None:
    """All that a person reads goes through a translation."""
    source = path.read_text(encoding="utf-8")
    assert bare(f"<a {source}>" if path.name == "_light.html" else source) == []  # which is attributes alone


def test_views_and_scripts_say_nothing_bare() -> None:
    """Messages, errors and the texts that scripts put into a page are translated where they are written."""
    views = re.compile(r'(?:messages\.\w+\(request, |Http404\(|PermissionDenied\()f?"(?:\{[^}]*\}|[^"{a-z])*[a-z]{2}')
    scripts = re.compile(r'(?:textContent = |(?<!\w)(?:tell|toast|tellThere|Error|progress)\()["`][A-Z]')
    found = [
        f"{path.name}: {line.strip()}"
        for pattern, paths in ((views, SITE.rglob("*.py")), (scripts, (SITE / "static" / "review").glob("*.js")))
        for path in paths
        for line in path.read_text(encoding="utf-8").splitlines()
        if pattern.search(line)
    ]
    assert found == []


@pytest.mark.parametrize("domain", words.DOMAINS)
@pytest.mark.parametrize("language", OTHERS)
def test_catalogue_is_complete(language: str, domain: str) -> None:
    """Each message is translated, with its placeholders and tags and none fuzzy; the .mo is what the .po gives."""
    path = words.po_of(language, domain)
    fresh = words.updated(words.read(path, language), words.found(domain), language)
    assert [f"{each.id}: {words.wrong(each)}" for each in fresh if each.id and words.wrong(each)] == []
    assert path.read_bytes() == words.po_text(fresh), "run python release/words.py"
    assert path.with_suffix(".mo").read_bytes() == words.mo_bytes(words.read(path, language))


def test_languages_are_those_that_have_catalogues() -> None:
    """A language is offered when it is whole."""
    assert sorted(OTHERS) == words.languages()


def test_nouns_of_templates_are_known() -> None:
    """`many` has the plural of each noun that a template counts."""
    nouns = {noun for path in TEMPLATES for noun in re.findall(r"""\|many:["'](\w+)""", path.read_text("utf-8"))}
    with translation.override("de"):
        assert [noun for noun in nouns if formats.many(2, noun) == f"2 {noun}s"] == []


@pytest.mark.parametrize(
    ("language", "day", "moment", "number", "weekday"),
    [
        ("en", "Sunday, 22 November", "2026-11-22 14:03:05", "1.5", "Mo"),
        ("de", "Sonntag, 22. November", "22.11.2026 14:03:05", "1,5", "Mo"),
        ("es", "domingo, 22 de noviembre", "22/11/2026 14:03:05", "1,5", "lu"),
        ("fr", "dimanche 22 novembre", "22/11/2026 14:03:05", "1,5", "lu"),
        ("it", "domenica 22 novembre", "22/11/2026 14:03:05", "1,5", "lu"),
        ("nl", "zondag 22 november", "22-11-2026 14:03:05", "1,5", "ma"),
        ("pt", "domingo, 22 de novembro", "22/11/2026 14:03:05", "1,5", "seg"),
    ],
)
def test_days_times_and_numbers(language: str, day: str, moment: str, number: str, weekday: str) -> None:
    """Names of days, a clock of 24 hours, and the decimal comma."""
    date = datetime.date(2026, 11, 22)
    with translation.override(language):
        assert formats.long_day(date, date).casefold() == day.casefold()
        assert formats.shown_moment("2026-11-22 14:03:05") == moment
        assert formats.decimal(1.5) == number
        assert weekdays()[0][1] == weekday
        assert shots.Day("2026-11-22").title(date).casefold().endswith(day.casefold())


def test_drawings_and_data_keep_the_point() -> None:
    """A comma in a coordinate would draw something else."""
    row = glance.strip(datetime.date(2026, 11, 22), [glance.Sum("Garage", 3, 2, 1)])
    context = {"glance": {"rows": [(row[0], [])], "is_today": True, "now_x": 12.5, "weekdays": [], "earlier": ("", "")}}
    with translation.override("de"):
        assert "M12.5 0V24" in render_to_string("review/_glance.html", context)


SAYINGS = (
    "Running for 3 hours",
    "Degraded: cannot store alarms: disk full; running for 1 second",
    "snoozed by anna until 22:00",
    "72 %, 30 % of the picture's height: stands outside the watched areas",
    "no person found",
    "2 people, surest 99 %, threshold 50 %",
    off_in_words(-7320.0),
    diagnosis.tls_on_plain_port("10.0.0.9", 25, (465,)),
    diagnosis.tls_on_plain_port("10.0.0.9", 25, ()),
    diagnosis.login_failed("10.0.0.9", "camera"),
    diagnosis.too_many_guesses("10.0.0.9"),
    diagnosis.too_large("10.0.0.9", 1 << 25),
    diagnosis.torn_mail("10.0.0.9", 1000),
    diagnosis.slow_mail("10.0.0.9", 60.0),
    diagnosis.silent("10.0.0.9", 60.0),
    diagnosis.gave_up("10.0.0.9", "EHLO", offers_login=True, offers_tls=True),
    diagnosis.spoke_http("10.0.0.9", 25),
    diagnosis.handshake_failed("10.0.0.9", 465, TimeoutError(), "1.2", is_starttls=False),
)


@pytest.mark.parametrize("said", SAYINGS)
def test_sentences_of_the_service_are_recognised(said: str) -> None:
    """What the service writes in English is said in the language of the page, with its own numbers and names."""
    with translation.override("de"):
        german = sentence(said)
    assert german != said
    assert re.findall(r"[0-9]+(?:\.[0-9]+){0,3}", german) == re.findall(r"[0-9]+(?:\.[0-9]+){0,3}", said)
    with translation.override("en"):
        assert sentence(said) == said


def test_what_is_no_sentence_of_the_service_stays() -> None:
    """A server's answer, and a text that only begins like one of ours."""
    with translation.override("de"):
        assert sentence("550 mailbox unavailable") == "550 mailbox unavailable"
        assert sentence("") == ""
    assert len(set(SENTENCES)) == len(SENTENCES)


def test_proposal_is_said_in_numbers_that_agree() -> None:
    """One false alarm is not "1 Fehlalarme"."""
    found = Proposal(threshold=0.56, instead_of=0.5, pictures=10, found=0, spared=1, lost=0, added=0)
    with translation.override("de"):
        assert formats.proposed(found) == "56 % statt 50 %: von 10 geprüften Bildern 1 Fehlalarm weniger"
