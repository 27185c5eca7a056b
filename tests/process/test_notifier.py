"""The notifier process: what is due is sent, each result is reported, and nothing is lost or told twice for nothing."""

from __future__ import annotations

import base64
import json
import time
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from testing import receivers
from testing.outboxrig import OutboxRig, start_notifier, visit
from testing.pictures import person_jpeg
from testing.receivers import HttpReceiver, Listener
from testing.storerig import Rig
from testing.waiting import until

from camalert.config.schema import Config, Notify, Service
from camalert.decoding.headers import read_header
from camalert.ipc.messages import Outbox, Ping, Pong, Stop, Switch, Told
from camalert.ipc.records import NoteRecord, SwitchRecord
from camalert.notify.message import MOST_LISTED
from camalert.supervisor.reporter import Reporter
from camalert.visits.policy import Event


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with receivers.http_receiver() as found:
        yield found


def bodies(receiver: HttpReceiver) -> list[dict[str, object]]:
    return [json.loads(request.body) for request in receiver.requests]


def test_visit_is_sent_with_its_marked_picture_and_reported_once(tmp_path: Path, receiver: HttpReceiver) -> None:
    """The picture is the one with the boxes; pings are answered meanwhile."""
    rig = OutboxRig(tmp_path, Notify("phone", url=receiver.url()))
    rig.db.execute("INSERT INTO alerts_alert (id, subject, timestamp, snapshot) VALUES (5, '', '', x'00')")
    rig.db.execute(
        "INSERT INTO alerts_detect (id, subject, timestamp, snapshot) VALUES (9, '', '', ?)", (person_jpeg(),)
    )
    rig.db.execute("UPDATE camalert_alert SET detect_id = 9 WHERE alert_id = 5")
    with rig.running():
        rig.happens(visit(1, alert=5))
        until(lambda: rig.states() == ["sent"], "the row to be sent")
        assert rig.process is not None
        rig.process.channel.send(Ping(3))
        until(lambda: Pong(3) in rig.heard(Pong), "the pong")

    [body] = bodies(receiver)
    assert body["type"] == "camalert.visit"
    assert base64.b64decode(body["data"]["picture"]["base64"]) == person_jpeg()  # type: ignore[index]
    assert [told.code for told in rig.told] == ["sent"]


def test_result_is_reported_until_it_is_written_and_nothing_is_sent_again(
    tmp_path: Path, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer may die between the two; it costs no second message."""
    rig = OutboxRig(tmp_path, Notify("phone", url=receiver.url()))
    rig.writes = False
    with rig.running():
        rig.happens(visit(1))
        until(lambda: (rig.turn(), rig.told)[1], "the first report")
        rig.happens()
        until(lambda: (rig.turn(), len(rig.told) >= 2)[1], "the report once more", 30)
        rig.writes = True
        until(lambda: rig.states() == ["sent"], "the row to be sent", 30)

    assert len(receiver.requests) == 1


def test_slow_target_delays_no_other(tmp_path: Path, receiver: HttpReceiver) -> None:
    """One hangs, the other has everything at once."""
    with receivers.http_receiver() as slow:
        slow.answers = ["hang"]
        rig = OutboxRig(tmp_path, Notify("slow", url=slow.url()), Notify("fast", url=receiver.url()))
        with rig.running():
            rig.happens(visit(1))
            until(lambda: slow.requests, "the slow one to be asked")
            began_at = time.monotonic()
            for number in range(2, 6):
                rig.happens(visit(number))
            until(lambda: (rig.turn(), len(receiver.requests) == 5)[1], "all five at the fast one")
            assert time.monotonic() - began_at < 8
            assert len(slow.requests) == 1
            slow.is_over.set()


def test_outage_of_hours_ends_in_one_message(tmp_path: Path, receiver: HttpReceiver) -> None:
    """Three hundred visits, one message that says so; what comes now is a message of its own."""
    rig = OutboxRig(tmp_path, Notify("phone", url=receiver.url(), picture=False))
    for number in range(300):
        rig.happens(visit(number + 1, ago_s=7200 - number), ago_s=7200 - number)
    with rig.running():
        until(lambda: set(rig.states()) == {"sent"}, "all to be sent")
        rig.happens(visit(999))
        until(lambda: (rig.turn(), len(receiver.requests) == 2)[1], "the new one")

    summary, new = bodies(receiver)
    assert summary["type"] == "camalert.summary"
    assert summary["data"]["count"] == 300  # type: ignore[index]
    assert len(summary["data"]["messages"]) == MOST_LISTED  # type: ignore[index]
    assert new["type"] == "camalert.visit"


def test_digest_is_one_message_with_a_sheet_of_the_best_pictures(tmp_path: Path, receiver: HttpReceiver) -> None:
    """It goes beside what is late, and what is in it is read when it goes."""
    now_utc = time.time()
    rig = OutboxRig(tmp_path, Notify("phone", url=receiver.url(), events=("visit", "digest")))
    for number in (1, 2, 3):
        rig.db.execute(
            "INSERT INTO alerts_alert (id, subject, timestamp, snapshot) VALUES (?, '', '', x'00')", (number,)
        )
        rig.db.execute(
            "INSERT INTO alerts_detect (id, subject, timestamp, snapshot) VALUES (?, '', '', ?)",
            (number, person_jpeg()),
        )
        rig.db.execute("UPDATE camalert_alert SET detect_id = ?1 WHERE alert_id = ?1", (number,))
        rig.db.execute(
            "INSERT INTO camalert_visit (id, camera, known_as, began_utc, last_utc, heard_utc, pictures, people,"
            " best_alert, best_score, state) VALUES (?, 'Garage', 'garage', ?2, ?2, ?2, 1, 1, ?1, 0.9, 'over')",
            (number, now_utc - 3600 * number),
        )
        rig.happens(visit(number, 3600.0 * number), ago_s=3600.0 * number)
    rig.happens(Event("digest", at_utc=now_utc, since_utc=now_utc - 86_400))
    with rig.running():
        until(lambda: set(rig.states()) == {"sent"}, "all to be sent")

    summary, digest = (body["data"] for body in bodies(receiver))
    assert (summary["event"], digest["event"]) == ("summary", "digest")  # type: ignore[index]
    assert digest["visits"] == 3  # type: ignore[index]
    header = read_header(base64.b64decode(digest["picture"]["base64"]))  # type: ignore[index]
    assert (header.width_px, header.height_px) == (1280, round(724 * 1280 / 1284))


def test_receiver_that_asks_to_wait_is_left_alone_and_what_is_given_up_is_told_later(
    tmp_path: Path, receiver: HttpReceiver
) -> None:
    """A 429 with an hour: no second request, also not for the next visit. Once it works, the loss is told."""
    receiver.answers = [(429, {"Retry-After": "3600"})]
    rig = OutboxRig(tmp_path, Notify("phone", url=receiver.url(), give_up_hours=0.5))
    with rig.running():
        rig.happens(visit(1))
        until(lambda: rig.states() == ["given_up"], "to give up: half an hour is less than it asks for")
        rig.happens(visit(2))
        for _ in range(20):
            rig.turn()
        assert len(receiver.requests) == 1
        assert rig.states() == ["given_up", "waiting"]
        rig.end()
        receiver.answers = [(200, {})]
        rig.start()
        until(lambda: rig.states() == ["given_up", "sent"], "the second one")

    text = bodies(receiver)[-1]["data"]["text"]  # type: ignore[index]
    assert "1 message between" in text
    assert "could not be delivered" in text


def test_kill_loses_nothing_and_repeats_at_most_what_was_on_its_way(tmp_path: Path, receiver: HttpReceiver) -> None:
    """And the repeat has the same id."""
    receiver.answers = ["hang"]
    rig = OutboxRig(tmp_path, Notify("phone", url=receiver.url()))
    with rig.running():
        rig.happens(visit(1), visit(2))
        until(lambda: (rig.turn(), receiver.requests)[1], "the first to be on its way")
        rig.kill()
        receiver.answers = [(200, {})]
        rig.start()
        until(lambda: rig.states() == ["sent", "sent"], "both to be sent")

    ids = [request.headers["webhook-id"] for request in receiver.requests]
    assert len(ids) == 3
    assert ids[0] == ids[1] != ids[2]


def test_target_that_cannot_be_used_costs_the_others_nothing_and_no_secret_is_logged(
    tmp_path: Path, receiver: HttpReceiver, capfd: pytest.CaptureFixture[str]
) -> None:
    """The log names the target and why."""
    receiver.answers = [(500, {})]
    wrong = Notify("wrong", url_file=str(tmp_path / "none"))
    right = Notify("right", url=f"webhook+http://anna:verysecret@127.0.0.1:{receiver.port}/token-secret")
    rig = OutboxRig(tmp_path, wrong, right)
    with rig.running():
        rig.happens(Event("visit", "Garage", time.time(), 1))
        until(lambda: (rig.turn(), len(rig.told) >= 1)[1], "a report")

    log = capfd.readouterr().err
    assert "target_unusable" in log
    assert "HTTP 500" in log
    assert "secret" not in log
    assert "secret" not in rig.told[0].reason


def test_silent_cameras_and_trouble_are_told_from_the_supervisor_on(tmp_path: Path, receiver: HttpReceiver) -> None:
    """Supervisor, writer, notifier, receiver; disarmed as all is: this is not about people."""
    target = Notify("phone", url=receiver.url(), events=("silent", "back", "trouble", "well"))
    writer = Rig(tmp_path, config=Config(service=Service(run_dir=str(tmp_path)), notify=(target,)))
    reporter = Reporter(writer.config, 0, 0)
    lifecycle = types.SimpleNamespace(shown_state="running", reason="", children={})
    dispatch = types.SimpleNamespace(problem="no engine can be loaded", in_flight=0)
    notifier = start_notifier(writer.config)

    def are_received(count: int) -> bool:
        """Carry messages between the three, until the receiver has so many."""
        while told := notifier.channel.receive():
            if isinstance(told, Told):
                writer.turn(told)
        writer.turn(*reporter.take_happened())
        for message in writer.take(Outbox):
            notifier.channel.send(message)
        return len(receiver.requests) >= count

    try:
        writer.turn(Switch(SwitchRecord("armed", "", "off").encode()))
        days_ago_utc = time.time() - 5 * 86_400
        known = NoteRecord("camera_known", camera="Garage", peer="10.0.0.5", mails=9, seen_utc=days_ago_utc)
        reporter.note("writer", known.encode())
        reporter.turn(lifecycle, dispatch, {}, "", time.monotonic())  # type: ignore[arg-type]
        until(lambda: are_received(2), "both faults")

        dispatch.problem = ""
        reporter.note("smtp", NoteRecord("mail_stored", camera="Garage", peer="10.0.0.5", pictures=1).encode())
        reporter.turn(lifecycle, dispatch, {}, "opencv", time.monotonic() + 3)  # type: ignore[arg-type]
        until(lambda: are_received(4), "their ends")
    finally:
        notifier.channel.send(Stop())
        notifier.reap()
        writer.close()

    facts: list[Any] = [body["data"] for body in bodies(receiver)]
    assert [(fact["event"], fact["camera"], fact["text"].partition("\n")[2]) for fact in facts] == [
        ("trouble", "", "Pictures cannot be examined: no engine can be loaded"),
        ("silent", "Garage", "It sent nothing for 5.0 days: look at its power and network."),
        ("well", "", "Pictures can be examined again."),
        ("back", "Garage", "It was silent for 5.0 days."),
    ]  # fmt: skip


def test_library_that_cannot_be_loaded_costs_its_own_target_only(
    tmp_path: Path, receiver: HttpReceiver, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """An upgrade went wrong: the others are served, and what waits for this one has its reason."""
    package = tmp_path / "packages" / "paho"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('not the paho that we know')", encoding="utf-8")
    monkeypatch.syspath_prepend(str(package.parent))
    rig = OutboxRig(tmp_path, Notify("house", url="mqtt://127.0.0.1:1/home"), Notify("phone", url=receiver.url()))
    with rig.running():
        rig.happens(visit(1))
        until(lambda: (rig.states(), len(rig.told) == 2)[1], "both reports")

    assert {told.code for told in rig.told} == {"sent", "retry"}
    assert "target_unusable" in capfd.readouterr().err


def test_command_by_mqtt_goes_to_the_writer_and_the_state_follows_the_table(tmp_path: Path) -> None:
    """Disarmed in Home Assistant: the switch shows it once the writer has it."""
    pytest.importorskip("paho", reason="the notify extra is not installed")
    with receivers.broker(tmp_path) as broker:
        rig = OutboxRig(tmp_path, Notify("house", url=broker.url()))
        listener = Listener(broker)
        with rig.running():
            until(lambda: listener.last("home/state"), "the service's state")
            listener.say("home/arm/set", "OFF")
            [command] = until(lambda: rig.heard(Switch), "the command")
            assert SwitchRecord.decode(command.text) == SwitchRecord("armed", "", "off", by="MQTT")
            rig.db.execute("INSERT INTO camalert_switch VALUES ('armed', '', 'off', NULL, 'MQTT', NULL, NULL)")
            rig.happens()
            until(lambda: json.loads(listener.last("home/state") or b"{}").get("armed") == "OFF", "the state")
        listener.close()
