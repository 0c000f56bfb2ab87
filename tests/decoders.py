"""A decoder of several vendors, and messages for it, for tests."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bikes.formats import FORMATS
from bikes.roster import Roster
from bikes.telemetry import Location
from bikes.topics import TopicPattern
from ingest.decode import Decoded, Decoder
from ingest.log import Messages
from ingest.vendors import DecodeLimits, VendorFormat

NOW_MS = 1_760_000_000_000
DAY_MS = 86_400_000
VENDORS = {
    "hello": VendorFormat("hello", FORMATS["mds"]),
    "gcj": VendorFormat("gcj", FORMATS["mds"], "gcj02"),
    "own": VendorFormat(
        "own", FORMATS["owntracks"], topics=(TopicPattern("owntracks/own/{bike}"),)
    ),
    "listed": VendorFormat("listed", FORMATS["mds"], topics=(TopicPattern("listed/all"),)),
    "fleet": VendorFormat("fleet", FORMATS["mds"], topics=(TopicPattern("fleet/gps"),)),
}
LIMITS = DecodeLimits(max_future_s=300, max_age_s=86_400, max_items=4, max_bytes=2000)


def new_roster() -> Roster:
    return Roster({"hello": "any", "gcj": "any", "own": "any", "listed": [], "fleet": "any"})


def decoder(roster: Roster | None = None) -> Decoder:
    return Decoder(new_roster() if roster is None else roster, VENDORS, LIMITS)


def decode(*messages: tuple[str, object]) -> Decoded:
    """What messages say; a payload that is not bytes is sent as JSON."""
    return decoder().decode(batch(messages))


def batch(messages: Sequence[tuple[str, object]]) -> Messages:
    topics = [topic for topic, _ in messages]
    payloads = [p if isinstance(p, bytes) else json.dumps(p).encode() for _, p in messages]
    return Messages(NOW_MS, topics, payloads)


def fix(at_ms: int = NOW_MS, lat: float = 36.3, lng: float = 120.4, **more: object) -> dict:
    """Telemetry; what is not a field of the location is one of the whole."""
    place = {name: more.pop(name) for name in list(more) if name in Location.__struct_fields__}
    return {"timestamp": at_ms, "location": {"lat": lat, "lng": lng, **place}, **more}


def topic(bike: str = "b7", vendor: str = "hello", kind: str = "telemetry") -> str:
    return f"patrol/v1/{vendor}/{bike}/{kind}"


def rows(decoded: Decoded) -> list[tuple[int, int, float]]:
    telemetry = decoded.telemetry
    columns = (telemetry.bike, telemetry.timestamp_ms, telemetry.lat_deg)
    return list(zip(*(column.tolist() for column in columns), strict=True))
