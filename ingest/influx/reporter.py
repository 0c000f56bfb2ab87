"""Coverage and health for InfluxDB: noted as they happen, on disk until they are written."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock

import structlog

from geofence.windows import WindowVerdict
from geofence.zone_state import ZoneStatus
from ingest.errors import StoreUnavailable
from ingest.influx.file import WINDOWS_KEPT_MS, InfluxFile, Kind, Windows
from ingest.influx.line_protocol import (
    HealthFigures,
    coverage_lines,
    health_line,
    part_lines,
    window_line,
)
from words.times import DAY_MS, MINUTE_MS

log = structlog.get_logger(__name__)

COVERAGE_EVERY_MS = MINUTE_MS
HEALTH_EVERY_S = 10.0

WINDOWS_EVERY_MS = 300_000
"""How often windows are looked at; one must have ended so long ago that its last visits are
certain (:attr:`geofence.quality.Limits.after_ms`) [ms]."""

RESTATED_MS = 8 * DAY_MS
"""So far back late data may give a window another verdict, which is written beside it [ms]."""

UNKEPT = 10_000
"""Pieces that are held in memory while the disk is full."""


@dataclass
class Reporter:
    """Notes how zones and the intake stand.

    `health`, `parts` (name, whether it works, and why not) and `bikes_inside` (live bikes by zone
    id) are asked on the event loop, as things are now. `host` is the tag of this installation.
    """

    file: InfluxFile
    health: Callable[[], HealthFigures]
    parts: Callable[[], Iterable[tuple[str, bool, str]]]
    bikes_inside: Callable[[], Mapping[str, int]]
    now_ms: Callable[[], int]
    host: str
    health_every_s: float = HEALTH_EVERY_S
    given_up: int = 0  # lines for which there was no more room
    _told: dict[str, tuple[int, str]] = field(default_factory=dict)
    _windows_ms: int = 0
    _notes: deque[tuple[Kind, bytes, Windows]] = field(default_factory=deque)
    _noted: asyncio.Event = field(default_factory=asyncio.Event)
    _keeping: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self._windows = self.file.windows()

    def coverage(self, zones: Sequence[ZoneStatus], at_ms: int) -> None:
        """Note how zones stand: once a minute, and when a state changes.

        `zones` are all of them, as often as they are judged. On the event loop.
        """
        due = []
        for zone in zones:
            told_ms, told_state = self._told.get(zone.zone_id, (0, ""))
            # A clock that was set back must not silence a zone until it has caught up.
            news = zone.state != told_state or not 0 <= at_ms - told_ms < COVERAGE_EVERY_MS
            if news and at_ms != told_ms:  # a point never changes
                self._told[zone.zone_id] = at_ms, zone.state
                due.append(zone)
        if due:
            self._note("coverage", coverage_lines(due, at_ms, bikes_inside=self.bikes_inside()))

    def windows(
        self, ended_since: Callable[[int], Iterable[tuple[str, WindowVerdict]]], at_ms: int
    ) -> None:
        """Note which windows reached their targets: every five minutes, those that are news.

        A window with another verdict than was noted, maybe in an earlier life, is a correction.

        `ended_since` gives the windows that ended after an instant [ms], with their zones, judged.
        On the event loop.
        """
        if 0 <= at_ms - self._windows_ms < WINDOWS_EVERY_MS:
            return
        self._windows_ms = at_ms
        lines, told = [], {}
        for zone_id, found in ended_since(at_ms - RESTATED_MS):
            key, said = (zone_id, found.window.to_ms), window_line(zone_id, found)
            before = self._windows.get(key)
            if found.window.to_ms <= at_ms - WINDOWS_EVERY_MS and before != said:
                corrected_ms = None if before is None else at_ms
                lines.append(window_line(zone_id, found, corrected_ms=corrected_ms))
                told[key] = said
        if told:
            windows = self._windows | told  # as many as the file keeps
            oldest_ms = max(to_ms for _, to_ms in windows) - WINDOWS_KEPT_MS
            self._windows = {key: line for key, line in windows.items() if key[1] >= oldest_ms}
            self._note("coverage", b"".join(lines), told)

    async def run(self) -> None:
        """Note the health of intake and parts every so often, until cancelled."""
        keeping = asyncio.create_task(self._keep_always())
        try:
            while not keeping.done():
                now_ms, figures = self.now_ms(), self.health()
                lines = health_line(self.host, now_ms, figures)
                self._note("health", lines + part_lines(self.host, self.parts(), now_ms))
                await asyncio.wait({keeping}, timeout=self.health_every_s)
            keeping.result()
        finally:
            keeping.cancel()

    def keep(self) -> None:
        """Put on disk what was noted; blocks, in any thread.

        StoreUnavailable: the notes stay in memory.
        """
        with self._keeping:
            notes = list(self._notes)
            if not notes:
                return
            given_up = self.file.wait(
                [(kind, lines) for kind, lines, _ in notes],
                {key: line for *_, told in notes for key, line in told.items()},
            )
            for _ in notes:
                self._notes.popleft()
        for kind, lines in given_up.items():
            self.given_up += lines
            log.error("no room to keep lines for InfluxDB: the oldest go", kind=kind, lines=lines)

    async def _keep_always(self) -> None:
        while True:
            await self._noted.wait()
            self._noted.clear()
            try:
                await asyncio.to_thread(self.keep)
            except StoreUnavailable as exc:
                log.error("coverage and health cannot be kept for InfluxDB", reason=str(exc))
                while len(self._notes) > UNKEPT:
                    self.given_up += self._notes.popleft()[1].count(b"\n")

    def _note(self, kind: Kind, lines: bytes, told: Windows | None = None) -> None:
        self._notes.append((kind, lines, told or {}))
        self._noted.set()
