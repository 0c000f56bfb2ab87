"""What the worker reads is counted once and kept for its time."""

from __future__ import annotations

from pathlib import Path

from bikes import topics
from geofence.coverage import SLOT_MS
from ingest.accounts import Account
from ingest.log import Messages
from ingest.rejects import OTHER
from ingest.worker import rejects_of
from tests.rides import START_MS, batch
from tests.spans import one_span
from tests.workers import (
    DAY_MS,
    HOUR_S,
    RECEIVED_MS,
    filled,
    flush,
    ledger,
    messages,
    new_worker,
    next_life,
    read_all,
    save,
)


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
