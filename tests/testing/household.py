"""A made-up household for the review site's tests: a database with cameras, alarms, people and mails.

Pictures come from scikit-image, drawn over so that each differs; a large one has small grey pictures.
"""

from __future__ import annotations

import datetime
import json
import random
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from camalert.config.schema import Visits
from camalert.store.rows import visits
from camalert.store.sqlite import schema

CAMERAS = ("Front door", "Garage", "Garden gate", "Terrace", "Driveway")
EVENTS = ("motion", "line crossing", "person", "")
HEADERS = (
    "Received: from cam\nFrom: {sender}\nTo: alarm@home\nSubject: {subject}\nX-Mailer: <script>alert(1)</script>\n"
)


@dataclass(frozen=True, slots=True)
class Picture:
    """A snapshot, its size, and where a person stands in it, if one does."""

    jpeg: bytes
    height_px: int
    width_px: int
    person: tuple[int, int, int, int] | None = None


def scenes() -> list[Picture]:
    """Return some pictures, two of them with a person."""
    from skimage import data  # noqa: PLC0415 - slow to import, and not every caller wants pictures

    found = []
    for name, person in (
        ("astronaut", (120, 0, 250, 500)), ("camera", (110, 60, 150, 400)), ("chelsea", None), ("coffee", None),
        ("rocket", None), ("cat", None),
    ):  # fmt: skip
        image = getattr(data, name)()
        bgr = cv2.cvtColor(image, cv2.COLOR_GRAY2BGR if image.ndim == 2 else cv2.COLOR_RGB2BGR)
        height, width = bgr.shape[:2]
        found.append(Picture(_jpeg(bgr), height, width, person))
    return found


def tiny() -> list[Picture]:
    """Return a few small grey pictures of some kilobytes, for a database of very many."""
    noise = np.random.default_rng(1)
    found = []
    for number in range(8):
        image = np.full((120, 192, 3), 40 + 20 * number, np.uint8)
        image[:, :, 1] += noise.integers(0, 30, (120, 192), dtype=np.uint8)
        found.append(Picture(_jpeg(image), 120, 192, (40, 20, 40, 90)))
    return found


def _jpeg(image: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, 80))[1].tobytes()


class Household:
    """A database of `[database] path`, filled as the service would fill it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.connection = sqlite3.connect(path, isolation_level=None, timeout=20)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = OFF")
        schema.prepare(self.connection, schema.Limits(10_000_000, 10_000_000), time.time())

    def close(self) -> None:
        """Close the database."""
        self.connection.close()

    def fill(self, count: int, pictures: list[Picture], *, end: datetime.datetime, seed: int = 7) -> None:
        """Add alarms that end at a moment: bursts of one camera, quiet hours in between."""
        chance = random.Random(seed)
        moments, at = [], end
        while len(moments) < count:
            camera = chance.choice(CAMERAS)
            for _ in range(min(count - len(moments), chance.choice((1, 1, 1, 2, 3, 5)))):
                moments.append((at, camera))
                at -= datetime.timedelta(seconds=chance.randint(2, 25))
            at -= datetime.timedelta(seconds=chance.randint(100, 6000))
        self.connection.execute("BEGIN")
        for at, camera in reversed(moments):
            self.add(camera, at, chance.choice(pictures), event=chance.choice(EVENTS), reviewed=chance.random() < 0.3)
        self.connection.execute("COMMIT")

    def add(
        self,
        camera: str,
        at: datetime.datetime,
        picture: Picture,
        *,
        event: str = "motion",
        reviewed: bool = False,
        subject: str = "",
        pending: bool = False,
        snapshot: bytes | None = None,
    ) -> tuple[int, int | None]:
        """Add one alarm, with its detection when there is a person; return both ids."""
        run = self.connection.execute
        subject = subject or f"{camera}: {event or 'alarm'}"
        stamp = at.strftime("%Y-%m-%d %H:%M:%S")
        at_utc = at.timestamp()
        sender = f"{camera.lower().replace(' ', '-')}@home.local"
        mail = run(
            "INSERT INTO camalert_mail (mail_id, digest, received_utc, first_id, count, peer, helo, login, sender,"
            " recipients, subject, camera, event, camera_time, kind, unreadable, headers)"
            " VALUES (randomblob(16), '', ?, 0, 1, '192.168.1.20', 'cam', '', ?, '[\"alarm@home\"]', ?, ?, ?, ?,"
            " 'alarm', '', ?)",
            (at_utc + 1, sender, subject, camera, event, stamp, HEADERS.format(sender=sender, subject=subject)),
        ).lastrowid
        jpeg = picture.jpeg if snapshot is None else snapshot
        alert = run("INSERT INTO alerts_alert (subject, timestamp, snapshot) VALUES (?, ?, ?)", (subject, stamp, jpeg))
        alert_id = alert.lastrowid
        run(
            "UPDATE camalert_alert SET mail = ?, camera = ?, event = ?, received_utc = ?, taken_utc = ?,"
            " picture_kind = 'jpeg', picture_name = ?, picture_bytes = ?, reviewed_utc = ? WHERE alert_id = ?",
            (mail, camera, event, at_utc + 1, at_utc, "snap.jpg", len(jpeg), at_utc if reviewed else None, alert_id),
        )
        if pending:
            run("INSERT INTO camalert_pending VALUES (?, 0, ?)", (alert_id, len(jpeg)))
            return alert_id, None
        detect_id = self.conclude(alert_id, picture, at_utc, reviewed=reviewed)
        day = stamp[:10]
        run(
            "INSERT INTO camalert_camera VALUES (?1, ?2, ?2, 'alarm', '192.168.1.20', 1, 1, ?3) ON CONFLICT (name) DO"
            " UPDATE SET last_seen_utc = ?2, mails = mails + 1, alerts = alerts + 1, detections = detections + ?3",
            (camera, at_utc, detect_id is not None),
        )
        run(
            "INSERT INTO camalert_day (day, camera, mails, alerts, detections) VALUES (?1, ?2, 1, 1, ?3)"
            " ON CONFLICT (day, camera) DO UPDATE SET"
            " mails = mails + 1, alerts = alerts + 1, detections = detections + ?3",
            (day, camera, detect_id is not None),
        )
        return alert_id, detect_id

    def group(self) -> None:
        """Give all pictures with people their visits."""
        while visits.keep_up(self.connection, Visits(), "local", time.time()):
            pass

    def conclude(self, alert_id: int, picture: Picture, at_utc: float, *, reviewed: bool = False) -> int | None:
        """End an examination with what stands in the picture."""
        run = self.connection.execute
        box = picture.person
        score = 0.55 + (alert_id * 37 % 43) / 100 if box else (alert_id * 13 % 30) / 100
        people = [dict(zip(("x", "y", "width", "height", "score"), (*box, score), strict=True))] if box else []
        outcome = "person" if box else "nobody"
        reason = f"a person at {score:.2f}" if box else f"nobody: the best score {score:.2f} is below 0.45"
        verdict = (
            score, 0.45, json.dumps(people), reason, "openvino", "picodet_s", "balanced", 4.2, 31.0, picture.height_px,
            picture.width_px, picture.height_px, picture.width_px, "{}", at_utc + 2,
        )  # fmt: skip
        columns = (
            "best_score, threshold, people, reason, engine, model, effort, decode_ms, detect_ms, height_px, width_px,"
            " original_height_px, original_width_px, details, concluded_utc"
        )
        marks = ", ".join("?" * len(verdict))
        run("DELETE FROM camalert_pending WHERE alert_id = ?", (alert_id,))
        run(f"UPDATE camalert_alert SET ({columns}) = ({marks}), outcome = ? WHERE alert_id = ?",
            (*verdict, outcome, alert_id))  # fmt: skip
        if not box:
            return None
        detect_id = run(
            "INSERT INTO alerts_detect (subject, timestamp, snapshot) SELECT subject, timestamp, snapshot"
            " FROM alerts_alert WHERE id = ?", (alert_id,)
        ).lastrowid  # fmt: skip
        run(
            "UPDATE camalert_detect SET (alert_id, mail, camera, event, received_utc, taken_utc) = (SELECT alert_id,"
            " mail, camera, event, received_utc, taken_utc FROM camalert_alert WHERE alert_id = ?) WHERE detect_id = ?",
            (alert_id, detect_id),
        )
        run(f"UPDATE camalert_detect SET ({columns}) = ({marks}), reviewed_utc = ? WHERE detect_id = ?",
            (*verdict, at_utc if reviewed else None, detect_id))  # fmt: skip
        run("UPDATE camalert_alert SET detect_id = ? WHERE alert_id = ?", (detect_id, alert_id))
        return detect_id
