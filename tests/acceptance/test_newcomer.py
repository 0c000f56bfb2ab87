"""A new station says what to send; a bike on no list is accepted without an editor."""

from __future__ import annotations

import json
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.broker import Broker
from tests.stations import Station, new_station


def fix(bike_id: str) -> tuple[str, bytes]:
    """A message of a bike, of now."""
    place = {"lat": 36.3068, "lng": 120.3891}
    payload = json.dumps({"timestamp": time.time_ns() // 1_000_000, "location": place})
    return f"patrol/v1/hello/{bike_id}/telemetry", payload.encode()


def vendor(station: Station) -> Any:
    """What is said of the one vendor there is."""
    return station.get("/api/v1/vendors")["vendors"][0]


def asked(station: Station, method: str, path: str, body: object = None) -> Any:
    """The answer of a route that changes something."""
    request = station.request(path, method=method, data=json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def inlet(station: Station) -> str:
    """What /readyz says of the connection."""
    return next(p["reason"] for p in station.get("/readyz")["parts"] if p["name"] == "inlet")


def test_the_first_message_and_a_bike_on_no_list(tmp_path: Path, broker: Broker) -> None:
    """The example is accepted as it is told; an accepted bike is there after a restart, until it is
    struck off; the audit record knows who did it."""
    station = new_station(tmp_path / "station", broker.url)
    try:
        station.start()
        station.wait(station.ready)
        assert inlet(station) == "connected, no message yet"
        station.wait(lambda: "send this" in station.said())
        first = vendor(station)["first_message"]
        assert first["command"].partition("timestamp")[0] in station.said()

        broker.publish([(first["topic"], b"{")])
        station.wait(lambda: vendor(station)["state"] == "refused")
        station.wait(lambda: "the first message was refused" in station.said())
        broker.publish([(first["topic"], first["payload"].encode())])
        station.wait(lambda: vendor(station)["state"] == "sending")
        station.wait(lambda: "the first message was accepted" in station.said())
        assert "first_message" not in vendor(station)
        assert inlet(station) == "connected"

        broker.publish([fix("NEW1"), ("patrol/v1/hello/NEW1/gps", b"x")])
        station.wait(lambda: vendor(station)["unknown_bikes"])
        assert vendor(station)["unknown_bikes"][0]["bike_id"] == "NEW1"
        asked(station, "POST", "/api/v1/vendors/hello/bikes", {"bike_id": "NEW1"})
        broker.publish([fix("NEW1")])
        station.wait(lambda: vendor(station)["stored"] == 2)

        station.timed_stop()
        station.start()
        station.wait(station.ready)
        assert vendor(station)["accepted"] == ["NEW1"]
        broker.publish([fix("NEW1")])
        station.wait(lambda: vendor(station)["stored"] == 3)
        asked(station, "DELETE", "/api/v1/vendors/hello/bikes/NEW1")
        before = vendor(station)["rejected"]
        broker.publish([fix("NEW1")])
        station.wait(lambda: vendor(station)["rejected"] == before + 1)
        actions = [each["action"] for each in station.get("/api/v1/audit")["entries"]]
        assert actions[0] == "DELETE /vendors/{vendor}/bikes/{bike_id}"
        assert "POST /vendors/{vendor}/bikes" in actions
    finally:
        station.kill()
