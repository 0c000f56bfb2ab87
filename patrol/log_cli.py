"""`patrol log`: what the log holds, also beside a station that runs, and damage in it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from patrol.process import CONFIG, Config, errors_told, say

if TYPE_CHECKING:
    from ingest.log import Messages

app = typer.Typer(name="log", help="The log of messages, and damage in it.", no_args_is_help=True)


@app.command("list")
def list_entries(config: Config = CONFIG) -> None:
    """Tell of the entries their messages, time of receipt, size and damage; and of the readers
    how far they are; and what was set aside."""
    from ingest import set_aside
    from ingest.log import LogFile
    from ingest.log_reading import entries_of

    with errors_told():
        path, zone = _log(config)
        with closing(LogFile.read_only(path)) as db, suppress(sqlite3.DatabaseError):
            for reader, seq in db.execute("SELECT reader, seq FROM cursor"):
                typer.echo(f"reader {reader} has passed message {seq}")
        for text in set_aside.findings(path.parent / set_aside.FOLDER):
            typer.echo(f"set aside: {text}")
        for first, last, size, messages, fault in entries_of(path):
            at = datetime.fromtimestamp(messages.received_at_ms / 1000, zone)
            said = fault or f"received {at.isoformat(' ', 'milliseconds')}"
            typer.echo(f"messages {first} to {last}, {size} bytes: {said}")


@app.command()
def export(
    config: Config = CONFIG,
    body: Annotated[
        Path | None,
        typer.Argument(help="An entry that was set aside; else all of the log.", metavar="BODY"),
    ] = None,
) -> None:
    """Write messages to stdout, one a line of JSON: number, time of receipt, topic, payload."""
    from ingest.errors import LogCorrupt
    from ingest.log import read_body
    from ingest.log_reading import entries_of

    with errors_told():
        if body is not None:
            try:
                messages = read_body(0, 0, 0, body.read_bytes(), checked=False)
            except LogCorrupt as exc:
                raise LogCorrupt(f"the messages of {body} {exc}") from exc
            _write(1, messages)
            return
        for entry in entries_of(_log(config)[0]):
            if entry.fault:
                say(f"messages {entry.first} to {entry.last} {entry.fault}")
            _write(entry.first, entry.messages)


def _write(first: int, messages: Messages) -> None:
    """Write messages by the number of the first.

    MDS telemetry has its bike beside it, and is what `patrol replay` reads.
    """
    from bikes import topics

    pairs = zip(messages.topics, messages.payloads, strict=True)
    for seq, (topic, payload) in enumerate(pairs, first):
        line = {"seq": seq, "received_at_ms": messages.received_at_ms, "topic": topic}
        if (bike := topics.parse(topic)) is not None and bike.kind == "telemetry":
            line |= {"vendor": bike.vendor, "device_id": bike.bike_id}
        try:
            items = json.loads(payload)
        except (ValueError, RecursionError):
            items = {"payload": payload.decode("utf-8", "backslashreplace")}
        for item in items if isinstance(items, list) else [items]:
            said = item if isinstance(item, dict) else {"payload": item}
            typer.echo(json.dumps({**line, **said}))  # ASCII: it may be a terminal


@app.command()
def skip(
    last: Annotated[int, typer.Argument(help="Number of its last message.", metavar="NUMBER")],
    config: Config = CONFIG,
) -> None:
    """Set an entry aside by hand, so that no reader sees it. The station must not run."""
    from ingest.log import SqliteLog

    with errors_told(), closing(SqliteLog(_log(config)[0], ())) as log:
        typer.echo(f"it is in {log.set_aside(last, 'were set aside by hand')}")


def _log(config: Path) -> tuple[Path, ZoneInfo]:
    from patrol.config.settings import load

    settings = load(config)
    return settings.storage.path / "log.sqlite", settings.district.tz
