"""Many pictures as one ZIP file, written while it is sent: no file on disk, one picture in memory at a time."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Iterator
from typing import Any

from camalert.review.alerts.models import Alert, AlertFacts, Detect, DetectFacts
from camalert.review.media import file_name, picture_kind
from camalert.review.selection import Album

MAX_PICTURES = 2000
INDEX = "index.json"
# What a later tuning of the detection needs to know of each picture.
_FACTS = (
    "timestamp", "camera", "event", "subject", "mark", "best_score", "threshold", "people", "reason", "engine", "model",
    "effort", "height_px", "width_px",
)  # fmt: skip


class _Outlet(io.RawIOBase):
    """Collect what the archive writes, to be sent on."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._waiting += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._waiting)
        self._waiting.clear()
        return taken


def stream(album: Album, ids: Iterable[int]) -> Iterator[bytes]:
    """Yield a ZIP file of pictures with an index of what is known of them; those that are gone are left out.

    The pictures of an alarm are given as they came, those of people with the people marked.
    """
    pictures: Any = Detect if album is Album.PEOPLE else Alert
    facts: Any = DetectFacts if album is Album.PEOPLE else AlertFacts
    outlet = _Outlet()
    index: list[dict[str, Any]] = []
    # Stored and not deflated: a JPEG has no air in it.
    with zipfile.ZipFile(outlet, "w", zipfile.ZIP_STORED) as archive:
        for row_id in ids:
            picture = pictures.objects.filter(pk=row_id).values_list("snapshot", flat=True).first()
            known = facts.objects.filter(pk=row_id).values(*_FACTS).first()
            if picture is None or known is None:
                continue
            name = file_name(known["camera"], known["timestamp"], row_id, picture_kind(bytes(picture)).suffix)
            archive.writestr(name, bytes(picture))
            index.append({"file": name, "id": row_id, **known, "people": json.loads(known["people"] or "[]")})
            yield outlet.take()
        archive.writestr(INDEX, json.dumps(index, ensure_ascii=False, indent=1))
    yield outlet.take()
