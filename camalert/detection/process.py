"""The detector process: it finds people, and what else is asked for, in the frame of a slot and leaves them marked.

It keeps no view of a frame after its answer. The engine passes its self-test before the first `Ready`.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from camalert.config import objects
from camalert.config.objects import PERSON
from camalert.decoding import frames
from camalert.detection import drawing, known, rules, selftest
from camalert.detection.engines import load_engine
from camalert.detection.examiner import Examination, Examiner, Learned
from camalert.detection.people import Engine
from camalert.detection.rules import Rule
from camalert.errors import EngineUnavailable, Exit, FrameError, ProtocolError
from camalert.ipc.child import Context
from camalert.ipc.messages import Detect, Detected, Outcome, Ping, Pong, Ready, Stop
from camalert.ipc.pool import Pool
from camalert.ipc.records import FrameRecord, LeftOutRecord, PersonRecord
from camalert.system import memory
from camalert.system.logs import log

KNOWN_RULES = (Rule.KNOWN, Rule.STATIC)

# Who is kept though he did not count, so that other settings can be tried on the past: all that an owner can set.
ADJUSTABLE = frozenset({Rule.BELOW_THRESHOLD, Rule.SMALL, Rule.LARGE, Rule.IGNORED, Rule.UNWATCHED})
UNCOUNTED_SCORE = 0.2  # no threshold below is of use; those with a look are for marks
UNCOUNTED_MOST = 8
PAUSE_S = 2.0  # without a picture, and what the last ones took besides the network goes back to the system


def main(context: Context) -> int:
    """Examine frames until the supervisor says `Stop`."""
    context.confine()  # before the engine starts its threads
    efforts = rules.efforts_of(context.config)
    with_others = rules.asks_for_others(context.config)
    load = functools.partial(load_engine, context.engine, context.config.detector, efforts, with_others=with_others)
    engine = load()
    try:
        selftest.self_test(engine, context.config.detector.effort)
    except EngineUnavailable as error:  # pictures wait for a server, and so does this process
        log.warning("inference_unavailable", message=str(error))
    if engine.precision:
        log.info("precision_chosen", engine=engine.name, message=engine.precision)
    rested = Rested(
        Examiner(engine, context.config),
        lambda: Examiner(load(), context.config),
        context.config.detector.rest_seconds,
        time.monotonic(),
    )
    channel = context.channel
    channel.send(Ready(os.getpid()))
    threading.Thread(target=_complete, args=(engine, efforts), name="complete").start()
    del engine  # or it would never rest
    while True:
        channel.wait()
        match channel.receive():
            case Detect() as job:
                channel.send(detect(job, context.pool, rested.awake()))
                rested.worked(time.monotonic())
            case Ping(number):
                channel.send(Pong(number))
                if rested.may_give_back(time.monotonic()):
                    gc.collect()
                    memory.give_back()
            case Stop():
                return Exit.OK
            case _:
                continue


class Rested:
    """An examiner whose network is dropped when no picture comes for long, and loaded again for the next one.

    Args:
        examiner: Ready to examine.
        load: Makes another one, in about a second.
        rest_s: After how many seconds without a picture it rests, 0 for never.
        now: Monotonic seconds.
    """

    def __init__(self, examiner: Examiner, load: Callable[[], Examiner], rest_s: float, now: float) -> None:
        self._examiner: Examiner | None = examiner
        self._load, self._rest_s, self._worked_at = load, rest_s, now
        self._has_worked = True  # since memory was given back last; loading was work

    def awake(self) -> Examiner:
        """Return the examiner."""
        self._examiner = self._examiner or self._load()
        return self._examiner

    def worked(self, now: float) -> None:
        """Note the end of a picture."""
        self._worked_at = now
        self._has_worked = True

    def may_give_back(self, now: float) -> bool:
        """Drop the examiner if it is time; tell whether memory became free, by that or by the end of a busy time."""
        idle_s = now - self._worked_at
        is_dropped = self._examiner is not None and 0 < self._rest_s <= idle_s
        if is_dropped:
            self._examiner = None
        is_over = self._has_worked and idle_s >= PAUSE_S
        self._has_worked = self._has_worked and not is_over
        return is_dropped or is_over


def _complete(engine: Engine, efforts: Sequence[str]) -> None:
    """Prepare what only some pictures need, beside the work that has begun; what fails here fails again when asked."""
    with contextlib.suppress(RuntimeError):
        for effort in efforts:
            engine.complete(effort)


def detect(job: Detect, pool: Pool, examiner: Examiner) -> Detected:
    """Do one job: frame to people, and with people the annotated JPEG in place of the encoded picture.

    Each picture of a clip is a job; the record keeps the best one so far. A record that cannot be decoded is another
    process's fault: it stays as it is, and the writer judges it.
    """
    try:
        record = FrameRecord.decode(pool.read_record(job.slot))
    except ProtocolError as error:
        log.error("slot_unreadable", slot=job.slot, message=str(error))
        return Detected(job.slot, job.generation, Outcome.FAILED)
    try:
        with pool.frame(job.slot) as section:
            frame = frames.view(section, record.height_px, record.width_px)
            found = examiner.examine(frame, record.camera, Learned(known.unpacked(record.known), record.missed))
            is_best = _is_best(record, found)
            if is_best and found.people:
                quality = examiner.config.detector.jpeg_quality
                offset = sum(record.pictures[-1]) if record.pictures else 0
                with pool.encoded(job.slot) as encoded:
                    space_bytes = max(0, len(encoded) - offset)
                    jpeg = frames.encode_jpeg(drawing.annotate(frame, found.people), quality, space_bytes)
                    encoded[offset : offset + len(jpeg)] = jpeg
                record = replace(record, annotated_offset=offset, annotated_bytes=len(jpeg))
            del frame
    except EngineUnavailable as error:
        log.warning("inference_unavailable", message=str(error))
        return Detected(job.slot, job.generation, Outcome.SPARED)
    except FrameError as error:
        record = replace(record, reason=record.reason if record.people else f"not examined: {error}")
        pool.write_record(job.slot, record.encode())
        return Detected(job.slot, job.generation, Outcome.FAILED)
    detect_ms = round(record.detect_ms + found.detect_ms, 2)
    if is_best:
        record = _with_verdict(record, found)
    record = replace(record, detect_ms=detect_ms)
    if record.index + 1 >= len(record.pictures):
        record = replace(record, known="", missed=())
    pool.write_record(job.slot, record.encode())
    if record.index + 1 >= len(record.pictures):
        log.info(
            "person_found" if record.people else "no_person_found",
            alert_id=record.alert_id,
            camera=record.camera,
            score=round(record.best_score, 3),
            threshold=record.threshold,
            people=sum(person.kind == PERSON for person in record.people),
            objects=objects.listed(person.kind for person in record.people),
            message=record.reason,
            ms=record.detect_ms,
        )
    return Detected(job.slot, job.generation, Outcome.PERSON if found.people else Outcome.NOBODY)


def _is_best(record: FrameRecord, found: Examination) -> bool:
    """Tell whether this picture is its clip's best so far: the surest person, without any the highest score."""
    if not record.pictures or record.best_index < 0:
        return True
    surest = found.people[0].score if found.people else 0.0
    surest_before = record.people[0].score if record.people else 0.0
    return (surest, found.best_score) > (surest_before, record.best_score)


def _person(ruling: rules.Ruling) -> PersonRecord:
    found, there = ruling.person, ruling.recognised
    look = known.written(ruling.look) if ruling.look else ""
    score = round(found.score, 4)
    own = there.known.id if there else 0
    return PersonRecord(found.x, found.y, found.width, found.height, score, found.kind, look, own)


def _left_out(ruling: rules.Ruling) -> LeftOutRecord:
    found, there = ruling.person, ruling.recognised
    own, likeness = (there.known.id, min(1.0, max(0.0, there.likeness))) if there else (0, 0.0)
    score = round(found.score, 4)
    return LeftOutRecord(found.x, found.y, found.width, found.height, score, own, round(likeness, 4))


def _with_verdict(record: FrameRecord, found: Examination) -> FrameRecord:
    best_index, reason = -1, found.reason
    if record.pictures:
        # A clip without a person is shown by its middle.
        best_index = record.index if found.people else len(record.pictures) // 2
        reason = f"{found.reason} (clip, picture {record.index + 1} of {len(record.pictures)})"
    return replace(
        record,
        engine=found.engine,
        model=found.model,
        effort=found.effort,
        threshold=found.threshold,
        best_score=round(found.best_score, 4),
        people=tuple(_person(ruling) for ruling in found.rulings if ruling.rule is Rule.COUNTED),
        uncounted=tuple(
            _person(ruling)
            for ruling in found.rulings
            if ruling.rule in ADJUSTABLE and (ruling.look or ruling.person.score >= UNCOUNTED_SCORE)
        )[:UNCOUNTED_MOST],
        left_out=tuple(_left_out(ruling) for ruling in found.rulings if ruling.rule in KNOWN_RULES),
        others=tuple(_person(ruling) for ruling in found.rulings if ruling.rule is Rule.OTHER),
        best_index=best_index,
        reason=reason,
    )
