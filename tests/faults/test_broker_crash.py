"""What the broker has acknowledged to bikes, and a crash of the broker takes away."""

from __future__ import annotations

import json
from pathlib import Path

from tests.broker import Broker
from tests.stations import new_station

TOPIC = "patrol/v1/hello/HB001/telemetry"
WHEN_MS = 1_795_000_000_000


def fixes(from_number: int, to_number: int) -> list[tuple[str, bytes]]:
    """Numbered fixes of one bike, a second apart."""
    return [
        (
            TOPIC,
            json.dumps(
                {"timestamp": WHEN_MS + number * 1000, "location": {"lat": 36.3, "lng": 120.4}}
            ).encode(),
        )
        for number in range(from_number, to_number)
    ]


def test_a_crash_of_the_broker_loses_what_it_had_not_written(tmp_path: Path) -> None:
    """The station is away; of 300 acknowledged fixes the 200 before the last writing come."""
    with Broker(tmp_path / "broker") as broker:
        station = new_station(tmp_path, broker.url)
        try:
            station.start()
            station.wait(station.ready)
            station.kill()
            broker.publish(fixes(0, 200))
            broker.save()
            broker.publish(fixes(200, 300))
            broker.restart(crash=True)
            station.start()
            station.wait(station.ready)
            broker.publish(fixes(300, 301))
            station.wait(lambda: station.metric("zhixun_stored_total") >= 201)
            assert station.metric("zhixun_stored_total") == 201, "100 are gone, and no more"
        finally:
            station.kill()
