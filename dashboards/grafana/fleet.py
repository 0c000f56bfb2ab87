"""The dashboard *Fleet*: which bikes are live, where they are, how far they ride, their charge."""

from __future__ import annotations

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
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import FrameGeometrySourceMode
from grafana_foundation_sdk.models.geomap import TooltipMode

from dashboards.grafana.board import Place, dashboard, link
from dashboards.grafana.edition import Edition
from dashboards.grafana.influxql import BIKE, BIKE_IN_ZONE, ZONE, Query
from dashboards.grafana.looks import (
    BAD,
    BLUE,
    GOOD,
    NEUTRAL,
    WARN,
    fixed,
    named,
    steps,
    verdicts,
)
from dashboards.grafana.panels import (
    BAR,
    arranged,
    bars,
    coloured,
    column,
    dressed,
    figure,
    lines,
    ordered,
    ranking,
    rows,
    sorted_by,
    timeline,
)

F = TypeVar("F", geomap.Panel, table.Panel)

LIVE: Final = "5m"
"""A bike that was not heard for longer is silent; the console says the same."""

LOW_BATTERY: Final = 20
"""Below this charge a bike should go home [%]."""

_IN_RANGE: Final = "time >= ${__from}ms AND time < ${__to}ms"
"""Without the end itself, from which groups of time are counted back: the last one is whole."""

_HEARD: Final = (
    'SELECT last("fixes") AS "fixes" FROM (SELECT count("lat") AS "fixes" FROM "bike_telemetry" '
    f"WHERE {BIKE} AND {_IN_RANGE} "
    f'GROUP BY time({LIVE}, ${{__to}}ms), "vendor", "bike_id" fill(0)) GROUP BY "vendor", "bike_id"'
)
"""Fixes of each bike in the last five minutes of the range, zero for one that fell silent."""

_SPEEDS: Final = (
    'SELECT mean("speed_mps") AS "speed" FROM "bike_telemetry" '
    f"WHERE {BIKE_IN_ZONE} AND $timeFilter "
    'GROUP BY time(1m), "vendor", "bike_id" fill(none)'
)
"""Mean speed of each bike in each minute, of which the distance is the sum.

A minute without telemetry has none; an integral would ride on through the night.
"""
_LAST_FIXES: Final = (
    'SELECT "lat", "lng", "heading_deg", "speed_mps", "battery_percent", "zone_id", "verdict" '
    'FROM (SELECT last("lat") AS "lat", "lng", "heading_deg", "speed_mps", "battery_percent", '
    f'"zone_id", "verdict" FROM "bike_telemetry" WHERE {BIKE} AND $timeFilter '
    'AND "verdict" !~ /^(teleport|inaccurate|duplicate)$/ '
    f'GROUP BY "vendor", "bike_id") WHERE {ZONE} GROUP BY "vendor", "bike_id"'
)
"""The last fix of each bike that can be believed; of the bikes that it puts into the zones."""


def fleet(edition: Edition) -> model.Dashboard:
    """The dashboard."""
    return dashboard(
        edition,
        "fleet",
        [
            Place(live(edition), 6, 4),
            Place(silent(edition), 6, 4),
            Place(low_battery(edition), 6, 4),
            Place(distance(edition), 6, 4),
            Place(bike_map(edition), 13, 17),
            Place(bikes(edition), 11, 17),
            Place(live_over_time(edition), 12, 8),
            Place(distance_by_hour(edition), 12, 8),
            Place(distance_by_bike(edition), 12, 14),
            Place(connections(edition), 12, 14),
        ],
        variables=["vendor", "zone", "bike"],
        since="now-6h",
        refresh="30s",
    )


def live(edition: Edition) -> stat.Panel:
    """How many bikes are live."""
    query = edition.query(f'SELECT count("fixes") FROM ({_HEARD}) WHERE "fixes" > 0')
    return figure(edition, "fleet.live", query).thresholds(steps(BAD, (1, GOOD)))


def silent(edition: Edition) -> stat.Panel:
    """How many bikes spoke in this range and are silent at its end."""
    query = edition.query(f'SELECT count("fixes") FROM ({_HEARD}) WHERE "fixes" = 0')
    return figure(edition, "fleet.silent", query).thresholds(steps(GOOD, (1, WARN), (5, BAD)))


def low_battery(edition: Edition) -> stat.Panel:
    """How many bikes are nearly empty."""
    query = edition.query(
        'SELECT count("charge") FROM (SELECT last("battery_percent") AS "charge" '
        f'FROM "bike_telemetry" WHERE {BIKE} AND $timeFilter GROUP BY "vendor", "bike_id") '
        f'WHERE "charge" < {LOW_BATTERY}'
    )
    return figure(edition, "fleet.low_battery", query).thresholds(steps(GOOD, (1, BAD)))


def distance(edition: Edition) -> stat.Panel:
    """How far all bikes rode together."""
    query = edition.query(f'SELECT sum("speed") * 60 FROM ({_SPEEDS})')
    panel = figure(edition, "fleet.distance", query)
    return panel.unit("lengthm").decimals(1).color_scheme(fixed(BLUE))


def bike_map(edition: Edition) -> geomap.Panel:
    """Where the bikes are, where they head, how full their batteries are."""
    style = {
        "color": {"field": "battery_percent", "fixed": NEUTRAL},
        "opacity": 0.9,
        "rotation": {"field": "heading_deg", "fixed": 0, "max": 360, "min": -360, "mode": "mod"},
        "size": {"fixed": 9, "max": 15, "min": 2},
        "symbol": {"fixed": "img/icons/marker/triangle.svg", "mode": "fixed"},
        "symbolAlign": {"horizontal": "center", "vertical": "center"},
        "text": {"field": "bike_id", "fixed": "", "mode": "field"},
        "textConfig": {
            "fontSize": 11,
            "offsetX": 0,
            "offsetY": 15,
            "textAlign": "center",
            "textBaseline": "middle",
        },
    }
    bikes = (
        common.MapLayerOptions()
        .type("markers")
        .name(edition.say("fleet.map.bikes"))
        .location(
            common.FrameGeometrySource()
            .mode(FrameGeometrySourceMode.COORDS)
            .latitude("lat")
            .longitude("lng")
        )
        .config({"showLegend": True, "style": style})
        .tooltip(True)
    )
    # "default" is what the administrator of Grafana has chosen; a map in GCJ-02 would be wrong.
    ground = common.MapLayerOptions().type("default").name(edition.say("fleet.map.ground"))
    panel = geomap.Panel().view(
        geomap.MapViewConfig().id("fit").all_layers(True).padding(10).zoom(15).shared(False)
    )
    # Grafana's default is to show a bike's figures under the pointer, the SDK's is not.
    panel.tooltip(geomap.TooltipOptions().mode(TooltipMode.DETAILS))
    panel.basemap(ground).layers([bikes])
    return _fix_columns(
        dressed(panel, edition, "fleet.map", [_last_fixes(edition)]).thresholds(_charge()), edition
    )


def bikes(edition: Edition) -> table.Panel:
    """Each bike's last word, the one that is silent for longest first."""
    panel = rows(edition, "fleet.bikes", _last_fixes(edition))
    panel.with_transformation(
        arranged(
            "bike_id",
            "vendor",
            "Time",
            "battery_percent",
            "speed_mps",
            "zone_id",
            "verdict",
            hidden=("lat", "lng", "heading_deg"),
        )
    )
    sorted_by(panel, edition.say("column.heard"))
    _fix_columns(panel, edition)
    column(
        panel,
        "Time",
        edition.say("column.heard"),
        unit="dateTimeFromNow",
        custom_width=140,
    )
    return column(panel, "battery_percent", custom_cellOptions=BAR, thresholds=_charge().build())


def live_over_time(edition: Edition) -> timeseries.Panel:
    """How many bikes were heard in each interval."""
    query = edition.query(
        'SELECT count("fixes") FROM (SELECT count("lat") AS "fixes" FROM "bike_telemetry" '
        f"WHERE {BIKE_IN_ZONE} AND {_IN_RANGE} "
        'GROUP BY time($__interval, ${__to}ms), "vendor", "bike_id" fill(none)) '
        f"WHERE {_IN_RANGE} GROUP BY time($__interval, ${{__to}}ms) fill(0)",
        alias=edition.say("series.bikes"),
    )
    panel = lines(edition, "fleet.live_over_time", query).interval(LIVE).decimals(0)
    return coloured(panel.fill_opacity(20), {edition.say("series.bikes"): BLUE})


def distance_by_hour(edition: Edition) -> timeseries.Panel:
    """How far the bikes rode, hour by hour."""
    name = edition.say("series.distance")
    query = edition.query(
        f'SELECT sum("speed") * 60 FROM ({_SPEEDS}) '
        f"WHERE $timeFilter GROUP BY time(1h) fill(0) {edition.day}",
        alias=name,
    )
    panel = bars(edition, "fleet.distance_by_hour", query).unit("lengthm").interval("1h")
    return coloured(panel, {name: BLUE})


def distance_by_bike(edition: Edition) -> bargauge.Panel:
    """Who rode how far."""
    query = edition.query(
        f'SELECT sum("speed") * 60 AS "distance" FROM ({_SPEEDS}) '
        'WHERE $timeFilter GROUP BY "vendor", "bike_id"',
        table=True,
    )
    panel = ranking(edition, "fleet.distance_by_bike", query)
    panel.with_transformation(arranged("bike_id", "distance", hidden=("Time", "vendor")))
    panel.with_transformation(ordered("distance", descending=True))
    return panel.unit("lengthm").decimals(1).min(0).color_scheme(fixed(BLUE))


def connections(edition: Edition) -> statetimeline.Panel:
    """When each bike, or its last will, said that it is connected."""
    query = edition.query(
        f'SELECT last("online") FROM "bike_status" WHERE {BIKE} AND $timeFilter '
        'GROUP BY time($__interval), "vendor", "bike_id" fill(previous)',
        alias="$tag_bike_id",
    )
    words = named(
        [
            ("true", edition.say("online.true"), GOOD),
            ("false", edition.say("online.false"), WARN),
        ]
    )
    return timeline(edition, "fleet.connections", query).interval("1m").mappings([words])


def _last_fixes(edition: Edition) -> Query:
    return edition.query(_LAST_FIXES, table=True)


def _charge() -> ThresholdsConfig:
    return steps(BAD, (LOW_BATTERY, WARN), (2 * LOW_BATTERY, GOOD))


def _fix_columns(panel: F, edition: Edition) -> F:
    column(
        panel,
        "bike_id",
        edition.say("column.bike"),
        links=[link(edition, "fleet", "bike", "bike_id")],
    )
    column(panel, "vendor", edition.say("column.vendor"))
    column(panel, "zone_id", edition.say("column.zone"))
    column(panel, "battery_percent", edition.say("column.battery"), unit="percent", min=0, max=100)
    column(panel, "speed_mps", edition.say("column.speed"), unit="velocityms", decimals=1)
    column(panel, "heading_deg", edition.say("column.heading"), unit="degree", decimals=0)
    return column(
        panel, "verdict", edition.say("column.verdict"), mappings=[verdicts(edition.words)]
    )
