"""The first message of a vendor is accepted as it stands, whatever the format and the datum."""

from __future__ import annotations

import shlex

import pytest

from bikes.formats import FORMATS, Format
from bikes.formats.mapped import Source, mapped
from bikes.roster import Roster
from bikes.topics import TopicPattern
from ingest.decode import Decoder
from ingest.first_message import first_message
from ingest.log import Messages
from ingest.mqtt.connection import MqttOptions
from ingest.vendors import VendorFormat

NOW_MS = 1_772_582_400_123
BROKER = MqttOptions("broker.example", 8883, tls=True, username="patrol")

IN_TEXT = mapped(
    {
        "timestamp": Source("t.at", "iso8601"),
        "lat": Source("pos.y", "1e-6 deg"),
        "lng": Source("pos.x", "1e-6 deg"),
        "device_id": Source("dev"),
    },
    items="data.list",
)
IN_ARRAYS = mapped(
    {
        "timestamp": Source("t"),
        "lat": Source("geo.pos[1]"),
        "lng": Source("geo.pos.0"),
        "speed": Source("geo.pos[3]"),
    }
)
NUMBERED = mapped({"timestamp": Source("t"), "lat": Source("ch.100"), "lng": Source("ch.101")})
IN_SECONDS = mapped({"timestamp": Source("t", "s"), "lat": Source("lat"), "lng": Source("lng")})


@pytest.mark.parametrize("datum", ["wgs84", "gcj02", "bd09"])
@pytest.mark.parametrize(
    ("format_", "topic"),
    [
        (FORMATS["mds"], None),
        (FORMATS["mds"], "fleet/all"),
        (FORMATS["owntracks"], "owntracks/v/{bike}"),
        (IN_TEXT, "fleet/all"),
        (IN_SECONDS, None),
        (IN_ARRAYS, None),
        (NUMBERED, None),
    ],
)
def test_it_is_accepted(format_: Format, topic: str | None, datum: str) -> None:
    """Topic and payload of the command come to a fix at that place and time."""
    topics = (TopicPattern(topic),) if topic else ()
    vendor = VendorFormat("v", format_, datum, topics)  # type: ignore[arg-type]
    found = first_message(vendor, "B1", 36.3068, 120.3891, NOW_MS, BROKER)
    assert found is not None
    words = shlex.split(found.command)
    assert words[:5] == ["mosquitto_pub", "-h", "broker.example", "-p", "8883"]
    assert ("-u" in words, "--tls-use-os-certs" in words) == (True, True)
    assert (words[-3], words[-1]) == (found.topic, found.payload)
    decoder = Decoder(Roster({"v": ["B1"]}), {"v": vendor})
    decoded = decoder.decode(Messages(NOW_MS, [found.topic], [found.payload.encode()]))
    assert decoded.rejects == []
    fix = decoded.telemetry
    assert fix.timestamp_ms.tolist() == [NOW_MS // 1000 * 1000]
    assert fix.lat_deg[0] == pytest.approx(36.3068, abs=2e-6)
    assert fix.lng_deg[0] == pytest.approx(120.3891, abs=2e-6)


def test_bikes_that_a_vendor_does_not_have_are_counted() -> None:
    """Each of them, also where one message is of many bikes; those of no vendor are not."""
    vendor = VendorFormat("v", FORMATS["mds"], topics=(TopicPattern("fleet/all"),))
    place = '"timestamp": 1772582400000, "location": {"lat": 36.3, "lng": 120.4}'
    many = ", ".join(f'{{"device_id": "X{n}", {place}}}' for n in range(8))
    messages = Messages(
        NOW_MS,
        ["fleet/all", "patrol/v1/v/X1/telemetry", "patrol/v1/w/X1/telemetry"],
        [f"[{many}]".encode(), f"{{{place}}}".encode(), b"{}"],
    )
    decoded = Decoder(Roster({"v": ["B1"]}), {"v": vendor}).decode(messages)
    assert {str(key): count for key, count in decoded.unknown.items()} == {
        f"v/X{n}": 2 if n == 1 else 1 for n in range(8)
    }
