"""Messages into telemetry: what is accepted, what is not, and why."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bikes.errors import REJECT_REASONS
from bikes.formats import FORMATS
from bikes.roster import BikeKey, Roster
from bikes.telemetry import COLUMNS, Event, Location, Status, Telemetry
from bikes.topics import TopicPattern
from geofence.datum import wgs84_to_gcj02
from ingest.checks import Bounds, fault, to_columns
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


def only_reject(decoded: Decoded) -> tuple[str, str]:
    assert len(decoded.telemetry) == 0
    (reject,) = decoded.rejects
    assert decoded.received.total() == (reject.kind == "telemetry")
    return reject.reason, reject.detail


def test_everything_a_fix_says_is_in_its_columns() -> None:
    """Each field is in its column, in its unit; what was not said is NaN."""
    full = fix(
        NOW_MS - 5,
        speed=4.25,
        heading=270,
        altitude=31.5,
        horizontal_accuracy=3.5,
        satellites=9,
        device_id="b7",
        battery_percent=81,
    )
    decoded = decode((topic("b7"), full), (topic("b8"), fix()))
    telemetry = decoded.telemetry
    assert {name: getattr(telemetry, name).dtype for name in COLUMNS} == COLUMNS
    assert telemetry.bike.tolist() == [0, 1]
    assert telemetry.timestamp_ms.tolist() == [NOW_MS - 5, NOW_MS]
    assert (telemetry.lat_deg[0], telemetry.lng_deg[0]) == (36.3, 120.4)
    said = ["accuracy_m", "speed_mps", "heading_deg", "altitude_m", "battery_percent"]
    assert [getattr(telemetry, name)[0] for name in said] == [3.5, 4.25, 270, 31.5, 81]
    assert all(np.isnan(getattr(telemetry, name)[1]) for name in said)
    assert (decoded.messages, decoded.received.total(), decoded.rejects) == (2, 2, [])
    assert decoded.received_at_ms == NOW_MS


def test_no_messages() -> None:
    """An empty batch says nothing."""
    decoded = decode()
    assert (len(decoded.telemetry), decoded.messages, decoded.received.total()) == (0, 0, 0)


@pytest.mark.parametrize(
    ("message", "reason", "detail"),
    [
        ((topic(), b"hello"), "not_json", "JSON is malformed: invalid character (byte 0)"),
        ((topic(), b""), "not_json", "the payload is empty"),
        ((topic(), b"\xef\xbb\xbf{}"), "not_json", "byte order mark"),
        ((topic(), b'{"timestamp":NaN}'), "not_json", "JSON has no NaN"),
        ((topic(), {"timestamp": NOW_MS}), "schema", "location: required, but missing"),
        ((topic(), fix(lat="36")), "schema", "location.lat: expected float, got str"),
        ((topic(), fix(True)), "schema", "timestamp: expected int, got bool"),
        ((topic(), fix(lat=90.5, lng=200)), "out_of_range", "location.lat: 90.5 is not between"),
        ((topic(), fix(lat=-91)), "out_of_range", "location.lat: -91 is not between -90 and 90"),
        ((topic(), fix(lat=120.4, lng=36.3)), "out_of_range", "lat and lng may be swapped"),
        ((topic(), fix(lng=180.5)), "out_of_range", "location.lng: 180.5"),
        ((topic(), b'{"timestamp":1,"location":{"lat":1e999,"lng":1}}'), "out_of_range", "lat"),
        ((topic(), fix(lat=90.00001)), "out_of_range", "location.lat: 90.00001 is not between"),
        ((topic(), fix(lat=0, lng=0)), "out_of_range", "what a receiver without a fix says"),
        ((topic(), fix(lat=-0.0009, lng=0.0009)), "out_of_range", "a receiver without a fix"),
        (
            ("owntracks/own/b7", {"_type": "location", "lat": 1, "lon": 1, "tst": NOW_MS}),
            "future_timestamp",
            "timestamp 1760000000000 looks like milliseconds; seconds are wanted",
        ),
        ((topic(), fix(device_id="b8")), "device_mismatch", "'b8' on the topic of 'b7'"),
        ((topic(), fix(device_id="B7")), "device_mismatch", "'B7' on the topic of 'b7'"),
        ((topic(vendor="nobody"), fix()), "unknown_vendor", "vendor 'nobody' is not configured"),
        (("owntracks/else/b7", fix()), "unknown_vendor", "of no configured vendor"),
        ((topic("b", "listed"), fix()), "unknown_bike", "bike 'b' is not on the list"),
        ((topic("b 7"), fix()), "unknown_bike", "where {bike} is 1 to 64 letters"),
        (("owntracks/own/b 7", fix()), "unknown_bike", "is not owntracks/own/{bike}"),
        ((topic(), fix(x="x" * 2000)), "too_large", "bytes; at most 2000 are accepted"),
        ((topic(), [fix()] * 5), "too_many", "the array has 5 items; at most 4 are accepted"),
        ((topic(), [fix()] * 4 + [7]), "too_many", "the array has 5 items; at most 4"),
        ((topic(), fix(NOW_MS + 300_001)), "future_timestamp", "is 0.001 s later than"),
        ((topic(), fix(NOW_MS + 7_500_000)), "future_timestamp", "check the device's clock"),
        ((topic(), fix(NOW_MS * 1000)), "future_timestamp", "looks like microseconds"),
        ((topic(), fix(NOW_MS * 1_000_000)), "future_timestamp", "looks like nanoseconds"),
        ((topic(), fix(2**64)), "future_timestamp", "later than is accepted"),
        ((topic(), fix(10**400)), "future_timestamp", "with over 20 digits"),
        ((topic(), fix(NOW_MS - DAY_MS - 1)), "too_old", "is 0.001 s older than is accepted"),
        ((topic(), fix(NOW_MS // 1000)), "too_old", "looks like seconds; milliseconds are wanted"),
        ((topic(), fix(0)), "too_old", "timestamp 0 is 20369 days older"),
        ((topic(), fix(-(2**70))), "too_old", "older than is accepted"),
        ((topic("b7", "own"), {"_type": "encrypted"}), "schema", "encrypted"),
    ],
)
def test_rejected(message: tuple[str, object], reason: str, detail: str) -> None:
    """A message that cannot be accepted is rejected with the contract's word, and told why."""
    found = only_reject(decode(message))
    assert found[0] == reason
    assert detail in found[1]


@pytest.mark.parametrize(
    "payload",
    [
        fix(NOW_MS + 300_000),
        fix(NOW_MS - DAY_MS),
        fix(lat=90, lng=-180, heading=360, battery_percent=0, speed=0, horizontal_accuracy=0),
        fix(lat=-90, lng=180, heading=0, battery_percent=100),
        fix(device_id=None),
    ],
)
def test_limits_belong_to_what_is_accepted(payload: dict) -> None:
    """A value that is exactly at a limit is accepted."""
    assert len(decode((topic(), payload)).telemetry) == 1


@pytest.mark.parametrize("value", [b"-1", b"1e300", b"1e999", b"NaN", b"-Infinity", b'""', b"[]"])
@pytest.mark.parametrize(
    ("field", "column"),
    [
        ("speed", "speed_mps"),
        ("heading", "heading_deg"),
        ("horizontal_accuracy", "accuracy_m"),
        ("altitude", "altitude_m"),
    ],
)
def test_a_value_that_cannot_be_used_is_unknown_and_noted(
    value: bytes, field: str, column: str
) -> None:
    """It refuses nothing, alone and in an array, and is counted for its vendor."""
    value = b"-9999" if (field, value) == ("altitude", b"-1") else value
    one = json.dumps(fix(**{field: "?"})).encode().replace(b'"?"', value)
    decoded = decode((topic(), one), (topic(), b"[%s, %s]" % (one, json.dumps(fix()).encode())))
    assert (len(decoded.telemetry), decoded.rejects) == (3, [])
    assert np.isnan(getattr(decoded.telemetry, column)).all()
    assert decoded.notes == {("hello", field): 2}


def test_a_fix_of_any_inaccuracy_is_not_of_unknown_accuracy() -> None:
    """A receiver that says 4,000 km is not believed, as one that says nothing would be."""
    assert decode((topic(), fix(horizontal_accuracy=4e6))).telemetry.accuracy_m.tolist() == [4e6]


def test_what_is_refused_has_no_notes() -> None:
    """Values of items that were not accepted are not counted."""
    decoded = decode((topic(), fix(lat=91, speed=-1)), (topic(), fix(battery_percent=101)))
    assert decoded.notes == {("hello", "battery_percent"): 1}


@pytest.mark.parametrize("envelope", [b'{"version": "2.0", "telemetry": %s}', b"%s"])
def test_whole_floats_and_the_envelope_of_mds(envelope: bytes) -> None:
    """Integers may be written as floats, and items as the standard's own endpoint has them."""
    item = json.dumps(fix(float(NOW_MS), satellites=9.0)).encode()
    decoded = decode((topic(), envelope % b"[%s, 7]" % item))
    assert decoded.telemetry.timestamp_ms.tolist() == [NOW_MS]
    assert [(reject.index, reject.reason) for reject in decoded.rejects] == [(1, "schema")]


def test_array_item_by_item() -> None:
    """Each item is accepted or rejected by itself; the message's one reject names them."""
    items = [fix(NOW_MS - 1), fix(lat=91), {"timestamp": 1}, fix(NOW_MS - 2)]
    decoded = decode((topic("b1"), fix()), (topic("b2"), items))
    assert decoded.telemetry.timestamp_ms.tolist() == [NOW_MS, NOW_MS - 1, NOW_MS - 2]
    assert decoded.telemetry.bike.tolist() == [0, 1, 1]
    (reject,) = decoded.rejects
    assert (reject.index, reject.reason, reject.bike_id, reject.count) == (
        1,
        "out_of_range",
        "b2",
        2,
    )
    assert [(item.index, item.reason) for item in reject.items] == [
        (1, "out_of_range"),
        (2, "schema"),
    ]
    assert (decoded.messages, decoded.received.total()) == (2, 5)


def test_fine_arrays_with_a_bad_value() -> None:
    """An item whose JSON is fine and whose value is not is rejected with its index, too."""
    decoded = decode((topic(), [fix(), fix(device_id="b8"), fix(7)]))
    (reject,) = decoded.rejects
    assert [(item.index, item.reason) for item in reject.items] == [
        (1, "device_mismatch"),
        (2, "too_old"),
    ]


def test_single_has_no_index() -> None:
    """A reject of a message that is no array has no index, beside arrays as well."""
    decoded = decode((topic(), [fix()]), (topic(), fix(lat=91)), (topic(), b"x"))
    assert [r.index for r in decoded.rejects] == [None, None]


def test_empty_array_says_nothing() -> None:
    """An empty array is neither accepted nor rejected: it has no items."""
    decoded = decode((topic(), []))
    assert (decoded.messages, decoded.received.total(), decoded.rejects) == (1, 0, [])


def test_reject_carries_what_the_vendor_needs() -> None:
    """A reject has the topic, the time, the names and the beginning of the payload."""
    decoded = decode((topic("b7"), b"\xb3" + b"x" * 1000))
    (reject,) = decoded.rejects
    assert (reject.topic, reject.vendor, reject.bike_id) == (topic("b7"), "hello", "b7")
    assert reject.received_at_ms == NOW_MS
    assert reject.payload == "\ufffd" + "x" * 511


def test_details_are_bounded() -> None:
    """However long the value that is wrong, the detail that quotes it is short."""
    decoded = decode((topic(), fix(device_id="x" * 1500)))
    assert len(decoded.rejects[0].detail) == 500


def test_topic_comes_before_size_before_text() -> None:
    """Of several faults the first in the documented order is given."""
    large = b"x" * 3000
    decoded = decode((topic(vendor="nobody"), large), (topic(), large), (topic(), b"x"))
    assert [r.reason for r in decoded.rejects] == ["unknown_vendor", "too_large", "not_json"]


def test_rejects_come_in_order() -> None:
    """Rejects come in the order of the messages, whatever their vendors and kinds."""
    decoded = decode(
        (topic("b1", "gcj"), b"x"),
        (topic("b2", kind="status"), b"x"),
        (topic("b3"), [7, fix(lat=91), 8]),
        (topic(vendor="nobody"), fix()),
        (topic("b4", "own"), b"x"),
    )
    assert [(r.bike_id, r.index, r.count) for r in decoded.rejects] == [
        ("b1", None, 1),
        ("b2", None, 1),
        ("b3", 0, 3),
        ("b7", None, 1),
        ("b4", None, 1),
    ]
    assert decoded.received.total() == 6


def test_vendors_in_one_batch() -> None:
    """Each vendor's messages are read in its format and datum, with the others' in between."""
    lat, lng = wgs84_to_gcj02([36.3], [120.4])
    location = {"_type": "location", "lat": 36.3, "lon": 120.4, "tst": NOW_MS // 1000, "vel": 18}
    decoded = decode(
        (topic("a", "hello"), fix()),
        (topic("b", "gcj"), fix(lat=lat[0], lng=lng[0])),
        ("owntracks/own/c", location),
        (topic("d", "own"), location),
        (topic("d", "own"), {"_type": "lwt", "tst": 1}),
        (topic("e", "hello"), fix()),
        (topic("b", "gcj"), fix(lat=lat[0], lng=lng[0])),
    )
    assert decoded.rejects == []
    assert len(decoded.telemetry) == decoded.received.total() == 6
    assert np.allclose(decoded.telemetry.lat_deg, 36.3, atol=1e-8, rtol=0)
    assert np.allclose(decoded.telemetry.lng_deg, 120.4, atol=1e-8, rtol=0)
    assert np.nansum(decoded.telemetry.speed_mps) == 10


def test_same_bike_by_two_topics() -> None:
    """A bike that speaks on its vendor's own topic and on the contract's is one bike."""
    roster = Roster({"own": "any"})
    reader = Decoder(roster, VENDORS)
    location = {"_type": "location", "lat": 36.3, "lon": 120.4, "tst": NOW_MS // 1000}
    decoded = reader.decode(batch([("owntracks/own/c", location), (topic("c", "own"), location)]))
    assert decoded.telemetry.bike.tolist() == [0, 0]
    assert roster.keys == [BikeKey("own", "c")]


def test_new_bikes_in_later_batches() -> None:
    """A bike that appears later gets its number, and those before keep theirs."""
    reader = decoder()
    for number in range(5):
        sent = batch([(topic("b0"), fix()), (topic(f"b{number}"), fix())])
        assert reader.decode(sent).telemetry.bike.tolist() == [0, number]


def test_refused_topics_leave_no_trace() -> None:
    """A bike or vendor that is refused does not enter the roster, nor is its topic remembered."""
    roster = Roster({"listed": ["a"]})
    reader = Decoder(roster, VENDORS)
    sent = batch([(topic(f"x{i}", v), fix()) for i in range(50) for v in ("listed", "nobody")])
    assert len(reader.decode(sent).rejects) == 100
    assert len(roster) == 1


def test_vendor_without_format() -> None:
    """A roster with a vendor of unknown format is a mistake of whoever put it together."""
    with pytest.raises(ValueError, match="other"):
        Decoder(Roster({"other": "any"}), VENDORS)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"online", [(True, NOW_MS)]),
        (b"Offline", [(False, NOW_MS)]),
        ({"online": True, "timestamp": NOW_MS - 99}, [(True, NOW_MS - 99)]),
        ({"online": True, "timestamp": NOW_MS - 400 * DAY_MS}, [(True, NOW_MS - 400 * DAY_MS)]),
        ({"online": False, "timestamp": NOW_MS - 99}, [(False, NOW_MS)]),
        (b"", []),
    ],
)
def test_status(payload: object, expected: list[tuple[bool, int]]) -> None:
    """A status is an object or a word; a last will counts from its receipt; empty says nothing."""
    decoded = decode((topic(kind="status"), payload))
    assert decoded.statuses == [Status(bike=0, online=o, timestamp_ms=t) for o, t in expected]
    assert (decoded.rejects, decoded.received.total()) == ([], 0)


@pytest.mark.parametrize(
    ("kind", "payload", "reason"),
    [
        ("status", b"alive", "not_json"),
        ("status", {"online": 1}, "schema"),
        ("status", {"online": True, "timestamp": NOW_MS // 1000}, "too_old"),
        ("status", {"online": True, "timestamp": NOW_MS + 300_001}, "future_timestamp"),
        ("event", {"vehicle_state": "flying", "timestamp": NOW_MS}, "schema"),
        ("event", {"vehicle_state": "removed", "timestamp": 7}, "too_old"),
        (
            "event",
            {"vehicle_state": "removed", "timestamp": NOW_MS, "device_id": "b8"},
            "device_mismatch",
        ),
        ("event", b"x" * 3000, "too_large"),
    ],
)
def test_bad_status_and_event(kind: str, payload: object, reason: str) -> None:
    """A status or event that cannot be accepted is rejected, and is no item of telemetry."""
    decoded = decode((topic(kind=kind), payload))
    (reject,) = decoded.rejects
    assert (reject.reason, reject.kind) == (reason, kind)
    assert decoded.received.total() == 0
    assert decoded.statuses == decoded.events == []


def test_events() -> None:
    """Events come alone or in an array, item by item."""
    trip = {"vehicle_state": "on_trip", "timestamp": NOW_MS, "event_types": ["trip_start"]}
    decoded = decode((topic(kind="event"), trip), (topic(kind="event"), [trip, 7, trip]))
    event = Event(bike=0, vehicle_state="on_trip", timestamp_ms=NOW_MS)
    assert decoded.events == [event] * 3
    assert [(r.index, r.kind) for r in decoded.rejects] == [(1, "event")]


def test_equal_values_are_equal_bits() -> None:
    """A negative zero is stored as zero, so that what compares equal is equal bit for bit."""
    decoded = decode((topic(), b'{"timestamp":%d,"location":{"lat":-0.0,"lng":0}}' % NOW_MS))
    assert not np.signbit(decoded.telemetry.lat_deg).any()


VALUES = st.none() | st.sampled_from([-1e9, -180.5, -90.0, -1.0, 0.0, 90.0, 100.5, 360.0, 1e308])


@given(
    st.lists(
        st.builds(
            Telemetry,
            timestamp=st.sampled_from([-(2**70), 0, 99, 100, 200, 201, 2**63, 10**30]),
            location=st.builds(
                Location,
                lat=st.sampled_from([-90.5, -90.0, 36.3, 90.0, 1e300]),
                lng=st.sampled_from([-180.5, 120.4, 180.0, 181.0]),
                speed=VALUES,
                heading=VALUES,
                altitude=VALUES,
                horizontal_accuracy=VALUES,
            ),
            device_id=st.sampled_from([None, "a", "b"]),
            battery_percent=VALUES,
        ),
        max_size=6,
    ),
    st.booleans(),
)
def test_columns_and_items_are_judged_alike(items: list[Telemetry], names_known: bool) -> None:
    """The vectorised check finds fault with the items in which the one by one check does."""
    bounds = Bounds(100, 200)
    names = ["a"] * len(items) if names_known else None
    bike = np.arange(len(items), dtype=np.int32)
    columns, faults, _ = to_columns(bike, items, bounds, bike_ids=names)
    expected = {
        row: found
        for row, item in enumerate(items)
        if (found := fault(item, bounds, "a" if names_known else None))
    }
    assert {r: f.detail for r, f in faults.items()} == {r: f.detail for r, f in expected.items()}
    assert columns.bike.tolist() == [row for row in range(len(items)) if row not in expected]


def test_items_on_a_topic_of_many_bikes_name_theirs() -> None:
    """Each is of the bike that it names; one that names none of the vendor's is told so."""
    reader = decoder(roster := new_roster())
    items = [fix(device_id="b1"), fix(NOW_MS - 1, device_id="b2"), fix(), fix(device_id="b 3")]
    own = ("patrol/v1/fleet/b2/telemetry", fix(NOW_MS - 2))
    decoded = reader.decode(batch([("fleet/gps", items), own, ("fleet/gps", fix(device_id="b1"))]))
    assert [(roster.key(bike).bike_id, at - NOW_MS) for bike, at, _ in rows(decoded)] == [
        ("b1", 0),
        ("b2", -1),
        ("b2", -2),
        ("b1", 0),
    ]
    (reject,) = decoded.rejects
    assert (reject.vendor, reject.bike_id) == ("fleet", "b 3")
    assert [(item.index, item.reason) for item in reject.items] == [
        (2, "schema"),
        (3, "unknown_bike"),
    ]
    assert reject.detail.startswith("device_id: required on a topic of many bikes")
    assert decoded.received.total() == 6


def test_an_empty_device_is_not_known() -> None:
    """On a bike's own topic nothing is missing; on a topic of many bikes the bike is."""
    decoded = decode((topic("b1"), fix(device_id="")), ("fleet/gps", fix(device_id="")))
    assert len(decoded.telemetry) == 1
    assert [(reject.reason, reject.topic) for reject in decoded.rejects] == [
        ("schema", "fleet/gps")
    ]


def test_a_reject_on_a_topic_of_many_bikes_goes_to_the_bike_that_was_named() -> None:
    """Its vendor hears of it where it hears of everything else of this bike."""
    decoded = decode(
        ("fleet/gps", [fix(device_id="b1"), fix(lat=91, device_id="b2")]),
        ("listed/all", fix(device_id="b3")),
        ("fleet/gps", b"?"),
    )
    assert [(r.reason, r.index, r.vendor, r.bike_id) for r in decoded.rejects] == [
        ("out_of_range", 1, "fleet", "b2"),
        ("unknown_bike", None, "listed", "b3"),
        ("not_json", None, "fleet", ""),
    ]
    assert len(decoded.telemetry) == 1


PAYLOADS = st.one_of(
    st.binary(max_size=50),
    st.sampled_from([b"", b"[]", b"[" * 1000, b"online", b"x" * 2001, json.dumps(fix()).encode()]),
    st.lists(
        st.sampled_from([fix(), fix(lat=91), fix(3), fix(device_id="a"), 7, None, []]), max_size=6
    ).map(lambda items: json.dumps(items).encode()),
)
TOPICS = st.one_of(
    st.builds(
        topic,
        bike=st.sampled_from(["a", "b", "b 7", ""]),
        vendor=st.sampled_from([*VENDORS, "nobody", "", "*"]),
        kind=st.sampled_from(["telemetry", "event", "status", "rejected"]),
    ),
    st.sampled_from(["owntracks/own/a", "owntracks/own/a b", "fleet/gps", "listed/all"]),
    st.text(max_size=20),
)


@given(st.lists(st.tuples(TOPICS, PAYLOADS), max_size=12))
def test_any_messages_are_accepted_or_rejected(messages: list[tuple[str, bytes]]) -> None:
    """Whatever comes, nothing is raised; every item is accepted or has a reason, never both."""
    decoded = decode(*messages)
    assert decoded.messages == len(messages)
    rejected = sum(r.count for r in decoded.rejects if r.kind == "telemetry")
    assert decoded.received.total() == len(decoded.telemetry) + rejected
    assert decoded.refused.total() == sum(r.count for r in decoded.rejects)
    assert {r.reason for r in decoded.rejects} <= set(REJECT_REASONS)
    assert all(r.detail for r in decoded.rejects)


@given(st.lists(st.tuples(TOPICS, PAYLOADS), max_size=12), st.integers(0, 12))
def test_batches_do_not_matter(messages: list[tuple[str, bytes]], at: int) -> None:
    """How messages were gathered into batches changes neither what is accepted nor what is not."""
    roster, other = new_roster(), new_roster()
    together, parts = decoder(roster).decode(batch(messages)), decoder(other)
    split = [parts.decode(batch(messages[:at])), parts.decode(batch(messages[at:]))]
    # By key: the index of a bike that is new depends on who was met first.
    keys = [(roster.key(bike), *rest) for bike, *rest in rows(together)]
    others = [(other.key(bike), *rest) for part in split for bike, *rest in rows(part)]
    assert sorted(keys) == sorted(others)
    assert together.rejects == split[0].rejects + split[1].rejects


def rows(decoded: Decoded) -> list[tuple[int, int, float]]:
    telemetry = decoded.telemetry
    columns = (telemetry.bike, telemetry.timestamp_ms, telemetry.lat_deg)
    return list(zip(*(column.tolist() for column in columns), strict=True))
