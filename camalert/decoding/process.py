"""The decoder process: the encoded picture of a frame slot becomes the frame in the same slot.

A clip becomes a few pictures in its place first; then each of them comes as a job of its own.

Hostile bytes go no further than this process, which is disposable: it talks to no network and no database, its address
space is limited, and a picture that crashes it is tried once more and then marked failed by the writer.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace

from camalert.config.schema import Config
from camalert.decoding import clips, frames
from camalert.decoding.stderr import StderrCapture
from camalert.errors import Exit, FrameError, ProtocolError
from camalert.ipc.child import Context
from camalert.ipc.messages import Decode, Decoded, Ping, Pong, Ready, Stop
from camalert.ipc.pool import Pool
from camalert.ipc.records import FrameRecord
from camalert.ratelimit import RateLimit
from camalert.system.logs import log

TIME_SHARE = 0.5  # of a job's deadline for reading a clip; what comes after it is short
# Of a camera, a process: a bad connection damages many pictures, and then the first few lines and a count are enough.
DAMAGE_LINES_BURST = 5
DAMAGE_LINES_PER_S = 1 / 600


def main(context: Context) -> int:
    """Decode pictures until the supervisor says `Stop`."""
    frames.use_threads(1)  # the number of decoder processes is the parallelism; threads take address space
    channel = context.channel
    decoder = Decoder(context.pool, context.config)
    context.confine()
    channel.send(Ready(os.getpid()))
    while True:
        channel.wait()
        match channel.receive():
            case Decode() as job:
                channel.send(decoder.decode(job))
            case Ping(number):
                channel.send(Pong(number))
            case Stop():
                return Exit.OK
            case _:
                continue


class Decoder:
    """Do the jobs of one process, and log which pictures are damaged."""

    def __init__(self, pool: Pool, config: Config) -> None:
        self._pool = pool
        self._config = config
        self._stderr = StderrCapture()
        self._limit = RateLimit(per_second=DAMAGE_LINES_PER_S, burst=DAMAGE_LINES_BURST)

    def decode(self, job: Decode) -> Decoded:
        """Do one job: picture to frame, or the reason why not; of a clip the pictures first.

        A record that cannot be decoded is another process's fault: it stays as it is, and the writer judges it.
        """
        pool = self._pool
        try:
            record = FrameRecord.decode(pool.read_record(job.slot))
        except ProtocolError as error:
            log.error("slot_unreadable", slot=job.slot, message=str(error))
            return Decoded(job.slot, job.generation, is_failed=True, pictures=0)
        started = time.monotonic()
        try:
            with self._stderr:
                if job.is_clip:
                    record = self._take_pictures(job, record)
                record = replace(record, index=job.index)
                offset, length = _picture_of(record, job)
                with pool.encoded(job.slot) as encoded, pool.frame(job.slot) as out:
                    found = frames.decode_into(encoded[offset : offset + length], out, self._config.decode.max_pixels)
        except FrameError as error:
            printed = f" ({self._stderr.text})" if self._stderr.text else ""
            record = replace(record, reason=record.reason if record.people else f"not examined: {error}{printed}")
            pool.write_record(job.slot, record.encode())
            return Decoded(job.slot, job.generation, is_failed=True, pictures=0)
        self._log_damage(record, "clip" if job.is_clip else "picture")
        if not record.pictures:
            record = replace(
                record,
                kind=found.kind,
                original_height_px=found.original_height_px,
                original_width_px=found.original_width_px,
            )
        record = replace(
            record,
            height_px=found.height_px,
            width_px=found.width_px,
            decode_ms=round(record.decode_ms + (time.monotonic() - started) * 1000, 2),
        )
        pool.write_record(job.slot, record.encode())
        return Decoded(job.slot, job.generation, is_failed=False, pictures=len(record.pictures) or 1)

    def _take_pictures(self, job: Decode, record: FrameRecord) -> FrameRecord:
        """Put pictures of a clip back to back in its place; space for one more remains for the annotated picture.

        Raises: FrameError when the clip gives none.
        """
        config = self._config
        with self._pool.encoded(job.slot) as encoded, self._pool.frame(job.slot) as out:
            limits = clips.Limits(
                pictures=config.clip.pictures,
                max_pixels=config.decode.max_pixels,
                picture_px=len(out) // frames.CHANNELS,
                picture_bytes=len(encoded) // (config.clip.pictures + 1),
                seconds=config.decode.deadline_seconds * TIME_SHARE,
            )
            clip = clips.take_pictures(encoded[: job.picture_bytes], limits)
            places: list[tuple[int, int]] = []
            offset = 0
            for picture in clip.pictures:
                encoded[offset : offset + len(picture)] = picture
                places.append((offset, len(picture)))
                offset += len(picture)
        return replace(
            record,
            kind=clip.kind,
            original_height_px=clip.height_px,
            original_width_px=clip.width_px,
            pictures=tuple(places),
            moments_ms=clip.at_ms,
        )

    def _log_damage(self, record: FrameRecord, what: str) -> None:
        """Log what the libraries printed, a few lines a camera: some cameras damage every picture."""
        if not self._stderr.text:
            return
        admission = self._limit.admit(record.camera, time.monotonic())
        if admission.is_admitted:
            log.warning(
                "picture_damaged",
                message=f"this {what} came damaged; it is examined as far as it can be read ({self._stderr.text})",
                camera=record.camera,
                alert_id=record.alert_id,
                suppressed=admission.suppressed,
            )


def _picture_of(record: FrameRecord, job: Decode) -> tuple[int, int]:
    """Return offset and length of a job's picture in its slot.

    Raises: FrameError when the record has no such picture.
    """
    if not record.pictures:
        return 0, job.picture_bytes
    if not 0 <= job.index < len(record.pictures):
        raise FrameError(f"the clip has no picture {job.index + 1}, only {len(record.pictures)}")
    return record.pictures[job.index]
