"""How coverage went: by hour of the week, and by zone since the month began."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.models.common import (
    FieldTextAlignment,
    TableCellBackgroundDisplayMode,
    TableColoredBackgroundCellOptions,
)
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig

from alerts.rules import STATE_CODES
from dashboards.grafana.board import link
from dashboards.grafana.edition import Edition
from dashboards.grafana.influxql import ZONE, Query
from dashboards.grafana.looks import BAD, GOOD, WARN, steps
from dashboards.grafana.panels import PAINTED, arranged, column, joined, rows, sorted_by

HOURS: Final = tuple(f"{hour:02}" for hour in range(24))

# Indicators as arithmetic, because InfluxQL knows no CASE: of the codes 0 (compliant), 1 (due),
# 2 (overdue) and 3 (unmeasurable) the first is 1 for 2 only, when 3 is left out; the second is
# 1 for 3 only.
LATE: Final = '"state_code" * ("state_code" - 1) / 2.0'
UNKNOWN: Final = '"state_code" * ("state_code" - 1) * ("state_code" - 2) / 6.0'
assert [STATE_CODES[state] for state in ("compliant", "due", "overdue", "unmeasurable")] == [
    0, 1, 2, 3
]  # fmt: skip


def week(edition: Edition) -> table.Panel:
    """At which hours of the last seven days zones were left too long."""
    day = edition.say("column.day")
    query = edition.query(
        f'SELECT 1 - mean("late") AS "on_time" FROM (SELECT {LATE} AS "late" '
        f'FROM "zone_coverage" WHERE {ZONE} AND "state_code" <= 2 AND $timeFilter) '
        f"WHERE $timeFilter GROUP BY time(1h) fill(none) {edition.day}",
        table=True,
    )
    panel = rows(edition, "coverage.week", query).time_from("now-6d/d").hide_time_override(True)
    for step in _day_by_hour(edition, day):
        panel.with_transformation(step)
    panel.unit("percentunit").decimals(0).thresholds(_on_time()).min_width(38)
    panel.align(FieldTextAlignment.CENTER).cell_options(
        TableColoredBackgroundCellOptions(mode=TableCellBackgroundDisplayMode.BASIC)
    )
    return column(panel, day, custom_width=100, custom_cellOptions={"type": "auto"})


def month(edition: Edition) -> table.Panel:
    """How well each zone did since the month began, the worst first."""

    def share(name: str, bad: str, codes: int) -> Query:
        return edition.query(
            f'SELECT 1 - mean("bad") AS "{name}" FROM (SELECT {bad} AS "bad" '
            f'FROM "zone_coverage" WHERE {ZONE} AND "state_code" <= {codes} AND $timeFilter '
            'GROUP BY "zone_id") WHERE $timeFilter GROUP BY "zone_id"',
            table=True,
        )

    worst = edition.query(
        f'SELECT max("idle_s") AS "idle_s" FROM "zone_coverage" WHERE {ZONE} AND $timeFilter '
        'GROUP BY "zone_id"',
        table=True,
    )
    panel = rows(
        edition, "coverage.month", share("on_time", LATE, 2), share("measured", UNKNOWN, 3), worst
    )
    panel.time_from("now/M").hide_time_override(True)
    names = ("zone_id", "on_time", "measured", "idle_s")
    for step in joined("zone_id", names):
        panel.with_transformation(step)
    panel.with_transformation(arranged(*names, hidden=()))
    sorted_by(panel, edition.say("column.on_time"))
    column(
        panel,
        "zone_id",
        edition.say("column.zone"),
        links=[link(edition, "alerts", "zone", "zone_id")],
    )
    column(
        panel, "on_time", edition.say("column.on_time"), unit="percentunit", decimals=1,
        thresholds=_on_time().build(), custom_cellOptions=PAINTED,
    )  # fmt: skip
    column(panel, "measured", edition.say("column.measured"), unit="percentunit", decimals=1)
    return column(panel, "idle_s", edition.say("column.worst_idle"), unit="s", decimals=0)


def _on_time() -> ThresholdsConfig:
    return steps(BAD, (0.8, WARN), (0.95, GOOD))


def _day_by_hour(edition: Edition, day: str) -> list[DataTransformerConfig]:
    """A row a day and a column an hour, from one row an hour.

    Grafana can write a time as text, but only one text: it writes both as JSON, which the next
    step takes apart.
    """
    corner = "day\\hour"
    both = '[{"day":"]MM-DD ddd[","hour":"]HH["}]'
    return [
        DataTransformerConfig(
            id_val="formatTime",
            options={
                "timeField": "Time",
                "outputFormat": both,
                "useTimezone": True,
                "timezone": edition.timezone,
            },
        ),
        DataTransformerConfig(
            id_val="extractFields",
            options={"source": "Time", "format": "json", "replace": False, "keepTime": False},
        ),
        DataTransformerConfig(
            id_val="groupingToMatrix",
            options={
                "rowField": "day",
                "columnField": "hour",
                "valueField": "on_time",
                "emptyValue": "null",
            },
        ),
        DataTransformerConfig(
            id_val="organize",
            options={
                "excludeByName": {},
                # The matrix has its columns in the order in which they are met.
                "indexByName": {name: place for place, name in enumerate([corner, *HOURS])},
                "renameByName": {corner: day},
            },
        ),
    ]
