"""Formats of the vendors, limits of what is accepted, and the bike of each topic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bikes import topics
from bikes.errors import DecodeError, UnknownBike, UnknownVendor
from bikes.formats import Format
from bikes.roster import BikeKey, Roster
from bikes.telemetry import TelemetryBatch
from bikes.topics import BIKE_FORM, NAME, Kind, TopicPattern, is_bike
from geofence.datum import Datum, to_wgs84
from ingest.budgets import Budget, VendorLimits
from ingest.checks import Bounds


@dataclass(frozen=True, slots=True)
class VendorFormat:
    """Format, datum and topics of one vendor."""

    vendor: str  # its name
    format: Format  # reader of its telemetry payloads
    datum: Datum = "wgs84"  # datum of its positions
    topics: tuple[TopicPattern, ...] = ()  # its own telemetry topics, beside those of the contract
    limits: VendorLimits = field(default_factory=VendorLimits)  # what it may cost


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """Limits of timestamps and sizes that are accepted."""

    # Limits of a timestamp after and before the time of receipt [s].
    max_future_s: float = 300.0
    max_age_s: float = 30 * 86_400.0
    max_items: int = 500  # items of an array
    max_bytes: int = 262_144  # size of a payload

    def bounds(self, received_at_ms: int) -> Bounds:
        """Bounds of timestamps in messages that were received at this time [ms]."""
        return Bounds(
            received_at_ms - round(self.max_age_s * 1000),
            received_at_ms + round(self.max_future_s * 1000),
        )


def in_wgs84(batch: TelemetryBatch, datum: Datum) -> TelemetryBatch:
    """A batch whose positions are in `datum`, in WGS-84."""
    if datum == "wgs84" or not len(batch):
        return batch
    lat_deg, lng_deg = to_wgs84(batch.lat_deg, batch.lng_deg, datum)
    return replace(batch, lat_deg=lat_deg, lng_deg=lng_deg)


REFUSED = 0
"""The route, and the group, of a topic whose messages are not accepted."""

CANARY = 1
"""The group of the station's own messages."""

NAMED_INSIDE = -1
"""The bike of a topic of many bikes: each item says which one it is of."""


class Group(NamedTuple):
    """Messages of one kind and vendor, which are decoded in one go."""

    kind: Kind
    vendor: str


class Route(NamedTuple):
    """Kind, vendor and bike of a topic; `vendor` and `bike_id` are "" when it names none."""

    kind: Kind
    vendor: str
    bike_id: str
    refusal: DecodeError | None = None


class Routes(dict[str, int]):
    """Topics as small integers into columns, so that a known topic costs one look-up.

    The roster grows by the bikes of vendors that may have any, as far as their `budgets` allow;
    `patterns` are the vendors' own telemetry topics.

    `bike` and `group`, of shape (routes,), are the index of each route's bike, or NAMED_INSIDE, and
    its position in `groups`, the first of which stand for :data:`REFUSED` and :data:`CANARY`.
    """

    def __init__(
        self,
        roster: Roster,
        patterns: Mapping[str, Sequence[TopicPattern]],
        budgets: Mapping[str, Budget],
    ) -> None:
        super().__init__()
        # When the messages were received whose topics are asked for [ms]; None lets no new bike in.
        self.at_ms: int | None = None
        self.refused: dict[str, Route] = {}  # of the topics that were asked for last
        self._roster = roster
        self._budgets = budgets
        self._patterns = [(vendor, one) for vendor, many in patterns.items() for one in many]
        self._bikes = [-1]
        self._group_numbers = [REFUSED]
        self.groups = [Group("telemetry", "")] * 2
        self.bike_ids = [""]
        self.bike = np.array(self._bikes, np.int32)
        self.group = np.array(self._group_numbers, np.intp)

    def find(self, names: Sequence[str]) -> NDArray[np.intp]:
        """The route of each topic, new ones included; shape (len(names),)."""
        self.refused = {}
        found = np.fromiter(map(self.__getitem__, names), np.intp, len(names))
        if len(self._bikes) > self.bike.size:
            self.bike = np.array(self._bikes, np.int32)
            self.group = np.array(self._group_numbers, np.intp)
        return found

    def resolve(self, topic: str) -> Route:
        """The route of a topic, with the reason when its messages are refused."""
        if topic in self.refused:
            return self.refused[topic]
        route = self._read(topic)
        if route.refusal is not None:
            return route
        try:
            self._bike(route.vendor, route.bike_id)
        except DecodeError as exc:
            return Route(route.kind, route.vendor, route.bike_id, exc)
        return route

    def named(self, vendor: str, device_id: str | None) -> int:
        """The index of the bike that an item names, on a topic of many bikes.

        DecodeError: the item names no bike (``schema``), or another vendor's (``unknown_bike``).
        """
        if not device_id:
            detail = "device_id: required on a topic of many bikes, but missing"
            raise DecodeError("schema", detail)
        if not is_bike(device_id):
            detail = f"device_id: {device_id!r} is not {BIKE_FORM}"
            raise DecodeError("unknown_bike", detail)
        return self._bike(vendor, device_id)

    def _bike(self, vendor: str, bike_id: str) -> int:
        if not bike_id:
            return NAMED_INSIDE
        if self._roster.admits(BikeKey(vendor, bike_id)):
            if self.at_ms is None:
                raise DecodeError("over_budget", f"bike {bike_id!r} was refused before")
            self._budgets[vendor].admit(self._roster.counts[vendor], self.at_ms)
        return index_of(self._roster, vendor, bike_id)

    def __missing__(self, topic: str) -> int:
        """The route of a topic that is new; :data:`REFUSED` is not remembered for long."""
        if topic.startswith(topics.CANARIES):
            return self._enter(topic, CANARY, -1, "")
        kind, vendor, bike_id, refusal = route = self.resolve(topic)
        if refusal is not None:
            self.refused[topic] = route
            return REFUSED
        group = Group(kind, vendor)
        if group not in self.groups:
            self.groups.append(group)
        number = self.groups.index(group)
        return self._enter(topic, number, self._bike(vendor, bike_id), bike_id)

    def _enter(self, topic: str, group: int, bike: int, bike_id: str) -> int:
        self._bikes.append(bike)
        self._group_numbers.append(group)
        self.bike_ids.append(bike_id)
        self[topic] = number = len(self._bikes) - 1
        return number

    def _read(self, topic: str) -> Route:
        parsed = topics.parse(topic)
        if parsed is not None:
            return Route(parsed.kind, parsed.vendor, parsed.bike_id)
        for vendor, pattern in self._patterns:
            bike_id = pattern.bike_id(topic)
            if bike_id is not None and (pattern.fleet or is_bike(bike_id)):
                return Route("telemetry", vendor, bike_id)
        for vendor, pattern in self._patterns:
            if pattern.covers(topic):
                bike_id, wrong = pattern.bike_id(topic) or "", _bad_name(topic, pattern.topic)
                return Route("telemetry", vendor, bike_id, wrong)
        return self._misnamed(topic)

    def _misnamed(self, topic: str) -> Route:
        """A topic of no vendor; by the contract's form one can still tell whose it would be."""
        prefix, _, rest = topic.partition(f"{topics.PREFIX}/")
        vendor, _, rest = rest.partition("/")
        bike_id, _, last = rest.rpartition("/")
        if prefix or last not in topics.KINDS:
            return Route("telemetry", "", "", _unknown_vendor(""))
        kind: Kind = last
        if vendor not in self._roster.vendors:
            return Route(kind, vendor, bike_id, _unknown_vendor(vendor))
        form = topics.of_bike("telemetry", vendor, "bike").replace("/bike/", "/{bike}/")
        return Route(kind, vendor, bike_id, _bad_name(topic, form))


def index_of(roster: Roster, vendor: str, bike_id: str) -> int:
    """The index of a bike; a vendor that may have any bike gets a new one.

    DecodeError: the vendor is not configured (``unknown_vendor``), or has no such bike
    (``unknown_bike``).
    """
    try:
        return roster.index(vendor, bike_id)
    except UnknownVendor:
        raise _unknown_vendor(vendor) from None
    except UnknownBike:
        detail = f"bike {bike_id!r} is not on the list of vendor {vendor!r}"
        raise DecodeError("unknown_bike", detail) from None


def _unknown_vendor(vendor: str) -> DecodeError:
    if NAME.fullmatch(vendor):
        return DecodeError("unknown_vendor", f"vendor {vendor!r} is not configured")
    return DecodeError("unknown_vendor", "the topic is of no configured vendor")


def _bad_name(topic: str, form: str) -> DecodeError:
    return DecodeError(
        "unknown_bike", f"topic {topic!r} is not {form}, where {{bike}} is {BIKE_FORM}"
    )
