"""`patrol run` whose clock shows what a test says: python -m tests.faults.told_time CONFIG FILE."""

from __future__ import annotations

import sys
from pathlib import Path

from patrol.cli import run_station
from patrol.clock import Clock


class ToldClock(Clock):
    """The wall's time, moved by as many milliseconds as a file says."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def now_ms(self) -> int:
        return super().now_ms() + int(self._file.read_text())


if __name__ == "__main__":
    run_station(Path(sys.argv[1]), ToldClock(Path(sys.argv[2])))
