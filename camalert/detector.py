"""The detector process: it looks for people in the frame of a slot and leaves the annotated picture there.

It keeps no view of a frame after its answer. The engine proves itself on a small picture before the first `Ready`.
"""

from __future__ import annotations

import os
from dataclasses import replace

import structlog

from camalert import annotation, frames
from camalert.child import Context
from camalert.detection import selftest
from camalert.detection.engines import load_engine
from camalert.detection.examiner import Examination, Examiner
from camalert.errors import Exit, FrameError
from camalert.messages import Detect, Detected, Outcome, Ping, Pong, Ready, Stop
from camalert.pool import Pool
from camalert.words import FrameWords, PersonWords

log = structlog.get_logger()


def main(context: Context) -> int:
    """Examine frames until told to stop."""
    engine = load_engine(context.engine, context.config.detector)
    selftest.self_test(engine)
    examiner = Examiner(engine, context.config)
    channel = context.channel
    channel.send(Ready(os.getpid()))
    while True:
        channel.wait()
        match channel.receive():
            case Detect() as job:
                channel.send(detect(job, context.pool, examiner))
            case Ping(number):
                channel.send(Pong(number))
            case Stop():
                return Exit.OK
            case _:
                continue


def detect(job: Detect, pool: Pool, examiner: Examiner) -> Detected:
    """Do one job: frame to people, and with people the annotated JPEG in place of the encoded picture."""
    words = FrameWords.decode(pool.read_words(job.slot))
    try:
        with pool.frame(job.slot) as section:
            frame = frames.view(section, words.height_px, words.width_px)
            found = examiner.examine(frame, words.camera)
            words = _with_verdict(words, found)
            if found.people:
                quality = examiner.config.detector.jpeg_quality
                with pool.encoded(job.slot) as encoded:
                    jpeg = frames.encode_jpeg(annotation.annotate(frame, found.people), quality, len(encoded))
                    encoded[: len(jpeg)] = jpeg
                words = replace(words, annotated_offset=0, annotated_bytes=len(jpeg))
            del frame
    except FrameError as error:
        words = replace(words, reason=f"not examined: {error}")
        pool.write_words(job.slot, words.encode())
        return Detected(job.slot, job.generation, Outcome.FAILED)
    pool.write_words(job.slot, words.encode())
    log.info(
        "person_found" if found.people else "no_person_found",
        alert_id=words.alert_id,
        camera=words.camera,
        score=round(found.best_score, 3),
        threshold=found.threshold,
        people=len(found.people),
        reason=found.reason,
        ms=words.detect_ms,
    )
    return Detected(job.slot, job.generation, Outcome.PERSON if found.people else Outcome.NOBODY)


def _with_verdict(words: FrameWords, found: Examination) -> FrameWords:
    return replace(
        words,
        engine=found.engine,
        model=found.model,
        effort=found.effort,
        threshold=found.threshold,
        best_score=round(found.best_score, 4),
        people=tuple(PersonWords(p.x, p.y, p.width, p.height, round(p.score, 4)) for p in found.people),
        detect_ms=round(found.detect_ms, 2),
        reason=found.reason,
    )
