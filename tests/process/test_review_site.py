"""The review site's real process, asked as a browser would ask it."""

from __future__ import annotations

import datetime
import json
import re
import sqlite3
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from testing import household, reviewrig
from testing.ports import free_port
from testing.reviewrig import PASSWORD, Visitor
from testing.reviewsite import MP4, NOON, Site, running
from testing.waiting import until

pytest.importorskip("django", reason="the review extra is not installed")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return a site with rows and a login; each test uses rows of its own for what it changes."""
    with running(tmp_path_factory.mktemp("review")) as found:
        yield found


def shown_ids(text: str) -> list[int]:
    return [int(found) for found in re.findall(r'data-id="(\d+)"', text)]


# --- lists ------------------------------------------------------------------------------------------------------------


def test_list_shows_every_row_once_over_its_pages(site: Site) -> None:
    """The pages together are the table, newest first."""
    visitor = site.visitor()
    seen: list[int] = []
    path = "/alarms/"
    for _ in range(10):
        text = visitor.get(path).text
        seen += shown_ids(text)
        more = re.search(r'data-more="([^"]+)"', text)
        if not more:
            break
        path = more[1].replace("&amp;", "&")

    expected = site.query("SELECT id FROM alerts_alert ORDER BY timestamp DESC, id DESC")
    assert seen == [row[0] for row in expected]


def test_visits_are_listed_once_over_their_pages(site: Site) -> None:
    """The page and the interface show the same visits, newest first, with pictures that are there."""
    visitor, listed, before = site.visitor(), [], ""
    for _ in range(20):
        page = visitor.get(f"/api/v1/visits/?limit=7&before={before}").json()
        listed += page["visits"]
        before = page["next"]
        if not before:
            break
    expected = site.query("SELECT id, pictures FROM camalert_visit ORDER BY began_utc DESC, id DESC")
    assert [(visit["id"], visit["pictures"]) for visit in listed] == expected
    shown = visitor.get("/?review=all").text
    assert [int(found) for found in re.findall(r'id="visits-(\d+)"', shown)] == [row[0] for row in expected][:36]
    rest = visitor.get(re.search(r'data-more="([^"]+)"', shown)[1].replace("&amp;", "&")).text  # type: ignore[index]
    assert [int(found) for found in re.findall(r'id="visits-(\d+)"', rest)] == [row[0] for row in expected][36:72]
    assert visitor.get("/visits/?camera=Garage").headers["Location"] == "/?camera=Garage"

    garage = visitor.get("/api/v1/visits/?camera=+garage&day=2026-11-22").json()["visits"]
    assert garage
    assert all(visit["camera"] == "Garage" and visit["began"].startswith("2026-11-22") for visit in garage)
    one = visitor.get(f"/api/v1/visits/{garage[0]['id']}/").json()
    assert len(one["alerts"]) == one["pictures"]
    assert visitor.thumbnail(one["thumbnail"]).status == 200
    assert one["page"] == f"/visits/{one['id']}/"
    assert visitor.get(one["page"]).text.count('<li class="shot') == one["pictures"]
    assert f'/visits/{one["id"]}/?review=all"' in visitor.get(f"/alarms/{one['best_alert']}/").text
    assert visitor.get("/api/v1/visits/99999/").status == 404


def test_visit_says_for_each_target_whether_it_was_told_or_why_not(site: Site) -> None:
    """On an alarm's page and in the interface; whatever stands in a reason is text."""
    [(visit, alert)] = site.query("SELECT id, best_alert FROM camalert_visit WHERE camera = 'Garage' LIMIT 1")
    home = site.home()
    for target, state, reason, sent_utc in (
        ("phone", "sent", "", 1_795_000_000.0), ("door", "silent", "cool-down until 14:05 <b>", None),
        ("mail", "given_up", "550 no such user", None), ("mqtt", "waiting", "connection refused", None),
    ):  # fmt: skip
        home.connection.execute(
            "INSERT INTO camalert_outbox (key, target, event, camera, known_as, visit, alert, at_utc, created_utc,"
            " due_utc, tries, state, reason, priority, score, message, sent_utc)"
            " VALUES (?, ?, 'visit', 'Garage', 'garage', ?, ?, 0, 0, NULL, 1, ?, ?, 'normal', 0.9, '', ?)",
            (target, target, visit, alert, state, reason, sent_utc),
        )
    home.close()
    visitor = site.visitor()

    told = visitor.get(f"/api/v1/visits/{visit}/").json()["told"]
    text = visitor.get(f"/alarms/{alert}/").text
    assert "not told: cool-down until 14:05 &lt;b&gt;" in visitor.get(f"/visits/{visit}/").text

    assert [(row["target"], row["state"], row["reason"]) for row in told] == [
        ("phone", "sent", ""), ("door", "silent", "cool-down until 14:05 <b>"),
        ("mail", "given_up", "550 no such user"),
        ("mqtt", "waiting", "connection refused"),
    ]  # fmt: skip
    assert told[0]["sent"].startswith("2026-11-")
    assert "last sent" in visitor.get("/status/live/").text
    for sentence in (
        f"told at {told[0]['sent']}", "not told: cool-down until 14:05 &lt;b&gt;", "given up: 550 no such user",
        "not sent yet: connection refused",
    ):  # fmt: skip
        assert sentence in text


def test_owner_switches_messages_off_and_on_from_the_page_of_visits(site: Site) -> None:
    """What is switched is shown there with who did it, for all cameras and for one; nonsense changes nothing."""
    visitor = site.visitor()

    def switch(**fields: str) -> str:
        assert visitor.post("/visits/switch/", fields, page="/").status == 302
        return visitor.get("/").text

    assert "<strong>Armed</strong>" in visitor.get("/").text
    assert "<strong>Disarmed</strong>" in switch(kind="armed", value="off")
    assert "<strong>Armed</strong>" in switch(kind="armed", value="on")
    assert re.search(r"<strong>Snoozed</strong> until [0-9 :-]+ by anna", switch(kind="snooze", seconds="3600"))
    assert "<strong>Armed</strong>" in switch(kind="snooze", seconds="0")
    assert "Garage: snoozed until" in switch(kind="snooze", seconds="60", camera="Garage")
    assert "<strong>at home</strong>" in switch(kind="presence", value="home")
    assert "Nobody is at home" in switch(kind="presence", value="away")
    assert "snooze for 0" in switch(kind="snooze", seconds="99999999")
    assert "cannot be switched" in switch(kind="armed", value="perhaps")
    told = visitor.get("/api/v1/switches/").json()
    assert (told["armed"], list(told["snoozed"]), told["presence"]) == ({"": True}, ["garage"], "away")
    assert switch(kind="snooze", seconds="0")


def test_page_of_one_camera_switches_what_holds_for_it(site: Site) -> None:
    """One stays on it; a snooze of all cameras is ended as that; who is armed while all are not is named."""
    visitor, page = site.visitor(), "/?camera=Garage"

    def switch(**fields: str) -> str:
        assert visitor.post("/visits/switch/?camera=Garage", fields, page=page).headers["Location"] == page
        return visitor.get(page).text

    assert "End the snooze of all cameras" in switch(kind="snooze", seconds="3600")
    assert "End the snooze</button>" in switch(kind="snooze", seconds="7200", camera="Garage")
    assert 'name="camera" value="Garage"><button class="plain" name="seconds" value="0"' in visitor.get(page).text
    assert "<strong>Armed</strong> for Garage." in switch(kind="snooze", seconds="0")
    switch(kind="armed", value="off")
    switch(kind="armed", value="on", camera="Garage")
    for everything in ("/", "/status/live/"):
        assert re.search(r"Disarmed.* Garage: armed\.", visitor.get(everything).text)
    switch(kind="armed", value="on")


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        ("camera=Garage", "camera = 'Garage'"),
        ("camera=+garden++GATE", "camera = 'Garden gate'"),
        ("day=2026-11-21", "timestamp LIKE '2026-11-21%'"),
        ("outcome=nobody", "outcome = 'nobody'"),
        ("object=person", "outcome = 'person'"),
        ("object=vehicle", "camera = 'nothing'"),
        ("outcome=pending", "alert_id IN (SELECT alert_id FROM camalert_pending)"),
        ("score=90", "best_score >= 0.9"),
        ("review=done", "reviewed_utc IS NOT NULL"),
        ("camera=Garage&review=new&score=50", "camera = 'Garage' AND reviewed_utc IS NULL AND best_score >= 0.5"),
        ("camera=(unnamed)", "camera = ''"),
        ("camera=%22%3E%3Cscript%3E", "camera = 'nothing'"),
    ],
)
def test_list_filters(site: Site, query: str, condition: str) -> None:
    """A filter shows the rows that it names and no others."""
    found = site.visitor().get(f"/api/v1/alarms/?limit=500&{query}").json()["rows"]

    expected = site.query(
        f"SELECT alert_id FROM camalert_alert WHERE {condition} ORDER BY timestamp DESC, alert_id DESC"
    )
    assert [row["id"] for row in found] == [row[0] for row in expected]


def test_animal_is_named_and_found_also_where_it_does_not_count(site: Site) -> None:
    """What counted is on the picture, what else was seen on its page, and both can be asked for."""
    home = site.home()
    car = '[{"x": 1, "y": 2, "width": 3, "height": 4, "score": 0.7, "kind": "car"}]'
    dog, _ = home.add("Kennel", NOON, household.tiny()[1])
    home.connection.execute(
        "UPDATE camalert_alert SET outcome = 'person', objects = 'person,dog', others = ?, people = ?"
        " WHERE alert_id = ?",
        (car, car.replace("car", "dog"), dog),
    )
    home.close()
    visitor = site.visitor()

    for name in ("dog", "animal", "person", "car", "vehicle"):
        rows = visitor.get(f"/api/v1/alarms/?camera=Kennel&object={name}").json()["rows"]
        assert [(row["id"], row["objects"]) for row in rows] == [(dog, ["person", "dog"])], name
    assert visitor.get("/api/v1/alarms/?camera=Kennel&object=cat").json()["rows"] == []
    row = visitor.get(f"/api/v1/alarms/{dog}/").json()
    assert [[box["kind"] for box in row[boxes]] for boxes in ("people", "others")] == [["dog"], ["car"]]
    page, grid = visitor.get(f"/alarms/{dog}/").text, visitor.get("/alarms/?camera=Kennel&object=dog").text
    assert re.search("<h2>([^<]*)<", page)[1] == "A person and a dog"
    assert re.search(r"Also seen</dt><dd>car .*70 %", page)
    assert '<option value="dog" selected>dog</option>' in grid
    assert 'select name="object"' not in visitor.get("/alarms/").text, (
        "where people alone are asked for there is no choice"
    )


def test_live_tells_what_is_new_changed_and_gone(site: Site) -> None:
    """A page learns of rows that came, verdicts that fell, marks of others, and deletions."""
    visitor = site.visitor()
    home = site.home()
    someone = household.tiny()[1]
    newest = site.query("SELECT max(id) FROM alerts_alert")[0][0]
    waiting, _ = home.add("Terrace", NOON, someone, pending=True)
    doomed, _ = home.add("Terrace", NOON, someone)

    def look(after: object, shown: str) -> dict:  # type: ignore[type-arg]
        token = visitor.form_token("/account/")
        path = f"/alarms/live/?camera=Terrace&after={after}"
        return visitor.ask("POST", path, shown.encode(), Content_Type="text/plain", X_CSRFToken=token).json()

    first = look(newest, "")
    assert sorted(shown_ids(first["added"])) == [waiting, doomed]
    assert 'badge busy">examining' in first["added"]
    states = dict(re.findall(r'data-id="(\d+)" data-state="([^"]+)"', first["added"]))
    shown = ",".join(f"{row_id}={state}" for row_id, state in states.items())
    assert look(first["newest"], shown) == {**first, "added": "", "count": 0, "changed": {}, "gone": []}

    home.conclude(waiting, someone, NOON.timestamp())
    home.connection.execute("DELETE FROM alerts_alert WHERE id = ?", (doomed,))
    home.close()
    then = look(first["newest"], shown)

    assert list(then["changed"]) == [str(waiting)]
    assert "badge person" in then["changed"][str(waiting)]
    assert then["gone"] == [doomed]


def test_list_reads_no_picture(site: Site) -> None:
    """A list of large pictures costs what a list of small ones does: it is read from the facts."""
    home = site.home()
    large = household.tiny()[6]
    for _ in range(40):
        home.add("Attic", NOON, large, snapshot=large.jpeg + bytes(500_000))
    home.close()
    visitor = site.visitor()
    visitor.get("/alarms/?camera=Attic")

    before = _bytes_read(site.pid)
    shown = shown_ids(visitor.get("/alarms/?camera=Attic").text)

    assert len(shown) == 32  # a page
    assert _bytes_read(site.pid) - before < 2_000_000


def _bytes_read(pid: int) -> int:
    """Return what a process has read, cached or not; see proc(5), io."""
    return int(re.findall(r"rchar: (\d+)", Path(f"/proc/{pid}/io").read_text())[0])


# --- one alarm --------------------------------------------------------------------------------------------------------


def test_alarm_page_shows_all_that_is_known(site: Site) -> None:
    """Picture, boxes, reason, both times, headers, clip and neighbours."""
    alert, detection = site.rows.person
    text = site.visitor().get(f"/people/{detection}/").text

    for part in (
        f'src="/alarms/{alert}/picture"', "<rect", "a person at", "2026-11-22 12:00:00", "2026-11-22 12:00:01",
        "X-Mailer",        f'src="/clips/{site.rows.clip}"', 'id="older"', "garage@home.local", "Not a person",
    ):  # fmt: skip
        assert part in text, part


def test_alarm_page_says_how_its_mail_was_read(site: Site) -> None:
    """Which label, address or block decided what; a name of the owner's since then; nothing where it is not known."""
    home = site.home()
    alert, _ = home.add("Garage", NOON, household.tiny()[0])
    other, _ = home.add("Garage", NOON, household.tiny()[0])
    reasons = [["camera", "IPC <3>", "the label Alarm Device Name"], ["event", "motion", "the words motion detected"]]
    put = "UPDATE camalert_mail SET reasons = ? WHERE id = (SELECT mail FROM camalert_alert WHERE alert_id = ?)"
    home.connection.execute(put, (json.dumps(reasons), alert))
    home.connection.execute(put, ('{"a": [1', other))
    home.close()
    visitor = site.visitor()

    text = visitor.get(f"/alarms/{alert}/").text
    answer = visitor.get(f"/api/v1/alarms/{alert}/").json()

    for part in ("How the mail was read", "IPC &lt;3&gt;", "by the label Alarm Device Name; it is called Garage now"):
        assert part in text, part
    assert "by the words motion detected</span>" in text
    assert answer["reasons"][1] == {"what": "event", "taken": "motion", "rule": "the words motion detected"}
    assert "How the mail was read" not in visitor.get(f"/alarms/{other}/").text
    assert visitor.get(f"/api/v1/alarms/{other}/").json()["reasons"] == []


def test_what_could_not_be_examined_is_listed_with_the_reason(site: Site) -> None:
    """Pictures and clips, beside the kept mails: with their camera, in words, and the clip to be downloaded."""
    home = site.home()
    alert, _ = home.add("Garage", NOON, household.tiny()[2])
    home.connection.execute(
        "UPDATE camalert_alert SET outcome = 'failed', reason = 'the picture <is> damaged' WHERE alert_id = ?", (alert,)
    )
    clip = home.connection.execute(
        "INSERT INTO camalert_clip (mail, name, kind, bytes, subject, timestamp, camera, event, received_utc, state,"
        " reason, clip) SELECT mail, 'a.mp4', 'mp4', 3, '', '2026-11-22 12:00:00', 'old name', '', 0, 'failed',"
        " 'its codec AV1 has no decoder here', x'000000' FROM camalert_alert WHERE alert_id = ?",
        (alert,),
    ).lastrowid
    home.close()
    visitor = site.visitor()

    text = visitor.get("/kept/").text
    found = visitor.get("/api/v1/kept/").json()

    for part in ("the picture &lt;is&gt; damaged", f'href="/alarms/{alert}/', "its codec AV1 has no decoder here",
                 f'href="/clips/{clip}?download"', "Kept mails"):  # fmt: skip
        assert part in text, part
    assert [(one["id"], one["camera"], one["reason"]) for one in found["clips"]] == [
        (clip, "Garage", "its codec AV1 has no decoder here")
    ]
    assert (alert, "the picture <is> damaged") in [(one["id"], one["reason"]) for one in found["pictures"]]
    later = visitor.get("/kept/?before=1").text
    assert "the picture &lt;is&gt; damaged" not in later


def test_alarm_of_another_program_is_shown(site: Site) -> None:
    """A row without facts has a picture and a subject, and nothing breaks."""
    visitor = site.visitor()

    assert "by hand" in visitor.get(f"/alarms/{site.rows.foreign}/").text
    assert visitor.thumbnail(f"/alarms/{site.rows.foreign}/thumbnail").headers["Content-Type"] == "image/jpeg"


def test_detection_outlives_its_alert(site: Site) -> None:
    """The original deletes them apart: then the marked picture is shown."""
    home = site.home()
    alert, detection = home.add("Terrace", NOON, household.tiny()[2])
    home.connection.execute("DELETE FROM alerts_alert WHERE id = ?", (alert,))
    home.close()

    text = site.visitor().get(f"/people/{detection}/").text

    assert f'src="/people/{detection}/picture"' in text
    assert f"/alarms/{alert}/" not in text


def test_picture_is_handed_out_byte_for_byte(site: Site) -> None:
    """What came with the mail is what is downloaded."""
    alert = site.rows.person[0]
    answer = site.visitor().get(f"/alarms/{alert}/picture?download")

    assert answer.body == site.query("SELECT snapshot FROM alerts_alert WHERE id = ?", alert)[0][0]
    disposition = answer.headers["Content-Disposition"]
    assert disposition == f'attachment; filename="camalert-Garage-20261122120000-{alert}.jpg"'


def test_clip_is_handed_out_in_ranges(site: Site) -> None:
    """A player may jump; the whole clip is the clip."""
    visitor = site.visitor()
    path = f"/clips/{site.rows.clip}"

    part = visitor.get(path, Range="bytes=1000-1999")
    whole = visitor.get(path)

    assert (part.status, part.body) == (206, MP4[1000:2000])
    assert part.headers["Content-Range"] == f"bytes 1000-1999/{len(MP4)}"
    assert (whole.status, whole.body) == (200, MP4)
    assert whole.headers["Content-Type"] == "video/mp4"


# --- changes ----------------------------------------------------------------------------------------------------------


def test_mark_holds_for_alarm_and_detection(site: Site) -> None:
    """They are one thing to their owner; and what is marked has been looked at."""
    alert, detection = site.rows.person
    visitor = site.visitor()

    answer = visitor.send("/api/v1/people/change/", {"ids": [detection], "mark": "not a person"})

    assert answer.json() == {"changed": 1}
    for table in ("camalert_alert WHERE alert_id", "camalert_detect WHERE detect_id"):
        row_id = alert if "camalert_alert" in table else detection
        (row,) = site.query(f"SELECT mark, reviewed_utc IS NOT NULL FROM {table} = ?", row_id)
        assert row == ("not a person", 1)

    archive = zipfile.ZipFile(visitor.get("/people/marks.zip").stream())
    (known,) = json.loads(archive.read("index.json"))
    assert (known["mark"], known["camera"], len(known["people"])) == ("not a person", "Garage", 1)
    assert archive.read(known["file"]) == site.query("SELECT snapshot FROM alerts_detect WHERE id = ?", detection)[0][0]
    assert visitor.send("/api/v1/alarms/change/", {"ids": [alert], "mark": None}).json() == {"changed": 1}
    assert site.query("SELECT mark FROM camalert_detect WHERE detect_id = ?", detection) == [(None,)]


def test_deletion_takes_alarm_detection_and_thumbnails(site: Site) -> None:
    """Nothing of a deleted picture is left but what the bin keeps, until that is emptied; or all of it comes back."""
    home = site.home()
    pairs = [home.add("Terrace", NOON, household.tiny()[3]) for _ in range(45)]
    home.close()
    visitor = site.visitor()
    alert, detection = pairs[0]
    assert visitor.thumbnail(f"/alarms/{alert}/thumbnail").status == 200

    answer = visitor.send("/api/v1/alarms/delete/", {"ids": [pair[0] for pair in pairs]})

    number = answer.json()["deletion"]
    assert answer.json() == {"deleted": 45, "deletion": number}
    assert visitor.get(f"/alarms/{alert}/").status == 404
    assert visitor.get(f"/people/{detection}/picture").status == 404
    assert visitor.thumbnail(f"/alarms/{alert}/thumbnail").status == 404
    ids = ",".join(str(pair[1]) for pair in pairs)
    assert site.query(f"SELECT count(*) FROM alerts_detect WHERE id IN ({ids})") == [(0,)]
    cache = sqlite3.connect(site.folder / "review" / "thumbnails.sqlite3")
    assert cache.execute("SELECT count(*) FROM thumbnail WHERE album = 'alarms' AND id = ?", (alert,)).fetchone() == (
        0,
    )
    cache.close()
    deleted = [row for row in visitor.get("/api/v1/bin/").json()["pictures"] if row["deletion"] == number]
    assert sorted(row["alert_id"] for row in deleted) == [pair[0] for pair in pairs]
    assert visitor.get(deleted[0]["picture"]).headers["Content-Type"] == "image/jpeg"
    assert visitor.thumbnail(f"/bin/{deleted[0]['id']}/thumbnail").status == 200
    assert "45 pictures" in visitor.get("/bin/").text
    first = {"ids": [deleted[0]["id"]]}
    assert visitor.send("/api/v1/bin/remove/", first).json() == {"deleted": 1}
    assert visitor.get(deleted[0]["picture"]).status == 404
    back = visitor.send("/api/v1/bin/restore/", {"deletion": number}).json()
    assert back["restored"] == 44
    assert visitor.get(f"/alarms/{deleted[1]['alert_id']}/").status == 200
    assert visitor.get(f"/people/{deleted[1]['detect_id']}/picture").status == 200
    again = {"ids": [row["alert_id"] for row in deleted[1:]]}
    assert visitor.send("/api/v1/alarms/delete/", again).json()["deleted"] == 44
    visitor.post("/bin/act/", {"action": "empty"})
    assert visitor.get("/api/v1/bin/").json() == {"pictures": []}


def test_visit_is_changed_with_all_of_its_pictures(site: Site) -> None:
    """Reviewed, flagged, deleted and restored; what is to review is counted in the menu of every page."""
    home = site.home()
    pairs = [home.add("Porch", NOON + datetime.timedelta(seconds=10 * at), household.tiny()[3]) for at in range(3)]
    home.group()
    home.close()
    alerts = [pair[0] for pair in pairs]
    visitor = site.visitor()
    [visit] = visitor.get("/api/v1/visits/?camera=Porch").json()["visits"]
    own = {"ids": [visit["id"]]}

    def to_review() -> int:
        return int(re.search(r'id="to-review"[^>]*>(\d*)<', visitor.get("/status/").text)[1] or 0)  # type: ignore[index]

    before = to_review()
    assert f'id="visits-{visit["id"]}"' in visitor.get("/?camera=Porch").text
    done = visitor.send("/api/v1/visits/change/", {**own, "reviewed": True}).json()
    assert (done["changed"], sorted(done["pictures"]), done["to_review"]) == (1, alerts, str(before - 1))
    assert to_review() == before - 1
    assert visitor.get(f"/api/v1/visits/{visit['id']}/").json()["reviewed"]
    assert f'id="visits-{visit["id"]}"' not in visitor.get("/?camera=Porch").text
    assert f'id="visits-{visit["id"]}"' in visitor.get("/?camera=Porch&review=done").text
    assert visitor.send("/api/v1/alarms/change/", {"ids": alerts[:1], "reviewed": False}).json() == {"changed": 1}
    assert to_review() == before

    flagged = visitor.send("/api/v1/visits/change/", {**own, "mark": "not a person"}).json()
    assert sorted(flagged["pictures"]) == alerts
    marks = "SELECT DISTINCT mark FROM camalert_detect WHERE camera = 'Porch'"
    assert site.query(marks) == [("not a person",)]
    assert to_review() == before - 1

    visitor.send("/api/v1/alarms/change/", {"ids": alerts[:1], "mark": "missed a person"})
    again = visitor.send("/api/v1/visits/change/", {**own, "mark": "not a person"}).json()
    for body in again["undo"]:
        assert visitor.send("/api/v1/alarms/change/", body).status == 200
    was = site.query("SELECT mark, count(*) FROM camalert_alert WHERE camera = 'Porch' GROUP BY mark ORDER BY mark")
    assert was == [("missed a person", 1), ("not a person", 2)]  # what a mark replaced is there again

    gone = visitor.send("/api/v1/visits/delete/", own).json()
    assert (gone["deleted"], gone["pictures"]) == (1, 3)
    assert visitor.get(f"/visits/{visit['id']}/").status == 404
    assert visitor.send("/api/v1/bin/restore/", {"deletion": gone["deletion"]}).json()["restored"] == 3
    back = visitor.get(f"/api/v1/visits/{visit['id']}/").json()
    assert [row["alert_id"] for row in back["alerts"]] == alerts
    assert back["best_alert"] == visit["best_alert"]
    assert visitor.send("/api/v1/visits/delete/", own).json()["deleted"] == 1
    visitor.post("/bin/act/", {"action": "empty"})


def test_list_of_visits_works_without_a_script(site: Site) -> None:
    """Review, flag, download and delete by a form, and everything in a filter by one button."""
    home = site.home()
    for hour in range(3):
        home.add("Cellar", NOON - datetime.timedelta(hours=hour), household.tiny()[2])
    home.group()
    home.close()
    visitor = site.visitor()
    visits = [visit["id"] for visit in visitor.get("/api/v1/visits/?camera=Cellar").json()["visits"]]
    chosen = {"id": ",".join(map(str, visits[:2])), "query": "camera=Cellar"}

    assert visitor.post("/visits/selected/", {**chosen, "action": "reviewed"}).headers["Location"] == "/?camera=Cellar"
    assert "2 visits marked as reviewed." in visitor.get("/").text
    archive = zipfile.ZipFile(visitor.post("/visits/selected/", {**chosen, "action": "zip"}).stream())
    assert len(archive.namelist()) == 3
    visitor.post("/visits/selected/", {**chosen, "action": "not a person"})
    assert "2 visits flagged: not a person." in visitor.get("/").text
    assert visitor.post("/visits/selected/", {"action": "reviewed"}).status == 302
    assert "Select some visits first." in visitor.get("/").text
    visitor.post("/visits/reviewed/", {"camera": "Cellar"})
    assert site.query("SELECT count(*) FROM camalert_visit WHERE camera = 'Cellar' AND unreviewed > 0") == [(0,)]
    chosen["id"] = ",".join(map(str, visits))
    assert visitor.post("/visits/selected/", {**chosen, "action": "delete"}).status == 302
    assert "3 visits deleted" in visitor.get("/").text
    assert site.query("SELECT count(*) FROM camalert_visit WHERE camera = 'Cellar'") == [(0,)]
    visitor.post("/bin/act/", {"action": "empty"})


def test_list_of_visits_keeps_itself_up_to_date(site: Site) -> None:
    """What is new, what looks different, what is gone, and how many are to review."""
    home = site.home()
    home.add("Ramp", NOON, household.tiny()[2])
    home.group()
    visitor = site.visitor()
    [old] = visitor.get("/api/v1/visits/?camera=Ramp").json()["visits"]
    shown = f"{old['id']}=0/new//9,999999=1/new//1"

    def live(after: int, body: str) -> dict[str, Any]:
        token = visitor.form_token("/account/")
        answer = visitor.ask("POST", f"/visits/live/?camera=Ramp&after={after}", body.encode(), X_CSRFToken=token)
        return answer.json()

    home.add("Ramp", NOON + datetime.timedelta(hours=1), household.tiny()[3])
    home.group()
    home.close()
    news = live(old["id"], shown)

    assert news["count"] == 1
    assert "Ramp" in news["added"]
    assert list(news["changed"]) == [str(old["id"])]
    assert news["gone"] == [999999]
    assert news["to_review"].isdigit()
    assert live(news["newest"], "")["count"] == 0


def test_thumbnail_of_a_row_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    """The service's limits and other programs delete rows without telling the site, also while it does not run."""
    with running(tmp_path) as site:
        row = site.rows.nobody
        assert site.visitor().thumbnail(f"/alarms/{row}/thumbnail").status == 200
        assert site.visitor().thumbnail(f"/alarms/{site.rows.foreign}/thumbnail").status == 200
    home = site.home()
    home.connection.execute("DELETE FROM alerts_alert WHERE id = ?", (row,))
    home.close()

    def kept() -> list[int]:
        cache = sqlite3.connect(tmp_path / "review" / "thumbnails.sqlite3", timeout=10)
        try:
            return [found[0] for found in cache.execute("SELECT id FROM thumbnail")]
        finally:
            cache.close()

    assert sorted(kept()) == sorted((row, site.rows.foreign))
    with reviewrig.site(reviewrig.config(tmp_path, free_port())):  # a site looks soon after its start, then seldom
        until(lambda: kept() == [site.rows.foreign], lambda: f"thumbnails of {kept()} are kept")


def test_form_works_without_a_script(site: Site) -> None:
    """Mark, flag, download, and delete into the bin."""
    home = site.home()
    ids = [home.add("Terrace", NOON, household.tiny()[4])[0] for _ in range(2)]
    home.close()
    visitor = site.visitor()
    chosen = {"id": ",".join(map(str, ids)), "query": "camera=Terrace"}

    assert visitor.post("/alarms/selected/", {**chosen, "action": "reviewed"}).headers["Location"] == (
        "/alarms/?camera=Terrace"
    )
    archive = zipfile.ZipFile(visitor.post("/alarms/selected/", {**chosen, "action": "zip"}).stream())
    assert len(archive.namelist()) == 3
    visitor.post("/alarms/selected/", {**chosen, "action": "missed a person"})
    assert visitor.get(f"/api/v1/alarms/{ids[0]}/").json()["mark"] == "missed a person"

    visitor.post("/alarms/selected/", {**chosen, "action": "delete"})

    assert "2 pictures deleted; the bin keeps them for a day." in visitor.get("/alarms/").text
    assert visitor.get(f"/alarms/{ids[0]}/").status == 404


def test_everything_in_a_filter_is_marked_as_reviewed(site: Site) -> None:
    """One click after a holiday."""
    site.visitor().post("/alarms/reviewed/", {"camera": "Driveway"})

    assert site.query("SELECT count(*) FROM camalert_alert WHERE camera = 'Driveway' AND reviewed_utc IS NULL") == [
        (0,)
    ]
    assert site.query("SELECT count(*) FROM camalert_alert WHERE camera = 'Garage' AND reviewed_utc IS NULL") != [(0,)]


@pytest.mark.parametrize(
    ("path", "body"),
    [("change", {"ids": [1]}), ("change", {"ids": "1", "reviewed": True}), ("change", {"ids": [True], "mark": None}),
     ("change", {"ids": [1], "mark": "x"}), ("change", {"ids": [1], "reviewed": 1}), ("delete", {}), ("delete", []),
     ("delete", {"ids": [1 << 70]}), ("delete", {"ids": [-1]}), ("delete", {"ids": []})],
)  # fmt: skip
def test_change_that_makes_no_sense_is_refused(site: Site, path: str, body: object) -> None:
    """A program that errs is told, and nothing is changed."""
    before = site.query("SELECT count(*), sum(reviewed_utc IS NULL) FROM camalert_alert")

    answer = site.visitor().send(f"/api/v1/alarms/{path}/", body)

    assert answer.status == 400
    assert "error" in answer.json()
    assert site.query("SELECT count(*), sum(reviewed_utc IS NULL) FROM camalert_alert") == before


def test_deletion_does_not_wait_for_ever_for_the_database(site: Site) -> None:
    """While another program holds the database, the answer says so."""
    visitor = site.visitor()
    holder = sqlite3.connect(site.folder / "alerts.sqlite3", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        answer = visitor.send("/api/v1/alarms/change/", {"ids": [1], "reviewed": True})
    finally:
        holder.execute("ROLLBACK")
        holder.close()

    assert answer.status == 503
    assert visitor.send("/api/v1/alarms/change/", {"ids": [1], "reviewed": True}).status == 200


# --- other pages ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/cameras/", "/cameras/set-up/", "/status/", "/account/",
                                  "/api/v1/cameras/"])  # fmt: skip
def test_page_is_there(site: Site, path: str) -> None:
    """Each page opens, also while the service itself does not run."""
    assert site.visitor().get(path).status == 200


def test_site_alone_says_that_the_service_does_not_run(site: Site) -> None:
    """Every open page asks for it now and then."""
    found = site.visitor().get("/alive/").json()

    assert found["health"] == "unknown"
    assert found["message"]


def test_invented_names_push_no_camera_off_the_pages(site: Site) -> None:
    """A stranger's thousand names are newer than the loft, which has mailed for months."""
    home = site.home()
    row = "INSERT INTO camalert_camera VALUES (?, ?, ?, 'alarm', ?, ?, 1, 0)"
    home.connection.execute(row, ("Loft", 1.0, 2.0, "192.168.1.20", 500))
    invented = [(f"invented {number}", 1.0, 3e9 + number, "192.168.1.66", 1) for number in range(1000)]
    home.connection.executemany(row, invented)
    try:
        assert "Loft" in site.visitor().get("/cameras/").text
        assert "Loft" in site.visitor().get("/alarms/").text
    finally:
        home.connection.execute("DELETE FROM camalert_camera WHERE name = 'Loft' OR name LIKE 'invented %'")
        home.close()


def test_cameras_page_shows_days_and_settings(site: Site) -> None:
    """Each camera that mailed is there, with what holds for it."""
    text = site.visitor().get("/cameras/").text

    for name in household.CAMERAS:
        assert name in text
    assert "<dt>Counts as a person from</dt><dd>50 % (default)</dd>" in text


def test_camera_without_a_name_has_a_heading_and_a_list_of_its_own(tmp_path: Path) -> None:
    """Its card leads to its alarms and to no others, and the filter offers it."""
    with running(tmp_path) as site:
        home = site.home()
        row, _ = home.add("", NOON, household.tiny()[0])
        home.connection.execute(
            "INSERT OR IGNORE INTO camalert_camera SELECT '', first_seen_utc, last_seen_utc, last_kind, last_peer,"
            " mails, alerts, detections FROM camalert_camera LIMIT 1"
        )
        home.close()
        text = site.visitor().get("/cameras/").text

        assert '<a href="/cameras/(unnamed)/">Unnamed camera</a>' in text
        assert site.visitor().get("/cameras/(unnamed)/").status == 200
        assert 'href="/alarms/?camera=%28unnamed%29">Its alarms</a>' in text
        shown = site.visitor().get("/alarms/?camera=%28unnamed%29").text
        assert set(shown_ids(shown)) == {row, site.rows.foreign}
        assert "<option selected>(unnamed)</option>" in shown
        assert "<option>(unnamed)</option>" in site.visitor().get("/alarms/").text


def test_token_lets_a_program_in(site: Site) -> None:
    """It is shown once, works without cookies and forms, and ends when it is removed."""
    visitor = site.visitor()
    visitor.post("/account/tokens/", {"name": "home automation", "scope": "review", "password": PASSWORD})
    text = visitor.get("/account/").text
    token = re.search(r'class="token">([^<]+)<', text)
    remove = re.search(r'action="(/account/tokens/\d+/remove/)"', text)
    assert token is not None
    assert remove is not None
    program = Visitor(site.port, headers={"Authorization": f"Bearer {token[1]}"})

    body = json.dumps({"ids": [site.rows.nobody], "reviewed": True}).encode()
    assert program.get("/api/v1/people/").status == 200
    assert program.ask("POST", "/api/v1/alarms/change/", body).json() == {"changed": 1}
    assert program.get(f"/alarms/{site.rows.nobody}/picture").headers["Content-Type"] == "image/jpeg"
    assert token[1] not in visitor.get("/account/").text

    visitor.post(remove[1], {})
    assert program.get("/api/v1/people/").status == 401


def test_clock_that_is_off_is_said_beside_the_time_it_gave(site: Site) -> None:
    """A picture sorted by a clock an hour behind says so; one that came a minute late does not."""
    home = site.home()
    late, _ = home.add("Porch", NOON, household.tiny()[3])
    punctual, _ = home.add("Porch", NOON, household.tiny()[3])
    home.connection.execute("UPDATE camalert_alert SET received_utc = taken_utc + 3300 WHERE alert_id = ?", (late,))
    home.connection.execute("UPDATE camalert_alert SET received_utc = taken_utc + 60 WHERE alert_id = ?", (punctual,))
    home.close()
    visitor = site.visitor()

    assert "55 minutes before it came" in visitor.get(f"/alarms/{late}/").text
    assert "before it came" not in visitor.get(f"/alarms/{punctual}/").text
