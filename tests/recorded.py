"""Telemetry as recordings of every kind, and what the live line makes of it, for tests."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from bikes.simulator import SimulatedMessage, SimulationPlan, Simulator
from ingest.log import Messages, SqliteLog
from ingest.worker import READERS, Worker
from patrol.assembly import District, district_of, worker_of
from patrol.config.settings import load_with_zones
from patrol.simulate import sim_zones
from tests.stations import SAMPLE

CONFIG = SAMPLE / "patrol.toml"
START_MS = round(datetime(2026, 3, 4, 8, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp() * 1000)
"""08:00 on a Wednesday."""
HOUR_MS = 3_600_000

Fix = dict[str, Any]
"""Telemetry as MDS writes it."""


def fleet(bikes: int, hours: float) -> list[SimulatedMessage]:
    """What the sample's bikes send from eight in the morning on."""
    settings, zones = load_with_zones(CONFIG)
    plan = SimulationPlan(
        seed=3,
        vendor="hello",
        bike_ids=list(settings.vendors["hello"].bikes)[:bikes],
        zones=sim_zones(zones),
        start_ms=START_MS,
        neglected="cy-07",
    )
    messages = Simulator(plan).messages(START_MS, START_MS + round(hours * HOUR_MS))
    return [message for message in messages if message.items]


def live(messages: Sequence[SimulatedMessage], folder: Path) -> tuple[District, Worker]:
    """A worker that has read these messages as they came, and put all fixes into the archive."""
    settings, zones = load_with_zones(CONFIG)
    district = district_of(settings, zones, START_MS)
    log = SqliteLog(folder / "log.sqlite", READERS)
    worker = worker_of(district, log, folder)
    worker.restore(START_MS)
    for first in range(0, len(messages), 500):
        some = messages[first : first + 500]
        log.append(Messages(some[-1].at_ms, [m.topic for m in some], [m.payload for m in some]))
        worker.step(500)
    flush = worker.archive.begin_flush()
    assert flush is not None
    worker.write_archive(flush)
    worker.archive.end_flush(flush)
    log.close()
    return district, worker


def covered(district: District, worker: Worker) -> dict[str, int]:
    """Cells of each zone that a worker knows to have been visited."""
    zones = district.atlas.at(START_MS)
    cells = np.unique(worker.pipeline.ledger.view().rows().cell)
    counts = np.bincount(zones.cell_zone[cells], minlength=len(zones.zones))
    return {zone.zone_id: int(count) for zone, count in zip(zones.zones, counts, strict=True)}


def lines(messages: Iterable[SimulatedMessage]) -> list[bytes]:
    """Every item of some messages as a line of NDJSON, the bad ones too."""
    found = []
    for message in messages:
        try:
            payload = json.loads(message.payload)
        except ValueError:
            found.append(message.payload)
            continue
        items = payload if isinstance(payload, list) else [payload]
        found += [json.dumps(item).encode() for item in items]
    return found


def plain(messages: Iterable[SimulatedMessage]) -> dict[str, list[Fix]]:
    """The good fixes of each bike with what every kind of recording can say: whole seconds."""
    by_bike: dict[str, dict[int, Fix]] = {}
    for line in lines(messages):
        try:
            fix = json.loads(line)
            bike, place, at_ms = fix["device_id"], fix["location"], fix["timestamp"] // 1000 * 1000
            good = bike.startswith("HB") and abs(place["lat"]) < 90
        except (ValueError, KeyError, TypeError):
            continue
        if good:
            place = {"lat": place["lat"], "lng": place["lng"]}
            by_bike.setdefault(bike, {})[at_ms] = {
                "device_id": bike,
                "timestamp": at_ms,
                "location": place,
            }
    return {bike: list(fixes.values()) for bike, fixes in by_bike.items()}


def write_ndjson(file: Path, found: Iterable[bytes | Fix]) -> Path:
    """A file of NDJSON."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in found]
    file.write_bytes(b"\n".join(rows) + b"\n")
    return file


def write_gpx(folder: Path, bike: str, fixes: Iterable[Fix]) -> Path:
    """A GPX track, named after its bike."""
    folder.mkdir(parents=True, exist_ok=True)
    points = "\n".join(
        f'<trkpt lat="{fix["location"]["lat"]!r}" lon="{fix["location"]["lng"]!r}">'
        f"<time>{datetime.fromtimestamp(fix['timestamp'] / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}</time>"
        "</trkpt>"
        for fix in fixes
    )
    file = folder / f"{bike}.gpx"
    file.write_text(
        '<gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1">'
        f"<trk><trkseg>{points}</trkseg></trk></gpx>"
    )
    return file


def write_rec(folder: Path, bike: str, fixes: Iterable[Fix]) -> Path:
    """A month of the OwnTracks Recorder, in a folder named after the bike."""
    rows = []
    for fix in fixes:
        at_s, place = fix["timestamp"] // 1000, fix["location"]
        said = {"_type": "location", "lat": place["lat"], "lon": place["lng"], "tst": at_s}
        at = f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%dT%H:%M:%SZ}"
        rows.append(f"{at}\t*                 \t{json.dumps(said)}")
    file = folder / bike / "2026-03.rec"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(rows) + "\n")
    return file
