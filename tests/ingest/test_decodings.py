"""Settings of a time hold for the messages that came then; what was decoded last is remembered."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bikes.formats import FORMATS
from bikes.roster import Roster
from bikes.topics import of_bike
from geofence.datum import Datum
from ingest.decode import (
    RECENT_MESSAGES,
    Decoded,
    DecodedEntry,
    Decoder,
    Decodings,
    RecentlyDecoded,
)
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


@given(
    sizes=st.lists(st.integers(1, 60_000), max_size=20),
    after=st.integers(0, 700_000),
    limit=st.integers(1, 100_000),
)
def test_what_was_decoded_last_is_there_for_others(
    sizes: list[int], after: int, limit: int
) -> None:
    """Entries without a gap after a message, or none: then the log has to be read."""
    recent = RecentlyDecoded()
    seqs = np.cumsum(sizes).tolist()
    for seq, size in zip(seqs, sizes, strict=True):
        recent.add([DecodedEntry(seq, Decoded(NOW_MS, messages=size))])
    found = recent.after(after, limit)
    held = sum(entry.decoded.messages for entry in found)
    firsts = [entry.seq - entry.decoded.messages for entry in found]
    assert firsts[1:] == [entry.seq for entry in found[:-1]]
    if found:
        assert firsts[0] <= after < found[0].seq
        assert held >= limit or found[-1].seq == seqs[-1]
    elif seqs:
        assert after >= seqs[-1] or after < seqs[-1] - RECENT_MESSAGES + max(sizes)
