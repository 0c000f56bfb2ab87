"""One vendor floods the station with wrong messages; real mosquitto, real `patrol run`."""

from __future__ import annotations

import json
import time
from pathlib import Path

from bikes.topics import of_bike
from tests.broker import Broker
from tests.stations import new_station

ITEMS, ARRAYS, BIKES = 500, 400, 40
FLOOD = '[vendors.flood]\nformat = "mds"\ndatum = "wgs84"\nbikes = "any"\nmax_bikes = 20\n'


def test_a_flood_is_counted_and_delays_nobody(tmp_path: Path, broker: Broker) -> None:
    """All of it is on the books, by vendor and reason, and an honest fix is seen."""
    station = new_station(tmp_path / "station", broker.url)
    with station.config.open("a", encoding="utf-8") as config:
        config.write(FLOOD)
    wrong = b"[" + b",".join([b"{}"] * ITEMS) + b"]"
    place = {"lat": 36.3068, "lng": 120.3891}
    right = json.dumps({"timestamp": time.time_ns() // 1_000_000, "location": place}).encode()
    flood = [(of_bike("telemetry", "flood", "b0"), wrong)] * ARRAYS
    flood += [(of_bike("telemetry", "flood", f"b{n}"), right) for n in range(BIKES)]
    flood += [(of_bike("telemetry", f"v{n}", "b"), right) for n in range(BIKES)]
    try:
        station.start()
        station.wait(station.ready)
        broker.publish([*flood, (of_bike("telemetry", "hello", "HB001"), right)])
        station.wait(lambda: (station.get("/api/v1/bikes/HB001") or {}).get("lat"))
        assert station.ready()
        found = station.get("/api/v1/rejects?limit=1000")
        received = station.metric("zhixun_received_total")
        stored = station.metric("zhixun_stored_total")
        metric = station.metric('zhixun_rejected_total{reason="over_budget",vendor="flood"}')
    finally:
        station.kill()
    assert set(found["counts"]) == {"flood", "(other)"}
    assert found["counts"]["(other)"] == {"unknown_vendor": BIKES}
    flooded = found["counts"]["flood"]
    assert flooded["schema"] % ITEMS == 0
    unread = ARRAYS - flooded["schema"] // ITEMS
    assert flooded["over_budget"] == unread + BIKES - 20
    assert stored == 21
    assert received == stored + BIKES + sum(flooded.values())
    assert metric == flooded["over_budget"]
    arrays = [each for each in found["rejects"] if each["reason"] == "schema"]
    assert {(each["count"], len(each["items"])) for each in arrays} == {(ITEMS, 5)}
    assert len(arrays) + unread == ARRAYS
