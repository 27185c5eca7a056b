"""Known objects on the review site's real process: a mark teaches one, the page shows it, and it can be forgotten."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from testing.reviewsite import Site, running

from camalert.config.schema import Learn
from camalert.detection import known
from camalert.store.rows import learned

pytest.importorskip("django", reason="the review extra is not installed")

LOOK = bytes(range(known.LOOK_BYTES))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("known")) as found:
        yield found


def teachable(site: Site) -> int:
    """Give a picture with a person the look that its detector would have left; return its id."""
    [(alert_id,)] = site.query(
        "SELECT alert_id FROM camalert_alert WHERE outcome = 'person' AND camera = 'Garage' AND mark IS NULL LIMIT 1"
    )
    person = {"x": 10, "y": 20, "width": 30, "height": 60, "score": 0.8, "look": known.written(LOOK)}
    home = site.home()
    home.connection.execute(
        "UPDATE camalert_alert SET people = ?, width_px = 100, height_px = 100 WHERE alert_id = ?",
        (json.dumps([person]), alert_id),
    )
    home.close()
    assert isinstance(alert_id, int)
    return alert_id


def test_mark_makes_an_object_known_and_forget_undoes_it(site: Site) -> None:
    """The page shows where it is and who said so; the next picture would have had it with it."""
    visitor, alert_id = site.visitor(), teachable(site)
    assert "Nothing: everybody who is found counts." in visitor.get("/cameras/known/").text

    visitor.send("/api/v1/alarms/change/", {"ids": [alert_id], "mark": "not a person"})
    home = site.home()
    [one] = known.unpacked(learned.memory(home.connection, "garage", Learn()).known)
    home.close()
    assert (one.kind, one.look) == (known.Kind.MARKED, LOOK)
    text = visitor.get("/cameras/known/?camera=Garage").text
    assert f"known object {one.id}" in text
    assert "Marked as not a person by" in text
    assert '<rect x="10.0" y="20.0" width="30.0" height="60.0"' in text
    assert f"known object {one.id}" in visitor.get("/cameras/Garage/").text
    [row] = visitor.get("/api/v1/known/?camera=garage").json()["known"]
    assert (row["kind"], row["box_percent"], row["alert_id"]) == ("marked", [10.0, 20.0, 30.0, 60.0], alert_id)
    assert visitor.get("/api/v1/known/?camera=door").json() == {"known": []}
    assert visitor.thumbnail(row["picture"]).status == 200

    answer = visitor.post(f"/cameras/known/{one.id}/forget/", {"camera": "Garage"}, page="/cameras/known/")
    assert answer.status == 302
    assert "counts as a person again" in visitor.get("/cameras/known/").text
    assert visitor.send(f"/api/v1/known/{one.id}/forget/", {}).status == 404


def test_mark_taken_back_forgets_what_it_taught(site: Site) -> None:
    """An undo is a whole one."""
    visitor, alert_id = site.visitor(), teachable(site)

    visitor.send("/api/v1/alarms/change/", {"ids": [alert_id], "mark": "not a person"})
    assert len(visitor.get("/api/v1/known/").json()["known"]) == 1
    visitor.send("/api/v1/alarms/change/", {"ids": [alert_id], "mark": None})
    assert visitor.get("/api/v1/known/").json() == {"known": []}


def test_marks_propose_a_threshold_and_say_what_it_would_have_changed(site: Site) -> None:
    """On the page and in the interface; without marks there is nothing to propose."""
    visitor = site.visitor()
    assert visitor.get("/api/v1/cameras/threshold/?camera=Terrace").json() == {"proposal": None}
    home = site.home()
    home.connection.execute(
        "UPDATE camalert_alert SET reviewed_utc = 1, best_score = CASE WHEN alert_id % 2 THEN 0.55 ELSE 0.9 END,"
        " mark = CASE WHEN alert_id % 2 THEN 'not a person' END, outcome = 'person' WHERE camera = 'Garage'"
    )
    home.close()

    proposal = visitor.get("/api/v1/cameras/threshold/?camera=Garage").json()["proposal"]

    assert proposal["threshold"] == 0.56
    assert proposal["spared"] > 0
    assert proposal["lost"] == proposal["found"] == proposal["added"] == 0
    shown = re.search(r"<dt>Garage</dt><dd>([^<]+)</dd>", visitor.get("/cameras/known/").text)
    assert shown is not None
    assert shown[1] == proposal["message"]
    page = visitor.get("/cameras/Garage/").text
    assert proposal["message"] in page
    assert 'href="?threshold=0.56"' in page
