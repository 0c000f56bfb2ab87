"""A broker that is not there: one clear line, patience, and nothing lost when it is back."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from bikes import topics
from tests.broker import Broker
from tests.servers import free_port
from tests.stations import Station, new_station

BEGAN_MS = time.time_ns() // 1_000_000 - 600_000


@pytest.fixture
def away(tmp_path: Path) -> Broker:
    """A broker that is not running yet."""
    return Broker(tmp_path / "broker", port=free_port())


@pytest.fixture
def station(tmp_path: Path, away: Broker) -> Iterator[Station]:
    """A station of that broker, not started."""
    made = new_station(tmp_path / "station", away.url)
    try:
        yield made
    finally:
        made.kill()
        away.kill()


def fixes(number: int, first: int = 0) -> list[tuple[str, bytes]]:
    """Telemetry of one bike, one a second; the same numbers are the same fixes."""
    place = {"lat": 36.3068, "lng": 120.3891, "horizontal_accuracy": 5}
    return [
        (
            topics.of_bike("telemetry", "hello", "HB001"),
            json.dumps({"timestamp": BEGAN_MS + 1_000 * n, "location": place}).encode(),
        )
        for n in range(first, first + number)
    ]


def part(station: Station, name: str) -> dict[str, object]:
    """What /readyz says of a part; empty while nobody listens."""
    answer = station.get("/readyz") or {}
    return next((part for part in answer.get("parts", []) if part["name"] == name), {})


def said(station: Station, word: str) -> list[str]:
    """The lines of the log that hold a word."""
    return [line for line in station.said().splitlines() if word in line]


def received(station: Station) -> int:
    """Items that a station has read."""
    return round(station.metric("zhixun_received_total"))


def test_a_broker_that_comes_late(station: Station, away: Broker) -> None:
    """One warning says what is wrong; /readyz says so too; it connects when the broker comes."""
    station.start()
    station.wait(lambda: part(station, "inlet").get("ok") is False)
    station.wait(lambda: len(said(station, "no broker listens")) > 0)
    reason = f"no broker listens at {away.url}"
    assert part(station, "inlet")["reason"] == reason
    with pytest.raises(urllib.error.HTTPError) as unready:
        urllib.request.urlopen(f"http://127.0.0.1:{station.port}/readyz", timeout=10)
    assert unready.value.code == 503
    # Some tries later, each after a longer wait, still nothing more is said.
    began = time.monotonic()
    station.wait(lambda: time.monotonic() - began > 2)
    warnings = said(station, away.url)
    assert len(warnings) == 1
    assert re.search(r"\[warning *\].*no connection to the broker.*reason='" + reason, warnings[0])

    away.start()
    station.wait(station.ready)
    assert [line for line in said(station, away.url) if "connected" in line]
    away.publish(fixes(10))
    station.wait(lambda: received(station) == 10)
    code = station.stop()
    assert code == 0
    assert "Traceback" not in station.said()


def test_what_is_sent_while_it_is_down_arrives(station: Station, away: Broker) -> None:
    """The broker keeps telemetry while `patrol run` is away, over a restart of its own too."""
    away.start()
    station.start()
    station.wait(station.ready)
    away.publish(fixes(10))
    station.wait(lambda: received(station) == 10)
    code = station.stop()
    assert code == 0

    away.publish(fixes(500, first=10))
    away.restart()
    away.publish(fixes(5, first=510))
    station.start()
    station.wait(lambda: received(station) == 515)

    # And when the broker restarts under a running station, it comes back by itself.
    away.stop()
    station.wait(lambda: part(station, "inlet").get("ok") is False)
    away.start()
    station.wait(station.ready)
    away.publish(fixes(5, first=515))
    station.wait(lambda: received(station) == 520)
    span = "from=2000-01-01T00:00:00&to=2100-01-01T00:00:00&limit=1000"
    track = station.get(f"/api/v1/bikes/HB001/track?{span}")
    assert len(track["properties"]["timestamps"]) == 520
