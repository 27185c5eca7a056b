"""Start camalert as an add-on of Home Assistant: options become its settings, root becomes a user without rights.

Source: Home Assistant's developer documentation, "Add-on configuration" (/data/options.json), "Add-on communication"
(SUPERVISOR_TOKEN, the services API) and "Presenting your add-on" (ingress); 172.30.32.2 is the gateway's address there.
"""

from __future__ import annotations

import http.client
import json
import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from camalert.intake.smtp.passwords import hash_password

UID = GID = 10_001  # as in the Containerfile
GATEWAY = "172.30.32.2"
SUPERVISOR = "supervisor"
ASK_S = 10.0
MOST_BYTES = 1 << 20  # of options or an answer
MQTT_EVENTS = "visit,better,over,silent,back,trouble,well"
# An option of the add-on, and the key that it sets.
_KEYS = {
    "profile": "SERVICE__PROFILE",
    "effort": "DETECTOR__EFFORT",
    "keep_alerts": "DATABASE__KEEP_ALERTS",
    "silent_days": "STATUS__SILENT_DAYS",
    "log_level": "LOG__LEVEL",
}


def settings(options: Mapping[str, Any], broker: Mapping[str, Any] | None, data: Path) -> dict[str, str]:
    """Return camalert's settings, as variables of the environment.

    Args:
        options: As Home Assistant's owner set them.
        broker: What the services API says of MQTT, None when there is no broker or it is not wanted.
        data: The folder that outlives the container.
    """
    found = {
        "DATABASE__PATH": str(data / "var/alerts.sqlite3"),
        "REVIEW__DATA_DIR": str(data / "var/review"),
        "SERVICE__RUN_DIR": str(data / "var/run"),
        "SMTP__CERTIFICATE": str(data / "tls/certificate.pem"),
        "SMTP__PRIVATE_KEY": str(data / "tls/key.pem"),
        "REVIEW__PORT": "8025",
        "REVIEW__INGRESS": GATEWAY,
        "LOG__FORMAT": "text",
    }
    found |= {key: str(options[option]) for option, key in _KEYS.items() if option in options}
    logins = options.get("logins") or []
    for number, login in enumerate(logins):
        found[f"SMTP__AUTH__USER__{number}__NAME"] = login["name"]
        found[f"SMTP__AUTH__USER__{number}__PASSWORD"] = hash_password(login["password"])
    if logins:
        found["SMTP__AUTH__ACCEPT"] = "users"
    if broker:
        found |= {
            "NOTIFY__0__NAME": "Home Assistant",
            "NOTIFY__0__URL": broker_url(broker),
            "NOTIFY__0__EVENTS": MQTT_EVENTS,
        }
    return {f"CAMALERT_{key}": value for key, value in found.items()}


def broker_url(broker: Mapping[str, Any]) -> str:
    """Return a broker's URL, as in a [[notify]] block."""
    scheme = "mqtts" if broker.get("ssl") else "mqtt"
    user, password = (quote(str(broker.get(key) or ""), safe="") for key in ("username", "password"))
    login = f"{user}:{password}@" if user else ""
    return f"{scheme}://{login}{broker['host']}:{int(broker.get('port') or 1883)}/camalert"


def ask_broker(host: str, token: str) -> dict[str, Any] | None:
    """Ask Home Assistant for its MQTT broker; None when it has none.

    Raises: OSError, http.client.HTTPException or ValueError when it does not answer in its way.
    """
    connection = http.client.HTTPConnection(host, timeout=ASK_S)
    try:
        connection.request("GET", "/services/mqtt", headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        content = answer.read(MOST_BYTES)
    finally:
        connection.close()
    if answer.status != http.client.OK:
        return None
    data = json.loads(content).get("data")
    return data if isinstance(data, dict) and data.get("host") else None


def options_of(file: Path) -> dict[str, Any]:
    """Read the options, and let nobody else do so from now on: they hold passwords.

    Raises: OSError when there are none, or something else in their place.
    """
    opened = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(opened, "rb") as stream:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise OSError(f"{file} is no file")
        if os.geteuid() == 0:
            os.fchown(opened, 0, 0)
            os.fchmod(opened, 0o600)
        found: dict[str, Any] = json.loads(stream.read(MOST_BYTES))
    return found


def main(data: Path = Path("/data"), own: Path = Path("/config/config.toml"), supervisor: str = SUPERVISOR) -> None:
    """Start camalert in the place of this process."""
    options = options_of(data / "options.json")
    environment = dict(os.environ)
    token = environment.pop("SUPERVISOR_TOKEN", "")
    environment.pop("HASSIO_TOKEN", None)
    broker = None
    if options.get("mqtt", True) and token:
        try:
            broker = ask_broker(supervisor, token)
        except (OSError, http.client.HTTPException, ValueError) as error:
            print(f"camalert: Home Assistant does not say which broker it has: {error}", file=sys.stderr)
        if broker is None:
            print("camalert: no MQTT broker, so cameras are no devices of Home Assistant", file=sys.stderr)
    environment |= settings(options, broker, data)
    if os.geteuid() == 0:
        os.chown(data, UID, GID, follow_symlinks=False)  # the folder alone: root follows nothing that lies in it
        os.setgroups([])
        os.setgid(GID)
        os.setuid(UID)
    os.umask(0o007)
    command = [sys.executable, "-m", "camalert", "run", *(["--config", str(own)] if own.exists() else [])]
    os.chdir(data)
    os.execve(sys.executable, command, environment)


if __name__ == "__main__":
    main()
