"""A station whose alert book cannot be written for a while."""

from __future__ import annotations

from pathlib import Path

from tests.full_disk import full_disk
from tests.patrol.test_history import new_station


def test_zones_are_judged_and_shown_while_the_book_cannot_be_written(tmp_path: Path) -> None:
    """/readyz names it, and the first evaluation with room again is recorded."""
    station = new_station(tmp_path)

    def evaluation() -> tuple[bool, str]:
        part = next(part for part in station.health().parts if part.name == "evaluation")
        return part.ok, part.reason

    with full_disk(tmp_path / "alerts.sqlite-wal"):
        station.evaluate()
        assert len(station.judging.statuses) == 9
        ok, reason = evaluation()
        assert not ok
        assert "alerts.sqlite cannot be used now" in reason
        assert station.book.judged_ms is None
    station.evaluate()
    assert evaluation() == (True, "")
    assert station.book.judged_ms is not None
    station.book.close_file()
    station.log.close()
