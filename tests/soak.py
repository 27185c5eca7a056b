"""The soak test: many mails through a running service, whose processes must not grow.

    python tests/soak.py --mails 20000

After the first part of the mails (the warm-up) the memory of every process, its descriptors, the shared memory and the
WAL are noted, and again after each batch. At the end nothing may have grown.

Exit code 0: all is flat; 1: what grew is printed, and the folder with database and log is kept.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from testing import hostile, mails, pictures
from testing.audit import Record, audit
from testing.burst import Burst
from testing.service import SHM, ServiceUnderTest

BATCH_MAILS = 50
PROGRESS_MAILS = 1000  # a line after each so many
CONNECTIONS = 5
WARM_UP = 0.3  # of the mails: caches, arenas and pools fill first
GROWTH = 0.05  # that is allowed after it
SLACK_BYTES = 2 << 20  # a single arena of the allocator; small processes have little of which 5 % could be measured
WAL_LIMIT_BYTES = 32 << 20  # twice what the writer lets it keep


@dataclass(frozen=True, slots=True)
class Sample:
    """What one look at the service found, by process name."""

    private_bytes: dict[str, int]
    descriptors: dict[str, int]
    pids: dict[str, int]
    segment_bytes: int
    wal_bytes: int


def look(service: ServiceUnderTest) -> Sample:
    """Look at a service."""
    pids = {"supervisor": service.pid, **service.children()}
    wal = Path(f"{service.database}-wal")
    return Sample(
        {name: service.private_bytes(pid) for name, pid in pids.items()},
        {name: service.descriptors(pid) for name, pid in pids.items()},
        pids,
        sum((SHM / name).stat().st_size for name in service.leftover_segments()),
        wal.stat().st_size if wal.exists() else 0,
    )


def grown(samples: list[Sample]) -> list[str]:
    """Return in words what grew over the samples, of which the first third is compared with the last."""
    third = max(1, len(samples) // 3)
    first, last = samples[:third], samples[-third:]
    problems = []
    for name in samples[0].pids:
        if len({sample.pids.get(name) for sample in samples}) > 1:
            problems.append(f"{name} was replaced: {sorted({sample.pids.get(name, 0) for sample in samples})}")
            continue
        before = statistics.median(sample.private_bytes[name] for sample in first)
        after = statistics.median(sample.private_bytes[name] for sample in last)
        if after > before * (1 + GROWTH) and after - before > SLACK_BYTES:
            problems.append(f"{name} grew from {before / 1e6:.1f} to {after / 1e6:.1f} MB")
        if max(sample.descriptors[name] for sample in last) > max(sample.descriptors[name] for sample in first):
            problems.append(f"{name} has more descriptors: {[sample.descriptors[name] for sample in samples]}")
    if len({sample.segment_bytes for sample in samples}) > 1:
        problems.append(f"the shared memory grew: {sorted({sample.segment_bytes for sample in samples})}")
    if (largest := max(sample.wal_bytes for sample in samples)) > WAL_LIMIT_BYTES:
        problems.append(f"the WAL grew to {largest / 1e6:.1f} MB")
    return problems


def shots(number: int, chance: random.Random) -> list[bytes]:
    """Return the pictures of one mail: people, cats, large files, broken ones."""
    made = []
    for index in range(chance.choice((1, 1, 1, 2, 4))):
        key = number * 10 + index
        match chance.randrange(8):
            case 0 | 1:
                made.append(pictures.numbered(pictures.person_jpeg(), key))
            case 2:
                made.append(pictures.numbered(pictures.cat_jpeg(), key) + chance.randbytes(chance.randint(1, 800_000)))
            case 3:
                made.append(hostile.broken_jpeg(key))
            case _:
                made.append(pictures.unique_jpeg(key))
    return made


def soak(service: ServiceUnderTest, count: int, seed: int) -> tuple[list[Sample], list[str]]:
    """Send so many mails in batches; return the samples after the warm-up, and what is wrong."""
    chance = random.Random(seed)
    record = Record()
    samples = []
    refusals = []
    service.start()
    service.wait_whole()
    for first in range(0, count, BATCH_MAILS):
        batch = []
        for number in range(first, min(count, first + BATCH_MAILS)):
            content = shots(number, chance)
            batch.append((record.sent(f"mail {number}", content), mails.alarm(content, f"mail {number}")))
        burst = Burst(service.port, batch, CONNECTIONS).start()
        burst.join()
        refusals += burst.refusals
        service.wait_examined(600)
        if first >= count * WARM_UP:
            samples.append(look(service))
        if (first + BATCH_MAILS) % PROGRESS_MAILS == 0:
            supervisor_mb = service.private_bytes(service.pid) / 1e6
            print(f"{first + BATCH_MAILS:6} of {count} mails, supervisor {supervisor_mb:.1f} MB", file=sys.stderr)
    return samples, refusals + grown(samples) + audit(service.database, record)


def main(arguments: list[str]) -> int:
    """Run the soak test from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mails", type=int, default=20_000, help="how many (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="what the mails follow from (default: %(default)s)")
    options = parser.parse_args(arguments)
    folder = Path(tempfile.mkdtemp(prefix="camalert-soak-"))
    service = ServiceUnderTest(
        folder / "service", database__keep_alerts=10_000_000, database__keep_detections=10_000_000
    )
    try:
        samples, problems = soak(service, options.mails, options.seed)
    finally:
        service.close()
    print(f"{options.mails} mails, {len(samples)} samples, {len(problems)} problems")
    for name in samples[0].pids:
        print(
            f"  {name:12} "
            + " ".join(f"{sample.private_bytes[name] / 1e6:.1f}" for sample in samples[:: max(1, len(samples) // 8)])
        )
    if problems:
        print("\n".join(problems[:50]))
        print(f"database and log: {folder}")
        return 1
    shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
