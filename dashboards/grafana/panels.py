"""Builders of panels: figures, lines, bars, tables, rankings and timelines, dressed alike.

A panel has a key in the catalogue: ``key`` is its title, ``key.why`` the question it answers
(Grafana shows it beside the title), ``key.none`` its text for no data. A query is given as text,
or as :class:`~dashboards.grafana.influxql.Query` when its series has a name or a colour.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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

Columns = Mapping[str, Mapping[str, object]]
"""How each column looks: properties of Grafana's field configuration.

``title`` is a key of the catalogue below ``column.``; ``custom_width`` stands for ``custom.width``.
"""

PAINTED: Final = {"type": "color-background", "mode": "basic"}
"""A cell that has the colour of its value."""

BAR: Final = {"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}
"""A cell with a bar as long as its value."""


def dressed(
    panel: P, edition: Edition, key: str, queries: Iterable[Query | str], *, table: bool = False
) -> P:
    """Title, description, data source and queries of a panel, and its text for no data."""
    panel.title(edition.say(key)).description(edition.say(f"{key}.why"))
    panel.datasource(edition.source)
    panel.no_value(edition.say(f"{key}.none" if f"{key}.none" in edition.words else "none"))
    for query, ref_id in zip(queries, "ABCDEFGHIJKLMN", strict=False):
        if isinstance(query, str):
            query = edition.query(query, table=table)
        panel.with_target(replace(query, ref_id=ref_id))
        if query.colour:
            looking(panel, query.alias, color=fixed(query.colour).build())
    return panel


def figure(
    edition: Edition,
    key: str,
    *queries: Query | str,
    calc: str = "lastNotNull",
    fields: str = "",
    table: bool = False,
) -> stat.Panel:
    """One number, or a few side by side, coloured by thresholds.

    `fields` is a pattern of the columns that are reduced by `calc`, all numbers when empty.
    """
    reduced = common.ReduceDataOptions().calcs([calc]).values(False).fields(fields)
    panel = stat.Panel().reduce_options(reduced).color_scheme(by_value()).thresholds(steps(NEUTRAL))
    panel.graph_mode(shapes.BigValueGraphMode.NONE).color_mode(shapes.BigValueColorMode.VALUE)
    panel.justify_mode(shapes.BigValueJustifyMode.CENTER)
    return dressed(panel, edition, key, queries, table=table)


def lines(edition: Edition, key: str, *queries: Query) -> timeseries.Panel:
    """Values over time, as lines that break where data is missing."""
    panel = _over_time().draw_style(shapes.GraphDrawStyle.LINE).line_width(2).fill_opacity(8)
    panel.show_points(shapes.VisibilityMode.NEVER).span_nulls(False)
    return dressed(panel, edition, key, queries)


def bars(edition: Edition, key: str, *queries: Query, stacked: bool = False) -> timeseries.Panel:
    """Amounts over time, as bars, on top of each other when they add up."""
    mode = shapes.StackingMode.NORMAL if stacked else shapes.StackingMode.NONE
    panel = _over_time().draw_style(shapes.GraphDrawStyle.BARS).line_width(0).fill_opacity(85)
    panel.bar_alignment(shapes.BarAlignment.AFTER)
    panel.stacking(common.StackingConfig().mode(mode).group("A"))
    return dressed(panel, edition, key, queries)


def rows(
    edition: Edition,
    key: str,
    *queries: str,
    before: Iterable[DataTransformerConfig] = (),
    columns: Columns | None = None,
    hidden: Sequence[str] = ("Time",),
    sort: str = "",
    descending: bool = False,
) -> table.Panel:
    """A table that the steps `before` make of the queries' answers.

    `columns` stand from left to right, without them as they come; `hidden` ones are left out. Rows
    are sorted by the column `sort` until somebody clicks on another; no value is the least.
    """
    panel = table.Panel().cell_height(shapes.TableCellHeight.SM).show_header(True)
    # The text for no data is the panel's, not that of every empty cell.
    panel.override_by_regexp("/.*/", [DynamicConfigValue(id_val="noValue", value="–")])
    dressed(panel, edition, key, queries, table=True)
    for step in before:
        panel.with_transformation(step)
    if columns is not None:
        panel.with_transformation(arranged(*columns, hidden=hidden))
        described(panel, edition, columns)
        if sort:
            title = edition.say(f"column.{columns[sort]['title']}")
            state = common.TableSortByFieldState().display_name(title).desc(descending)
            panel.sort_by([state])
    return panel


def ranking(
    edition: Edition,
    key: str,
    query: str,
    *,
    label: str,
    by: str,
    descending: bool = False,
    hidden: Sequence[str] = ("Time",),
) -> bargauge.Panel:
    """A bar for each row of a table, named by one column and as long as another."""
    reduced = common.ReduceDataOptions().calcs(["lastNotNull"]).values(True).limit(40).fields("")
    panel = bargauge.Panel().reduce_options(reduced).color_scheme(by_value()).show_unfilled(True)
    panel.orientation(shapes.VizOrientation.HORIZONTAL)
    panel.display_mode(shapes.BarGaugeDisplayMode.BASIC)
    panel.value_mode(shapes.BarGaugeValueMode.TEXT)
    panel.name_placement(shapes.BarGaugeNamePlacement.LEFT)
    panel.with_transformation(arranged(label, by, hidden=hidden))
    # A table sorts by itself, bars do not.
    order = {"fields": {}, "sort": [{"field": by, "desc": descending}]}
    panel.with_transformation(DataTransformerConfig(id_val="sortBy", options=order))
    return dressed(panel, edition, key, [query], table=True)


def timeline(edition: Edition, key: str, query: Query) -> statetimeline.Panel:
    """States over time, one row a series."""
    panel = statetimeline.Panel().merge_values(True).row_height(0.85).line_width(0).fill_opacity(90)
    panel.show_value(shapes.VisibilityMode.NEVER)
    panel.color_scheme(by_value()).thresholds(steps(NEUTRAL)).legend(_legend())
    panel.tooltip(common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.SINGLE))
    return dressed(panel, edition, key, [query])


def described(panel: P, edition: Edition, columns: Columns) -> P:
    """Give each column its title and its looks."""
    for name, properties in columns.items():
        shown = dict(properties)
        if "title" in shown:
            shown = {"displayName": edition.say(f"column.{shown.pop('title')}"), **shown}
        if shown:
            looking(panel, name, **shown)
    return panel


def looking(panel: P, name: str, **properties: object) -> P:
    """Set the looks of a series or a column by its name."""
    return panel.override_by_name(
        name,
        [
            DynamicConfigValue(id_val=key.replace("custom_", "custom."), value=value)
            for key, value in properties.items()
        ],
    )


def arranged(*names: str, hidden: Sequence[str] = ("Time",)) -> DataTransformerConfig:
    """Put columns in this order and leave others out; Grafana has no order for tags."""
    return DataTransformerConfig(
        id_val="organize",
        options={
            "excludeByName": dict.fromkeys(hidden, True),
            "indexByName": {name: place for place, name in enumerate(names)},
            "renameByName": {},
        },
    )


def joined(by: str, names: Sequence[str]) -> list[DataTransformerConfig]:
    """Make one table of several, a row for each value of a column that all of them have."""
    return [
        # Each has a time of its own, which would be joined as columns.
        DataTransformerConfig(
            id_val="filterFieldsByName", options={"include": {"names": list(names)}}
        ),
        DataTransformerConfig(id_val="joinByField", options={"byField": by, "mode": "outer"}),
    ]


def _over_time() -> timeseries.Panel:
    tooltip = common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI)
    tooltip.sort(shapes.SortOrder.DESCENDING)
    return timeseries.Panel().axis_soft_min(0).legend(_legend()).tooltip(tooltip)


def _legend() -> common.VizLegendOptions:
    legend = common.VizLegendOptions().show_legend(True).calcs([])
    return legend.display_mode(shapes.LegendDisplayMode.LIST).placement(
        shapes.LegendPlacement.BOTTOM
    )
