"""What the rules about bikes and vendors are told: fleet state, zones and decoder as they are."""

from __future__ import annotations

import json

import numpy as np
import pytest

from alerts.fleet import Fleet, VendorFacts
from alerts.rules import RULES
from bikes.fleet import FleetState
from bikes.formats import FORMATS
from bikes.roster import Roster
from bikes.telemetry import TelemetryBatch
from geofence.atlas import Atlas
from geofence.zones import parse_zones
from ingest.decode import Decoder
from ingest.log import Messages
from ingest.vendors import VendorFormat

NOW = 1_795_399_200_000
HOUR = 3_600_000


def suspects(facts: Fleet) -> list[str]:
    """Bikes that any rule asks more about."""
    found = {
        bike
        for rule in RULES.about("bike")
        if rule.suspects is not None
        for bike in rule.suspects(facts, RULES.defaults, NOW)
    }
    return sorted(found)


WEST, EAST, SOUTH, NORTH = 120.38, 120.40, 36.30, 36.32


def square(zone_id: str, west: float) -> dict[str, object]:
    ring = [[west, SOUTH], [west + 0.01, SOUTH], [west + 0.01, NORTH], [west, NORTH], [west, SOUTH]]
    return {
        "type": "Feature",
        "properties": {"zone_id": zone_id, "name": zone_id, "policy": "core"},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }


@pytest.fixture
def facts() -> Fleet:
    collection = {
        "type": "FeatureCollection",
        "features": [square("z1", WEST), square("z2", WEST + 0.01)],
    }
    zones = Atlas(parse_zones(json.dumps(collection).encode(), None, {"core"}))
    roster = Roster({"hello": "any", "mo": ["m1"]})
    fleet = FleetState(roster)
    return Fleet(zones, fleet.view, roster, keep_ms=900_000)


def hear(facts: Fleet, bike_id: str, at_ms: int = NOW, **said: float) -> None:
    values = {"lat_deg": 36.31, "lng_deg": 120.385, "accuracy_m": 5.0, "battery_percent": np.nan}
    rest = dict.fromkeys(("speed_mps", "heading_deg", "altitude_m"), np.nan)
    columns = {name: np.array([value]) for name, value in {**values, **rest, **said}.items()}
    bike = np.array([facts.roster.index("hello", bike_id)], np.int32)
    batch = TelemetryBatch(bike=bike, timestamp_ms=np.array([at_ms]), **columns)
    facts.fleet.__self__.update(batch, heard_at_ms=at_ms)  # whose view it is


def test_bikes_that_are_well_are_no_suspects(facts) -> None:
    hear(facts, "b1", battery_percent=80)
    assert suspects(facts) == []
    assert facts.heard(NOW) == 1
    assert facts.bike("hello/b2") is None
    assert facts.bike("mo/m1").heard_ms is None


def test_silent_low_and_outside_are_suspects(facts) -> None:
    """A bike on the roster that was never heard is none, nor one that is long gone."""
    hear(facts, "quiet", NOW - HOUR)
    hear(facts, "gone", NOW - 31 * 24 * HOUR)
    hear(facts, "low", battery_percent=20)
    hear(facts, "far", lng_deg=EAST + 0.01)
    assert suspects(facts) == ["hello/far", "hello/low", "hello/quiet"]
    assert facts.bike("hello/low").battery_percent == 20


def test_the_distance_is_to_the_nearest_zone_less_the_accuracy(facts) -> None:
    """A hundredth of a degree of longitude is 897 m here."""
    hear(facts, "b1", lng_deg=EAST + 0.01, accuracy_m=np.nan)
    assert facts.bike("hello/b1").outside_m == pytest.approx(897, abs=2)
    hear(facts, "b1", NOW + 1, lng_deg=EAST + 0.01, accuracy_m=400.0)
    assert facts.bike("hello/b1").outside_m == pytest.approx(497, abs=2)
    hear(facts, "b1", NOW + 2)
    assert facts.bike("hello/b1").outside_m == 0
    hear(facts, "b1", NOW + 3, lng_deg=WEST + 0.01)  # on the boundary of two zones
    assert facts.bike("hello/b1").outside_m == 0


def test_a_battery_level_stays_known_when_the_next_fix_has_none(facts) -> None:
    hear(facts, "b1", NOW - HOUR, battery_percent=15)
    hear(facts, "b1", NOW)
    known = facts.bike("hello/b1")
    assert (known.battery_percent, known.battery_ms) == (15, NOW - HOUR)


def test_messages_are_counted_by_vendor_over_a_sliding_period(facts) -> None:
    formats = {name: VendorFormat(name, FORMATS["mds"], "wgs84") for name in ("hello", "mo")}
    decoder = Decoder(facts.roster, formats)
    good = json.dumps({"timestamp": NOW, "location": {"lat": 36.31, "lng": 120.385}}).encode()

    def receive(at_ms: int, *messages: tuple[str, bytes]) -> None:
        topics = [f"patrol/v1/{topic}/telemetry" for topic, _ in messages]
        payloads = [payload for _, payload in messages]
        decoded = decoder.decode(Messages(at_ms, topics, payloads))
        facts.add(at_ms, decoded.received, decoded.rejected)

    receive(NOW, ("hello/b1", good), ("hello/b1", b"{"), ("nobody/x", good), ("mo/m9", good))
    receive(NOW + 600_000, ("hello/b1", good), ("hello/b2", good))
    assert facts.vendors(NOW) == {"hello": VendorFacts(4, 1), "mo": VendorFacts(1, 1)}
    assert facts.vendors(NOW + 120_000)["hello"] == VendorFacts(2, 0)
    receive(NOW + 2_000_000, ("hello/b1", good))
    assert facts.vendors(0)["hello"] == VendorFacts(1, 0)
