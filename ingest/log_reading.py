"""Reads a log beside a station that may run: its entries, the damaged ones too."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import NamedTuple

from ingest.errors import LogCorrupt
from ingest.log import ENTRIES, LogFile, Messages, Row, read_body


class Entry(NamedTuple):
    """An entry: the numbers of its messages, its size [bytes], and its messages or its fault."""

    first: int
    last: int
    size: int
    messages: Messages
    fault: str


def entries_of(path: Path) -> Iterator[Entry]:
    """The entries of a log in order, beside a station that may run.

    Past damage of the file come those that its end leads to, and then LogCorrupt.
    """
    last = 0
    with closing(LogFile.read_only(path)) as db:
        try:
            for row in db.execute(ENTRIES, (0, 1 << 62)):
                last = max(last, row[0])
                yield _entry(row)
        except sqlite3.DatabaseError as exc:
            backwards = ENTRIES.replace("ORDER BY seq", "ORDER BY seq DESC")
            with suppress(sqlite3.DatabaseError):
                yield from map(_entry, db.execute(backwards, (last, 1 << 62)))
            raise LogCorrupt(f"the log {path} is damaged ({exc}): {LogFile.remedy}") from exc


def _entry(row: Row) -> Entry:
    seq, count, _, body = row
    try:
        messages, fault = read_body(*row), ""
    except LogCorrupt as exc:
        messages, fault = Messages(0, [], []), str(exc)
    return Entry(seq - count + 1, seq, len(body), messages, fault)
