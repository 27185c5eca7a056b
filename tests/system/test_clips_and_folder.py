"""Clips and a folder as input, through the whole service."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import skimage.data
from testing import pictures
from testing.clips import make_clip
from testing.service import ServiceUnderTest
from testing.waiting import until

PERSON_AT = range(20, 30)


def person_clip(path: Path) -> bytes:
    """Return a clip of an empty grey room that a person is in for a second of four."""
    person = cv2.resize(cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR), (480, 480))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (640, 480))
    for number in range(40):
        frame = np.full((480, 640, 3), 120, np.uint8)
        if number in PERSON_AT:
            frame[:, 80:560] = person
        writer.write(frame)
    writer.release()
    return path.read_bytes()


def put(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}")
    unfinished.write_bytes(content)
    return unfinished.rename(path)


def test_folder_pictures_and_clips_become_alerts(make_service: Callable[..., ServiceUnderTest], tmp_path: Path) -> None:
    """A picture and a clip with a person are detected, a clip without one is an alert, a broken clip is kept."""
    folder = tmp_path / "incoming"
    service = make_service(
        intake__folder__enabled="true",
        intake__folder__path=folder,
        intake__folder__poll_seconds=0.1,
        intake__folder__settle_seconds=0.3,
    ).start()
    jpeg = pictures.person_jpeg()
    broken = b"\0\0\0\x18ftypmp42" + b"moov" + bytes(3000)
    clip = person_clip(tmp_path / "person.avi")

    put(folder, "gate/Snap_20240304-120000-1.txt", b"Somebody at the gate")
    dropped = [
        put(folder, "gate/Snap_20240304-120000-1.jpg", jpeg),
        put(folder, "yard/person.avi", clip),
        put(folder, "yard/ball.avi", make_clip(tmp_path / "ball.avi", ball=range(60))),
        put(folder, "yard/broken.mp4", broken),
    ]
    until(lambda: not any(path.exists() for path in dropped), lambda: f"files are taken\n{service.tail()}")
    service.wait_examined()

    alerts = dict(service.query("SELECT a.subject, a.snapshot FROM alerts_alert a WHERE a.subject != 'yard'"))
    assert alerts == {"Somebody at the gate": jpeg}
    assert service.count("alerts_alert") == 3
    assert service.count("alerts_detect") == 2
    states = service.query("SELECT name, state, clip FROM camalert_clip ORDER BY name")
    assert [(name, state) for name, state, _ in states] == [
        ("ball.avi", "examined"),
        ("broken.mp4", "failed"),
        ("person.avi", "examined"),
    ]
    assert (states[1][2], states[2][2]) == (broken, clip)
    (snapshot,) = service.query(
        "SELECT a.snapshot FROM alerts_alert a JOIN camalert_clip c ON c.alert_id = a.id WHERE c.name = 'person.avi'"
    )[0]
    shown = cv2.imdecode(np.frombuffer(snapshot, np.uint8), cv2.IMREAD_COLOR)
    assert shown.shape == (480, 640, 3)
    assert shown[:, 80:560].std() > 30, "the snapshot is a picture with the person in it"
