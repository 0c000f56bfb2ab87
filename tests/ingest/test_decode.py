"""Messages into telemetry: what is accepted, and what it says."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bikes.errors import REJECT_REASONS
from bikes.roster import BikeKey, Roster
from bikes.telemetry import COLUMNS, Event, Status
from geofence.datum import wgs84_to_gcj02
from ingest.decode import Decoder
from tests.decoders import (
    DAY_MS,
    NOW_MS,
    VENDORS,
    batch,
    decode,
    decoder,
    fix,
    new_roster,
    rows,
    topic,
)


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


def test_empty_array_says_nothing() -> None:
    """An empty array is neither accepted nor rejected: it has no items."""
    decoded = decode((topic(), []))
    assert (decoded.messages, decoded.received.total(), decoded.rejects) == (1, 0, [])


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
