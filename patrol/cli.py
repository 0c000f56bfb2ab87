"""The command `patrol`.

Exit codes: 0 done, 1 the input is wrong, 2 usage, 3 something it needs cannot be reached.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec
import structlog
import typer

from patrol import access_cli, dashboards_cli
from patrol.terminal import Config, err, out, seconds
from patrol.terminal import errors_told as _errors_told

app = typer.Typer(
    name="patrol",
    help="智巡 Zhixun: telemetry of smart patrol bikes, from MQTT to a patrolled city.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(dashboards_cli.app, name="dashboards")
app.add_typer(access_cli.user)
app.add_typer(access_cli.token)

ReportKind = Literal["daily", "weekly", "monthly"]
Language = Literal["zh", "en"]


@app.command()
def demo(
    for_s: Annotated[
        float | None,
        typer.Option("--for", parser=seconds, help="Stop after, as in 60s.", metavar="DURATION"),
    ] = None,
    speed: Annotated[float, typer.Option(min=1, max=600, help="How fast its clock runs.")] = 60.0,
    bikes: Annotated[int, typer.Option(min=1, max=500, help="Size of the fleet.")] = 28,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Of the console; else 8080 or the next.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Keep what is stored in this folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Last line: a summary as JSON.")] = False,
) -> None:
    """Everything embedded: broker, simulated fleet, coverage, alerts, console."""
    from patrol import narration
    from patrol.demo import DemoOptions
    from patrol.demo import demo as run_demo

    _log_to_stderr("ERROR")
    options = DemoOptions(bikes=bikes, speed=speed, for_s=for_s, port=port, data=data)
    narrator = narration.Narrator(err if as_json else out, options)

    async def main(stop: asyncio.Event) -> None:
        telling = None

        def started(*parts: object) -> None:
            nonlocal telling
            telling = asyncio.create_task(narrator.tell(*parts))  # type: ignore[arg-type]

        try:
            summary = await run_demo(options, started, stop)
        finally:
            if telling is not None:
                telling.cancel()
                await asyncio.gather(telling, return_exceptions=True)
        if as_json:
            print(msgspec.json.encode(summary).decode(), flush=True)  # noqa: T201
        else:
            narrator.sum_up(summary)

    _run(main)


@app.command()
def run(config: Config) -> None:
    """The real thing."""
    from patrol import admission, ports
    from patrol.assembly import district_of, filters_of, mqtt_options
    from patrol.clock import WallClock
    from patrol.settings import load_with_zones
    from patrol.station import Station

    _log_to_stderr("INFO")
    with _errors_told(), contextlib.ExitStack() as stack:
        settings, zones = load_with_zones(config)
        access = stack.enter_context(admission.opened(settings))
        admission.refuse_strangers(settings.http, access)
        clock = WallClock()
        station = Station(
            district=district_of(settings, zones, clock.now_ms()),
            folder=settings.storage.path,
            inlet=mqtt_options(settings.mqtt, filters=filters_of(settings)),
            publisher=mqtt_options(settings.mqtt),
            host=settings.http.host,
            port=ports.wanted(settings.http.host, settings.http.port),
            clock=clock,
            access=access,
        )

        async def main(stop: asyncio.Event) -> None:
            log = structlog.get_logger("patrol")
            url = f"http://{settings.http.listen.replace(':0', f':{station.port}')}/"
            log.info("starting", district=settings.district.name, console=url)
            link = admission.invitation_link(access, url)
            if link is not None:
                err.print(
                    f"Nobody can sign in yet. To be the first administrator, open\n\n    {link}\n\n"
                    "It works once, for a day.",
                    markup=False,
                )
            running = asyncio.create_task(station.run())
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            station.stop()
            await running
            log.info("stopped", read=station.worker.seq)

        _run(main)


@app.command()
def check(config: Config) -> None:
    """Validate configuration, zones and policies; every mistake is told."""
    from patrol.assembly import district_of
    from patrol.clock import WallClock
    from patrol.settings import load_with_zones

    with _errors_told():
        settings, zones = load_with_zones(config)
        district = district_of(settings, zones, WallClock().now_ms())
        cells = int(district.zones.cells_total.sum())
        out.print(
            f"{config}: all is well: {len(district.zones.zones)} zones with {cells} unit cells, "
            f"{len(settings.policies)} policies, {len(settings.vendors)} vendor(s)"
        )


@app.command()
def simulate(
    config: Config,
    bikes: Annotated[int, typer.Option(min=1, max=20_000, help="Size of the fleet.")] = 28,
    speed: Annotated[float, typer.Option(min=0.1, max=600, help="How fast it rides.")] = 1.0,
    for_s: Annotated[
        float | None,
        typer.Option("--for", parser=seconds, help="Stop after, as in 60s.", metavar="DURATION"),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed rides the same way.")] = 1,
    neglect: Annotated[str | None, typer.Option(help="A zone that nobody goes to.")] = None,
) -> None:
    """A fleet that publishes to the configured broker."""
    from patrol.narration import fleet_line
    from patrol.settings import load_with_zones
    from patrol.simulate import simulate as run_fleet

    _log_to_stderr("WARNING")
    with _errors_told():
        settings, zones = load_with_zones(config)

    async def main(stop: asyncio.Event) -> None:
        published = await run_fleet(
            settings,
            zones,
            bikes=bikes,
            speed=speed,
            for_s=for_s,
            seed=seed,
            neglected=neglect,
            stop=stop,
            tell=lambda text: out.print(text),
        )
        out.print(fleet_line(published))

    _run(main)


@app.command()
def replay(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders.", metavar="PATH…")],
    config: Config,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Recorded telemetry to coverage, without a broker.

    Reads NDJSON of MDS telemetry, GPX, OwnTracks .rec and archive Parquet.
    """
    from patrol import narration
    from patrol.replay import replay as judge
    from patrol.settings import load_with_zones

    with _errors_told():
        settings, zones = load_with_zones(config)
        with narration.reading(err, paths) as (on_read, on_problem):
            found = judge(paths, settings, zones, on_problem=on_problem, on_read=on_read)
        if as_json:
            print(msgspec.json.encode(found).decode(), flush=True)  # noqa: T201
        else:
            narration.show_replay(out, found)


@app.command()
def report(
    kind: Annotated[ReportKind, typer.Argument(help="Which bulletin.")],
    config: Config,
    day: Annotated[
        datetime | None,
        typer.Option(
            "--date", formats=["%Y-%m-%d"], help="A day of the period; else the last whole one."
        ),
    ] = None,
    language: Annotated[Language | None, typer.Option(help="Else that of the console.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """What was raised and closed in a day, week or month, and what is open."""
    from alerts.periods import last_whole
    from patrol.assembly import district_of
    from patrol.clock import WallClock
    from patrol.report import report as report_of
    from patrol.report import report_json, report_text
    from patrol.settings import load_with_zones

    with _errors_told():
        settings, zones = load_with_zones(config)
        now_ms = WallClock().now_ms()
        district = district_of(settings, zones, now_ms)
        zone = ZoneInfo(settings.district.timezone)
        which = day.date() if day is not None else last_whole(kind, now_ms, zone)
        bulletin = report_of(district, kind, which, now_ms)
        if as_json:
            print(report_json(bulletin).decode(), flush=True)  # noqa: T201
        else:
            out.print(
                report_text(district, bulletin, language or settings.console.language),
                markup=False,
            )


def main() -> None:
    """The entry point of the command."""
    app()


def _run(coroutine: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run until it ends; SIGINT and SIGTERM set the event that it is given."""

    async def with_signals() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await coroutine(stop)

    with _errors_told():
        asyncio.run(with_signals())


def _log_to_stderr(level: str) -> None:
    number = logging.getLevelNamesMapping()[level]
    # Libraries speak when something is wrong; what matters of it we say ourselves.
    logging.basicConfig(stream=sys.stderr, level=max(number, logging.WARNING))
    for noisy in ("uvicorn.error", "asyncio", "nicegui"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
