"""`patrol log`: what the log holds, also beside a station that runs, and damage in it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, NamedTuple
from zoneinfo import ZoneInfo

import typer

from bikes import topics
from files.sqlite_file import read_only
from ingest import set_aside
from ingest.errors import LogCorrupt, StoreUnavailable
from ingest.log import ENTRIES, LogFile, Messages, SqliteLog, read_body
from patrol.process import Config, errors_told, say

app = typer.Typer(name="log", help="The log of messages, and damage in it.", no_args_is_help=True)


class Entry(NamedTuple):
    """An entry: the numbers of its messages, its size [bytes], and its messages or its fault."""

    first: int
    last: int
    size: int
    messages: Messages
    fault: str


def entries_of(path: Path) -> Iterator[Entry]:
    """The entries of a log in order; past damage of the file, those that its end leads to.

    Raises LogCorrupt at the end, when the file is damaged, and StoreUnavailable without one.
    """
    last = 0
    with closing(_opened(path)) as db:
        try:
            for row in db.execute(ENTRIES, (0, 1 << 62)):
                last = max(last, row[0])
                yield _entry(row)
        except sqlite3.DatabaseError as exc:
            backwards = ENTRIES.replace("ORDER BY seq", "ORDER BY seq DESC")
            with suppress(sqlite3.DatabaseError):
                yield from map(_entry, db.execute(backwards, (last, 1 << 62)))
            raise LogCorrupt(f"the log {path} is damaged ({exc}): {LogFile.remedy}") from exc


def _opened(path: Path) -> sqlite3.Connection:
    try:
        return read_only(path)
    except sqlite3.OperationalError as exc:
        raise StoreUnavailable(f"the log {path} cannot be opened: {exc}") from exc


def _entry(row: tuple[int, int, int, bytes]) -> Entry:
    seq, count, _, body = row
    try:
        messages, fault = read_body(*row), ""
    except LogCorrupt as exc:
        messages, fault = Messages(0, [], []), str(exc)
    return Entry(seq - count + 1, seq, len(body), messages, fault)


@app.command("list")
def list_entries(config: Config) -> None:
    """Tell of the entries their messages, time of receipt, size and damage; and of the readers
    how far they are; and what was set aside."""
    with errors_told():
        path, zone = _log(config)
        with closing(_opened(path)) as db, suppress(sqlite3.DatabaseError):
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
    config: Config,
    body: Annotated[
        Path | None,
        typer.Argument(help="An entry that was set aside; else all of the log.", metavar="BODY"),
    ] = None,
) -> None:
    """Write messages to stdout, one a line of JSON: number, time of receipt, topic, payload."""
    with errors_told():
        if body is not None:
            _write(1, read_body(0, 0, 0, body.read_bytes(), checked=False))
            return
        for entry in entries_of(_log(config)[0]):
            if entry.fault:
                say(f"messages {entry.first} to {entry.last} {entry.fault}")
            _write(entry.first, entry.messages)


def _write(first: int, messages: Messages) -> None:
    """Write messages by the number of the first.

    MDS telemetry has its bike beside it, and is what `patrol replay` reads.
    """
    pairs = zip(messages.topics, messages.payloads, strict=True)
    for seq, (topic, payload) in enumerate(pairs, first):
        line = {"seq": seq, "received_at_ms": messages.received_at_ms, "topic": topic}
        if (bike := topics.parse(topic)) is not None and bike.kind == "telemetry":
            line |= {"vendor": bike.vendor, "device_id": bike.bike_id}
        try:
            items = json.loads(payload)
        except ValueError:
            items = {"payload": payload.decode("utf-8", "backslashreplace")}
        for item in items if isinstance(items, list) else [items]:
            said = item if isinstance(item, dict) else {"payload": item}
            typer.echo(json.dumps({**line, **said}))  # ASCII: it may be a terminal


@app.command()
def skip(
    config: Config,
    last: Annotated[int, typer.Argument(help="Number of its last message.", metavar="NUMBER")],
) -> None:
    """Set an entry aside by hand, so that no reader sees it. The station must not run."""
    with errors_told(), closing(SqliteLog(_log(config)[0], ())) as log:
        typer.echo(f"it is in {log.set_aside(last, 'were set aside by hand')}")


def _log(config: Path) -> tuple[Path, ZoneInfo]:
    from patrol.config.settings import load

    settings = load(config)
    return settings.storage.path / "log.sqlite", settings.district.tz
