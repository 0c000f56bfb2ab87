"""Vendors with topics and JSON of their own; the JSON as docs/configuration.md shows it."""

from __future__ import annotations

import json
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geofence.datum import to_wgs84
from tests.broker import Broker
from tests.servers import REPOSITORY
from tests.stations import new_station

BEGAN_S = int(time.time()) - 600
CONFIGURATION = (REPOSITORY / "docs/configuration.md").read_text("utf-8")


def documented() -> str:
    """The example of the documentation."""
    section = CONFIGURATION.split("## [vendors.NAME.mapping]\n")[1].split("| key |")[0]
    lines = [line for line in section.splitlines() if line.startswith("    ")]
    return textwrap.dedent("\n".join(["", *lines, ""]))


def test_vendors_with_ways_of_their_own(tmp_path: Path, broker: Broker) -> None:
    """Fixes are on their bike's track, in WGS-84 and m/s; what is wrong is rejected."""
    station = new_station(tmp_path / "station", broker.url)
    with station.config.open("a", encoding="utf-8") as config:
        config.write(documented())
        config.write('[vendors.ring]\nformat = "mds"\ndatum = "wgs84"\ntopics = ["ring/all"]\n')
    points = [
        {"t": BEGAN_S, "pos": {"lat": 36.3068, "lon": 120.3891, "v": 18}, "soc": 80},
        {"t": str(BEGAN_S + 5), "pos": {"lat": "36.3070", "lon": "120.3893", "v": -1}},
        {"t": BEGAN_S + 10, "pos": {"lat": 36.3068}},
        {"t": BEGAN_S + 15, "pos": {"lat": 36.3068, "lon": 220}},
    ]
    place = {"lat": 36.3068, "lng": 120.3891}
    fleet = [{"timestamp": BEGAN_S * 1000, "location": place, "device_id": f"R{n}"} for n in (1, 2)]
    try:
        station.start()
        station.wait(station.ready)
        payload = json.dumps({"data": {"points": points}}).encode()
        broker.publish([("acme/A7/gps", payload), ("ring/all", json.dumps(fleet).encode())])

        def rejects() -> list[dict[str, Any]]:
            found = station.get("/api/v1/rejects?vendor=acme")
            return found["rejects"] if found else []

        station.wait(lambda: len(rejects()) == 1)
        track = f"/api/v1/bikes/A7/track?vendor=acme&from={BEGAN_S * 1000}"
        station.wait(lambda: len(station.get(track)["properties"]["timestamps"]) == 2)
        found = station.get(track)
        bike = station.get("/api/v1/bikes/A7")
        ring = [station.get(f"/api/v1/bikes/R{n}")["vendor"] for n in (1, 2)]
        (refused,) = rejects()
    finally:
        station.kill()
    assert found["properties"]["timestamps"] == [BEGAN_S * 1000, BEGAN_S * 1000 + 5000]
    lat, lng = to_wgs84(np.array([36.3068, 36.3070]), np.array([120.3891, 120.3893]), "gcj02")
    assert found["geometry"]["coordinates"] == pytest.approx(np.stack([lng, lat], 1), abs=1e-6)
    assert ring == ["ring", "ring"]
    assert (bike["battery_percent"], bike["speed_mps"]) == (80.0, None)
    assert refused["count"] == 2
    assert refused["items"] == [
        {"reason": "schema", "index": 2, "detail": "pos.lon: required, but missing"},
        {
            "reason": "out_of_range",
            "index": 3,
            "detail": "location.lng: 220 is not between -180 and 180",
        },
    ]
