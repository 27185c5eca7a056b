"""MQTT: each message as an event, with its picture, and the states of all cameras; commands come back the same way.

The connection stays open and is made again by itself. Everything retained is published anew after that, and whenever
Home Assistant starts.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from camalert.config.targets import Address
from camalert.errors import ConfigError, ProtocolError
from camalert.ipc.records import SwitchRecord
from camalert.notify import homeassistant
from camalert.notify.channel import CONNECT_S, RETRY, SEND_S, SENT, Answer, reason_of, tls_of
from camalert.notify.homeassistant import CameraState, Publication, ServiceState, Topics
from camalert.notify.message import Message
from camalert.system.logs import log

MISSING = 'this URL needs paho-mqtt: pip install "camalert[notify]"'
KEEPALIVE_S = 30
RECONNECT_S = (1, 60)
MOST_QUEUED = 500  # publications that wait for a slow broker: a device and a state for each camera, and some
MOST_BYTES = 1_048_576  # of a packet that the broker may send us
TOO_NEW = 132  # reason code "Unsupported Protocol Version". Source: MQTT 5.0, 3.2.2.2

OnCommand = Callable[[SwitchRecord], None]


class Mqtt:
    """One connection to a broker.

    Raises: ConfigError when paho-mqtt is not installed.
    """

    def __init__(self, address: Address) -> None:
        if importlib.util.find_spec("paho") is None:
            raise ConfigError(MISSING)
        self._address = address
        discovery = address.option("discovery", homeassistant.DISCOVERY)
        self._topics = Topics(address.path, "" if discovery == "off" else discovery)
        self._tls = tls_of(address) if address.is_encrypted else None
        self._is_five = address.option("version", "5") == "5"
        self._client: Any = None
        self._is_connected = threading.Event()
        self._is_decided = threading.Event()  # it is connected, or a try to connect has failed
        self._is_attended = False
        self._problem = ""
        self._lock = threading.Lock()
        self._cameras: dict[str, CameraState] = {}  # by their part of a topic
        self._service: ServiceState | None = None
        self._published: dict[str, bytes] = {}  # what the broker retains of us, by topic
        self._on_command: OnCommand = lambda _: None

    # --- what others ask for ----------------------------------------------------------------------------------------

    def attend(self, on_command: OnCommand) -> None:
        """Connect and stay connected, with somebody to take commands; `show` says what to publish."""
        self._on_command = on_command
        self._is_attended = True
        self._ready_client()

    def show(self, service: ServiceState, cameras: Sequence[CameraState]) -> None:
        """Publish what has changed since the last call; cameras that are gone are removed."""
        with self._lock:
            self._service = service
            shown = cameras[: homeassistant.MOST_CAMERAS]
            self._cameras = {homeassistant.slug(camera.name): camera for camera in shown}
        if self._is_connected.is_set():
            self._publish_states()

    def send(self, message: Message) -> Answer:
        """Publish a message and wait until the broker has it."""
        client = self._ready_client()
        if not self._is_decided.wait(CONNECT_S) or not self._is_connected.is_set():
            problem = self._problem or "no answer in time"
            if not self._is_attended:
                self._drop()  # else it tries again by itself
            return Answer(RETRY, problem)
        facts = {"event_type": message.kind} | message.facts
        waiting = []
        if message.picture:
            waiting.append(client.publish(self._topics.of(message.camera, "picture"), message.picture, 1, retain=True))
        event = json.dumps(facts, ensure_ascii=False).encode("utf-8", "replace")
        waiting.append(client.publish(self._topics.of(message.camera, "event"), event, 1))
        try:
            deadline = time.monotonic() + SEND_S
            for sent in waiting:
                sent.wait_for_publish(max(0.1, deadline - time.monotonic()))
        except (RuntimeError, ValueError) as error:
            self._drop()
            return Answer(RETRY, str(error))
        if not all(sent.is_published() for sent in waiting):
            self._drop()  # or it would be published later, and again
            return Answer(RETRY, "the broker did not confirm it in time")
        return Answer(SENT)

    def close(self) -> None:
        """Say that we go, and disconnect."""
        client, self._client = self._client, None
        if client is not None and self._is_connected.is_set():
            sent = client.publish(self._topics.status, homeassistant.OFFLINE, 1, retain=True)
            with contextlib.suppress(RuntimeError, ValueError):
                sent.wait_for_publish(1.0)
            client.disconnect()
            client.loop_stop()

    # --- the connection ---------------------------------------------------------------------------------------------

    def _ready_client(self) -> Any:
        with self._lock:
            if self._client is None:
                self._client = self._new_client()
            return self._client

    def _new_client(self) -> Any:
        from paho.mqtt import client as paho  # noqa: PLC0415 - an extra
        from paho.mqtt.packettypes import PacketTypes  # noqa: PLC0415
        from paho.mqtt.properties import Properties  # noqa: PLC0415

        # paho wakes its thread by a pair of TCP sockets, for which it listens on a port; this process may not.
        paho._socketpair_compat = _pair
        address = self._address
        client = paho.Client(
            paho.CallbackAPIVersion.VERSION2,
            client_id=f"{self._topics.instance}_{os.getpid()}",
            protocol=paho.MQTTv5 if self._is_five else paho.MQTTv311,
        )
        # It would bind its own end first, even to nothing, which this process may not.
        client._create_socket_connection = lambda: socket.create_connection((address.host, address.port), CONNECT_S)
        if address.user or address.password:
            client.username_pw_set(address.user, address.password)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        client.max_queued_messages_set(MOST_QUEUED)
        client.reconnect_delay_set(*RECONNECT_S)
        client.connect_timeout = CONNECT_S
        client.will_set(self._topics.status, homeassistant.OFFLINE, 1, retain=True)
        client.on_connect = self._connected
        client.on_connect_fail = self._not_connected
        client.on_disconnect = self._disconnected
        client.on_message = self._received
        options: dict[str, Any] = {}
        if self._is_five:
            properties = Properties(PacketTypes.CONNECT)
            properties.MaximumPacketSize = MOST_BYTES
            options = {"clean_start": True, "properties": properties}
        client.connect_async(address.host, address.port, KEEPALIVE_S, **options)
        client.loop_start()
        return client

    def _drop(self) -> None:
        """End a connection with all that waits in it; the next message makes another."""
        with self._lock:
            client, self._client = self._client, None
            self._is_connected.clear()
            self._is_decided.clear()
        if client is not None:
            client.on_disconnect = None
            client.disconnect()
            client.loop_stop()
        if self._is_attended:
            self._ready_client()

    # --- what the client's thread calls -----------------------------------------------------------------------------

    def _connected(self, client: Any, _userdata: Any, _flags: Any, code: Any, _properties: Any) -> None:
        if code.is_failure:
            self._problem = f"the broker refused the connection: {code}"
            self._is_decided.set()
            if self._is_five and code.value in (TOO_NEW, 1):
                self._is_five = False
                threading.Thread(target=self._drop, daemon=True).start()  # not from its own thread
            return
        self._problem = ""
        with self._lock:
            self._published.clear()
        client.publish(self._topics.status, homeassistant.ONLINE, 1, retain=True)
        for topic in self._topics.commands:
            client.subscribe(topic, 1)
        if self._topics.discovery:
            client.subscribe(f"{self._topics.discovery}/status", 1)
            client.subscribe(self._topics.config_of("+"), 1)
        self._is_connected.set()
        self._is_decided.set()
        self._publish_states()

    def _not_connected(self, _client: Any, _userdata: Any) -> None:
        error = sys.exc_info()[1]  # paho calls this where it caught it
        if isinstance(error, Exception):
            self._problem = reason_of(error)
        self._is_decided.set()

    def _disconnected(self, _client: Any, _userdata: Any, _flags: Any, code: Any, _properties: Any) -> None:
        self._is_connected.clear()
        self._problem = self._problem or f"the connection ended: {code}"

    def _received(self, client: Any, _userdata: Any, received: Any) -> None:
        topic, payload = str(received.topic), bytes(received.payload)
        discovery = self._topics.discovery
        if discovery and topic == f"{discovery}/status":
            if payload == homeassistant.ONLINE.encode():
                with self._lock:
                    self._published.clear()
                self._publish_states()
        elif discovery and topic.startswith(f"{discovery}/device/"):
            self._remove_stranger(client, topic, payload)
        elif not received.retain:  # a command is for now; a retained one would come with each connection
            self._command(topic, payload)

    def _remove_stranger(self, client: Any, topic: str, payload: bytes) -> None:
        """Remove a device of ours whose camera is gone, perhaps while we were not running."""
        device = topic.split("/")[2]
        with self._lock:
            is_known = self._service is None or device in {
                self._topics.device_of(""),
                *(self._topics.device_of(camera.name) for camera in self._cameras.values()),
            }
        if (
            payload
            and not is_known
            and device.startswith(f"{self._topics.instance}_")
            and _is_of(payload, self._topics)
        ):
            client.publish(topic, b"", 1, retain=True)
            for left in self._topics.retained_of(device.removeprefix(f"{self._topics.instance}_")):
                client.publish(left, b"", 1, retain=True)

    def _command(self, topic: str, payload: bytes) -> None:
        with self._lock:
            names = {part: camera.name for part, camera in self._cameras.items()}
        try:
            record = homeassistant.parse_command(self._topics, topic, payload, names, time.time())
        except (ProtocolError, ValueError) as error:
            log.warning("command_refused", target=str(self._address), message=str(error))
            return
        self._on_command(record)

    # --- states -----------------------------------------------------------------------------------------------------

    def _publish_states(self) -> None:
        with self._lock:
            client, service, cameras = self._client, self._service, list(self._cameras.values())
            if client is None or service is None:
                return
            wanted: list[Publication] = []
            if self._topics.discovery:
                wanted.append(homeassistant.service_device(self._topics))
                wanted += [homeassistant.camera_device(self._topics, camera.name) for camera in cameras]
            wanted.append(homeassistant.service_state(self._topics, service))
            wanted += [homeassistant.camera_state(self._topics, camera) for camera in cameras]
            gone = set(self._published) - {one.topic for one in wanted}
            wanted += [Publication(topic, b"") for topic in sorted(gone)]
            parts = {topic.split("/")[-2] for topic in gone if topic.startswith(f"{self._topics.prefix}/cameras/")}
            for topic in sorted({topic for part in parts for topic in self._topics.retained_of(part)} - gone):
                client.publish(topic, b"", 1, retain=True)  # a picture, of which nobody keeps whether there is one
            changed = [one for one in wanted if self._published.get(one.topic) != one.payload]
            for one in changed:
                client.publish(one.topic, one.payload, 1, retain=one.is_retained)
                if one.payload:
                    self._published[one.topic] = one.payload
                else:
                    del self._published[one.topic]


def _pair() -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    return ours, theirs


def _is_of(payload: bytes, topics: Topics) -> bool:
    """Tell whether a discovery is one that we published below this prefix."""
    with contextlib.suppress(ValueError, AttributeError, RecursionError):
        found = json.loads(payload)
        return bool(found.get("avty_t") == topics.status and found.get("o", {}).get("name") == "camalert")
    return False
