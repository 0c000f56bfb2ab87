"""Mobility Data Specification (MDS) 2.0: telemetry and events.

Telemetry is what the system itself is made of, so decoding is msgspec's alone. Field names,
units and states: https://github.com/openmobilityfoundation/mobility-data-specification
(data-types.md, modes/vehicle_states.md).
"""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from bikes.errors import DecodeError
from bikes.formats.reading import Reader
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
"""What a bike is there for, as MDS names it."""


class MdsEvent(msgspec.Struct, gc=False, kw_only=True):
    """One MDS Event object, as far as it is used.

    Attributes
    ----------
    vehicle_state : VehicleState
        The state since this event.
    timestamp : int
        When it happened [ms since the epoch].
    event_types : list of str
        What led to it.
    device_id : str, optional
        When it is there it must be the topic's.
    """

    vehicle_state: VehicleState
    timestamp: int
    event_types: list[str] = []
    device_id: str | None = None


_TIMESTAMP = {"timestamp": "a whole number of milliseconds since 1970 (UTC)"}
_STATE = {"vehicle_state": f"one of {', '.join(get_args(VehicleState))}"}

_telemetry: Reader[Telemetry] = Reader(Telemetry, _TIMESTAMP)
_events: Reader[MdsEvent] = Reader(MdsEvent, _TIMESTAMP | _STATE)
_encoder = msgspec.json.Encoder()

quick = _telemetry.quick
"""Telemetry of a payload in which everything is fine; see `Format.quick`."""


def decode(payload: bytes, max_items: int = 500) -> Telemetry | list[Telemetry | DecodeError]:
    """Telemetry of a payload, item by item; see `Format.decode`."""
    return _telemetry.decode(payload, max_items)


def decode_events(payload: bytes, max_items: int = 500) -> MdsEvent | list[MdsEvent | DecodeError]:
    """Events of a payload, item by item, as `decode` does telemetry."""
    return _events.decode(payload, max_items)


def encode(telemetry: Telemetry | list[Telemetry]) -> bytes:
    """The payload of telemetry, without the fields that are None."""
    if isinstance(telemetry, Telemetry):
        return _encoder.encode(_said(telemetry))
    return _encoder.encode([_said(item) for item in telemetry])


def encode_event(event: MdsEvent) -> bytes:
    """The payload of an event, without the fields that are None."""
    return _encoder.encode(_present(event))


def _said(telemetry: Telemetry) -> dict[str, object]:
    return _present(telemetry) | {"location": _present(telemetry.location)}


def _present(struct: msgspec.Struct) -> dict[str, object]:
    return {
        name: value for name, value in msgspec.structs.asdict(struct).items() if value is not None
    }
