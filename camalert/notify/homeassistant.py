"""Topics, states and Home Assistant's discovery: what is published, as values.

One retained `homeassistant/device/<id>/config` a camera, and one for the service. Source: Home Assistant's own
documentation of MQTT discovery, "Device discovery payload" (`dev`, `o`, `cmps`), and of the platforms binary_sensor,
image, sensor, switch, button, select and event.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import Any

from camalert import __version__
from camalert.config.targets import EVENTS
from camalert.errors import ProtocolError
from camalert.identity import key
from camalert.ipc.records import SwitchRecord
from camalert.notify.message import SUMMARY, TEST, iso

DISCOVERY = "homeassistant"
ONLINE, OFFLINE = "online", "offline"
MOST_CAMERAS = 64  # with a device each
SNOOZE_MINUTES = 60  # of the button
LONGEST_SNOOZE_MINUTES = 10_080  # a week
COMMAND_BYTES = 100
BY = "MQTT"
_PLAIN = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*")
_NOT_PLAIN = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class CameraState:
    """What is known of a camera."""

    name: str
    is_person: bool = False  # a visit is going on
    score: float | None = None  # of the last visit of anybody or anything
    last_seen_utc: float | None = None  # a person, by the last visit
    visits_today: int = 0
    people_today: int = 0  # of each visit the most in one picture
    clock_off_s: float = 0.0  # how far its clock is ahead, where it is too far off
    is_armed: bool = True
    snoozed_until_utc: float | None = None
    objects: str = ""  # what the last visit showed, as `config.objects.listed` writes it


@dataclass(frozen=True, slots=True)
class ServiceState:
    """What is known of the service."""

    state: str = "unknown"
    pending: int = 0
    problem: str = ""
    is_armed: bool = True
    presence: str = "away"
    disk_free_gb: float | None = None  # of the database's disk, like the next
    disk_used_percent: int | None = None


@dataclass(frozen=True, slots=True)
class Publication:
    """A message for the broker."""

    topic: str
    payload: bytes
    is_retained: bool = True


def slug(name: str) -> str:
    """Return a camera's name as a part of a topic: unchanged when it is plain, else with what keeps it unique."""
    own = key(name)
    plain = _NOT_PLAIN.sub("_", own).strip("_")[:40]
    if len(own) <= 60 and _PLAIN.fullmatch(own):
        return own
    mark = hashlib.blake2b(own.encode("utf-8", "replace"), digest_size=3).hexdigest()
    return f"{plain}_{mark}" if plain else mark


class Topics:
    """The topics below a prefix."""

    def __init__(self, prefix: str, discovery: str = DISCOVERY) -> None:
        self.prefix = prefix
        self.discovery = discovery  # "": none
        self.instance = f"camalert_{slug(prefix)}" if prefix != "camalert" else "camalert"
        self.status = f"{prefix}/status"

    def of(self, camera: str, what: str) -> str:
        """Return a topic of a camera, or of the service for the camera ""."""
        return f"{self.prefix}/cameras/{slug(camera)}/{what}" if camera else f"{self.prefix}/{what}"

    def retained_of(self, part: str) -> tuple[str, str]:
        """Return what else the broker keeps of a camera, by its part of a topic."""
        return f"{self.prefix}/cameras/{part}/state", f"{self.prefix}/cameras/{part}/picture"

    def device_of(self, camera: str) -> str:
        """Return the id of a camera's device, or of the service's."""
        return f"{self.instance}_{slug(camera)}" if camera else self.instance

    def config_of(self, device: str) -> str:
        """Return the topic of a device's discovery."""
        return f"{self.discovery}/device/{device}/config"

    @property
    def commands(self) -> tuple[str, ...]:
        """Return what is subscribed for commands."""
        below = f"{self.prefix}/cameras/+"
        return (
            f"{below}/arm/set", f"{below}/snooze/set",
            f"{self.prefix}/arm/set", f"{self.prefix}/snooze/set", f"{self.prefix}/presence/set",
        )  # fmt: skip


def camera_device(topics: Topics, camera: str) -> Publication:
    """Return the discovery of a camera's device."""
    device, state = topics.device_of(camera), topics.of(camera, "state")
    components: dict[str, dict[str, Any]] = {
        "person": {"p": "binary_sensor", "name": "Person", "device_class": "occupancy",
                   "value_template": "{{ value_json.person }}"},
        "picture": {"p": "image", "name": "Person's picture", "image_topic": topics.of(camera, "picture"),
                    "content_type": "image/jpeg"},
        "score": {"p": "sensor", "name": "Last score", "value_template": "{{ value_json.score }}",
                  "icon": "mdi:percent", "entity_category": "diagnostic"},
        "last_seen": {"p": "sensor", "name": "Last person", "device_class": "timestamp",
                      "value_template": "{{ value_json.last_seen }}"},
        "objects": {"p": "sensor", "name": "Last seen", "value_template": "{{ value_json.objects }}",
                    "icon": "mdi:eye"},
        "visits": {"p": "sensor", "name": "Visits today", "state_class": "total",
                   "value_template": "{{ value_json.visits_today }}", "icon": "mdi:walk"},
        "people": {"p": "sensor", "name": "People today", "state_class": "total",
                   "value_template": "{{ value_json.people_today }}", "icon": "mdi:account-group"},
        "clock": {"p": "sensor", "name": "Clock offset", "device_class": "duration", "unit_of_measurement": "s",
                  "value_template": "{{ value_json.clock_off_s }}", "entity_category": "diagnostic"},
        "notify": {"p": "switch", "name": "Messages", "command_topic": topics.of(camera, "arm/set"),
                   "value_template": "{{ value_json.armed }}", "icon": "mdi:bell"},
        "snooze": {"p": "button", "name": "Snooze for an hour", "command_topic": topics.of(camera, "snooze/set"),
                   "payload_press": str(SNOOZE_MINUTES), "icon": "mdi:bell-sleep"},
        "snoozed_until": {"p": "sensor", "name": "Snoozed until", "device_class": "timestamp",
                          "value_template": "{{ value_json.snoozed_until }}", "entity_category": "diagnostic"},
        "event": {"p": "event", "name": "Visit", "state_topic": topics.of(camera, "event"),
                  "event_types": [*EVENTS, SUMMARY, TEST]},
    }  # fmt: skip
    return _discovery(topics, device, camera, "camera", state, components)


def service_device(topics: Topics) -> Publication:
    """Return the discovery of the service's device."""
    components: dict[str, dict[str, Any]] = {
        "state": {"p": "sensor", "name": "State", "value_template": "{{ value_json.state }}",
                  "entity_category": "diagnostic"},
        "pending": {"p": "sensor", "name": "Pictures pending", "state_class": "measurement",
                    "value_template": "{{ value_json.pending }}", "entity_category": "diagnostic"},
        "disk_free": {"p": "sensor", "name": "Disk free", "device_class": "data_size", "unit_of_measurement": "GB",
                      "state_class": "measurement", "value_template": "{{ value_json.disk_free_gb }}",
                      "entity_category": "diagnostic"},
        "disk_used": {"p": "sensor", "name": "Disk used", "unit_of_measurement": "%", "state_class": "measurement",
                      "value_template": "{{ value_json.disk_used_percent }}", "icon": "mdi:harddisk",
                      "entity_category": "diagnostic"},
        "trouble": {"p": "binary_sensor", "name": "Trouble", "device_class": "problem",
                    "value_template": "{{ value_json.trouble }}"},
        "notify": {"p": "switch", "name": "Messages", "command_topic": topics.of("", "arm/set"),
                   "value_template": "{{ value_json.armed }}", "icon": "mdi:bell"},
        "snooze": {"p": "button", "name": "Snooze for an hour", "command_topic": topics.of("", "snooze/set"),
                   "payload_press": str(SNOOZE_MINUTES), "icon": "mdi:bell-sleep"},
        "presence": {"p": "select", "name": "Presence", "command_topic": topics.of("", "presence/set"),
                     "options": ["home", "away"], "value_template": "{{ value_json.presence }}"},
        "event": {"p": "event", "name": "Message", "state_topic": topics.of("", "event"),
                  "event_types": [*EVENTS, SUMMARY, TEST]},
    }  # fmt: skip
    return _discovery(topics, topics.instance, "", "service", topics.of("", "state"), components)


def _discovery(  # noqa: PLR0913, PLR0917 - the parts of one payload
    topics: Topics, device: str, camera: str, model: str, state: str, components: dict[str, dict[str, Any]]
) -> Publication:
    for name, component in components.items():
        component["unique_id"] = f"{device}_{name}"
        if component["p"] not in ("image", "event", "button"):
            component["state_topic"] = state
        component["default_entity_id"] = f"{component['p']}.{device}_{name}"
    described: dict[str, Any] = {
        "ids": [device],
        "name": camera or "camalert",
        "mf": "camalert",
        "mdl": model,
        "sw": __version__,
    }
    if camera:
        described["via_device"] = topics.instance
    payload = {
        "dev": described,
        "o": {"name": "camalert", "sw": __version__},
        "avty_t": topics.status,
        "qos": 1,
        "cmps": components,
    }
    return Publication(topics.config_of(device), _json(payload))


def camera_state(topics: Topics, state: CameraState) -> Publication:
    """Return a camera's state; what is not known is null, which Home Assistant shows as unknown."""
    payload = {
        "name": state.name,
        "person": "ON" if state.is_person else "OFF",
        "score": None if state.score is None else round(state.score, 2),
        "last_seen": None if state.last_seen_utc is None else iso(state.last_seen_utc),
        "objects": state.objects.replace(",", ", ") or None,
        "visits_today": state.visits_today,
        "people_today": state.people_today,
        "clock_off_s": round(state.clock_off_s),
        "armed": "ON" if state.is_armed else "OFF",
        "snoozed_until": None if state.snoozed_until_utc is None else iso(state.snoozed_until_utc),
    }
    return Publication(topics.of(state.name, "state"), _json(payload))


def service_state(topics: Topics, state: ServiceState) -> Publication:
    """Return the service's state."""
    payload = asdict(state) | {
        "trouble": "ON" if state.problem else "OFF",
        "armed": "ON" if state.is_armed else "OFF",
    }
    del payload["is_armed"]
    return Publication(topics.of("", "state"), _json(payload))


def parse_command(topics: Topics, topic: str, payload: bytes, cameras: dict[str, str], now_utc: float) -> SwitchRecord:
    """Return what a command switches.

    Args:
        topics: Ours.
        topic: Where it came.
        payload: ON or OFF; minutes, 0 to end it; home or away.
        cameras: The known cameras' names by their part of a topic.
        now_utc: Seconds since 1970.

    Raises: ProtocolError for what is no command.
    """
    command = payload[: COMMAND_BYTES + 1].decode("utf-8", "replace").strip().lower()
    below = topic.removeprefix(f"{topics.prefix}/")
    camera = ""
    if below.startswith("cameras/"):
        _, part, below = below.split("/", 2)
        if part not in cameras:
            raise ProtocolError(f"there is no camera {part[:60]!r}")
        camera = cameras[part]
    match below.removesuffix("/set"), command:
        case "arm", ("on" | "off"):
            return SwitchRecord("armed", camera, command, by=BY)
        case "presence", ("home" | "away"):
            return SwitchRecord("presence", "", command, by=BY)
        case "snooze", _ if command.isdecimal() and len(command) < 6 and int(command) <= LONGEST_SNOOZE_MINUTES:
            minutes = int(command)
            return SwitchRecord("snooze", camera, until_utc=now_utc + 60 * minutes if minutes else None, by=BY)
    raise ProtocolError(f"{command[:40]!r} is no command for {below[:40]!r}")


def _json(payload: Any) -> bytes:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
