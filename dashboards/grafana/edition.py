"""An edition of the dashboards: in which language, for which time zone and data source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import Final

from grafana_foundation_sdk.models.dashboard import DataSourceRef

from dashboards.grafana.influxql import TYPE, Query
from words import catalogue
from words.catalogue import Language, contract

DATASOURCE: Final = "zhixun-influx"
"""Identity of the data source in Grafana that the dashboards ask."""

TIMEZONE: Final = "Asia/Shanghai"
"""Where days and months begin, unless something else is said."""


@cache
def entries() -> catalogue.Entries:
    """The words of the contract and of the dashboards.

    ``x`` is a title, ``x.why`` says which question it answers and how the figure is made,
    ``x.none`` what stands where there is nothing to show.
    """
    return {**contract(), **catalogue.read(files("dashboards.grafana") / "words")}


@dataclass(frozen=True)
class Edition:
    """What the panels are made for.

    Attributes
    ----------
    language : {"zh", "en"}
        Of every title, description, unit and value.
    timezone : str
        IANA name; days begin there.
    datasource : str
        Identity (uid) of the data source.
    words : mapping of str to str
        The catalogue in that language.
    """

    language: Language
    timezone: str = TIMEZONE
    datasource: str = DATASOURCE
    words: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if not self.words:
            object.__setattr__(self, "words", catalogue.texts(entries(), self.language))

    def say(self, key: str) -> str:
        """The text of a key of the catalogue."""
        return self.words[key]

    @property
    def source(self) -> DataSourceRef:
        """The data source, as panels name it."""
        return DataSourceRef(type_val=TYPE, uid=self.datasource)

    @property
    def day(self) -> str:
        """The end of a query whose days begin in the time zone."""
        return f"tz('{self.timezone}')"

    def query(self, text: str, *, alias: str = "", table: bool = False) -> Query:
        """A query of the data source."""
        return Query(text=text, datasource=self.datasource, alias=alias, table=table)
