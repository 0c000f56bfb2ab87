"""Patrol zones and what cannot be patrolled, from GeoJSON; every mistake at once.

A file of zones is drawn by hand, by somebody who cannot read a traceback. So `parse_zones`
goes on after a mistake, names the feature of each, and says what to do about it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any

import numpy as np
import shapely
from shapely import Polygon, STRtree
from shapely.geometry.base import BaseGeometry

from geofence.errors import Problem, ZonesError
from geofence.geojson import (
    MAX_EXTENT_M,
    Feature,
    Outline,
    Report,
    area_m2,
    read_features,
    read_outline,
)
from geofence.grid import METRES_PER_DEGREE
from words.times import FIRST_MS, LAST_MS, held_ms

CELL_M = 100.0
"""Side of a unit cell unless another one is said [m]."""

OVERLAP_M = 2.0
"""How wide zones may overlap unless another width is said [m].

Cities publish outlines that were digitised one by one: most overlaps are slivers along a boundary.
"""

TOLD_M = 0.01
"""Overlaps narrower than this come from rounded vertices and are not worth a word [m]."""

MAX_OVERLAPS = 100
"""Overlaps that are reported: a file that holds a zone 5,000 times has millions."""
PART = 16
"""Pairs of zones that are compared at once."""

CHINA_STANDARD_TIME = timezone(timedelta(hours=8), "Asia/Shanghai")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER = (0, 0)
"""The empty interval, of a zone whose validity is wrong: it meets no other zone."""
_NOTHING = b'{"type": "FeatureCollection", "features": []}'
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CODE = re.compile(r"[0-9]{14,15}")


@dataclass(frozen=True, slots=True)
class Zone:
    """A patrol zone."""

    zone_id: str  # 1 to 64 of `A-Z a-z 0-9 _ -`; unique at any instant
    # For people; `name_zh` is None when the file has none.
    name: str
    name_zh: str | None
    policy: str  # name of the policy that says how often and how much
    # Unit-grid code of GB/T 30428: 6 digits district, 3 street, 3 community, 2 or 3 sequence.
    code: str | None
    geometry: Outline  # WGS-84, x = lng, y = lat [degrees]
    # The zone exists from the first instant until before the second; None is unbounded.
    valid_from_ms: int | None = None
    valid_to_ms: int | None = None

    def valid_at(self, at_ms: int) -> bool:
        """Tell whether the zone exists at an instant."""
        return (self.valid_from_ms is None or self.valid_from_ms <= at_ms) and (
            self.valid_to_ms is None or at_ms < self.valid_to_ms
        )

    def coexists(self, other: Zone) -> bool:
        """Tell whether both zones exist at some instant."""
        begins = [ms for ms in (self.valid_from_ms, other.valid_from_ms) if ms is not None]
        ends = [ms for ms in (self.valid_to_ms, other.valid_to_ms) if ms is not None]
        return not begins or not ends or max(begins) < min(ends)


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A place that cannot be patrolled: water, a walled compound. WGS-84 [degrees]."""

    name: str
    geometry: Outline
    name_zh: str | None = None


@dataclass(frozen=True, slots=True)
class Zones:
    """The zones of a district, sorted by `zone_id` and validity, and its exclusions."""

    zones: tuple[Zone, ...]
    exclusions: tuple[Exclusion, ...] = ()
    warnings: tuple[Problem, ...] = field(default=(), compare=False)  # what was let pass
    # What was asked of them: the side of a unit cell, and how wide zones may overlap [m].
    cell_m: float = CELL_M
    overlap_m: float = OVERLAP_M

    def at(self, at_ms: int) -> tuple[Zone, ...]:
        """The zones that exist at an instant, sorted by `zone_id`."""
        return tuple(zone for zone in self.zones if zone.valid_at(at_ms))

    @property
    def changes_ms(self) -> tuple[int, ...]:
        """The instants at which a zone begins or ends, ascending."""
        instants = {ms for z in self.zones for ms in (z.valid_from_ms, z.valid_to_ms)}
        return tuple(sorted(ms for ms in instants if ms is not None))


def parse_zones(
    geojson: bytes,  # a FeatureCollection (RFC 7946) of zones
    # A FeatureCollection of exclusions; `name` and `name_zh` are optional.
    exclusions: bytes | None,
    policies: Collection[str],  # the policies that exist
    *,
    # What to call the two files in a problem.
    source: str = "zones.geojson",
    exclusions_source: str = "exclusions.geojson",
    # Where a `valid_from` or `valid_to` without an offset is read. A bare date is its midnight, so
    # a zone with `valid_to` 2026-05-01 last exists on 30 April.
    timezone: tzinfo = CHINA_STANDARD_TIME,
    cell_m: float = CELL_M,  # side of a unit cell [m]: a zone smaller than half of one holds none
    # How wide zones may overlap [m]. What two of them share is that of the smaller `zone_id`, and
    # told as a warning.
    overlap_m: float = OVERLAP_M,
) -> Zones:
    """Read zones and exclusions.

    ZonesError: with all problems of both files: of each feature by itself, then of zones with each
    other, then of exclusions.
    """
    problems: list[Problem] = []
    warnings: list[Problem] = []
    summer = datetime(2026, 7, 1)  # noqa: DTZ001 - the wall clock of the district
    in_china = timezone.utcoffset(summer) == CHINA_STANDARD_TIME.utcoffset(None)

    def outline_of(feature: Feature, least_m2: float) -> Outline | None:
        report = feature.reporter(problems)
        return read_outline(feature.geometry, report, in_china=in_china, least_m2=least_m2)

    read = []
    for each in read_features(geojson, source, "zone_id", problems):
        zone = _zone(each, policies, timezone, problems)
        read.append((each, replace(zone, geometry=outline_of(each, cell_m**2 / 2) or Polygon())))
    if not read and not problems:
        problems.append(Problem(source, "has no features; a district needs at least one zone"))
    _report_duplicates(read, problems)
    drawn = [(feature, zone) for feature, zone in read if not zone.geometry.is_empty]
    if drawn:
        _report_far_away(drawn, problems)
        _judge_overlaps(drawn, overlap_m, cell_m, problems, warnings)
    excluded: list[Exclusion] = []
    for each in read_features(
        _NOTHING if exclusions is None else exclusions, exclusions_source, "name", problems
    ):
        # Of any size: the halves of a pond can exclude a cell together.
        if (outline := outline_of(each, 0.0)) is not None:
            names = [each.properties.get(key) for key in ("name", "name_zh")]
            name, name_zh = (text if isinstance(text, str) else None for text in names)
            excluded.append(Exclusion(name or "", outline, name_zh))
    if problems:
        raise ZonesError(problems)
    zones = sorted((z for _, z in read), key=lambda z: (z.zone_id, z.valid_from_ms or 0))
    return Zones(tuple(zones), tuple(excluded), tuple(warnings), cell_m, overlap_m)


def _zone(
    feature: Feature, policies: Collection[str], timezone: tzinfo, problems: list[Problem]
) -> Zone:
    """The zone of a feature, with blanks for its outline and for what was wrong and reported."""
    report = feature.reporter(problems)
    zone_id = _text(feature, "zone_id", report)
    if zone_id and not _ID.fullmatch(zone_id):
        report(f'zone_id "{zone_id[:80]}" must be 1 to 64 of A-Z a-z 0-9 _ -')
        zone_id = ""
    name = _text(feature, "name", report)
    policy = _text(feature, "policy", report)
    if policy and policy not in policies:
        near = difflib.get_close_matches(policy, policies, n=1)
        known = f'did you mean "{near[0]}"?' if near else f"known: {', '.join(sorted(policies))}"
        report(f'policy "{policy}" is not configured; {known}')
    code = _text(feature, "code", report, optional=True)
    if code and not _CODE.fullmatch(code):
        report(
            f'code "{code[:40]}" is not a unit-grid code of GB/T 30428: 14 or 15 digits '
            "(district 6, street 3, community 3, sequence 2 or 3)"
        )
        code = ""
    valid_from_ms, valid_to_ms = _validity(feature, timezone, report)
    return Zone(
        zone_id=zone_id,
        name=name,
        name_zh=_text(feature, "name_zh", report, optional=True) or None,
        policy=policy,
        code=code or None,
        geometry=Polygon(),
        valid_from_ms=valid_from_ms,
        valid_to_ms=valid_to_ms,
    )


def _text(feature: Feature, key: str, report: Report, *, optional: bool = False) -> str:
    value = as_text(feature.properties.get(key))
    if value is None and optional:
        return ""
    if value is None:
        report(f"{key} is missing")
        return ""
    if not isinstance(value, str):
        report(f"{key} is {value!r:.60}, not text; write it in quotes")
        return ""
    if any("\ud800" <= character <= "\udfff" for character in value):
        report(f"{key} has half a character, as in {value!r:.60}; save the file as UTF-8")
        return ""
    if not value.strip() and not optional:
        report(f"{key} is empty")
    return value.strip()


def as_text(value: object) -> Any:
    """A value of a property, a whole number as text: a table has numbers for ids."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value % 1 == 0:
        return str(int(value))
    return value


def _validity(feature: Feature, timezone: tzinfo, report: Report) -> tuple[int | None, int | None]:
    instants: list[int | None] = []
    for key in ("valid_from", "valid_to"):
        value = feature.properties.get(key)
        if value is None:
            instants.append(None)
            continue
        try:
            at = datetime.fromisoformat(value)
            at = at if at.tzinfo else at.replace(tzinfo=timezone)
            instants.append((at - _EPOCH) // timedelta(milliseconds=1))
        except (TypeError, ValueError, OverflowError):
            report(
                f"{key} is {value!r:.60}, not a date or time like 2026-05-01 "
                "or 2026-05-01T08:00:00+08:00"
            )
            return _NEVER
    begin, end = instants
    if begin is not None and end is not None and begin >= end:
        report(
            f"valid_to {feature.properties['valid_to']} is not after "
            f"valid_from {feature.properties['valid_from']}"
        )
        return _NEVER
    # Files write 9999-12-31 for no end, and an older version kept any instant.
    begin = None if begin is None or begin <= FIRST_MS else held_ms(begin)
    return begin, None if end is None or end >= LAST_MS else held_ms(end)


def _report_duplicates(read: list[tuple[Feature, Zone]], problems: list[Problem]) -> None:
    """A zone redrawn from a date on keeps its names: only those that coexist must differ."""
    for key in ("zone_id", "code"):
        seen: dict[str, list[tuple[Feature, Zone]]] = {}
        for feature, zone in read:
            value = getattr(zone, key)
            if not value:
                continue
            for earlier, other in seen.setdefault(value, []):
                if zone.coexists(other):
                    feature.reporter(problems)(
                        f'{key} "{value}" is also that of feature {earlier.number}'
                    )
                    break
            seen[value].append((feature, zone))


def _report_far_away(drawn: list[tuple[Feature, Zone]], problems: list[Problem]) -> None:
    """A district is small: a zone far from the others has mistyped coordinates."""
    bounds = shapely.bounds([zone.geometry for _, zone in drawn])
    lng, lat = (bounds[:, 0] + bounds[:, 2]) / 2, (bounds[:, 1] + bounds[:, 3]) / 2
    middle = np.median(lat)
    away_m = METRES_PER_DEGREE * np.hypot(
        lat - middle, (lng - np.median(lng)) * np.cos(np.radians(middle))
    )
    for n in np.flatnonzero(away_m > MAX_EXTENT_M):
        drawn[n][0].reporter(problems)(
            f"lies {away_m[n] / 1000:,.0f} km from the other zones, "
            f"around lng {lng[n]:.4f}, lat {lat[n]:.4f}"
        )


def _judge_overlaps(
    drawn: list[tuple[Feature, Zone]],
    overlap_m: float,
    cell_m: float,
    problems: list[Problem],
    warnings: list[Problem],
) -> None:
    """Report overlaps that are too wide, and warn of those that are not."""
    # An older version let pass up to 1 % of a nominal unit cell, however wide.
    passed_m2 = min(cell_m, CELL_M) ** 2 / 100
    told = len(problems)
    for (feature, zone), (other, other_zone), shared in _overlaps(drawn):
        place, area = shapely.point_on_surface(shared), float(area_m2(shared))
        width_m = _width_m(shared)
        found = (
            f'overlaps feature {other.number} (zone_id "{other_zone.zone_id}") by {area:,.0f} m², '
            f"{width_m:.2f} m wide, around lng {place.x:.5f}, lat {place.y:.5f}; "
        )
        if area > passed_m2 and width_m > overlap_m:
            feature.reporter(problems)(f"{found}zones must not overlap, save by {overlap_m:g} m")
        elif width_m > TOLD_M and len(warnings) < MAX_OVERLAPS:
            both = (zone.zone_id, other_zone.zone_id)
            message = f'{found}what both hold is given to "{min(both)}"'
            warnings.append(Problem(feature.where, message, both))
        if len(problems) - told >= MAX_OVERLAPS:
            return


def _overlaps(
    drawn: list[tuple[Feature, Zone]],
) -> Iterator[tuple[tuple[Feature, Zone], tuple[Feature, Zone], BaseGeometry]]:
    """Each two zones that exist together and share an area, and what they share [degrees]."""
    geometries = np.array([zone.geometry for _, zone in drawn])
    begins = np.array([zone.valid_from_ms or FIRST_MS for _, zone in drawn])
    ends = np.array(
        [LAST_MS if zone.valid_to_ms is None else zone.valid_to_ms for _, zone in drawn]
    )
    tree = STRtree(geometries)
    for n in range(len(drawn)):
        near = tree.query(geometries[n])
        together = np.maximum(begins[n], begins[near]) < np.minimum(ends[n], ends[near])
        near = np.sort(near[together & (near > n)])
        for part in np.array_split(near, -(-len(near) // PART) or 1):
            shared = np.full(len(part), geometries[n])
            other = np.flatnonzero(~shapely.equals_exact(geometries[n], geometries[part]))
            shared[other] = shapely.intersection(geometries[n], geometries[part[other]])
            for m in np.flatnonzero(shapely.area(shared) > 0):
                yield drawn[n], drawn[part[m]], shared[m]


def _width_m(shape: BaseGeometry) -> float:
    """How wide the widest part of a shape in degrees is [m]: its area over half its outline."""
    _, south, _, north = shape.bounds
    across = METRES_PER_DEGREE * np.cos(np.radians((south + north) / 2))
    plane = shapely.transform(shape, lambda places: places * (across, METRES_PER_DEGREE))
    parts = shapely.get_parts(plane)
    return float((2 * shapely.area(parts) / np.maximum(shapely.length(parts), TOLD_M)).max())
