"""What a browser is told of a picture or clip: a safe type by its first bytes, a file name of our own.

Pure. Whatever a mail calls its attachment, and whatever hides in it, only what begins as a picture is shown as one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from camalert.pictures import identify

_PICTURES = {"jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp", "gif": "image/gif", "bmp": "image/bmp"}
_CLIPS = {"mp4": "video/mp4", "mkv": "video/x-matroska", "avi": "video/x-msvideo"}
_PLAYABLE = ("mp4",)
_SUFFIX = {"jpeg": "jpg"}
_BYTES = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Kind:
    """How to hand a file out; what is not `is_shown` is only ever downloaded."""

    content_type: str
    suffix: str
    is_shown: bool


def picture_kind(data: bytes) -> Kind:
    """Return how to hand out a picture."""
    name = identify(data)
    if name is None:
        return Kind(_BYTES, "bin", is_shown=False)
    return Kind(_PICTURES[name], _SUFFIX.get(name, name), is_shown=True)


def clip_kind(name: str) -> Kind:
    """Return how to hand out a clip of a kind that the service found out."""
    return Kind(_CLIPS.get(name, _BYTES), name if name in _CLIPS else "bin", is_shown=name in _PLAYABLE)


def file_name(camera: str, timestamp: str, row_id: int, suffix: str) -> str:
    """Return a name for a download that is a plain one on every system."""
    when = re.sub(r"[^0-9]", "", timestamp)[:14]
    where = re.sub(r"[^A-Za-z0-9]+", "-", camera).strip("-")[:40]
    return "-".join(part for part in ("camalert", where, when, str(row_id)) if part) + f".{suffix}"
