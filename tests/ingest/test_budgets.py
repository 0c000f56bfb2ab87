"""The budget of a vendor: what it costs is bounded, and no honest message is touched."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import pytest

from bikes.formats import FORMATS
from bikes.formats.mapped import Source, mapped
from bikes.roster import Roster
from bikes.topics import of_bike
from ingest.budgets import TOLD, WRONG, VendorLimits
from ingest.decode import Decoder
from ingest.log import Messages
from ingest.rejects import OTHER, Refused
from ingest.vendors import VendorFormat

NOW_MS = 1_760_000_040_000
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
ITEMS = 500
WRONG_ITEMS = b"[" + b",".join([b"{}"] * ITEMS) + b"]"
FIX = {"timestamp": NOW_MS, "location": {"lat": 36.3, "lng": 120.4}}
RIGHT = json.dumps(FIX).encode()


def decoder(bikes: object = "any", **limits: int) -> Decoder:
    roster = Roster({"bad": bikes, "good": "any"})  # type: ignore[dict-item]
    formats = {
        "bad": VendorFormat("bad", FORMATS["mds"], limits=VendorLimits(**limits)),
        "good": VendorFormat("good", FORMATS["mds"]),
    }
    return Decoder(roster, formats)


def sent(*payloads: bytes, at_ms: int = NOW_MS, vendor: str = "bad", bikes: int = 1) -> Messages:
    names = [of_bike("telemetry", vendor, f"b{n % bikes}") for n in range(len(payloads))]
    return Messages(at_ms, names, list(payloads))


def refused(counts: Mapping[Refused, int]) -> dict[str, int]:
    return {what.reason: items for what, items in counts.items()}


def test_a_message_of_wrong_items_is_one_refusal() -> None:
    """It counts all of them and names the first few."""
    decoded = decoder().decode(sent(WRONG_ITEMS))
    (reject,) = decoded.rejects
    assert (reject.count, len(reject.items), reject.index) == (ITEMS, 5, 0)
    assert decoded.received.total() == ITEMS
    assert decoded.refused == {Refused("telemetry", "bad", "schema"): ITEMS}


@pytest.mark.parametrize("kind", ["telemetry", "event"])
def test_wrong_items_are_explained_up_to_a_limit(kind: str) -> None:
    """Then they are counted unread and said once; right messages and a minute later are read."""
    read = decoder()
    enough = WRONG // ITEMS
    topics = [f"patrol/v1/bad/b/{kind}"] * (enough + 100)
    decoded = read.decode(Messages(NOW_MS, topics, [WRONG_ITEMS] * len(topics)))
    assert refused(decoded.refused) == {"schema": WRONG, "over_budget": 100}
    assert [reject.reason for reject in decoded.rejects] == [*["schema"] * enough, "over_budget"]
    decoded = read.decode(sent(WRONG_ITEMS, RIGHT, b'{"timestamp":'))
    assert (len(decoded.telemetry), decoded.rejects) == (1, [])
    assert refused(decoded.refused)["over_budget"] == 2
    decoded = read.decode(sent(WRONG_ITEMS, vendor="good"))
    assert refused(decoded.refused) == {"schema": ITEMS}
    decoded = read.decode(sent(WRONG_ITEMS, at_ms=NOW_MS + MINUTE_MS))
    assert refused(decoded.refused) == {"schema": ITEMS}


def test_impossible_values_are_explained_up_to_the_same_limit() -> None:
    """They can be read, and cost as much to explain; the right items among them count."""
    read = decoder()
    item = {"timestamp": NOW_MS, "location": {"lat": 91, "lng": 1}}
    array = json.dumps([item] * (ITEMS - 1) + [FIX]).encode()
    counts = [read.decode(sent(array)) for _ in range(WRONG // ITEMS + 10)]
    assert all(len(decoded.telemetry) == 1 for decoded in counts)
    assert all(decoded.received.total() == ITEMS for decoded in counts)
    assert refused(counts[0].refused) == {"out_of_range": ITEMS - 1}
    assert refused(counts[-1].refused) == {"out_of_range": 1, "over_budget": ITEMS - 2}


def test_a_backlog_with_faults_in_it_is_read_as_a_whole() -> None:
    """Right items earn the explanation of wrong ones: a fleet's outage is no flood."""
    read = decoder()
    array = json.dumps([FIX] * (ITEMS // 2) + [{}] * (ITEMS // 2)).encode()
    arrays = 4 * WRONG // ITEMS
    for _ in range(3):
        decoded = read.decode(sent(*[array] * arrays))
        assert len(decoded.telemetry) == arrays * ITEMS // 2
        assert refused(decoded.refused) == {"schema": arrays * ITEMS // 2}


def test_wrong_statuses_are_explained_up_to_the_same_limit() -> None:
    """Right ones are read all the same."""
    topics = ["patrol/v1/bad/b/status"] * (WRONG + 11)
    payloads = [b"?"] * (WRONG + 10) + [b"online"]
    decoded = decoder().decode(Messages(NOW_MS, topics, payloads))
    assert refused(decoded.refused) == {"not_json": WRONG, "over_budget": 10}
    assert [status.online for status in decoded.statuses] == [True]


def test_refusals_are_told_up_to_a_limit_a_minute() -> None:
    """All are counted, by vendor; vendors that are not configured share one part."""
    read = decoder(bikes=[])
    decoded = read.decode(sent(*[RIGHT] * (TOLD + 500), bikes=3000))
    assert len(decoded.rejects) == TOLD
    assert decoded.refused == {Refused("telemetry", "bad", "unknown_bike"): TOLD + 500}
    topics = [of_bike("telemetry", f"v{n}", "b") for n in range(TOLD + 500)]
    decoded = read.decode(Messages(NOW_MS, topics, [RIGHT] * len(topics)))
    assert len(decoded.rejects) == TOLD
    assert decoded.refused == {Refused("telemetry", OTHER, "unknown_vendor"): TOLD + 500}
    assert len(read.decode(sent(b"?", vendor="good")).rejects) == 1


def test_new_bikes_are_bounded() -> None:
    """By the hour and in all; a bike that was let in stays, and the others are told why."""
    read = decoder(max_bikes=6, new_bikes_per_hour=4)
    six = sent(*[RIGHT] * 6, bikes=6)
    decoded = read.decode(six)
    assert len(decoded.telemetry) == 4
    assert [(r.reason, r.bike_id) for r in decoded.rejects] == [
        ("over_budget", "b4"),
        ("over_budget", "b5"),
    ]
    assert "[vendors.bad] max_bikes = 6, new_bikes_per_hour = 4" in decoded.rejects[0].detail
    assert len(read.decode(six).telemetry) == 4
    decoded = read.decode(sent(*[RIGHT] * 9, at_ms=NOW_MS + HOUR_MS, bikes=9))
    assert len(decoded.telemetry) == 6
    assert [reject.bike_id for reject in decoded.rejects] == ["b6", "b7", "b8"]


def test_bikes_that_are_listed_are_not_bounded() -> None:
    """A fleet that is configured has as many bikes as its list."""
    read = decoder(bikes=[f"b{n}" for n in range(20)], max_bikes=1, new_bikes_per_hour=1)
    assert len(read.decode(sent(*[RIGHT] * 20, bikes=20)).telemetry) == 20


def test_who_reads_again_lets_nobody_in() -> None:
    """A bike that was refused once is not on a track or in InfluxDB by another reading."""
    read = decoder()
    assert len(read.decode(sent(RIGHT), again=True).telemetry) == 0
    assert len(read.decode(sent(RIGHT)).telemetry) == 1
    assert len(read.decode(sent(RIGHT), again=True).telemetry) == 1


@pytest.mark.parametrize(
    ("limits", "within"),
    [({"messages_per_hour": 7}, 7), ({"bytes_per_hour": 7 * len(RIGHT) + 1}, 7), ({}, 30)],
)
def test_messages_and_bytes_are_limited_where_configured(
    limits: dict[str, int], within: int
) -> None:
    """By the hour of receipt: what is over is not read, whatever it is; others are not touched."""
    read = decoder(**limits)
    first, second = sent(*[RIGHT] * 5), sent(*[RIGHT] * 25)
    found = [read.decode(messages) for messages in (first, second)]
    assert sum(len(decoded.telemetry) for decoded in found) == within
    assert sum(decoded.received.total() for decoded in found) == 30
    over = 30 - within
    assert found[1].refused == ({Refused("telemetry", "bad", "over_budget"): over} if over else {})
    assert len(found[1].rejects) == min(over, 1)
    assert len(read.decode(sent(RIGHT, vendor="good")).telemetry) == 1
    assert len(read.decode(sent(RIGHT, at_ms=NOW_MS + HOUR_MS)).telemetry) == 1


MAPPED = mapped({name: Source(name) for name in ("timestamp", "lat", "lng")}, "points")
DEEP = {
    "array": lambda depth: b"[" * depth,
    "object": lambda depth: b'{"location":' * depth,
    "field": lambda depth: RIGHT[:-1] + b',"more":' + b"[" * depth + b"]" * depth + b"}",
    "points": lambda depth: b'{"points":' * depth,
    "type": lambda depth: b'{"_type":' + b"[" * depth,
}


@pytest.mark.parametrize("format_", [FORMATS["mds"], FORMATS["owntracks"], MAPPED])
@pytest.mark.parametrize("deep", DEEP.values(), ids=DEEP)
def test_deep_nesting_is_refused(format_: object, deep: Callable[[int], bytes]) -> None:
    """However deep, in telemetry, events and statuses of any format: refused, and nothing else."""
    formats = {"v": VendorFormat("v", format_)}  # type: ignore[arg-type]
    read = Decoder(Roster({"v": "any"}), formats)
    topics = [f"patrol/v1/v/b/{kind}" for kind in ("telemetry", "event", "status")]
    for depth in (1_000, 10_000):
        decoded = read.decode(Messages(NOW_MS, topics, [deep(depth)] * 3))
        assert [reject.reason in ("schema", "not_json") for reject in decoded.rejects] == [True] * 3
