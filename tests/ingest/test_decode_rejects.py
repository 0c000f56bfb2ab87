"""Messages that are not accepted: the reason, what the vendor needs to mend it, and the order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bikes.roster import Roster
from bikes.telemetry import Location, Telemetry
from ingest.checks import Bounds, fault, to_columns
from ingest.decode import Decoded, Decoder
from tests.decoders import DAY_MS, NOW_MS, VENDORS, batch, decode, fix, topic


def only_reject(decoded: Decoded) -> tuple[str, str]:
    assert len(decoded.telemetry) == 0
    (reject,) = decoded.rejects
    assert decoded.received.total() == (reject.kind == "telemetry")
    return reject.reason, reject.detail


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


def test_refused_topics_leave_no_trace() -> None:
    """A bike or vendor that is refused does not enter the roster, nor is its topic remembered."""
    roster = Roster({"listed": ["a"]})
    reader = Decoder(roster, VENDORS)
    sent = batch([(topic(f"x{i}", v), fix()) for i in range(50) for v in ("listed", "nobody")])
    assert len(reader.decode(sent).rejects) == 100
    assert len(roster) == 1


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
