"""The output of the commands for people: progress on a terminal, plain lines elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

import structlog
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from alerts.notify import UNHEARD
from alerts.notify.wording import ZoneNames
from alerts.rules import contract
from files.secret import harmless
from ingest.accounts import Account
from patrol import web
from patrol.supervisor import background_task
from words.catalogue import word

if TYPE_CHECKING:
    from alerts.alert import Transition
    from geofence.zones import Zones
    from ingest.recordings import Problem
    from patrol.bench import Bench
    from patrol.demo import DemoOptions, Summary
    from patrol.replay import Replay, ZoneJudged
    from patrol.simulate import Fleet
    from patrol.station import Station

TELL_EVERY_S = 10.0
SHOW_EVERY_S = 0.5
MAX_PROBLEMS = 20


def console(*, stderr: bool = False) -> Console:
    """A console that prints text as it is, and lines as long as they are."""
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False, soft_wrap=True)


async def progress(console: Console, line: Callable[[], str]) -> None:
    """Show how things are until cancelled: in place on a terminal, line by line elsewhere."""
    if console.is_terminal:
        with console.status("") as status:
            while True:
                status.update(line())
                await asyncio.sleep(SHOW_EVERY_S)
    while True:
        await asyncio.sleep(TELL_EVERY_S)
        console.print(line())


async def tell_demo(console: Console, options: DemoOptions, station: Station, fleet: Fleet) -> None:
    """Tell what happens in a demo until cancelled."""
    district, now_ms = station.district, station.clock.now_ms
    timezone = district.settings.district.tz
    names = ZoneNames(district.atlas, "zh", now_ms)

    def time(at_ms: int) -> str:
        return datetime.fromtimestamp(at_ms / 1000, timezone).strftime("%H:%M:%S")

    def tell_alerts(rows: list[Transition]) -> None:
        for row in rows:
            if row.event not in UNHEARD:
                about = f"{row.zone_id or row.bike} {names.get(row.zone_id or '', '')}".rstrip()
                why = f" ({_word('reason', row.reason)})" if row.reason else ""
                rule = _word("rule", row.rule)
                before, after = _word("alert", row.from_state), _word("alert", row.to_state)
                console.print(f"{time(row.at_ms)}  {about}: {rule}: {before} → {after}{why}")

    def line() -> str:
        states = [status.state for status in station.judging.statuses.values()]
        words = ", ".join(
            f"{states.count(each)} {_word('state', each)}" for each in dict.fromkeys(states)
        )
        return f"{time(now_ms())}  {fleet.published.items} fixes published; zones: {words}"

    url = web.url(station.host, station.port, station.district.settings.http)
    console.print(f"智巡 Zhixun: {district.settings.district.name}, {options.bikes} bikes")
    console.print(f"Console   {url}")
    console.print(f"API       {url}api/v1/openapi.json")
    console.print(f"Clock     {time(now_ms())}, {options.speed:g} times as fast")
    if options.data is not None:
        console.print(f"Data      {options.data}")
    if options.for_s is None:
        console.print("Stop      Ctrl-C")
    station.book.listen(tell_alerts)
    await progress(console, line)


def show_summary(console: Console, summary: Summary) -> None:
    """The result of a demo, for people."""
    table = Table("zone", "covered", "state", box=None)
    for zone in summary.zones:
        table.add_row(zone.zone_id, f"{zone.covered_ratio:.0%}", _word("state", zone.state))
    console.print(table)
    alerts = summary.alerts
    console.print(
        f"published {summary.published} = stored {summary.stored} + rejected {summary.rejected}; "
        f"alerts: {alerts.raised} raised, {alerts.closed} closed, {alerts.open} open"
    )


async def tell_ride(console: Console, url: str, fleet: Fleet) -> None:
    """Tell how a simulated fleet is doing until cancelled."""
    plan, clock = fleet.plan, fleet.clock
    zone = ZoneInfo(plan.timezone)

    def line() -> str:
        at = datetime.fromtimestamp(clock.now_ms() / 1000, zone)
        state = fleet.publisher.state
        trouble = "" if state.connected else f"; waiting: {harmless(state.reason)}"
        return f"{at:%m-%d %H:%M:%S}  published {fleet.published.items} fixes{trouble}"

    since = datetime.fromtimestamp(plan.start_ms / 1000, zone)
    pace = "" if clock.speed == 1 else f", {clock.speed:g} times as fast"
    bikes = len(plan.bike_ids)
    console.print(f"{bikes} bikes of {plan.vendor} ride from {since:%Y-%m-%d %H:%M:%S}{pace}")
    console.print(f"Publishing to {url}")
    await progress(console, line)


def log_warnings(zones: Zones) -> None:
    """Log what was let pass in the zones."""
    log = structlog.get_logger("patrol")
    for warning in zones.warnings:
        log.warning("zones are not as they should be", where=warning.where, detail=warning.message)


async def log_life(station: Station, stop: asyncio.Event) -> None:
    """Run a station until it ends or `stop` is set, and log when it starts and stops."""
    log = structlog.get_logger("patrol")
    url = web.url(station.host, station.port, station.district.settings.http)
    log.info("starting", district=station.district.settings.district.name, console=url)
    running = asyncio.create_task(station.run())
    async with background_task(stop.wait()) as stopping, background_task(_log_beginning(station)):
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if stop.is_set():
        log.info("stopping")
    station.stop()
    await running
    log.info("stopped", read=station.worker.seq)


async def _log_beginning(station: Station) -> None:
    """Log how far the log is read, until all of it is; then what a new station waits for."""
    await _log_reading(station)
    log = structlog.get_logger("patrol")
    asked, refused = set[str](), set[str]()
    while waiting := {
        vendor
        for vendor in station.vendors.formats()
        if not station.worker.view.accounts.get(vendor, Account()).accepted
    }:
        for vendor in sorted(waiting - asked):
            first = station.vendors.first_message(vendor)
            # In the text, where nothing is put in quotes: it is there to be copied.
            command = "" if first is None else f"; send this\n\n    {first.command}\n"
            log.info(f"no message yet{command}", vendor=vendor)
        for _, reject in station.rejects.last():
            if reject.vendor in waiting - refused:
                refused.add(reject.vendor)
                why = harmless(reject.detail)
                log.warning("the first message was refused", vendor=reject.vendor, why=why)
        asked |= waiting
        await asyncio.sleep(1.0)
        for vendor in sorted(waiting):
            if station.worker.view.accounts[vendor].accepted:
                log.info("the first message was accepted", vendor=vendor)


async def _log_reading(station: Station) -> None:
    """Log how far the log is read, until all of it is."""
    log = structlog.get_logger("patrol")
    while not station.intake.caught_up.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(TELL_EVERY_S / 2):
                await station.intake.caught_up.wait()
                break
        log.info("reading the log", read=station.worker.seq, of=station.log.head)
    log.info("up to date with the log", read=station.worker.seq)


def show_replay(console: Console, found: Replay) -> None:
    """A replay, for people."""
    columns = ("zone", "name", "covered", "cells", "longest unpatrolled", "worst cell", "mean cell")
    table = Table(*columns, box=None)
    for zone in found.zones:
        table.add_row(
            zone.zone_id,
            zone.name,
            f"{zone.covered_ratio:.1%}",
            f"{zone.cells_covered} of {zone.cells_total}",
            _minutes(zone.longest_idle_s),
            _minutes(zone.worst_idle_s),
            _minutes(zone.mean_idle_s),
        )
    console.print(table)
    console.print("idle times are patrol hours only; of cells, the worst is of those visited")
    verdicts = ", ".join(
        f"{count} {_word('verdict', each)}" for each, count in found.verdicts.items()
    )
    console.print(f"{found.from_} to {found.to}; fixes: {verdicts}")
    for what, counts in (("could not be used", found.refused), ("unknown values", found.notes)):
        if counts:
            each = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
            console.print(f"{what}: {each}")
    if found.what_if is None:
        return
    console.print()
    judged = ("zone", "name", "policy", "unpatrolled", "longest unpatrolled", "windows short")
    table = Table(*judged, box=None)
    names = {zone.zone_id: zone.name for zone in found.zones}
    for now, then in zip(found.what_if.configured, found.what_if.zones, strict=True):
        table.add_row(
            then.zone_id,
            names[then.zone_id],
            then.policy,
            f"{now.unpatrolled} → {then.unpatrolled}",
            f"{_minutes(now.longest_idle_s)} → {_minutes(then.longest_idle_s)}",
            f"{_short(now)} → {_short(then)}",
        )
    console.print(table)
    console.print("as configured → what if")


def show_bench(console: Console, found: Bench) -> None:
    """What a machine can do, for people: a line each."""
    console.print(
        f"machine  {found.cores} cores, {found.free_bytes / 1e9:.1f} GB free in {found.folder}\n"
        f"intake   {found.intake_messages_per_s:,.0f} messages a second: with half of that in "
        f"reserve, {found.intake_bikes:,} bikes on duty at once\n"
        f"store    a message is on disk after {found.commit_p50_ms:.1f} ms (99 of 100 within "
        f"{found.commit_p99_ms:.1f} ms); {found.archive_bytes_per_fix:.0f} bytes a fix: the free "
        f"room holds a year of {found.store_bikes:,} bikes\n"
        f"replay   {found.replay_fixes_per_s:,.0f} fixes a second: a year of "
        f"{found.replay_bikes:,} bikes in a minute\n"
        f"measured with {found.simulated_bikes:,} bikes and {found.messages:,} messages, a fix "
        f"every {found.interval_s:g} s for {found.duty_hours:g} hours a day; broker, InfluxDB and "
        "browsers need their share too: docs/performance.md"
    )


def _short(zone: ZoneJudged) -> str:
    """Windows short of their target, with those that nobody can judge."""
    unknown = f" ({zone.windows_unknown} unknown)" if zone.windows_unknown else ""
    return f"{zone.windows_short} of {zone.windows}{unknown}"


def _word(kind: str, value: str) -> str:
    """A word of the contract for people, in English as all that commands say."""
    return word(contract(), kind, value, "en")


def _minutes(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds / 60:.0f} min"


class Reading(NamedTuple):
    """What to call while recordings are read and judged."""

    on_read: Callable[[int], None]  # with sizes read [bytes]
    on_judged: Callable[[int, int], None]  # with fixes judged now, and all that there are
    on_problem: Callable[[Problem], None]


class _Rate(ProgressColumn):
    """Megabytes, or millions of fixes, a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{(task.speed or 0) / 1e6:.1f} M{task.fields['unit']}/s")


@contextmanager
def reading(console: Console, files: Sequence[Path]) -> Iterator[Reading]:
    """Show how far reading and judging are, at what rate, and how long it will take."""
    total = sum(file.stat().st_size for file in files)
    problems = 0
    columns = TextColumn("{task.description}"), BarColumn(), _Rate(), TimeRemainingColumn()
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    reads = bar.add_task("reading", total=total, unit="B")
    judges = bar.add_task("judging", total=None, start=False, visible=False, unit=" fixes")

    def on_judged(now: int, total: int) -> None:
        bar.start_task(judges)
        bar.update(judges, advance=now, total=total, visible=True)

    def on_problem(problem: Problem) -> None:
        nonlocal problems
        problems += 1
        if problems <= MAX_PROBLEMS:
            console.print(harmless(str(problem)))

    with bar:
        yield Reading(lambda size: bar.advance(reads, size), on_judged, on_problem)
    if problems > MAX_PROBLEMS:
        console.print(f"{problems - MAX_PROBLEMS} more could not be used")
