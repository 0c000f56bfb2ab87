"""Whenever it dies and starts again, the worker knows what one that never stopped knows."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from geofence.intervals import Intervals
from geofence.quality import Limits
from ingest import snapshot
from ingest.accounts import Account
from ingest.rejects import OTHER
from ingest.worker import ARCHIVE, COVERAGE
from tests.rides import START_MS, batch, judge
from tests.workers import (
    RECEIVED_MS,
    assert_same,
    assert_same_state,
    entries,
    filled,
    flush,
    ledger,
    messages,
    new_log,
    new_worker,
    next_life,
    read_all,
    save,
    uninterrupted,
)


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
