"""A vendor's first message: what to send, where, and the command that does."""

from __future__ import annotations

import shlex
from typing import NamedTuple

from bikes import topics
from bikes.errors import DecodeError
from bikes.telemetry import Location, Telemetry
from geofence.datum import from_wgs84
from ingest.mqtt.connection import MqttOptions
from ingest.vendors import VendorFormat


class FirstMessage(NamedTuple):
    """A message that is accepted, and the command line that publishes it."""

    topic: str
    payload: str
    command: str


def first_message(
    vendor: VendorFormat, bike_id: str, lat_deg: float, lng_deg: float, at_ms: int, to: MqttOptions
) -> FirstMessage | None:
    """The message of a bike at a place (WGS-84) and a time [ms], in the vendor's format and datum.

    None when its format cannot be written from so little.
    """
    lat, lng = (round(float(each), 6) for each in from_wgs84(lat_deg, lng_deg, vendor.datum))
    place = Location(lat=lat, lng=lng)
    fix = Telemetry(timestamp=at_ms // 1000 * 1000, location=place, device_id=bike_id)
    if vendor.format.encode is None:
        return None
    payload = vendor.format.encode(fix)
    try:
        vendor.format.decode(payload, 1)
    except DecodeError:
        return None
    topic = topics.of_bike("telemetry", vendor.vendor, bike_id)
    if vendor.topics:
        topic = vendor.topics[0].of(bike_id)
    said = payload.decode()
    options = ["-h", to.host, "-p", str(to.port)]
    if to.tls:
        options += ["--cafile", to.ca_file] if to.ca_file else ["--tls-use-os-certs"]
    if to.username:
        options += ["-u", "USER", "-P", "PASSWORD"]
    words = ["mosquitto_pub", *options, "-q", "1", "-t", topic, "-m", said]
    return FirstMessage(topic, said, shlex.join(words))
