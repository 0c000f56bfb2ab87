"""What a large district costs: to check it, and to serve one of ten million cells.

`patrol check` runs over the sample district and over zones of 190 km: one with a plain outline in
cells of 100 m, one with an outline of 100,000 vertices, and one of ten million cells. Then the same
visits go into the ledger of a small grid and of one of ten million cells; both must hold the same.
Prints one JSON object.

    python -m benchmarks.large_district [--seed S]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np

from benchmarks.stores import SAMPLE
from geofence.coverage import SLOT_MS, Ledger, Rows
from geofence.grid import METRES_PER_DEGREE
from geofence.runs import Visits

LAT, LNG = 36.3, 120.3
REACH_M = 95_000
BIKES, STEPS, VISITS = 2_000, 100, 1_000
SMALL, LARGE = 100_000, 10_000_000  # cells
CONFIG = """\
[district]
name = "large"
zones = "zones.geojson"
cell_m = {cell_m}
[mqtt]
url = "mqtt://127.0.0.1:1"
[http]
listen = "127.0.0.1:0"
[vendors.v]
format = "mds"
datum = "wgs84"
[policies.core]
frequency = "4h"
target = 0.5
window = "day"
"""


def coast(vertices: int, rng: np.random.Generator) -> list[list[float]]:
    """A ring of some 190 km across, as rough in the small as in the large [degrees]."""
    turn = np.linspace(0, 2 * np.pi, vertices, endpoint=False)
    waves = np.fft.rfftfreq(vertices, 1 / vertices)
    waves[0] = np.inf
    rough = np.fft.irfft(waves**-1.2 * np.exp(2j * np.pi * rng.random(waves.size)), vertices)
    reach = REACH_M / METRES_PER_DEGREE * (0.9 + 0.1 * rough / np.abs(rough).max())
    lng = LNG + reach * np.cos(turn) / np.cos(np.radians(LAT))
    ring = np.round(np.column_stack([lng, LAT + reach * np.sin(turn)]), 7).tolist()
    return [*ring, ring[0]]


def check(config: Path) -> dict[str, object]:
    """Time and memory of `patrol check`, Python and its libraries included; and what it said."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "patrol", "check", "--config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        said = process.stdout.readline() if process.stdout else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"patrol check --config {config}: {said}")
    return {
        "wall_s": round(time.perf_counter() - began, 2),
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "max_mb": round(usage.ru_maxrss / 1024),
        "said": said.strip().split(": ")[-1],
    }


def checks(rng: np.random.Generator) -> dict[str, dict[str, object]]:
    """Of the sample district and of large ones."""
    found = {"sample": check(SAMPLE)}
    for name, cell_m, vertices in (
        ("190 km", 100, 2_000),
        ("190 km, 100,000 vertices", 100, 100_000),
        ("ten million cells", 60, 2_000),
    ):
        with tempfile.TemporaryDirectory(prefix="zhixun-large-") as folder:
            (Path(folder) / "patrol.toml").write_text(CONFIG.format(cell_m=cell_m))
            feature = {
                "type": "Feature",
                "properties": {"zone_id": "large", "name": "Large", "policy": "core"},
                "geometry": {"type": "Polygon", "coordinates": [coast(vertices, rng)]},
            }
            collection = {"type": "FeatureCollection", "features": [feature]}
            (Path(folder) / "zones.geojson").write_text(json.dumps(collection))
            found[name] = check(Path(folder) / "patrol.toml")
    return found


def served(cells: int, seed: int) -> tuple[dict[str, object], Rows]:
    """Time of a step, and memory of a ledger, when bikes visit cells of a grid; and its rows.

    The cells are the same part of the grid, whatever its size.
    """
    rng = np.random.default_rng(seed)
    start_ms = 1_763_856_000_000 // SLOT_MS * SLOT_MS
    took = []
    tracemalloc.start()
    ledger = Ledger(cells)
    for step in range(STEPS):
        bike = rng.integers(0, BIKES, VISITS).astype(np.int32)
        cell = (rng.integers(0, SMALL, VISITS) * (cells // SMALL)).astype(np.int32)
        at_ms = np.sort(start_ms + step * 60_000 + rng.integers(0, 60_000, VISITS))
        visits = Visits(bike, cell, at_ms, np.ones(VISITS, bool), at_ms, at_ms)
        began = time.thread_time()
        ledger.add(visits)
        last = ledger.view().last_visits
        took.append(time.thread_time() - began)
    current, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    figures: dict[str, object] = {
        "cells": cells,
        "visited": last.cell.size,
        "step_ms": round(float(np.median(took)) * 1000, 3),
        "ledger_mb": round(current / 1e6, 1),
        "peak_mb": round(peak / 1e6, 1),
    }
    return figures, ledger.view().rows()


def main() -> None:
    """Parse the arguments and print the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    (small, a), (large, b) = (served(cells, options.seed) for cells in (SMALL, LARGE))
    equal = np.array_equal(a.cell * (LARGE // SMALL), b.cell) and all(
        np.array_equal(np.asarray(one), np.asarray(other))
        for one, other in zip((a.bike, a.slot, *a[1:4]), (b.bike, b.slot, *b[1:4]), strict=True)
    )
    found = {
        "benchmark": "large_district",
        "seed": options.seed,
        "served": [small, large],
        "equal": equal,
        "check": checks(np.random.default_rng(options.seed)),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
