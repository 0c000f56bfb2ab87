"""Workers on a real log and a real archive, and messages for them, for tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bikes.fleet import BikeState, FleetState
from bikes.formats import FORMATS, mds
from bikes.roster import BikeKey, Roster
from bikes.telemetry import Location, Telemetry, TelemetryBatch
from bikes.topics import of_bike
from geofence.quality import Limits
from geofence.runs import Judge, Midnights
from ingest.archive import Archive
from ingest.decode import Decoder, Decodings
from ingest.log import Messages, SqliteLog
from ingest.pipeline import Pipeline
from ingest.vendors import DecodeLimits, VendorFormat
from ingest.worker import READERS, Worker
from tests.dashboards.district import POLICIES, sample_atlas
from tests.rides import START_MS, judge, messy
from tests.spans import one_span

BIKES = ["HB0", "HB1", "HB2"]
"""Of the vendor `hello`; `other` may have any."""

RECEIVED_MS = START_MS + 2 * 86_400_000
"""When messages are received: late enough for all that happens on two days."""

HOUR_S = 3600
DAY_MS = 86_400_000
KEYS = [BikeKey("hello", bike_id) for bike_id in BIKES]


def messages(fixes: TelemetryBatch, *, at_ms: int = RECEIVED_MS) -> Messages:
    """A message for each fix, by `hello`, in the order of the rows."""
    topics, payloads = [], []
    for row in range(len(fixes)):
        bike_id = BIKES[int(fixes.bike[row])]
        said = Telemetry(
            timestamp=int(fixes.timestamp_ms[row]),
            device_id=bike_id,
            location=Location(
                lat=float(fixes.lat_deg[row]),
                lng=float(fixes.lng_deg[row]),
                horizontal_accuracy=float(fixes.accuracy_m[row]),
            ),
        )
        topics.append(of_bike("telemetry", "hello", bike_id))
        payloads.append(mds.encode(said))
    return Messages(at_ms, topics, payloads)


def new_log(folder: Path) -> SqliteLog:
    """The log of a folder, opened."""
    return SqliteLog(folder / "log.sqlite", READERS)


def sample_judge() -> Judge:
    """A judge over the sample district."""
    least_m = dict.fromkeys(POLICIES, 20.0)
    return Judge(sample_atlas(), Limits(), Midnights("Asia/Shanghai"), least_m)


def patient_decoder(roster: Roster) -> Decoder:
    """A decoder of MDS by every vendor that takes fixes of any age."""
    formats = {name: VendorFormat(name, FORMATS["mds"]) for name in roster.vendors}
    return Decoder(roster, formats, DecodeLimits(max_age_s=1e9))


def decodings(log: SqliteLog, decoder: Decoder) -> Decodings:
    """What one decoder makes of all of a log."""
    log.decode_by("")
    return Decodings(log, lambda _: decoder)


def new_worker(
    folder: Path,
    log: SqliteLog,
    *,
    judged_by: Judge | None = None,
    decoder: Decoder | None = None,
    **changes: Any,
) -> Worker:
    """A worker with its files in a folder; not restored."""
    roster = changes.get("roster") or Roster({"hello": BIKES, "other": "any"})
    archive = Archive(folder / "archive", roster, "Asia/Shanghai")
    formats = {name: VendorFormat(name, FORMATS["mds"]) for name in roster.vendors}
    parts: dict[str, Any] = {
        "log": log,
        "decoder": decodings(log, decoder or Decoder(roster, formats, DecodeLimits())),
        "roster": roster,
        "pipeline": Pipeline(judged_by or judge(), archive),
        "archive": archive,
        "fleet": FleetState(roster),
        "snapshot_file": folder / "coverage.npz",
        "fingerprint": "as configured",
    }
    return Worker(**(parts | changes))


def read_all(worker: Worker, limit: int = 1) -> None:
    """Read to the head of the log."""
    while worker.step(limit):
        pass


def save(worker: Worker) -> None:
    """Take a snapshot."""
    worker.write_snapshot(*worker.begin_save())


def flush(worker: Worker) -> None:
    """Move the tail into the archive's files."""
    found = worker.archive.begin_flush()
    if found is not None:
        worker.write_archive(found)
        worker.archive.end_flush(found)


Ledger = dict[tuple[BikeKey, int, int], tuple[int, bool, int]]


def ledger(worker: Worker) -> Ledger:
    """Last visit, whether any was observed, and first visit, by bike, slot and cell."""
    rows, keys = worker.pipeline.ledger.view().rows(), worker.roster.keys
    return {
        (keys[bike], slot, cell): (last_ms, seen, first_ms)
        for bike, slot, cell, last_ms, seen, first_ms in zip(
            *(column.tolist() for column in (rows.bike, rows.slot, rows.cell, *rows[1:4])),
            strict=True,
        )
    }


def fleet(worker: Worker) -> dict[BikeKey, BikeState]:
    """What is known of each bike, whatever its number is."""
    keys = enumerate(worker.roster.keys)
    return {key: _unnumbered(worker.fleet.of(bike)) for bike, key in keys}


def track(worker: Worker, key: BikeKey) -> tuple[bytes, ...]:
    """Every bit of what is stored of a bike."""
    (bike,) = worker.roster.restore([key])
    fixes = worker.archive.within(one_span(bike, 0, 1 << 42))
    return tuple(
        np.asarray(column).tobytes()
        for column in (fixes.timestamp_ms, fixes.lat_deg, fixes.lng_deg, fixes.accuracy_m)
    )


def _unnumbered(state: BikeState) -> BikeState:
    return msgspec.structs.replace(state, bike=0)


def entries(seed: int, *, disorder_s: int = 0, cuts: int = 12) -> list[Messages]:
    """Rides of two bikes, cut into entries, and between them what else bikes say."""
    rng = np.random.default_rng(seed)
    fixes = messy(seed, fixes=120)
    sent = fixes.timestamp_ms + rng.integers(0, disorder_s * 1000 + 1, len(fixes))
    order = np.argsort(sent, kind="stable")
    edges = np.sort(rng.integers(0, len(fixes), cuts))
    found = []
    for n, rows in enumerate(np.split(order, edges)):
        at_ms = RECEIVED_MS + 1_000 * n
        if rng.random() < 0.4:
            names = [f"any-{rng.integers(3)}", BIKES[int(rng.integers(3))]]
            found.append(
                Messages(
                    at_ms,
                    [
                        of_bike("status", "other", names[0]),
                        of_bike("status", "hello", names[1]),
                        of_bike("telemetry", "hello", names[1]),
                        of_bike("telemetry", "nobody", "B1"),
                    ],
                    [b"online", b"offline", b"{not json", b"{}"],
                )
            )
        if rows.size:
            found.append(messages(fixes.take(rows), at_ms=at_ms))
    return found


def filled(folder: Path, parts: list[Messages]) -> SqliteLog:
    """A log that holds some entries."""
    log = new_log(folder)
    for part in parts:
        log.append(part)
    return log


def uninterrupted(folder: Path, parts: list[Messages]) -> Worker:
    """One that has read everything in one life."""
    log = filled(folder, parts)
    worker = new_worker(folder, log)
    worker.restore(RECEIVED_MS)
    read_all(worker)
    log.close()
    return worker


def next_life(worker: Worker, folder: Path, **changes: Any) -> Worker:
    """After a crash: only what is on disk is still known."""
    worker.log.close()
    again = new_worker(folder, new_log(folder), **changes)
    again.restore(RECEIVED_MS + 9_999)
    return again


def assert_same(worker: Worker, other: Worker) -> None:
    """Ledger and tracks are the same, bit for bit."""
    assert ledger(worker) == ledger(other)
    for key in KEYS:
        assert track(worker, key) == track(other, key)


def assert_same_state(worker: Worker, other: Worker) -> None:
    """So is everything else that is told of the fleet, and every counter."""
    assert_same(worker, other)
    assert fleet(worker) == fleet(other)
    counts = [
        (w.view.total[:2], w.view.accounts.keys(), w.since_ms, w.seq) for w in (worker, other)
    ]
    assert counts[0] == counts[1]
    # The archive may be ahead: what is late and there already is a duplicate then.
    totals = [
        replace(counters, duplicates=0, verdicts=[sum(counters.verdicts) + counters.duplicates])
        for counters in (worker.pipeline.counters, other.pipeline.counters)
    ]
    assert totals[0] == totals[1]
