"""What people have ordered holds over the death of the station."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.broker import Broker
from tests.stations import Station, new_station


@pytest.fixture
def station(tmp_path: Path, broker: Broker) -> Iterator[Station]:
    """A running station."""
    with new_station(tmp_path / "station", broker.url) as station:
        station.wait(station.ready)
        yield station


def state_of(station: Station, zone_id: str) -> str | None:
    """The state of a zone; None before it was judged."""
    zones = (station.get("/api/v1/coverage") or {}).get("zones", [])
    return next((zone["state"] for zone in zones if zone["zone_id"] == zone_id), None)


def test_a_pause_outlives_a_sigkill(station: Station) -> None:
    """The zone is paused at once, and again as soon as another life judges it."""
    body = json.dumps({"reason": "typhoon", "until": "2099-01-01T08:00"}).encode()
    request = station.request("/api/v1/zones/cy-04/pause", data=body, method="POST")
    request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request, timeout=10) as answer:
        given = json.load(answer)

    def paused() -> bool:
        return state_of(station, "cy-04") == "paused"

    station.wait(paused)
    station.kill()
    station.start()
    station.wait(station.ready)
    station.wait(paused)
    assert station.get("/api/v1/campaigns")["campaigns"] == [given]
