"""The dashboard *Ingest health*: does everything arrive, how late, what is refused and why."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import common, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import GraphThresholdsStyleMode

from alerts.rules import MAX_BEHIND_MS
from dashboards.grafana.board import Heading, Place, dashboard
from dashboards.grafana.edition import Edition
from dashboards.grafana.influxql import BIKE, VENDOR
from dashboards.grafana.looks import (
    BAD,
    BLUE,
    GOOD,
    GREEN,
    ORANGE,
    REASON_COLOURS,
    VERDICT_COLOURS,
    VERMILION,
    WARN,
    fixed,
    named,
    reasons,
    steps,
)
from dashboards.grafana.panels import (
    arranged,
    bars,
    coloured,
    column,
    figure,
    lines,
    rows,
    sorted_by,
    timeline,
)

BEHIND_S: Final = MAX_BEHIND_MS // 1000
"""From here on zones are unmeasurable, because the station itself is behind [s]."""

COUNTERS: Final = {"received": BLUE, "stored": GREEN, "duplicates": ORANGE, "rejected": VERMILION}


def ingest(edition: Edition) -> model.Dashboard:
    """The dashboard."""
    return dashboard(
        edition,
        "ingest",
        [
            Place(rate_now(edition), 6, 4),
            Place(lag_now(edition), 6, 4),
            Place(depth_now(edition), 6, 4),
            Place(rejected_share(edition), 6, 4),
            Place(parts(edition), 24, 8),
            Place(rate(edition), 24, 8),
            Place(lag(edition), 12, 8),
            Place(depth(edition), 12, 8),
            Heading("ingest.vendors"),
            Place(rejects(edition), 14, 9),
            Place(rejects_by_vendor(edition), 10, 9),
            Place(verdicts(edition), 14, 9),
            Place(sampling(edition), 10, 9),
        ],
        variables=["vendor", "bike"],
        since="now-6h",
        refresh="10s",
    )


def rate_now(edition: Edition) -> stat.Panel:
    """Fixes a second."""
    panel = figure(edition, "ingest.rate_now", edition.query(_per_second("received")))
    return (
        panel.unit(edition.say("unit.per_second")).decimals(1).thresholds(steps(BAD, (0.01, GOOD)))
    )


def lag_now(edition: Edition) -> stat.Panel:
    """How far the station is behind."""
    query = edition.query(f'SELECT max("lag_s") FROM ({_last_of_hosts("lag_s")})')
    return figure(edition, "ingest.lag_now", query).unit("s").decimals(1).thresholds(_lateness())


def depth_now(edition: Edition) -> stat.Panel:
    """How many messages wait in the log."""
    query = edition.query(f'SELECT sum("log_depth") FROM ({_last_of_hosts("log_depth")})')
    panel = figure(edition, "ingest.depth_now", query).unit("short").decimals(0)
    return panel.thresholds(_fullness())


def rejected_share(edition: Edition) -> stat.Panel:
    """Which share of what came in was refused."""
    query = edition.query(
        'SELECT sum("rejected") / sum("received") FROM ('
        'SELECT non_negative_difference(last("rejected")) AS "rejected", '
        'non_negative_difference(last("received")) AS "received" FROM "ingest_health" '
        'WHERE $timeFilter GROUP BY time(1m), "host")'
    )
    panel = figure(edition, "ingest.rejected_share", query).unit("percentunit").decimals(2)
    return panel.thresholds(steps(GOOD, (0.01, WARN), (0.05, BAD)))


def parts(edition: Edition) -> statetimeline.Panel:
    """Which part of the station worked when: inlet, log, archive, the copy to InfluxDB."""
    query = edition.query(
        'SELECT min("ok") FROM "part_state" WHERE $timeFilter '
        'GROUP BY time($__interval), "host", "part" fill(null)',
        alias="$tag_part",
    )
    words = named(
        [
            ("1", f"✓ {edition.say('works.true')}", GOOD),
            ("0", f"! {edition.say('works.false')}", BAD),
        ]
    )
    return timeline(edition, "ingest.parts", query).interval("30s").mappings([words])


def rate(edition: Edition) -> timeseries.Panel:
    """What comes in, what is kept, what was there already, what is refused."""
    names = {counter: edition.say(f"series.{counter}") for counter in COUNTERS}
    queries = [edition.query(_per_second(counter), alias=name) for counter, name in names.items()]
    panel = lines(edition, "ingest.rate", *queries).interval("30s")
    panel.unit(edition.say("unit.per_second"))
    return coloured(panel, {names[counter]: colour for counter, colour in COUNTERS.items()})


def lag(edition: Edition) -> timeseries.Panel:
    """How far the station was behind."""
    name = edition.say("series.lag")
    query = edition.query(
        'SELECT max("lag_s") FROM "ingest_health" WHERE $timeFilter '
        "GROUP BY time($__interval) fill(null)",
        alias=name,
    )
    panel = lines(edition, "ingest.lag", query).interval("30s").unit("s").thresholds(_lateness())
    panel.thresholds_style(
        common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
    )
    return coloured(panel, {name: BLUE})


def depth(edition: Edition) -> timeseries.Panel:
    """How many messages waited in the log."""
    name = edition.say("series.depth")
    query = edition.query(
        'SELECT max("log_depth") FROM "ingest_health" WHERE $timeFilter '
        "GROUP BY time($__interval) fill(null)",
        alias=name,
    )
    panel = lines(edition, "ingest.depth", query).interval("30s").unit("short").decimals(0)
    return coloured(panel.fill_opacity(20), {name: BLUE})


def rejects(edition: Edition) -> timeseries.Panel:
    """How much was refused, by reason."""
    query = edition.query(
        f'SELECT sum("rejected") FROM "ingest_rejects" WHERE {VENDOR} AND $timeFilter '
        'GROUP BY time($__interval), "reason" fill(0)',
        alias="$tag_reason",
    )
    panel = bars(edition, "ingest.rejects", query, stacked=True).interval("1m").decimals(0)
    for reason, colour in REASON_COLOURS.items():
        column(panel, reason, edition.say(f"reject.{reason}"), color=fixed(colour).build())
    return panel


def rejects_by_vendor(edition: Edition) -> table.Panel:
    """Whose messages are refused, and why."""
    query = edition.query(
        f'SELECT sum("rejected") AS "rejected" FROM "ingest_rejects" '
        f'WHERE {VENDOR} AND $timeFilter GROUP BY "vendor", "reason"',
        table=True,
    )
    panel = rows(edition, "ingest.rejects_by_vendor", query)
    panel.with_transformation(arranged("vendor", "reason", "rejected"))
    sorted_by(panel, edition.say("column.messages"), descending=True)
    column(panel, "vendor", edition.say("column.vendor"))
    column(panel, "reason", edition.say("column.why"), mappings=[reasons(edition.words)])
    return column(panel, "rejected", edition.say("column.messages"))


def verdicts(edition: Edition) -> timeseries.Panel:
    """Which fixes give coverage, and why the others do not."""
    queries = [
        edition.query(
            f'SELECT count("lat") FROM "bike_telemetry" WHERE {BIKE} '
            f"AND \"verdict\" = '{verdict}' AND $timeFilter GROUP BY time($__interval) fill(0)",
            alias=edition.say(f"verdict.{verdict}"),
        )
        for verdict in VERDICT_COLOURS
    ]
    panel = bars(edition, "ingest.verdicts", *queries, stacked=True).interval("1m").decimals(0)
    return coloured(
        panel,
        {edition.say(f"verdict.{name}"): colour for name, colour in VERDICT_COLOURS.items()},
    )


def sampling(edition: Edition) -> table.Panel:
    """How often each vendor's bikes report."""
    query = edition.query(
        'SELECT median("gap") AS "median", percentile("gap", 95) AS "p95" FROM ('
        f'SELECT elapsed("lat", 1s) AS "gap" FROM "bike_telemetry" WHERE {BIKE} AND $timeFilter '
        'GROUP BY "vendor", "bike_id") GROUP BY "vendor"',
        table=True,
    )
    panel = rows(edition, "ingest.sampling", query)
    panel.with_transformation(arranged("vendor", "median", "p95"))
    sorted_by(panel, edition.say("column.median"), descending=True)
    column(panel, "vendor", edition.say("column.vendor"))
    column(panel, "median", edition.say("column.median"), unit="s", decimals=0)
    return column(panel, "p95", edition.say("column.p95"), unit="s", decimals=0)


def _per_second(counter: str) -> str:
    """The rate of a counter, of all hosts together; a restart, where it falls, is left out."""
    return (
        f'SELECT sum("rate") FROM (SELECT non_negative_derivative(last("{counter}"), 1s) AS "rate" '
        'FROM "ingest_health" WHERE $timeFilter GROUP BY time($__interval), "host") '
        "WHERE $timeFilter GROUP BY time($__interval) fill(null)"
    )


def _last_of_hosts(field: str) -> str:
    return (
        f'SELECT last("{field}") AS "{field}" FROM "ingest_health" '
        'WHERE $timeFilter GROUP BY "host"'
    )


def _lateness() -> ThresholdsConfig:
    return steps(GOOD, (10, WARN), (BEHIND_S, BAD))


def _fullness() -> ThresholdsConfig:
    return steps(GOOD, (10_000, WARN), (100_000, BAD))
