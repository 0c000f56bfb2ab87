"""An edition of the dashboards: their language, time zone, data source and limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Final

from grafana_foundation_sdk.models.dashboard import DataSourceRef

from alerts.rules import RULES, contract
from bikes.fleet import SILENT_AFTER_S, STALE_AFTER_S
from dashboards.grafana.influxql import TYPE, Query
from geofence.zone_state import MAX_BEHIND_MS
from words import catalogue
from words.catalogue import Language

DATASOURCE: Final = "zhixun-influx"
"""Identity of the data source in Grafana that the dashboards ask."""

TIMEZONE: Final = "Asia/Shanghai"
"""The time zone in which days and months begin, unless another is given."""

LIVE_MIN, SILENT_MIN = round(STALE_AFTER_S / 60), round(SILENT_AFTER_S / 60)
"""A bike is live up to so long after its last fix, silent from so long after it on [min]."""

BEHIND_S: Final = MAX_BEHIND_MS // 1000
"""From this lag on zones are unmeasurable, because the station itself is behind [s]."""


@cache
def entries() -> catalogue.Entries:
    """The words of the contract and of the dashboards.

    ``x`` is the title of a panel, ``x.why`` the question that it answers and how the figure is
    made, ``x.none`` its text for no data.
    """
    return {**contract(), **catalogue.read(files("dashboards.grafana") / "words")}


@dataclass(frozen=True)
class Edition:
    """Language, time zone, data source and limits that panels are made for."""

    language: Language  # of every title, description, unit and value
    timezone: str = TIMEZONE  # IANA name; days begin there
    datasource: str = DATASOURCE  # identity (uid)
    # A battery at or below is low, as the rule ``bike_battery_low`` has it [%].
    battery_low_percent: float = RULES.defaults["battery_low_percent"]
    words: Mapping[str, str] = field(default_factory=dict, repr=False)  # in that language

    def __post_init__(self) -> None:
        if not self.words:
            object.__setattr__(self, "words", catalogue.texts(entries(), self.language))

    def say(self, key: str) -> str:
        """The text of a key of the catalogue, with the limits that it names; or KeyError."""
        return self.words[key].format(
            live_min=LIVE_MIN,
            silent_min=SILENT_MIN,
            behind_min=BEHIND_S // 60,
            low=f"{self.battery_low_percent:g}",
            twice_low=f"{2 * self.battery_low_percent:g}",
        )

    @property
    def source(self) -> DataSourceRef:
        """The data source, as panels name it."""
        return DataSourceRef(type_val=TYPE, uid=self.datasource)

    @property
    def day(self) -> str:
        """The end of a query whose days begin in the time zone."""
        return f"tz('{self.timezone}')"

    def query(self, text: str, *, alias: str = "", colour: str = "", table: bool = False) -> Query:
        """A query of the data source; see :class:`~dashboards.grafana.influxql.Query`."""
        return Query(text=text, datasource=self.datasource, alias=alias, colour=colour, table=table)
