"""Topics, discovery and commands."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from camalert.errors import ProtocolError
from camalert.ipc.records import SwitchRecord
from camalert.notify import homeassistant
from camalert.notify.homeassistant import CameraState, ServiceState, Topics, slug

TOPICS = Topics("home")
# What each platform cannot do without. Source: Home Assistant's documentation of its MQTT platforms.
REQUIRED = {
    "binary_sensor": {"state_topic"},
    "sensor": {"state_topic"},
    "image": {"image_topic"},
    "switch": {"command_topic", "state_topic"},
    "button": {"command_topic"},
    "select": {"command_topic", "options"},
    "event": {"state_topic", "event_types"},
}


@pytest.mark.parametrize(
    "made", [homeassistant.camera_device(TOPICS, "Front door"), homeassistant.service_device(TOPICS)]
)
def test_discovery_has_what_home_assistant_asks_for(made: homeassistant.Publication) -> None:
    """Device, origin and, of each component, its platform's keys and an id of its own."""
    device = json.loads(made.payload)

    assert made.is_retained
    assert re.fullmatch(r"homeassistant/device/[A-Za-z0-9_-]+/config", made.topic)
    assert device["dev"]["ids"]
    assert device["o"]["name"] == "camalert"
    ids = [component["unique_id"] for component in device["cmps"].values()]
    assert len(set(ids)) == len(ids)
    for component in device["cmps"].values():
        assert REQUIRED[component["p"]] <= set(component)
        assert component["default_entity_id"].startswith(f"{component['p']}.")


def test_templates_name_what_the_states_have() -> None:
    """An entity whose template names nothing stays unknown for ever."""
    camera = homeassistant.camera_state(TOPICS, CameraState("x")).payload
    service = homeassistant.service_state(TOPICS, ServiceState()).payload
    for device, state in (
        (homeassistant.camera_device(TOPICS, "x"), camera),
        (homeassistant.service_device(TOPICS), service),
    ):
        named = set(re.findall(r"value_json\.(\w+)", device.payload.decode()))
        assert named
        assert named <= set(json.loads(state))


@given(st.text(max_size=80), st.text(max_size=80))
def test_slug_is_a_plain_part_of_a_topic_and_keeps_cameras_apart(one: str, other: str) -> None:
    """Names that differ by more than capitals and blanks have other topics."""
    assert re.fullmatch(r"[a-z0-9_]{1,60}", slug(one))
    if homeassistant.key(one) != homeassistant.key(other):
        assert slug(one) != slug(other)


def test_slug_of_a_plain_name_is_the_name() -> None:
    """So that an owner can guess the topic."""
    assert slug("Garage") == "garage"
    assert slug("front_door") == "front_door"
    assert slug("Front door").startswith("front_door_")


def command(topic: str, payload: bytes) -> SwitchRecord:
    return homeassistant.parse_command(TOPICS, topic, payload, {"garage": "Garage"}, 1000.0)


def test_commands_switch_what_they_name() -> None:
    """A camera or all."""
    assert command("home/cameras/garage/arm/set", b"OFF") == SwitchRecord("armed", "Garage", "off", by="MQTT")
    assert command("home/snooze/set", b"60") == SwitchRecord("snooze", until_utc=4600.0, by="MQTT")
    assert command("home/cameras/garage/snooze/set", b"0") == SwitchRecord("snooze", "Garage", by="MQTT")
    assert command("home/presence/set", b"away") == SwitchRecord("presence", value="away", by="MQTT")


COMMANDS = ["home/arm/set", "home/snooze/set", "home/cameras/garage/snooze/set", "home/x", "home/cameras/y/arm/set"]


@given(st.sampled_from(COMMANDS), st.binary(max_size=200))
def test_any_bytes_are_a_command_or_refused(topic: str, payload: bytes) -> None:
    """Whoever may publish there may publish nonsense."""
    try:
        found = command(topic, payload)
    except ProtocolError:
        return
    assert found.kind in ("armed", "snooze", "presence")
