"""The decoder process: the encoded picture of a frame slot becomes the frame in the same slot.

A clip becomes a few pictures in its place first; then each of them comes as a job of its own.

Hostile bytes end here. The process is disposable: it talks to no network and no database, its address space is limited,
and a picture that kills it is tried once more and then given up by the writer.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace

import structlog

from camalert import clips, frames
from camalert.child import Context
from camalert.complaints import Complaints
from camalert.config import Config
from camalert.errors import Exit, FrameError
from camalert.messages import Decode, Decoded, Ping, Pong, Ready, Stop
from camalert.pool import Pool
from camalert.ratelimit import RateLimit
from camalert.words import FrameWords

TIME_SHARE = 0.5  # of a job's deadline for reading a clip; what comes after it is short
# Of a camera, a process: a bad connection damages many pictures, and then the first few lines and a count do.
DAMAGE_LINES_BURST = 5
DAMAGE_LINES_PER_S = 1 / 600

log = structlog.get_logger()


def main(context: Context) -> int:
    """Decode pictures until told to stop."""
    frames.use_threads(1)  # the number of decoder processes is the parallelism; threads take address space
    channel = context.channel
    decoder = Decoder(context.pool, context.config)
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
    """Do the jobs of one process, and tell which pictures come damaged."""

    def __init__(self, pool: Pool, config: Config) -> None:
        self._pool = pool
        self._config = config
        self._complaints = Complaints()
        self._limit = RateLimit(per_second=DAMAGE_LINES_PER_S, burst=DAMAGE_LINES_BURST)

    def decode(self, job: Decode) -> Decoded:
        """Do one job: picture to frame, or the words why not; of a clip the pictures first."""
        pool, config = self._pool, self._config
        words = FrameWords.decode(pool.read_words(job.slot))
        started = time.monotonic()
        try:
            with self._complaints:
                if job.is_clip:
                    words = take_pictures(job, pool, config, words)
                words = replace(words, index=job.index)
                offset, length = words.pictures[job.index] if words.pictures else (0, job.picture_bytes)
                with pool.encoded(job.slot) as encoded, pool.frame(job.slot) as out:
                    found = frames.decode_into(encoded[offset : offset + length], out, config.decode.max_pixels)
        except FrameError as error:
            said = f" ({self._complaints.words})" if self._complaints.words else ""
            words = replace(words, reason=f"not examined: {error}{said}")
            pool.write_words(job.slot, words.encode())
            return Decoded(job.slot, job.generation, is_failed=True, pictures=0)
        self._tell_damage(words, "clip" if job.is_clip else "picture")
        words = replace(
            words,
            kind=words.kind if words.pictures else found.kind,
            height_px=found.height_px,
            width_px=found.width_px,
            original_height_px=words.original_height_px if words.pictures else found.original_height_px,
            original_width_px=words.original_width_px if words.pictures else found.original_width_px,
            decode_ms=round(words.decode_ms + (time.monotonic() - started) * 1000, 2),
        )
        pool.write_words(job.slot, words.encode())
        return Decoded(job.slot, job.generation, is_failed=False, pictures=len(words.pictures) or 1)

    def _tell_damage(self, words: FrameWords, what: str) -> None:
        """Say what the libraries had to complain about; some cameras give them reason with every picture."""
        if not self._complaints.words:
            return
        admission = self._limit.admit(words.camera, time.monotonic())
        if admission.is_admitted:
            log.warning(
                "picture_damaged",
                words=f"this {what} came damaged; it is examined as far as it can be read ({self._complaints.words})",
                camera=words.camera,
                alert_id=words.alert_id,
                suppressed=admission.suppressed,
            )


def take_pictures(job: Decode, pool: Pool, config: Config, words: FrameWords) -> FrameWords:
    """Put pictures of a clip back to back in its place; the room of one more stays for the annotated picture.

    Raises: FrameError when the clip gives none.
    """
    with pool.encoded(job.slot) as encoded, pool.frame(job.slot) as out:
        limits = clips.Limits(
            pictures=config.clip.pictures,
            max_pixels=config.decode.max_pixels,
            room_px=len(out) // frames.CHANNELS,
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
        words,
        kind=clip.kind,
        original_height_px=clip.height_px,
        original_width_px=clip.width_px,
        pictures=tuple(places),
    )
