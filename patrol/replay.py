"""`patrol replay`: recorded telemetry to coverage, without a broker.

The whole record is judged in one pass, by the function that live intake uses, so what is found
is what the running system would have found. With ``--what-if`` it is judged twice: by the policies
that are configured, and by others.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

import msgspec
import numpy as np

from alerts.orders import Orders
from alerts.store.book_file import BookFile
from bikes.roster import Roster
from geofence.closed_record import ClosedRecord, Seen, ZoneRecord
from geofence.quality import VERDICTS
from geofence.record import ZoneRef
from geofence.runs import Midnights
from geofence.zones import Zones
from ingest import snapshot
from ingest.errors import ArchiveDamaged, SnapshotDamaged
from ingest.recorded_days import RecordedDays
from ingest.recordings import SUFFIXES, Problem, RecordingReader, unusable
from ingest.recordings import files as files_in
from patrol import __version__
from patrol.assembly import District, bikes_of, district_of, vendors_of
from patrol.config.sections import Policy, Settings
from patrol.errors import ConfigError
from patrol.errors import Problem as ConfigProblem

MEMORY_MB: Final = 512
"""Memory that a replay takes [MB], whatever the length of the record; a large day takes more."""
SAVE_S: Final = 10.0
"""How often the state is saved where that is wanted [s]."""
REST_MB: Final = 384
"""How much of it is not for fixes that wait: a day of some bikes, and the program [MB]."""


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
    on_judged: Callable[[int, int], None] = lambda *_: None,
    memory_mb: int = MEMORY_MB,
    resume: Path | None = None,
    save_s: float = SAVE_S,
    vendor: str | None = None,
    bike: str | None = None,
) -> Replay:
    """Judge everything in some files, as :func:`recordings` gives them.

    `on_problem` is called with everything that cannot be used, a line or a file as a whole,
    `on_read` with the size of every piece that was read [bytes], and `on_judged` with the number of
    fixes that were judged now and of all there are. Fixes wait in `memory_mb` [MB] or on disk. The
    record is judged by `other` policies as well, instead of those of the same names. `vendor` and
    `bike` are those of what names none, as of :class:`ingest.recordings.RecordingReader`.

    After a day the state is saved in the file `resume`, each `save_s` [s] at most; where it is
    there already, of the same files and settings, it goes on from that. At the end it is gone.

    ConfigError: nothing in the files can be used, or the state is of another replay.
    BookUnavailable, BookUnreadable: there is an alert book, and what people have ordered cannot be
    read from it.
    """
    roster = Roster(bikes_of(settings))
    reader = RecordingReader(roster, vendors_of(settings), default_vendor=vendor, default_bike=bike)
    refused: Counter[str] = Counter()
    notes: Counter[str] = Counter()

    def on_problems(*problems: Problem) -> None:
        for problem in problems:
            refused[problem.reason] += 1
            on_problem(problem)

    def on_damage(damage: ArchiveDamaged) -> None:
        on_problems(*unusable(damage.file, "unreadable", str(damage)).problems)

    with TemporaryFile(prefix="zhixun-replay-") as spill:
        midnights = Midnights(settings.district.timezone)
        held_bytes = max(memory_mb - REST_MB, 1) << 20
        days = RecordedDays(roster, midnights, held_bytes, spill, on_damage)
        for file in files:
            last = 0
            for piece in reader.read(file):
                on_problems(*piece.problems)
                begins = np.diff(piece.segments, prepend=last) > 0 if piece.segments else False
                last = piece.segments[-1] if piece.segments else last
                days.add(piece.telemetry, begins)
                try:
                    if piece.archived:
                        days.add_file(piece.archived)
                except ArchiveDamaged as damage:
                    on_damage(damage)
                on_read(piece.read_bytes)
                notes += piece.notes
        if not days.rows:
            where = str(files[0]) if len(files) == 1 else f"{len(files)} files"
            raise ConfigError([ConfigProblem(where, "there is no fix in it that can be used")])
        of = [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
        state = (
            None
            if resume is None
            else _State(resume, save_s, repr((__version__, of, vendor, bike)))
        )
        found = _judged(days, settings, zones, other, on_judged, state)
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
    days: RecordedDays,
    settings: Settings,
    zones: Zones,
    other: Mapping[str, Policy] | None,
    on_judged: Callable[[int, int], None],
    state: _State | None,
) -> Replay:
    from_ms, to_ms = days.from_ms, days.to_ms
    districts = [district_of(settings, zones, to_ms)]
    if other is not None:
        policies = {**settings.policies, **other}
        districts.append(
            district_of(settings.model_copy(update={"policies": policies}), zones, to_ms)
        )
    for each in districts:
        _follow_orders(settings, each)
    records = [record_of(each, from_ms, to_ms) for each in districts]
    midnights = districts[0].judge.midnights
    done, counts = -1, Counter[str]()
    if state:
        asked = [
            (each.settings.model_dump_json(), [era.zones.digest for era in each.atlas.layout.eras])
            for each in districts
        ]
        # What people have ordered is in no settings.
        plans = [each.policies.plan(zone) for each in districts for zone in each.policies.zones]
        span = from_ms, to_ms + 1
        orders = [
            [(at_ms, policy.paused, policy.campaign) for at_ms, _, policy in plan.parts(*span)]
            for plan in plans
        ]
        done, counts = state.restored(repr((asked, orders)), records, days.roster)
        on_judged(counts.total(), days.rows)
    for day in days.days():
        if day <= done:
            continue
        visits: list[list[Seen]] = [[] for _ in districts]
        for fixes, begins, duplicates in days.of(day):
            counts["duplicate"] += duplicates
            # The other policies may also say differently what a visit is.
            for each, record, seen in zip(districts, records, visits, strict=True):
                codes, found = each.judge.assess(fixes, begins)
                seen.append(record.hear(fixes.bike, fixes.timestamp_ms, found))
            given = np.bincount(codes, minlength=len(VERDICTS)).tolist()
            counts.update(dict(zip(VERDICTS, given, strict=True)))
            on_judged(len(fixes) + duplicates, days.rows)
        for record, seen in zip(records, visits, strict=True):
            record.pass_(seen, midnights.end_of(day))
        if state:
            state.saved(day, counts, records, days)
    for record in records:
        record.pass_([], midnights.ends(to_ms))
    if state:
        state.file.unlink(missing_ok=True)
    figures, *others = (record.ended() for record in records)
    what_if = WhatIf(judged_by(figures), judged_by(others[0])) if others else None
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
            for ref, zone in figures
        ],
        verdicts={verdict: counts[verdict] for verdict in VERDICTS if counts[verdict]},
        from_=first,
        to=last,
        what_if=what_if,
    )


class _State:
    """How far a replay is, in a file; `replayed` says what makes it another one."""

    def __init__(self, file: Path, save_s: float, replayed: str) -> None:
        self.file, self._save_s, self._replayed = file, save_s, replayed
        self._saved_s = time.monotonic()

    def restored(
        self, asked: str, records: Sequence[ClosedRecord], roster: Roster
    ) -> tuple[int, Counter[str]]:
        """Restore records from it; return the last day that is done, and the counts by then.

        ConfigError: it is of another replay, or no state.
        """
        self._fingerprint = sha256((self._replayed + asked).encode()).hexdigest()
        try:
            found = snapshot.load(self.file, None)
        except SnapshotDamaged as exc:
            message = "is not the state of a replay: name another file"
            raise ConfigError([ConfigProblem(str(self.file), message)]) from exc
        if found is None:
            return -1, Counter()
        if found.header.fingerprint != self._fingerprint:
            message = "is of other recordings or settings: name another file, or delete it"
            raise ConfigError([ConfigProblem(str(self.file), message)])
        bikes = np.array(roster.restore(found.header.keys), np.int32)
        for number, record in enumerate(records):
            record.restore(snapshot.under(f"{number}/", found.arrays), bikes)
        return found.header.seq, Counter(found.header.counts)

    def saved(
        self, day: int, counts: Counter[str], records: Sequence[ClosedRecord], days: RecordedDays
    ) -> None:
        """Save it now and then; not after damage, which is then met again."""
        if days.damaged or time.monotonic() - self._saved_s < self._save_s:
            return
        bikes = [(key.vendor, key.bike_id) for key in days.roster.keys]
        header = snapshot.Header(
            fingerprint=self._fingerprint, seq=day, bikes=bikes, counts=dict(counts)
        )
        arrays = {
            f"{number}/{name}": array
            for number, record in enumerate(records)
            for name, array in record.state().items()
        }
        snapshot.save(self.file, header, arrays)
        self._saved_s = time.monotonic()


def _follow_orders(settings: Settings, district: District) -> None:
    """Let what people have ordered lie over the policies: what was paused stays paused.

    Orders are in the alert book of the configured storage; without one there are none.
    """
    path = settings.storage.path / "alerts.sqlite"
    if not path.exists():
        return
    with closing(BookFile(path)) as file:
        Orders(file, district.policies, settings.district.tz)


def record_of(district: District, from_ms: int, to_ms: int) -> ClosedRecord:
    """The record [from_ms, to_ms] of a district, in which nothing is known yet [ms]."""
    atlas, policies = district.atlas, district.policies
    plans = {zone: policies.plan(zone) for zone in policies.zones}
    return ClosedRecord(atlas.layout, atlas.grid.size, plans, from_ms, to_ms)


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
