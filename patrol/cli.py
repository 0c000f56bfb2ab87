"""The command `patrol`.

Every command imports what it needs when it is called: `patrol --help` answers at once.
"""

from __future__ import annotations

import math
import sys
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from files.secret import harmless
from patrol import access_cli, dashboards_cli, log_cli
from patrol.process import (
    CONFIG,
    WRONG_INPUT,
    Config,
    calendar_day,
    duration,
    errors_told,
    log_to_stderr,
    run_until_signalled,
    say,
    share_freed_memory,
)
from words.catalogue import Language

if TYPE_CHECKING:
    import asyncio

    from patrol.clock import Clock

app = typer.Typer(
    name="patrol",
    help="智巡 Zhixun: telemetry of smart patrol bikes, from MQTT to a patrolled city.",
    epilog="Exit codes: 0 done, 1 the input is wrong, 2 usage, 3 something it needs cannot be "
    "reached.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)

app.add_typer(dashboards_cli.app, name="dashboards")
app.add_typer(access_cli.user)
app.add_typer(access_cli.token)
app.add_typer(log_cli.app)
notify = typer.Typer(name="notify", help="Who is told about alerts.", no_args_is_help=True)
app.add_typer(notify)

ReportKind = Literal["daily", "weekly", "monthly"]


def _times(text: str) -> float:
    """A factor, such as 60 or 0.5."""
    try:
        factor = float(text)
    except ValueError as exc:
        raise typer.BadParameter(f"{text!r} is not a number") from exc
    if not (math.isfinite(factor) and 0.1 <= factor <= 600):
        raise typer.BadParameter(f"{text} is not between 0.1 and 600")
    return factor


def _version(wanted: bool) -> None:
    if wanted:
        from patrol import __version__

        typer.echo(f"zhixun {__version__}")
        raise typer.Exit


For = Annotated[
    float | None,
    typer.Option(
        "--for",
        parser=duration,
        help="Stop after so long, such as 60s or 10m; else run until Ctrl-C.",
        metavar="DURATION",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="The last line of stdout is the result.")]


@app.callback()
def patrol(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print it and exit."),
    ] = False,
) -> None:
    """The options that all commands have."""


@app.command()
def demo(
    for_s: For = None,
    speed: Annotated[
        float, typer.Option(parser=_times, help="How fast its clock runs.", metavar="TIMES")
    ] = 60.0,
    bikes: Annotated[
        int, typer.Option(min=1, max=500, help="Size of the fleet.", metavar="N")
    ] = 28,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65_535,
            help="Where the console listens; else 8080 or the next free one.",
            metavar="PORT",
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Keep what is stored in this folder; the next demo goes on from it.",
            metavar="FOLDER",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run all of it with simulated bikes and an embedded broker."""
    from patrol import cli_output
    from patrol.demo import DemoOptions
    from patrol.demo import demo as run_demo

    options = DemoOptions(bikes=bikes, speed=speed, for_s=for_s, port=port, data=data)
    console = cli_output.console(stderr=as_json)

    async def main(stop: asyncio.Event) -> None:
        summary = await run_demo(options, partial(cli_output.tell_demo, console, options), stop)
        if as_json:
            _print_json(summary)
        else:
            cli_output.show_summary(console, summary)

    run_until_signalled(main)


@app.command()
def run(config: Config = CONFIG) -> None:
    """Receive, store, judge, alert and show: the real thing. SIGHUP reads the settings again."""
    from patrol.clock import Clock

    run_station(config, Clock())


def run_station(config: Path, clock: Clock) -> None:
    """Run the station that a file describes, by a clock, until SIGINT or SIGTERM."""
    import signal
    from contextlib import closing

    from patrol import cli_output, web
    from patrol.assembly import district_of, filters_of, mqtt_options
    from patrol.config.settings import load_with_zones
    from patrol.station import Station

    log_to_stderr("INFO")
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until it runs: then it reads this again
    with errors_told():
        settings, zones = load_with_zones(config)
        cli_output.log_warnings(zones)
        host, port = settings.http.host, web.wanted_port(settings.http.host, settings.http.port)

    async def main(stop: asyncio.Event) -> None:
        with closing(web.access_of(settings)) as access:
            station = Station(
                district=district_of(settings, zones, clock.now_ms()),
                folder=settings.storage.path,
                inlet=mqtt_options(settings.mqtt, filters=filters_of(settings)),
                publisher=mqtt_options(settings.mqtt),
                host=host,
                port=port,
                clock=clock,
                config=config,
                access=access,
            )
            if not access.users():
                door = f"{web.url(host, port, settings.http)}setup#{access.invite()}"
                say(
                    "Nobody can sign in yet. To be the first administrator, open\n\n"
                    f"    {door}\n\nIt works once, for a day."
                )
            await cli_output.log_life(station, stop)

    run_until_signalled(main)


@app.command()
def check(config: Config = CONFIG) -> None:
    """Tell every mistake in the configuration and its zones."""
    from patrol.calendar_check import calendars_told
    from patrol.clock import Clock
    from patrol.config.drawn_zones import zones_file
    from patrol.data_folder import why_not_writable
    from patrol.errors import ConfigError, Problem
    from patrol.reload import checked
    from patrol.web import TAKEN, why_not_free

    with errors_told():
        now_ms = Clock().now_ms()
        district = checked(config, now_ms)
        settings, now = district.settings, district.atlas.at(now_ms)
        port = why_not_free(settings.http.host, settings.http.port)
        needed = {
            "[storage] path": why_not_writable(settings.storage.path),
            "[http] listen": "" if TAKEN in port else port,
        }
        if any(needed.values()):
            raise ConfigError([Problem(key, why) for key, why in needed.items() if why])
    for warning in district.atlas.layout.zones.warnings:
        say(f"warning: {warning}")
    cells = int(now.cells_total.sum())
    file = zones_file(settings.storage.path, settings.district.zones)
    drawn = "" if file == settings.district.zones else ", drawn on the map"
    lines = [
        f"{config}: all is well: {len(now.zones)} zones with {cells} unit cells, "
        f"{len(settings.policies)} policies, {len(settings.vendors)} vendor(s)",
        f"zones in force: {file}{drawn}",
        *([port] if port else []),
        *calendars_told(district, now_ms),
    ]
    typer.echo("\n".join(harmless(line, indent="") for line in lines))


@app.command()
def verify(config: Config = CONFIG, as_json: Json = False) -> None:
    """Check everything that is stored, and tell what is damaged and what to do about it.

    A station may run beside it. Exit code 1 when something is damaged.
    """
    from patrol.config.settings import load
    from patrol.data_folder import verify as verify_folder

    with errors_told():
        settings = load(config)
        found = verify_folder(settings.storage.path, settings.district.zones)
    for damage in found.damaged:
        say(f"{damage.file}: {damage.fault}")
    if as_json:
        _print_json(found)
    else:
        typer.echo(
            f"{settings.storage.path}: {len(found.damaged)} damaged of {found.files} files; "
            f"{found.without_checksums} of an older version have no checksums"
        )
    if not found.whole:
        raise typer.Exit(WRONG_INPUT)


BackupFile = Annotated[Path, typer.Argument(help="A tar; - is the pipe.", metavar="FILE")]


@app.command()
def backup(file: BackupFile, config: Config = CONFIG) -> None:
    """Copy all that is stored into one file, while the station runs."""
    from files.atomic_write import atomic_write
    from ingest.errors import StoreUnavailable
    from patrol.backup import backup as copy
    from patrol.config.settings import load

    with errors_told():
        folder = load(config).storage.path
        if str(file) == "-":
            made = copy(folder, sys.stdout.buffer)
        else:
            with atomic_write(file, StoreUnavailable) as out:
                made = copy(folder, out)
    say(f"{folder}: {len(made.files)} files are in the backup")


@app.command()
def restore(file: BackupFile, config: Config = CONFIG) -> None:
    """Put a backup in the place of what is stored. The station must not run."""
    from patrol.backup import restore as put_back
    from patrol.config.settings import load

    with errors_told(), sys.stdin.buffer if str(file) == "-" else file.open("rb") as source:
        folder = load(config).storage.path
        made, before = put_back(folder, source)
    at = datetime.fromtimestamp(made.made_at_ms / 1000, UTC).astimezone()
    typer.echo(f"{folder}: {len(made.files)} files are restored, as of {at:%Y-%m-%d %H:%M %Z}")
    if before is not None:
        typer.echo(f"what was there is in {before}; delete it when all is well")


@app.command()
def simulate(
    config: Config = CONFIG,
    bikes: Annotated[
        int, typer.Option(min=1, max=20_000, help="Size of the fleet.", metavar="N")
    ] = 28,
    speed: Annotated[
        float,
        typer.Option(
            parser=_times,
            help="How fast it rides. Above 1 it begins in the past and catches up with now.",
            metavar="TIMES",
        ),
    ] = 1.0,
    for_s: For = None,
    seed: Annotated[int, typer.Option(help="The same seed rides the same way.", metavar="N")] = 1,
    neglect: Annotated[
        str | None, typer.Option(help="A zone that nobody goes to.", metavar="ZONE_ID")
    ] = None,
) -> None:
    """Publish a simulated fleet to the configured broker."""
    from patrol import cli_output
    from patrol.config.settings import load_with_zones
    from patrol.errors import Unreachable
    from patrol.simulate import FleetOptions
    from patrol.simulate import simulate as run_fleet

    with errors_told():
        settings, zones = load_with_zones(config)
    options = FleetOptions(bikes=bikes, speed=speed, for_s=for_s, seed=seed)
    console = cli_output.console()

    async def main(stop: asyncio.Event) -> None:
        tell = partial(cli_output.tell_ride, console, settings.mqtt.url)
        sent = await run_fleet(settings, zones, options, neglect, tell, stop)
        console.print(f"published {sent.items} fixes in {sent.messages} messages")
        if sent.lost:
            raise Unreachable(f"{sent.lost} more messages got no answer from the broker")

    run_until_signalled(main)


@app.command()
def replay(
    paths: Annotated[list[Path], typer.Argument(help="Files or folders.", metavar="PATH…")],
    config: Config = CONFIG,
    as_json: Json = False,
    what_if: Annotated[
        Path | None,
        typer.Option(
            help="Judge the record by these keys of [policies.*] too.", metavar="POLICY.TOML"
        ),
    ] = None,
    vendor: Annotated[
        str | None, typer.Option(help="Whose the fixes are that name no vendor.", metavar="NAME")
    ] = None,
    bike: Annotated[
        str | None, typer.Option(help="The bike of files and fixes that name none.", metavar="ID")
    ] = None,
    memory_mb: Annotated[
        int,
        typer.Option("--memory", help="Memory for days that wait, and to run [MB].", min=256),
    ] = 512,
    resume: Annotated[
        Path | None,
        typer.Option(help="Keep in this file how far it is; go on from there.", metavar="FILE"),
    ] = None,
) -> None:
    """Tell what recorded telemetry covers, without a broker.

    Reads NDJSON of MDS telemetry, GPX, OwnTracks .rec and archive Parquet.
    """
    from patrol import cli_output
    from patrol.config.settings import load_policies, load_with_zones
    from patrol.replay import recordings, replay

    with errors_told():
        settings, zones = load_with_zones(config)
        other = None if what_if is None else load_policies(what_if, settings.policies)
        files = recordings(paths)
        with cli_output.reading(cli_output.console(stderr=True), files) as told:
            found = replay(
                files,
                settings,
                zones,
                **told._asdict(),
                memory_mb=memory_mb,
                resume=resume,
                other=other,
                vendor=vendor,
                bike=bike,
            )
    if as_json:
        _print_json(found)
    else:
        cli_output.show_replay(cli_output.console(), found)


@app.command()
def bench(
    data: Annotated[
        Path, typer.Option(help="A folder of the disk that would hold the data.", metavar="FOLDER")
    ] = Path("/var/tmp"),  # noqa: S108  (/tmp is often in memory)
    bikes: Annotated[
        int, typer.Option(min=1, max=5_000, help="Size of the simulated fleet.", metavar="N")
    ] = 2_000,
    as_json: Json = False,
) -> None:
    """Tell what this machine can do, and which fleet it would carry; takes up to a minute."""
    from patrol import cli_output
    from patrol.bench import bench as measured

    with errors_told():
        say(f"{bikes} simulated bikes ride; this takes up to a minute")
        found = measured(data, bikes)
    if as_json:
        _print_json(found)
    else:
        cli_output.show_bench(cli_output.console(), found)


@notify.command("test")
def notify_test(
    name: Annotated[str, typer.Argument(help="A [notify.NAME].", metavar="NAME")],
    config: Config = CONFIG,
) -> None:
    """Send a recipient a test now, and tell whether it arrived."""
    with errors_told():
        _send_test(config, name)
    typer.echo(f"the service of {name} took it; look whether it is there")


def _send_test(config: Path, name: str) -> None:
    import asyncio

    from alerts.errors import NotificationFailed
    from patrol.assembly import recipients_of
    from patrol.clock import Clock
    from patrol.config.fields import did_you_mean
    from patrol.errors import ConfigError, Problem, Unreachable
    from patrol.reload import checked

    now_ms = Clock().now_ms()
    found = {who.name: who for who in recipients_of(checked(config, now_ms), lambda: now_ms)}
    if name not in found:
        hint = did_you_mean(name, found)
        raise ConfigError([Problem(f"notify.{name}", f"there is no such section{hint}")])
    try:
        asyncio.run(found[name].send_test(now_ms))
    except NotificationFailed as exc:
        raise Unreachable(str(exc)) from exc


@app.command()
def report(
    kind: Annotated[ReportKind, typer.Argument(help="Which bulletin.")],
    config: Config = CONFIG,
    day: Annotated[
        date | None,
        typer.Option(
            "--date",
            parser=calendar_day,
            help="A day of the period; else the last whole one.",
            metavar="YYYY-MM-DD",
        ),
    ] = None,
    language: Annotated[Language | None, typer.Option(help="Else that of the console.")] = None,
    as_json: Json = False,
) -> None:
    """Count the alerts raised and closed in a day, week or month, and list those that are open."""
    from alerts.periods import last_whole
    from patrol.assembly import district_of
    from patrol.clock import Clock
    from patrol.config.settings import load_with_zones
    from patrol.report import report as report_of
    from patrol.report import report_json, report_text

    with errors_told():
        settings, zones = load_with_zones(config)
        now_ms = Clock().now_ms()
        district = district_of(settings, zones, now_ms)
        which = day or last_whole(kind, now_ms, settings.district.tz)
        bulletin = report_of(district, kind, which, now_ms)
        if as_json:
            typer.echo(report_json(bulletin).decode())
        else:
            language = language or settings.console.language
            typer.echo(harmless(report_text(district, bulletin, language, now_ms), indent=""))


def main() -> None:
    """The entry point of the command."""
    share_freed_memory()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show 智巡 shows something else rather than nothing.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    log_to_stderr("ERROR")
    typer.main.get_command(app)()  # and not app(): it has a traceback of its own


def _print_json(result: object) -> None:
    import msgspec

    typer.echo(msgspec.json.encode(result).decode())
