"""The tables of vendors: how their bikes speak."""

from __future__ import annotations

from typing import Annotated, Literal, get_args
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, model_validator

from bikes.formats import FORMATS, Format
from bikes.formats.mapped import Quantity, Source, mapped
from bikes.topics import TopicPattern
from patrol.config.fields import Bikes, Name, Section, Text, Timezone, Topic


class Place(Section):
    """Where a quantity is in a vendor's own JSON; see :class:`bikes.formats.mapped.Source`."""

    path: Text
    unit: Text | None = None
    unknown: tuple[float, ...] = ()
    timezone: Timezone | None = None

    def source(self) -> Source:
        """The same for the reader."""
        timezone = None if self.timezone is None else ZoneInfo(self.timezone)
        return Source(self.path, self.unit, self.unknown, timezone)


Where = Annotated[
    Place, BeforeValidator(lambda said: {"path": said} if isinstance(said, str) else said)
]
"""A :class:`Place`, or its path alone."""


class VendorMapping(Section):
    """Where everything is in a vendor's own JSON; see :func:`bikes.formats.mapped.mapped`."""

    items: Text | None = None
    timestamp: Where
    lat: Where
    lng: Where
    speed: Where | None = None
    heading: Where | None = None
    altitude: Where | None = None
    horizontal_accuracy: Where | None = None
    satellites: Where | None = None
    battery_percent: Where | None = None
    tipped_over: Where | None = None
    device_id: Where | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> VendorMapping:
        self.format()
        return self

    def format(self) -> Format:
        """What reads such payloads."""
        places = {name: getattr(self, name) for name in get_args(Quantity)}
        return mapped(
            {name: place.source() for name, place in places.items() if place is not None},
            self.items,
        )


class Vendor(Section):
    """How one vendor's bikes speak."""

    format: Literal["mds", "owntracks", "mapped"]
    datum: Literal["wgs84", "gcj02", "bd09"]
    topics: tuple[Topic, ...] = ()
    mapping: VendorMapping | None = None
    bikes: Bikes = "any"

    @model_validator(mode="after")
    def _goes_together(self) -> Vendor:
        if self.format == "mapped" and self.mapping is None:
            raise ValueError('format = "mapped" needs mapping: where everything is in the JSON')
        if self.format != "mapped" and self.mapping is not None:
            raise ValueError('mapping belongs to format = "mapped"; leave it out')
        names_bikes = self.format == "mds" or (self.mapping and self.mapping.device_id)
        fleets = [topic for topic in self.topics if TopicPattern(topic).fleet]
        if fleets and not names_bikes:
            raise ValueError(
                f'the topic "{fleets[0]}" has no {{bike}}, and nothing in the payload says which '
                'bike it is; with format = "mapped", device_id can'
            )
        return self

    def reader(self) -> Format:
        """What reads this vendor's telemetry."""
        return FORMATS[self.format] if self.mapping is None else self.mapping.format()


def _apart(vendors: dict[str, Vendor]) -> dict[str, Vendor]:
    """Refuse a topic of two vendors: nobody could tell whose bike it is."""
    owner: dict[str, str] = {}
    for name, vendor in vendors.items():
        for topic in vendor.topics:
            if owner.setdefault(topic, name) != name:
                raise ValueError(f'{owner[topic]} and {name} both have the topic "{topic}"')
    for topic in filter(lambda topic: TopicPattern(topic).fleet, owner):
        for other in owner:
            if other != topic and TopicPattern(other).covers(topic):
                raise ValueError(
                    f'the topic "{topic}" of {owner[topic]} is one of "{other}" of {owner[other]}'
                )
    return vendors


Vendors = Annotated[dict[Name, Vendor], AfterValidator(_apart)]
