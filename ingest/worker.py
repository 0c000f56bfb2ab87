"""The reader of the log that keeps coverage, fleet state and archive up to date.

    log ──▶ decode ──▶ archive's tail, fleet ──▶ pipeline ──▶ ledger
     ▲                     │                        │
     └── cursor "archive" ─┘── cursor "coverage" ───┘

Both cursors are the log's. The one of ``coverage`` moves when a snapshot is on disk, the one of
``archive`` when the day's files are. Messages that were only in memory when the process died are
read again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import structlog
from numpy.typing import NDArray

from bikes.fleet import FleetState
from bikes.roster import BikeKey, Roster
from bikes.telemetry import TelemetryBatch
from geofence.coverage import View
from geofence.steps import JudgedFixes
from ingest import set_aside, snapshot
from ingest.accounts import Account, Accounts, Books, total
from ingest.archive import Archive, Flush
from ingest.day_file import check_file
from ingest.decode import Decoded, DecodedEntry, Decodings, RecentlyDecoded
from ingest.errors import ArchiveDamaged, SnapshotDamaged, StoreUnavailable
from ingest.log import NOWHERE, Position, SqliteLog
from ingest.pipeline import Pipeline
from ingest.rejects import OTHER, Reject
from words.times import DAY_MS

log = structlog.get_logger(__name__)

COVERAGE, ARCHIVE = "coverage", "archive"
READERS = (COVERAGE, ARCHIVE)
"""The cursors that :class:`Worker` keeps in the log."""


@dataclass(frozen=True, slots=True)
class WorkerView:
    """State of a worker, all of one moment; it never changes, so any thread may read it."""

    ledger: View  # visited cells
    fleet: FleetState  # the newest of each bike
    seq: int = 0  # number of the last message that was read
    # Telemetry items that were read, by vendor, and what became of them; cumulative.
    accounts: Accounts = field(default_factory=dict)
    # Accepted items by quality verdict, once it is settled; cumulative. A late fix corrects the
    # verdicts of others.
    verdicts: Mapping[str, int] = field(default_factory=dict)
    newest_ms: int = 0  # time of the newest fix of any bike [ms]; 0 before the first
    since_ms: int = 0  # start of the record: before it nothing is known of any zone [ms]
    canary: bytes = b""  # payload of the newest message of the station's own

    @property
    def total(self) -> Account:
        """The account of all vendors together."""
        return total(self.accounts)


@dataclass
class Worker:
    """Reads the log, and keeps coverage, fleet state and archive up to date with it.

    It belongs to one thread at a time. Other threads read :attr:`view`, which is replaced after
    every change, and the archive.

    A snapshot with another fingerprint, the digest of the configuration, is not used. The ledger
    remembers `coverage_days`.
    """

    log: SqliteLog
    decoder: Decodings
    roster: Roster
    pipeline: Pipeline
    archive: Archive
    fleet: FleetState
    snapshot_file: Path
    fingerprint: str
    coverage_days: int = 35
    seq: int = 0  # number of the last message that was read
    since_ms: int = 0  # start of the record [ms]
    judging_s: float = field(default=0.0, init=False)  # of the last step, after decoding [s]
    # Why coverage lacks some late fixes: a file of the archive is damaged. State that lacks them
    # must not be saved; when the file is whole again, the next life judges them.
    trouble: str = ""
    # What became of the items of telemetry that were read, by vendor.
    books: Books = field(default_factory=Books, init=False)
    # The newest entries up to `seq`, for other readers of the log.
    recent: RecentlyDecoded = field(default_factory=RecentlyDecoded, init=False)
    view: WorkerView = field(init=False)  # the state after the last change
    # Stretches of time whose telemetry is lost, ``[from, to)`` [ms]: nothing is known of them.
    lost: list[tuple[int, int]] = field(default_factory=list, init=False)
    # Told, of entries by their number, which fixes were there already, where any were; before the
    # archive has them, for it could not tell then. It may raise StoreUnavailable.
    tell_repeats: Callable[[Sequence[tuple[int, NDArray[np.bool_]]]], None] | None = None
    _repeats: list[tuple[int, NDArray[np.bool_]]] = field(default_factory=list, init=False)
    _archived_seq: int = field(default=0, init=False)
    _saved_seq: int = field(default=0, init=False)
    _canary: bytes = field(default=b"", init=False)
    _idle_seq: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.books.open(dict.fromkeys(sorted(self.roster.vendors), Account()))
        self._publish()

    @property
    def unsaved(self) -> int:
        """Messages that a start after a crash would have to read again.

        None while only canaries have come: they change nothing that is saved.
        """
        return 0 if self.seq == self._idle_seq else self.seq - self._saved_seq

    def restore(
        self, now_ms: int, halted: Callable[[], bool] = lambda: False, known: Position = NOWHERE
    ) -> bool:
        """Restore the state of the last start; the log is not yet read to its head.

        The record starts now [ms] when there is none. `halted`, asked now and then, stops it.
        `known` is how far another reader says that the log goes.

        Return False when it was halted: the state is of no use then, and must not be saved.

        ArchiveDamaged, LogCorrupt, StoreUnavailable: archive or log cannot be read.
        """
        self.since_ms = now_ms
        archived, archived_to = self.log.cursor(ARCHIVE), self.archive.take_over()
        self._archived_seq = archived_to.seq
        found = self._saved(min(self.log.cursor(COVERAGE), archived))
        saved = NOWHERE
        if found is not None:
            saved = Position.of(self.snapshot_file, found.header.seq)
        # A log that was cut or replaced ends before what others have read of it.
        done = max(archived, archived_to.seq)
        furthest = max(known, archived_to, saved)
        lost = self.log.find_lost(done if found is None else min(done, saved.seq), furthest)
        if found is not None:
            self._take(found)
            restored = self._remember_tail(archived, halted)
        else:
            self.seq = archived
            restored = self._rebuild(halted)
        for last, began_ms, ended_ms in lost:
            began_ms = max(began_ms, saved.at_ms) or self.pipeline.newest_ms
            if last > saved.seq and began_ms < ended_ms:
                self.lost.append((began_ms, ended_ms))
        self._publish()
        return restored

    def _saved(self, passed: int) -> snapshot.Snapshot | None:
        """The snapshot; None when it is damaged, or behind both cursors, which have `passed` it.

        It was put back from a backup then: what follows it may be trimmed.
        """
        try:
            found = snapshot.load(self.snapshot_file, self.fingerprint)
        except SnapshotDamaged as exc:
            log.error("coverage is judged again", trouble=str(exc))
            return None
        return None if found is None or found.header.seq < passed else found

    def _take(self, found: snapshot.Snapshot) -> None:
        header, arrays = found
        bikes = np.array(self.roster.restore(header.keys), np.int32)
        self.pipeline.restore(snapshot.under("pipeline.", arrays), bikes)
        self.fleet.restore(snapshot.under("fleet.", arrays), bikes)
        counters = self.pipeline.counters
        before = header.counts["received"], header.counts["rejected"], counters.duplicates
        self.books.open(header.accounts or {OTHER: before})
        self.since_ms, self.lost = header.counts["since_ms"], header.lost
        self.seq = self._saved_seq = header.seq

    def step(self, limit: int) -> list[Decoded]:
        """Read up to about `limit` messages into coverage, fleet state and archive.

        Return the entries that were read; empty at the head of the log.

        LogCorrupt, StoreUnavailable: the log cannot be read; nothing was changed.
        """
        entries = self.log.read(self.seq, limit)
        if not entries:
            return []
        decoded = [self.decoder.decode_entry(entry) for entry in entries]
        began_s = time.thread_time()
        archived = self.log.cursor(ARCHIVE)
        for part in decoded:
            self.books.received.update(part.received)
            self.books.rejected.update(part.rejected)
            heard_at_ms = part.received_at_ms
            self.fleet.update(part.telemetry, heard_at_ms=heard_at_ms)
            self.fleet.update_status(part.statuses, heard_at_ms=heard_at_ms)
            self.fleet.update_events(part.events, heard_at_ms=heard_at_ms)
        fixes = TelemetryBatch.concat([part.telemetry for part in decoded])
        try:
            self.pipeline.step(fixes)
        except ArchiveDamaged as exc:
            # Late fixes whose day cannot be read must not stop the others.
            self.trouble = str(exc)
        again = self.pipeline.repeated
        for bike in np.flatnonzero(again).tolist():
            self.books.duplicate[self.roster.key(bike).vendor] += int(again[bike])
        seqs = [entry.seq for entry in entries]
        if self.tell_repeats is not None and again.any():
            self._note_repeats(seqs, decoded, self.pipeline.repeats(fixes))
        for seq, part in zip(seqs, decoded, strict=True):
            if seq > archived:
                self.archive.remember(seq, part.telemetry)
        self.recent.add(map(DecodedEntry, seqs, decoded))
        if not self.unsaved and all(part.messages == part.canaries for part in decoded):
            self._idle_seq = seqs[-1]
        self._canary = next(filter(None, (part.canary for part in reversed(decoded))), self._canary)
        self.seq = seqs[-1]
        self._publish()
        self.judging_s = time.thread_time() - began_s
        return decoded

    def _note_repeats(
        self, seqs: Sequence[int], decoded: Sequence[Decoded], again: NDArray[np.bool_]
    ) -> None:
        ends = np.cumsum([len(part.telemetry) for part in decoded])
        for seq, rows in zip(seqs, np.split(again, ends[:-1]), strict=True):
            # Of an entry that the archive had before this life, an earlier life has told.
            if seq > self._archived_seq and rows.any():
                self._repeats.append((seq, rows))
        assert self.tell_repeats is not None
        with suppress(StoreUnavailable):  # the next step tells them
            self.tell_repeats(self._repeats)
            self._repeats = []

    def redrawn(self, from_ms: int, fingerprint: str) -> None:
        """Judge again what lies after an instant [ms], from which on the zones have changed.

        When history cannot be read, :attr:`trouble` says so.
        """
        self.fingerprint = fingerprint
        try:
            self.pipeline.redrawn(from_ms)
        except ArchiveDamaged as exc:
            self.trouble = str(exc)
        self._publish()

    def judged(self, keys: Sequence[BikeKey], from_ms: int, to_ms: int) -> JudgedFixes:
        """The fixes of some bikes in [from_ms, to_ms); see :meth:`Archive.judged`."""
        return self.archive.judged(self.pipeline.judge, keys, from_ms, to_ms)

    def last_believed(
        self, keys: Sequence[BikeKey], from_ms: int, to_ms: int, step_ms: int
    ) -> Iterator[TelemetryBatch]:
        """The last believed fix of some bikes in each step; see :meth:`Archive.last_believed`."""
        return self.archive.last_believed(self.pipeline.judge, keys, from_ms, to_ms, step_ms)

    def begin_save(self) -> tuple[snapshot.Header, snapshot.Arrays]:
        """The state as it is now, for :meth:`write_snapshot`, which may run in another thread."""
        oldest_ms = self.pipeline.newest_ms - self.coverage_days * DAY_MS
        self.pipeline.ledger.forget_before(max(oldest_ms, 0))
        self.lost = [lost for lost in self.lost if lost[1] > oldest_ms]
        arrays = {f"pipeline.{name}": array for name, array in self.pipeline.state().items()}
        arrays |= {f"fleet.{name}": array for name, array in self.fleet.state().items()}
        header = snapshot.Header(
            fingerprint=self.fingerprint,
            seq=self.seq,
            bikes=[(key.vendor, key.bike_id) for key in self.roster.keys],
            lost=self.lost,
            counts={
                "received": self.view.total.received,
                "rejected": self.view.total.rejected,
                "since_ms": self.since_ms,
            },
            accounts=dict(self.view.accounts),
        )
        return header, arrays

    def write_snapshot(self, header: snapshot.Header, arrays: snapshot.Arrays) -> None:
        """Put the state on disk, and only then move the cursor; StoreUnavailable: not written."""
        snapshot.save(self.snapshot_file, header, arrays)
        self.log.commit(COVERAGE, header.seq)
        self._saved_seq = header.seq

    def write_archive(self, flush: Flush) -> None:
        """Put a part of the tail into its files, and only then move the cursor.

        Raises as :meth:`Archive.write`, and leaves the cursor where it was.
        """
        self.archive.write(flush)
        self.log.commit(ARCHIVE, flush.seq)

    def _publish(self) -> None:
        self.view = WorkerView(
            ledger=self.pipeline.ledger.view(),
            fleet=self.fleet.view(),
            seq=self.seq,
            accounts=self.books.accounts(),
            verdicts=self.pipeline.counters.by_verdict(),
            newest_ms=self.pipeline.newest_ms,
            since_ms=self.since_ms,
            canary=self._canary,
        )

    def _rebuild(self, halted: Callable[[], bool]) -> bool:
        """Judge what the archive holds, as far back as the ledger remembers; False if halted.

        A day that cannot be read is unknown, and the others are not.
        """
        for file in self.archive.newest(self.coverage_days):
            if halted():
                return False
            try:
                check_file(file)  # before any of it is judged
                for batch in self.archive.parts_of(file):
                    self.pipeline.step(batch)
                    self.books.received[file.parent.name] += len(batch)
                    self.since_ms = min(self.since_ms, int(batch.timestamp_ms.min()))
                    self.fleet.update(batch)
            except ArchiveDamaged as exc:
                text = f"{file.stem} is unknown: {exc}, and without {self.snapshot_file}"
                name = f"archive-{file.parent.name}-{file.stem}"
                set_aside.keep(self.log.aside, name, text)
                self.lost.append(self.archive.day_of(file))
        return True

    def _remember_tail(self, archived: int, halted: Callable[[], bool]) -> bool:
        """Decode again what the snapshot covers and the archive does not hold yet."""
        after = archived
        while after < self.seq:
            if halted():
                return False
            entries = self.log.read(after, 50_000)
            if not entries:
                break
            for entry in entries:
                if entry.seq <= self.seq:
                    telemetry = self.decoder.decode_entry(entry, again=True).telemetry
                    self.archive.remember(entry.seq, telemetry)
            after = entries[-1].seq
        return True


def rejects_of(decoded: Sequence[Decoded]) -> list[Reject]:
    """Everything that was rejected in some entries."""
    return [reject for part in decoded for reject in part.rejects]
