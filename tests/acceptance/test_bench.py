"""`patrol bench`: a small fleet through the intake, the disk and the replay of this machine."""

from __future__ import annotations

import json
from pathlib import Path

from tests import commands
from tests.full_disk import full_disk


def test_the_machine_is_measured_and_nothing_stays_behind(tmp_path: Path) -> None:
    """Every figure is there, the fleets follow from them, and the folder is empty afterwards."""
    done = commands.run("bench", "--data", tmp_path, "--bikes", 10, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["simulated_bikes"] == 10
    assert found["messages"] > 1_000
    rates = ("intake_messages_per_s", "intake_messages_per_cpu_s", "replay_fixes_per_s")
    assert all(found[name] > 0 for name in rates)
    assert 0 < found["commit_p50_ms"] <= found["commit_p99_ms"]
    assert 5 < found["archive_bytes_per_fix"] < 100
    on_duty = found["intake_messages_per_s"] * found["interval_s"] / 2
    assert abs(found["intake_bikes"] - on_duty) <= 2
    fixes_a_year = 365 * found["duty_hours"] * 3600 / found["interval_s"]
    kept = found["store_bikes"] * fixes_a_year * found["archive_bytes_per_fix"]
    assert kept <= 1.01 * found["free_bytes"]
    assert not list(tmp_path.iterdir())


def test_a_disk_without_room_is_told(tmp_path: Path) -> None:
    """It ends with a sentence and an exit code, and not by waiting for room."""
    with full_disk(tmp_path / "none", room_bytes=100_000):
        done = commands.run("bench", "--data", tmp_path, "--bikes", 10)
    assert done.returncode == 3
    assert "cannot be used now" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A folder is not made for a measurement."""
    done = commands.run("bench", "--data", tmp_path / "gone", "--bikes", 1)
    assert done.returncode == 1
    assert "gone" in done.stderr
