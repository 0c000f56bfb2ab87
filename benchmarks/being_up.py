"""What a fix costs while the station is up, against what it costs when a backlog is read.

Bikes report every few seconds: a fifth ride, some are pushed at a foot's pace, the others stand.
The pipeline and the stream of verdicts take their fixes in, a second's at a time as when they come,
and then, anew, 131,072 at a time as after an outage. Prints one JSON object: the CPU of a fix [us],
and at the end the fixes in the contexts and the peak of memory [MB].
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.late_flood import START_MS
from bikes.roster import Roster
from bikes.telemetry import TelemetryBatch
from ingest.archive import Archive
from ingest.pipeline import Pipeline
from ingest.verdict_stream import VerdictStream
from tests.workers import sample_judge

SHORT = ["--bikes", "500", "--minutes", "3"]
AT_ONCE = 131_072


def fixes(bikes: int, every_s: float, minutes: float, seed: int) -> TelemetryBatch:
    """All that the bikes report, in order of time; receivers drift by some metres."""
    rng = np.random.default_rng(seed)
    rounds = int(minutes * 60 / every_s)
    speed = rng.choice([4.0, 0.3, 0.0], bikes, p=[0.2, 0.3, 0.5])
    radius_m, phase = rng.uniform(300, 2_500, bikes), rng.uniform(0, 6.28, bikes)
    number, bike = np.divmod(np.arange(rounds * bikes), bikes)
    angle = phase[bike] + number * (every_s * speed / radius_m)[bike]
    north_m, east_m = (
        radius_m[bike] * f(angle) + rng.normal(0, 1, angle.size) for f in (np.sin, np.cos)
    )
    unsaid = np.full(angle.size, np.nan, np.float32)
    return TelemetryBatch(
        bike.astype(np.int32),
        START_MS + ((number + bike / bikes) * every_s * 1000).astype(np.int64),
        36.3068 + north_m / 111_320,
        120.3891 + east_m / 89_700,
        np.full(angle.size, 4.5, np.float32),
        speed[bike].astype(np.float32),
        unsaid,
        unsaid,
        unsaid,
    )


def measure(sent: TelemetryBatch, step: Callable[[TelemetryBatch], object], steps: int) -> float:
    """CPU of a fix [us], taken in by so many steps; the first half warms up."""
    parts = np.array_split(np.arange(len(sent)), steps)
    half = steps // 2
    for rows in parts[:half]:
        step(sent.take(rows))
    began_s = time.process_time()
    for rows in parts[half:]:
        step(sent.take(rows))
    return (time.process_time() - began_s) / max(sum(map(len, parts[half:])), 1) * 1e6


def _say(stream: VerdictStream, batch: TelemetryBatch) -> None:
    stream.step(batch, np.zeros(len(batch), dtype=bool), int(batch.timestamp_ms.max()))


def main() -> None:
    """Run it and print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bikes", type=int, default=3_000)
    parser.add_argument("--every", type=float, default=1.2, help="seconds between two reports")
    parser.add_argument("--minutes", type=float, default=12.0)
    parser.add_argument("--step", type=float, default=1.0, help="seconds of a live step")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    sent = fixes(args.bikes, args.every, args.minutes, args.seed)
    steps = {"live": int(args.minutes * 60 / args.step), "backlog": -(-len(sent) // AT_ONCE)}
    result: dict[str, object] = {"benchmark": "being_up", **vars(args), "fixes": len(sent)}
    judge = sample_judge()
    # What comes in order asks no history.
    nothing = Archive(Path(tempfile.mkdtemp()), Roster({}), "Asia/Shanghai")
    for name, count in steps.items():
        pipeline, stream = Pipeline(judge, nothing), VerdictStream(judge, nothing)
        result[f"{name}_pipeline_us"] = round(measure(sent, pipeline.step, count), 2)
        said = partial(_say, stream)
        result[f"{name}_verdicts_us"] = round(measure(sent, said, count), 2)
        result[f"{name}_context_fixes"] = stream.context_rows
    tracemalloc.start()
    measure(sent, Pipeline(judge, nothing).step, steps["live"] // 60)
    result["peak_mb"] = round(tracemalloc.get_traced_memory()[1] / 1e6, 1)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
