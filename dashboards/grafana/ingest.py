"""The dashboard *Ingest health*: intake, lag, the parts of the station, and what is rejected."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import common, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.models.common import GraphThresholdsStyleMode

from bikes.errors import REJECT_REASONS
from dashboards.grafana import looks, panels
from dashboards.grafana.board import Board, Row
from dashboards.grafana.edition import BEHIND_S, Edition
from dashboards.grafana.influxql import BIKE, VENDOR

COUNTERS: Final = {
    "received": looks.BLUE,
    "stored": looks.GREEN,
    "duplicates": looks.ORANGE,
    "rejected": looks.VERMILION,
}


def rate_now(edition: Edition) -> stat.Panel:
    """Fixes a second."""
    panel = panels.figure(edition, "ingest.rate_now", _per_second("received")).decimals(1)
    panel.thresholds(looks.steps(looks.BAD, (0.01, looks.GOOD)))
    return panel.unit(edition.say("unit.per_second"))


def lag_now(edition: Edition) -> stat.Panel:
    """How far the station is behind."""
    panel = panels.figure(edition, "ingest.lag_now", _of_hosts("max", "lag_s"))
    return panel.unit("s").decimals(1).thresholds(_lateness())


def depth_now(edition: Edition) -> stat.Panel:
    """How many messages wait in the log."""
    panel = panels.figure(edition, "ingest.depth_now", _of_hosts("sum", "log_depth"))
    panel.thresholds(looks.steps(looks.GOOD, (10_000, looks.WARN), (100_000, looks.BAD)))
    return panel.unit("short").decimals(0)


def rejected_share(edition: Edition) -> stat.Panel:
    """The share of all messages that was rejected."""
    query = (
        'SELECT sum("rejected") / sum("received") FROM ('
        'SELECT non_negative_difference(last("rejected")) AS "rejected", '
        'non_negative_difference(last("received")) AS "received" FROM "ingest_health" '
        'WHERE $timeFilter GROUP BY time(1m), "host")'
    )
    panel = panels.figure(edition, "ingest.rejected_share", query).unit("percentunit").decimals(2)
    return panel.thresholds(looks.steps(looks.GOOD, (0.01, looks.WARN), (0.05, looks.BAD)))


def parts(edition: Edition) -> statetimeline.Panel:
    """When each part of the station worked: inlet, log, archive, the copy to InfluxDB."""
    query = edition.query(
        'SELECT min("ok") FROM "part_state" WHERE $timeFilter '
        'GROUP BY time($__interval), "host", "part" fill(null)',
        alias="$tag_part",
    )
    works, fails = edition.say("works.true"), edition.say("works.false")
    words = looks.named([("1", f"✓ {works}", looks.GOOD), ("0", f"! {fails}", looks.BAD)])
    return panels.timeline(edition, "ingest.parts", query).interval("30s").mappings([words])


def rate(edition: Edition) -> timeseries.Panel:
    """Messages received, stored, duplicate and rejected, a second."""
    queries = [
        edition.query(_per_second(counter), alias=edition.say(f"series.{counter}"), colour=colour)
        for counter, colour in COUNTERS.items()
    ]
    panel = panels.lines(edition, "ingest.rate", *queries).interval("30s")
    return panel.unit(edition.say("unit.per_second"))


def lag(edition: Edition) -> timeseries.Panel:
    """How far the station was behind."""
    panel = _worst(edition, "lag", "lag_s").unit("s").thresholds(_lateness())
    dashed = common.GraphThresholdsStyleConfig().mode(GraphThresholdsStyleMode.DASHED)
    return panel.thresholds_style(dashed)


def depth(edition: Edition) -> timeseries.Panel:
    """How many messages waited in the log."""
    return _worst(edition, "depth", "log_depth").unit("short").decimals(0).fill_opacity(20)


def rejects(edition: Edition) -> timeseries.Panel:
    """How many messages were rejected, by reason."""
    query = edition.query(
        f'SELECT sum("rejected") FROM "ingest_rejects" WHERE {VENDOR} AND $timeFilter '
        'GROUP BY time($__interval), "reason" fill(0)',
        alias="$tag_reason",
    )
    panel = panels.bars(edition, "ingest.rejects", query, stacked=True).interval("1m").decimals(0)
    for reason, colour in looks.REASON_COLOURS.items():
        word = edition.say(f"reject.{reason}")
        panels.looking(panel, reason, displayName=word, color=looks.fixed(colour).build())
    return panel


def rejects_by_vendor(edition: Edition) -> table.Panel:
    """How many messages of each vendor were rejected, by reason."""
    return panels.rows(
        edition,
        "ingest.rejects_by_vendor",
        f'SELECT sum("rejected") AS "rejected" FROM "ingest_rejects" '
        f'WHERE {VENDOR} AND $timeFilter GROUP BY "vendor", "reason"',
        columns={
            "vendor": {"title": "vendor"},
            "reason": {
                "title": "why",
                "mappings": [looks.words_for(edition.words, "reject", REJECT_REASONS)],
            },
            "rejected": {"title": "messages"},
        },
        sort="rejected",
        descending=True,
    )


def verdicts(edition: Edition) -> timeseries.Panel:
    """How many fixes count for coverage, and how many do not, by verdict."""
    queries = [
        edition.query(
            f'SELECT count("verdict") FROM "bike_verdict" WHERE {BIKE} '
            f"AND \"verdict\" = '{verdict}' AND $timeFilter GROUP BY time($__interval) fill(0)",
            alias=edition.say(f"verdict.{verdict}"),
            colour=colour,
        )
        for verdict, colour in looks.VERDICT_COLOURS.items()
    ]
    panel = panels.bars(edition, "ingest.verdicts", *queries, stacked=True)
    return panel.interval("1m").decimals(0)


def sampling(edition: Edition) -> table.Panel:
    """How often each vendor's bikes report."""
    seconds = {"unit": "s", "decimals": 0}
    return panels.rows(
        edition,
        "ingest.sampling",
        'SELECT median("interval_s") AS "median", percentile("interval_s", 95) AS "p95" '
        f'FROM "bike_telemetry" WHERE {BIKE} AND $timeFilter GROUP BY "vendor"',
        columns={
            "vendor": {"title": "vendor"},
            "median": {"title": "median", **seconds},
            "p95": {"title": "p95", **seconds},
        },
        sort="median",
        descending=True,
    )


INGEST: Final = Board(
    name="ingest",
    rows=(
        Row(4, (rate_now, lag_now, depth_now, rejected_share)),
        Row(8, (parts,)),
        Row(8, (rate,)),
        Row(8, (lag, depth)),
        Row(9, (rejects, rejects_by_vendor), widths=(14, 10), heading="ingest.vendors"),
        Row(9, (verdicts, sampling), widths=(14, 10)),
    ),
    variables=("vendor", "bike"),
    since="now-6h",
    refresh="10s",
)


def _worst(edition: Edition, name: str, field: str) -> timeseries.Panel:
    """The largest value of a figure of the station in each interval."""
    text = f'SELECT max("{field}") FROM "ingest_health" WHERE $timeFilter '
    query = edition.query(
        f"{text}GROUP BY time($__interval) fill(null)",
        alias=edition.say(f"series.{name}"),
        colour=looks.BLUE,
    )
    return panels.lines(edition, f"ingest.{name}", query).interval("30s")


def _per_second(counter: str) -> str:
    """The rate of a counter, of all hosts together; a restart, where it falls, is left out."""
    return (
        f'SELECT sum("rate") FROM (SELECT non_negative_derivative(last("{counter}"), 1s) AS "rate" '
        'FROM "ingest_health" WHERE $timeFilter GROUP BY time($__interval), "host") '
        "WHERE $timeFilter GROUP BY time($__interval) fill(null)"
    )


def _of_hosts(function: str, field: str) -> str:
    """The last value of each host, reduced to one."""
    last = f'SELECT last("{field}") AS "{field}" FROM "ingest_health" WHERE $timeFilter '
    return f'SELECT {function}("{field}") FROM ({last}GROUP BY "host")'


def _lateness() -> ThresholdsConfig:
    return looks.steps(looks.GOOD, (10, looks.WARN), (BEHIND_S, looks.BAD))
