"""What the writer keeps survives it, within bounds that are stated."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from bikes.roster import BikeKey
from ingest.errors import StoreUnavailable
from ingest.influx.delivery import Rejected
from ingest.influx.file import InfluxFile, Waiting
from ingest.verdict_stream import Bike

FIRST = InfluxFile.formats[0]


def test_lines_wait_until_they_are_gone(tmp_path: Path) -> None:
    """In order, over a restart, in portions."""
    file = InfluxFile(tmp_path / "influx.sqlite")
    file.wait([("coverage", b"a\n"), ("health", b"b\n")])
    file.wait([("coverage", b"c\n")])
    file.close()
    file = InfluxFile(tmp_path / "influx.sqlite")
    assert file.waiting(0, 4) == Waiting(2, b"a\nb\n")
    assert file.waiting(2, 4) == Waiting(3, b"c\n")
    assert file.waiting(0, 0) == Waiting(1, b"a\n"), "at least one piece, however large"
    file.gone(2)
    assert file.waiting(0, 100) == Waiting(3, b"c\n")
    file.gone(3)
    assert file.waiting(0, 100) is None


def test_numbers_are_never_given_twice(tmp_path: Path) -> None:
    """A number that was passed in memory is not the number of something new."""
    file = InfluxFile(tmp_path / "influx.sqlite")
    file.wait([("health", b"a\n")])
    file.gone(1)
    file.wait([("health", b"b\n")])
    assert file.waiting(1, 100) == Waiting(2, b"b\n")


def test_when_there_is_no_more_room_health_goes_first(tmp_path: Path) -> None:
    """Then the oldest coverage; what goes is counted."""
    file = InfluxFile(tmp_path / "influx.sqlite", waiting_bytes=8)
    assert not file.wait([("coverage", b"a\n"), ("health", b"b\n"), ("coverage", b"c\n")])
    assert file.wait([("coverage", b"d\nd\n")]) == {"health": 1}
    assert file.wait([("coverage", b"e\n")]) == {"coverage": 1}
    assert file.waiting(0, 100) == Waiting(5, b"c\nd\nd\ne\n")
    file.gone(5)
    assert not file.wait([("health", b"12345\n")])
    file.close()
    assert InfluxFile(tmp_path / "influx.sqlite", waiting_bytes=8).wait([("health", b"6789\n")])


def test_places_and_bikes(tmp_path: Path) -> None:
    """How far things were copied, and where bikes were."""
    file = InfluxFile(tmp_path / "influx.sqlite")
    assert file.place("alert") == 0
    file.move("alert", 7)
    file.close()
    assert InfluxFile(tmp_path / "influx.sqlite").place("alert") == 7


def test_what_was_decided_on_is_kept_until_it_is_gone(tmp_path: Path) -> None:
    """Over a restart: the lines, byte for byte, how far it was, and what is not decided."""
    file, key = InfluxFile(tmp_path / "influx.sqlite"), BikeKey("hello", "HB001")
    times = np.array([7, 8])
    for seq, lines in ((3, [b"a\n", b"b\n"]), (5, []), (9, [b"c\n"])):
        kept = file.decide(
            lines, {"log": seq}, [Bike(key, 8, seq)], (seq, seq * 10, {key: times}), 40
        )
    assert kept == (3, 9, [b"c\n"])
    file.close()
    file = InfluxFile(tmp_path / "influx.sqlite")
    assert file.outgoing(0) == (2, 3, [b"a\n", b"b\n"])
    assert file.outgoing(2) == (3, 9, [b"c\n"])
    assert file.outgoing(3) is None
    assert (file.place("log"), file.bikes()) == (9, [Bike(key, 8, 9)])
    found = [(at_ms, rows[key].tolist()) for at_ms, rows in file.undecided()]
    assert found == [(50, [7, 8]), (90, [7, 8])], "what was received before 40 is decided"
    file.sent(2)
    assert file.outgoing(0) == (3, 9, [b"c\n"])


def test_repeats_are_known_by_their_entry(tmp_path: Path) -> None:
    """Until what follows them was decided on."""
    file = InfluxFile(tmp_path / "influx.sqlite")
    rows = np.arange(11) % 3 == 0
    file.repeat([(3, rows), (7, rows[:1])])
    assert {seq: found.tolist() for seq, found in file.repeated(0, 6).items()} == {3: rows.tolist()}
    assert file.repeated(3, 7).keys() == {7}
    file.decide([], {}, [], (3, 0, {}), 0)
    assert file.repeated(0, 9).keys() == {7}


def test_a_file_of_the_first_version_goes_on(tmp_path: Path) -> None:
    """With its places, and the bikes that it knows."""
    db = sqlite3.connect(tmp_path / "influx.sqlite")
    db.executescript(FIRST.statements + "PRAGMA user_version=1;")
    db.execute("INSERT INTO bike VALUES ('hello', 'HB001', 9)")
    db.execute("INSERT INTO place VALUES ('log', 4)")
    db.commit()
    db.close()
    file = InfluxFile(tmp_path / "influx.sqlite")
    assert file.bikes() == [Bike(BikeKey("hello", "HB001"), 9, 0)]
    assert file.place("log") == 4


def test_rejected_lines_are_there_to_be_looked_at(tmp_path: Path) -> None:
    """With any SQLite tool: when, why, and the line itself; the newest so many."""
    file = InfluxFile(tmp_path / "influx.sqlite", rejected_lines=3)
    file.reject([Rejected((b"m x=1 5\n", b"m x=2 5\n"), "why")], 11)
    file.reject([Rejected((b"m x=3 5\n",), "because"), Rejected((b"m x=\xff 5\n",), "utf")], 12)
    with closing(sqlite3.connect(tmp_path / "influx.sqlite")) as db:
        assert db.execute("SELECT at_ms, reason, line FROM rejected ORDER BY id").fetchall() == [
            (11, "why", "m x=2 5"),
            (12, "because", "m x=3 5"),
            (12, "utf", "m x=\ufffd 5"),
        ]


def test_a_file_that_is_no_database_is_said_so(tmp_path: Path) -> None:
    """The error names the file."""
    (tmp_path / "influx.sqlite").write_bytes(b"no database" * 1_000)
    with pytest.raises(StoreUnavailable, match=r"influx\.sqlite"):
        InfluxFile(tmp_path / "influx.sqlite")
