"""Formats: each case is a folder with an `input` and the `expected.json` that must come of it.

The items of a payload are listed in their order: a telemetry without what it does not say,
or the reject.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bikes.errors import REJECT_REASONS, DecodeError
from bikes.formats import FORMATS, Format, mds, owntracks
from bikes.formats.gpx import GpxReader
from bikes.formats.reading import QUICK_ERRORS, read_each
from bikes.telemetry import Location, Telemetry
from tests.json_values import json_values

HERE = Path(__file__).parent / "formats_cases"
CASES = sorted(path.parent for path in HERE.glob("*/*/input"))
MAX_ITEMS = 5


def said(value: object) -> object:
    """A value as JSON, without the fields that are None."""
    if isinstance(value, DecodeError):
        reject = {"reason": value.reason, "detail": value.detail}
        return {"reject": reject | ({} if value.index is None else {"index": value.index})}
    plain = msgspec.to_builtins(value)
    return _without_none(plain)


def _without_none(plain: object) -> object:
    if isinstance(plain, dict):
        return {name: _without_none(item) for name, item in plain.items() if item is not None}
    return plain


def items(read: Callable[[bytes], object], payload: bytes) -> list[object]:
    try:
        found = read(payload)
    except DecodeError as exc:
        return [said(exc)]
    if found is None:
        return []
    return [said(item) for item in (found if isinstance(found, list) else [found])]


def gpx(payload: bytes) -> list[object]:
    points = GpxReader().feed(payload, last=True)
    return [{"line": point.line, "item": said(point.item)} for point in points]


READERS: dict[str, Callable[[bytes], list[object]]] = {
    "mds": lambda payload: items(lambda p: mds.decode(p, MAX_ITEMS), payload),
    "owntracks": lambda payload: items(owntracks.decode, payload),
    "event": lambda payload: items(mds.decode_events, payload),
    "status": lambda payload: items(mds.decode_status, payload),
    "rec": lambda payload: items(owntracks.decode_rec, payload),
    "gpx": gpx,
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.name}")
def test_case(case: Path) -> None:
    """A payload is read, or refused, as its case says."""
    expected = json.loads((case / "expected.json").read_bytes())
    assert READERS[case.parent.name]((case / "input").read_bytes()) == expected


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}-{case.name}")
def test_quick_agrees_with_careful(case: Path) -> None:
    """What the quick way reads is what the careful way reads."""
    if case.parent.name in FORMATS:
        _agree(FORMATS[case.parent.name], (case / "input").read_bytes())


def _agree(format_: Format, payload: bytes) -> None:
    try:
        quick: object = format_.quick(payload)
    except QUICK_ERRORS:
        _refused(format_, payload)
    else:
        assert quick == format_.decode(payload, 10**6)


def _refused(format_: Format, payload: bytes) -> None:
    """What is wrong with a payload is said, of the whole or of each bad item.

    Or nothing is but optional values, which are unknown.
    """
    try:
        careful = format_.decode(payload, 500)
    except DecodeError as whole:
        errors = [(whole, None)]
    else:
        found = enumerate([careful] if isinstance(careful, Telemetry) else careful)
        errors = [(item, index) for index, item in found if isinstance(item, DecodeError)]
    for error, index in errors:
        assert error.reason in REJECT_REASONS
        assert error.detail
        assert error.index == index


JSON = json_values(
    ["timestamp", "location", "lat", "lng", "device_id", "_type", "lon", "tst", "acc", "x"]
)


@pytest.mark.parametrize("name", FORMATS)
@given(payload=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_payload_is_read_or_refused(name: str, payload: bytes) -> None:
    """Whatever the bytes, both ways agree, and what is refused has a reason of the contract."""
    _agree(FORMATS[name], payload)


@given(payload=st.binary(max_size=100) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_status_or_event_is_read_or_refused(payload: bytes) -> None:
    """Whatever the bytes of a status, an event or a line of .rec, only DecodeError is raised."""
    for read in (mds.decode_status, mds.decode_events, owntracks.decode_rec):
        items(read, payload)


@pytest.mark.parametrize("case", sorted((HERE / "mds").glob("single*")), ids=lambda c: c.name)
def test_every_truncation_is_refused(case: Path) -> None:
    """A payload that breaks off anywhere is not JSON."""
    payload = (case / "input").read_bytes().rstrip()
    for size in range(len(payload)):
        with pytest.raises(DecodeError, match="not_json"):
            mds.decode(payload[:size])


FIX = Telemetry(
    timestamp=1_760_000_000_000,
    location=Location(lat=36.3, lng=120.4, speed=4.2, horizontal_accuracy=3.0),
    device_id="bike-07",
    battery_percent=81.0,
)


def test_encoded_telemetry_reads_back() -> None:
    """What `encode` writes is what `decode` reads, alone and in an array, without nulls."""
    assert mds.decode(mds.encode(FIX)) == FIX
    assert mds.decode(mds.encode([FIX, FIX])) == [FIX, FIX]
    assert b"null" not in mds.encode(FIX)


def test_encoded_event_reads_back() -> None:
    """A list of event types and a state are read as they were written."""
    event = mds.MdsEvent(vehicle_state="on_trip", timestamp=1, event_types=["trip_start"])
    assert mds.decode_events(msgspec.json.encode(event)) == event


@given(st.lists(st.booleans()))
def test_reading_each_goes_on_after_a_bad_one(good: list[bool]) -> None:
    """What was read before and after a payload that cannot be read keeps its place."""
    payloads = [b"%d" % number if ok else b"x" for number, ok in enumerate(good)]
    found, failed = read_each(int, payloads)
    assert found == [number if ok else None for number, ok in enumerate(good)]
    assert failed == [number for number, ok in enumerate(good) if not ok]


@pytest.mark.parametrize("case", sorted((HERE / "gpx").iterdir()), ids=lambda case: case.name)
@pytest.mark.parametrize("size", [1, 7, 100])
def test_gpx_does_not_depend_on_blocks(case: Path, size: int) -> None:
    """The points of a track are the same, however the file was cut into blocks."""
    payload = (case / "input").read_bytes()
    reader, points = GpxReader(), []
    for start in range(0, len(payload), size):
        points += reader.feed(payload[start : start + size])
    points += reader.feed(b"", last=True)
    found = [{"line": point.line, "item": said(point.item)} for point in points]
    assert found == json.loads((case / "expected.json").read_bytes())


@given(blocks=st.lists(st.binary(max_size=60), max_size=5))
def test_any_gpx_is_read_or_refused(blocks: Sequence[bytes]) -> None:
    """Whatever the bytes, nothing but points and errors comes out."""
    reader = GpxReader()
    for block in [b"<gpx><trk>", *blocks]:
        reader.feed(block)
    reader.feed(b"", last=True)
    assert reader.feed(b"<gpx/>") == [] or not reader.broken


def test_gpx_memory_is_bounded_by_the_block() -> None:
    """A text of any length inside a point is kept only in part."""
    reader = GpxReader()
    reader.feed(b'<gpx><trk><trkseg><trkpt lat="1" lon="2"><time>')
    for _ in range(100):
        reader.feed(b"9" * 10_000)
    (point,) = reader.feed(b"</time></trkpt></trkseg></trk></gpx>", last=True)
    assert isinstance(point.item, DecodeError)
    assert len(point.item.detail) < 300
