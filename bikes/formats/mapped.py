"""A vendor's own JSON: a mapping says where each quantity is, and in which unit.

The paths become msgspec types, so a payload is checked against them while it is parsed, and
whoever wrote it wrong is told the path in their own words. Numbers may be written as text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from operator import attrgetter
from typing import Any, Literal, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import msgspec

from bikes.errors import DecodeError, RejectReason
from bikes.formats.reading import Format, Item, Reader, too_many
from bikes.telemetry import UNUSABLE, Location, Telemetry

K = TypeVar("K", bound=Hashable)

Quantity = Literal[
    "timestamp",
    "lat",
    "lng",
    "speed",
    "heading",
    "altitude",
    "horizontal_accuracy",
    "satellites",
    "battery_percent",
    "tipped_over",
    "device_id",
]
"""The quantities of telemetry, by the names of MDS."""

REQUIRED: tuple[Quantity, ...] = ("timestamp", "lat", "lng")

TIME_TEXT = "iso8601"
"""The unit of a timestamp that is a text such as ``2026-04-01T08:00:00+08:00``."""

_DIGITS = (len("202604010800"), len("20260401080000"), len("20260401080000123"))
_LOOSE = re.compile(r"(\d{4})\D(\d\d?)\D(\d\d?)\D+(\d\d?)(:.*)")
"""Year, month, day and hour as people write them, and the rest of the time."""
_PLACE = re.compile(r"[1-9]?[0-9]")
"""A place in an array, counted from 0."""

UNITS: dict[Quantity, dict[str, tuple[float, float]]] = {
    "timestamp": {"ms": (1, 1), "s": (1000, 1), TIME_TEXT: (1, 1)},
    "lat": {"deg": (1, 1), "1e-5 deg": (1, 1e5), "1e-6 deg": (1, 1e6), "1e-7 deg": (1, 1e7)},
    "lng": {"deg": (1, 1), "1e-5 deg": (1, 1e5), "1e-6 deg": (1, 1e6), "1e-7 deg": (1, 1e7)},
    "speed": {
        "m/s": (1, 1),
        "km/h": (1, 3.6),
        "0.1 km/h": (1, 36),
        "mph": (0.44704, 1),
        "kn": (1852, 3600),
    },
    "heading": {"deg": (1, 1)},
    "altitude": {"m": (1, 1)},
    "horizontal_accuracy": {"m": (1, 1)},
    "satellites": {"1": (1, 1)},
    "battery_percent": {"%": (1, 1), "ratio": (100, 1)},
}
"""Units of each quantity that has one, as factor and divisor to that of MDS, which is the first
and the default."""


@dataclass(frozen=True, slots=True)
class Source:
    """The place of a quantity in an item."""

    path: str  # names of nested objects, places in arrays: `gps.lat`, `pos.0` or `pos[0]`
    unit: str | None = None  # one of `UNITS`; the unit of MDS when it is not given
    unknown: tuple[float, ...] = ()  # values that mean "not known", in the vendor's unit
    timezone: ZoneInfo | None = None  # of times written as text without an offset


def mapped(sources: Mapping[Quantity, Source], items: str | None = None) -> Format:
    """The format of a vendor whose payloads are as `sources` say.

    `timestamp`, `lat` and `lng` are required. `items` is the path of the array of items; without it
    a payload is one item, or an array of them.

    ValueError: a required quantity is missing, a unit is not one of the quantity's, `unknown` or
    `timezone` does not fit it, or two paths contradict each other.
    """
    for quantity in REQUIRED:
        if quantity not in sources:
            raise ValueError(f"{quantity} is missing: every fix has one")
    for quantity, source in sources.items():
        _check(quantity, source)
    reader = _ItemReader(sources)
    in_seconds = sources["timestamp"].unit == "s"
    encode = partial(_encoded, dict(sources), items)
    if items is None:
        return Format("mapped", reader.quick_items, reader.decode, in_seconds, encode)
    _check_path("items", items)
    return Format("mapped", *_enveloped(items, reader), in_seconds, encode)


def _dotted(path: str) -> str:
    """A path whose places in arrays are written `pos[0]`, as `pos.0`."""
    return re.sub(r"\[(\d+)\]", r".\1", path)


def _check_path(name: str, path: str) -> None:
    if not all(_dotted(path).split(".")):
        raise ValueError(f'{name}: "{path}" is no path; write for example "gps.lat"')


def _check(quantity: Quantity, source: Source) -> None:
    _check_path(quantity, source.path)
    units = UNITS.get(quantity, {})
    if source.unit is not None and source.unit not in units:
        known = ", ".join(f'"{unit}"' for unit in units)
        raise ValueError(f'{quantity} has no unit "{source.unit}"; it has {known or "none at all"}')
    if source.unknown and (quantity in REQUIRED or quantity not in UNITS):
        raise ValueError(f"{quantity} cannot be unknown")
    if source.timezone is not None and source.unit != TIME_TEXT:
        raise ValueError(f'a time zone belongs to unit = "{TIME_TEXT}" of timestamp')


class _Wrong(ValueError):
    """A value that has the right type and still cannot be used."""

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(detail)
        self.reason: RejectReason = reason


class _ItemReader(Reader[Any]):
    """Reads payloads that are one item, or an array of items."""

    def __init__(self, sources: Mapping[Quantity, Source]) -> None:
        leaves = {
            quantity: _Leaf(_dotted(source.path), _type(quantity, source), quantity in REQUIRED)
            for quantity, source in sources.items()
        }
        self.type, places = _struct(leaves)
        super().__init__(self.type, strict=False)
        read = {
            quantity: _value(quantity, source, places[quantity])
            for quantity, source in sources.items()
        }
        self._fix = {name: read[name] for name in Telemetry.__struct_fields__ if name in read}
        self._place = {name: read[name] for name in Location.__struct_fields__ if name in read}

    def quick_items(self, payload: bytes) -> Telemetry | Sequence[Item]:
        """See `Format.quick`."""
        found = self.quick(payload)
        return list(map(self.telemetry, found)) if type(found) is list else self.telemetry(found)

    def one(self, payload: bytes | msgspec.Raw, index: int | None = None) -> Telemetry:
        """One item as telemetry. Raises DecodeError with `index` when it cannot be read."""
        found = super().one(payload, index)
        try:
            return self.telemetry(found)
        except _Wrong as exc:
            raise DecodeError(exc.reason, str(exc), index) from exc

    def telemetry(self, item: Any) -> Telemetry:
        """An item as telemetry. Raises _Wrong."""
        location = Location(**{name: read(item) for name, read in self._place.items()})
        return Telemetry(
            location=location, **{name: read(item) for name, read in self._fix.items()}
        )


def _enveloped(
    path: str, items: _ItemReader
) -> tuple[Callable[[bytes], Sequence[Item]], Callable[[bytes, int], Sequence[Item]]]:
    """The quick and the careful way to read payloads that hold an array of items somewhere."""
    path = _dotted(path)
    whole, places = _struct({"items": _Leaf(path, list[items.type], True)})  # type: ignore[name-defined]
    unread, _ = _struct({"items": _Leaf(path, list[msgspec.Raw], True)})
    array = attrgetter(".".join(places["items"]))
    read = msgspec.json.Decoder(whole, strict=False).decode
    careful: Reader[Any] = Reader(unread)

    def quick(payload: bytes) -> Sequence[Item]:
        return list(map(items.telemetry, array(read(payload))))

    def decode(payload: bytes, max_items: int) -> Sequence[Item]:
        found = array(careful.one(payload))
        if len(found) > max_items:
            raise too_many(len(found), max_items)
        return items.each(found)

    return quick, decode


class _Leaf(NamedTuple):
    """A value in an object."""

    path: str
    type: Any
    required: bool


def _struct(
    leaves: Mapping[K, _Leaf], above: tuple[str, ...] = ()
) -> tuple[type[msgspec.Struct], dict[K, tuple[str, ...]]]:
    """The msgspec type of an object in which the leaves are, and the attributes to each leaf.

    An object is required when anything in it is. One whose names are all places is an array.
    """
    keys: dict[str, dict[K, _Leaf]] = {}
    for name, leaf in leaves.items():
        key, _, rest = leaf.path.partition(".")
        keys.setdefault(key, {})[name] = leaf._replace(path=rest)
    is_array = all(map(_PLACE.fullmatch, keys))
    if is_array and not above:
        raise ValueError("a place in an array needs the name of the array: pos.0")
    if is_array:
        keys = {str(n): keys.get(str(n), {}) for n in range(max(map(int, keys)) + 1)}
    fields: list[Any] = []
    places: dict[K, tuple[str, ...]] = {}
    for number, (key, below) in enumerate(keys.items()):
        where = (*above, key)
        if not below:
            fields.append((f"field_{number}", Any, None))
            continue
        attribute = f"field_{number}"
        if len(below) > 1 and any(not leaf.path for leaf in below.values()):
            both = " and ".join(str(name) for name in below)
            raise ValueError(f'the path "{".".join(where)}" cannot serve {both}')
        name, leaf = next(iter(below.items()))
        if leaf.path:
            type_, inside = _struct(below, where)
            places |= {name: (attribute, *place) for name, place in inside.items()}
        else:
            type_, places[name] = leaf.type, (attribute,)
        required = any(leaf.required for leaf in below.values())
        fields.append((attribute, type_) if required else (attribute, type_ | None, None))
    names = {f"field_{number}": key for number, key in enumerate(keys)}
    type_ = msgspec.defstruct(
        "Mapped", fields, rename=names, kw_only=True, gc=False, array_like=is_array
    )
    return type_, places


def _type(quantity: Quantity, source: Source) -> Any:
    """The type of a value in the payload."""
    if quantity == "device_id" or source.unit == TIME_TEXT:
        return str | int
    return {"tipped_over": bool, "satellites": int}.get(quantity, float)


def _value(quantity: Quantity, source: Source, place: tuple[str, ...]) -> Callable[[Any], Any]:
    """A function from an item to a quantity in the unit of MDS, or to None when it is unknown."""
    say = _meaning(quantity, source)

    def value(item: Any) -> Any:
        for attribute in place:
            if item is None:
                return None
            item = getattr(item, attribute)
        return None if item is None else say(item)

    return value


def _meaning(quantity: Quantity, source: Source) -> Callable[[Any], Any]:
    """A function from a value of the payload to one of telemetry."""
    if quantity == "device_id":
        return str
    if quantity not in UNITS:
        return lambda said: said
    if source.unit == TIME_TEXT:
        return lambda said: _time_ms(said, source)
    units = UNITS[quantity]
    factor, divisor = units[source.unit or next(iter(units))]

    def number(said: float) -> float | None:
        if said in source.unknown:
            return None
        value = said * factor / divisor
        if not math.isfinite(value):  # 1e307 s is no number of ms
            if quantity not in REQUIRED:
                return UNUSABLE
            raise _Wrong("out_of_range", f"{source.path}: {said} is no number, or too large")
        return value

    if quantity in ("timestamp", "satellites"):
        return lambda said: None if (found := number(said)) in (None, UNUSABLE) else round(found)
    return number


def _encoded(sources: Mapping[Quantity, Source], items: str | None, fix: Telemetry) -> bytes:
    """The payload of a fix by a mapping; see `Format.encode`."""
    said: dict[Quantity, Any] = {
        "timestamp": fix.timestamp,
        "lat": fix.location.lat,
        "lng": fix.location.lng,
        "device_id": fix.device_id,
    }
    payload: dict[str, Any] = {}
    for quantity in (each for each in said if each in sources):
        source, value = sources[quantity], said[quantity]
        if source.unit == TIME_TEXT:
            moment = datetime.fromtimestamp(value / 1000, source.timezone or UTC)
            value = moment.isoformat(timespec="seconds")
        elif units := UNITS.get(quantity):
            factor, divisor = units[source.unit or next(iter(units))]
            value = value * divisor / factor
            value = value if divisor == factor == 1 and quantity != "timestamp" else round(value)
        _put(payload, source.path, value)
    if items is not None:
        item, payload = payload, {}
        _put(payload, items, [_with_arrays(item)])
    return msgspec.json.encode(_with_arrays(payload))


def _with_arrays(said: Any) -> Any:
    """A payload whose objects with places for names are arrays; what is between is null."""
    if not isinstance(said, dict):
        return said
    inside = {name: _with_arrays(value) for name, value in said.items()}
    if not all(map(_PLACE.fullmatch, inside)):
        return inside
    return [inside.get(str(place)) for place in range(1 + max(map(int, inside)))]


def _put(payload: dict[str, Any], path: str, value: object) -> None:
    *above, last = _dotted(path).split(".")
    for name in above:
        payload = payload.setdefault(name, {})
    payload[last] = value


def _time_ms(said: str | int, source: Source) -> int:
    """A time that is written as text [ms since the epoch]."""
    text = str(said).strip()
    if len(text) in _DIGITS and text.isdecimal():
        text = f"{text[:8]}T{text[8:14]}{'.' if text[14:] else ''}{text[14:]}"
    elif parts := _LOOSE.fullmatch(text):
        text = "{}-{:0>2}-{:0>2}T{:0>2}{}".format(*parts.groups())
    try:
        time = datetime.fromisoformat(text)
    except ValueError as exc:
        wanted = "a time such as 2026-04-01T08:00:00+08:00 is wanted"
        raise _Wrong("schema", f"{source.path}: {said!r}: {wanted}") from exc
    if time.tzinfo is None:
        if source.timezone is None:
            wanted = "the offset is missing, and no time zone is configured"
            raise _Wrong("schema", f"{source.path}: {said!r}: {wanted}")
        time = time.replace(tzinfo=source.timezone)
    return round(time.timestamp() * 1000)
