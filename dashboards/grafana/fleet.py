"""The dashboard *Fleet*: live bikes, their places, distances and batteries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from grafana_foundation_sdk.builders import bargauge, common, geomap, stat, statetimeline, table
from grafana_foundation_sdk.builders import timeseries as charts
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.models.common import FrameGeometrySourceMode
from grafana_foundation_sdk.models.geomap import TooltipMode

from dashboards.grafana import looks, panels
from dashboards.grafana.board import Board, Row, link
from dashboards.grafana.edition import LIVE_MIN, SILENT_MIN, Edition
from dashboards.grafana.influxql import BIKE, BIKE_IN_ZONE, IN_RANGE, ZONE
from geofence.quality import VERDICTS

_SPEEDS: Final = (
    'SELECT mean("speed_mps") AS "speed" FROM "bike_telemetry" '
    f"WHERE {BIKE_IN_ZONE} AND $timeFilter "
    'GROUP BY time(1m), "vendor", "bike_id" fill(none)'
)
"""Mean speed of each bike in each minute, of which the distance is the sum.

A minute without telemetry has none; an integral would ride on through the night.
"""
_LAST_FIXES: Final = (
    'SELECT "lat", "lng", "heading_deg", "speed_mps", "battery_percent", "zone_id", '
    '"first_verdict" FROM (SELECT last("lat") AS "lat", "lng", "heading_deg", "speed_mps", '
    f'"battery_percent", "zone_id", "first_verdict" FROM "bike_telemetry" WHERE {BIKE} '
    'AND $timeFilter AND "first_verdict" !~ /^(teleport|inaccurate)$/ '
    f'GROUP BY "vendor", "bike_id") WHERE {ZONE} GROUP BY "vendor", "bike_id"'
)
"""The last fix that looked believable of each bike, if it lies in the chosen zones."""


def live(edition: Edition) -> stat.Panel:
    """How many bikes are live."""
    query = f'SELECT count("fixes") FROM ({_heard(LIVE_MIN)}) WHERE "fixes" > 0'
    limits = looks.steps(looks.BAD, (1, looks.GOOD))
    return panels.figure(edition, "fleet.live", query).thresholds(limits)


def silent(edition: Edition) -> stat.Panel:
    """How many bikes were heard in this range and are silent at its end."""
    query = f'SELECT count("fixes") FROM ({_heard(SILENT_MIN)}) WHERE "fixes" = 0'
    limits = looks.steps(looks.GOOD, (1, looks.WARN), (5, looks.BAD))
    return panels.figure(edition, "fleet.silent", query).thresholds(limits)


def low_battery(edition: Edition) -> stat.Panel:
    """How many bikes are nearly empty."""
    query = (
        'SELECT count("charge") FROM (SELECT last("battery_percent") AS "charge" '
        f'FROM "bike_telemetry" WHERE {BIKE} AND $timeFilter GROUP BY "vendor", "bike_id") '
        f'WHERE "charge" <= {edition.battery_low_percent:g}'
    )
    limits = looks.steps(looks.GOOD, (1, looks.BAD))
    return panels.figure(edition, "fleet.low_battery", query).thresholds(limits)


def distance(edition: Edition) -> stat.Panel:
    """How far all bikes rode together."""
    panel = panels.figure(edition, "fleet.distance", f'SELECT sum("speed") * 60 FROM ({_SPEEDS})')
    return panel.unit("lengthm").decimals(1).color_scheme(looks.fixed(looks.BLUE))


def bike_map(edition: Edition) -> geomap.Panel:
    """The place, heading and battery of each bike."""
    style = {
        "color": {"field": "battery_percent", "fixed": looks.NEUTRAL},
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
    place = common.FrameGeometrySource().mode(FrameGeometrySourceMode.COORDS)
    bikes = common.MapLayerOptions().type("markers").name(edition.say("fleet.map.bikes"))
    bikes.location(place.latitude("lat").longitude("lng"))
    bikes.config({"showLegend": True, "style": style}).tooltip(True)
    # "default" is what the administrator of Grafana has chosen; a map in GCJ-02 would be wrong.
    ground = common.MapLayerOptions().type("default").name(edition.say("fleet.map.ground"))
    panel = geomap.Panel().view(
        geomap.MapViewConfig().id("fit").all_layers(True).padding(10).zoom(15).shared(False)
    )
    # Grafana's default is to show a bike's figures under the pointer, the SDK's is not.
    panel.tooltip(geomap.TooltipOptions().mode(TooltipMode.DETAILS))
    panel.basemap(ground).layers([bikes]).thresholds(_charge(edition))
    panels.dressed(panel, edition, "fleet.map", [_LAST_FIXES], table=True)
    return panels.described(panel, edition, _fix_columns(edition))


def last_fixes(edition: Edition) -> table.Panel:
    """The last fix of each bike, the one that is silent for longest first."""
    columns = _fix_columns(edition)
    columns["battery_percent"] = {
        **columns["battery_percent"],
        "custom_cellOptions": panels.BAR,
        "thresholds": _charge(edition).build(),
    }
    columns["Time"] = {"title": "heard", "unit": "dateTimeFromNow", "custom_width": 140}
    order = (
        "bike_id", "vendor", "Time", "battery_percent", "speed_mps", "zone_id", "first_verdict",
    )  # fmt: skip
    return panels.rows(
        edition,
        "fleet.bikes",
        _LAST_FIXES,
        columns={name: columns[name] for name in order},
        hidden=("lat", "lng", "heading_deg"),
        sort="Time",
    )


def live_over_time(edition: Edition) -> charts.Panel:
    """How many bikes were heard in each interval."""
    text = (
        'SELECT count("fixes") FROM (SELECT count("lat") AS "fixes" FROM "bike_telemetry" '
        f"WHERE {BIKE_IN_ZONE} AND {IN_RANGE} "
        'GROUP BY time($__interval, ${__to}ms), "vendor", "bike_id" fill(none)) '
        f"WHERE {IN_RANGE} GROUP BY time($__interval, ${{__to}}ms) fill(0)"
    )
    query = edition.query(text, alias=edition.say("series.bikes"), colour=looks.BLUE)
    panel = panels.lines(edition, "fleet.live_over_time", query).interval(f"{LIVE_MIN}m")
    return panel.decimals(0).fill_opacity(20)


def distance_by_hour(edition: Edition) -> charts.Panel:
    """How far the bikes rode, hour by hour."""
    text = (
        f'SELECT sum("speed") * 60 FROM ({_SPEEDS}) '
        f"WHERE $timeFilter GROUP BY time(1h) fill(0) {edition.day}"
    )
    query = edition.query(text, alias=edition.say("series.distance"), colour=looks.BLUE)
    return panels.bars(edition, "fleet.distance_by_hour", query).unit("lengthm").interval("1h")


def distance_by_bike(edition: Edition) -> bargauge.Panel:
    """How far each bike rode."""
    text = (
        f'SELECT sum("speed") * 60 AS "distance" FROM ({_SPEEDS}) '
        'WHERE $timeFilter GROUP BY "vendor", "bike_id"'
    )
    panel = panels.ranking(
        edition, "fleet.distance_by_bike", text, label="bike_id", by="distance", descending=True,
        hidden=("Time", "vendor"),
    )  # fmt: skip
    return panel.unit("lengthm").decimals(1).min(0).color_scheme(looks.fixed(looks.BLUE))


def connections(edition: Edition) -> statetimeline.Panel:
    """When each bike, or its last will, said that it is connected."""
    query = edition.query(
        f'SELECT last("online") FROM "bike_status" WHERE {BIKE} AND $timeFilter '
        'GROUP BY time($__interval), "vendor", "bike_id" fill(previous)',
        alias="$tag_bike_id",
    )
    colours = {"true": looks.GOOD, "false": looks.WARN}
    words = looks.words_for(edition.words, "online", colours)
    return panels.timeline(edition, "fleet.connections", query).interval("1m").mappings([words])


FLEET: Final = Board(
    name="fleet",
    rows=(
        Row(4, (live, silent, low_battery, distance)),
        Row(17, (bike_map, last_fixes), widths=(13, 11)),
        Row(8, (live_over_time, distance_by_hour)),
        Row(14, (distance_by_bike, connections)),
    ),
    variables=("vendor", "zone", "bike"),
    since="now-6h",
    refresh="30s",
)


def _heard(minutes: int) -> str:
    """Fixes of each bike in the last minutes of the range, zero for one that fell silent."""
    return (
        'SELECT last("fixes") AS "fixes" FROM (SELECT count("lat") AS "fixes" '
        f'FROM "bike_telemetry" WHERE {BIKE} AND {IN_RANGE} GROUP BY time({minutes}m, '
        '${__to}ms), "vendor", "bike_id" fill(0)) GROUP BY "vendor", "bike_id"'
    )


def _charge(edition: Edition) -> ThresholdsConfig:
    # A battery at the limit is low, and a threshold begins with its value.
    low = edition.battery_low_percent + 0.01
    return looks.steps(looks.BAD, (low, looks.WARN), (2 * edition.battery_low_percent, looks.GOOD))


def _fix_columns(edition: Edition) -> dict[str, Mapping[str, object]]:
    return {
        "bike_id": {"title": "bike", "links": [link(edition, "fleet", "bike", "bike_id")]},
        "vendor": {"title": "vendor"},
        "zone_id": {"title": "zone"},
        "battery_percent": {"title": "battery", "unit": "percent", "min": 0, "max": 100},
        "speed_mps": {"title": "speed", "unit": "velocityms", "decimals": 1},
        "heading_deg": {"title": "heading", "unit": "degree", "decimals": 0},
        "first_verdict": {
            "title": "verdict",
            "mappings": [looks.words_for(edition.words, "verdict", VERDICTS)],
        },
    }
