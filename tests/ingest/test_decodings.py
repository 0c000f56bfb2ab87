"""Settings of a time hold for the messages that came then, whoever reads them whenever."""

from __future__ import annotations

import json
from pathlib import Path

from bikes.formats import FORMATS
from bikes.roster import Roster
from bikes.topics import of_bike
from geofence.datum import Datum
from ingest.decode import Decoder, Decodings
from ingest.log import Messages, SqliteLog
from ingest.vendors import VendorFormat

NOW_MS = 1_785_000_000_000


def kept(log: SqliteLog, bike: str = "b1") -> int:
    """Append one fix of a bike of `v`."""
    fix = {"timestamp": NOW_MS, "location": {"lat": 36.3, "lng": 120.4}}
    payload = json.dumps(fix).encode()
    return log.append(Messages(NOW_MS, [of_bike("telemetry", "v", bike)], [payload]))


def made(datum: Datum, roster: Roster) -> Decoder:
    """The decoder of the settings that are called by a datum; GCJ-02 knows `b1` alone."""
    lists = {"v": ["b1"]} if datum == "gcj02" else {"v": ["b1", "b2"]}
    formats = {"v": VendorFormat("v", FORMATS["mds"], datum)}
    return Decoder(roster.under(lists), formats)


def found_in(log: SqliteLog) -> list[str]:
    """What a new reader makes of each message: moved by its datum, kept, or why it is refused."""
    roster = Roster({"v": ["b1", "b2"]})
    reader = Decodings(log, lambda said: made(said, roster))  # type: ignore[arg-type]
    found: list[str] = []
    for entry in log.read(0, 100):
        decoded = reader.decode_entry(entry)
        found += ["kept" if lat == 36.3 else "moved" for lat in decoded.telemetry.lat_deg]
        found += [reject.reason for reject in decoded.rejects]
    return found


def test_a_message_is_decoded_by_the_settings_of_its_time(tmp_path: Path) -> None:
    """Datum and list of bikes change between messages; reading all again gives the same again."""
    log = SqliteLog(tmp_path / "log.sqlite", ["reader"])
    log.decode_by("gcj02")
    kept(log)
    kept(log, "b2")
    log.decode_by("wgs84")
    kept(log)
    kept(log, "b2")
    expected = ["moved", "unknown_bike", "kept", "kept"]
    assert found_in(log) == expected
    log.close()
    log = SqliteLog(tmp_path / "log.sqlite", ["reader"])
    log.decode_by("wgs84")  # as a start with the same configuration does
    assert found_in(log) == expected
    assert len(log.decodings) == 2
    log.close()


def test_the_first_settings_hold_for_what_an_older_version_has_kept(tmp_path: Path) -> None:
    """A log without settings is read by those of the first start that knows of them."""
    log = SqliteLog(tmp_path / "log.sqlite", ["reader"])
    kept(log)
    log.decode_by("gcj02")
    kept(log)
    assert found_in(log) == ["moved", "moved"]
    log.close()


def test_settings_go_when_every_reader_has_passed_their_messages(tmp_path: Path) -> None:
    """However often it is reloaded, only what may be read again is kept."""
    log = SqliteLog(tmp_path / "log.sqlite", ["reader"])
    for name in ("gcj02", "wgs84") * 5:
        log.decode_by(name)
        log.commit("reader", kept(log))
    log.decode_by("gcj02")
    assert log.decodings == [(10, "gcj02")]
    kept(log)
    log.decode_by("wgs84")
    assert log.decodings == [(10, "gcj02"), (11, "wgs84")]
    log.close()
