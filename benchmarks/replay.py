"""How fast `patrol replay` is, and how much memory it takes.

A fleet rides for some days in the sample district. The days are files of the archive; the first
minutes are lines of NDJSON, too. Both are replayed as the command does it. Prints one JSON object:
millions of fixes a second of the CPU and of the wall, and the peak of memory after each [MB].

    python -m benchmarks.replay [--days 365] [--bikes 28] [--lines N] [--seed S] [--archive FOLDER]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

from benchmarks.being_up import fixes
from benchmarks.tracks import write_day
from bikes.formats import mds
from bikes.roster import Roster
from bikes.telemetry import Location, Telemetry
from geofence.zones import Zones
from ingest.recordings import Problem
from patrol.config.sections import Settings
from patrol.config.settings import load_with_zones
from patrol.replay import recordings, replay
from patrol.simulate import bike_ids

SAMPLE = Path(__file__).parent.parent / "samples" / "chengyang" / "patrol.toml"
FIRST = date(2025, 11, 23)
SHORT = ["--days", "3", "--lines", "200000"]


def sample() -> tuple[Settings, Zones]:
    """The sample district."""
    return load_with_zones(SAMPLE)


def wrong(problem: Problem) -> None:
    """Nothing that was written is wrong."""
    raise AssertionError(problem)


def write_lines(file: Path, bikes: int, count: int, seed: int) -> None:
    """So many fixes of a fleet as lines, in order of time, with all that a bike may state."""
    names = bike_ids(sample()[0].vendors["hello"].bikes, bikes)
    told = fixes(bikes, 8.0, count * 8.0 / 60 / bikes, seed)
    values = told.bike, told.timestamp_ms, told.lat_deg, told.lng_deg, told.speed_mps
    with file.open("wb") as out:
        for bike, at_ms, lat, lng, speed in zip(*(v.tolist() for v in values), strict=True):
            location = Location(
                lat=round(lat, 7),
                lng=round(lng, 7),
                speed=round(speed, 2),
                heading=203.8,
                altitude=33.1,
                horizontal_accuracy=5.8,
                satellites=8,
            )
            said = Telemetry(
                timestamp=at_ms, location=location, device_id=names[bike], battery_percent=88.0
            )
            out.write(mds.encode(said) + b"\n")


def replayed(path: Path) -> dict[str, float]:
    """The figures of one replay."""
    settings, zones = sample()
    began, cpu = time.perf_counter(), time.process_time()
    found = replay(
        recordings([path]),
        settings,
        zones,
        on_problem=wrong,
        on_read=lambda _: None,
        other=None,
        vendor="hello",
    )
    took, cpu_s = time.perf_counter() - began, time.process_time() - cpu
    count = sum(found.verdicts.values())
    return {
        "fixes": count,
        "took_s": round(took, 2),
        "millions_per_cpu_s": round(count / cpu_s / 1e6, 2),
        "peak_mb": getrusage(RUSAGE_SELF).ru_maxrss // 1024,
    }


def main() -> None:
    """Parse the arguments and print the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--days", type=int, default=10)
    parser.add_argument("--bikes", type=int, default=28)
    parser.add_argument("--lines", type=int, default=500_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--archive", type=Path, help="replay this one instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        roster = Roster({"hello": "any"})
        for day in range(0 if options.archive else options.days):
            file = folder / "hello" / f"{FIRST + timedelta(day)}.parquet"
            write_day(file, roster, options.bikes, options.seed + day, day=day)
        write_lines(folder / "lines.ndjson", options.bikes, options.lines, options.seed)
        found = {
            "benchmark": "replay",
            **{key: str(value) for key, value in vars(options).items()},
            "parquet": replayed(options.archive or folder / "hello"),
            "ndjson": replayed(folder / "lines.ndjson"),
        }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
