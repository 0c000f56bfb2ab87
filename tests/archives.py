"""Archives with their rides, for tests of what is stored."""

from __future__ import annotations

from pathlib import Path

from bikes.roster import Roster
from bikes.telemetry import COLUMNS, TelemetryBatch
from ingest.archive import Archive
from tests.rides import START_MS, batch

EVER = (0, 1 << 42)
DAY_S = 86_400


def archive(folder: Path, **vendors: object) -> Archive:
    """An archive whose first vendor, unless others are given, is `hello` with three bikes."""
    roster = Roster(vendors or {"hello": ["HB0", "HB1", "HB2"]})  # type: ignore[arg-type]
    return Archive(folder / "archive", roster, "Asia/Shanghai")


def flush(kept: Archive) -> None:
    """Move the tail into files."""
    found = kept.begin_flush()
    assert found is not None
    kept.write(found)
    kept.end_flush(found)


def ride(first_s: float, fixes: int, *, bike: int = 0) -> TelemetryBatch:
    """A fix a second, from so long after 08:00 on."""
    at_s = [first_s + n for n in range(fixes)]
    return batch(at_s, [4.0 * n for n in range(fixes)], [0.0] * fixes, bike=bike)


def times(fixes: TelemetryBatch) -> list[float]:
    """Seconds after 08:00."""
    return [(ms - START_MS) / 1000 for ms in fixes.timestamp_ms.tolist()]


def same(fixes: TelemetryBatch, others: TelemetryBatch) -> bool:
    """Bit for bit, dtypes included."""
    return all(
        getattr(fixes, name).dtype == dtype == getattr(others, name).dtype
        and getattr(fixes, name).tobytes() == getattr(others, name).tobytes()
        for name, dtype in COLUMNS.items()
    )


def stems(kept: Archive) -> list[str]:
    """Names of the files, with their vendors."""
    return sorted(str(file.relative_to(kept.path)) for file in kept.path.rglob("*.*"))
