"""The original's way, as `perf/peers.py` measures it: `intake PORT FOLDER` and `detect FOLDER`, two processes.

The intake goes through each mail line by line and writes the picture as a file. The detector looks into the folder once
a second, makes each picture 400 px wide, asks HOG, and writes a row, in SQLite's rollback journal. It needs OpenCV 4.
"""

from __future__ import annotations

import base64
import sqlite3
import sys
import time
from pathlib import Path

POLL_S = 1.0
WIDTH_PX = 400


class Handler:
    """What takes mails."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def handle_DATA(self, _server: object, _session: object, envelope: object) -> str:  # noqa: N802 - its name
        subject, is_picture, is_body, encoded = "", False, False, []
        for raw in envelope.content.decode("latin-1").splitlines():  # type: ignore[attr-defined]
            line = raw.strip()
            if line.lower().startswith("subject:"):
                subject = line[8:].strip()
            elif line.startswith("--"):
                is_picture = is_body = False
            elif line.lower().startswith("content-type: image/"):
                is_picture = True
            elif is_picture and not line:
                is_body = True
            elif is_body:
                encoded.append(line)
        partial = self.folder / f"{subject}.part"
        partial.write_bytes(base64.b64decode("".join(encoded)))
        partial.rename(self.folder / f"{subject}.jpg")
        return "250 OK"


def intake(port: int, folder: Path) -> None:
    """Take mails until the process is ended."""
    from aiosmtpd.controller import Controller  # noqa: PLC0415 - the other process needs none of it

    Controller(Handler(folder), hostname="127.0.0.1", port=port).start()
    while True:
        time.sleep(60)


def detect(folder: Path) -> None:
    """Examine what lies in the folder until the process is ended."""
    import cv2  # noqa: PLC0415 - the other process needs none of it
    import imutils  # noqa: PLC0415

    cv2.setNumThreads(1)
    hog = cv2.HOGDescriptor()  # type: ignore[attr-defined, unused-ignore]  # OpenCV 4
    hog.setSVMDetector(cv2.HOGDescriptor_getDefaultPeopleDetector())  # type: ignore[attr-defined, unused-ignore]
    database = sqlite3.connect(folder / "peer.sqlite3")
    database.execute("CREATE TABLE verdict (subject TEXT, score REAL, snapshot BLOB)")
    database.commit()
    (folder / "ready").touch()
    while True:
        for path in sorted(folder.glob("*.jpg")):
            picture = imutils.resize(cv2.imread(str(path)), width=WIDTH_PX)
            grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
            found, weights = hog.detectMultiScale(grey, winStride=(4, 4), padding=(4, 4), scale=1.05)
            for x, y, width, height in found:
                cv2.rectangle(picture, (x, y), (x + width, y + height), (0, 0, 255), 2)
            score = max((float(weight) for weight in weights), default=0.0)
            jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
            database.execute("INSERT INTO verdict VALUES (?, ?, ?)", (path.stem, score, jpeg))
            database.commit()
            path.unlink()
        time.sleep(POLL_S)


if __name__ == "__main__":
    if sys.argv[1] == "intake":
        intake(int(sys.argv[2]), Path(sys.argv[3]))
    else:
        detect(Path(sys.argv[2]))
