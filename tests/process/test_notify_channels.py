"""Each channel against a real receiver: HTTP, a mail server with TLS and a login, a broker, and Apprise's own ways."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from testing import receivers
from testing.pictures import person_jpeg
from testing.receivers import HttpReceiver, Listener
from testing.waiting import until

from camalert.config.schema import Notify
from camalert.errors import ConfigError
from camalert.ipc.records import SwitchRecord
from camalert.notify import channel, links, webhook
from camalert.notify.channel import Answer, Opened, open_channel
from camalert.notify.homeassistant import CameraState, ServiceState
from camalert.notify.message import Message, Row, compose
from camalert.notify.mqtt import Mqtt

NOW = 1_782_900_000.0
ROW = Row(1, "5f0e", "visit", "Garage", NOW, NOW, visit=7, alert=70, score=0.83, pictures=1, people=1, began_utc=NOW,
          last_utc=NOW, boxes=({"x": 1, "y": 2, "width": 3, "height": 4, "score": 0.83},))  # fmt: skip
APPRISE_WARNS = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of modules that it loads
SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    """An HTTP receiver that says 200."""
    with receivers.http_receiver() as found:
        yield found


def message(row: Row = ROW, jpeg: bytes = b"") -> Message:
    made = compose([row], None, NOW, None)
    return Message(made.id, made.kind, made.camera, made.title, made.text, made.at_utc, made.priority, made.facts, jpeg)


def opened(url: str, **settings: Any) -> Opened:
    return open_channel(Notify("phone", url=url, **settings))


def sent(url: str, jpeg: bytes = b"", **settings: Any) -> Answer:
    found = opened(url, **settings)
    try:
        return found.send(message(jpeg=jpeg))
    finally:
        found.channel.close()


# --- webhook ----------------------------------------------------------------------------------------------------------


def test_webhook_gets_facts_and_picture_with_a_signature_that_is_right(receiver: HttpReceiver) -> None:
    """A receiver that knows the secret checks id, time and body, by the standard's own words."""
    assert sent(receiver.url(), b"\xff\xd8picture", secret=SECRET) == Answer("sent")

    [request] = receiver.requests
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    right = base64.b64encode(hmac.new(b"k" * 32, signed, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-signature"] == f"v1,{right}"
    assert abs(int(request.headers["webhook-timestamp"]) - time.time()) < 60
    body = json.loads(request.body)
    assert body["type"] == "camalert.visit"
    assert body["data"]["camera"] == "Garage"
    assert body["data"]["boxes"][0]["score"] == 0.83
    assert base64.b64decode(body["data"]["picture"]["base64"]) == b"\xff\xd8picture"
    assert request.headers["webhook-id"] == body["data"]["id"] == "5f0e"


@pytest.mark.parametrize(
    ("answer", "words", "expected"),
    [
        ((204, {}), "", ("sent", 0)),
        ((429, {"Retry-After": "120"}), "HTTP 429 Too Many Requests", ("retry", 120)),
        ((503, {"Retry-After": "soon"}), "HTTP 503", ("retry", 0)),
        ((500, {}), "HTTP 500", ("retry", 0)),
        ((401, {}), "HTTP 401", ("retry", 0)),
        ((410, {}), "wants no messages any more", ("given_up", 0)),
        ((302, {"Location": "http://192.0.2.1/"}), "redirects are refused", ("retry", 0)),
        ((307, {"Location": "http://192.0.2.1/"}), "redirects are refused", ("retry", 0)),
    ],
)
def test_webhook_obeys_what_the_receiver_answers(
    receiver: HttpReceiver, answer: tuple[int, dict[str, str]], words: str, expected: tuple[str, float]
) -> None:
    """And never goes where a redirect points."""
    receiver.answers = [answer]

    found = sent(receiver.url())

    assert (found.code, found.retry_after_s) == expected
    assert words in found.reason
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("fault", ["hang", "close", "drip"])
def test_webhook_that_does_not_answer_costs_a_bounded_time(
    receiver: HttpReceiver, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that hangs, one that hangs up, and one that sends a byte now and then."""
    monkeypatch.setattr(webhook, "CONNECT_S", 0.6)
    monkeypatch.setattr(webhook, "SEND_S", 1.0)
    receiver.answers = [fault]
    began_at = time.monotonic()

    answer = sent(receiver.url())

    assert answer.code == "retry"
    assert answer.reason
    assert time.monotonic() - began_at < 10


def test_error_shows_no_secret() -> None:
    """Neither a password, nor a path with a token."""
    with receivers.silent_port() as port:
        pass

    answer = sent(f"webhook+http://anna:verysecret@127.0.0.1:{port}/token-secret?x=alsosecret")

    assert answer.code == "retry"
    assert answer.reason == "the connection was refused"


def test_retry_after_is_seconds_or_a_date() -> None:
    """Source: RFC 9110, 10.2.3."""
    assert channel.retry_after_s("7", NOW) == 7
    assert channel.retry_after_s("Wed, 01 Jul 2026 10:01:00 GMT", 1_782_900_000.0) == 60
    assert channel.retry_after_s("Wed, 01 Jul 2020 10:01:00 GMT", NOW) == 0
    assert channel.retry_after_s("9" * 5000, NOW) == 1e9
    assert channel.retry_after_s("-3", NOW) == 0


# --- mail -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_implicit", [False, True])
def test_mail_relay_logs_in_over_tls_and_sends_the_picture(tmp_path: Path, is_implicit: bool) -> None:
    """With the message's own id, and marked as one of ours."""
    with receivers.mail_receiver(tmp_path, is_implicit=is_implicit) as (receiver, authority):
        url = (
            f"smtp{'s' * is_implicit}://anna:right@localhost:{receiver.port}"
            f"/?to=me@example.org,you@example.org&from=cam@example.org&ca={authority}"
        )

        assert sent(url, b"\xff\xd8picture\xff\xd9") == Answer("sent")

        [mail] = receiver.mails
        assert receiver.logins == [(b"anna", b"right")]
        assert mail["To"] == "me@example.org, you@example.org"
        assert mail["Message-ID"] == "<5f0e@camalert.invalid>"
        assert mail["X-Camalert"] == "visit"
        assert mail["Auto-Submitted"] == "auto-generated"
        assert mail["Subject"] == "Somebody at Garage"
        [picture] = [part for part in mail.walk() if part.get_content_type() == "image/jpeg"]
        assert picture.get_payload(decode=True) == b"\xff\xd8picture\xff\xd9"

        refused = sent(url.replace("right", "wrong"))
        assert refused.code == "retry"
        assert "the login was refused: 535" in refused.reason
        assert "wrong" not in refused.reason


def test_mail_that_is_refused_for_good_is_given_up_and_others_are_tried_again(tmp_path: Path) -> None:
    """And a server whose certificate is not trusted gets no password."""
    with receivers.mail_receiver(tmp_path) as (receiver, authority):
        url = f"smtp://anna:right@localhost:{receiver.port}/?to=me@example.org&from=cam@example.org"
        trusted = f"{url}&ca={authority}"

        receiver.reply = "451 greylisted"
        assert sent(trusted) == Answer("retry", "the mail was refused: 451 greylisted")
        receiver.reply = "554 no"
        assert sent(trusted).code == "given_up"
        receiver.recipient_reply = "550 nobody here"
        assert sent(trusted) == Answer("given_up", "the recipient was refused: 550 nobody here")
        receiver.logins.clear()
        answer = sent(url)
        assert answer.code == "retry"
        assert "its certificate is not accepted" in answer.reason
        assert receiver.logins == []


# --- Apprise ----------------------------------------------------------------------------------------------------------


@APPRISE_WARNS
def test_apprise_sends_text_and_picture_and_its_errors_show_no_token(receiver: HttpReceiver) -> None:
    """By its `json://` and `ntfy://`, to a receiver of ours."""
    pytest.importorskip("apprise", reason="the notify extra is not installed")
    jpeg = person_jpeg()

    assert sent(receiver.url("json"), jpeg) == Answer("sent")
    [request] = receiver.requests
    body = json.loads(request.body)
    assert body["title"] == "Somebody at Garage"
    assert base64.b64decode(body["attachments"][0]["base64"]) == jpeg
    receiver.requests.clear()
    assert sent(receiver.url("ntfy", "/topic-secret"), jpeg, priority="urgent") == Answer("sent")
    assert receiver.requests[-1].body == jpeg
    receiver.answers = [(500, {})]
    answer = sent(f"json://anna:verysecret@127.0.0.1:{receiver.port}/token-secret")
    assert answer.code == "retry"
    assert "500" in answer.reason
    assert "secret" not in answer.reason


@APPRISE_WARNS
def test_ntfy_has_buttons_that_post_and_others_have_the_links_in_the_text(receiver: HttpReceiver) -> None:
    """With and without a picture; as the server of ntfy gets it."""
    pytest.importorskip("apprise", reason="the notify extra is not installed")
    made = message().linked(links.of([ROW], ("open", "snooze"), "http://192.168.1.5:8025/", b"k" * 48, NOW))
    snooze = made.links[1].url

    for jpeg in (b"", person_jpeg()):
        receiver.requests.clear()
        assert opened(receiver.url("ntfy", "/topic")).send(replace(made, picture=jpeg)) == Answer("sent")
        headers = receiver.requests[0].headers
        assert headers["x-click"] == "http://192.168.1.5:8025/alarms/70/"
        assert headers["x-actions"] == f"http, Snooze for an hour, {snooze}, method=POST, clear=true"
        assert snooze not in receiver.requests[0].body.decode("latin-1")
    receiver.requests.clear()
    assert opened(receiver.url("json")).send(made) == Answer("sent")
    assert f"Snooze for an hour: {snooze}" in json.loads(receiver.requests[0].body)["message"]


@APPRISE_WARNS
def test_error_of_one_service_shows_nothing_of_another_that_fails_meanwhile(receiver: HttpReceiver) -> None:
    """Apprise has one log for all; the other's URL is a secret that this target does not know of."""
    pytest.importorskip("apprise", reason="the notify extra is not installed")
    receiver.answers = ["hang"]
    with receivers.silent_port() as closed:
        pass
    slow = opened(f"json://127.0.0.1:{receiver.port}/token-of-slow?rto=5")
    answers: list[Answer] = []
    thread = threading.Thread(target=lambda: answers.append(slow.send(message())))
    thread.start()
    until(lambda: receiver.requests, "the slow one to be asked")

    quick = sent(f"json://127.0.0.1:{closed}/token-of-quick")
    receiver.is_over.set()
    thread.join()

    assert quick.reason
    assert "slow" not in quick.reason
    assert answers[0].reason
    assert "quick" not in answers[0].reason


@APPRISE_WARNS
def test_apprise_follows_no_redirect(receiver: HttpReceiver) -> None:
    """The token in a URL is for its own service only."""
    pytest.importorskip("apprise", reason="the notify extra is not installed")
    with receivers.http_receiver() as other:
        receiver.answers = [(307, {"Location": f"http://127.0.0.1:{other.port}/"})]

        assert sent(receiver.url("json")).code == "retry"

        assert other.requests == []


# --- MQTT -------------------------------------------------------------------------------------------------------------


def test_mqtt_event_and_picture_arrive(tmp_path: Path) -> None:
    """The event is not retained, the picture is."""
    pytest.importorskip("paho", reason="the notify extra is not installed")
    with receivers.broker(tmp_path) as broker:
        listener = Listener(broker)

        assert sent(broker.url(), b"\xff\xd8picture") == Answer("sent")

        event = json.loads(until(lambda: listener.last("home/cameras/garage/event"), "the event"))
        assert (event["event_type"], event["visit"], event["id"]) == ("visit", 7, "5f0e")
        assert listener.last("home/cameras/garage/picture") == b"\xff\xd8picture"
        listener.close()
        assert until(lambda: _retained(broker), "what is retained") >= {"home/cameras/garage/picture"}
        assert "home/cameras/garage/event" not in _retained(broker)


def _retained(broker: receivers.Broker) -> set[str]:
    listener = Listener(broker)
    until(lambda: listener.heard, "something retained", 10)
    time.sleep(0.2)
    listener.close()
    return {topic for topic, payload, is_retained in listener.heard if is_retained and payload}


@pytest.mark.filterwarnings("ignore:unclosed <ssl:ResourceWarning")  # paho leaves a refused handshake to the collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_mqtt_over_tls_with_a_login(tmp_path: Path) -> None:
    """A wrong password is told in words; an unknown authority gets none."""
    pytest.importorskip("paho", reason="the notify extra is not installed")
    with receivers.broker(tmp_path, is_encrypted=True) as broker:
        assert sent(broker.url(login="anna:right@")) == Answer("sent")
        assert sent(broker.url(login="anna:right@") + "&version=3.1.1") == Answer("sent")
        refused = sent(broker.url(login="anna:verywrong@"))
        assert refused.code == "retry"
        assert "Not authorized" in refused.reason
        stranger = sent(broker.url(login="anna:right@").partition("?")[0])
        assert "its certificate is not accepted" in stranger.reason


def test_mqtt_shows_the_house_to_home_assistant_and_takes_its_commands(tmp_path: Path) -> None:
    """Discovery and states are retained, come again when Home Assistant starts, and go with their camera."""
    pytest.importorskip("paho", reason="the notify extra is not installed")
    with receivers.broker(tmp_path) as broker:
        listener = Listener(broker)
        garage, door = CameraState("Garage", is_person=True, score=0.83, last_seen_utc=NOW), CameraState("Front door")
        commands: list[SwitchRecord] = []
        client = opened(broker.url()).channel
        assert isinstance(client, Mqtt)

        client.attend(commands.append)
        client.show(ServiceState("running", 3), [garage, door])

        config = "homeassistant/device/camalert_home_garage/config"
        device = json.loads(until(lambda: listener.last(config), "the garage's device"))
        assert device["dev"]["name"] == "Garage"
        assert device["cmps"]["person"]["p"] == "binary_sensor"
        state = json.loads(until(lambda: listener.last("home/cameras/garage/state"), "the garage's state"))
        assert (state["person"], state["score"]) == ("ON", 0.83)
        assert until(lambda: listener.last("home/status"), "the status") == b"online"

        listener.heard.clear()
        listener.say("homeassistant/status", "online")
        until(lambda: listener.last(config), "the device once more")

        listener.say("home/cameras/garage/arm/set", "OFF")
        listener.say("home/snooze/set", "60")
        listener.say("home/presence/set", "home")
        listener.say("home/cameras/nobody/arm/set", "OFF")
        listener.say("home/arm/set", "OFF", retain=True)  # live it counts, retained it would come with each connection
        until(lambda: len(commands) >= 4, "the commands")
        assert commands[0] == SwitchRecord("armed", "Garage", "off", by="MQTT")
        assert [(one.kind, one.camera, one.value) for one in commands[1:]] == [
            ("snooze", "", ""), ("presence", "", "home"), ("armed", "", "off"),
        ]  # fmt: skip

        assert client.send(message(jpeg=b"\xff\xd8picture")).code == "sent"
        client.show(ServiceState("running", 3), [door])
        until(lambda: listener.last(config) == b"", "the garage's device to be removed")
        for what in ("state", "picture"):
            until(lambda what=what: listener.last(f"home/cameras/garage/{what}") == b"", f"its {what} to be removed")  # type: ignore[misc]
        client.close()
        assert until(lambda: listener.last("home/status") == b"offline", "the last word")
        listener.close()


def test_mqtt_device_of_a_camera_that_went_while_nobody_looked_is_removed(tmp_path: Path) -> None:
    """And a device of another program stays."""
    pytest.importorskip("paho", reason="the notify extra is not installed")
    with receivers.broker(tmp_path) as broker:
        earlier = opened(broker.url()).channel
        assert isinstance(earlier, Mqtt)
        listener = Listener(broker)
        earlier.attend(lambda _: None)
        earlier.show(ServiceState(), [CameraState("Shed")])
        shed = "homeassistant/device/camalert_home_shed/config"
        until(lambda: listener.last(shed), "the shed's device")
        earlier.close()
        listener.say("homeassistant/device/camalert_home_other/config", '{"o": {"name": "another"}}', retain=True)

        later = opened(broker.url()).channel
        assert isinstance(later, Mqtt)
        later.show(ServiceState(), [CameraState("Garage")])
        later.attend(lambda _: None)

        until(lambda: listener.last(shed) == b"", "the shed's device to be removed")
        until(lambda: listener.last("home/cameras/shed/picture") == b"", "its picture to be removed")
        assert listener.last("homeassistant/device/camalert_home_other/config") != b""
        later.close()
        listener.close()


def test_mqtt_comes_back_with_its_broker(tmp_path: Path) -> None:
    """What is retained is published anew: the broker may have lost it."""
    pytest.importorskip("paho", reason="the notify extra is not installed")
    with receivers.broker(tmp_path) as broker:
        client = opened(broker.url())
        assert isinstance(client.channel, Mqtt)
        client.channel.attend(lambda _: None)
        client.channel.show(ServiceState(), [CameraState("Garage")])
        until(lambda: client.send(message()).code == "sent", "a message")
    assert client.send(message()).code == "retry"
    with receivers.broker(tmp_path, port=broker.port):
        listener = Listener(broker)
        until(lambda: listener.last("home/cameras/garage/state"), "the state anew")
        until(lambda: client.send(message()).code == "sent", "a message")
        client.channel.close()
        listener.close()


# --- where the URL comes from -----------------------------------------------------------------------------------------


def test_url_and_secret_come_from_files(tmp_path: Path, receiver: HttpReceiver) -> None:
    """As systemd's credentials do; what is wrong with them is said without showing them."""
    url, secret = tmp_path / "url", tmp_path / "secret"
    url.write_text(f"{receiver.url()}\n")
    secret.write_text(f"{SECRET}\n")

    found = open_channel(Notify("phone", url_file=str(url), secret_file=str(secret)))

    assert found.send(message()) == Answer("sent")
    assert "webhook-signature" in receiver.requests[0].headers
    url.write_text("verysecret")
    with pytest.raises(ConfigError, match="is no URL") as raised:
        open_channel(Notify("phone", url_file=str(url)))
    assert "verysecret" not in str(raised.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        open_channel(Notify("phone", url_file=str(tmp_path / "none")))
