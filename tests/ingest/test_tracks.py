"""A track says of each fix what one pass over everything says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bikes.roster import BikeKey
from bikes.telemetry import TelemetryBatch
from geofence.frames import frames
from geofence.quality import BELIEVED, VERDICTS
from ingest.worker import Worker
from tests.rides import START_MS, batch, judge, messy
from tests.workers import BIKES, new_log, new_worker

KEYS = [BikeKey("hello", bike_id) for bike_id in BIKES]


def fed(folder: Path, parts: list[TelemetryBatch], written: set[int] | None = None) -> Worker:
    """A worker that was given some fixes, and wrote its archive after some of the parts."""
    log = new_log(folder)
    worker = new_worker(folder, log)
    log.close()
    for n, part in enumerate(parts):
        worker.archive.remember(n + 1, part)
        if n in (written or set()):
            found = worker.archive.begin_flush()
            assert found is not None
            worker.archive.write(found)
            worker.archive.end_flush(found)
    return worker


Bits = tuple[bytes, bytes, bytes, list[str]]


def bits(fixes: TelemetryBatch, verdict: np.ndarray) -> Bits:
    """Times and positions bit for bit, and the names of the verdicts."""
    columns = fixes.timestamp_ms, fixes.lat_deg, fixes.lng_deg
    time, lat, lng = (column.tobytes() for column in columns)
    return time, lat, lng, [VERDICTS[code] for code in verdict]


def track(worker: Worker, key: BikeKey, from_ms: int, to_ms: int) -> Bits:
    """The track of a bike in [from_ms, to_ms)."""
    found = worker.judged([key], from_ms, to_ms)
    return bits(found.fixes, found.verdict)


def one_pass(fixes: TelemetryBatch) -> tuple[TelemetryBatch, np.ndarray]:
    """Distinct fixes, and their verdicts when all are judged together."""
    distinct = fixes.distinct()
    return distinct, judge().assess(distinct)[0]


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), data=st.data())
def test_any_span_of_any_record_is_a_part_of_one_pass(
    tmp_path_factory: pytest.TempPathFactory, seed: int, data: st.DataObject
) -> None:
    """Whatever came when, and is in files or not, verdicts are those of the whole, bit for bit."""
    rng = np.random.default_rng(seed)
    fixes = messy(seed)
    order = np.append(rng.permutation(len(fixes)), rng.integers(0, len(fixes), 30))
    parts = [fixes.take(rows) for rows in np.array_split(order, data.draw(st.integers(1, 9)))]
    written = data.draw(st.sets(st.integers(0, len(parts) - 1)))
    worker = fed(tmp_path_factory.mktemp("tracks"), parts, written)
    whole, codes = one_pass(fixes)
    first_ms, last_ms = int(whole.timestamp_ms.min()), int(whole.timestamp_ms.max())
    for _ in range(6):
        # Ends that lie on fixes, and ends that do not.
        a, b = sorted(data.draw(st.integers(first_ms - 1, last_ms + 1)) for _ in range(2))
        if data.draw(st.booleans()):
            a = int(whole.timestamp_ms[data.draw(st.integers(0, len(whole) - 1))])
        for bike, key in enumerate(KEYS[:2]):
            at_ms = whole.timestamp_ms
            rows = np.flatnonzero((whole.bike == bike) & (at_ms >= a) & (at_ms < b))
            assert track(worker, key, a, b) == bits(whole.take(rows), codes[rows])


def test_a_span_without_neighbours_is_judged_with_them(tmp_path: Path) -> None:
    """One fix of a stay is parked, though alone it would be fine; a jump is one, too."""
    at_s = [5.0 * n for n in range(60)]
    east = [0.0] * 60
    east[40] = 5_000.0
    worker = fed(tmp_path, [batch(at_s, east, [0.0] * 60)])

    def verdict(second: int) -> list[str]:
        at_ms = START_MS + 1000 * second
        return track(worker, KEYS[0], at_ms, at_ms + 1)[-1]

    assert verdict(100) == ["parked"]
    assert verdict(200) == ["teleport"]
    assert verdict(101) == []


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1), step_ms=st.sampled_from([5_000, 300_000]))
def test_frames_of_a_span_are_a_part_of_one_pass(
    tmp_path_factory: pytest.TempPathFactory, seed: int, step_ms: int
) -> None:
    """The last believed fix of each step, from files and tail, is that of all fixes judged."""
    rng = np.random.default_rng(seed)
    fixes = messy(seed)
    parts = [fixes.take(rows) for rows in np.array_split(rng.permutation(len(fixes)), 3)]
    worker = fed(tmp_path_factory.mktemp("frames"), parts, {0, 1})
    whole, codes = one_pass(fixes)
    from_ms, to_ms = np.sort(rng.choice(whole.timestamp_ms, 2)).tolist()
    at_ms = whole.timestamp_ms
    believed = whole.take(np.isin(codes, BELIEVED) & (at_ms >= from_ms) & (at_ms < to_ms))
    wanted = frames(believed, from_ms=from_ms, step_ms=step_ms)
    kept = TelemetryBatch.concat(list(worker.last_believed(KEYS, from_ms, to_ms, step_ms)))
    found = frames(kept, from_ms=from_ms, step_ms=step_ms)
    assert [column.tobytes() for column in found] == [column.tobytes() for column in wanted]


def test_asking_for_a_stranger_makes_no_bike(tmp_path: Path) -> None:
    """A question changes nothing: who was never heard has an empty track and no number."""
    worker = fed(tmp_path, [batch([0], [0], [0])])
    stranger = BikeKey("other", "nobody")
    assert track(worker, stranger, 0, 1 << 42) == (b"", b"", b"", [])
    assert stranger not in worker.roster
