"""Boards: rows of panels, variables, annotations, and links from one dashboard to another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.table import Options

from dashboards.grafana import influxql
from dashboards.grafana.edition import Edition
from dashboards.grafana.looks import BAD

Name = Literal["fleet", "coverage", "alerts", "ingest"]
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


class Row(NamedTuple):
    """Panels side by side, of one height; equally wide when no widths are given.

    ``heading`` is the key of a line of text above them, or empty.
    """

    height: int
    panels: tuple[Callable[[Edition], Builder[model.Panel]], ...]
    widths: tuple[int, ...] = ()
    heading: str = ""


@dataclass(frozen=True, kw_only=True)
class Board:
    """A dashboard before it is made in an edition."""

    name: Name  # its key in the catalogue, and part of its identity
    rows: tuple[Row, ...]  # from top to bottom
    variables: tuple[Variable, ...]  # what can be chosen at the top
    since: str  # the time range at first, such as ``now-6h``
    refresh: str  # how often it is asked again

    def dashboard(self, edition: Edition) -> model.Dashboard:
        """The dashboard in an edition."""
        return model.Dashboard(
            uid=uid(self.name),
            title=edition.say(self.name),
            description=edition.say(f"{self.name}.why"),
            tags=[TAG],
            timezone=edition.timezone,
            editable=False,
            graph_tooltip=model.DashboardCursorSync.CROSSHAIR,
            time=model.DashboardDashboardTime(from_val=self.since, to="now"),
            timepicker=model.TimePickerConfig(),
            week_start="monday",
            refresh=self.refresh,
            version=1,
            panels=_laid_out(edition, self.rows),
            templating=model.DashboardDashboardTemplating(
                list_val=[_variable(edition, name) for name in self.variables]
            ),
            annotations=model.AnnotationContainer(list_val=[_alerts(edition, self.variables)]),
            links=[_siblings(edition)],
        )


def uid(board: Name) -> str:
    """Identity of a dashboard in Grafana; links and bookmarks hold it, so it never changes."""
    return f"zhixun-{board}"


def link(edition: Edition, board: Name, variable: Variable, column: str) -> dict[str, object]:
    """Make a link from a cell to a dashboard of that cell's value alone, at the same time."""
    cell = f'${{__data.fields["{column}"]}}'
    url = f"/d/{uid(board)}?var-{variable}={cell}&${{__url_time_range}}"
    return {"title": edition.say(board), "url": url, "targetBlank": False}


def _laid_out(edition: Edition, rows: Sequence[Row]) -> list[model.Panel | model.RowPanel]:
    found: list[model.Panel | model.RowPanel] = []
    y = 0
    for row in rows:
        if row.heading:
            where = model.GridPos(h=1, w=COLUMNS, x=0, y=y)
            title = edition.say(row.heading)
            found.append(model.RowPanel(title=title, id_val=len(found) + 1, grid_pos=where))
            y += 1
        x = 0
        widths = row.widths or (COLUMNS // len(row.panels),) * len(row.panels)
        for make, width in zip(row.panels, widths, strict=True):
            panel = make(edition).build()
            if isinstance(panel.options, Options):
                panel.options.footer = None  # Grafana 13 has it elsewhere
            panel.id_val = len(found) + 1
            panel.grid_pos = model.GridPos(h=row.height, w=width, x=x, y=y)
            found.append(panel)
            x += width
        y += row.height
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
        auto=None,  # these three are of variables of another type
        auto_min=None,
        auto_count=None,
        allow_custom_value=True,  # a bike that was not heard lately can be named all the same
    )


def _alerts(edition: Edition, variables: Sequence[Variable]) -> model.AnnotationQuery:
    """Annotations where alerts were raised, and came back."""
    of_zones = f" AND {influxql.ZONE}" if "zone" in variables else ""
    marked = {
        "fromAnnotations": True,
        "query": 'SELECT "rule", "zone_id", "severity", "reason" FROM "alert" '
        f"WHERE \"to_state\" = 'active' AND \"from_state\" != 'active'{of_zones} AND $timeFilter",
        "rawQuery": True,
        "refId": "Anno",
        "tagsColumn": "rule,zone_id,severity",
        "textColumn": "reason",
        "textEditor": True,
        "timeEndColumn": "",
        "titleColumn": "",
    }
    return model.AnnotationQuery(
        name=edition.say("annotation.alerts"),
        datasource=edition.source,
        enable=True,
        icon_color=BAD,
        target=marked,  # type: ignore[arg-type]  # the SDK knows only Grafana's own annotations
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
