"""The usual script, as `perf/peers.py` measures it: `PORT FOLDER`, one process that does everything in the handler.

The stock aiosmtpd, the standard library's mail parser, one look of one network over `cv2.dnn` (the one that camalert
ships), a row in SQLite.
"""

from __future__ import annotations

import email
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from aiosmtpd.controller import Controller

from camalert.detection import picodet, weights
from camalert.detection.looks import View

VIEW = View(640, 640)
BOX_SCORE = 0.3


class Handler:
    """What takes mails and examines their pictures."""

    def __init__(self, folder: Path) -> None:
        self.database = sqlite3.connect(folder / "peer.sqlite3", check_same_thread=False)
        self.database.execute("CREATE TABLE verdict (subject TEXT, score REAL, snapshot BLOB)")
        self.database.commit()
        cv2.setNumThreads(1)
        self.network = cv2.dnn.readNetFromONNX(np.frombuffer(weights.read(picodet.FILE), np.uint8))
        self.examine(np.zeros((640, 640, 3), np.uint8))

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - its name
        mail = email.message_from_bytes(envelope.content)
        for part in mail.walk():
            if part.get_content_maintype() == "image":
                self.take(mail["Subject"], part.get_payload(decode=True))
        return "250 OK"

    def take(self, subject: str, picture: Any) -> None:
        """Examine one picture and keep what was found."""
        frame = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
        found = self.examine(frame)
        for x, y, width, height, score in found:
            if score >= BOX_SCORE:
                cv2.rectangle(frame, (int(x), int(y)), (int(x + width), int(y + height)), (0, 0, 255), 2)
        snapshot = cv2.imencode(".jpg", frame)[1].tobytes()
        score = float(found[0, 4]) if len(found) else 0.0
        self.database.execute("INSERT INTO verdict VALUES (?, ?, ?)", (subject, score, snapshot))
        self.database.commit()

    def examine(self, frame: Any) -> Any:
        """Return boxes, the surest first."""
        return picodet.run_pass(self._run, frame, VIEW).people

    def _run(self, blob: Any) -> picodet.Outputs:
        self.network.setInput(blob, "image")
        return picodet.Outputs(*self.network.forward(picodet.OUTPUTS)[:2])


if __name__ == "__main__":
    port, place = int(sys.argv[1]), Path(sys.argv[2])
    Controller(Handler(place), hostname="127.0.0.1", port=port).start()
    (place / "ready").touch()
    while True:
        time.sleep(60)
