"""Whenever it dies and starts again, the worker knows what one that never stopped knows."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bikes import topics
from bikes.roster import BikeKey
from geofence.coverage import SLOT_MS
from geofence.intervals import Intervals
from geofence.quality import Limits
from ingest import set_aside, snapshot
from ingest.accounts import Account
from ingest.decode import RECENT_MESSAGES, Decoded, DecodedEntry, RecentlyDecoded
from ingest.log import Messages, SqliteLog
from ingest.rejects import OTHER
from ingest.worker import ARCHIVE, COVERAGE, Worker, rejects_of
from tests.rides import START_MS, batch, judge, messy
from tests.spans import one_span
from tests.workers import (
    BIKES,
    RECEIVED_MS,
    fleet,
    flush,
    ledger,
    messages,
    new_log,
    new_worker,
    read_all,
    save,
    track,
)

HOUR_S = 3600
DAY_MS = 86_400_000
KEYS = [BikeKey("hello", bike_id) for bike_id in BIKES]


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
                        topics.of_bike("status", "other", names[0]),
                        topics.of_bike("status", "hello", names[1]),
                        topics.of_bike("telemetry", "hello", names[1]),
                        topics.of_bike("telemetry", "nobody", "B1"),
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


def next_life(worker: Worker, folder: Path, **changes: object) -> Worker:
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


def test_a_start_can_be_left_off(tmp_path: Path) -> None:
    """Somebody wants it to end while it reads what it had: nothing on disk has changed then."""
    log = filled(tmp_path, entries(1)[:4])
    worker = new_worker(tmp_path, log)
    assert worker.restore(RECEIVED_MS)
    read_all(worker)
    save(worker)
    assert not new_worker(tmp_path, log).restore(RECEIVED_MS, lambda: True), "reads the log's tail"
    flush(worker)
    worker.snapshot_file.unlink()
    assert not new_worker(tmp_path, log).restore(RECEIVED_MS, lambda: True), "reads the archive"
    again = new_worker(tmp_path, log)
    assert again.restore(RECEIVED_MS)
    assert ledger(again) == ledger(worker)
    log.close()


@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32 - 1),
    disorder_s=st.sampled_from([0, 40, 3_000, 20_000]),
    data=st.data(),
)
def test_any_number_of_crashes_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, seed: int, disorder_s: int, data: st.DataObject
) -> None:
    """Snapshots, flushes, trims and crashes anywhere give what one calm life gives."""
    parts = entries(seed, disorder_s=disorder_s)
    calm = uninterrupted(tmp_path_factory.mktemp("calm"), parts)
    folder = tmp_path_factory.mktemp("crashed")
    worker = new_worker(folder, filled(folder, []))
    worker.restore(RECEIVED_MS)
    save(worker)
    events = st.sampled_from(["", "", "save", "flush", "trim", "half a flush", "crash", "crash"])
    for part in parts:
        worker.log.append(part)
        if data.draw(st.booleans()):
            read_all(worker)
        happens = data.draw(events)
        if happens == "save":
            save(worker)
        elif happens == "flush":
            flush(worker)
        elif happens == "trim":
            worker.log.trim()
        elif happens == "half a flush":  # the files are there, and the cursor has not moved
            found = worker.archive.begin_flush()
            if found is not None:
                worker.archive.write(found)
            worker = next_life(worker, folder)
        elif happens == "crash":
            worker = next_life(worker, folder)
    read_all(worker)
    assert_same_state(worker, calm)
    worker.log.close()


@settings(max_examples=8, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32 - 1),
    disorder_s=st.sampled_from([0, 3_000, 20_000]),
    data=st.data(),
)
def test_accounts_are_exact_over_crashes(
    tmp_path_factory: pytest.TempPathFactory, seed: int, disorder_s: int, data: st.DataObject
) -> None:
    """Late duplicates too, where snapshot and archive are of one moment; also without the first."""
    parts = entries(seed, disorder_s=disorder_s)
    parts += [parts[at] for at in data.draw(st.lists(st.integers(0, len(parts) - 1), max_size=3))]
    calm = uninterrupted(tmp_path_factory.mktemp("calm"), parts)
    folder = tmp_path_factory.mktemp("crashed")
    worker = new_worker(folder, filled(folder, []))
    worker.restore(RECEIVED_MS)
    for part in parts:
        worker.log.append(part)
        read_all(worker)
        happens = data.draw(st.sampled_from(["", "save", "flush", "crash"]))
        if happens in ("save", "flush"):
            save(worker)
        if happens == "flush":
            flush(worker)
            worker.log.trim()
        if happens == "crash":
            worker = next_life(worker, folder)
            read_all(worker)
    assert worker.view.accounts == calm.view.accounts
    stored = len(
        worker.archive.within(Intervals(*map(np.array, ([0, 1, 2], [0] * 3, [1 << 42] * 3))))
    )
    assert worker.view.accounts["hello"].stored == stored
    worker.snapshot_file.unlink(missing_ok=True)
    again = next_life(worker, folder)
    read_all(again)
    assert again.view.accounts["hello"].stored == stored
    again.log.close()


def test_counters_of_an_older_version_go_on(tmp_path: Path) -> None:
    """Its snapshot has no accounts of vendors: what they sent is that of all."""
    worker = uninterrupted(tmp_path, entries(1))
    total = worker.view.total
    header, arrays = worker.begin_save()
    snapshot.save(worker.snapshot_file, msgspec.structs.replace(header, accounts={}), arrays)
    again = new_worker(tmp_path, new_log(tmp_path))
    again.restore(RECEIVED_MS)
    assert again.view.total == again.view.accounts[OTHER] == total
    again.log.append(messages(batch([90_000], [0], [0])))
    read_all(again)
    assert again.view.accounts["hello"] == Account(received=1)
    again.log.close()


@pytest.mark.parametrize("first", ["snapshot", "archive"])
def test_one_cursor_is_ahead_of_the_other(tmp_path: Path, first: str) -> None:
    """Whichever of snapshot and archive was written last, nothing is read into either twice."""
    parts = entries(4, disorder_s=3_000)
    calm = uninterrupted(tmp_path / "calm", parts)
    worker = new_worker(tmp_path, filled(tmp_path, parts))
    worker.restore(RECEIVED_MS)
    steps = [save, flush] if first == "archive" else [flush, save]
    worker.step(1)
    steps[0](worker)
    for _ in range(6):
        worker.step(1)
    steps[1](worker)
    cursors = {name: worker.log.cursor(name) for name in (COVERAGE, ARCHIVE)}
    assert (cursors[ARCHIVE] > cursors[COVERAGE]) == (first == "archive")
    for _ in range(2):
        worker.step(1)
    again = next_life(worker, tmp_path)
    assert again.seq == cursors[COVERAGE]
    read_all(again)
    assert_same_state(again, calm)
    again.log.close()


def test_a_life_begins_short_of_what_was_saved(tmp_path: Path) -> None:
    """A snapshot bounds what is read again."""
    parts = entries(5)
    worker = new_worker(tmp_path, filled(tmp_path, parts))
    worker.restore(RECEIVED_MS)
    read_all(worker)
    assert worker.unsaved == worker.log.head
    save(worker)
    assert worker.unsaved == 0
    again = next_life(worker, tmp_path)
    assert (again.seq, again.unsaved) == (again.log.head, 0)
    assert again.step(1) == []
    again.log.close()


def test_a_changed_configuration_judges_everything_again(tmp_path: Path) -> None:
    """Archive and log give, under other rules, what a life under those rules would have given."""
    parts = entries(6, disorder_s=3_000)
    strict = judge(Limits(max_accuracy_m=4.0))
    log = filled(tmp_path / "calm", parts)
    calm = new_worker(tmp_path / "calm", log, judged_by=strict)
    calm.restore(RECEIVED_MS)
    read_all(calm)
    worker = new_worker(tmp_path, filled(tmp_path, parts))
    worker.restore(RECEIVED_MS)
    for _ in range(7):
        worker.step(1)
    flush(worker)
    save(worker)
    worker.log.trim()
    worker.step(1)
    again = next_life(worker, tmp_path, judged_by=strict, fingerprint="changed")
    read_all(again)
    assert ledger(worker) != ledger(calm)
    assert_same(again, calm)
    save(again)
    third = next_life(again, tmp_path, judged_by=strict, fingerprint="changed")
    assert third.seq == third.log.head
    assert_same(third, calm)
    third.log.close()
    log.close()


def test_a_rebuilt_record_begins_with_its_oldest_fix(tmp_path: Path) -> None:
    """Of the time before nothing is known; a new record begins now."""
    worker = new_worker(tmp_path, filled(tmp_path, [messages(batch([5, 9], [0, 0], [0, 0]))]))
    worker.restore(RECEIVED_MS)
    assert worker.since_ms == RECEIVED_MS
    read_all(worker)
    flush(worker)
    save(worker)
    assert next_life(worker, tmp_path).since_ms == RECEIVED_MS
    worker.log.close()
    (tmp_path / "coverage.npz").unlink()
    again = new_worker(tmp_path, new_log(tmp_path))
    again.restore(RECEIVED_MS + 1)
    assert again.since_ms == START_MS + 5_000
    again.log.close()


def told(worker: Worker) -> str:
    """What /readyz says of damage."""
    return set_aside.trouble(worker.log.aside)


def test_a_log_that_was_moved_away_begins_again(tmp_path: Path) -> None:
    """What snapshot and archive hold is still known, numbers go on, the loss is told."""
    parts = entries(7)
    worker = new_worker(tmp_path, filled(tmp_path, parts[:6]))
    worker.restore(RECEIVED_MS)
    read_all(worker)
    flush(worker)
    save(worker)
    worker.log.close()
    for file in tmp_path.glob("log.sqlite*"):
        file.rename(tmp_path / f"old {file.name}")
    again = new_worker(tmp_path, new_log(tmp_path))
    again.restore(RECEIVED_MS)
    assert again.seq == again.log.head == worker.seq
    assert told(again) == ""
    assert ledger(again) == ledger(worker)
    for part in parts[6:]:
        again.log.append(part)
    third = next_life(again, tmp_path)
    assert third.seq == worker.seq
    read_all(third)
    assert_same(third, uninterrupted(tmp_path / "calm", parts))
    third.log.close()


def test_a_log_that_was_cut_is_told(tmp_path: Path) -> None:
    """What only the snapshot knows is not in the archive: told with its numbers and its time."""
    parts = entries(7)
    log = filled(tmp_path, parts[:3])
    worker = new_worker(tmp_path, log)
    worker.restore(RECEIVED_MS)
    read_all(worker)
    flush(worker)
    short = log.head
    log.close()
    cut = (tmp_path / "log.sqlite").read_bytes()
    worker = new_worker(tmp_path, new_log(tmp_path))
    worker.restore(RECEIVED_MS)
    for part in parts[3:]:
        worker.log.append(part)
    read_all(worker)
    save(worker)
    worker.log.close()
    (tmp_path / "log.sqlite").write_bytes(cut)
    again = new_worker(tmp_path, new_log(tmp_path))
    again.restore(RECEIVED_MS)
    assert (
        f"messages {short + 1} to {worker.seq} of the log, received between"
        in set_aside.trouble(again.log.aside)
    )
    assert "it was cut or replaced" in told(again)
    assert again.seq == again.log.head == worker.seq
    assert ledger(again) == ledger(worker)
    assert again.lost == []  # coverage has all of it
    again.log.close()


def test_a_damaged_day_without_a_snapshot_is_unknown(tmp_path: Path) -> None:
    """The start goes on with the other days, and says which is lost; whole again, it is judged."""
    days = [batch([day * 86_400, day * 86_400 + 5], [0, 25], [0, 0]) for day in range(3)]
    worker = new_worker(tmp_path, filled(tmp_path, [messages(day) for day in days]))
    worker.restore(RECEIVED_MS)
    read_all(worker)
    flush(worker)
    save(worker)
    calm = ledger(worker)
    worker.log.close()
    file = sorted(worker.archive.path.rglob("*.parquet"))[1]
    whole = file.read_bytes()
    file.write_bytes(whole[:100] + bytes(50) + whole[150:])
    (tmp_path / "coverage.npz").unlink()
    for _ in range(2):  # from the archive, and then from the snapshot
        again = new_worker(tmp_path, new_log(tmp_path))
        again.restore(RECEIVED_MS)
        assert {key for key, _, _ in ledger(again)} <= {key for key, _, _ in calm}
        assert len(ledger(again)) < len(calm)
        ((from_ms, to_ms),) = again.lost
        assert from_ms <= START_MS + 86_400_000 < to_ms == from_ms + 86_400_000
        assert f"{file.stem} is unknown: the archive file {file}" in told(again)
        save(again)
        again.log.close()
    file.write_bytes(whole)
    (tmp_path / "coverage.npz").unlink()  # as it is told
    mended = new_worker(tmp_path, new_log(tmp_path))
    mended.restore(RECEIVED_MS)
    assert ledger(mended) == calm
    assert mended.lost == []
    mended.log.close()


def test_a_snapshot_from_a_backup_does_not_hide_what_was_trimmed(tmp_path: Path) -> None:
    """One so old that the log no longer holds what follows it is not used."""
    parts = entries(8, disorder_s=40)
    worker = new_worker(tmp_path, filled(tmp_path, parts))
    worker.restore(RECEIVED_MS)
    for _ in range(3):
        worker.step(1)
    save(worker)
    backup = (tmp_path / "coverage.npz").read_bytes()
    for _ in range(6):
        worker.step(1)
    flush(worker)
    save(worker)
    assert worker.log.trim() > 0
    (tmp_path / "coverage.npz").write_bytes(backup)
    again = next_life(worker, tmp_path)
    read_all(again)
    assert_same(again, uninterrupted(tmp_path / "calm", parts))
    again.log.close()


def test_stored_fixes_that_come_hours_late_after_a_restart(tmp_path: Path) -> None:
    """A bike was out of reach since the morning: its ride is put where it belongs."""
    at_s = [10.0 * n for n in range(2_000)]
    east = [abs(3.0 * s % 2_000 - 1_000) for s in at_s]
    ride = batch(at_s, east, [0.0] * len(at_s))
    live, stored = np.flatnonzero(np.arange(2_000) >= 400), np.arange(400)
    worker = new_worker(tmp_path, filled(tmp_path, [messages(ride.take(live))]))
    worker.restore(RECEIVED_MS)
    read_all(worker)
    flush(worker)
    save(worker)
    worker.log.trim()
    again = next_life(worker, tmp_path)
    for part in np.array_split(stored, 5):
        again.log.append(messages(ride.take(part)))
    read_all(again)
    assert again.pipeline.counters.restated > 0
    assert_same(again, uninterrupted(tmp_path / "calm", [messages(ride)]))
    again.log.close()


def test_messages_without_a_fix_do_not_hold_the_log(tmp_path: Path) -> None:
    """A vendor whose messages are all rejected does not fill the disk."""
    bad = Messages(RECEIVED_MS, [topics.of_bike("telemetry", "hello", "HB0")] * 50, [b"?"] * 50)
    worker = new_worker(tmp_path, filled(tmp_path, [bad, bad]))
    worker.restore(RECEIVED_MS)
    read_all(worker)
    save(worker)
    flush(worker)
    assert worker.log.trim() == 100
    worker.log.close()


def test_what_is_received_is_rejected_or_stored(tmp_path: Path) -> None:
    """Items are counted once each, duplicates too; statuses are no telemetry."""
    good = messages(batch([0, 5, 5], [0, 9, 9], [0, 0, 0]))
    mixed = Messages(
        RECEIVED_MS,
        [
            topics.of_bike("telemetry", "hello", "HB0"),
            topics.of_bike("telemetry", "hello", "nobody"),
            topics.of_bike("status", "hello", "HB0"),
            topics.of_bike("status", "hello", "HB0"),
        ],
        [b"[]", b"{}", b"online", b"?"],
    )
    worker = new_worker(tmp_path, filled(tmp_path, [good, mixed]))
    worker.restore(RECEIVED_MS)
    decoded = worker.step(100)
    assert worker.view.accounts == {
        "hello": Account(received=4, rejected=1, duplicate=1),
        "other": Account(),
        OTHER: Account(),
    }
    assert [reject.reason for reject in rejects_of(decoded)] == ["unknown_bike", "not_json"]
    assert worker.pipeline.counters.duplicates == 1
    assert len(worker.archive.within(one_span(0, 0, 1 << 42))) == 2
    worker.log.close()


def test_coverage_is_forgotten_after_its_days(tmp_path: Path) -> None:
    """With the snapshot goes what is older than the ledger remembers; the archive keeps it."""
    days = [batch([24 * HOUR_S * n, 24 * HOUR_S * n + 5], [0, 25], [0, 0]) for n in range(-5, 1)]
    parts = [messages(day) for day in days]
    worker = new_worker(tmp_path, filled(tmp_path, parts), coverage_days=3)
    worker.restore(RECEIVED_MS)
    read_all(worker)
    oldest = min(slot for _, slot, _ in ledger(worker)) * SLOT_MS
    assert oldest == START_MS - 5 * DAY_MS
    save(worker)
    newest_ms = START_MS + 5_000
    kept = [slot * SLOT_MS for _, slot, _ in ledger(worker)]
    assert min(kept) == (newest_ms - 3 * DAY_MS) // SLOT_MS * SLOT_MS
    assert max(kept) == START_MS
    again = next_life(worker, tmp_path, coverage_days=3)
    assert ledger(again) == ledger(worker)
    assert len(again.archive.within(one_span(0, 0, 1 << 42))) == 12
    again.log.close()


def test_a_damaged_day_stops_only_what_is_late_for_it(tmp_path: Path) -> None:
    """It is told, others go on, no state without it is saved; mended, the next life is right."""
    early, now = batch([0, 5, 10], [0, 25, 50], [0] * 3), batch([HOUR_S], [0], [0])
    late = batch([2, 7], [9, 30], [0] * 2)
    other = batch([HOUR_S, HOUR_S + 5], [0, 30], [0] * 2, bike=1)
    worker = new_worker(tmp_path, filled(tmp_path, [messages(early), messages(now)]))
    worker.restore(RECEIVED_MS)
    read_all(worker)
    flush(worker)
    save(worker)
    (file,) = worker.archive.path.rglob("*.parquet")
    whole = file.read_bytes()
    file.write_bytes(whole[:100])
    worker.log.append(messages(late))
    worker.log.append(messages(other))
    read_all(worker)
    assert str(file) in worker.trouble
    assert any(key == KEYS[1] for key, _, _ in ledger(worker))
    file.write_bytes(whole)
    again = next_life(worker, tmp_path)
    read_all(again)
    assert again.trouble == ""
    calm = uninterrupted(tmp_path / "calm", [messages(p) for p in (early, now, late, other)])
    assert_same(again, calm)
    again.log.close()


def test_a_half_written_snapshot_is_not_there(tmp_path: Path) -> None:
    """A crash while it is written leaves the one before; damage makes the worker read more."""
    parts = entries(9)
    calm = uninterrupted(tmp_path / "calm", parts)
    worker = new_worker(tmp_path, filled(tmp_path, parts))
    worker.restore(RECEIVED_MS)
    worker.step(1)
    save(worker)
    read_all(worker)
    header, arrays = worker.begin_save()
    snapshot.save(tmp_path / "newer.npz", header, arrays)
    newer = (tmp_path / "newer.npz").read_bytes()
    (tmp_path / "coverage.tmp").write_bytes(newer[: len(newer) // 2])
    again = next_life(worker, tmp_path)
    read_all(again)
    assert_same_state(again, calm)
    (tmp_path / "coverage.npz").write_bytes(newer[: len(newer) // 2])
    third = next_life(again, tmp_path)
    read_all(third)
    assert_same(third, calm)
    assert third.view.total.received == calm.view.total.received
    third.log.close()


def test_state_can_be_written_while_it_changes(tmp_path: Path) -> None:
    """What is saved is the state of the moment of `begin_save`, whatever follows."""
    parts = entries(10)
    worker = new_worker(tmp_path, filled(tmp_path, parts))
    worker.restore(RECEIVED_MS)
    for _ in range(5):
        worker.step(1)
    header, arrays = worker.begin_save()
    before = ledger(worker)
    read_all(worker)
    worker.write_snapshot(header, arrays)
    again = next_life(worker, tmp_path)
    assert again.seq == header.seq
    assert ledger(again) == before
    again.log.close()
    shutil.rmtree(tmp_path)


@given(
    sizes=st.lists(st.integers(1, 60_000), max_size=20),
    after=st.integers(0, 700_000),
    limit=st.integers(1, 100_000),
)
def test_what_was_decoded_last_is_there_for_others(
    sizes: list[int], after: int, limit: int
) -> None:
    """Entries without a gap after a message, or none: then the log has to be read."""
    recent = RecentlyDecoded()
    seqs = np.cumsum(sizes).tolist()
    for seq, size in zip(seqs, sizes, strict=True):
        recent.add([DecodedEntry(seq, Decoded(RECEIVED_MS, messages=size))])
    found = recent.after(after, limit)
    held = sum(entry.decoded.messages for entry in found)
    firsts = [entry.seq - entry.decoded.messages for entry in found]
    assert firsts[1:] == [entry.seq for entry in found[:-1]]
    if found:
        assert firsts[0] <= after < found[0].seq
        assert held >= limit or found[-1].seq == seqs[-1]
    elif seqs:
        assert after >= seqs[-1] or after < seqs[-1] - RECENT_MESSAGES + max(sizes)
