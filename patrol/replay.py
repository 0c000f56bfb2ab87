"""`patrol replay`: recorded telemetry to coverage, without a broker.

The whole record is judged in one pass, by the function that live intake uses, so what is found
is what the running system would have found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from bikes.roster import Roster
from bikes.telemetry import TelemetryBatch
from geofence.idleness import cell_idleness, zone_idleness
from geofence.quality import VERDICTS
from geofence.runs import Visits
from geofence.zonemap import ZoneMap
from geofence.zones import Zones
from ingest.archive import Archive
from ingest.recordings import SUFFIXES, Problem, RecordingReader
from patrol.assembly import district_of, vendors_of
from patrol.errors import ConfigError
from patrol.errors import Problem as ConfigProblem
from patrol.settings import Settings


class ZoneReplay(msgspec.Struct, frozen=True):
    """What was covered of one zone over the record; idle times are of its cells [s]."""

    zone_id: str
    covered_ratio: float
    cells_covered: int
    cells_total: int
    worst_idle_s: float
    mean_idle_s: float


class Replay(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    """What a record came to.

    Attributes
    ----------
    zones : list of ZoneReplay
    verdicts : dict
        Number of fixes by quality verdict; only verdicts that were given.
    from_, to : str, optional
        First and last fix, RFC 3339; None when there is none.
    """

    zones: list[ZoneReplay]
    verdicts: dict[str, int]
    from_: str | None
    to: str | None


def replay(
    paths: Sequence[Path],
    settings: Settings,
    zones: Zones,
    *,
    on_problem: Callable[[Problem], None],
    on_read: Callable[[int], None] = lambda size: None,
) -> Replay:
    """Judge everything in some files and folders.

    Parameters
    ----------
    paths : sequence of Path
        NDJSON of MDS telemetry, GPX, OwnTracks .rec, archive Parquet; of a folder, all of them.
    on_problem : callable
        Called with every line that cannot be used.
    on_read : callable
        Called with the size of every piece that was read [bytes].

    Raises
    ------
    ConfigError
        A path does not exist, or is of no known kind.
    """
    files = list(_files(paths))
    roster = Roster({name: vendor.bikes for name, vendor in settings.vendors.items()})
    reader = RecordingReader(roster, vendors_of(settings))
    parts = []
    for file in files:
        if file.suffix == ".parquet":
            archive = Archive(file.parent.parent, roster, settings.district.timezone)
            parts.append(archive.read_file(file))
            on_read(file.stat().st_size)
            continue
        for piece in reader.read(file):
            parts.append(piece.telemetry)
            on_read(piece.read_bytes)
            for problem in piece.problems:
                on_problem(problem)
    return _judged(TelemetryBatch.concat(parts), settings, zones)


def _judged(fixes: TelemetryBatch, settings: Settings, zones: Zones) -> Replay:
    distinct = fixes.distinct()
    if not len(distinct):
        return Replay(zones=[], verdicts={}, from_=None, to=None)
    from_ms, to_ms = int(distinct.timestamp_ms.min()), int(distinct.timestamp_ms.max())
    district = district_of(settings, zones, to_ms)
    codes, visits = district.judge.assess(distinct)
    counts = dict(zip(VERDICTS, np.bincount(codes, minlength=len(VERDICTS)).tolist(), strict=True))
    counts["duplicate"] = len(fixes) - len(distinct)
    return Replay(
        zones=_zones(district.zones, visits, from_ms, to_ms),
        verdicts={verdict: count for verdict, count in counts.items() if count},
        from_=_time(from_ms, settings),
        to=_time(to_ms, settings),
    )


def _zones(zones: ZoneMap, visits: Visits, from_ms: int, to_ms: int) -> list[ZoneReplay]:
    size = zones.grid.size
    # A record of one instant has no length; a millisecond keeps its idleness defined.
    cells = cell_idleness(
        visits.cell, visits.at_ms, size=size, from_ms=from_ms, to_ms=max(to_ms, from_ms + 1)
    )
    idle = zone_idleness(cells, zones.cell_zone, zones=len(zones.zones))
    visited = np.unique(visits.cell)
    covered = np.bincount(zones.cell_zone[visited], minlength=len(zones.zones))
    return [
        ZoneReplay(
            zone_id=zone.zone_id,
            covered_ratio=round(int(covered[index]) / int(zones.cells_total[index]), 4),
            cells_covered=int(covered[index]),
            cells_total=int(zones.cells_total[index]),
            worst_idle_s=round(float(idle.worst_s[index]), 1),
            mean_idle_s=round(float(idle.mean_s[index]), 1),
        )
        for index, zone in enumerate(zones.zones)
    ]


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    """Every file meant by some paths; a folder stands for all recordings below it."""
    known = {*SUFFIXES, ".parquet"}
    problems = []
    for path in paths:
        if path.is_dir():
            inside = sorted(f for f in path.rglob("*") if f.suffix.lower() in known)
            if not inside:
                problems.append(ConfigProblem(str(path), f"holds no {' '.join(sorted(known))}"))
            yield from inside
        elif not path.exists():
            problems.append(ConfigProblem(str(path), "there is no such file or folder"))
        elif path.suffix.lower() not in known:
            kinds = " ".join(sorted(known))
            problems.append(ConfigProblem(str(path), f"not a kind of recording; these are: {kinds}"))
        else:
            yield path
    if problems:
        raise ConfigError(problems)


def _time(at_ms: int | None, settings: Settings) -> str | None:
    if at_ms is None:
        return None
    zone = ZoneInfo(settings.district.timezone)
    return datetime.fromtimestamp(at_ms / 1000, zone).isoformat(timespec="milliseconds")
