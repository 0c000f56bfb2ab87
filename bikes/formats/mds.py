"""Mobility Data Specification (MDS) 2.0: telemetry and events; and the connection status.

Telemetry is what the system itself is made of, so decoding is msgspec's alone. Field names,
units and states: https://github.com/openmobilityfoundation/mobility-data-specification
(data-types.md, modes/vehicle_states.md).
"""

from __future__ import annotations

from contextlib import suppress
from typing import Literal, get_args

import msgspec

from bikes.errors import DecodeError
from bikes.formats.reading import QUICK_ERRORS, Reader
from bikes.telemetry import Telemetry

VehicleState = Literal[
    "removed",
    "available",
    "non_operational",
    "reserved",
    "on_trip",
    "stopped",
    "non_contactable",
    "missing",
    "elsewhere",
]
"""The state of a bike, as MDS names it."""


class MdsEvent(msgspec.Struct, gc=False, kw_only=True):
    """One MDS Event object, as far as it is used."""

    vehicle_state: VehicleState  # the state since this event
    timestamp: int  # when it happened [ms since the epoch]
    event_types: list[str] = []  # what led to it
    device_id: str | None = None  # when it is there it must be the topic's


class StatusMessage(msgspec.Struct, gc=False, kw_only=True):
    """The payload of a status topic."""

    online: bool  # whether the bike is connected
    # When it was said; in a last will, when the connection began [ms since the epoch].
    timestamp: int | None = None


_TIMESTAMP = {"timestamp": "a whole number of milliseconds since 1970 (UTC)"}
_STATE = {"vehicle_state": f"one of {', '.join(get_args(VehicleState))}"}

_PLACE = {
    "location": 'an object {"lat": 36.3, "lng": 120.4} (MDS 1.x calls it gps)',
    "location.lat": "the latitude, a number called lat,",
    "location.lng": "the longitude, a number called lng,",
}

_telemetry: Reader[Telemetry] = Reader(Telemetry, _TIMESTAMP | _PLACE, envelope="telemetry")
_events: Reader[MdsEvent] = Reader(MdsEvent, _TIMESTAMP | _STATE, envelope="events")
_statuses: Reader[StatusMessage] = Reader(StatusMessage)
_status = msgspec.json.Decoder(StatusMessage).decode
_WORDS = {b"online": True, b"offline": False}

encode = msgspec.json.Encoder().encode
"""The payload of one Telemetry or a list, without the fields that are None."""

quick = _telemetry.quick
"""Telemetry of a payload in which everything is fine; see `Format.quick`."""


def decode(payload: bytes, max_items: int = 500) -> Telemetry | list[Telemetry | DecodeError]:
    """Telemetry of a payload, item by item; DecodeError and all else as of `Format.decode`."""
    try:
        return _telemetry.decode(payload, max_items)
    except DecodeError as exc:
        if exc.reason != "schema" or b'"_type"' not in payload:
            raise
        hint = 'it looks like OwnTracks, which the district sets as format = "owntracks"'
        raise DecodeError("schema", f"{exc.detail}; {hint}") from exc


quick_events = _events.quick
"""Events of a payload in which everything is fine, as `quick` does telemetry."""


def decode_events(payload: bytes, max_items: int = 500) -> MdsEvent | list[MdsEvent | DecodeError]:
    """Events of a payload, item by item, as `decode` does telemetry."""
    return _events.decode(payload, max_items)


def quick_status(payload: bytes) -> StatusMessage | None:
    """The status a payload says; None when it is empty. Raises `QUICK_ERRORS` for a bad one.

    An empty payload is how a retained message is deleted (MQTT 5, 3.3.1.3); it says nothing.
    """
    if not payload:
        return None
    # A JSON string, "online" in quotes, is what a careful device makes of the word.
    word = payload.strip().strip(b'"').lower()
    return StatusMessage(online=_WORDS[word]) if word in _WORDS else _status(payload)


def decode_status(payload: bytes, max_items: int = 1) -> StatusMessage | None:
    """The status a payload says, as :func:`quick_status`. There are no arrays of them.

    DecodeError: ``not_json`` or ``schema``.
    """
    with suppress(*QUICK_ERRORS):
        return quick_status(payload)
    try:
        return _statuses.one(payload)
    except DecodeError as exc:
        if exc.reason != "not_json":
            raise
        detail = f'{exc.detail}; send {{"online": true}} or the words online, offline'
        raise DecodeError("not_json", detail) from exc
