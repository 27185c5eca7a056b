"""What the pipeline costs beside the detection itself, and how much of the machine it uses.

    python perf/pipeline.py [--pictures 200] [--detectors 0]

The bound is N bare loops in processes of their own: decode, examine, and for hits annotate and encode, with the same
functions on the same pictures, and nothing else. Both sides run in turns; the ratios count, not the machine.
"""

from __future__ import annotations

import argparse
import multiprocessing
import threading
import time
from dataclasses import dataclass
from multiprocessing.synchronize import Event

import rig

from camalert.config.schema import Config
from camalert.decoding import frames
from camalert.detection import drawing
from camalert.detection.engines import load_engine
from camalert.detection.examiner import Examiner


@dataclass(frozen=True, slots=True)
class Bare:
    """One bare loop: CPU and wall seconds, and the seconds of each stage a picture."""

    cpu_s: float
    wall_s: float
    decode_s: float
    detect_s: float
    encode_s: float


Gate = tuple[Event, Event]  # the loop is ready; it may go


def bare_loop(pictures: list[bytes], engine: str, pause_s: float, gate: Gate, out: object) -> None:
    """Decode, examine, annotate and encode, the whole of what must be done; `pause_s` after each is not counted."""
    config = Config()
    examiner = Examiner(load_engine(engine, config.detector), config)
    room = bytearray(config.pool.frame_max_px * frames.CHANNELS)
    spent = [0.0, 0.0, 0.0]

    def one(picture: bytes) -> None:
        started = time.perf_counter()
        found = frames.decode_into(picture, memoryview(room), config.decode.max_pixels)
        frame = frames.view(memoryview(room), found.height_px, found.width_px)
        decoded = time.perf_counter()
        examination = examiner.examine(frame, "")
        detected = time.perf_counter()
        if examination.people:
            annotated = drawing.annotate(frame, examination.people)
            frames.encode_jpeg(annotated, config.detector.jpeg_quality, 2 << 20)
        for index, seconds in enumerate((decoded - started, detected - decoded, time.perf_counter() - detected)):
            spent[index] += seconds

    one(pictures[0])
    spent[:] = [0.0, 0.0, 0.0]
    ready, go = gate
    ready.set()
    go.wait()
    cpu, wall = time.process_time(), time.perf_counter()
    for picture in pictures:
        one(picture)
        time.sleep(pause_s)
    count = len(pictures)
    out.put(  # type: ignore[attr-defined]
        Bare(time.process_time() - cpu, time.perf_counter() - wall, *(seconds / count for seconds in spent))
    )


def run_bare(pictures: list[bytes], engine: str, loops: int, pause_s: float = 0.0) -> list[Bare]:
    """Run the bare loops beside each other, the pictures shared out, so long a pause after each."""
    context = multiprocessing.get_context("spawn")
    out, go = context.Queue(), context.Event()
    readies = [context.Event() for _ in range(loops)]
    workers = [
        context.Process(target=bare_loop, args=(pictures[number::loops], engine, pause_s, (readies[number], go), out))
        for number in range(loops)
    ]
    for worker in workers:
        worker.start()
    for ready in readies:
        ready.wait()
    go.set()
    found = [out.get() for _ in workers]
    for worker in workers:
        worker.join()
    return found


def run_service(pictures: list[bytes], engine: str, detectors: int) -> tuple[dict[str, float], float]:
    """Send the pictures as mails and wait for all verdicts; return CPU seconds by process, and wall seconds."""
    decoders = max(1, detectors // 2)
    with rig.service(2 + detectors + decoders, detector__processes=detectors, detector__engine=engine) as running:
        mails = [rig.mail(picture) for picture in pictures]
        warm = rig.Client(running.port)
        warm.send(rig.mail(pictures[0]))
        warm.close()
        running.wait_examined(1)
        before, started = running.costs(), time.perf_counter()
        clients = [rig.Client(running.port) for _ in range(4)]
        threads = [threading.Thread(target=_send, args=(c, mails[n::4])) for n, c in enumerate(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        running.wait_examined(1 + len(mails))
        wall = time.perf_counter() - started
        after = running.costs()
    return {name: after[name].cpu_s - before[name].cpu_s for name in after}, wall


def _send(client: rig.Client, mails: list[bytes]) -> None:
    for mail in mails:
        client.send(mail)
    client.close()


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--detectors", type=int, default=0, help="0: cores - 1")
    parser.add_argument("--engine", default="openvino")
    options = parser.parse_args()
    cores = int(str(rig.machine()["cores"]))
    detectors = options.detectors or max(1, cores - 1)
    decoders = max(1, detectors // 2)
    pictures = rig.pictures(options.pictures)
    count = len(pictures)
    bare = run_bare(pictures, options.engine, detectors)
    costs, wall = run_service(pictures, options.engine, detectors)
    again = run_bare(pictures, options.engine, detectors)
    bare_cpu = (sum(loop.cpu_s for loop in bare) + sum(loop.cpu_s for loop in again)) / 2 / count
    stages = [
        sum(getattr(loop, f"{stage}_s") for loop in again) / len(again) for stage in ("decode", "detect", "encode")
    ]
    all_cpu = sum(costs.values()) / count
    limits = {
        "cores": cores / all_cpu,
        "detectors": detectors / (stages[1] + stages[2]),
        "decoders": decoders / stages[0],
    }
    bound = min(limits.values())
    rows = [[name, round(seconds / count * 1000, 2)] for name, seconds in sorted(costs.items())]
    rows += [["all", round(all_cpu * 1000, 2)], ["bare loop", round(bare_cpu * 1000, 2)]]
    figures = {
        **rig.machine(),
        "pictures": count,
        "detectors": detectors,
        "cpu_ratio": round(bare_cpu / all_cpu, 3),
        "throughput_ratio": round(count / wall / bound, 3),
        "pictures_per_s": round(count / wall, 1),
        "bound_by": min(limits, key=lambda key: limits[key]),
        "supervisor_ms": round(costs["supervisor"] / count * 1000, 3),
        "bare_ms": {stage: round(s * 1000, 2) for stage, s in zip(("decode", "detect", "encode"), stages, strict=True)},
    }
    rig.report("pipeline", ["process", "CPU ms a picture"], rows, figures)


if __name__ == "__main__":
    main()
