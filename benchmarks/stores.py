"""How many bytes a day of a fleet takes in each store.

A simulated fleet works its shifts in the sample district for a day. Its messages go through the
product's own log, decoder, pipeline, archive and snapshot, without a broker: messages that fall
within 20 ms are one entry of the log, as the inlet would gather them. The same fixes are rendered
as line protocol. Prints one JSON object; docs/performance.md uses it.

    python -m benchmarks.stores [--bikes N] [--days N] [--seed S] [--lines FILE]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from datetime import datetime
from itertools import groupby
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from bikes.simulator import SimulationPlan, Simulator
from geofence.quality import VERDICTS
from geofence.zones import Zones
from ingest.influx.line_protocol import telemetry_lines
from ingest.log import Messages, SqliteLog
from ingest.worker import READERS, Worker
from patrol.assembly import district_of, worker_of
from patrol.config.sections import Settings
from patrol.config.settings import load_with_zones
from patrol.simulate import bike_ids, sim_zones

SAMPLE = Path(__file__).parent.parent / "samples" / "chengyang" / "patrol.toml"
DAY_MS = 86_400_000
GATHER_MS = 20
STEP_MS = 300_000  # the archive is written this often


def size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size if path.exists() else 0


def save(worker: Worker) -> None:
    """What the intake does now and then."""
    worker.write_snapshot(*worker.begin_save())
    flush = worker.archive.begin_flush()
    if flush is not None:
        worker.write_archive(flush)
        worker.archive.end_flush(flush)


def measure(
    settings: Settings, zones: Zones, bikes: int, days: int, seed: int, lines: Path
) -> dict[str, object]:
    """One object of figures; the line protocol is left in `lines`."""
    zone = ZoneInfo(settings.district.timezone)
    start_ms = round(datetime(2026, 3, 4, tzinfo=zone).timestamp() * 1000)
    listed = settings.vendors["hello"].bikes
    plan = SimulationPlan(
        seed=seed,
        vendor="hello",
        bike_ids=bike_ids(() if isinstance(listed, str) else listed, bikes),
        zones=sim_zones(zones),
        start_ms=start_ms,
        timezone=settings.district.timezone,
    )
    simulator = Simulator(plan)
    district = district_of(settings, zones, start_ms)
    zones_map = district.atlas.at(start_ms)
    counts = dict.fromkeys(("messages", "payload_bytes", "entries", "line_bytes", "points"), 0)
    snapshots = []
    with tempfile.TemporaryDirectory(prefix="zhixun-stores-") as name, lines.open("wb") as out:
        folder = Path(name)
        log = SqliteLog(folder / "log.sqlite", READERS)
        worker = worker_of(district, log, folder)
        worker.restore(start_ms)
        for day in range(days):
            for from_ms in range(start_ms + day * DAY_MS, start_ms + (day + 1) * DAY_MS, STEP_MS):
                sent = simulator.messages(from_ms, from_ms + STEP_MS)
                for slot, group in groupby(sent, lambda message: message.at_ms // GATHER_MS):
                    found = list(group)
                    payloads = [message.payload for message in found]
                    topics = [message.topic for message in found]
                    log.append(Messages((slot + 1) * GATHER_MS, topics, payloads))
                    counts["entries"] += 1
                    counts["messages"] += len(found)
                    counts["payload_bytes"] += sum(map(len, payloads))
                while decoded := worker.step(65_536):
                    for part in decoded:
                        text = telemetry_lines(
                            part.telemetry,
                            np.full(len(part.telemetry), VERDICTS.index("ok"), np.uint8),
                            np.full(len(part.telemetry), 5, np.float32),
                            zones_map.zone_of(part.telemetry.lat_deg, part.telemetry.lng_deg),
                            keys=worker.roster.keys,
                            zone_ids=[item.zone_id for item in zones_map.zones],
                        )
                        out.write(text)
                        counts["points"] += text.count(b"\n")
                        counts["line_bytes"] += len(text)
                save(worker)
            snapshots.append(size(folder / "coverage.npz"))
        archive = size(folder / "archive")
        fixes = worker.view.total.accepted
        log.close()
        log_bytes = size(folder / "log.sqlite")  # nothing was trimmed
    bike_days = bikes * days
    return {
        "benchmark": "stores",
        "bikes": bikes,
        "days": days,
        "seed": seed,
        "fixes": fixes,
        **counts,
        "payload_bytes_per_message": round(counts["payload_bytes"] / counts["messages"], 1),
        "log_bytes_per_message": round(log_bytes / counts["messages"], 1),
        "archive_bytes_per_fix": round(archive / fixes, 2),
        "line_bytes_per_point": round(counts["line_bytes"] / counts["points"], 1),
        "per_bike_and_day": {
            "fixes": round(fixes / bike_days),
            "log_bytes": round(log_bytes / bike_days),
            "archive_bytes": round(archive / bike_days),
            "snapshot_bytes": round((snapshots[-1] - snapshots[0]) / bikes / max(days - 1, 1)),
        },
        "snapshot_bytes": snapshots,
    }


def main() -> None:
    """Parse the arguments and print the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--bikes", type=int, default=4)
    parser.add_argument("--days", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lines", type=Path, help="keep the line protocol in this file")
    options = parser.parse_args()
    settings, zones = load_with_zones(SAMPLE)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        lines = options.lines or Path(scratch) / "lines"
        found = measure(settings, zones, options.bikes, options.days, options.seed, lines)
    print(json.dumps(found | {"took_s": round(time.perf_counter() - began, 1)}))


if __name__ == "__main__":
    main()
