"""The book of the cameras: when each was last heard, why it failed, and whose silence has become too long.

Pure: part of the books of `statusbook`. Times are monotonic, None for never.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from camalert import config
from camalert.status import DAY_S, CameraStatus

MAX_CAMERAS = 256  # names come from mails: a stranger may invent any number of them
FORGET_DAYS = 90.0  # a camera nobody configured and nobody heard for so long is gone, not silent
FAILURE_CHARS = 300


@dataclass(frozen=True, slots=True)
class Silence:
    """A camera's silence has begun to be too long, or has ended."""

    camera: str
    days: float
    has_ended: bool = False


@dataclass(slots=True)
class _Camera:
    signed_at: float
    mailed_at: float | None = None
    pictured_at: float | None = None
    failed_at: float | None = None
    failure: str = ""
    mails: int = 0
    failures: int = 0
    peer: str = ""  # the address it last sent from
    is_configured: bool = False
    is_silent: bool = False

    @property
    def is_expected(self) -> bool:
        """Tell whether its silence means something: a stranger who never delivered a mail may stay away."""
        return self.is_configured or self.mailed_at is not None

    @property
    def sign_at(self) -> float | None:
        """Return when it was last heard; `signed_at` counts from the start for one that never was."""
        return None if self.mailed_at is None and self.failed_at is None else self.signed_at


class CameraBook:
    """Keep the signs of life of every camera.

    Cameras nobody configured are known by the names in their mails, or by their address.

    Args:
        silence: When a camera counts as silent.
        cameras: The configured cameras, expected from the start.
        now: Monotonic seconds.
    """

    def __init__(self, silence: config.Status, cameras: Sequence[config.Camera], now: float) -> None:
        self._cameras: dict[str, _Camera] = {}
        self.expect(silence, cameras, now)

    def expect(self, silence: config.Status, cameras: Sequence[config.Camera], now: float) -> None:
        """Take another configuration; what was heard stays known."""
        self._silence = silence
        self._own_limits = {camera.name: camera.silent_days for camera in cameras if camera.silent_days > 0}
        names = {camera.name for camera in cameras}
        for name, known in self._cameras.items():
            known.is_configured = name in names
        for camera in cameras:
            if camera.name and camera.name not in self._cameras:
                self._cameras[camera.name] = _Camera(now, is_configured=True)

    def mailed(self, camera: str, peer: str, pictures: int, now: float) -> Silence | None:
        """Note a mail of a camera at an address; a test or health mail has no pictures.

        Returns: The end of a silence, for the log.
        """
        found, ended = self._sign(camera or self._camera_at(peer), now)
        if found:
            found.mails += 1
            found.mailed_at = now
            found.peer = peer or found.peer
            if pictures:
                found.pictured_at = now
        return ended

    def failed(self, camera: str, peer: str, words: str, now: float) -> Silence | None:
        """Note that a camera failed to deliver and why; by its address when it did not say who it is.

        Returns: The end of a silence, for the log.
        """
        found, ended = self._sign(camera or self._camera_at(peer), now)
        if found:
            found.failures += 1
            found.peer = peer or found.peer
            found.failed_at, found.failure = now, words[:FAILURE_CHARS]
        return ended

    def seen(self, name: str, age_s: float, now: float) -> None:
        """Note when a camera was last heard before this run, `age_s` ago; what this run heard counts more."""
        if not name or (name not in self._cameras and age_s > FORGET_DAYS * DAY_S):
            return
        if name not in self._cameras:
            self._make_room()
            self._cameras[name] = _Camera(now)
        camera = self._cameras[name]
        if camera.mailed_at is None:
            camera.signed_at = camera.mailed_at = now - max(0.0, age_s)

    def restore(self, before: Iterable[CameraStatus], now: float, now_utc: float) -> None:
        """Take over what the run before knew of its cameras."""
        for camera in before:
            if camera.last_mail_utc:
                self.seen(camera.name, now_utc - camera.last_sign_utc, now)
                if camera.name in self._cameras:
                    self._cameras[camera.name].is_silent = camera.is_silent

    def new_silences(self, now: float) -> list[Silence]:
        """Return the cameras whose silence has become too long since the last call; each is told once."""
        found = []
        for name, camera in self._cameras.items():
            limit_days = self._own_limits.get(name, self._silence.silent_days)
            days = (now - camera.signed_at) / DAY_S
            if camera.is_expected and limit_days and days >= limit_days and not camera.is_silent:
                camera.is_silent = True
                found.append(Silence(name, days))
        return found

    def render(self, utc: Callable[[float | None], float]) -> tuple[CameraStatus, ...]:
        """Return what the status shows; `utc` puts a time on the wall clock, 0.0 for never."""
        return tuple(
            CameraStatus(
                name,
                utc(camera.sign_at),
                utc(camera.mailed_at),
                utc(camera.pictured_at),
                utc(camera.failed_at),
                camera.failure,
                camera.mails,
                camera.failures,
                camera.is_silent,
            )
            for name, camera in self._cameras.items()
        )

    def _sign(self, name: str, now: float) -> tuple[_Camera | None, Silence | None]:
        """Note a sign of life of a camera, which may be a new one."""
        if not name:
            return None, None
        camera = self._cameras.get(name)
        if camera is None:
            self._make_room()
            camera = self._cameras[name] = _Camera(now)
        ended = Silence(name, (now - camera.signed_at) / DAY_S, has_ended=True) if camera.is_silent else None
        camera.is_silent = False
        camera.signed_at = now
        return camera, ended

    def _camera_at(self, peer: str) -> str:
        """Return the one camera known to send from an address, else the address itself."""
        names = [name for name, camera in self._cameras.items() if peer and camera.peer == peer]
        return names[0] if len(names) == 1 else peer

    def _make_room(self) -> None:
        """Forget, of the cameras nobody configured, the one that was quiet the longest."""
        if len(self._cameras) >= MAX_CAMERAS:
            strangers = [name for name, camera in self._cameras.items() if not camera.is_configured]
            if strangers:
                del self._cameras[min(strangers, key=lambda name: self._cameras[name].signed_at)]
