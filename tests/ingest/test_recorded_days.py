"""Recorded fixes come back by day and bike, whatever memory there is and wherever they lay."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import pytest

from bikes.roster import Roster
from bikes.telemetry import COLUMNS, TelemetryBatch
from geofence.runs import Midnights
from ingest.errors import ArchiveDamaged
from ingest.recorded_days import BIKES, RecordedDays
from tests.archives import archive, flush
from tests.rides import messy

SHANGHAI = Midnights("Asia/Shanghai")


def stop(damage: ArchiveDamaged) -> None:
    """Nothing is damaged."""
    raise damage


@pytest.mark.parametrize("held_bytes", [0, 1 << 30])
def test_days_are_the_same_in_memory_and_in_a_file(held_bytes: int) -> None:
    """Any order, duplicates included: together they are the distinct fixes, and none is twice."""
    fixes = messy(3, bikes=BIKES + 3)
    rng = np.random.default_rng(3)
    again = fixes.take(np.append(rng.permutation(len(fixes)), rng.integers(0, len(fixes), 50)))
    with TemporaryFile() as spill:
        days = RecordedDays(Roster({}), SHANGHAI, held_bytes, spill, stop)
        for rows in np.array_split(np.arange(len(again)), 7):
            days.add(again.take(rows), again.timestamp_ms[rows] % 7 == 0)
        assert bool(held_bytes) == (spill.seek(0, 2) == 0)
        parts = [part for day in days.days() for part in days.of(day)]
        assert len(days.days()) == 2
    assert (days.from_ms, days.to_ms) == (fixes.timestamp_ms.min(), fixes.timestamp_ms.max())
    assert days.rows == len(again)
    assert {len(set((part.fixes.bike // BIKES).tolist())) for part in parts} == {1}
    found, wanted = (
        TelemetryBatch.concat([part.fixes for part in parts]).distinct(),
        fixes.distinct(),
    )
    assert sum(len(part.fixes) for part in parts) == len(wanted)
    assert sum(part.duplicates for part in parts) == len(again) - len(wanted)
    for name in COLUMNS:
        assert getattr(found, name).tobytes() == getattr(wanted, name).tobytes()
    for part in parts:
        assert part.begins is not None
        assert part.begins.tolist() == (part.fixes.timestamp_ms % 7 == 0).tolist()


def test_a_file_and_what_else_was_recorded_of_its_day_are_one(tmp_path: Path) -> None:
    """Rows of a file of the archive count on their local day, whatever day the file is of."""
    fixes = messy(4)
    kept = archive(tmp_path)
    kept.remember(1, fixes)
    flush(kept)
    utc, spill = Midnights("UTC"), BytesIO()
    days = RecordedDays(kept.roster, utc, 1 << 30, spill, stop)
    for file in kept.newest(days=9):
        days.add_file(file)
    days.add(fixes.take(slice(0, 100)))
    wanted = fixes.distinct()
    assert days.rows == len(wanted) + 100
    for day in days.days():
        (part,) = days.of(day)
        mine = wanted.take(utc.day(wanted.timestamp_ms) == day)
        assert part.begins is None
        assert part.fixes.timestamp_ms.tolist() == mine.timestamp_ms.tolist()
        assert part.fixes.lat_deg.tobytes() == mine.lat_deg.tobytes()


def test_damage_is_told_and_the_rest_is_there(tmp_path: Path) -> None:
    """A file that was damaged after it was taken in lacks its fixes, and no others."""
    kept = archive(tmp_path)
    kept.remember(1, messy(5))
    flush(kept)
    told: list[ArchiveDamaged] = []
    days = RecordedDays(kept.roster, SHANGHAI, 1 << 30, BytesIO(), told.append)
    for file in kept.newest(days=9):
        days.add_file(file)
    first, *others = kept.newest(days=9)
    first.write_bytes(b"no parquet")
    assert [sum(len(part.fixes) for part in days.of(day)) > 0 for day in days.days()] == [
        False, *(True for _ in others)
    ]  # fmt: skip
    assert [damage.file for damage in told] == [first]
