"""The review site's real process, asked as a browser would ask it."""

from __future__ import annotations

import json
import re
import sqlite3
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from testing import household
from testing.reviewrig import Visitor
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


@pytest.mark.parametrize(
    ("query", "condition"),
    [
        ("camera=Garage", "camera = 'Garage'"),
        ("day=2026-11-21", "timestamp LIKE '2026-11-21%'"),
        ("outcome=nobody", "outcome = 'nobody'"),
        ("outcome=pending", "alert_id IN (SELECT alert_id FROM camalert_pending)"),
        ("score=90", "best_score >= 0.9"),
        ("review=done", "reviewed_utc IS NOT NULL"),
        ("camera=Garage&review=new&score=50", "camera = 'Garage' AND reviewed_utc IS NULL AND best_score >= 0.5"),
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

    assert len(shown) == 40
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


def test_alarm_of_another_program_is_shown(site: Site) -> None:
    """A row without facts has a picture and a subject, and nothing breaks."""
    visitor = site.visitor()

    assert "by hand" in visitor.get(f"/alarms/{site.rows.foreign}/").text
    assert visitor.get(f"/alarms/{site.rows.foreign}/thumbnail").headers["Content-Type"] == "image/jpeg"


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


def test_deletion_takes_alarm_detection_and_small_pictures(site: Site) -> None:
    """Nothing of a deleted picture stays behind."""
    home = site.home()
    pairs = [home.add("Terrace", NOON, household.tiny()[3]) for _ in range(45)]
    home.close()
    visitor = site.visitor()
    alert, detection = pairs[0]
    assert visitor.get(f"/alarms/{alert}/thumbnail").status == 200

    answer = visitor.send("/api/v1/alarms/delete/", {"ids": [pair[0] for pair in pairs]})

    assert answer.json() == {"deleted": 45}
    assert visitor.get(f"/alarms/{alert}/").status == 404
    assert visitor.get(f"/people/{detection}/picture").status == 404
    assert visitor.get(f"/alarms/{alert}/thumbnail").status == 404
    ids = ",".join(str(pair[1]) for pair in pairs)
    assert site.query(f"SELECT count(*) FROM alerts_detect WHERE id IN ({ids})") == [(0,)]
    cache = sqlite3.connect(site.folder / "review" / "thumbnails.sqlite3")
    assert cache.execute("SELECT count(*) FROM thumbnail WHERE album = 'alarms' AND id = ?", (alert,)).fetchone() == (
        0,
    )
    cache.close()


def test_small_picture_of_a_row_that_is_gone_is_forgotten(tmp_path: Path) -> None:
    """The service's limits and other programs delete rows without telling the site."""
    with running(tmp_path) as site:
        row = site.rows.nobody
        assert site.visitor().get(f"/alarms/{row}/thumbnail").status == 200
        assert site.visitor().get(f"/alarms/{site.rows.foreign}/thumbnail").status == 200
        home = site.home()
        home.connection.execute("DELETE FROM alerts_alert WHERE id = ?", (row,))
        home.close()

        def kept() -> list[int]:
            cache = sqlite3.connect(tmp_path / "review" / "thumbnails.sqlite3", timeout=10)
            try:
                return [found[0] for found in cache.execute("SELECT id FROM thumbnail")]
            finally:
                cache.close()

        until(lambda: kept() == [site.rows.foreign], lambda: f"small pictures of {kept()} are kept")


def test_form_works_without_a_script(site: Site) -> None:
    """Mark, download, and delete after a page that asks."""
    home = site.home()
    ids = [home.add("Terrace", NOON, household.tiny()[4])[0] for _ in range(2)]
    home.close()
    visitor = site.visitor()
    chosen = {"id": ",".join(map(str, ids)), "query": "camera=Terrace"}

    assert visitor.post("/alarms/selected/", {**chosen, "action": "reviewed"}).headers["Location"] == (
        "/alarms/?camera=Terrace"
    )
    archive = zipfile.ZipFile(visitor.post("/alarms/selected/", {**chosen, "action": "zip"}).stream())
    asked = visitor.post("/alarms/selected/", {**chosen, "action": "delete"})
    assert len(archive.namelist()) == 3
    assert "Delete 2 pictures?" in asked.text
    assert visitor.get(f"/alarms/{ids[0]}/").status == 200

    visitor.post("/alarms/selected/", {**chosen, "action": "delete", "sure": "yes"})

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


@pytest.mark.parametrize("path", ["/cameras/", "/test/", "/status/", "/account/", "/admin/", "/admin/alerts/alert/",
                                  "/admin/alerts/detect/", "/api/v1/cameras/"])  # fmt: skip
def test_page_is_there(site: Site, path: str) -> None:
    """Each page opens, also while the service itself does not run."""
    assert site.visitor().get(path).status == 200


def test_admin_deletes_but_adds_nothing(site: Site) -> None:
    """The two tables as in the original site; alarms come from mails alone."""
    home = site.home()
    alert, _ = home.add("Terrace", NOON, household.tiny()[5])
    home.close()
    visitor = site.visitor()

    assert visitor.get("/admin/alerts/alert/add/").status == 403
    page = f"/admin/alerts/alert/{alert}/delete/"
    assert visitor.post(page, {"post": "yes"}, page=page).status == 302
    assert site.query("SELECT count(*) FROM camalert_alert WHERE alert_id = ?", alert) == [(0,)]


def test_cameras_page_shows_days_and_settings(site: Site) -> None:
    """Each camera that mailed is there, with what holds for it."""
    text = site.visitor().get("/cameras/").text

    for name in household.CAMERAS:
        assert name in text
    assert "Counts as a person from" in text


def test_token_lets_a_program_in(site: Site) -> None:
    """It is shown once, works without cookies and forms, and ends when it is removed."""
    visitor = site.visitor()
    visitor.post("/account/tokens/", {"name": "home automation"})
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
