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
    selftest.self_test(engine, context.config.detector.effort)
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
    """Do one job: frame to people, and with people the annotated JPEG in place of the encoded picture.

    The pictures of a clip are jobs of their own; the words keep the best one so far.
    """
    words = FrameWords.decode(pool.read_words(job.slot))
    try:
        with pool.frame(job.slot) as section:
            frame = frames.view(section, words.height_px, words.width_px)
            found = examiner.examine(frame, words.camera)
            is_best = _is_best(words, found)
            if is_best and found.people:
                quality = examiner.config.detector.jpeg_quality
                offset = sum(words.pictures[-1]) if words.pictures else 0
                with pool.encoded(job.slot) as encoded:
                    room_bytes = len(encoded) - offset
                    jpeg = frames.encode_jpeg(annotation.annotate(frame, found.people), quality, room_bytes)
                    encoded[offset : offset + len(jpeg)] = jpeg
                words = replace(words, annotated_offset=offset, annotated_bytes=len(jpeg))
            del frame
    except FrameError as error:
        words = replace(words, reason=words.reason if words.people else f"not examined: {error}")
        pool.write_words(job.slot, words.encode())
        return Detected(job.slot, job.generation, Outcome.FAILED)
    detect_ms = round(words.detect_ms + found.detect_ms, 2)
    if is_best:
        words = _with_verdict(words, found)
    words = replace(words, detect_ms=detect_ms)
    pool.write_words(job.slot, words.encode())
    if words.index + 1 >= len(words.pictures):
        _log(words)
    return Detected(job.slot, job.generation, Outcome.PERSON if found.people else Outcome.NOBODY)


def _is_best(words: FrameWords, found: Examination) -> bool:
    """Tell whether this picture is its clip's best so far: the surest person, without any the highest score."""
    if not words.pictures or words.best_index < 0:
        return True
    surest = found.people[0].score if found.people else 0.0
    surest_before = words.people[0].score if words.people else 0.0
    return (surest, found.best_score) > (surest_before, words.best_score)


def _with_verdict(words: FrameWords, found: Examination) -> FrameWords:
    best_index, reason = -1, found.reason
    if words.pictures:
        # A clip without a person is shown by its middle.
        best_index = words.index if found.people else len(words.pictures) // 2
        reason = f"picture {words.index + 1} of the clip's {len(words.pictures)}: {found.reason}"
    return replace(
        words,
        engine=found.engine,
        model=found.model,
        effort=found.effort,
        threshold=found.threshold,
        best_score=round(found.best_score, 4),
        people=tuple(PersonWords(p.x, p.y, p.width, p.height, round(p.score, 4)) for p in found.people),
        best_index=best_index,
        reason=reason,
    )


def _log(words: FrameWords) -> None:
    log.info(
        "person_found" if words.people else "no_person_found",
        alert_id=words.alert_id,
        camera=words.camera,
        score=round(words.best_score, 3),
        threshold=words.threshold,
        people=len(words.people),
        reason=words.reason,
        ms=words.detect_ms,
    )
