"""Where bytes come in from outside: for each such edge a function that asserts what it promises.

A target takes any bytes. It returns when they were read, or refused in the way that is documented;
anything else is an error of the product. `SEEDS` and `WORDS` help whoever makes up the bytes.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, get_args
from urllib.parse import unquote_to_bytes
from zoneinfo import ZoneInfo

import mqtt5
import numpy as np

from alerts.duty_hours import Hours
from alerts.errors import PolicyError
from bikes import topics
from bikes.errors import REJECT_REASONS
from bikes.formats import FORMATS
from bikes.formats.mapped import REQUIRED, TIME_TEXT, UNITS, Quantity, Source, mapped
from bikes.roster import Roster
from bikes.topics import TopicPattern
from dashboards.app import create_app
from geofence.atlas import Atlas
from geofence.errors import ZonesError
from geofence.zonemap import grid_over
from geofence.zones import parse_zones
from ingest.decode import Decoder
from ingest.errors import BrokerUnavailable
from ingest.log import Messages
from ingest.mqtt.connection import MqttOptions
from ingest.mqtt.wire import Wire
from ingest.recordings import SUFFIXES, RecordingReader
from ingest.rejects import payload_json
from ingest.vendors import DecodeLimits, VendorFormat
from patrol.config.settings import load_with_zones
from patrol.errors import ConfigError
from tests import mqtt3_broker
from tests.dashboards.district import NINE_MS, POLICIES, SAMPLE, new_district

NOW_MS = NINE_MS
SHANGHAI = ZoneInfo("Asia/Shanghai")
BETWEEN = b"\x1e"
"""Parts two messages, or two files, in the bytes of one target."""
_TEMPORARY = tempfile.TemporaryDirectory(prefix="zhixun-fuzz-")
FOLDER = Path(_TEMPORARY.name)
CASES = Path(__file__).parents[1] / "bikes" / "formats_cases"
NUMBERS = b"0 -1 1e308 -1e309 9223372036854775808 1763859600000 1e-320 NaN 99999999".split()


class Target(NamedTuple):
    """An edge, and inputs that it understands."""

    run: Callable[[bytes], None]
    seeds: list[bytes]
    words: list[bytes]  # pieces from which inputs are put together
    share: int  # of a thousand inputs, the more the less one costs


# -- topics and payloads -----------------------------------------------------------

PATTERNS = [TopicPattern(text) for text in ("owntracks/own/{bike}", "f/bike-{bike}/gps", "fleet")]


def read_topic(data: bytes) -> None:
    """A topic names a bike by the contract's form or a vendor's, or it does not."""
    topic = data.decode("utf-8", "replace")
    if found := topics.parse(topic):
        assert topics.of_bike(found.kind, found.vendor, found.bike_id) == topic
    for pattern in PATTERNS:
        if pattern.bike_id(topic) is not None:
            assert pattern.covers(topic)


def read_pattern(data: bytes) -> None:
    """A pattern of the configuration is refused, or its topics can be subscribed to."""
    text, _, topic = data.decode("utf-8", "replace").partition("\n")
    try:
        pattern = TopicPattern(text)
    except ValueError:
        return
    assert pattern.bike_id(topic) is None or pattern.covers(topic)
    vendor = VendorFormat("own", FORMATS["mds"], topics=(pattern,))
    _decode(vendor, topic, [b"{}"])


def _mapping(number: int) -> VendorFormat:
    """A vendor with a mapping of its own."""
    chance = random.Random(number)
    quantities: list[Quantity] = [*REQUIRED]
    quantities += [q for q in get_args(Quantity) if q not in REQUIRED and chance.random() < 0.6]
    sources = {}
    for place, quantity in enumerate(quantities):
        unit = chance.choice([*UNITS.get(quantity, {}), None])
        measured = quantity in UNITS and quantity not in REQUIRED
        sources[quantity] = Source(
            f"{chance.choice(['', 'a.', 'b.c.'])}{'tyxnopqrsuv'[place]}",
            unit,
            (-1.0,) if measured and chance.random() < 0.5 else (),
            SHANGHAI if unit == TIME_TEXT and chance.random() < 0.5 else None,
        )
    items = chance.choice([None, None, "d", "e.d"])
    fleet = () if number % 2 else (TopicPattern("fleet"),)
    return VendorFormat(f"m{number}", mapped(sources, items), "gcj02", fleet)


VENDORS = [
    VendorFormat("mds", FORMATS["mds"], "bd09"),
    VendorFormat("fleet", FORMATS["mds"], topics=(TopicPattern("fleet"),)),
    VendorFormat("own", FORMATS["owntracks"], topics=(TopicPattern("owntracks/own/{bike}"),)),
    *(_mapping(number) for number in range(24)),
]
ADDRESSED = [
    (vendor, topic)
    for vendor in VENDORS
    for topic in [
        *(topics.of_bike(kind, vendor.vendor, "b7") for kind in topics.KINDS),
        *(pattern.pattern.replace("{bike}", "b7") for pattern in vendor.topics),
    ]
]


def read_payloads(data: bytes) -> None:
    """Messages of any content become telemetry within bounds, or rejects with a reason."""
    vendor, topic = ADDRESSED[data[0] % len(ADDRESSED)] if data else ADDRESSED[0]
    _decode(vendor, topic, data[1:].split(BETWEEN))


def _decode(vendor: VendorFormat, topic: str, payloads: list[bytes]) -> None:
    decoder = Decoder(Roster({vendor.vendor: "any"}), {vendor.vendor: vendor})
    decoded = decoder.decode(Messages(NOW_MS, [topic] * len(payloads), payloads))
    batch = decoded.telemetry
    assert decoded.accepted.total() == len(batch)
    assert (decoded.received - decoded.rejected).total() == len(batch)
    for reject in decoded.rejects:
        assert reject.reason in REJECT_REASONS
        assert len(payload_json(reject)) < 20_000 + 6 * len(topic)
    oldest_ms, newest_ms = DecodeLimits().bounds(NOW_MS)
    assert np.all((oldest_ms <= batch.timestamp_ms) & (batch.timestamp_ms <= newest_ms))
    assert np.all((np.abs(batch.lat_deg) <= 91) & (np.abs(batch.lng_deg) <= 181))


def read_recording(data: bytes) -> None:
    """A recorded file gives telemetry and problems, whatever is in it."""
    kind = SUFFIXES[data[0] % len(SUFFIXES)] if data else ".gpx"
    file = FOLDER / "hello" / f"bike{kind}"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(data[1:])
    vendors = {"hello": VendorFormat("hello", FORMATS["mds"], "gcj02")}
    block_bytes = 64 if data[:1] > b"\x80" else 1 << 16
    reader = RecordingReader(Roster({"hello": "any"}), vendors, block_bytes=block_bytes)
    for piece in reader.read(file):
        assert piece.items >= 0
        for problem in piece.problems:
            str(problem).encode()


# -- configuration -----------------------------------------------------------------


def read_settings(data: bytes) -> None:
    """A patrol.toml is read, or its mistakes are listed."""
    file = FOLDER / "patrol.toml"
    file.write_bytes(data)
    (FOLDER / "zones.geojson").write_bytes(SQUARE)
    try:
        load_with_zones(file)
    except ConfigError as exc:
        "".join(map(str, exc.problems)).encode()


def read_zones(data: bytes) -> None:
    """Zones and exclusions are laid on a grid, or their mistakes are listed."""
    zones, _, exclusions = data.partition(BETWEEN)
    try:
        found = parse_zones(zones, exclusions or None, POLICIES)
        if grid_over(found, cell_m=100).size < 10_000:  # a small district
            Atlas(found)
    except ZonesError as exc:
        "".join(map(str, exc.problems)).encode()


def read_calendar(data: bytes) -> None:
    """A calendar's mistakes are listed, or a year's duty is reckoned by it."""
    try:
        hours = Hours.parse(["Mon-Sun 08:00-18:00"], SHANGHAI, data.decode("utf-8", "replace"))
    except PolicyError as exc:
        str(exc).encode()
        return
    year_ms = 365 * 86_400_000
    assert 0 <= hours.duty_ms(NOW_MS, NOW_MS + year_ms) <= year_ms
    hours.next_change(NOW_MS)
    hours.exception_at(NOW_MS)


# -- connections -------------------------------------------------------------------

OPTIONS = MqttOptions("broker", filters=("a/+", "b/+"))
BOTH_VERSIONS = OPTIONS, replace(OPTIONS, protocol="3.1.1")


def read_mqtt(data: bytes) -> None:
    """What a broker sends is understood or named, in both versions, however it is cut."""
    cut = data[0] if data else 0
    for options in BOTH_VERSIONS:
        whole = _received(options, [data[1:]])
        parts = _received(options, [data[1 : cut + 1], data[cut + 1 :]])
        assert whole == parts or whole is None or parts is None


def _received(options: MqttOptions, parts: list[bytes]) -> object:
    """Messages and answers; None when the connection is over."""
    wire, answers, over = Wire(options), b"", False
    try:
        for data in parts:
            space = wire.free()
            assert len(space) > len(data)
            space[: len(data)] = data
            answers += wire.received(len(data))
    except BrokerUnavailable as exc:
        str(exc).encode()
        over = True
    taken = wire.take()
    assert len(taken[0]) == len(taken[1]) == len(taken[2])
    return None if over else (taken, answers)


class Web:
    """The application over a district, asked on one event loop; renewed as it fills up."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.asked = 0
        self.district = ExitStack()

    def ask(self, method: str, target: bytes, body: bytes) -> int:
        """The status of the answer."""
        if self.asked % 500 == 0:
            self.district.close()
            folder = Path(self.district.enter_context(tempfile.TemporaryDirectory(dir=FOLDER)))
            parts = self.district.enter_context(new_district(folder))
            self.app = create_app(parts.sources())
            self.app.state.feed.close()  # a stream would never end
        self.asked += 1
        path, _, query = target.partition(b"?")
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote_to_bytes(path).decode("utf-8", "replace"),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        sent: list[dict[str, Any]] = []
        requests = [{"type": "http.request", "body": body}]

        async def receive() -> dict[str, Any]:
            if not requests:
                await asyncio.Event().wait()  # the client stays until it has the answer
            return requests.pop()

        async def send(message: Any) -> None:
            sent.append(message)

        self.loop.run_until_complete(self.app(scope, receive, send))
        return int(sent[0]["status"])


@cache
def web() -> Web:
    """The one application of this process."""
    return Web()


def read_request(data: bytes) -> None:
    """A request is answered, or refused for a reason that is the client's."""
    head, _, body = data.partition(b"\n")
    method, _, target = head.partition(b" ")
    if not target.startswith(b"/") or any(not 0x20 < byte < 0x7F for byte in target):
        return  # h11 refuses it
    name = method.decode("ascii", "replace").upper()
    status = web().ask(name if name in ("GET", "POST", "PUT", "DELETE") else "GET", target, body)
    assert status < 500 or (status == 503 and b"readyz" in target), status


# -- where to begin ----------------------------------------------------------------

SQUARE = (
    b'{"type":"FeatureCollection","features":[{"type":"Feature","properties":{"zone_id":"z1",'
    b'"name":"Z","policy":"core","valid_from":"2026-05-01"},"geometry":{"type":"Polygon",'
    b'"coordinates":[[[120.38,36.3],[120.39,36.3],[120.39,36.31],[120.38,36.31],[120.38,36.3]]]}}]}'
)
CALENDAR = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\n"
    "DTSTART%s\r\nDTEND%s\r\n%sSUMMARY:race\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
DATE, TIME = ";VALUE=DATE:20251%03d", ";TZID=Europe/Berlin:20251124T%02d0000"
MAPPED = (
    b'{"t":1763859600,"y":36.3,"x":120.4,"n":5,"a":{"t":1763859600000,"y":36300000,"x":"12040"},'
    b'"b":{"c":{"t":"2025-11-23T09:00:00","y":1,"x":2,"n":-1}},"d":[{"t":1}],"e":{"d":[]}}'
)
ROUTES = (
    "GET /api/v1/zones?at=2025-11-23T08:00:00Z|GET /api/v1/coverage/cy-01/days?from=2025-11-01&to=1"
    "|GET /api/v1/bikes?limit=3&cursor=x|GET /api/v1/tracks?from=0&to=1|GET /api/v1/alerts?state=x"
    '|POST /api/v1/campaigns\n{"name":"c","zones":["cy-01"],"to":"2026-01-01","target":0.5}'
    '|POST /api/v1/zones/cy-02/pause\n{"until":"2025-11-24","reason":"x"}|GET /readyz'
    "|PUT /api/v1/zones/cy-77?dry_run=true\n" + SQUARE.decode()[40:-2]
).encode()


def _cases(kind: str) -> list[bytes]:
    return [file.read_bytes() for file in sorted((CASES / kind).rglob("*")) if file.is_file()]


def _addressed(kind: str, payloads: list[bytes]) -> list[bytes]:
    """Payloads, each behind the number of every topic that may carry it."""
    named = [f"{topic} {vendor.vendor}" for vendor, topic in ADDRESSED]
    numbers = [number for number, name in enumerate(named) if kind in name]
    return [bytes([number]) + payload for payload in payloads for number in numbers]


_PAYLOADS = [
    *_addressed("telemetry mds", _cases("mds")),
    *_addressed("telemetry own", _cases("owntracks")),
    *_addressed("event mds", _cases("event")),
    *_addressed("status mds", _cases("status")),
    *_addressed(" m", [MAPPED, b"[%s,%s]" % (MAPPED, MAPPED)]),
]
_RECORDINGS = [
    bytes([number]) + case
    for number, suffix in enumerate(SUFFIXES)
    for case in _cases({".gpx": "gpx", ".rec": "rec"}.get(suffix, "mds"))
]
_CONNACK = mqtt5.ConnAckPacket().write()
_SUBACK = mqtt5.SubAckPacket(1, [mqtt5.SubAckReasonCode.GRANTED_QOS_AT_LEAST_ONCE] * 2).write()
_MESSAGES = b"".join(
    mqtt5.PublishPacket(
        f"a/{qos}", b"payload", qos=mqtt5.QoS(qos), packet_id=qos * 7 or None, content_type="x"
    ).write()
    for qos in (0, 1, 2)
)
_GOODBYE = mqtt5.DisconnectPacket(reason_str="maintenance").write()
_OLD = mqtt3_broker.CONNACK + mqtt3_broker.suback(1, 1)
_OLD += b"".join(mqtt3_broker.publish(b"a/1", b"payload", qos=qos) for qos in (0, 1, 2))
_RULES = ("", "RRULE:FREQ=YEARLY;BYMONTH=10;UNTIL=20300101\r\n", "RRULE:FREQ=DAILY;COUNT=9\r\n")
_ICAL = (
    "FREQ= DAILY WEEKLY MONTHLY INTERVAL= COUNT= UNTIL= BYDAY= BYMONTHDAY= BYMONTH= BYSETPOS=-1 "
    "BYHOUR=1,2,3 BYWEEKNO=53 BYYEARDAY=-366 WKST=MO TZID= RRULE: EXDATE: RDATE;VALUE=PERIOD: "
    "RECURRENCE-ID: DURATION:P1D 19700101 99991231T235959Z BEGIN:VTIMEZONE BEGIN:VEVENT 0 99999"
)
_TOML = (
    "[vendors.x] [policies.y] [[a]] = \"\"\" ''' { } [ ] , . # inf nan 1979-05-27T07:32:00Z "
    '0x 1_0 \\u0000 "any" bikes mapping hours frequency target "99999999d" \n'
)
_JSON = [*b'{ } [ ] , : " null true "\\ud800" \\u0000 [[[[[[[['.split(), BETWEEN, *NUMBERS]

TARGETS: dict[str, Target] = {
    "requests": Target(
        read_request,
        ROUTES.split(b"|"),
        [*_JSON, b"?", b"&", b"%00", b"%ED%A0%80", b"at=", b"from=", b"9999-12-31", b"/api/v1/"],
        1,
    ),
    "settings": Target(
        read_settings, [(SAMPLE / "patrol.toml").read_bytes()], _TOML.encode().split(b" "), 1
    ),
    "calendar": Target(
        read_calendar,
        [
            (CALENDAR % (form % begin, form % end, rule)).encode()
            for form, begin, end in ((DATE, 124, 125), (TIME, 8, 9))
            for rule in _RULES
        ],
        [word.encode() for word in [*_ICAL.split(), ";", ",", "\r\n"]],
        1,
    ),
    "zones": Target(
        read_zones,
        [SQUARE, SQUARE + BETWEEN + SQUARE, SQUARE.replace(b"Polygon", b"Point")],
        _JSON,
        4,
    ),
    "recordings": Target(
        read_recording, _RECORDINGS, [*_JSON, b"<trkpt lat='1' lon='2'>", b"</trkpt>", b"\n"], 10
    ),
    "patterns": Target(
        read_pattern,
        [b"own/{bike}\nown/b7", b"f/bike-{bike}/gps\nf/bike-b7/gps", b"a/b\na/b", b"a.*{bike}\nx"],
        [*b"{bike} / + # \0 patrol/v1/ ( [ \\ * ?".split(), b"\n"],
        15,
    ),
    "payloads": Target(read_payloads, _PAYLOADS, _JSON, 38),
    "mqtt": Target(
        read_mqtt,
        [
            b"\5" + _CONNACK + _SUBACK + _MESSAGES,
            b"\0" + _CONNACK + _MESSAGES + _SUBACK + _GOODBYE,
            b"\x20" + _OLD,
        ],
        [_CONNACK, _SUBACK, _MESSAGES, _GOODBYE, b"\xff\xff\xff\x7f", b"\0\0", b"\x26\0\1a\0\1b"],
        130,
    ),
    "topics": Target(
        read_topic,
        [b"patrol/v1/hello/b7/telemetry", b"owntracks/own/b7", b"f/bike-b7/gps", b"fleet"],
        b"patrol/v1/ / telemetry event status owntracks/own/ + # \0 {bike}".split(),
        800,
    ),
}
