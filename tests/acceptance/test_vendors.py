"""Vendors with topics and JSON of their own; the JSON as docs/configuration.md shows it."""

from __future__ import annotations

import json
import textwrap
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

from geofence.datum import to_wgs84
from tests.broker import Broker
from tests.ingest.mqtt.test_publisher import listening
from tests.patience import PATIENCE_S
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
        {"reason": "schema", "index": 2, "detail": "pos.lon: required, but missing; there is lat"},
        {
            "reason": "out_of_range",
            "index": 3,
            "detail": "location.lng: 220 is not between -180 and 180",
        },
    ]


def test_ids_as_vendors_have_them_and_refusals_that_are_heard(
    tmp_path: Path, broker: Broker
) -> None:
    """Plates and addresses are found by API and track; who is refused hears of it, named or not."""
    station = new_station(tmp_path / "station", broker.url)
    with station.config.open("a", encoding="utf-8") as config:
        config.write('[vendors.ring]\nformat = "mds"\ndatum = "wgs84"\n')
        config.write('topics = ["$share/stations/ring/{bike}/gps", "$share/stations/ring"]\n')
        config.write('[vendors.listed]\nformat = "mds"\ndatum = "wgs84"\nbikes = ["鲁B0001"]\n')
    ids = ["京A12345", "AA:BB:CC:00:11:22", "HB.001"]
    place = {"lat": 36.3068, "lng": 120.3891}

    def fix(seconds: int = 0) -> bytes:
        return json.dumps({"timestamp": (BEGAN_S + seconds) * 1000, "location": place}).encode()

    try:
        station.start()
        station.wait(station.ready)
        with listening(broker) as heard:
            broker.publish(
                [
                    *((f"ring/{bike_id}/gps", fix()) for bike_id in ids),
                    ("patrol/v1/listed/鲁B0001/telemetry", fix()),
                    ("patrol/v1/listed/鲁B0002/telemetry", fix()),
                    ("patrol/v1/Acme GmbH/HB 1/telemetry", fix()),
                    ("ring/HB 1/gps", fix()),
                    ("ring", b"{bad"),
                    ("ring", fix()),
                ]
            )
            refused: list[tuple[str, str]] = []
            while len(refused) < 5:
                topic, payload, _ = heard.get(timeout=PATIENCE_S)
                if topic.endswith("/rejected"):
                    refused.append((topic, json.loads(payload)["reason"]))
        track = f"track?vendor=ring&from={BEGAN_S * 1000}"
        for bike_id in ids:
            path = f"/api/v1/bikes/{quote(bike_id)}"
            station.wait(lambda path=path: len(station.get(f"{path}/{track}")["properties"]) > 0)
            assert station.get(path)["bike_id"] == bike_id
        assert station.get(f"/api/v1/bikes/{quote('鲁B0001')}")["vendor"] == "listed"
    finally:
        station.kill()
    assert sorted(refused) == [
        ("patrol/v1/Acme GmbH/HB 1/rejected", "unknown_vendor"),
        ("patrol/v1/listed/鲁B0002/rejected", "unknown_bike"),
        ("patrol/v1/ring/HB 1/rejected", "unknown_bike"),
        ("patrol/v1/ring/unknown/rejected", "not_json"),
        ("patrol/v1/ring/unknown/rejected", "schema"),
    ]
