"""Panels of the kinds that the dashboards are made of, dressed alike.

A panel has a key in the catalogue: ``key`` is its title, ``key.why`` the question it answers
(Grafana shows it beside the title), ``key.none`` what it says when there is nothing to show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    geomap,
    stat,
    statetimeline,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue

from dashboards.grafana.edition import Edition
from dashboards.grafana.influxql import Query
from dashboards.grafana.looks import NEUTRAL, by_value, fixed, steps

P = TypeVar(
    "P",
    bargauge.Panel,
    geomap.Panel,
    stat.Panel,
    statetimeline.Panel,
    table.Panel,
    timeseries.Panel,
)


def dressed(panel: P, edition: Edition, key: str, queries: Sequence[Query]) -> P:
    """Title, description, data source and queries of a panel, and its text for no data."""
    panel.title(edition.say(key)).description(edition.say(f"{key}.why"))
    panel.datasource(edition.source)
    panel.no_value(edition.words.get(f"{key}.none", edition.say("none")))
    for query, ref_id in zip(queries, "ABCDEFGHIJKLMN", strict=False):
        panel.with_target(replace(query, ref_id=ref_id))
    return panel


def figure(
    edition: Edition, key: str, *queries: Query, calc: str = "lastNotNull", fields: str = ""
) -> stat.Panel:
    """One number, or a few side by side, coloured by thresholds.

    `fields` is a pattern of the columns that are reduced by `calc`, all numbers when empty.
    """
    reduced = common.ReduceDataOptions().calcs([calc]).values(False).fields(fields)
    return dressed(
        stat.Panel()
        .reduce_options(reduced)
        .graph_mode(shapes.BigValueGraphMode.NONE)
        .color_mode(shapes.BigValueColorMode.VALUE)
        .justify_mode(shapes.BigValueJustifyMode.CENTER)
        .color_scheme(by_value())
        .thresholds(steps(NEUTRAL)),
        edition,
        key,
        queries,
    )


def lines(edition: Edition, key: str, *queries: Query) -> timeseries.Panel:
    """Values over time, as lines that break where data is missing."""
    return dressed(
        timeseries.Panel()
        .draw_style(shapes.GraphDrawStyle.LINE)
        .line_width(2)
        .fill_opacity(8)
        .show_points(shapes.VisibilityMode.NEVER)
        .span_nulls(False)
        .axis_soft_min(0)
        .legend(_legend())
        .tooltip(_tooltip()),
        edition,
        key,
        queries,
    )


def bars(edition: Edition, key: str, *queries: Query, stacked: bool = False) -> timeseries.Panel:
    """Amounts over time, as bars, on top of each other when they add up."""
    mode = shapes.StackingMode.NORMAL if stacked else shapes.StackingMode.NONE
    return dressed(
        timeseries.Panel()
        .draw_style(shapes.GraphDrawStyle.BARS)
        .bar_alignment(shapes.BarAlignment.AFTER)
        .line_width(0)
        .fill_opacity(85)
        .stacking(common.StackingConfig().mode(mode).group("A"))
        .axis_soft_min(0)
        .legend(_legend())
        .tooltip(_tooltip()),
        edition,
        key,
        queries,
    )


def rows(edition: Edition, key: str, *queries: Query) -> table.Panel:
    """A table."""
    panel = table.Panel().cell_height(shapes.TableCellHeight.SM).show_header(True)
    # The text for no data is the panel's, not that of every empty cell.
    panel.override_by_regexp("/.*/", [DynamicConfigValue(id_val="noValue", value="–")])
    return dressed(panel, edition, key, queries)


def ranking(edition: Edition, key: str, *queries: Query) -> bargauge.Panel:
    """A bar for each row of a table, in the order of the table."""
    reduced = common.ReduceDataOptions().calcs(["lastNotNull"]).values(True).limit(40).fields("")
    return dressed(
        bargauge.Panel()
        .orientation(shapes.VizOrientation.HORIZONTAL)
        .display_mode(shapes.BarGaugeDisplayMode.BASIC)
        .value_mode(shapes.BarGaugeValueMode.TEXT)
        .name_placement(shapes.BarGaugeNamePlacement.LEFT)
        .show_unfilled(True)
        .reduce_options(reduced)
        .color_scheme(by_value()),
        edition,
        key,
        queries,
    )


def timeline(edition: Edition, key: str, *queries: Query) -> statetimeline.Panel:
    """States over time, one row a series."""
    return dressed(
        statetimeline.Panel()
        .show_value(shapes.VisibilityMode.NEVER)
        .merge_values(True)
        .row_height(0.85)
        .line_width(0)
        .fill_opacity(90)
        .color_scheme(by_value())
        .thresholds(steps(NEUTRAL))
        .legend(_legend())
        .tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.SINGLE)),
        edition,
        key,
        queries,
    )


def column(panel: P, name: str, title: str | None = None, **properties: object) -> P:
    """How a column or series looks.

    Parameters
    ----------
    panel : panel
        It is changed and returned.
    name : str
        Of the column or series.
    title : str, optional
        What people read instead.
    **properties
        Of Grafana's field configuration; ``custom_width`` stands for ``custom.width``.
    """
    if title is not None:
        properties = {"displayName": title, **properties}
    return panel.override_by_name(
        name,
        [
            DynamicConfigValue(id_val=key.replace("custom_", "custom."), value=value)
            for key, value in properties.items()
        ],
    )


def coloured(panel: P, colours: Mapping[str, str]) -> P:
    """Gives each series, by its name, its colour."""
    for name, colour in colours.items():
        column(panel, name, color=fixed(colour).build())
    return panel


def arranged(*names: str, hidden: Sequence[str] = ("Time",)) -> DataTransformerConfig:
    """Puts columns in this order and leaves others out; Grafana itself puts tags anyhow."""
    return DataTransformerConfig(
        id_val="organize",
        options={
            "excludeByName": dict.fromkeys(hidden, True),
            "indexByName": {name: place for place, name in enumerate(names)},
            "renameByName": {},
        },
    )


def joined(by: str, names: Sequence[str]) -> list[DataTransformerConfig]:
    """Makes one table of several, a row for each value of a column that all of them have."""
    return [
        # Each has a time of its own, which would be joined as columns.
        DataTransformerConfig(
            id_val="filterFieldsByName", options={"include": {"names": list(names)}}
        ),
        DataTransformerConfig(id_val="joinByField", options={"byField": by, "mode": "outer"}),
    ]


def ordered(name: str, *, descending: bool = False) -> DataTransformerConfig:
    """Sorts rows by a column before they are drawn as bars; a table sorts by itself."""
    return DataTransformerConfig(
        id_val="sortBy", options={"fields": {}, "sort": [{"field": name, "desc": descending}]}
    )


def sorted_by(panel: table.Panel, title: str, *, descending: bool = False) -> table.Panel:
    """Sorts a table by a column, until somebody clicks on another; no value is the least."""
    return panel.sort_by([common.TableSortByFieldState().display_name(title).desc(descending)])


PAINTED: Final = {"type": "color-background", "mode": "basic"}
"""A cell that has the colour of its value."""

BAR: Final = {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}
"""A cell with a bar as long as its value."""


def _legend() -> common.VizLegendOptions:
    return (
        common.VizLegendOptions()
        .show_legend(True)
        .display_mode(shapes.LegendDisplayMode.LIST)
        .placement(shapes.LegendPlacement.BOTTOM)
        .calcs([])
    )


def _tooltip() -> common.VizTooltipOptions:
    return (
        common.VizTooltipOptions()
        .mode(shapes.TooltipDisplayMode.MULTI)
        .sort(shapes.SortOrder.DESCENDING)
    )
