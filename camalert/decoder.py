"""The decoder process: the encoded picture of a frame slot becomes the frame in the same slot.

Hostile bytes end here. The process is disposable: it talks to no network and no database, its address space is limited,
and a picture that kills it is tried once more and then given up by the writer.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace

from camalert import frames
from camalert.child import Context
from camalert.errors import Exit, FrameError
from camalert.messages import Decode, Decoded, Ping, Pong, Ready, Stop
from camalert.pool import Pool
from camalert.words import FrameWords


def main(context: Context) -> int:
    """Decode pictures until told to stop."""
    channel = context.channel
    channel.send(Ready(os.getpid()))
    while True:
        channel.wait()
        match channel.receive():
            case Decode() as job:
                channel.send(decode(job, context.pool, context.config.decode.max_pixels))
            case Ping(number):
                channel.send(Pong(number))
            case Stop():
                return Exit.OK
            case _:
                continue


def decode(job: Decode, pool: Pool, max_pixels: int) -> Decoded:
    """Do one job: picture to frame, or the words why not."""
    words = FrameWords.decode(pool.read_words(job.slot))
    started = time.monotonic()
    try:
        with pool.encoded(job.slot) as encoded, pool.frame(job.slot) as out:
            found = frames.decode_into(encoded[: job.picture_bytes], out, max_pixels)
    except FrameError as error:
        words = replace(words, reason=f"not examined: {error}")
        pool.write_words(job.slot, words.encode())
        return Decoded(job.slot, job.generation, is_failed=True, pictures=0)
    words = replace(
        words,
        kind=found.kind,
        height_px=found.height_px,
        width_px=found.width_px,
        original_height_px=found.original_height_px,
        original_width_px=found.original_width_px,
        decode_ms=round((time.monotonic() - started) * 1000, 2),
    )
    pool.write_words(job.slot, words.encode())
    return Decoded(job.slot, job.generation, is_failed=False, pictures=1)
