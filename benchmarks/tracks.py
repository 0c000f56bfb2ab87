"""A day of a fleet on the map: the frames of all bikes, and the reading of a day to judge it again.

A day of the archive is written as the station writes it. Then the last believed fix of each bike
in each step is found as `GET /tracks` finds it, and by judging every fix, as it was done before:
both must say the same. Prints one JSON object; times in seconds, of the wall and of the CPU.

    python -m benchmarks.tracks [--bikes 2000] [--seed S]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

import numpy as np
import pyarrow.parquet as pq

from benchmarks.being_up import fixes
from benchmarks.late_flood import START_MS
from bikes.roster import BikeKey, Roster
from bikes.telemetry import TelemetryBatch
from dashboards.api.bikes import step_that_fits
from geofence.frames import frames
from geofence.runs import Judge
from ingest.archive import Archive
from ingest.day_file import SCHEMA, WRITING, DayFile, seal, table_of
from tests.workers import sample_judge
from words.times import DAY_MS

EVERY_S = 8.0
SHORT = ["--bikes", "50"]
GROUP = 4
"""Bikes whose fixes are a group of a file."""
MIDNIGHT_MS = START_MS - 8 * 3_600_000


def write_day(file: Path, roster: Roster, bikes: int, seed: int, *, day: int = 0) -> int:
    """A day of some bikes, in the archive's way; the number of its fixes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = 0
    with file.open("w+b") as out:
        with pq.ParquetWriter(out, SCHEMA, **WRITING) as writer:
            for first in range(0, bikes, GROUP):
                some = min(GROUP, bikes - first)
                ridden = fixes(some, EVERY_S, 24 * 60, seed + first)
                mine = roster.restore(BikeKey("hello", f"HB{first + n:05}") for n in range(some))
                at_ms = ridden.timestamp_ms - START_MS + MIDNIGHT_MS + day * DAY_MS
                bike = np.array(mine, np.int32)[ridden.bike]
                ridden = replace(ridden, bike=bike, timestamp_ms=at_ms).distinct()
                writer.write_table(table_of(ridden, roster))
                rows += len(ridden)
        seal(out)
    return rows


def judging_all(
    archive: Archive, judge: Judge, keys: list[BikeKey], step_ms: int
) -> Iterable[TelemetryBatch]:
    """The slow twin: every fix is judged, 64 bikes at a time."""
    end_ms = MIDNIGHT_MS + DAY_MS
    for at in range(0, len(keys), 64):
        judged = archive.judged(judge, keys[at : at + 64], MIDNIGHT_MS, end_ms)
        yield judged.fixes.take(judged.believed)


def main() -> None:
    """Parse the arguments and print the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--bikes", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    judge = sample_judge()
    with tempfile.TemporaryDirectory() as folder:
        archive = Archive(Path(folder), Roster({"hello": "any"}), "Asia/Shanghai")
        file = Path(folder) / "hello" / "2025-11-23.parquet"
        rows = write_day(file, archive.roster, options.bikes, options.seed)
        keys = sorted(archive.roster.keys)
        step_ms = 1000 * step_that_fits(len(keys), DAY_MS)
        found: dict[str, object] = {"benchmark": "tracks", **vars(options), "fixes": rows}
        answers = []
        for name, ask in (
            ("frames", archive.last_believed),
            ("judging_all", lambda j, k, *_: judging_all(archive, j, k, step_ms)),
        ):
            began, cpu = time.perf_counter(), time.process_time()
            span = MIDNIGHT_MS, MIDNIGHT_MS + DAY_MS
            parts = [
                frames(part, from_ms=MIDNIGHT_MS, step_ms=step_ms)
                for part in ask(judge, keys, *span, step_ms)
            ]
            found[f"{name}_s"] = round(time.perf_counter() - began, 3)
            found[f"{name}_cpu_s"] = round(time.process_time() - cpu, 3)
            found[f"{name}_peak_mb"] = getrusage(RUSAGE_SELF).ru_maxrss // 1024
            answers.append(
                [b"".join(c.tobytes() for c in column) for column in zip(*parts, strict=True)]
            )
        assert answers[0] == answers[1]
        began = time.perf_counter()
        with DayFile.opened(file) as day:
            largest = max(len(part) for part in day.parts(archive.roster))
        found |= {"read_s": round(time.perf_counter() - began, 3), "rows_at_once": largest}
        found["bytes_per_fix"] = round(file.stat().st_size / rows, 2)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
