"""The dashboard *Coverage*: the state of the zones, where to go next, and how the month went."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import bargauge, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.models.common import (
    FieldTextAlignment,
    LineStyle,
    TableCellBackgroundDisplayMode,
    TableColoredBackgroundCellOptions,
)  # fmt: skip
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig

from dashboards.grafana import looks, panels
from dashboards.grafana.board import Board, Row, link
from dashboards.grafana.edition import Edition
from dashboards.grafana.influxql import ZONE
from geofence.windows import VERDICTS
from geofence.zone_state import STATE_CODES, ZoneState

SHOWN: Final[tuple[ZoneState, ...]] = (
    "overdue", "short", "due", "unmeasurable", "compliant", "off_duty", "paused",
)  # fmt: skip
"""States in the order of their urgency."""

_OF_ZONES: Final = f'FROM "zone_coverage" WHERE {ZONE} AND $timeFilter'
_BY_ZONE: Final = f'{_OF_ZONES} GROUP BY "zone_id"'
_FIGURES: Final = (
    '"covered_ratio"', '"target"', '"idle_s"', '"due_in_s"', '"oldest_cell_age_s"',
    '"mean_cell_age_s"', '"bikes_inside"', '"policy"',
)  # fmt: skip

# Indicators as arithmetic, because InfluxQL knows no CASE: of the codes 0 (compliant), 1 (due),
# 2 (overdue), 3 (unmeasurable) and 6 (short) the first is 1 for 2 only, when 3 is left out; the
# second is 1 for 3 only.
LATE: Final = '"state_code" * ("state_code" - 1) * (6 - "state_code") / 8.0'
UNKNOWN: Final = (
    '"state_code" * ("state_code" - 1) * ("state_code" - 2) * (6 - "state_code") / 18.0'
)
assert [
    STATE_CODES[state] for state in ("compliant", "due", "overdue", "unmeasurable", "short")
] == [0, 1, 2, 3, 6]
_JUDGED: Final = '("state_code" <= 2 OR "state_code" = 6)'
_ON_DUTY: Final = '("state_code" <= 3 OR "state_code" = 6)'

SECONDS: Final = {"unit": "s", "decimals": 0}
_ON_TIME: Final = ((0.8, looks.WARN), (0.95, looks.GOOD))


def states(edition: Edition) -> stat.Panel:
    """How many zones are in each state; a state that no zone is in is left out."""
    last = f'SELECT last("state_code") AS "state_code" {_BY_ZONE}'
    queries = [
        edition.query(
            f'SELECT count("state_code") FROM ({last}) WHERE "state_code" = {STATE_CODES[state]}',
            alias=f"{looks.STATE_SIGNS[state]} {edition.say(f'state.{state}')}",
            colour=looks.STATE_COLOURS[state],
        )
        for state in SHOWN
    ]
    return panels.figure(edition, "coverage.states", *queries)


def sampling(edition: Edition) -> stat.Panel:
    """How often bikes report: no figure of coverage can see between two fixes."""
    query = 'SELECT median("interval_s") FROM "bike_telemetry" WHERE $timeFilter'
    panel = panels.figure(edition, "coverage.sampling", query).unit("s").decimals(0)
    return panel.thresholds(looks.steps(looks.GOOD, (30, looks.WARN), (120, looks.BAD)))


def zones(edition: Edition) -> table.Panel:
    """How each zone stands, the most urgent first."""
    missing = {**SECONDS, "mappings": [looks.unknown(edition.say("unknown"))]}
    return panels.rows(
        edition,
        "coverage.zones",
        f'SELECT last("state_code") AS "state_code", {", ".join(_FIGURES)} {_BY_ZONE}',
        columns={
            "zone_id": _zone(edition),
            "state_code": {
                "title": "state",
                "mappings": [looks.zone_states(edition.words)],
                "custom_cellOptions": panels.PAINTED,
                "custom_width": 130,
            },
            "covered_ratio": {
                "title": "covered",
                "unit": "percentunit",
                "min": 0,
                "max": 1,
                "decimals": 0,
                "custom_cellOptions": panels.BAR,
                "color": looks.fixed(looks.BLUE).build(),
            },
            "target": {"title": "target", "unit": "percentunit", "decimals": 0},
            "due_in_s": {
                "title": "due",
                **missing,
                "thresholds": _urgency().build(),
                "custom_cellOptions": {"type": "color-text"},
            },
            "idle_s": {"title": "idle", **missing},
            "oldest_cell_age_s": {"title": "oldest_cell_age", **missing},
            "mean_cell_age_s": {"title": "mean_cell_age", **missing},
            "bikes_inside": {"title": "bikes_inside"},
            "policy": {"title": "policy"},
            "Time": {"title": "as_of", "unit": "dateTimeFromNow", "custom_width": 130},
        },
        hidden=(),
        sort="due_in_s",
    )


def due(edition: Edition) -> bargauge.Panel:
    """How long until each zone breaks its policy, the next one first."""
    query = f'SELECT last("due_in_s") AS "due_in_s" {_BY_ZONE}'
    panel = panels.ranking(edition, "coverage.due", query, label="zone_id", by="due_in_s")
    return panel.unit("s").decimals(0).thresholds(_urgency())


def oldest(edition: Edition) -> bargauge.Panel:
    """The age of the cell in each zone that nobody visited for longest."""
    name, day = "oldest_cell_age_s", 86_400
    query = f'SELECT last("{name}") AS "{name}" {_BY_ZONE}'
    panel = panels.ranking(
        edition, "coverage.oldest", query, label="zone_id", by=name, descending=True
    )
    limits = looks.steps(looks.GOOD, (day, looks.WARN), (7 * day, looks.BAD))
    return panel.unit("s").min(0).thresholds(limits)


def states_over_time(edition: Edition) -> statetimeline.Panel:
    """The state of each zone over time."""
    query = edition.query(
        f'SELECT last("state_code") {_OF_ZONES} GROUP BY time($__interval), "zone_id" fill(null)',
        alias="$tag_zone_id",
    )
    panel = panels.timeline(edition, "coverage.states_over_time", query)
    return panel.interval("2m").mappings([looks.zone_states(edition.words)])


def week(edition: Edition) -> table.Panel:
    """The share of zones that were not overdue, at each hour of the last seven days."""
    day = edition.say("column.day")
    panel = panels.rows(
        edition,
        "coverage.week",
        f'SELECT 1 - mean("late") AS "on_time" FROM (SELECT {LATE} AS "late" '
        f'FROM "zone_coverage" WHERE {ZONE} AND {_JUDGED} AND $timeFilter) '
        f"WHERE $timeFilter GROUP BY time(1h) fill(none) {edition.day}",
        before=_day_by_hour(edition, day),
    )
    panel.time_from("now-6d/d").hide_time_override(True)
    panel.thresholds(looks.steps(looks.BAD, *_ON_TIME))
    panel.unit("percentunit").decimals(0).min_width(38)
    panel.align(FieldTextAlignment.CENTER).cell_options(
        TableColoredBackgroundCellOptions(mode=TableCellBackgroundDisplayMode.BASIC)
    )
    return panels.looking(panel, day, custom_width=100, custom_cellOptions={"type": "auto"})


def month(edition: Edition) -> table.Panel:
    """How well each zone did since the month began, the worst first."""

    def share(name: str, bad: str, condition: str) -> str:
        return (
            f'SELECT 1 - mean("bad") AS "{name}" FROM (SELECT {bad} AS "bad" '
            f'FROM "zone_coverage" WHERE {ZONE} AND {condition} AND $timeFilter '
            'GROUP BY "zone_id") WHERE $timeFilter GROUP BY "zone_id"'
        )

    counts = ", ".join(f'sum("{verdict}") AS "{verdict}"' for verdict in VERDICTS)
    ratio = {"unit": "percentunit", "decimals": 1}
    columns: dict[str, dict[str, object]] = {
        "zone_id": _zone(edition),
        "on_time": {
            "title": "on_time",
            **ratio,
            "thresholds": looks.steps(looks.BAD, *_ON_TIME).build(),
            "custom_cellOptions": panels.PAINTED,
        },
        "measured": {"title": "measured", **ratio},
        "idle_s": {"title": "worst_idle", **SECONDS},
        **{verdict: {"title": f"windows_{verdict}"} for verdict in VERDICTS},
    }
    panel = panels.rows(
        edition,
        "coverage.month",
        share("on_time", LATE, _JUDGED),
        share("measured", UNKNOWN, _ON_DUTY),
        f'SELECT max("idle_s") AS "idle_s" {_BY_ZONE}',
        f'SELECT {counts} FROM "zone_window" WHERE {ZONE} AND $timeFilter GROUP BY "zone_id"',
        before=panels.joined("zone_id", tuple(columns)),
        columns=columns,
        hidden=(),
        sort="on_time",
    )
    return panel.time_from("now/M").hide_time_override(True)


def ratio(edition: Edition) -> timeseries.Panel:
    """Covered ratio against target, a small chart for each zone."""
    series = (
        ("covered_ratio", edition.say("series.covered"), looks.BLUE),
        ("target", edition.say("series.target"), looks.NEUTRAL),
    )
    queries = [
        edition.query(
            f'SELECT last("{field}") {_OF_ZONES} GROUP BY time($__interval) fill(null)',
            alias=name,
            colour=colour,
        )
        for field, name, colour in series
    ]
    panel = panels.lines(edition, "coverage.ratio", *queries).interval("2m")
    panel.unit("percentunit").min(0).max(1).decimals(0).fill_opacity(20)
    panel.repeat("zone").repeat_direction("h").max_per_row(3)
    dashes = LineStyle(fill="dash", dash=[6, 5])
    return panels.looking(
        panel, series[1][1], custom_lineStyle=dashes, custom_fillOpacity=0, custom_lineWidth=1
    )


COVERAGE: Final = Board(
    name="coverage",
    rows=(
        Row(4, (states, sampling), widths=(18, 6)),
        Row(11, (zones,)),
        Row(9, (due, oldest)),
        Row(9, (states_over_time,)),
        Row(9, (week, month), widths=(15, 9), heading="coverage.record"),
        Row(8, (ratio,), widths=(8,), heading="coverage.by_zone"),
    ),
    variables=("zone",),
    since="now-24h",
    refresh="1m",
)


def _zone(edition: Edition) -> dict[str, object]:
    return {"title": "zone", "links": [link(edition, "alerts", "zone", "zone_id")]}


def _urgency() -> ThresholdsConfig:
    """Colours of the time until a breach: none left, less than a quarter of an hour, more."""
    return looks.steps(looks.BAD, (0, looks.WARN), (900, looks.GOOD))


def _day_by_hour(edition: Edition, day: str) -> list[DataTransformerConfig]:
    """A row a day and a column an hour, from one row an hour.

    Grafana can write a time as text, but only one text: it writes both as JSON, which the next
    step takes apart. The matrix has its columns in the order in which they are met.
    """
    corner = "day\\hour"
    order = [corner, *(f"{hour:02}" for hour in range(24))]
    time = {"timeField": "Time", "useTimezone": True, "timezone": edition.timezone}
    matrix = {"rowField": "day", "columnField": "hour", "valueField": "on_time"}
    return [
        DataTransformerConfig(
            id_val="formatTime",
            options={**time, "outputFormat": '[{"day":"]MM-DD ddd[","hour":"]HH["}]'},
        ),
        DataTransformerConfig(
            id_val="extractFields",
            options={"source": "Time", "format": "json", "replace": False, "keepTime": False},
        ),
        DataTransformerConfig(id_val="groupingToMatrix", options={**matrix, "emptyValue": "null"}),
        DataTransformerConfig(
            id_val="organize",
            options={
                "excludeByName": {},
                "indexByName": {name: place for place, name in enumerate(order)},
                "renameByName": {corner: day},
            },
        ),
    ]
