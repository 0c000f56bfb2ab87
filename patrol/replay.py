"""`patrol replay`: recorded telemetry to coverage, without a broker.

The whole record is judged in one pass, by the function that live intake uses, so what is found
is what the running system would have found. With ``--what-if`` it is judged twice: by the policies
that are configured, and by others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

import msgspec
import numpy as np

from alerts.orders import Orders
from alerts.store.book_file import BookFile
from bikes.roster import Roster
from bikes.telemetry import TelemetryBatch
from geofence.closed_record import ZoneRecord, zone_records
from geofence.coverage import Ledger
from geofence.intervals import keys
from geofence.quality import VERDICTS
from geofence.record import Record, ZoneRef
from geofence.runs import Visits
from geofence.windows import Plan
from geofence.zones import Zones
from ingest.recordings import SUFFIXES, Problem, RecordingReader
from ingest.recordings import files as files_in
from patrol.assembly import District, bikes_of, district_of, vendors_of
from patrol.config.sections import Policy, Settings
from patrol.errors import ConfigError
from patrol.errors import Problem as ConfigProblem


class ZoneCoverage(msgspec.Struct, frozen=True):
    """The coverage of one zone over a record. Idle times count duty only."""

    zone_id: str
    covered_ratio: float
    cells_covered: int
    cells_total: int
    worst_idle_s: float | None  # of the cells that were visited [s]; None without a visit
    mean_idle_s: float | None  # of all its cells [s]; None without duty
    name: str
    name_zh: str | None
    longest_idle_s: float  # the longest that the zone was not patrolled [s]


class ZoneJudged(msgspec.Struct, frozen=True):
    """One zone against its policy. Only duty time counts: patrol hours less exceptions and pauses.

    Windows are those of the policy that the record covers, as :mod:`geofence.windows` judges them.
    """

    zone_id: str
    policy: str
    unpatrolled: int  # how often its frequency was exceeded
    longest_idle_s: float
    """The longest it was not patrolled, the ends of the record included [s of duty]."""
    windows: int
    windows_short: int
    windows_unknown: int


class WhatIf(msgspec.Struct, frozen=True):
    """Zones by the policies that are configured, and by the others."""

    configured: list[ZoneJudged]
    zones: list[ZoneJudged]


class Replay(msgspec.Struct, frozen=True, omit_defaults=True, rename={"from_": "from"}):
    """The result of a record, from its first to its last fix [RFC 3339]."""

    zones: list[ZoneCoverage]
    verdicts: dict[str, int]  # number of fixes by quality verdict; only verdicts that were given
    from_: str
    to: str
    refused: dict[str, int] = {}  # number of parts of the files that could not be used, by reason
    notes: dict[str, int] = {}
    """Number of values that are unknown because they cannot be used, by field; and of messages
    that say something else than a position, as `no_position`."""
    what_if: WhatIf | None = None
    """How the record stands against other policies, where these were given."""


def replay(
    files: Sequence[Path],
    settings: Settings,
    zones: Zones,
    *,
    on_problem: Callable[[Problem], None],
    on_read: Callable[[int], None],
    other: Mapping[str, Policy] | None,
    vendor: str | None = None,
    bike: str | None = None,
) -> Replay:
    """Judge everything in some files, as :func:`recordings` gives them.

    `on_problem` is called with everything that cannot be used, a line or a file as a whole, and
    `on_read` with the size of every piece that was read [bytes]. The record is judged by `other`
    policies as well, instead of those of the same names. `vendor` and `bike` are those
    of what names none, as of :class:`ingest.recordings.RecordingReader`.

    ConfigError: nothing in the files can be used.
    BookUnavailable, BookUnreadable: there is an alert book, and what people have ordered cannot be
    read from it.
    """
    roster = Roster(bikes_of(settings))
    reader = RecordingReader(roster, vendors_of(settings), default_vendor=vendor, default_bike=bike)
    parts, begins = [], []
    refused: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    for file in files:
        last = 0
        for piece in reader.read(file):
            parts.append(piece.telemetry)
            if piece.segments:
                begins.append(piece.telemetry.take(np.diff(piece.segments, prepend=last) > 0))
                last = piece.segments[-1]
            on_read(piece.read_bytes)
            notes += piece.notes
            for problem in piece.problems:
                refused[problem.reason] += 1
                on_problem(problem)
    fixes = TelemetryBatch.concat(parts)
    if not len(fixes):
        where = str(files[0]) if len(files) == 1 else f"{len(files)} files"
        raise ConfigError([ConfigProblem(where, "there is no fix in it that can be used")])
    found = _judged(fixes, TelemetryBatch.concat(begins), settings, zones, other)
    return msgspec.structs.replace(found, refused=dict(refused), notes=dict(notes))


def recordings(paths: Sequence[Path]) -> list[Path]:
    """The files meant by some paths, each once; a folder stands for all recordings below it.

    ConfigError: a path does not exist, or is of no known kind.
    """
    kinds = " ".join(sorted(SUFFIXES))
    found: dict[Path, Path] = {}
    problems = []
    for path in paths:
        inside = files_in([path])
        if not path.exists():
            problems.append(ConfigProblem(str(path), "there is no such file or folder"))
        elif not any(file.suffix.lower() in SUFFIXES for file in inside):
            message = (
                f"holds no {kinds}"
                if path.is_dir()
                else f"not a kind of recording; these are: {kinds}"
            )
            problems.append(ConfigProblem(str(path), message))
        found |= {file.resolve(): file for file in inside}
    if problems:
        raise ConfigError(problems)
    return list(found.values())


def _judged(
    fixes: TelemetryBatch,
    begins: TelemetryBatch,
    settings: Settings,
    zones: Zones,
    other: Mapping[str, Policy] | None,
) -> Replay:
    distinct = fixes.distinct()
    from_ms, to_ms = int(distinct.timestamp_ms.min()), int(distinct.timestamp_ms.max())
    district = district_of(settings, zones, to_ms)
    _follow_orders(settings, district)
    begin = np.isin(
        keys(distinct.bike, distinct.timestamp_ms), keys(begins.bike, begins.timestamp_ms)
    )
    codes, visits = district.judge.assess(distinct, begin)
    counts = dict(zip(VERDICTS, np.bincount(codes, minlength=len(VERDICTS)).tolist(), strict=True))
    counts["duplicate"] = len(fixes) - len(distinct)
    found = records_of(district, distinct, visits, from_ms, to_ms)
    what_if = None
    if other is not None:
        policies = {**settings.policies, **other}
        another = district_of(settings.model_copy(update={"policies": policies}), zones, to_ms)
        _follow_orders(settings, another)
        # The other policies may also say differently what a visit is.
        _, under_other = another.judge.assess(distinct, begin)
        what_if = WhatIf(
            configured=judged_by(found),
            zones=judged_by(records_of(another, distinct, under_other, from_ms, to_ms)),
        )
    first, last = (
        datetime.fromtimestamp(at_ms / 1000, settings.district.tz).isoformat(
            timespec="milliseconds"
        )
        for at_ms in (from_ms, to_ms)
    )
    return Replay(
        zones=[
            ZoneCoverage(
                ref.zone_id,
                round(zone.cells_covered / ref.cells_total, 4),
                zone.cells_covered,
                ref.cells_total,
                zone.worst_idle_s,
                zone.mean_idle_s,
                ref.name,
                ref.name_zh,
                zone.longest_idle_s,
            )
            for ref, zone in found
        ],
        verdicts={verdict: count for verdict, count in counts.items() if count},
        from_=first,
        to=last,
        what_if=what_if,
    )


def _follow_orders(settings: Settings, district: District) -> None:
    """Let what people have ordered lie over the policies: what was paused stays paused.

    Orders are in the alert book of the configured storage; without one there are none.
    """
    path = settings.storage.path / "alerts.sqlite"
    if not path.exists():
        return
    with closing(BookFile(path)) as file:
        Orders(file, district.policies, settings.district.tz)


def records_of(
    district: District, fixes: TelemetryBatch, visits: Visits, from_ms: int, to_ms: int
) -> list[tuple[ZoneRef, ZoneRecord]]:
    """Every zone of a district against its policies, over the record [from_ms, to_ms]."""
    ledger = Ledger(district.atlas.grid.size)
    ledger.add(visits)
    ledger.hear(fixes.bike, fixes.timestamp_ms)
    # A window is open at its end, and the last fix is of the record.
    record = Record(
        district.atlas.layout, ledger.view(), Roster({}), since_ms=from_ms, now_ms=to_ms + 1
    )
    plans: dict[str, Plan] = {
        zone: district.policies.plan(zone) for zone in district.policies.zones
    }
    found = zone_records(record, plans, visits)
    return [(ref, found[ref.zone_id]) for ref in record.zones()]


def judged_by(records: Sequence[tuple[ZoneRef, ZoneRecord]]) -> list[ZoneJudged]:
    """Every zone of a record against its policy."""
    return [
        ZoneJudged(
            ref.zone_id,
            ref.policy,
            found.unpatrolled,
            found.longest_idle_s,
            found.windows.total(),
            found.windows["short"],
            found.windows["unknown"],
        )
        for ref, found in records
    ]
