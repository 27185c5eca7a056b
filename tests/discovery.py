"""Home Assistant's own schema of MQTT discovery, run over what we publish.

    python3.13 -m venv ha && ha/bin/pip install homeassistant paho-mqtt
    python tests/discovery.py --python ha/bin/python

Home Assistant needs a newer Python than we do, so that it has an environment of its own; what its integration imports
and its package does not bring, pip is to add. Of each component it is also said which keys Home Assistant would ignore.

Exit code 0: it takes everything; 1: it does not, and the problems are printed.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from camalert.notify import homeassistant
from camalert.notify.homeassistant import Topics

CAMERAS = ("Garage", "Haustür 2", "a" * 300, '"); drop')
# What runs in Home Assistant's environment: devices as JSON come in, problems go out, a line each.
CHECK = """
import asyncio, importlib, json, sys, tempfile
import voluptuous as vol
from homeassistant import core
from homeassistant.components.mqtt import discovery
from homeassistant.const import __version__

async def look(devices):
    core.HomeAssistant(tempfile.gettempdir())  # templates are read in its loop only
    found, count = [], 0
    for topic, payload in devices:
        device = discovery.MQTTDiscoveryPayload(json.loads(payload))
        discovery._replace_all_abbreviations(device)
        try:
            discovery.DEVICE_DISCOVERY_SCHEMA(device)
        except vol.Invalid as error:
            found.append(f"{topic}: {error}")
            continue
        for name, component in device["components"].items():
            count += 1
            platform = component.pop("platform")
            own = discovery.MQTTDiscoveryPayload(component)
            own["device"], own["origin"] = device["device"], device["origin"]
            discovery._merge_common_device_options(own, device)
            module = importlib.import_module(f"homeassistant.components.mqtt.{platform}")
            try:
                taken = module.DISCOVERY_SCHEMA(dict(own))
            except vol.Invalid as error:
                found.append(f"{topic}: {name}: {error}")
                continue
            if ignored := set(own) - set(taken) - {"origin"}:
                found.append(f"{topic}: {name}: it ignores {', '.join(sorted(ignored))}")
    print(json.dumps([__version__, count, found]))

asyncio.run(look(json.load(sys.stdin)))
"""


def devices() -> list[tuple[str, str]]:
    """Return what we publish: the topics and payloads of the service's device and of some cameras'."""
    topics = Topics("camalert")
    made = [homeassistant.service_device(topics), *(homeassistant.camera_device(topics, name) for name in CAMERAS)]
    return [(one.topic, one.payload.decode()) for one in made]


def check(python: str) -> tuple[str, int, list[str]]:
    """Return Home Assistant's version, how many components it looked at, and what it has against them."""
    command = [*shlex.split(python), "-c", CHECK]
    done = subprocess.run(command, input=json.dumps(devices()), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{python} has no Home Assistant that can be imported:\n{done.stderr.strip()[-600:]}")
    version, count, found = json.loads(done.stdout.splitlines()[-1])
    return str(version), int(count), [str(problem) for problem in found]


def main(arguments: list[str]) -> int:
    """Run the check from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", required=True, help="the Python of an environment that has homeassistant")
    version, count, problems = check(parser.parse_args(arguments).python)
    print(f"Home Assistant {version}: {count} components, {len(problems)} problems")
    print("\n".join(problems))
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
