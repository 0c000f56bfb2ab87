"""What coverage takes in memory and in its snapshot, by the bike-days that a station remembers.

The ledger is filled with the rows that a simulated bike leaves on a day of duty, and saved as a
station saves it, twice a minute. Prints one JSON object; memory is of the whole process.

    python -m benchmarks.coverage_memory [--bikes N] [--days N] [--seed S]
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from benchmarks.whole_line import START_MS, worker
from geofence.coverage import SLOT_MS
from geofence.runs import Visits
from ingest.log import SqliteLog
from ingest.worker import READERS
from words.times import DAY_MS

SHORT = ["--bikes", "100"]

ROWS = 864
"""Rows that a bike leaves on a day of duty: cells in slots, of seven bikes in `stores`."""
SLOTS = 34
"""Slots of a day of duty: 8.5 hours."""


def rows(bikes: int, start_ms: int, cells: int, rng: np.random.Generator) -> Visits:
    """A day's visits of a fleet, one for each row."""
    slot = np.tile(np.arange(ROWS) % SLOTS, bikes)
    at_ms = start_ms + slot * SLOT_MS + rng.integers(0, SLOT_MS, slot.size)
    return Visits(
        bike=np.repeat(np.arange(bikes, dtype=np.int32), ROWS),
        cell=rng.integers(0, cells, slot.size).astype(np.int32),
        at_ms=at_ms,
        observed=np.ones(slot.size, bool),
        settles_ms=at_ms,
        certain_ms=at_ms,
    )


def measure(bikes: int, days: int, seed: int) -> dict[str, object]:
    """One object of figures."""
    rng = np.random.default_rng(seed)
    memory = psutil.Process().memory_info
    with tempfile.TemporaryDirectory() as name:
        log = SqliteLog(Path(name) / "log.sqlite", READERS)
        read_by = worker(Path(name), log, bikes)
        read_by.restore(START_MS)
        ledger, cells = read_by.pipeline.ledger, read_by.pipeline.judge.atlas.grid.size
        for day in range(days):
            ledger.add(rows(bikes, START_MS + day * DAY_MS, cells, rng))
        count = ledger.view().rows().key.size
        held = memory().rss
        began_s = time.perf_counter()
        read_by.write_snapshot(*read_by.begin_save())
        saved_s = time.perf_counter() - began_s
        file = (Path(name) / "coverage.npz").stat().st_size
        log.close()
    return {
        "benchmark": "coverage_memory",
        "bikes": bikes,
        "days": days,
        "seed": seed,
        "rows": count,
        "held_mb": round(held / 1e6),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000),
        "save_s": round(saved_s, 3),
        "snapshot_mb": round(file / 1e6, 1),
    }


def main() -> None:
    """Run it and print the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--bikes", type=int, default=500)
    parser.add_argument("--days", type=int, default=35)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    print(json.dumps(measure(args.bikes, args.days, args.seed)))


if __name__ == "__main__":
    main()
