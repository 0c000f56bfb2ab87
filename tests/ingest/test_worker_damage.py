"""Log, archive or snapshot damaged, cut or old: the worker goes on and tells what is lost."""

from __future__ import annotations

from pathlib import Path

from ingest import set_aside
from ingest.worker import Worker
from tests.rides import START_MS, batch
from tests.workers import (
    HOUR_S,
    KEYS,
    RECEIVED_MS,
    assert_same,
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
