"""From objects to columns, and which of them are outside what a bike can truthfully say.

The columns tell which items are bad; only for those is it worked out, one by one, what is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bikes.errors import DecodeError, RejectReason
from bikes.telemetry import COLUMNS, Telemetry, TelemetryBatch
from words.times import DAY_MS, HOUR_MS, LAST_MS, MINUTE_MS

_INT64 = np.iinfo(np.int64)


class Bounds(NamedTuple):
    """Timestamps that are believed, both ends included [ms since the epoch]."""

    oldest_ms: int
    newest_ms: int


PLAUSIBLE = Bounds(946_684_800_000, LAST_MS)
"""2000 to 2100 (UTC): bounds for a recording, which has no time of receipt."""


class Range(NamedTuple):
    """Values an optional field may have, in its unit, both ends included, and its name in MDS."""

    field: str
    low: float
    high: float


MAX_LAT_DEG, MAX_LNG_DEG = 90, 180

NO_FIX_DEG = 0.001
"""A receiver without a fix says that it is this close to 0, 0 [degrees]: some 100 m of sea."""

RANGES: dict[str, Range] = {
    # However inaccurate a fix is, it is not of unknown accuracy.
    "accuracy_m": Range("horizontal_accuracy", 0, 1e30),
    "speed_mps": Range("speed", 0, 1000),
    "heading_deg": Range("heading", 0, 360),
    "altitude_m": Range("altitude", -1000, 10_000),
    "battery_percent": Range("battery_percent", 0, 100),
}
"""By column. What is physically possible, and else unknown; whether it is likely is a matter of
quality."""

Faults = dict[int, DecodeError]
"""Errors of items, by their row."""


class Checked(NamedTuple):
    """Items as columns."""

    batch: TelemetryBatch  # those that can be accepted, in their datum
    faults: Faults  # what is wrong with the others, or with the first of them
    notes: Counter[str]  # values of accepted items that cannot be used and are unknown, by field


def to_columns(
    bike: NDArray[np.int32],
    items: Sequence[Telemetry],
    bounds: Bounds,
    *,
    bike_ids: list[str] | None = None,
    explained: int | None = None,
    in_seconds: bool = False,
) -> Checked:
    """The columns of the items that can be accepted, and what is wrong with the others.

    `bike`, of shape (items,), and `bike_ids` are the index and the id of each item's bike; with
    ids, an item that names another device is not accepted. Of the others only the first are
    `explained`, if that is given. Whoever counts time `in_seconds` is told so.
    """
    places = [item.location for item in items]
    timestamp_ms = _int64([item.timestamp for item in items])
    # Written out: reading attributes by name takes a fifth more of all decoding.
    stated: dict[str, list[Any]] = {
        "lat_deg": [place.lat for place in places],
        "lng_deg": [place.lng for place in places],
        "accuracy_m": [place.horizontal_accuracy for place in places],
        "speed_mps": [place.speed for place in places],
        "heading_deg": [place.heading for place in places],
        "altitude_m": [place.altitude for place in places],
        "battery_percent": [item.battery_percent for item in items],
    }
    # None becomes NaN. Adding zero makes -0.0 into 0.0, so that equal values are equal bit for bit.
    values = {name: np.array(column, np.float64) + 0.0 for name, column in stated.items()}
    bad = (timestamp_ms < bounds.oldest_ms) | (timestamp_ms > bounds.newest_ms)
    lat, lng = np.abs(values["lat_deg"]), np.abs(values["lng_deg"])
    bad |= (lat > MAX_LAT_DEG) | (lng > MAX_LNG_DEG) | (np.maximum(lat, lng) < NO_FIX_DEG)
    if bike_ids is not None:
        bad[_mismatches([item.device_id for item in items], bike_ids)] = True
    columns: dict[str, NDArray[Any]] = {"bike": bike, "timestamp_ms": timestamp_ms, **values}
    faults: Faults = {}
    if bad.any():
        for row in np.flatnonzero(bad)[:explained].tolist():
            bike_id = bike_ids[row] if bike_ids is not None else None
            found = fault(items[row], bounds, bike_id, in_seconds=in_seconds)
            assert found is not None, "the columns and the item are judged by the same rules"
            faults[row] = found
        columns = {name: column[~bad] for name, column in columns.items()}
    notes: Counter[str] = Counter()
    for name, (field, low, high) in RANGES.items():
        unusable = (columns[name] < low) | (columns[name] > high)
        if unusable.any():
            columns[name][unusable] = np.nan
            notes[field] += int(unusable.sum())
    typed = {name: columns[name].astype(dtype, copy=False) for name, dtype in COLUMNS.items()}
    return Checked(TelemetryBatch(**typed), faults, notes)


def fault(
    item: Telemetry, bounds: Bounds, bike_id: str | None = None, *, in_seconds: bool = False
) -> DecodeError | None:
    """The first fault of one item, in the order of reasons below, or None."""
    if bike_id is not None and (mismatch := device_fault(item.device_id, bike_id)):
        return mismatch
    lat, lng = item.location.lat, item.location.lng
    for name, value, most in (("lat", lat, MAX_LAT_DEG), ("lng", lng, MAX_LNG_DEG)):
        if abs(value) > most:
            detail = f"location.{name}: {value:.15g} is not between {-most} and {most}"
            if name == "lat" and abs(lat) <= MAX_LNG_DEG and abs(lng) <= MAX_LAT_DEG:
                detail += "; lat and lng may be swapped"
            return DecodeError("out_of_range", detail)
    if max(abs(lat), abs(lng)) < NO_FIX_DEG:
        detail = f"location: {lat:g}, {lng:g} is what a receiver without a fix says; do not send it"
        return DecodeError("out_of_range", detail)
    return timestamp_fault(item.timestamp, bounds, in_seconds=in_seconds)


def device_fault(device_id: str | None, bike_id: str) -> DecodeError | None:
    """``device_mismatch`` when a payload names another device than its bike, else None."""
    if not device_id or device_id == bike_id:
        return None
    return DecodeError("device_mismatch", f"device_id: {device_id!r} on the topic of {bike_id!r}")


UNITS = {"seconds": 1000.0, "milliseconds": 1.0, "microseconds": 1e-3, "nanoseconds": 1e-6}
"""What timestamps are counted in, and how many milliseconds each is."""


def timestamp_fault(
    timestamp_ms: int, bounds: Bounds, *, in_seconds: bool = False
) -> DecodeError | None:
    """``too_old`` or ``future_timestamp`` for a timestamp out of bounds, else None.

    A timestamp that would be believed in another unit is told so: seconds make every fix of
    1970, microseconds of a far future.
    """
    oldest, newest = bounds
    if oldest <= timestamp_ms <= newest:
        return None
    reason: RejectReason = "too_old" if timestamp_ms < oldest else "future_timestamp"
    wanted, said = "milliseconds", timestamp_ms
    if in_seconds:
        wanted, said = "seconds", timestamp_ms // 1000
    for unit, ms in UNITS.items():
        if unit != wanted and abs(said) < _INT64.max and oldest <= said * ms <= newest:
            detail = f"timestamp {said} looks like {unit}; {wanted} are wanted"
            return DecodeError(reason, detail)
    if timestamp_ms < oldest:
        detail = f"is {_duration(oldest - timestamp_ms)} older than is accepted"
    else:
        ahead = _duration(timestamp_ms - newest)
        detail = f"is {ahead} later than is accepted; check the device's clock"
    return DecodeError(reason, f"timestamp {_shown(said)} {detail}")


def _duration(ms: int) -> str:
    for unit, size in (("days", DAY_MS), ("hours", HOUR_MS), ("minutes", MINUTE_MS)):
        if ms >= 2 * size:
            return f"{ms // size} {unit}" if ms < 10**15 else "very many days"
    return f"{ms / 1000:g} s"


def _shown(value: int) -> str:
    return str(value) if abs(value) < 10**20 else "with over 20 digits"


def _int64(values: list[int]) -> NDArray[np.int64]:
    """Integers, those that are too large for a column held at its limits."""
    try:
        return np.array(values, np.int64)
    except OverflowError:
        return np.array([min(max(v, _INT64.min), _INT64.max) for v in values], np.int64)


def _mismatches(device_ids: list[str | None], bike_ids: list[str]) -> list[int]:
    """Rows whose device is named and is not the bike."""
    if device_ids == bike_ids:
        return []
    return [
        row
        for row, (device_id, bike_id) in enumerate(zip(device_ids, bike_ids, strict=True))
        if device_id and device_id != bike_id
    ]
