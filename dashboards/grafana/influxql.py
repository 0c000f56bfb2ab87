"""Queries in InfluxQL that dashboards ask InfluxDB, and the filters that they share.

InfluxQL because InfluxDB 1.x, 2.x (with a DBRP mapping) and 3.x all answer it. The queries keep to
functions that all three know: no functions of mathematics, no `integral`, no joins. Grafana
replaces ``$timeFilter``, ``$__interval`` and variables; these are always written with the format
``regex``, so that one value, several and "All" mean the same everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.variants import Dataquery

TYPE: Final = "influxdb"
"""Grafana's name of the data source's type."""

WHOLE: Final = "time(10000d)"
"""Groups everything until the year 2052 into one row, so that ``fill(0)`` can say zero.

Without a group of time a count of nothing is no row at all, and 0 closed of 5 raised would
be "no data". The row's time means nothing.
"""


@dataclass(frozen=True, kw_only=True)
class Query(Builder[Dataquery], Dataquery):
    """A query in InfluxQL, as Grafana keeps it in a panel."""

    text: str
    datasource: str  # identity (uid)
    table: bool = False  # one frame with a column for each tag and field, not one a series
    alias: str = ""  # name of a series; ``$tag_zone_id`` stands for a tag, ``$col`` for a field
    colour: str = ""  # of the series of that name, or empty
    ref_id: str = "A"  # name of the query in its panel

    def build(self) -> Dataquery:
        """Return the query itself: it needs no building."""
        return self

    def to_json(self) -> dict[str, object]:
        """Grafana's form of the query."""
        wire: dict[str, object] = {
            "datasource": {"type": TYPE, "uid": self.datasource},
            "query": self.text,
            "rawQuery": True,
            "refId": self.ref_id,
            "resultFormat": "table" if self.table else "time_series",
        }
        if self.alias:
            wire["alias"] = self.alias
        return wire


IN_RANGE: Final = "time >= ${__from}ms AND time < ${__to}ms"
"""The time range without its end, from which groups of time are counted back: the last is whole."""


def matches(tag: str, variable: str) -> str:
    """The condition that a tag is one of the values that are chosen in a variable."""
    return f'"{tag}" =~ /^${{{variable}:regex}}$/'


ZONE: Final = matches("zone_id", "zone")
VENDOR: Final = matches("vendor", "vendor")
BIKE: Final = f"{VENDOR} AND {matches('bike_id', 'bike')}"
BIKE_IN_ZONE: Final = f"{BIKE} AND {ZONE}"


def tag_values(measurement: str, tag: str, condition: str = "") -> str:
    """The query of a variable: which values a tag has in the chosen range of time.

    InfluxDB 3 looks at the last day only when no time is named; the others look at whole shards.
    """
    where = f"{condition} AND {IN_RANGE}" if condition else IN_RANGE
    return f'SHOW TAG VALUES FROM "{measurement}" WITH KEY = "{tag}" WHERE {where}'
