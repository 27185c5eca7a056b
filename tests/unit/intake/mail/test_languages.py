"""The tables of words: each row of each language does what its list says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from camalert.errors import ConfigError
from camalert.identity import Envelope
from camalert.intake.mail import facts, languages, reader
from camalert.intake.mail.languages import rows
from camalert.intake.mail.rules import Rules
from camalert.ipc.records import MailRecord

TABLES = {name: languages.table(name) for name in languages.table_names()}
ROWS = [(name, kind, row) for name, table in TABLES.items() for kind, row in rows.rows_of(table)]
VALUES = {
    "camera": "Oak 7b",
    "device": "Oak",
    "number": "3",
    "event": "Zzz",
    "time": "2026-11-28 18:23:31",
    "other": "-",
}


def read(subject: str, text: str, *, media_type: str = "text/plain") -> MailRecord:
    mail = f"Content-Type: {media_type}; charset=utf-8\r\nSubject: {subject}\r\n\r\n{text}\r\n".encode()
    return reader.read(bytearray(mail), Envelope(), Rules(()), 1_700_000_000.0, 86_400).record


def _rows(wanted: str) -> Any:
    found = [(name, row) for name, kind, row in ROWS if kind == wanted]
    return pytest.mark.parametrize(("name", "row"), found, ids=[f"{name[:2]}-{row.text}" for name, row in found])


def test_languages_that_owners_were_promised_are_there() -> None:
    """Eleven languages, each with the words of all eight kinds of mail."""
    assert {table["language"] for table in TABLES.values()} >= {
        "English", "Spanish", "Portuguese", "German", "French", "Italian", "Dutch", "Polish", "Russian", "Turkish",
        "Chinese",
    }  # fmt: skip
    for name in TABLES:
        means = {(kind, row.means) for own, kind, row in ROWS if own == name}
        assert {("labels", what) for what in ("camera", "device", "number", "event", "time")} <= means, name
        assert {("events", what) for what in rows.EVENTS} <= means, name
        assert {("kinds", what) for what in rows.KINDS} <= means, name


@_rows("labels")
def test_label_takes_what_follows_it(name: str, row: rows.Word) -> None:
    """Behind a colon of either width, in capitals, with brackets and blanks around it."""
    for written in (row.text, row.text.upper() if row.text.isascii() else row.text, f"  {row.text} (D/M/Y H:M:S) "):
        for colon in (":", " : ", "\uff1a"):
            found = facts.facts_of("x", f"{written}{colon}{VALUES[row.means]}", ())

            camera = {"camera": "Oak 7b", "device": "Oak"}.get(row.means, "")
            assert (found.camera, found.channel, found.event, found.time) == (
                camera,
                "3" if row.means == "number" else "",
                "zzz" if row.means == "event" else "",
                VALUES["time"] if row.means == "time" else "",
            ), written


@_rows("events")
def test_event_is_known_by_its_words(name: str, row: rows.Word) -> None:
    """Alone and behind a label, with capitals and with what a star stands for."""
    words = row.text.replace("*", "")
    assert languages.tables().events.best(words) is not None
    found = {item.word.means for item in languages.tables().events.find(f"Xx {words.title()} 12")}
    assert row.means in found
    if "*" in row.text:
        assert row.means in {item.word.means for item in languages.tables().events.find(row.text.replace("*", "xy"))}


@_rows("kinds")
def test_kind_of_mail_is_known_by_its_words(name: str, row: rows.Word) -> None:
    """In the subject of a mail without a picture; the same words with capitals."""
    for subject in (row.text.replace("*", ""), row.text.replace("*", "").title()):
        assert facts.kind_of_mail(subject, "")[0] == row.means


@_rows("ends")
def test_end_stands_behind_an_event(name: str, row: rows.Word) -> None:
    """Tripwire fin: the alarm is over. Before the event, or without one, the word says nothing."""
    assert facts.kind_of_mail("x", f"Event Type: Tripwire {row.text}")[0] == "end"
    assert facts.kind_of_mail("x", f"Event Type: {row.text} Tripwire")[0] == "alarm"


def test_words_mean_the_same_in_every_language() -> None:
    """Nobody tells camalert in which language a mail is: one label, one meaning."""
    seen: dict[tuple[str, str], rows.Word] = {}
    for _, kind, row in ROWS:
        other = seen.setdefault((kind, languages.label_key(row.text)), row)
        assert other.means == row.means, (other, row)


@pytest.mark.parametrize("name", TABLES)
def test_months_and_days_are_dates(name: str) -> None:
    """A date in words is read in every language."""
    for month, text in enumerate(TABLES[name]["months"], start=1):
        if name != "zh.toml":  # written in figures
            record = read("x", f"14. {text.title()} 2023 um 22:13:20")
            assert record.camera_time.startswith("14."), text
            assert languages.tables().months[languages.plain(text)] == month


ENGLISH = (Path(languages.__file__).parent / "en.toml").read_text(encoding="utf-8")
FIRST_LABEL = 'labels.camera = ["alarm camera name"]'


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        (FIRST_LABEL, 'labels.colour = ["x"]', ": source[0].labels.colour is not known here; allowed are camera,"),
        (FIRST_LABEL, 'event.motion = ["x"]', ": source[0].event is not known here; allowed are maker, from, labels,"),
        (FIRST_LABEL, 'events.earthquake = ["x"]', "earthquake is not known here; allowed are line crossing,"),
        (FIRST_LABEL, 'labels.camera = "x"', ": source[0].labels.camera must be a list of texts in brackets"),
        (FIRST_LABEL, 'kinds = ["x"]', ": source[0].kinds must say what its words mean, such as kinds.test = [...]"),
        (FIRST_LABEL, 'ends = "over"', ": source[0].ends must be a list of texts in brackets"),
        (FIRST_LABEL, "ends = [7]", ": source[0].ends must be a list of texts in brackets"),
        (FIRST_LABEL, 'ends = ["-"]', ': source[0].ends has "-", in which there is no word'),
        (FIRST_LABEL, 'labels.camera = ["name*"]', "a label is written in full, without a star"),
        (FIRST_LABEL, 'events.motion = ["mo* x"]', "before a star stand 3 letters at least"),
        (FIRST_LABEL, "labels.camera = yard", "Invalid value"),
    ],
)  # fmt: skip
def test_wrong_table_is_refused_with_its_line_and_what_is_allowed(right: str, wrong: str, said: str) -> None:
    """A row that would do nothing, or what no table is: the file, the line, and how it is written."""
    line = ENGLISH[: ENGLISH.index(right)].count("\n") + 1

    with pytest.raises(ConfigError) as refused:
        rows.parsed("en.toml", ENGLISH.replace(right, wrong, 1).encode())

    assert said in str(refused.value)
    assert f"line {line}" in str(refused.value)


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ('language = "English"', "", "en.toml: language is missing"),
        ('language = "English"', 'language = ""', "en.toml line 2: language must be a text in quotes"),
        ('maker = "Reolink"', "", "source[0].maker is missing"),
        ("place = [", "places = [", "places is not known here; allowed are language, months,"),
        ('  "january", "february",', '  "january",', "months must be the names of all 12 months"),
        ("[[source]]", "[source]", "Cannot"),
    ],
)
def test_table_that_lacks_something_is_refused(right: str, wrong: str, said: str) -> None:
    """Each mistake has a line of its own."""
    with pytest.raises(ConfigError) as refused:
        rows.parsed("en.toml", ENGLISH.replace(right, wrong, 1).encode())

    assert said in str(refused.value)


@pytest.mark.parametrize("wrong", ["", "source = 1", "source = [1]", "months = 1", "alarm = 1", "alarm = [1]"])
def test_whatever_a_table_is_it_is_refused_in_words(wrong: str) -> None:
    """No mistake ends in a traceback, not even a file in another character set."""
    for content in (wrong.encode(), wrong.encode() + b"# \xe9"):
        with pytest.raises(ConfigError, match=r"^x\.toml"):
            rows.parsed("x.toml", content)


def test_accents_and_capitals_make_no_difference() -> None:
    """Firmware drops accents as it likes, and Turkish and Polish letters have no mark to take off."""
    assert languages.plain("HORÁRIO DO INÍCIO") == "horario do inicio"
    assert languages.plain("\u0130lk ka\u0142 \u0131ş\u0131k") == "ilk kal isik"


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<b>Camera:</b> Gate&nbsp;&nbsp;<b>Event:</b> Motion", ("Gate", "motion")),
        ("<p>Camera: Gate&nbsp;Event: Motion</p>", ("Gate", "motion")),
        ("<tr><td>Camera:</td><td>Gate</td><td>Event:</td><td>Motion</td></tr>", ("Gate", "motion")),
        ("<tr><td>Camera</td><td>Gate</td></tr><tr><td>Event</td><td>Motion</td></tr>", ("Gate", "motion")),
        ("<tr><th>Camera</th><td>A\u00a0Gate</td></tr><tr><th>Event</th><td>Dog</td></tr>", ("A Gate", "animal")),
        ("<tr><th>Camera</th><th>Event</th></tr><tr><td>Gate</td><td>Dog</td></tr>", ("Gate", "animal")),
        ("<dl><dt>Kamera</dt><dd>Tor</dd><dt>Ereignis</dt><dd>Bewegung</dd></dl>", ("Tor", "motion")),
        ("<label>Camera:</label> Gate <label>Event:</label> Person", ("Gate", "person")),
    ],
)  # fmt: skip
def test_fields_of_a_page_are_parted(page: str, expected: tuple[str, str]) -> None:
    """Cells, bold labels, lists and blanks that do not break part the fields of an HTML mail."""
    record = read("x", page, media_type="text/html")

    assert (record.camera, record.event) == expected


@pytest.mark.parametrize(
    ("subject", "text", "camera", "event"),
    [
        ('motionEye: motion detected by "Yard"', "", "Yard", "motion"),
        ("x", 'Motion has been detected by camera "Yard/pi" at 2026-11-28 18:23:31 (UTC).', "Yard/pi", "motion"),
        ("ZoneMinder: Alarm - Yard-4711 (21 - 9 7)", "", "Yard", ""),
        ("x", "An alarm has been detected on your installation of the ZoneMinder.\n  Monitor  : Yard", "Yard", ""),
        ("A Person was detected on the Back Yard camera.", "", "Back Yard", "person"),
        ("Frigate Alert", "Detection at 2026-11-28 18:23:31\nCamera: yard\nLabel: person (85%)", "yard", "person"),
        ("Person Detected - Front Door", "", "Front Door", "person"),
        ("Person detected \u2013 Front Door", "", "Front Door", "person"),
        ("Front Door: Person detected", "", "Front Door", "person"),
        ("[Yard] motion detected", "", "Yard", "motion"),
        ("Yard has detected motion", "", "Yard", "motion"),
        ("Your camera Yard detected movement", "", "Yard", "motion"),
        ("[Surveillance Station] Camera Yard has detected motion", "", "Yard", "motion"),
        ("Motion detected: Yard", "", "Yard", "motion"),
        ("Camera Yard was triggered", "", "Yard", ""),
        ("x", "Motion detected on camera Yard at 18:37:04", "Yard", "motion"),
        ("IPCamera alarm(Yard) 20261128182331", "IPCamera alarm at 2026-11-28 18:23:31", "Yard", ""),
        ("2026-11-28 18:23:31 UTC-05:00 External Alarm Device Name:A Channel Name:Yard", "x", "Yard", "alarm input"),
        ("Bewegung erkannt an Kamera Hof", "", "Hof", "motion"), ("Alarm: Bewegung - Hof", "", "Hof", "motion"),
        ("Movimiento detectado en Garaje", "", "Garaje", "motion"), ("Yard: Motion", "", "Yard", "motion"),
        ("Mouvement d\u00e9tect\u00e9 par Jardin", "", "Jardin", "motion"), ("Alert on camera 'Yard'", "", "Yard", ""),
        ("Wykryto ruch na Podw\u00f3rko 28.11.2026 18:23:31", "", "Podw\u00f3rko", "motion"),
        ("Camera [Yard] has detected motion", "", "Yard", "motion"),
        ("Event - Yard - Triggered a motion event", "", "Yard", "motion"),
        ("Bewegung erkannt am 28.11.2026 um 18:23:31", "", "", "motion"),
        ("Alarm - Motion", "", "", "motion"), ("Motion detected", "See your camera for details", "", "motion"),
        ("motionEye: motion detected", "", "", "motion"), ("Alert: Person detected", "", "", "person"),
        ("Motion detected by the system", "", "", "motion"), ("Camera has detected motion", "", "", "motion"),
    ],
)  # fmt: skip
def test_sentences_of_programs_name_the_camera(subject: str, text: str, camera: str, event: str) -> None:
    """What programs write, whole or around a name: the name alone is the camera, and a sentence is none."""
    record = read(subject, text)

    assert (record.camera, record.event) == (camera, event)


@pytest.mark.parametrize(
    ("text", "camera", "channel"),
    [
        ("IPC NAME: Oak\nCHANNEL NAME: Camera 01\nCHANNEL NUMBER: 1", "Oak", ""),
        ("NVR NAME: Oak\nCAMERA NAME(NUM): Camera 02(D2)", "Oak D2", ""),
        ("Device Name: Oak\nChannel Name: IPCamera 3", "Oak 3", ""),
        ("Alarm Device Name: Oak\nAlarm Input Channel Name: Channel 12", "Oak 12", ""),
        ("Ger\u00e4tename: Eiche\nKanalname: Kamera 01", "Eiche", ""),
        ("\u8bbe\u5907\u540d\u79f0: \u5927\u95e8\n\u901a\u9053\u540d\u79f0: \u901a\u90532", "\u5927\u95e8 2", ""),
        ("[Camera1] Motion Detected", "", ""), ("CH3 motion", "", "3"),
        ("Camera: Camera 4", "", "4"), ("Channel: 5", "", "5"), ("Channel: Yard", "Yard", ""),
        ("IPC NAME: IP CAMERA\nCHANNEL NAME: Camera 01", "", ""), ("Camera: 2nd floor", "2nd floor", ""),
        ("Camera: CAM 2 Garage(A2)", "CAM 2 Garage(A2)", ""),
    ],
)  # fmt: skip
def test_name_from_the_factory_is_a_number(text: str, camera: str, channel: str) -> None:
    """Every camera of a make has it: it counts beside the device's name, and alone tells only which one it is."""
    record = read("x", text)

    assert (record.camera, record.channel) == (camera, channel)


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("Video Loss", "video loss"), ("Video Tampering", "tampering"), ("HDD Error", "storage fault"),
        ("Illegal Login", "login warning"), ("P\u00e9rdida de video", "video loss"), ("Sabotage", "tampering"),
        ("Festplatte voll", "storage fault"), ("Nielegalne logowanie", "login warning"), ("Motion", "alarm"),
        ("\u89c6\u9891\u4e22\u5931", "video loss"), ("Motion End", "end"), ("Bewegung beendet", "end"),
    ],
)  # fmt: skip
def test_mail_without_a_picture_is_shown_as_what_it_is(event: str, kind: str) -> None:
    """Not every mail without a picture is an alarm whose picture is missing."""
    assert read("x", f"Event Type: {event}").kind == kind
