"""The messages of the simulated fleet: order, counts, shares, and that a seed decides them."""

from __future__ import annotations

from collections import Counter
from datetime import time
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import box

from bikes import topics
from bikes.errors import DecodeError
from bikes.formats import mds
from bikes.simulator import SimulatedMessage, SimulationPlan, Simulator, SimZone
from bikes.telemetry import Telemetry
from tests.fleets import HOUR_MS, QUIET, START_MS, plan

END_MS = START_MS + HOUR_MS


def sent(plan: SimulationPlan, hours: float = 1.0) -> list[SimulatedMessage]:
    return list(Simulator(plan).messages(START_MS, START_MS + round(hours * HOUR_MS)))


def telemetry(messages: list[SimulatedMessage]) -> list[SimulatedMessage]:
    return [message for message in messages if message.items]


def items_of(message: SimulatedMessage) -> list[Telemetry | DecodeError]:
    try:
        decoded = mds.decode(message.payload)
    except DecodeError as exc:
        return [exc]
    return decoded if isinstance(decoded, list) else [decoded]


def mismatched(message: SimulatedMessage, item: Telemetry | DecodeError) -> bool:
    """Whether an item names another bike than its topic."""
    topic = topics.parse(message.topic)
    assert topic is not None
    return isinstance(item, Telemetry) and item.device_id != topic.bike_id


@settings(max_examples=5)
@given(st.integers(0, 2**63))
def test_seed_decides_every_byte(seed: int) -> None:
    """The same plan gives the same messages; another seed gives others."""
    first, again = (sent(plan(seed, bikes=2), 0.2) for _ in range(2))
    assert first == again
    assert first != sent(plan(seed + 1, bikes=2), 0.2)


@settings(max_examples=10)
@given(st.lists(st.integers(START_MS, END_MS), max_size=6))
def test_split_into_calls_changes_nothing(cuts: list[int]) -> None:
    """Calls that follow one another give what one call gives, wherever the cuts are."""
    simulator = Simulator(plan(bikes=2, dropouts_per_hour=3.0))
    whole = list(simulator.messages(START_MS, END_MS))
    edges = [START_MS, *sorted(cuts), END_MS]
    pieces = [
        message
        for from_ms, to_ms in pairwise(edges)
        for message in simulator.messages(from_ms, to_ms)
    ]
    assert pieces == whole


def test_span_is_what_was_asked_for() -> None:
    """A span in the middle, asked first, last or after a break, is that part of the whole."""
    whole = sent(plan())
    from_ms, to_ms = START_MS + 1_000_000, START_MS + 1_100_000
    wanted = [message for message in whole if from_ms <= message.at_ms < to_ms]
    simulator = Simulator(plan())
    assert list(simulator.messages(from_ms, to_ms)) == wanted
    assert list(simulator.messages(from_ms, to_ms)) == wanted
    broken_off = simulator.messages(to_ms, END_MS)
    next(broken_off)
    assert list(simulator.messages(from_ms, to_ms)) == wanted


def test_one_more_bike_moves_no_other() -> None:
    """A bike does the same whichever bikes come after it."""
    few, many = sent(plan(bikes=4)), sent(plan(bikes=7))
    new = {topics.of_bike("telemetry", "hello", f"HB00{n}") for n in (5, 6, 7)}
    new |= {topics.of_bike("status", "hello", f"HB00{n}") for n in (5, 6, 7)}
    assert [message for message in many if message.topic not in new] == few


def test_messages_come_in_order_of_time() -> None:
    """Over a day with many dropouts no message is earlier than the one before."""
    times = [m.at_ms for m in sent(plan(interval_s=30.0, dropouts_per_hour=4.0), 24)]
    assert times == sorted(times)
    assert times[0] >= START_MS
    assert times[-1] < START_MS + 24 * HOUR_MS


def test_items_count_what_is_published() -> None:
    """A message counts its telemetry items, a bad one counts one, a status none."""
    messages = sent(plan(bad=0.05, dropouts_per_hour=2.0))
    for message in messages:
        topic = topics.parse(message.topic)
        assert topic is not None
        if topic.kind == "status":
            assert message.items == 0
            assert message.retain
        else:
            assert message.items == len(items_of(message))
            assert not message.retain


def test_good_messages_are_telemetry_of_their_bike() -> None:
    """A live fix is one MDS object of some 200 bytes that names its bike and the time."""
    for message in telemetry(sent(plan(**QUIET), 0.2)):
        (item,) = items_of(message)
        topic = topics.parse(message.topic)
        assert isinstance(item, Telemetry)
        assert topic is not None
        assert item.device_id == topic.bike_id
        assert 0 < message.at_ms - item.timestamp < 1_000
        assert 180 < len(message.payload) < 240
        assert item.location.heading is not None
        assert 0 <= item.location.heading < 360
        assert item.battery_percent is not None
        assert 0 <= item.battery_percent <= 100


def test_every_interval_is_sent_once() -> None:
    """When all goes well a riding bike sends a fix every interval, none twice."""
    at: dict[str, list[int]] = {}
    for message in telemetry(sent(plan(**QUIET), 3)):
        at.setdefault(message.topic, []).append(msgspec.json.decode(message.payload)["timestamp"])
    assert len(at) == 6
    for topic, times in at.items():
        steps = Counter(b - a for a, b in pairwise(times))
        late = topic.endswith(("HB002/telemetry", "HB005/telemetry"))
        assert steps[3_000] > (2_800 if late else 3_500)
        assert max(steps) <= 60_000
        assert len(times) == len(set(times))


def test_dropouts_are_uploaded_late_and_lose_nothing() -> None:
    """What a bike stores while its radio is away comes later, as arrays, after newer fixes."""
    quiet = plan(**QUIET, delayed=None)
    noisy = plan(**(QUIET | {"dropouts_per_hour": 2.0, "upload_items": 40}), delayed=None)
    stored = 0
    seen: dict[str, list[int]] = {}
    for message in telemetry(sent(noisy)):
        times = [item.timestamp for item in items_of(message) if isinstance(item, Telemetry)]
        before = seen.setdefault(message.topic, [])
        if message.payload.startswith(b"["):
            stored += len(times)
            assert len(times) <= 40
            assert times[-1] < max(before)
        before += times
    assert 0.05 < stored / sum(map(len, seen.values())) < 0.4
    expected: dict[str, list[int]] = {}
    for message in telemetry(sent(quiet)):
        expected.setdefault(message.topic, []).append(
            msgspec.json.decode(message.payload)["timestamp"]
        )
    for topic, times in seen.items():
        # A bike whose radio is away at the end still has its last fixes.
        assert len(set(times)) == len(times)
        assert sorted(times) == [at for at in expected[topic] if at in set(times)]
        assert len(times) > len(expected[topic]) - 220


def test_a_lost_connection_is_told_by_the_last_will() -> None:
    """Every bike says it is online first; each dropout is an offline, then an online."""
    said: dict[str, list[bool]] = {}
    for message in sent(plan(dropouts_per_hour=3.0), 4):
        if message.topic.endswith("/status"):
            said.setdefault(message.topic, []).append(message.payload != b"offline")
    assert len(said) == 6
    for words in said.values():
        assert words == [n % 2 == 0 for n in range(len(words))]
        assert len(words) > 4


def test_shares_are_as_planned() -> None:
    """Duplicates, bad messages and late items are the small shares that the plan says."""
    messages = telemetry(sent(plan(bikes=12), 2))
    total = sum(message.items for message in messages)
    copies = len(messages) - len({(message.topic, message.payload) for message in messages})
    items = [(message, item) for message in messages for item in items_of(message)]
    bad = sum(isinstance(item, DecodeError) or mismatched(m, item) for m, item in items)
    late = sum(message.items for message in messages if message.payload.startswith(b"["))
    assert 0.002 < copies / total < 0.007
    assert 0.001 < bad / total < 0.004
    assert 0.01 < late / total < 0.12


def test_bad_messages_are_bad_in_four_ways() -> None:
    """Not JSON, a field missing, a position that does not exist, another device's id."""
    found: Counter[str] = Counter()
    for message in telemetry(sent(plan(**(QUIET | {"bad": 0.05})))):
        (item,) = items_of(message)
        if isinstance(item, DecodeError):
            found[item.reason] += 1
        elif mismatched(message, item):
            found["device_mismatch"] += 1
        elif item.location.lat > 90:
            found["out_of_range"] += 1
    assert set(found) == {"not_json", "schema", "device_mismatch", "out_of_range"}
    assert min(found.values()) > 20


def test_a_plan_names_all_its_mistakes() -> None:
    """A plan that contradicts itself says everything that is wrong with it."""
    with pytest.raises(ValueError, match="simulation plan") as caught:
        plan(
            neglected="xx",
            delayed="yy",
            bad=1.5,
            interval_s=0.0,
            dropout_s=(9.0, 3.0),
            shifts=((time(9), time(8)),),
            bike_ids=["a", "a", "b/c"],
        )
    for place in (
        "no zone 'xx'", "no zone 'yy'", "bad:", "interval_s:", "dropout_s:", "shifts:",
        "appears twice", "a name is",
    ):  # fmt: skip
        assert place in str(caught.value)


def test_a_zone_without_room_is_refused() -> None:
    """A zone smaller than a block is named, with what to change."""
    tiny = SimZone("tiny", box(120.38, 36.30, 120.3805, 36.3005))
    with pytest.raises(ValueError, match=r"'tiny' has no room .* street_spacing_m smaller"):
        Simulator(plan(zones=[tiny], neglected=None, delayed=None))
