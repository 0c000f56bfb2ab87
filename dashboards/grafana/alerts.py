"""The dashboard *Alerts*: the open ones, how fast they are answered, and the closing rate."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.models.common import VisibilityMode
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig

from alerts.rules import RULES
from dashboards.grafana import looks, panels
from dashboards.grafana.board import Board, Row, link
from dashboards.grafana.edition import Edition
from dashboards.grafana.influxql import WHOLE, ZONE, Query

OPEN_FOR: Final = "now-90d"
"""How far back an alert may have been raised and still be found open."""

_HEARD_OF: Final = '"to_state" !~ /^(pending|dropped)$/'
"""Leaves out alerts that were never raised."""

_TRANSITIONS: Final = (
    'SELECT "alert_id", "to_state", "rule", "zone_id", "severity", "actor" FROM "alert" '
    f"WHERE {ZONE} AND {_HEARD_OF} AND $timeFilter"
)
_COUNTS: Final = (
    'SELECT count("raised_after_s") AS "raised", count("closed_after_s") AS "closed", '
    'median("acknowledged_after_s") AS "acknowledged", median("returned_after_s") AS "returned" '
    f'FROM "alert" WHERE {ZONE} AND $timeFilter'
)


def open_count(edition: Edition) -> stat.Panel:
    """How many alerts are open now."""
    panel = panels.figure(
        edition, "alerts.open_count", _TRANSITIONS, calc="count", fields="/^alert_id$/", table=True
    )
    for step in _open():
        panel.with_transformation(step)
    panel.time_from(OPEN_FOR).hide_time_override(True)
    return panel.thresholds(looks.steps(looks.GOOD, (1, looks.WARN), (5, looks.BAD)))


def raised(edition: Edition) -> stat.Panel:
    """How many alerts were raised."""
    panel = panels.figure(edition, "alerts.raised", _counted('"raised"'))
    return panel.color_scheme(looks.fixed(looks.VERMILION))


def closed(edition: Edition) -> stat.Panel:
    """How many alerts were closed."""
    panel = panels.figure(edition, "alerts.closed", _counted('"closed"'))
    return panel.color_scheme(looks.fixed(looks.BLUE))


def closing_rate(edition: Edition) -> stat.Panel:
    """Closed of raised: the figure of the bulletin."""
    query = _counted('"closed" / "raised"', ' WHERE "raised" > 0')
    panel = panels.figure(edition, "alerts.closing_rate", query).unit("percentunit").decimals(1)
    return panel.thresholds(_rate())


def acknowledged_after(edition: Edition) -> stat.Panel:
    """How long an alert waits until somebody acknowledges it."""
    limits = looks.steps(looks.GOOD, (300, looks.WARN), (900, looks.BAD))
    return _median(edition, "acknowledged").thresholds(limits)


def closed_after(edition: Edition) -> stat.Panel:
    """How long an alert is open."""
    limits = looks.steps(looks.GOOD, (3600, looks.WARN), (14_400, looks.BAD))
    return _median(edition, "closed").thresholds(limits)


def open_list(edition: Edition) -> table.Panel:
    """The open alerts, the oldest first."""
    shown = _alert_columns(edition, " (lastNotNull)")
    columns: dict[str, dict[str, object]] = {
        "Time (firstNotNull)": {"title": "raised", "unit": "dateTimeFromNow"},
        **{name: shown[name] for name in list(shown)[:4]},
        "Time (lastNotNull)": {"title": "since", "unit": "dateTimeFromNow"},
        **{name: shown[name] for name in list(shown)[4:]},
    }
    panel = panels.rows(
        edition, "alerts.open_list", _TRANSITIONS, before=_open(), columns=columns, hidden=(),
        sort="Time (firstNotNull)",
    )  # fmt: skip
    return panel.time_from(OPEN_FOR).hide_time_override(True)


def by_day(edition: Edition) -> timeseries.Panel:
    """How many alerts were raised and closed, day by day."""
    counts = [
        _daily(edition, "count", what, "fill(0)", f"series.{what}", colour)
        for what, colour in (("raised", looks.VERMILION), ("closed", looks.BLUE))
    ]
    return panels.bars(edition, "alerts.by_day", *counts).decimals(0).interval("1d")


def times(edition: Edition) -> timeseries.Panel:
    """How long it took until alerts were acknowledged, patrolled, closed: day by day."""
    colours = {"acknowledged": looks.ORANGE, "returned": looks.SKY, "closed": looks.BLUE}
    medians = [
        _daily(edition, "median", what, "fill(none)", f"series.{what}_after", colour)
        for what, colour in colours.items()
    ]
    panel = panels.lines(edition, "alerts.times", *medians).unit("s").decimals(0).interval("1d")
    panel.span_nulls(True).show_points(VisibilityMode.ALWAYS).point_size(6)
    return panel.fill_opacity(0)


def by_zone(edition: Edition) -> table.Panel:
    """How many alerts each zone has, and how they are answered."""
    return _by(edition, "alerts.by_zone", "zone_id")


def by_rule(edition: Edition) -> table.Panel:
    """How many alerts each rule raises, and how they are answered."""
    return _by(edition, "alerts.by_rule", "rule")


def record(edition: Edition) -> table.Panel:
    """Every transition with its person, time and reason, the newest first."""
    states = [looks.words_for(edition.words, "alert", looks.ALERT_COLOURS)]
    shown = _alert_columns(edition)
    return panels.rows(
        edition,
        "alerts.record",
        'SELECT "alert_id", "rule", "zone_id", "severity", "from_state", "to_state", "actor", '
        f'"reason" FROM "alert" WHERE {ZONE} AND {_HEARD_OF} AND $timeFilter '
        "ORDER BY time DESC LIMIT 500",
        columns={
            "Time": {"title": "when", "unit": "time:MM-DD HH:mm:ss"},
            **{name: shown[name] for name in ("rule", "zone_id", "severity")},
            "from_state": {"title": "from_state", "mappings": states},
            **{name: shown[name] for name in ("to_state", "actor")},
            "reason": {"title": "reason"},
            "alert_id": shown["alert_id"],
        },
        hidden=(),
    )


ALERTS: Final = Board(
    name="alerts",
    rows=(
        Row(4, (open_count, raised, closed, closing_rate, acknowledged_after, closed_after)),
        Row(9, (open_list,)),
        Row(9, (by_day, times), heading="alerts.answer"),
        Row(9, (by_zone, by_rule)),
        Row(10, (record,), heading="alerts.record"),
    ),
    variables=("zone",),
    since="now-30d",
    refresh="1m",
)


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


def _daily(edition: Edition, function: str, what: str, fill: str, title: str, colour: str) -> Query:
    """A figure of how long alerts took to reach a state, one value a day."""
    text = (
        f'SELECT {function}("{what}_after_s") FROM "alert" WHERE {ZONE} AND $timeFilter '
        f"GROUP BY time(1d) {fill} {edition.day}"
    )
    return edition.query(text, alias=edition.say(title), colour=colour)


def _median(edition: Edition, what: str) -> stat.Panel:
    query = f'SELECT median("{what}_after_s") FROM "alert" WHERE {ZONE} AND $timeFilter'
    return panels.figure(edition, f"alerts.{what}_after", query).unit("s").decimals(0)


def _by(edition: Edition, key: str, tag: str) -> table.Panel:
    # 0 s stands for never.
    after = {"unit": "s", "decimals": 0, "mappings": [looks.named([("0", "–", looks.NEUTRAL)])]}
    return panels.rows(
        edition,
        key,
        'SELECT "raised", "closed", "closed" / "raised" AS "rate", "acknowledged", "returned" '
        f'FROM ({_COUNTS} GROUP BY {WHOLE}, "{tag}" fill(0)) WHERE "raised" > 0 GROUP BY "{tag}"',
        columns={
            tag: _alert_columns(edition)[tag],
            "raised": {"title": "raised"},
            "closed": {"title": "closed"},
            "rate": {
                "title": "rate",
                "unit": "percentunit",
                "decimals": 1,
                "thresholds": _rate().build(),
                "custom_cellOptions": panels.PAINTED,
            },
            "acknowledged": {"title": "acknowledged_after", **after},
            "returned": {"title": "returned_after", **after},
        },
        sort="raised",
        descending=True,
    )


def _rate() -> ThresholdsConfig:
    """The rates that are published are over 99 %."""
    return looks.steps(looks.BAD, (0.9, looks.WARN), (0.99, looks.GOOD))


def _alert_columns(edition: Edition, suffix: str = "") -> dict[str, dict[str, object]]:
    """The columns that say which alert it is and where it stands, from left to right."""
    texts = edition.words
    zone = link(edition, "coverage", "zone", f"zone_id{suffix}")
    return {
        f"rule{suffix}": {
            "title": "rule",
            "mappings": [looks.words_for(texts, "rule", tuple(RULES))],
        },
        f"zone_id{suffix}": {
            "title": "zone",
            "mappings": [looks.without(edition.say("none.zone"))],
            "links": [zone],
        },
        f"severity{suffix}": {
            "title": "severity",
            "mappings": [looks.words_for(texts, "severity", looks.SEVERITY_COLOURS)],
        },
        f"to_state{suffix}": {
            "title": "state",
            "mappings": [looks.words_for(texts, "alert", looks.ALERT_COLOURS)],
            "custom_cellOptions": panels.PAINTED,
        },
        f"actor{suffix}": {"title": "actor"},
        "alert_id": {"title": "alert"},
    }
