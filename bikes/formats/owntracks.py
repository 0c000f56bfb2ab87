"""OwnTracks: the JSON of its apps, and the lines of its Recorder's .rec files.

Units differ from MDS: seconds, km/h. The apps leave out a field whose value is zero. A
missing `vel` is therefore standing still; a missing `acc`, `alt` or `cog` stays unknown,
because an accuracy or a heading of zero is not something the app knew.
https://owntracks.org/booklet/tech/json
"""

from __future__ import annotations

from typing import Literal

import msgspec

from bikes.errors import DecodeError
from bikes.formats.reading import Reader
from bikes.telemetry import Location, Telemetry

_KMH_PER_MPS = 3.6
_REC_FIELDS = 3


class _Message(msgspec.Struct, gc=False):
    kind: str = msgspec.field(name="_type")


class _Location(msgspec.Struct, gc=False):
    kind: Literal["location"] = msgspec.field(name="_type")
    lat: float
    lon: float
    tst: int
    acc: float | None = None
    alt: float | None = None
    cog: float | None = None
    vel: float | None = 0.0
    batt: float | None = None


_HINTS = {
    "_type": '"location", as OwnTracks sends it (format = "mds" reads MDS),',
    "lat": "the latitude, a number,",
    "lon": "the longitude, a number called lon,",
    "tst": "a whole number of seconds since 1970 (UTC)",
}
_messages: Reader[_Message] = Reader(_Message, _HINTS)
_locations: Reader[_Location] = Reader(_Location, _HINTS)
_location = msgspec.json.Decoder(_Location).decode


def quick(payload: bytes) -> Telemetry:
    """Telemetry of a location in which everything is fine; see `Format.quick`."""
    return _telemetry(_location(payload))


def decode(payload: bytes, max_items: int = 1) -> Telemetry | list[Telemetry | DecodeError]:
    """Telemetry of a payload; see `Format.decode`.

    A message that is no location (``lwt``, ``waypoint``, ...) has no items. An encrypted one
    is refused (DecodeError), as nothing would ever be read from it. OwnTracks has no arrays.
    """
    kind = _messages.one(payload).kind
    if kind == "encrypted":
        raise DecodeError("schema", "_type: encrypted messages cannot be read; turn it off")
    if kind != "location":
        return []
    return _telemetry(_locations.one(payload))


def encode(fix: Telemetry) -> bytes:
    """The payload of a place and a time."""
    place = fix.location
    return msgspec.json.encode(
        {"_type": "location", "lat": place.lat, "lon": place.lng, "tst": fix.timestamp // 1000}
    )


def quick_rec(line: bytes) -> Telemetry:
    """Telemetry of a line of a .rec file in which everything is fine; see `Format.quick`."""
    _, _, payload = line.split(b"\t", 2)
    return quick(payload)


def decode_rec(line: bytes) -> Telemetry | list[Telemetry | DecodeError]:
    """Telemetry of a line of a .rec file: time, relative topic and JSON, apart by tabs.

    DecodeError, as of :func:`decode`, and for fewer than three fields.
    """
    fields = line.split(b"\t", 2)
    if len(fields) < _REC_FIELDS:
        raise DecodeError("schema", "expected three fields apart by tabs: time, topic, JSON")
    return decode(fields[-1])


def _telemetry(said: _Location) -> Telemetry:
    speed_kmh = _known(said.vel)
    return Telemetry(
        timestamp=said.tst * 1000,
        location=Location(
            lat=said.lat,
            lng=said.lon,
            speed=None if speed_kmh is None else speed_kmh / _KMH_PER_MPS,
            heading=_known(said.cog),
            altitude=said.alt,
            horizontal_accuracy=_known(said.acc),
        ),
        battery_percent=_known(said.batt),
    )


def _known(value: float | None) -> float | None:
    """The iOS app writes a quantity that is not known as -1."""
    return None if value == -1 else value
