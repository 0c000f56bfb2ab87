"""Bikes that were out of reach hand in what they stored, all at once.

A fleet has ridden for two hours, and for 42 minutes in the middle nothing of it was heard; what
was, is in the archive's files. Then every bike sends its 500 stored fixes, and measured is what
it takes until they are in the ledger, and after that the cost of a single fix that is late.
Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np

from bikes.roster import Roster
from bikes.telemetry import TelemetryBatch
from ingest.archive import Archive
from ingest.pipeline import Pipeline
from tests.workers import sample_judge

SHORT = ["--bikes", "100"]
SAMPLE = Path(__file__).parent.parent / "samples" / "chengyang"
POLICIES = {"core", "arterial", "residential", "industrial", "waterfront"}
START_MS = 1_763_856_000_000
INTERVAL_MS = 5_000
ROUNDS, STORED = 1_440, slice(400, 900)
STEP_FIXES = 65_536


def rides(bikes: int, seed: int) -> list[TelemetryBatch]:
    """Fixes of all bikes, by round of reports."""
    rng = np.random.default_rng(seed)
    phase, radius_m = rng.uniform(0, 6.28, bikes), rng.uniform(300, 2_500, bikes)
    offset_ms = rng.integers(0, INTERVAL_MS, bikes)
    unsaid = np.full(bikes, np.nan, np.float32)
    found = []
    for number in range(ROUNDS):
        angle = phase + number * 20 / radius_m
        north_m, east_m = (radius_m * f(angle) + rng.normal(0, 3, bikes) for f in (np.sin, np.cos))
        found.append(
            TelemetryBatch(
                np.arange(bikes, dtype=np.int32),
                START_MS + number * INTERVAL_MS + offset_ms,
                36.3068 + north_m / 111_320,
                120.3891 + east_m / 89_700,
                np.full(bikes, 4.5, np.float32),
                unsaid,
                unsaid,
                unsaid,
                unsaid,
            )
        )
    return found


def measure(bikes: int, seed: int) -> dict[str, object]:
    """Time the flood, and single late fixes after it."""
    roster = Roster({"hello": [f"HB{bike:05d}" for bike in range(bikes)]})
    with tempfile.TemporaryDirectory() as folder:
        archive = Archive(Path(folder) / "archive", roster, "Asia/Shanghai")
        pipeline = Pipeline(sample_judge(), archive)
        seq = 0

        def step(fixes: TelemetryBatch) -> None:
            nonlocal seq
            seq += 1
            pipeline.step(fixes)
            archive.remember(seq, fixes)

        rounds = rides(bikes, seed)
        stored = TelemetryBatch.concat(rounds[STORED])
        heard = rounds[: STORED.start] + rounds[STORED.stop :]
        for first in range(0, len(heard), 20):
            step(TelemetryBatch.concat(heard[first : first + 20]))
        flush = archive.begin_flush()
        assert flush is not None
        archive.write(flush)
        archive.end_flush(flush)
        # A bike hands in all it has at once.
        stored = stored.take(np.argsort(stored.bike, kind="stable"))
        began_s = time.perf_counter()
        for first in range(0, len(stored), STEP_FIXES):
            step(stored.take(slice(first, first + STEP_FIXES)))
        flood_s = time.perf_counter() - began_s
        single = 100
        began_s = time.perf_counter()
        for row in range(single):
            step(stored.take(slice(row, row + 1)))
        single_s = (time.perf_counter() - began_s) / single
    return {
        "benchmark": "late_flood",
        "bikes": bikes,
        "late_fixes": len(stored),
        "flood_s": round(flood_s, 3),
        "late_fixes_per_s": round(len(stored) / flood_s),
        "one_late_fix_ms": round(single_s * 1000, 2),
        "ledger_rows": int(pipeline.ledger.view().rows().key.size),
        "seed": seed,
    }


def main() -> None:
    """Run it and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bikes", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    args, _ = parser.parse_known_args()
    print(json.dumps(measure(args.bikes, args.seed)))


if __name__ == "__main__":
    main()
