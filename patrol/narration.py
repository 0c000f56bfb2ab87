"""What the commands tell people: progress on a terminal, plain lines elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from rich.table import Table

from alerts.alert import Transition
from alerts.notify import UNHEARD
from ingest.recordings import Problem
from patrol.demo import DemoOptions
from patrol.replay import Replay
from patrol.simulation import Fleet, Published
from patrol.station import Station
from patrol.summary import Summary

TELL_EVERY_S = 10.0
SHOW_EVERY_S = 0.5
MAX_PROBLEMS = 20


class Narrator:
    """Tells what happens in a demo.

    Parameters
    ----------
    console : Console
        Where to.
    options : DemoOptions
        What was asked for.
    """

    def __init__(self, console: Console, options: DemoOptions) -> None:
        self._console = console
        self._options = options

    async def tell(self, station: Station, fleet: Fleet) -> None:
        """Tell until cancelled."""
        settings = station.district.settings
        self._zone = ZoneInfo(settings.district.timezone)
        print_ = self._console.print
        print_(f"智巡 Zhixun: {settings.district.name}, {self._options.bikes} bikes")
        print_(f"Console   http://{station.host}:{station.port}/")
        print_(f"API       http://{station.host}:{station.port}/api/v1/openapi.json")
        print_(f"Clock     {self._time(station.clock.now_ms())}, {self._options.speed:g} times as fast")
        if self._options.for_s is None:
            print_("Stop      Ctrl-C")
        station.book.listen(lambda rows: self._tell_alerts(station, rows))
        if self._console.is_terminal:
            with self._console.status("") as status:
                while True:
                    status.update(self._line(station, fleet))
                    await asyncio.sleep(SHOW_EVERY_S)
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            print_(self._line(station, fleet))

    def sum_up(self, summary: Summary) -> None:
        """The result, for people."""
        table = Table("zone", "covered", "state", box=None)
        for zone in summary.zones:
            table.add_row(zone.zone_id, f"{zone.covered_ratio:.0%}", zone.state)
        self._console.print(table)
        alerts = summary.alerts
        self._console.print(
            f"published {summary.published} = stored {summary.stored} + rejected "
            f"{summary.rejected}; alerts: {alerts.raised} raised, {alerts.closed} closed, "
            f"{alerts.open} open"
        )

    def _tell_alerts(self, station: Station, rows: list[Transition]) -> None:
        for row in rows:
            if row.event in UNHEARD:
                continue
            alert = station.book.get(row.alert_id)
            why = f": {row.reason}" if row.reason else ""
            self._console.print(
                f"{self._time(row.at_ms)}  {alert.rule} {alert.zone_id or alert.bike}: "
                f"{row.from_state} → {row.to_state}{why}",
                markup=False,
            )

    def _line(self, station: Station, fleet: Fleet) -> str:
        states = [status.state for status in station.statuses.values()]
        words = ", ".join(f"{states.count(word)} {word}" for word in dict.fromkeys(states))
        return (
            f"{self._time(station.clock.now_ms())}  {fleet.published.items} fixes published, "
            f"{station.worker.stored} stored, {station.worker.rejected} rejected; zones: {words}"
        )

    def _time(self, at_ms: int) -> str:
        return datetime.fromtimestamp(at_ms / 1000, self._zone).strftime("%H:%M:%S")


def fleet_line(published: Published) -> str:
    """What a simulated fleet has sent."""
    lost = f", {published.lost} could not be sent" if published.lost else ""
    return f"published {published.items} fixes in {published.messages} messages{lost}"


def show_replay(console: Console, found: Replay) -> None:
    """A replay, for people."""
    table = Table("zone", "covered", "cells", "worst idle", "mean idle", box=None)
    for zone in found.zones:
        table.add_row(
            zone.zone_id,
            f"{zone.covered_ratio:.1%}",
            f"{zone.cells_covered} of {zone.cells_total}",
            f"{zone.worst_idle_s / 60:.0f} min",
            f"{zone.mean_idle_s / 60:.0f} min",
        )
    console.print(table)
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in found.verdicts.items())
    if found.from_ is None:
        console.print("no fixes")
    else:
        console.print(f"{found.from_} to {found.to}; fixes: {verdicts}")


@contextmanager
def reading(
    console: Console, paths: Sequence[Path]
) -> Iterator[tuple[Callable[[int], None], Callable[[Problem], None]]]:
    """Show how far reading is; give what to call with sizes read, and with problems found."""
    total = sum(
        file.stat().st_size
        for path in paths
        for file in ([path] if path.is_file() else path.rglob("*"))
        if file.is_file()
    )
    problems = 0
    columns = (TextColumn("reading"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("reading", total=total)

        def on_problem(problem: Problem) -> None:
            nonlocal problems
            problems += 1
            if problems <= MAX_PROBLEMS:
                console.print(str(problem), markup=False)

        yield (lambda size: bar.advance(task, size)), on_problem
    if problems > MAX_PROBLEMS:
        console.print(f"{problems - MAX_PROBLEMS} more lines could not be used")
