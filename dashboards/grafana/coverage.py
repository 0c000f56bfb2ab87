"""The dashboard *Coverage*: how the zones stand, who must go where next, how well it went."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import bargauge, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import (
    LineStyle,
)

from alerts.rules import STATE_CODES, ZoneState
from dashboards.grafana.board import Heading, Place, dashboard, link
from dashboards.grafana.coverage_record import month, week
from dashboards.grafana.edition import Edition
from dashboards.grafana.influxql import ZONE, Query
from dashboards.grafana.looks import (
    BAD,
    BLUE,
    GOOD,
    NEUTRAL,
    STATE_COLOURS,
    STATE_SIGNS,
    WARN,
    fixed,
    steps,
    unknown,
    zone_states,
)
from dashboards.grafana.panels import (
    BAR,
    PAINTED,
    arranged,
    coloured,
    column,
    figure,
    lines,
    ordered,
    ranking,
    rows,
    sorted_by,
    timeline,
)

SHOWN: Final[tuple[ZoneState, ...]] = (
    "overdue",
    "due",
    "unmeasurable",
    "compliant",
    "off_duty",
    "paused",
)
"""States in the order of their urgency."""

_FIGURES: Final = (
    '"covered_ratio"', '"target"', '"idle_s"', '"due_in_s"', '"oldest_cell_age_s"',
    '"mean_cell_age_s"', '"bikes_inside"', '"policy"',
)  # fmt: skip
_NOW: Final = (
    f'SELECT last("state_code") AS "state_code", {", ".join(_FIGURES)} '
    f'FROM "zone_coverage" WHERE {ZONE} AND $timeFilter GROUP BY "zone_id"'
)


def coverage(edition: Edition) -> model.Dashboard:
    """The dashboard."""
    return dashboard(
        edition,
        "coverage",
        [
            Place(states(edition), 18, 4),
            Place(sampling(edition), 6, 4),
            Place(zones(edition), 24, 11),
            Place(due(edition), 12, 9),
            Place(oldest(edition), 12, 9),
            Place(states_over_time(edition), 24, 9),
            Heading("coverage.record"),
            Place(week(edition), 15, 9),
            Place(month(edition), 9, 9),
            Heading("coverage.by_zone"),
            Place(ratio(edition), 8, 8),
        ],
        variables=["zone"],
        since="now-24h",
        refresh="1m",
    )


def states(edition: Edition) -> stat.Panel:
    """How many zones are in each state; a state that no zone is in is left out."""
    last = (
        'SELECT last("state_code") AS "state_code" FROM "zone_coverage" '
        f'WHERE {ZONE} AND $timeFilter GROUP BY "zone_id"'
    )
    names = {state: f"{STATE_SIGNS[state]} {edition.say(f'state.{state}')}" for state in SHOWN}
    queries = [
        edition.query(
            f'SELECT count("state_code") FROM ({last}) WHERE "state_code" = {STATE_CODES[state]}',
            alias=names[state],
        )
        for state in SHOWN
    ]
    panel = figure(edition, "coverage.states", *queries)
    return coloured(panel, {names[state]: STATE_COLOURS[state] for state in SHOWN})


def sampling(edition: Edition) -> stat.Panel:
    """How often bikes report: what no figure of coverage can see is between two fixes."""
    query = edition.query(
        'SELECT median("gap") FROM (SELECT elapsed("lat", 1s) AS "gap" FROM "bike_telemetry" '
        'WHERE $timeFilter GROUP BY "vendor", "bike_id")'
    )
    panel = figure(edition, "coverage.sampling", query)
    return panel.unit("s").decimals(0).thresholds(steps(GOOD, (30, WARN), (120, BAD)))


def zones(edition: Edition) -> table.Panel:
    """How each zone stands, the most urgent first."""
    panel = rows(edition, "coverage.zones", edition.query(_NOW, table=True))
    panel.with_transformation(
        arranged(
            "zone_id", "state_code", "covered_ratio", "target", "due_in_s", "idle_s",
            "oldest_cell_age_s", "mean_cell_age_s", "bikes_inside", "policy", "Time", hidden=(),
        )
    )  # fmt: skip
    sorted_by(panel, edition.say("column.due"))
    column(
        panel,
        "zone_id",
        edition.say("column.zone"),
        links=[link(edition, "alerts", "zone", "zone_id")],
    )
    column(
        panel, "state_code", edition.say("column.state"),
        mappings=[zone_states(edition.words)], custom_cellOptions=PAINTED, custom_width=130,
    )  # fmt: skip
    column(
        panel, "covered_ratio", edition.say("column.covered"), unit="percentunit", min=0, max=1,
        decimals=0, custom_cellOptions=BAR, color=fixed(BLUE).build(),
    )  # fmt: skip
    column(panel, "target", edition.say("column.target"), unit="percentunit", decimals=0)
    column(
        panel, "due_in_s", edition.say("column.due"), unit="s", decimals=0,
        mappings=[unknown(edition.say("unknown"))], thresholds=_urgency().build(),
        custom_cellOptions={"type": "color-text"},
    )  # fmt: skip
    column(panel, "bikes_inside", edition.say("column.bikes_inside"))
    column(panel, "policy", edition.say("column.policy"))
    column(panel, "Time", edition.say("column.as_of"), unit="dateTimeFromNow", custom_width=130)
    for name in ("idle", "oldest_cell_age", "mean_cell_age"):
        column(
            panel, f"{name}_s", edition.say(f"column.{name}"), unit="s", decimals=0,
            mappings=[unknown(edition.say("unknown"))],
        )  # fmt: skip
    return panel


def due(edition: Edition) -> bargauge.Panel:
    """How long until each zone breaks its policy, the next one first."""
    query = _last(edition, "due_in_s")
    panel = ranking(edition, "coverage.due", query)
    panel.with_transformation(arranged("zone_id", "due_in_s"))
    panel.with_transformation(ordered("due_in_s"))
    return panel.unit("s").decimals(0).thresholds(_urgency())


def oldest(edition: Edition) -> bargauge.Panel:
    """Where the cell is that nobody visited for longest."""
    query = _last(edition, "oldest_cell_age_s")
    panel = ranking(edition, "coverage.oldest", query)
    panel.with_transformation(arranged("zone_id", "oldest_cell_age_s"))
    panel.with_transformation(ordered("oldest_cell_age_s", descending=True))
    day = 86_400
    return panel.unit("s").min(0).thresholds(steps(GOOD, (day, WARN), (7 * day, BAD)))


def states_over_time(edition: Edition) -> statetimeline.Panel:
    """In which state each zone was when."""
    query = edition.query(
        f'SELECT last("state_code") FROM "zone_coverage" WHERE {ZONE} AND $timeFilter '
        'GROUP BY time($__interval), "zone_id" fill(null)',
        alias="$tag_zone_id",
    )
    panel = timeline(edition, "coverage.states_over_time", query)
    return panel.interval("2m").mappings([zone_states(edition.words)])


def ratio(edition: Edition) -> timeseries.Panel:
    """Covered ratio against target, a small chart for each zone."""
    covered, target = edition.say("series.covered"), edition.say("series.target")
    queries = [
        edition.query(
            f'SELECT last("{field}") FROM "zone_coverage" WHERE {ZONE} AND $timeFilter '
            "GROUP BY time($__interval) fill(null)",
            alias=name,
        )
        for field, name in (("covered_ratio", covered), ("target", target))
    ]
    panel = lines(edition, "coverage.ratio", *queries).interval("2m")
    panel.unit("percentunit").min(0).max(1).decimals(0).fill_opacity(20)
    panel.repeat("zone").repeat_direction("h").max_per_row(3)
    coloured(panel, {covered: BLUE, target: NEUTRAL})
    dashes = LineStyle(fill="dash", dash=[6, 5])
    return column(panel, target, custom_lineStyle=dashes, custom_fillOpacity=0, custom_lineWidth=1)


def _last(edition: Edition, field: str) -> Query:
    return edition.query(
        f'SELECT last("{field}") AS "{field}" FROM "zone_coverage" WHERE {ZONE} AND $timeFilter '
        'GROUP BY "zone_id"',
        table=True,
    )


def _urgency() -> ThresholdsConfig:
    """Colours of the time until a breach: none left, less than a quarter of an hour, more."""
    return steps(BAD, (0, WARN), (900, GOOD))
