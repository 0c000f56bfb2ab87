"""InfluxDB's line protocol: what is kept in InfluxDB, as the bytes that say it.

    measurement,tag=value,... field=value,... timestamp

Pure. Every function returns whole lines, each ended by a newline, for a write that states
millisecond precision. A point is known by measurement, tags and timestamp. What is written once
never changes (docs/decisions/0023); the very same line may be written any number of times.

Rules of the format, and of the servers that read it:

- An empty tag is left out; so is a field without a value (None, NaN, infinite), and a point
  without any field.
- In tags a comma, a space and an equals sign are escaped by a backslash. A backslash itself has
  no form that InfluxDB and VictoriaMetrics read alike, and at the end of a value it would
  escape what follows: it is written as a slash.
- In strings a quote and a backslash are escaped.
- A line ends at a newline wherever it stands, for VictoriaMetrics even in a string: control
  characters are written as spaces.
- Integers end in ``i``, booleans are ``true`` and ``false``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bikes.roster import BikeKey
from bikes.telemetry import Event, Notice, Status, TelemetryBatch
from geofence import windows
from geofence.quality import VERDICTS
from geofence.zone_state import ZoneStatus

OUTSIDE = "none"
"""Tag `zone_id` of a fix that is in no zone."""

TIME_DIGITS = 1
"""Decimals of durations [s]."""

RATIO_DIGITS = 6
"""Decimals of ratios."""

Value = str | bool | int | float | None


class AlertStep(NamedTuple):
    """A transition of an alert."""

    seq: int  # number in the book of alerts
    # The alert.
    alert_id: str
    rule: str
    severity: str
    zone_id: str | None  # its zone, unless it is about a bike
    # The transition, the person or rule that made it, and why.
    from_state: str
    to_state: str
    actor: str
    reason: str
    at_ms: int  # time of the transition [ms]
    # Length of the wait that the step ends [s]: to be raised, since the condition came true; to be
    # acknowledged, and until a patrol had been there, since the alert was raised or came back; to
    # be closed, since it was raised. None for every other step.
    after_s: float | None


class HealthFigures(NamedTuple):
    """Counters of the intake, cumulative, and how far behind it is."""

    # Items of telemetry.
    received: int
    stored: int
    rejected: int
    duplicates: int
    log_depth: int  # messages that were received and are not computed yet
    lag_s: float  # age of the oldest of them [s]


def telemetry_lines(
    fixes: TelemetryBatch,  # WGS-84; NaN fields are left out
    verdicts: NDArray[np.uint8],  # at first sight, positions in :data:`geofence.quality.VERDICTS`
    interval_s: NDArray[np.float32],  # since the bike's fix before [s]; NaN is left out
    zones: NDArray[np.integer],  # positions in `zone_ids`; -1 for no zone
    *,
    keys: Sequence[BikeKey],  # bikes by the index that `fixes.bike` holds
    zone_ids: Sequence[str],  # zones by index
) -> bytes:
    """Points of ``bike_telemetry``, one a fix, in their order; columns of shape (fixes,)."""
    if not len(fixes):
        return b""
    verdict_texts = as_array(f'first_verdict="{name}"' for name in VERDICTS)
    lines = [
        f"{head} {verdict}{lat}{lat4}{lng}{lng4}{speed}{heading}{accuracy}{charge}{gap} {at}{at4}\n"
        for head, verdict, lat, lat4, lng, lng4, speed, heading, accuracy, charge, gap, at, at4
        in zip(
            _heads("bike_telemetry", fixes.bike, zones, keys, zone_ids),
            verdict_texts[verdicts].tolist(),
            *position_texts("lat", fixes.lat_deg),
            *position_texts("lng", fixes.lng_deg),
            field_texts("speed_mps", fixes.speed_mps, 2),
            field_texts("heading_deg", fixes.heading_deg, 1),
            field_texts("accuracy_m", fixes.accuracy_m, 1),
            field_texts("battery_percent", fixes.battery_percent, 0),
            field_texts("interval_s", interval_s, TIME_DIGITS),
            *time_texts(fixes.timestamp_ms),
            strict=True,
        )
    ]  # fmt: skip
    return "".join(lines).encode()


def verdict_lines(
    fixes: TelemetryBatch,
    verdicts: NDArray[np.uint8],  # positions in :data:`geofence.quality.VERDICTS`
    zones: NDArray[np.integer],  # positions in `zone_ids`; -1 for no zone
    *,
    keys: Sequence[BikeKey],  # bikes by the index that `fixes.bike` holds
    zone_ids: Sequence[str],  # zones by index
    corrected_ms: int | None = None,
) -> bytes:
    """Points of ``bike_verdict``, one a fix, in their order; columns of shape (fixes,).

    Those of ``bike_verdict_corrected`` when `corrected_ms` [ms] is given: the first is written at
    that instant, each other one a millisecond later, and says which fix it is about.
    """
    if not len(fixes):
        return b""
    texts = as_array(f'verdict="{name}"' for name in VERDICTS)[verdicts].tolist()
    name, at_ms, about = "bike_verdict", fixes.timestamp_ms, [""] * len(fixes)
    if corrected_ms is not None:
        name, at_ms = "bike_verdict_corrected", corrected_ms + np.arange(len(fixes))
        about = [f",fix_ms={number}i" for number in fixes.timestamp_ms.tolist()]
    heads = _heads(name, fixes.bike, zones, keys, zone_ids)
    return "".join(
        f"{head} {verdict}{fix} {at}{at4}\n"
        for head, verdict, fix, at, at4 in zip(heads, texts, about, *time_texts(at_ms), strict=True)
    ).encode()


def status_lines(
    statuses: Iterable[Status], events: Iterable[Event], *, keys: Sequence[BikeKey]
) -> bytes:
    """Points of ``bike_status``, connections that came and went, and ``bike_event``.

    Apart, because a vehicle may change its state in the millisecond in which it connects.
    """

    def point(name: str, said: Notice, field: str, value: Value) -> bytes:
        return line(name, _bike_tags(keys[said.bike]), {field: value}, said.timestamp_ms)

    online = (point("bike_status", said, "online", said.online) for said in statuses)
    changed = (point("bike_event", said, "vehicle_state", said.vehicle_state) for said in events)
    return b"".join([*online, *changed])


def coverage_lines(
    zones: Iterable[ZoneStatus], at_ms: int, *, bikes_inside: Mapping[str, int]
) -> bytes:
    """Points of ``zone_coverage``: how zones stood at an instant, with the live bikes in each.

    A zone that `bikes_inside`, by `zone_id`, does not name has none.
    """
    return b"".join(
        line(
            "zone_coverage",
            {"zone_id": zone.zone_id, "policy": zone.policy},
            {
                "covered_ratio": round(zone.covered_ratio, RATIO_DIGITS),
                "cells_covered": zone.cells_covered,
                "cells_total": zone.cells_total,
                "target": round(zone.target, RATIO_DIGITS),
                "idle_s": _seconds(zone.idle_s),
                "oldest_cell_age_s": _seconds(zone.oldest_cell_age_s),
                "mean_cell_age_s": _seconds(zone.mean_cell_age_s),
                "due_in_s": _seconds(zone.due_in_s),
                "bikes_inside": bikes_inside.get(zone.zone_id, 0),
                "state": zone.state,
                "state_code": zone.state_code,
            },
            at_ms,
        )
        for zone in zones
    )


def window_line(
    zone_id: str, found: windows.WindowVerdict, *, corrected_ms: int | None = None
) -> bytes:
    """A point of ``zone_window``: a window of a zone, at its last millisecond, with its verdict.

    Its end itself is the beginning of the next day or month. A field for each verdict, 1 or 0,
    because InfluxQL adds up fields and counts no texts. One of ``zone_window_corrected`` when
    `corrected_ms` is given, the instant at which another verdict was found [ms].
    """
    fields: dict[str, Value] = {
        **{verdict: int(found.verdict == verdict) for verdict in windows.VERDICTS},
        "reason": found.reason,
        "cells_covered": found.cells_covered,
        "cells_needed": found.cells_needed,
        "cells_total": found.cells_total,
        "target": round(found.target, RATIO_DIGITS),
        "from_ms": found.window.from_ms,
    }
    if corrected_ms is None:
        return line("zone_window", {"zone_id": zone_id}, fields, found.window.to_ms - 1)
    fields["to_ms"] = found.window.to_ms
    return line("zone_window_corrected", {"zone_id": zone_id}, fields, corrected_ms)


WAITS: Mapping[str, str] = {
    "active": "raised_after_s",
    "acknowledged": "acknowledged_after_s",
    "returned": "returned_after_s",
    "closed": "closed_after_s",
}
"""Field that says how long an alert took to reach a state.

A field for each, because InfluxQL counts and averages fields and cannot join rows: raised
alerts are the count of one, the closing rate is a quotient of two.
"""


def alert_lines(steps: Iterable[AlertStep], *, after_seq: int = 0) -> bytes:
    """Points of ``alert``, one a transition.

    Two transitions of one rule, zone and severity in one millisecond would be one point. The
    later is then written one millisecond later, so that every transition is there.

    Steps are in the order of the book. Only those after `after_seq` are written; those before say
    which milliseconds are taken.
    """
    taken: dict[tuple[str, str, str], int] = {}
    lines = []
    for step in steps:
        series = step.rule, step.zone_id or "", step.severity
        at_ms = max(step.at_ms, taken.get(series, step.at_ms - 1) + 1)
        taken[series] = at_ms
        if step.seq <= after_seq:
            continue
        tags = {"rule": step.rule, "zone_id": step.zone_id, "severity": step.severity}
        fields: dict[str, Value] = {
            "alert_id": step.alert_id,
            "from_state": step.from_state,
            "to_state": step.to_state,
            "actor": step.actor,
            "reason": step.reason,
        }
        waited = WAITS.get(step.to_state)
        if waited is not None:
            fields[waited] = _seconds(step.after_s)
        lines.append(line("alert", tags, fields, at_ms))
    return b"".join(lines)


def health_line(host: str, at_ms: int, figures: HealthFigures) -> bytes:
    """A point of ``ingest_health``: cumulative counters, and how far behind the intake is."""
    fields = figures._replace(lag_s=round(float(figures.lag_s), TIME_DIGITS))._asdict()
    return line("ingest_health", {"host": host}, fields, at_ms)


def reject_lines(rejected: Mapping[tuple[str, str], int], received_at_ms: int) -> bytes:
    """Points of ``ingest_rejects``: rejects, by vendor and reason, of messages that came together.

    Their time is that of the receipt [ms]: read again from the log they are the same points.
    """
    return b"".join(
        line(
            "ingest_rejects",
            {"vendor": vendor, "reason": reason},
            {"rejected": count},
            received_at_ms,
        )
        for (vendor, reason), count in rejected.items()
    )


def part_lines(host: str, parts: Iterable[tuple[str, bool, str]], at_ms: int) -> bytes:
    """Points of ``part_state``: whether each part of the station `host` works, and why not.

    A part is its name, whether it works, and the reason, which may be empty.
    """
    return b"".join(
        line("part_state", {"host": host, "part": name}, {"ok": int(ok), "reason": reason}, at_ms)
        for name, ok, reason in parts
    )


def line(
    measurement: str, tags: Mapping[str, str | None], fields: Mapping[str, Value], at_ms: int
) -> bytes:
    """One point, or nothing when no field has a value.

    The names of measurement, tags and fields are the contract's, and need no escaping. Tags are
    written in their order; those that are None or empty are left out, and so are fields that are
    None, NaN or infinite.
    """
    values = ",".join(
        f"{name}={text}"
        for name, value in fields.items()
        if (text := field_text(value)) is not None
    )
    if not values:
        return b""
    # A lone surrogate, which JSON can smuggle in, is no text in UTF-8.
    return f"{_series(measurement, tags)} {values} {at_ms}\n".encode(errors="replace")


_CONTROL = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]+")


def tag_text(value: str | None) -> str:
    """A tag's value as it is written; empty when the tag is to be left out."""
    plain = _CONTROL.sub(" ", value or "").replace("\\", "/")
    return plain.replace(",", "\\,").replace("=", "\\=").replace(" ", "\\ ")


def field_text(value: Value) -> str | None:
    """A field's value as it is written; None when the field is to be left out."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}i"
    if isinstance(value, float):
        return repr(float(value)) if math.isfinite(value) else None
    if value is None:
        return None
    plain = _CONTROL.sub(" ", value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{plain}"'


def _heads(
    measurement: str,
    which: NDArray[np.int32],
    zones: NDArray[np.integer],
    keys: Sequence[BikeKey],
    zone_ids: Sequence[str],
) -> list[str]:
    """The series of each of some fixes: made once for all of a bike in a zone, and gathered."""
    own = len(zone_ids) + 1  # -1 is the last of a bike's
    pairs, rows = np.unique(which.astype(np.int64) * own + zones % own, return_inverse=True)
    names = *zone_ids, OUTSIDE
    heads = [_head(measurement, keys[pair // own], names[pair % own]) for pair in pairs.tolist()]
    found: list[str] = as_array(heads)[rows].tolist()
    return found


@lru_cache(maxsize=1 << 17)
def _head(measurement: str, key: BikeKey, zone_id: str) -> str:
    return _series(measurement, {**_bike_tags(key), "zone_id": zone_id})


def _series(measurement: str, tags: Mapping[str, str | None]) -> str:
    """A measurement with its tags."""
    return measurement + "".join(
        f",{name}={text}" for name, value in tags.items() if (text := tag_text(value))
    )


def _bike_tags(key: BikeKey) -> dict[str, str]:
    return {"vendor": key.vendor, "bike_id": key.bike_id}


def _seconds(value: float | None) -> float | None:
    """A duration as it is written; always a float, because a field keeps its first type."""
    return None if value is None else round(float(value), TIME_DIGITS)


# Columns of numbers as columns of text. Making a text out of a number is what costs: a
# microsecond for a float. Texts of the values that occur are made once each and gathered; numbers
# of many digits are put together from a front that takes few values and four digits of a table.

DEGREE_DIGITS = 7
"""Decimals of a position; 1e-7 degrees are 1 cm."""

TAIL = 10_000
"""Numbers are parted before their last four digits."""

_TAILS = np.array(["", *(f"{number:04d}" for number in range(TAIL))], dtype=object)


Parts = tuple[list[str], list[str]]
"""A column of texts in two parts that follow each other."""


def time_texts(at_ms: NDArray[np.int64]) -> Parts:
    """Timestamps [ms], of shape (n,); the parts are as long."""
    if at_ms.min(initial=TAIL) < TAIL:  # only numbers that have a front and no sign are parted
        return list(map(str, at_ms.tolist())), [""] * at_ms.size
    return _parted(at_ms, str)


def position_texts(name: str, degrees: NDArray[np.float64]) -> Parts:
    """A field of degrees, of shape (n,), with seven decimals, in two parts; empty for NaN."""
    known = np.isfinite(degrees)
    scaled = np.rint(np.where(known, degrees, 0.0) * 10**DEGREE_DIGITS).astype(np.int64)
    # Rare: the floor of a negative number is not what precedes its digits.
    if scaled.min(initial=0) < 0:
        texts = [
            f",{name}={decimal_text(number, DEGREE_DIGITS)}" if there else ""
            for number, there in zip(scaled.tolist(), known.tolist(), strict=True)
        ]
        return texts, [""] * len(texts)
    digits = DEGREE_DIGITS - 4
    return _parted(scaled, lambda front: f",{name}={decimal_text(front, digits)}", known)


def _parted(
    numbers: NDArray[np.int64], text: Callable[[int], str], known: NDArray[np.bool_] | None = None
) -> Parts:
    """Texts of numbers: `text` of what precedes the last four digits, and these.

    Both are empty where a number is not `known`.
    """
    front, tail = np.divmod(numbers, TAIL)
    distinct, which = np.unique(front, return_inverse=True)
    fronts = as_array(map(text, distinct.tolist()))[which]
    tail += 1
    if known is not None:
        fronts[~known] = ""
        tail[~known] = 0
    return fronts.tolist(), _TAILS[tail].tolist()


def field_texts(name: str, values: NDArray[np.float32], digits: int) -> list[str]:
    """A field, of shape (n,), with so many decimals, an integer for none; empty for NaN."""
    known = np.isfinite(values)
    # As float64, because the nearest float32 to 3.3 is 3.299999952.
    scaled = np.rint(np.where(known, values, 0).astype(np.float64) * 10**digits).astype(np.int64)
    scaled[~known] = _UNKNOWN
    distinct, which = np.unique(scaled, return_inverse=True)
    found: list[str] = as_array(
        "" if number == _UNKNOWN else _field(name, number, digits) for number in distinct.tolist()
    )[which].tolist()
    return found


_UNKNOWN = np.iinfo(np.int64).min


@lru_cache(maxsize=1 << 16)
def _field(name: str, number: int, digits: int) -> str:
    return f",{name}={decimal_text(number, digits)}"


def decimal_text(number: int, digits: int) -> str:
    """``number / 10**digits`` in full, an integer for no digits."""
    if digits == 0:
        return f"{number}i"
    whole, rest = divmod(abs(number), 10**digits)
    return f"{'-' if number < 0 else ''}{whole}.{rest:0{digits}d}"


def as_array(texts: Iterable[str]) -> NDArray[np.object_]:
    """Texts as an array to gather from; shape (n,)."""
    return np.array([*texts], dtype=object)
