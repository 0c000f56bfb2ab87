"""The dashboard *Alerts*: what is open, how fast it is answered, how much of it is closed."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import VisibilityMode
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig

from dashboards.grafana.board import Heading, Place, dashboard, link
from dashboards.grafana.edition import Edition
from dashboards.grafana.influxql import WHOLE, ZONE, Query
from dashboards.grafana.looks import (
    BAD,
    BLUE,
    GOOD,
    NEUTRAL,
    ORANGE,
    SKY,
    VERMILION,
    WARN,
    alert_states,
    fixed,
    named,
    rules,
    severities,
    steps,
    without,
)
from dashboards.grafana.panels import (
    PAINTED,
    arranged,
    bars,
    coloured,
    column,
    figure,
    lines,
    rows,
    sorted_by,
)

OPEN_FOR: Final = "now-90d"
"""How far back an alert may have been raised and still be found open."""

_HEARD_OF: Final = '"to_state" !~ /^(pending|dropped)$/'
"""Leaves out what was never raised."""

_TRANSITIONS: Final = (
    'SELECT "alert_id", "to_state", "rule", "zone_id", "severity", "actor" FROM "alert" '
    f"WHERE {ZONE} AND {_HEARD_OF} AND $timeFilter"
)
_COUNTS: Final = (
    'SELECT count("raised_after_s") AS "raised", count("closed_after_s") AS "closed", '
    'median("acknowledged_after_s") AS "acknowledged", median("returned_after_s") AS "returned" '
    f'FROM "alert" WHERE {ZONE} AND $timeFilter'
)
TIMES: Final = ("acknowledged", "returned", "closed")
"""What an alert waits for: each has a field that says how long it took."""


def alerts(edition: Edition) -> model.Dashboard:
    """The dashboard."""
    return dashboard(
        edition,
        "alerts",
        [
            Place(open_count(edition), 4, 4),
            Place(raised(edition), 4, 4),
            Place(closed(edition), 4, 4),
            Place(closing_rate(edition), 4, 4),
            Place(acknowledged_after(edition), 4, 4),
            Place(closed_after(edition), 4, 4),
            Place(open_list(edition), 24, 9),
            Heading("alerts.answer"),
            Place(by_day(edition), 12, 9),
            Place(times(edition), 12, 9),
            Place(by_zone(edition), 12, 9),
            Place(by_rule(edition), 12, 9),
            Heading("alerts.record"),
            Place(record(edition), 24, 10),
        ],
        variables=["zone"],
        since="now-30d",
        refresh="1m",
    )


def open_count(edition: Edition) -> stat.Panel:
    """How many alerts are open now."""
    query = _transitions(edition)
    panel = figure(edition, "alerts.open_count", query, calc="count", fields="/^alert_id$/")
    for step in _open():
        panel.with_transformation(step)
    panel.time_from(OPEN_FOR).hide_time_override(True)
    return panel.thresholds(steps(GOOD, (1, WARN), (5, BAD)))


def raised(edition: Edition) -> stat.Panel:
    """How many alerts were raised."""
    query = edition.query(_counted('"raised"'))
    return figure(edition, "alerts.raised", query).color_scheme(fixed(VERMILION))


def closed(edition: Edition) -> stat.Panel:
    """How many alerts were closed."""
    query = edition.query(_counted('"closed"'))
    return figure(edition, "alerts.closed", query).color_scheme(fixed(BLUE))


def closing_rate(edition: Edition) -> stat.Panel:
    """Closed of raised: the figure of the bulletin."""
    query = edition.query(_counted('"closed" / "raised"', ' WHERE "raised" > 0'))
    panel = figure(edition, "alerts.closing_rate", query).unit("percentunit").decimals(1)
    return panel.thresholds(_rate())


def acknowledged_after(edition: Edition) -> stat.Panel:
    """How long an alert waits until somebody takes it."""
    return _median(edition, "acknowledged").thresholds(steps(GOOD, (300, WARN), (900, BAD)))


def closed_after(edition: Edition) -> stat.Panel:
    """How long an alert is open."""
    return _median(edition, "closed").thresholds(steps(GOOD, (3600, WARN), (14_400, BAD)))


def open_list(edition: Edition) -> table.Panel:
    """The open alerts, the oldest first."""
    panel = rows(edition, "alerts.open_list", _transitions(edition))
    for step in _open():
        panel.with_transformation(step)
    panel.with_transformation(
        arranged(
            "Time (firstNotNull)", "rule (lastNotNull)", "zone_id (lastNotNull)",
            "severity (lastNotNull)", "to_state (lastNotNull)", "Time (lastNotNull)",
            "actor (lastNotNull)", "alert_id", hidden=(),
        )
    )  # fmt: skip
    sorted_by(panel, edition.say("column.raised"))
    panel.time_from(OPEN_FOR).hide_time_override(True)
    ago = "dateTimeFromNow"
    column(panel, "Time (firstNotNull)", edition.say("column.raised"), unit=ago)
    column(panel, "Time (lastNotNull)", edition.say("column.since"), unit=ago)
    return _words(panel, edition, " (lastNotNull)")


def by_day(edition: Edition) -> timeseries.Panel:
    """How many alerts were raised and closed, day by day."""
    names = {what: edition.say(f"series.{what}") for what in ("raised", "closed")}
    queries = [
        edition.query(
            f'SELECT count("{what}_after_s") FROM "alert" WHERE {ZONE} AND $timeFilter '
            f"GROUP BY time(1d) fill(0) {edition.day}",
            alias=name,
        )
        for what, name in names.items()
    ]
    panel = bars(edition, "alerts.by_day", *queries).decimals(0).interval("1d")
    return coloured(panel, {names["raised"]: VERMILION, names["closed"]: BLUE})


def times(edition: Edition) -> timeseries.Panel:
    """How long it took until alerts were acknowledged, patrolled, closed: day by day."""
    names = {what: edition.say(f"series.{what}_after") for what in TIMES}
    queries = [
        edition.query(
            f'SELECT median("{what}_after_s") FROM "alert" WHERE {ZONE} AND $timeFilter '
            f"GROUP BY time(1d) fill(none) {edition.day}",
            alias=name,
        )
        for what, name in names.items()
    ]
    panel = lines(edition, "alerts.times", *queries).unit("s").decimals(0).interval("1d")
    panel.span_nulls(True).show_points(VisibilityMode.ALWAYS).point_size(6).fill_opacity(0)
    return coloured(panel, dict(zip(names.values(), (ORANGE, SKY, BLUE), strict=True)))


def by_zone(edition: Edition) -> table.Panel:
    """Which zones alarm, and how they are answered."""
    return _by(edition, "alerts.by_zone", "zone_id")


def by_rule(edition: Edition) -> table.Panel:
    """Which rules alarm, and how they are answered."""
    return _by(edition, "alerts.by_rule", "rule")


def record(edition: Edition) -> table.Panel:
    """Who did what, when and why, the newest first."""
    query = edition.query(
        'SELECT "alert_id", "rule", "zone_id", "severity", "from_state", "to_state", "actor", '
        f'"reason" FROM "alert" WHERE {ZONE} AND {_HEARD_OF} AND $timeFilter '
        "ORDER BY time DESC LIMIT 500",
        table=True,
    )
    panel = rows(edition, "alerts.record", query)
    panel.with_transformation(
        arranged(
            "Time", "rule", "zone_id", "severity", "from_state", "to_state", "actor", "reason",
            "alert_id", hidden=(),
        )
    )  # fmt: skip
    column(panel, "Time", edition.say("column.when"), unit="time:MM-DD HH:mm:ss")
    column(panel, "reason", edition.say("column.reason"))
    column(
        panel, "from_state", edition.say("column.from_state"),
        mappings=[alert_states(edition.words)],
    )  # fmt: skip
    return _words(panel, edition)


def _transitions(edition: Edition) -> Query:
    return edition.query(_TRANSITIONS, table=True)


def _open() -> list[DataTransformerConfig]:
    """From transitions the alerts, and from these the open ones.

    An alert is the sum of its transitions, and its identity is a field: InfluxQL cannot group
    by it, Grafana can.
    """
    last = {"aggregations": ["lastNotNull"], "operation": "aggregate"}
    fields: dict[str, object] = dict.fromkeys(
        ("to_state", "rule", "zone_id", "severity", "actor"), last
    )
    fields["alert_id"] = {"aggregations": [], "operation": "groupby"}
    fields["Time"] = {"aggregations": ["firstNotNull", "lastNotNull"], "operation": "aggregate"}
    ended = [
        {
            "fieldName": "to_state (lastNotNull)",
            "config": {"id": "equal", "options": {"value": state}},
        }
        for state in ("closed", "voided")
    ]
    return [
        DataTransformerConfig(id_val="groupBy", options={"fields": fields}),
        DataTransformerConfig(
            id_val="filterByValue", options={"filters": ended, "match": "any", "type": "exclude"}
        ),
    ]


def _counted(what: str, condition: str = "") -> str:
    """A query of one number, zero when nothing of it happened but something else did."""
    return f"SELECT {what} FROM ({_COUNTS} GROUP BY {WHOLE} fill(0)){condition}"


def _median(edition: Edition, what: str) -> stat.Panel:
    query = edition.query(
        f'SELECT median("{what}_after_s") FROM "alert" WHERE {ZONE} AND $timeFilter'
    )
    return figure(edition, f"alerts.{what}_after", query).unit("s").decimals(0)


def _by(edition: Edition, key: str, tag: str) -> table.Panel:
    query = edition.query(
        'SELECT "raised", "closed", "closed" / "raised" AS "rate", "acknowledged", "returned" '
        f'FROM ({_COUNTS} GROUP BY {WHOLE}, "{tag}" fill(0)) WHERE "raised" > 0 GROUP BY "{tag}"',
        table=True,
    )
    panel = rows(edition, key, query)
    panel.with_transformation(arranged(tag, "raised", "closed", "rate", "acknowledged", "returned"))
    sorted_by(panel, edition.say("series.raised"), descending=True)
    for name in ("raised", "closed"):
        column(panel, name, edition.say(f"series.{name}"))
    column(
        panel, "rate", edition.say("column.rate"), unit="percentunit", decimals=1,
        thresholds=_rate().build(), custom_cellOptions=PAINTED,
    )  # fmt: skip
    for name in ("acknowledged", "returned"):
        column(
            panel, name, edition.say(f"column.{name}_after"), unit="s", decimals=0,
            mappings=[named([("0", "–", NEUTRAL)])],
        )  # fmt: skip
    return _words(panel, edition)


def _rate() -> ThresholdsConfig:
    """The rates that are published are over 99 %."""
    return steps(BAD, (0.9, WARN), (0.99, GOOD))


def _words(panel: table.Panel, edition: Edition, suffix: str = "") -> table.Panel:
    """Titles and words of the columns that say which alert it is and where it stands."""
    column(panel, "alert_id", edition.say("column.alert"))
    column(panel, f"rule{suffix}", edition.say("column.rule"), mappings=[rules(edition.words)])
    column(
        panel, f"zone_id{suffix}", edition.say("column.zone"),
        mappings=[without(edition.say("none.zone"))],
        links=[link(edition, "coverage", "zone", f"zone_id{suffix}")],
    )  # fmt: skip
    column(
        panel, f"severity{suffix}", edition.say("column.severity"),
        mappings=[severities(edition.words)],
    )  # fmt: skip
    column(
        panel, f"to_state{suffix}", edition.say("column.state"),
        mappings=[alert_states(edition.words)], custom_cellOptions=PAINTED,
    )  # fmt: skip
    return column(panel, f"actor{suffix}", edition.say("column.actor"))
