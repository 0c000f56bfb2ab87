"""What all dashboards have: where panels stand, variables, annotations, links to each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model

from dashboards.grafana import influxql
from dashboards.grafana.edition import Edition
from dashboards.grafana.influxql import Events
from dashboards.grafana.looks import BAD

Board = Literal["fleet", "coverage", "alerts", "ingest"]
Variable = Literal["vendor", "zone", "bike"]

TAG: Final = "zhixun"
"""On every dashboard; the links between them are made by it."""

COLUMNS: Final = 24
"""Width of Grafana's grid."""

_QUERIES: Final[dict[Variable, str]] = {
    "vendor": influxql.tag_values("bike_telemetry", "vendor"),
    "zone": influxql.tag_values("zone_coverage", "zone_id"),
    "bike": influxql.tag_values("bike_telemetry", "bike_id", influxql.VENDOR),
}


class Place(NamedTuple):
    """A panel and its size on the grid; the whole width is 24."""

    panel: Builder[model.Panel]
    width: int
    height: int


class Heading(NamedTuple):
    """A line of text above panels; a key of the catalogue."""

    key: str


def uid(board: Board) -> str:
    """Identity of a dashboard in Grafana; links and bookmarks hold it, so it never changes."""
    return f"zhixun-{board}"


def link(edition: Edition, board: Board, variable: Variable, column: str) -> dict[str, object]:
    """Leads from a cell to a dashboard that shows only that cell's value, at the same time."""
    cell = f'${{__data.fields["{column}"]}}'
    url = f"/d/{uid(board)}?var-{variable}={cell}&${{__url_time_range}}"
    return {"title": edition.say(board), "url": url, "targetBlank": False}


def dashboard(
    edition: Edition,
    board: Board,
    content: Sequence[Heading | Place],
    *,
    variables: Sequence[Variable],
    since: str,
    refresh: str,
) -> model.Dashboard:
    """A dashboard.

    Parameters
    ----------
    edition : Edition
        Language, time zone, data source.
    board : str
        Which: its key in the catalogue, and part of its identity.
    content : sequence of Heading and Place
        From left to right, then down. What does not fit into a line begins the next.
    variables : sequence of str
        What can be chosen at the top.
    since, refresh : str
        What is shown at first, such as ``now-6h``, and how often it is asked again.
    """
    return model.Dashboard(
        uid=uid(board),
        title=edition.say(board),
        description=edition.say(f"{board}.why"),
        tags=[TAG],
        timezone=edition.timezone,
        editable=False,
        graph_tooltip=model.DashboardCursorSync.CROSSHAIR,
        time=model.DashboardDashboardTime(from_val=since, to="now"),
        timepicker=model.TimePickerConfig(),
        week_start="monday",
        refresh=refresh,
        version=1,
        panels=_laid_out(edition, content),
        templating=model.DashboardDashboardTemplating(
            list_val=[_variable(edition, name) for name in variables]
        ),
        annotations=model.AnnotationContainer(list_val=[_alerts(edition, variables)]),
        links=[_siblings(edition)],
    )


def _laid_out(
    edition: Edition, content: Sequence[Heading | Place]
) -> list[model.Panel | model.RowPanel]:
    found: list[model.Panel | model.RowPanel] = []
    x = y = line_height = 0
    for number, item in enumerate(content, start=1):
        if isinstance(item, Heading):
            y, x, line_height = y + line_height, 0, 0
            where = model.GridPos(h=1, w=COLUMNS, x=0, y=y)
            title = edition.say(item.key)
            found.append(model.RowPanel(title=title, id_val=number, grid_pos=where))
            y += 1
            continue
        if x + item.width > COLUMNS:
            y, x, line_height = y + line_height, 0, 0
        panel = item.panel.build()
        panel.id_val = number
        panel.grid_pos = model.GridPos(h=item.height, w=item.width, x=x, y=y)
        found.append(panel)
        x, line_height = x + item.width, max(line_height, item.height)
    return found


def _variable(edition: Edition, name: Variable) -> model.VariableModel:
    text = _QUERIES[name]
    everything = model.VariableOption(text=["All"], value=["$__all"], selected=True)
    return model.VariableModel(
        type_val=model.VariableType.QUERY,
        name=name,
        label=edition.say(f"variable.{name}"),
        datasource=edition.source,
        query={"query": text, "refId": "InfluxVariableQueryEditor-VariableQuery"},
        refresh=model.VariableRefresh.ON_TIME_RANGE_CHANGED,
        sort=model.VariableSort.ALPHABETICAL_ASC,
        multi=True,
        include_all=True,
        # Not the list of all values: it also holds what has no such tag, a fix outside all zones
        # or an alert about a bike.
        all_value=".*",
        current=everything,
        options=[],
        allow_custom_value=False,
    )


def _alerts(edition: Edition, variables: Sequence[Variable]) -> model.AnnotationQuery:
    """Where alerts were raised, and came back."""
    of_zones = f" AND {influxql.ZONE}" if "zone" in variables else ""
    events = Events(
        text='SELECT "rule", "zone_id", "severity", "reason" FROM "alert" '
        f"WHERE \"to_state\" = 'active' AND \"from_state\" != 'active'{of_zones} AND $timeFilter",
        text_column="reason",
        tag_columns=("rule", "zone_id", "severity"),
    )
    return model.AnnotationQuery(
        name=edition.say("annotation.alerts"),
        datasource=edition.source,
        enable=True,
        icon_color=BAD,
        target=events,  # type: ignore[arg-type]  # the SDK knows only Grafana's own annotations
    )


def _siblings(edition: Edition) -> model.DashboardLink:
    return model.DashboardLink(
        title=edition.say("links"),
        type_val=model.DashboardLinkType.DASHBOARDS,
        icon="external link",
        tooltip="",
        url="",
        tags=[TAG],
        include_vars=True,
        keep_time=True,
    )
