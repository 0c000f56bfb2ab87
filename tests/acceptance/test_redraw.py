"""A zone is redrawn at a running station: what was stays, what comes follows, restarts included."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import paho.mqtt.client as paho
import pytest
import shapely

from bikes import topics
from tests import commands
from tests.broker import Broker
from tests.stations import Station, new_station

SHANGHAI = ZoneInfo("Asia/Shanghai")
FIXES = 30
NORTH = (120.354, 36.337)
"""Where a ride begins that is in no zone as yet: north of `cy-01`."""


def ride(lng: float, lat: float, from_ms: int) -> bytes:
    """Telemetry of a bike that rides some 700 m east, a fix every five seconds."""
    return json.dumps(
        [
            {
                "timestamp": from_ms + n * 5_000,
                "location": {
                    "lat": lat,
                    "lng": lng + n * 25 / 89_700,
                    "horizontal_accuracy": 4.0,
                },
            }
            for n in range(FIXES)
        ]
    ).encode()


def now_ms() -> int:
    """By the wall's clock."""
    return time.time_ns() // 1_000_000


def text(at_ms: int) -> str:
    """As a query says it."""
    return datetime.fromtimestamp(at_ms / 1000, SHANGHAI).strftime("%Y-%m-%dT%H:%M:%S")


@pytest.fixture
def station(broker: Broker, tmp_path: Path) -> Iterator[Station]:
    """A running one over the sample district."""
    station = new_station(tmp_path / "district", broker.url)
    station.start()
    station.wait(station.ready)
    yield station
    station.kill()


class Watched:
    """`cy-01` of a station."""

    def __init__(self, station: Station, broker: Broker) -> None:
        self.station, self.broker = station, broker

    def outline(self, at: str = "") -> dict[str, Any]:
        """Its feature."""
        found = self.station.get(f"/api/v1/zones{at and '?at=' + at}")
        return next(each for each in found["features"] if each["id"] == "cy-01")

    def covered(self, from_ms: int, to_ms: int) -> tuple[int, int]:
        """Covered and all cells of a window."""
        window = f"from={text(from_ms)}&to={text(to_ms)}"
        found = self.station.get(f"/api/v1/coverage/cy-01?{window}")
        return found["cells_covered"], found["cells_total"]

    def send(self, bike: str, lng: float, lat: float, from_ms: int) -> None:
        """Let a bike ride, until the station knows of it."""
        self.broker.publish([(topics.of_bike("telemetry", "hello", bike), ride(lng, lat, from_ms))])
        last = text(from_ms + (FIXES - 1) * 5_000)

        def is_known() -> bool:
            at = self.station.get(f"/api/v1/bikes/{bike}").get("at")
            return at is not None and at.startswith(last)

        self.station.wait(is_known)

    def redraw(self, outline: shapely.Polygon) -> dict[str, Any]:
        """From now on."""
        before = self.outline()["properties"]
        body = {
            "type": "Feature",
            "geometry": shapely.geometry.mapping(outline),
            "properties": {"name": "North and all", "policy": before["policy"]},
        }
        request = self.station.request(
            "/api/v1/zones/cy-01", method="PUT", data=json.dumps(body).encode()
        )
        request.add_header("Content-Type", "application/json")
        request.add_header("If-Match", self.station.get("/api/v1/zones")["version"])
        with urllib.request.urlopen(request, timeout=10) as answer:
            changed: dict[str, Any] = json.load(answer)
        return changed


def test_a_zone_is_redrawn_from_now_on(broker: Broker, station: Station) -> None:
    """Cells that it gains count from then on; yesterday stays what it was, over a restart too."""
    zone = Watched(station, broker)
    old = zone.outline()
    yesterday_ms = now_ms() // 900_000 * 900_000 - 86_400_000
    lng, lat = old["properties"]["label"]
    zone.send("HB001", lng - 0.003, lat, yesterday_ms)
    yesterday = yesterday_ms, yesterday_ms + 900_000
    was = zone.covered(*yesterday)
    assert was[0] > 3

    def record() -> tuple[Any, ...]:
        """All that must not change about yesterday."""
        at = text(yesterday_ms + 600_000)
        then = station.get(f"/api/v1/coverage/cy-01?at={at}")
        named = ("name", "cells_total", "last_patrolled", "covered_ratio")
        return (
            zone.outline(at)["geometry"],
            zone.covered(*yesterday),
            [then[key] for key in named],
        )

    remembered = record()
    assert remembered[0] == old["geometry"]

    # A ride through cells that are of no zone as yet.
    began_ms = now_ms() - (FIXES + 1) * 5_000
    zone.send("HB002", *NORTH, began_ms)
    today = yesterday_ms + 86_400_000 - 900_000, now_ms() + 1_800_000
    assert zone.covered(*today) == (0, was[1])

    strip = shapely.box(120.353, 36.325, 120.365, 36.343)
    changed = zone.redraw(shapely.union(shapely.geometry.shape(old["geometry"]), strip))
    assert changed["live"]
    assert changed["cells_total"] > was[1]
    assert zone.outline()["properties"]["name"] == "North and all"
    assert zone.covered(*today) == (0, changed["cells_total"])
    zone.send("HB003", *NORTH, now_ms())
    gained, total = zone.covered(*today)
    assert gained > 3
    assert total == changed["cells_total"]
    assert record() == remembered

    code = station.stop()
    assert code == 0
    told = commands.run("check", "--config", str(station.config))
    assert "drawn-zones.geojson" in told.stdout
    station.start()
    station.wait(station.ready)
    assert zone.outline()["properties"]["name"] == "North and all"
    assert zone.covered(*today) == (gained, total)
    assert record() == remembered
    starts = [
        each["properties"]["valid_from"]
        for each in station.get("/api/v1/zones/cy-01/versions")["features"]
    ]
    assert starts == [None, changed["at"]]


def test_a_zone_that_ended_is_forgotten_by_the_broker(broker: Broker, station: Station) -> None:
    """Its last coverage was retained; after its end nobody is told that it is overdue."""
    taken_back = threading.Event()
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)
    client.on_message = lambda _, __, message: message.payload or taken_back.set()
    client.on_connect = lambda *_: client.subscribe("patrol/v1/coverage/cy-09", 1)
    client.connect(broker.host, broker.port)
    client.loop_start()
    try:
        request = station.request("/api/v1/zones/cy-09", method="DELETE")
        request.add_header("If-Match", station.get("/api/v1/zones")["version"])
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert json.load(answer)["cells_total"] is None
        assert taken_back.wait(20)
    finally:
        client.disconnect()
        client.loop_stop()
    table = station.get("/api/v1/coverage")["zones"]
    assert {each["zone_id"] for each in table} == {f"cy-0{n}" for n in range(1, 9)}
