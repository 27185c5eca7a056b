"""camalert as a service of a machine with a real systemd: from installation to removal, in this order.

The tests share one machine, as an owner has one; each leaves the service running.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from host import INSTALL, PYTHON, Host

PICTURE = "/checkout/camalert/detection/models/astronaut.jpg"
CONFIG = "/etc/camalert/config.toml"
DATABASE = "/var/lib/camalert/alerts.sqlite3"
DROP_INS = "/etc/systemd/system/camalert.service.d"

COUNT = """
import contextlib, sqlite3, sys
with contextlib.closing(sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)) as database:
    print(database.execute(f"SELECT count(*) FROM {sys.argv[2]}").fetchone()[0])
"""
# The original's tables with one row.
ORIGINAL_DATABASE = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1])
for name in ("alerts_alert", "alerts_detect"):
    database.execute(f'CREATE TABLE "{name}" ("id" integer NOT NULL PRIMARY KEY AUTOINCREMENT, '
        '"subject" varchar(200) NOT NULL, "timestamp" datetime NOT NULL, "snapshot" BLOB NOT NULL)')
database.execute("INSERT INTO alerts_alert (subject, timestamp, snapshot) VALUES ('old', '2024-01-01 00:00:00', x'ff')")
database.commit()
"""
# A mail that waits before its last dot until a file appears.
SLOW_MAIL = """
import base64, pathlib, smtplib, sys, time
smtp = smtplib.SMTP("127.0.0.1", 1025, timeout=60)
smtp.ehlo(); smtp.mail("slow@camera"); smtp.rcpt("alarm@camalert"); smtp.docmd("DATA")
pathlib.Path("/tmp/begun").touch()
head = "Subject: slow\\r\\nContent-Type: image/jpeg; name=a.jpg\\r\\nContent-Transfer-Encoding: base64\\r\\n\\r\\n"
body = base64.encodebytes(pathlib.Path(sys.argv[1]).read_bytes()).decode()
smtp.send(head + body.replace("\\n", "\\r\\n"))
while not pathlib.Path("/tmp/go").exists():
    time.sleep(0.05)
smtp.send(".\\r\\n")
print(smtp.getreply()[0])
"""


def send(host: Host, camera: str = "garage") -> str:
    """Deliver an alarm and wait for its verdict."""
    return host.run("camalert", "send", PICTURE, "--camera", camera, "--config", CONFIG, timeout_s=90).stdout


def status(host: Host) -> dict[str, object]:
    """Return the service's own view of itself."""
    found = json.loads(host.run("camalert", "status", "--json", "--config", CONFIG, check=False).stdout)
    assert isinstance(found, dict)
    return found


def pids(host: Host) -> dict[str, int]:
    """Return the ready children's pids, as seen inside."""
    return {child["name"]: child["pid"] for child in status(host).get("children", []) if child["state"] == "ready"}  # type: ignore[attr-defined]


def wait_good(host: Host, seconds: float = 120) -> None:
    """Wait until every process is ready."""

    def is_good() -> bool:
        found = status(host)
        children = found.get("children", [])
        assert isinstance(children, list)
        return found["health"] == "good" and all(child["state"] == "ready" for child in children)

    host.wait("all is well", is_good, seconds)


def restart(host: Host) -> None:
    """Restart and wait until every process is ready."""
    host.run("systemctl", "reset-failed", "camalert.service", check=False)
    host.run("systemctl", "restart", "camalert.service")
    wait_good(host)


@pytest.fixture
def drop_in(host: Host) -> Iterator[None]:
    """Shorten the watchdog for one test."""
    host.write(f"{DROP_INS}/test.conf", "[Service]\nWatchdogSec=3\nTimeoutAbortSec=5\n")
    host.run("systemctl", "daemon-reload")
    restart(host)
    yield
    host.run("rm", f"{DROP_INS}/test.conf")
    host.run("systemctl", "daemon-reload")


@pytest.fixture
def config_text(host: Host) -> Iterator[str]:
    """Give the configuration's text, and put it back afterwards."""
    text = host.run("cat", CONFIG).stdout
    yield text
    host.write(CONFIG, text)
    restart(host)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (("runuser", "-u", "nobody", "--", "make", "-C", "/checkout", "install"), "this needs root: sudo make install"),
        (("make", "-C", "/checkout", "install", "PREFIX=/home/pi/camalert"), "cannot be seen by the service"),
        (("make", "-C", "/checkout", "install", "PREFIX=camalert"), "is not an absolute path"),
        (("make", "-C", "/checkout", "install", "PYTHON=/bin/false"), "Python 3.11 or newer is needed"),
        (("camalert", "import", "--from-original", "/srv/nothing"), "has no .env: name the folder"),
    ],
)
def test_install_refusals_are_words(host: Host, command: tuple[str, ...], said: str) -> None:
    """Whatever stands in the way is said in a line that tells what to do, and nothing is changed."""
    before = host.show("camalert.service", "MainPID")

    done = host.run(*command, check=False)

    assert done.returncode != 0
    assert said in done.stdout
    assert host.show("camalert.service", "MainPID") == before


def test_install_units_are_valid_and_hardened(host: Host) -> None:
    """systemd finds nothing wrong with the units, and an exposure of at most 1.5."""
    verified = host.run("systemd-analyze", "verify", "camalert.service", "camalert.socket")
    host.run("systemd-analyze", "security", "--threshold=15", "camalert.service")

    assert verified.stdout.strip() == ""


def test_install_service_runs_with_its_own_user_and_places(host: Host) -> None:
    """It is enabled, ready and says so; its data are for the group camalert, in which nobody is yet."""
    wait_good(host)

    assert host.show("camalert.service", "UnitFileState") == "enabled"
    assert host.show("camalert.service", "StatusText").startswith("Running: ")
    assert "camalert" not in host.run("id", "-nG", "www-data").stdout.split()
    owned = host.run("stat", "-c", "%U:%G %a", "/var/lib/camalert", DATABASE, CONFIG, "/run/camalert/status.json")
    assert owned.stdout.split("\n")[:4] == [
        "camalert:camalert 2770",
        "camalert:camalert 660",
        "root:camalert 640",
        "camalert:camalert 644",
    ]


def test_alarm_is_found_by_the_journals_fields(host: Host) -> None:
    """`journalctl CAMERA=garage EVENT=person_found` shows the event, its priority and its JSON."""
    said = send(host)

    assert "stored with people marked as detection" in said
    (event,) = host.events("CAMERA=garage", "EVENT=person_found")
    assert (event["PRIORITY"], event["_SYSTEMD_UNIT"]) == ("6", "camalert.service")
    assert json.loads(event["MESSAGE"])["camera"] == "garage"
    assert host.python(COUNT, DATABASE, "alerts_detect", user="camalert").strip() == "1"


def test_log_lines_are_short_and_without_secrets(host: Host) -> None:
    """No entry is over 8 kB, and a camera's password is in none."""
    login = "import smtplib; s = smtplib.SMTP('127.0.0.1', 1025); s.login('cam', 'sesame-open'); s.quit()"
    host.python(login)

    messages = [str(event["MESSAGE"]) for event in host.events()]
    assert max(len(message.encode()) for message in messages) <= 8192
    assert not any("sesame" in message for message in messages)


def test_killed_children_are_replaced(host: Host) -> None:
    """After kill -9 of any child, or of all at once, the service goes on with new ones."""
    wait_good(host)
    before = pids(host)
    assert {"writer", "smtp", "decoder-1", "detector-1", "review"} <= before.keys()

    host.run("kill", "-9", *map(str, before.values()))

    host.wait(
        "new processes",
        lambda: pids(host).keys() == before.keys() and not set(pids(host).values()) & set(before.values()),
    )
    assert "stored as alarm" in send(host)


def test_killed_supervisor_is_started_again_and_leaves_nothing(host: Host) -> None:
    """After kill -9 of the supervisor systemd starts the service anew; no old process and no old segment stays."""
    before, old = host.show("camalert.service", "MainPID"), pids(host)
    host.run("kill", "-9", before)

    host.wait("a new main process", lambda: host.show("camalert.service", "MainPID") not in (before, "0"))
    wait_good(host)
    assert not set(pids(host).values()) & set(old.values())
    assert all(host.run("kill", "-0", str(pid), check=False).returncode for pid in old.values())
    main_pid = host.show("camalert.service", "MainPID")
    assert len(host.run("ls", f"/proc/{main_pid}/root/dev/shm").stdout.split()) == 1
    assert "stored as alarm" in send(host)


def test_stopped_children_are_noticed_and_replaced(host: Host) -> None:
    """SIGSTOP of idle children is noticed by their silence; each is replaced."""
    stopped = {name: pid for name, pid in pids(host).items() if name != "writer"}
    host.run("kill", "-STOP", *map(str, stopped.values()))

    host.wait("new processes", lambda: not set(stopped.values()) & set(pids(host).values()), 90)
    wait_good(host)
    assert {event["CHILD"] for event in host.events("EVENT=child_hung")} >= stopped.keys()
    assert "stored as alarm" in send(host)


@pytest.mark.usefixtures("drop_in")
def test_stopped_supervisor_is_ended_by_the_watchdog(host: Host) -> None:
    """A supervisor that does nothing any more is aborted by systemd and started anew."""
    before = host.show("camalert.service", "MainPID")
    host.run("kill", "-STOP", before)

    host.wait("a new main process", lambda: host.show("camalert.service", "MainPID") not in (before, "0"), 60)
    wait_good(host)
    assert "watchdog" in host.run("journalctl", "-u", "camalert", "_PID=1").stdout.lower()


def test_reload_takes_a_good_configuration_and_refuses_a_bad_one(host: Host, config_text: str) -> None:
    """Everything begins anew in the same main process; a mistake changes nothing and is said."""
    wait_good(host)
    main_pid = host.show("camalert.service", "MainPID")
    detector = pids(host)["detector-1"]
    host.write(CONFIG, config_text.replace('effort = "balanced"', 'effort = "fast"'))
    host.run("systemctl", "reload", "camalert.service")
    host.wait("the new configuration", lambda: host.events("EVENT=service_reloaded"))
    wait_good(host)
    assert pids(host)["detector-1"] != detector
    assert host.show("camalert.service", "ActiveState") == "active"

    host.write(CONFIG, config_text.replace('effort = "balanced"', 'effort = "furious"'))
    host.run("systemctl", "reload", "camalert.service")

    host.wait("the refusal", lambda: host.events("EVENT=reload_refused"))
    assert "furious" in str(host.events("EVENT=reload_refused")[-1]["MESSAGE"])
    assert host.show("camalert.service", "MainPID") == main_pid
    host.write(CONFIG, config_text)
    assert "stored as alarm" in send(host)


def test_stop_finishes_the_mail_that_has_begun(host: Host) -> None:
    """A mail in transit is stored and answered with 250 before the service is gone; nothing stays behind."""
    wait_good(host)
    rows = int(host.python(COUNT, DATABASE, "alerts_alert"))
    host.run("rm", "-f", "/tmp/begun", "/tmp/go")
    host.write("/tmp/slow.py", SLOW_MAIL)
    host.run("sh", "-c", f"{PYTHON} /tmp/slow.py {PICTURE} >/tmp/answer 2>&1 &")
    host.wait("the mail has begun", lambda: not host.run("test", "-e", "/tmp/begun", check=False).returncode)

    host.run("systemctl", "stop", "--no-block", "camalert.service")
    host.wait("draining", lambda: host.show("camalert.service", "ActiveState") == "deactivating")
    host.run("touch", "/tmp/go")
    host.wait("the end", lambda: host.show("camalert.service", "ActiveState") == "inactive")

    assert host.run("cat", "/tmp/answer").stdout.strip() == "250"
    assert int(host.python(COUNT, DATABASE, "alerts_alert")) == rows + 1
    assert host.show("camalert.service", "Result") == "success"
    assert host.run("pgrep", "-u", "camalert", check=False).stdout == ""
    assert host.run("camalert", "status", "--config", CONFIG, check=False).returncode == 2
    restart(host)


def test_restart_with_the_socket_unit_refuses_nobody(host: Host) -> None:
    """With camalert.socket a camera that connects during a restart waits and is served."""
    host.run("systemctl", "stop", "camalert.service")
    host.run("systemctl", "enable", "--now", "camalert.socket")
    host.run("systemctl", "start", "camalert.service")
    knock = """
import pathlib, socket, time
count = 0
while not pathlib.Path("/tmp/enough").exists():
    with socket.create_connection(("127.0.0.1", 1025), timeout=30) as client:
        assert client.recv(3) == b"220"
        client.sendall(b"QUIT\\r\\n")
        count += 1
    time.sleep(0.02)
print("served", count)
"""
    host.run("rm", "-f", "/tmp/enough")
    host.write("/tmp/knock.py", knock)
    host.run("sh", "-c", f"{PYTHON} /tmp/knock.py >/tmp/knocked 2>&1 &")
    time.sleep(0.5)  # some knocks before the restart; how many does not matter

    restart(host)
    host.run("touch", "/tmp/enough")

    host.wait("the last knock", lambda: host.run("cat", "/tmp/knocked").stdout)
    assert "served" in host.run("cat", "/tmp/knocked").stdout
    assert "stored as alarm" in send(host)


def test_socket_unit_with_another_port_is_said(host: Host, config_text: str) -> None:
    """Ports of systemd that the configuration does not name end the start with what to do, and are not retried."""
    host.write(CONFIG, config_text.replace("\nport = 1025", "\nport = 2525", 1))

    host.run("systemctl", "restart", "camalert.service", check=False)

    host.wait("the refusal", lambda: host.show("camalert.service", "ActiveState") == "failed")
    assert host.show("camalert.service", "ExecMainStatus") == "78"
    assert "make both alike" in str(host.events("EVENT=service_misconfigured")[-1]["MESSAGE"])
    host.run("systemctl", "disable", "--now", "camalert.socket")


def test_configuration_mistake_is_said_and_not_retried(host: Host, config_text: str) -> None:
    """A mistake in config.toml is named in the journal with its priority and in the status, and systemd leaves it."""
    host.write(CONFIG, config_text + "\n[nonsense]\nkey = 1\n")

    host.run("systemctl", "restart", "camalert.service", check=False)

    host.wait("the refusal", lambda: host.show("camalert.service", "ActiveState") == "failed")
    assert host.show("camalert.service", "ExecMainStatus") == "78"
    assert "nonsense" in host.show("camalert.service", "StatusText")
    refusals = [event for event in host.events("PRIORITY=3") if "nonsense" in str(event["MESSAGE"])]
    assert refusals


def test_port_in_use_is_said_and_tried_again(host: Host) -> None:
    """Another program on the port is named as the reason; when it goes, the service comes up by itself."""
    host.run("systemctl", "stop", "camalert.service")
    hold = "import socket, time; s = socket.create_server(('127.0.0.1', 1025)); time.sleep(600)"
    host.run("sh", "-c", f'{PYTHON} -c "{hold}" >/dev/null 2>&1 & echo $! >/tmp/holder')
    time.sleep(0.5)

    host.run("systemctl", "start", "camalert.service", check=False)

    assert "another program uses it" in str(host.events("EVENT=service_not_started")[-1]["MESSAGE"])
    host.run("sh", "-c", "kill $(cat /tmp/holder)")
    wait_good(host)


def test_low_port_needs_no_root(host: Host, config_text: str) -> None:
    """Port 25 is bound by the service's own user."""
    host.write(CONFIG, config_text.replace("\nport = 1025", "\nport = 25", 1))

    restart(host)

    assert "stored as alarm" in send(host)


def test_metrics_are_served_when_switched_on(host: Host, config_text: str) -> None:
    """Prometheus gets its text on the local port."""
    host.write(
        CONFIG, config_text.replace("\n[metrics]", "\n[metrics]\n", 1).replace("enabled = false", "enabled = true")
    )

    restart(host)

    fetch = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:9465/metrics').read().decode())"
    assert "camalert_up 1.0" in host.python(fetch)


def test_upgrade_keeps_what_is_the_owners(host: Host) -> None:
    """Installing again takes a new folder, restarts the service, and leaves configuration, drop-ins and rows alone."""
    host.run("sh", "-c", f"echo '# mine' >>{CONFIG}")
    host.write(f"{DROP_INS}/mine.conf", "[Service]\nNice=7\n")
    release = host.run("readlink", "/usr/local/lib/camalert/current").stdout
    rows = host.python(COUNT, DATABASE, "alerts_alert")

    said = host.run("make", "-C", "/checkout", "install", environment=INSTALL, timeout_s=300).stdout

    wait_good(host)
    assert "keeping your " in said
    assert host.run("tail", "-n1", CONFIG).stdout == "# mine\n"
    assert host.show("camalert.service", "Nice") == "7"
    assert host.run("readlink", "/usr/local/lib/camalert/current").stdout != release
    assert host.run("readlink", "/usr/local/lib/camalert/previous").stdout == release
    assert host.python(COUNT, DATABASE, "alerts_alert") == rows


def test_upgrade_with_a_configuration_it_cannot_use_restarts_nothing(host: Host, config_text: str) -> None:
    """A mistake in the owner's configuration is named before the running service would end by it."""
    before = host.show("camalert.service", "MainPID")
    host.write(CONFIG, config_text + "\n[nonsense]\nkey = 1\n")

    done = host.run("make", "-C", "/checkout", "install", environment=INSTALL, check=False, timeout_s=300)

    assert "nonsense" in done.stdout
    assert "nothing was started or restarted" in done.stdout
    assert host.show("camalert.service", "MainPID") == before


def test_failed_upgrade_changes_nothing(host: Host) -> None:
    """An upgrade whose packages cannot be had ends in words, and the service runs on untouched."""
    before = host.show("camalert.service", "MainPID")
    nothing = {**INSTALL, "PIP_FIND_LINKS": "/nowhere"}

    done = host.run("make", "-C", "/checkout", "install", environment=nothing, check=False, timeout_s=300)

    assert done.returncode != 0
    assert "installation failed, nothing was changed" in done.stdout
    assert host.show("camalert.service", "MainPID") == before


def test_import_takes_over_from_the_original(host: Host) -> None:
    """The original's units are stopped and disabled, its rows stay where they are, and new alarms join them."""
    old = "/home/pi/mail"
    host.write(f"{old}/.env", "URL=0.0.0.0\nPORT=2525\nDEST_DIR=images\nDATABASE=db.sqlite3\nLOG_ACTIVE=True\n")
    for unit in ("mymailserver", "mydetectserver"):
        host.write(f"/etc/systemd/system/{unit}.service",
                   "[Service]\nExecStart=/bin/sleep 1d\n[Install]\nWantedBy=multi-user.target\n")  # fmt: skip
        host.run("systemctl", "enable", "--now", unit)
    host.python(ORIGINAL_DATABASE, f"{old}/db.sqlite3")

    refused = host.run("camalert", "import", "--from-original", old, check=False)
    said = host.run("camalert", "import", "--from-original", old, "--yes").stdout

    assert "no terminal to ask: add --yes" in refused.stdout
    assert "1 row in alerts_alert" in said
    wait_good(host)
    for unit in ("mymailserver", "mydetectserver"):
        assert host.show(f"{unit}.service", "ActiveState") == "inactive"
        assert host.run("systemctl", "is-enabled", unit, check=False).stdout.strip() == "disabled"
    assert "stored as alarm 2 " in send(host)
    assert host.python(COUNT, f"{old}/db.sqlite3", "alerts_alert", user="www-data").strip() == "2"
    assert len(host.run("sh", "-c", f"ls {old}/db.sqlite3.before-camalert-*").stdout.split()) == 1
    host.run("systemd-analyze", "security", "--threshold=16", "camalert.service")


def test_import_with_move_brings_the_database_home(host: Host) -> None:
    """The database lies with the service, a link leads there, and neither rows nor readers are lost."""
    old = "/home/pi/moved"
    host.write(f"{old}/.env", "URL=0.0.0.0\nPORT=1025\nDATABASE=db.sqlite3\n")
    host.python(ORIGINAL_DATABASE, f"{old}/db.sqlite3")
    command = ("camalert", "import", "--from-original", old, "--move", "--yes")

    refused = host.run(*command, check=False).stdout
    host.run("systemctl", "stop", "camalert.service")
    host.run("sh", "-c", f"rm -f {DATABASE}*")
    host.run(*command)

    assert f"{DATABASE} exists already" in refused
    wait_good(host)
    assert host.run("readlink", f"{old}/db.sqlite3").stdout.strip() == DATABASE
    assert "stored as alarm 2 " in send(host)
    for path in (DATABASE, f"{old}/db.sqlite3"):
        assert host.python(COUNT, path, "alerts_alert", user="www-data").strip() == "2"
    assert len(host.run("sh", "-c", f"ls {old}/db.sqlite3.before-camalert-*").stdout.split()) == 1


def test_uninstall_removes_the_program_and_keeps_the_data(host: Host) -> None:
    """Nothing of the program stays; configuration and pictures do, until PURGE=yes."""
    host.run("make", "-C", "/checkout", "uninstall")

    assert host.show("camalert.service", "LoadState") in ("not-found", "masked")
    assert host.run("ls", "/usr/local/lib/camalert", "/usr/local/bin/camalert", check=False).returncode != 0
    host.run("ls", DATABASE, CONFIG)
    host.run("make", "-C", "/checkout", "uninstall", "PURGE=yes")
    assert host.run("ls", "/var/lib/camalert", "/etc/camalert", check=False).stdout.count("No such file") == 2
    assert host.run("getent", "passwd", "camalert", check=False).returncode != 0
