"""The port through which contexts ask for earlier fixes: the archive's, and that of tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bikes.roster import Roster
from bikes.telemetry import TelemetryBatch
from geofence.intervals import Intervals
from ingest.archive import Archive
from tests.histories import Everything
from tests.rides import START_MS, batch
from tests.spans import one_span

Filled = Callable[[list[TelemetryBatch]], Archive]


@pytest.fixture(params=["archive", "memory"])
def filled(request: pytest.FixtureRequest, tmp_path: Path) -> Filled:
    """Makes a history that was given some batches; half of the archive's are in its files."""

    def fill(parts: list[TelemetryBatch]) -> Archive:
        if request.param == "memory":
            memory = Everything()
            for part in parts:
                memory.take(part)
            return memory
        archive = Archive(tmp_path, Roster({"hello": ["a", "b"]}), "Asia/Shanghai")
        for seq, part in enumerate(parts, 1):
            archive.remember(seq, part)
            if seq == len(parts) // 2:
                found = archive.begin_flush()
                assert found is not None
                archive.write(found)
                archive.end_flush(found)
        return archive

    return fill


def test_fixes_in_spans_come_once_and_sorted(filled: Filled) -> None:
    """A span holds its beginning and not its end; order and repetition of the batches are lost."""
    early, late = batch([0, 10, 20], [0, 1, 2], [0] * 3), batch([30, 40], [3, 4], [0] * 2)
    other = batch([10, 5], [0, 0], [0, 0], bike=1)
    history = filled([late, other, early, late])
    spans = Intervals(
        np.array([0, 1], np.int32),
        np.array([START_MS + 10_000, START_MS]),
        np.array([START_MS + 40_000, START_MS + 10_000]),
    )
    found = history.within(spans)
    at_s = ((found.timestamp_ms - START_MS) // 1000).tolist()
    assert list(zip(found.bike.tolist(), at_s, strict=True)) == [(0, 10), (0, 20), (0, 30), (1, 5)]


def test_no_span_holds_nothing(filled: Filled) -> None:
    """Nor does a span in which nothing was sent."""
    history = filled([batch([0], [0], [0]), batch([5], [0], [0])])
    nothing = np.empty(0, np.int64)
    assert len(history.within(Intervals(nothing.astype(np.int32), nothing, nothing))) == 0
    assert len(history.within(one_span(1, START_MS, START_MS + 60_000))) == 0
