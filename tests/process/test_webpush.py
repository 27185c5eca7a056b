"""Web Push against a receiver that is a browser's service and the browser behind it: it checks and decrypts."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from testing import receivers
from testing.receivers import HttpReceiver, Request

from camalert.errors import ConfigError
from camalert.notify import subscriptions, webpush
from camalert.notify.channel import Answer
from camalert.notify.message import Message, Row, compose
from camalert.notify.process import pause_of
from camalert.notify.subscriptions import Subscription, SubscriptionError
from camalert.notify.webpush import WebPush
from camalert.visits import policy

pytest.importorskip("cryptography", reason="the push extra is not installed")

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

NOW = 1_782_900_000.0
CONTACT = "https://cams.example.org/"
ROW = Row(1, "5f0e", "visit", "Garage ä", NOW, NOW, visit=7, alert=70, score=0.83, pictures=1, people=1,
          began_utc=NOW, last_utc=NOW)  # fmt: skip


def text_of(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Device:
    """A browser: it has a private key, and reads what is encrypted for it, by other code than what encrypts."""

    def __init__(self, number: int = 0, user: int = 1) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.auth = hashlib.sha256(str(number).encode()).digest()[:16]
        self.point = self.private.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        self.path = f"/send/{number}?x=1"
        self.subscription = Subscription(
            f"https://fcm.googleapis.com{self.path}",
            text_of(self.point),
            text_of(self.auth),
            user,
            "Firefox",
            NOW + number,
        )

    def read(self, body: bytes) -> bytes:
        """Decrypt a body as RFC 8188 and RFC 8291 tell the receiver to."""
        salt, record_bytes, size = body[:16], int.from_bytes(body[16:20], "big"), body[20]
        sender, encrypted = body[21 : 21 + size], body[21 + size :]
        assert len(encrypted) <= record_bytes
        assert len(body) <= 4096
        theirs = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
        shared = self.private.exchange(ec.ECDH(), theirs)
        material = HKDF(hashes.SHA256(), 32, self.auth, b"WebPush: info\0" + self.point + sender).derive(shared)
        key = HKDF(hashes.SHA256(), 16, salt, b"Content-Encoding: aes128gcm\0").derive(material)
        nonce = HKDF(hashes.SHA256(), 12, salt, b"Content-Encoding: nonce\0").derive(material)
        plain, delimiter, rest = AESGCM(key).decrypt(nonce, encrypted, None).rpartition(b"\x02")
        assert delimiter
        assert not rest.strip(b"\0")
        return plain


def signed_by_us(request: Request, public: str) -> dict[str, Any]:
    """Check a VAPID header as a service does; return what it claims."""
    kind, _, parameters = request.headers["authorization"].partition(" ")
    found = dict(part.strip().split("=", 1) for part in parameters.split(","))
    assert kind == "vapid"
    assert found["k"] == public
    head, claims, signature = found["t"].split(".")
    raw = subscriptions.decoded(signature)
    der = utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), subscriptions.decoded(public))
    key.verify(der, f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
    assert json.loads(subscriptions.decoded(head)) == {"typ": "JWT", "alg": "ES256"}
    told: dict[str, Any] = json.loads(subscriptions.decoded(claims))
    return told


@pytest.fixture
def service() -> Iterator[HttpReceiver]:
    """A browser maker's service."""
    with receivers.http_receiver() as found:
        found.answers = [(201, {})]
        yield found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return subscriptions.folder(str(tmp_path))


class Clock:
    """A monotonic clock that can be put ahead."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


def channel(folder: Path, service: HttpReceiver, clock: Clock | None = None, **others: HttpReceiver) -> WebPush:
    """Return a channel whose browsers are all at one service, but for those whose endpoint's path says `others`."""

    def connect(one: Subscription, timeout_s: float) -> http.client.HTTPConnection:
        port = next((other.port for name, other in others.items() if f"/{name}" in one.endpoint), service.port)
        return http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)

    return WebPush(str(folder.parent), CONTACT, lambda: NOW, connect, clock or time.monotonic)


def named(name: str, number: int) -> Subscription:
    """Return a subscription at one of the other services, the later the higher its number."""
    return replace(Device(number).subscription, endpoint=f"https://fcm.googleapis.com/{name}")


def message(row: Row = ROW) -> Message:
    return compose([row], None, NOW, None)


def test_example_of_the_standard_comes_out_byte_for_byte() -> None:
    """RFC 8291, section 5 and appendix A: the same keys and salt give the same bytes, apart from our padding."""
    sender = subscriptions.decoded("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")
    own = ec.derive_private_key(int.from_bytes(sender, "big"), ec.SECP256R1())
    browser = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(webpush, "PADDED_BYTES", 0)
        found = webpush.encrypt(
            b"When I grow up, I want to be a watermelon",
            subscriptions.decoded(browser),
            subscriptions.decoded("BTBZMqHH6r4Tts7J_aSIgg"),
            subscriptions.decoded("DGv6ra1nlYgDCS1FRnbzlw"),
            own,
        )

    assert text_of(found) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_"
        "yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


def test_browser_reads_what_it_is_told(folder: Path, service: HttpReceiver) -> None:
    """The message, the page to open, signed by the key that the browser was given when it subscribed."""
    device = Device()
    subscriptions.put(folder, device.subscription)

    assert channel(folder, service).send(message()) == Answer("sent")

    [request] = service.requests
    told = json.loads(device.read(request.body))
    assert (told["id"], told["page"], told["at"]) == ("5f0e", "visits/7/", round(NOW))
    assert "Garage ä" in told["title"]
    assert request.path == device.path
    assert request.headers["content-encoding"] == "aes128gcm"
    assert int(request.headers["ttl"]) > 0
    public = webpush.public_key(subscriptions.key(folder))
    claims = signed_by_us(request, public)
    assert claims == {"aud": "https://fcm.googleapis.com", "exp": int(NOW + webpush.LASTS_S), "sub": CONTACT}
    assert b"Garage" not in request.body


def test_only_its_own_browser_reads_a_message_and_all_are_of_one_size(folder: Path, service: HttpReceiver) -> None:
    """Two browsers and a short and a long message: four bodies of the same length, none readable by the other."""
    one, two = Device(1), Device(2)
    for device in (one, two):
        subscriptions.put(folder, device.subscription)
    push = channel(folder, service)
    assert push.send(message()).code == "sent"
    assert push.send(message(replace(ROW, key="other", message="x" * 300))).code == "sent"

    bodies = [request.body for request in service.requests]
    assert len({len(body) for body in bodies}) == 1
    assert len(set(bodies)) == 4
    assert json.loads(two.read(bodies[1]))["id"] == "5f0e"
    with pytest.raises(InvalidTag):
        one.read(bodies[1])


@pytest.mark.parametrize("status", [404, 410])
def test_browser_that_ended_is_removed(folder: Path, service: HttpReceiver, status: int) -> None:
    """Its service says so; the others are told."""
    gone, other = Device(1), Device(2)
    for device in (gone, other):
        subscriptions.put(folder, device.subscription)
    service.answers = [(status, {}), (201, {})]

    assert channel(folder, service).send(message()) == Answer("sent")

    assert [one.id for one in subscriptions.found(folder)] == [other.subscription.id]
    assert json.loads(other.read(service.requests[1].body))["id"] == "5f0e"


def test_who_has_a_message_gets_no_second_one_when_another_is_tried_again(folder: Path, service: HttpReceiver) -> None:
    """One service is overloaded: only its browser is asked again, after the time it wants."""
    for number in (1, 2):
        subscriptions.put(folder, Device(number).subscription)
    service.answers = [(201, {}), (429, {"Retry-After": "30"}), (201, {})]
    clock = Clock()
    push = channel(folder, service, clock)

    first = push.send(message())
    assert (first.code, first.is_target_well) == ("retry", True)
    assert first.retry_after_s == pytest.approx(30.0)
    assert "429" in first.reason
    clock.ahead_s += first.retry_after_s
    assert push.send(message()) == Answer("sent")
    assert [request.path for request in service.requests] == ["/send/1?x=1", "/send/2?x=1", "/send/2?x=1"]


def test_refusal_is_said_and_nobody_subscribed_is_no_failure(folder: Path, service: HttpReceiver) -> None:
    """A key that a service does not accept is in the answer, and not tried for ever."""
    push = channel(folder, service)
    assert push.send(message()) == Answer("sent", "no browser has subscribed")

    subscriptions.put(folder, Device().subscription)
    service.answers = [(403, {})]
    answer = push.send(message())
    assert (answer.code, "HTTP 403" in answer.reason) == ("sent", True)
    service.answers = ["close"]
    assert push.send(message(replace(ROW, key="next"))).code == "retry"


def test_services_that_hang_cost_a_bounded_time(
    folder: Path, service: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many browsers wait for one that does not answer."""
    monkeypatch.setattr(webpush, "SEND_S", 0.5)
    for number in range(5):
        subscriptions.put(folder, Device(number, user=number).subscription)
    service.answers = ["hang"]
    began_at = time.monotonic()

    assert channel(folder, service).send(message()).code == "retry"

    assert time.monotonic() - began_at < 5
    service.is_over.set()


def test_one_hangs_one_wants_an_hour_and_the_third_has_each_message_at_once_and_once(
    folder: Path, service: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The two come first by age; the target is not paused, and who hangs is asked again as its own pauses end."""
    monkeypatch.setattr(webpush, "SHARE_S", 1.5)
    clock = Clock()
    with receivers.http_receiver() as hangs, receivers.http_receiver() as busy:
        hangs.answers = ["hang"]
        busy.answers = [(429, {"Retry-After": "3600"})]
        for one in (named("hangs", 1), named("busy", 2), Device(3).subscription):
            subscriptions.put(folder, one)
        push = channel(folder, service, clock, hangs=hangs, busy=busy)

        answer = push.send(message())
        assert (answer.code, answer.is_target_well) == ("retry", True)
        assert answer.retry_after_s <= policy.FIRST_PAUSE_S
        assert pause_of(0, 0.0, answer, 100.0, 1.0) == (0, 0.0)
        assert (len(hangs.requests), len(busy.requests), len(service.requests)) == (1, 1, 1)

        for number in range(5):
            began_at = time.monotonic()
            found = push.send(message(replace(ROW, key=f"next {number}")))
            assert (found.code, time.monotonic() - began_at < 1.5) == ("sent", True)
        assert (len(hangs.requests), len(busy.requests), len(service.requests)) == (1, 1, 6)

        clock.ahead_s += policy.FIRST_PAUSE_S
        assert push.send(message()).code == "sent"  # the first one again, for who hangs alone
        assert (len(hangs.requests), len(busy.requests), len(service.requests)) == (2, 1, 6)

        clock.ahead_s += 3600
        hangs.answers = busy.answers = [(201, {})]
        hangs.is_over.set()
        assert push.send(message(replace(ROW, key="all again"))) == Answer("sent")
        assert (len(hangs.requests), len(busy.requests), len(service.requests)) == (3, 2, 7)


def test_many_that_hang_cannot_keep_the_last_one_from_its_messages(
    folder: Path, service: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They take all of the time once; then it is the turn of who had none."""
    monkeypatch.setattr(webpush, "SHARE_S", 0.3)
    monkeypatch.setattr(webpush, "SEND_S", 1.0)
    with receivers.http_receiver() as hangs:
        hangs.answers = ["hang"]
        for number in range(4):
            subscriptions.put(folder, named(f"hangs/{number}", number))
        subscriptions.put(folder, Device(9).subscription)
        push = channel(folder, service, hangs=hangs)

        first = push.send(message())
        assert (first.code, first.is_target_well, service.requests) == ("retry", False, [])
        assert push.send(message()).is_target_well
        assert [request.path for request in service.requests] == ["/send/9?x=1"]
        third = push.send(message(replace(ROW, key="next")))
        assert pause_of(1, 0.0, third, 100.0, 0.0) == (0, 0.0)
        assert len(service.requests) == 2


def test_nobody_is_reached_pauses_the_target_and_no_browser(folder: Path, service: HttpReceiver) -> None:
    """It may be our own connection; what one service asks for is not passed on, and all are tried as it comes back."""
    for number in (1, 2):
        subscriptions.put(folder, Device(number).subscription)
    clock = Clock()
    push = channel(folder, service, clock)
    service.answers = [(503, {"Retry-After": "3600"}), "close"]
    for _ in range(5):
        assert push.send(message()).code == "retry"
        assert not push.send(message()).is_target_well
    assert push.send(message()).retry_after_s == 0
    assert [request.path for request in service.requests[:3]] == ["/send/1?x=1", "/send/2?x=1", "/send/2?x=1"]
    assert pause_of(2, 0.0, Answer("retry"), 100.0, 0.0) == (3, 100.0 + 4 * policy.FIRST_PAUSE_S)

    service.answers = [(201, {})]
    clock.ahead_s += 3600
    service.requests.clear()
    assert push.send(message()) == Answer("sent")
    assert len(service.requests) == 2


def test_test_message_that_one_browser_has_is_sent_and_says_who_was_not_reached(
    folder: Path, service: HttpReceiver
) -> None:
    """It is not tried again, so that it must not count as lost."""
    for number in (1, 2):
        subscriptions.put(folder, Device(number).subscription)
    service.answers = [(503, {}), (201, {})]

    answer = channel(folder, service).send(message(replace(ROW, kind="test")))

    assert (answer.code, "HTTP 503" in answer.reason) == ("sent", True)


def test_what_is_remembered_of_browsers_is_bounded(
    folder: Path, service: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages without end of which nobody has any, and browsers that are gone."""
    monkeypatch.setattr(webpush, "REMEMBERED", 3)
    for number in range(3):
        subscriptions.put(folder, Device(number).subscription)
    push = channel(folder, service)
    service.answers = [(503, {})]
    for number in range(5):
        assert push.send(message(replace(ROW, key=str(number)))).code == "retry"
    assert list(push._reached) == ["2", "3", "4"]
    assert len(push._troubles) == 3

    for number in range(1, 3):
        subscriptions.remove(folder, Device(number).subscription.id)
    service.answers = [(201, {})]
    assert push.send(message()) == Answer("sent")
    assert (list(push._troubles), list(push._reached)) == ([], ["3", "4"])


def test_address_that_hangs_leaves_time_for_the_next_one(
    service: HttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host with several addresses has one time for all of them."""
    tried: list[float] = []
    real = socket.create_connection

    def create(address: tuple[str, int], timeout: float) -> socket.socket:
        tried.append(timeout)
        if address[0] != "127.0.0.1":
            time.sleep(timeout)
            raise TimeoutError
        return real(address, timeout)

    look_up = socket.getaddrinfo

    def found(host: str, port: int, *more: Any, **named: Any) -> list[Any]:
        if host != "push.example":
            return look_up(host, port, *more, **named)
        return [(0, 0, 0, "", (one, port)) for one in ("192.0.2.1", "192.0.2.2", "127.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    monkeypatch.setattr(socket, "create_connection", create)
    webpush.connected("push.example", service.port, 0.9).close()
    assert len(tried) == 3
    assert sum(tried[:2]) <= 0.65


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://fcm.googleapis.com/x", "https://192.168.1.1/x", "https://router.local/x",
        "https://fcm.googleapis.com:22/x", "https://fcm.googleapis.com/" + "x" * 2000,
        "https://fcm.googleapis.com.evil.example/x", "https://evilfcm.googleapis.com/x", "https://a@fcm.googleapis.com/x",
        "https://[::1]/", "ftp://x", "", "https://fcm.googleapis.com/x\r\ny",
        "https://push.apple.com.evil.example/", "https://[",
    ],
)  # fmt: skip
def test_nobody_makes_the_notifier_ask_another_host(folder: Path, endpoint: str) -> None:
    """Who may log in names no address in the house, and none of his own."""
    with pytest.raises(SubscriptionError):
        subscriptions.put(folder, replace(Device().subscription, endpoint=endpoint))
    assert subscriptions.found(folder) == []


def test_browsers_of_a_person_are_bounded_and_private(folder: Path) -> None:
    """Ten each, a hundred in all; the same browser again takes its own place; files are their owner's alone."""
    for number in range(10):
        subscriptions.put(folder, Device(number).subscription)
    with pytest.raises(SubscriptionError):
        subscriptions.put(folder, Device(10).subscription)
    subscriptions.put(folder, replace(Device(3).subscription, device="anew"))
    assert len(subscriptions.found(folder)) == 10
    for number in range(100, 190):
        subscriptions.put(folder, Device(number, user=number).subscription)
    with pytest.raises(SubscriptionError):
        subscriptions.put(folder, Device(999, user=999).subscription)

    subscriptions.key(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}


def test_file_that_is_no_subscription_is_left_out(folder: Path, service: HttpReceiver) -> None:
    """Whatever lies there, the others are told."""
    for number, text in enumerate(("", "[]", "{", "{}", '{"endpoint": 5}', "null")):
        (folder / f"{number}.json").write_text(text)
    device = Device()
    bad = replace(Device(5).subscription, key=text_of(b"\x04" + bytes(64)))  # no point of the curve
    for one in (device.subscription, bad):
        subscriptions.put(folder, one)

    answer = channel(folder, service).send(message())

    assert (answer.code, len(service.requests)) == ("sent", 1)
    assert [one.id for one in subscriptions.found(folder)] == [device.subscription.id]


def test_missing_extra_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install."""
    monkeypatch.setattr(webpush, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"camalert\[push\]"):
        WebPush(str(tmp_path), CONTACT, time.time)
