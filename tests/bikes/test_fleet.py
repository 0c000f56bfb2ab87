"""Fleet state: the newest of every bike."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bikes.fleet import (
    LIVENESS,
    NEVER,
    SILENT_AFTER_S,
    STALE_AFTER_S,
    BikeState,
    FleetState,
    Liveness,
)
from bikes.roster import BikeKey, Roster
from bikes.telemetry import COLUMNS, Event, Status, TelemetryBatch

NAN = math.nan
NOW_MS = 1_760_000_000_000


def fixes(*rows: tuple[float, ...]) -> TelemetryBatch:
    """Rows of bike, time, lat, accuracy and battery."""
    full = [(b, t, lat, 120.0, acc, NAN, NAN, NAN, battery) for b, t, lat, acc, battery in rows]
    columns = list(zip(*full, strict=True)) or [()] * len(COLUMNS)
    return TelemetryBatch(
        *(np.array(column, dtype) for column, dtype in zip(columns, COLUMNS.values(), strict=True))
    )


def fleet() -> FleetState:
    return FleetState(Roster({"hello": ["a", "b", "c"]}))


def states(state: FleetState, bikes: int) -> list[BikeState]:
    """The newest of each of the first bikes."""
    return list(map(state.of, range(bikes)))


def liveness(state: BikeState, now_ms: int, *, stale_after_s: float = STALE_AFTER_S) -> Liveness:
    """The slow twin of `FleetState.liveness`: one bike, by the table of the module."""
    fix_ms = NEVER if state.last_ms is None else state.last_ms
    status_ms = NEVER if state.status_at_ms is None else state.status_at_ms
    heard_ms = NEVER if state.heard_at_ms is None else state.heard_at_ms
    if state.online is False and fix_ms <= status_ms:
        return "offline"
    if now_ms - fix_ms <= stale_after_s * 1000:
        return "live"
    if now_ms - max(fix_ms, status_ms, heard_ms) <= SILENT_AFTER_S * 1000:
        return "stale"
    return "silent"


def test_newest_fix_wins() -> None:
    """Within a batch and across batches the newest device time counts, for each bike by itself."""
    state = fleet()
    state.update(fixes((0, 20, 36.2, 3, 80), (0, 10, 36.1, 3, 81), (1, 5, 36.5, 3, NAN)))
    state.update(fixes((0, 30, 36.3, 4, 79)))
    assert state.of(0).lat_deg == 36.3
    assert state.of(0).last_ms == 30
    assert state.of(0).accuracy_m == 4
    assert state.of(1).lat_deg == 36.5
    assert state.of(2) == BikeState(bike=2)
    assert state.fixes().bike.tolist() == [0, 1]


def test_queued_old_fix_never_shows() -> None:
    """A fix that was stored on the bike and comes late does not move it back (OwnTracks #313)."""
    state = fleet()
    state.update(fixes((0, 30, 36.3, 50, 79)), heard_at_ms=100)
    state.update(fixes((0, 10, 36.1, 1, 85)), heard_at_ms=200)
    assert state.of(0).lat_deg == 36.3
    assert state.of(0).battery_percent == 79
    assert state.of(0).heard_at_ms == 200


def test_battery_is_the_last_one_said() -> None:
    """A newer fix without battery level keeps the level, and its time, of the older one."""
    state = fleet()
    state.update(fixes((0, 10, 36.1, 3, 80)))
    state.update(fixes((0, 20, 36.2, 3, NAN)))
    assert state.of(0).last_ms == 20
    assert (state.of(0).battery_percent, state.of(0).battery_at_ms) == (80, 10)


ROWS = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.integers(0, 4),
        st.sampled_from([36.0, 36.1, 36.2]),
        st.sampled_from([1.0, 5.0, NAN]),
        st.sampled_from([70.0, 80.0, NAN]),
    ),
    max_size=15,
)


@given(ROWS, st.randoms(use_true_random=False), st.integers(1, 5))
def test_arrival_does_not_matter(rows: list[tuple[float, ...]], random: Random, size: int) -> None:
    """Any order, duplication and split into batches gives the same state."""
    at_once, in_parts = fleet(), fleet()
    at_once.update(fixes(*rows))
    shuffled = rows + rows[:3]
    random.shuffle(shuffled)
    for start in range(0, len(shuffled), size):
        in_parts.update(fixes(*shuffled[start : start + size]))
    assert states(at_once, 3) == states(in_parts, 3)


@given(ROWS)
def test_newest_is_its_slow_twin(rows: list[tuple[float, ...]]) -> None:
    """The newest fix of each bike is the last row `distinct` gives for it."""
    state, batch = fleet(), fixes(*rows)
    state.update(batch)
    expected = {int(bike): row for row, bike in enumerate(batch.distinct().bike)}
    for bike in range(3):
        found = state.of(bike)
        if bike not in expected:
            assert found.last_ms is None
        else:
            assert found.last_ms == batch.distinct().timestamp_ms[expected[bike]]
            assert found.lat_deg == batch.distinct().lat_deg[expected[bike]]


def test_update_leaves_the_batch_alone() -> None:
    """What was handed in is neither changed nor kept: changing it later changes no state."""
    state, batch = fleet(), fixes((0, 10, 36.1, 3, 80), (1, 10, 36.1, 3, 80))
    before = batch.lat_deg.copy()
    state.update(batch)
    state.update(fixes((0, 20, 37.0, 3, 80)))
    assert (batch.lat_deg == before).all()
    batch.lat_deg[:] = 0
    assert state.of(1).lat_deg == 36.1


def test_statuses_count_as_they_arrive() -> None:
    """A last will, whose time is that of an old connection, still says that the bike is gone."""
    state = fleet()
    state.update_status([Status(bike=0, online=True, timestamp_ms=50)], heard_at_ms=60)
    state.update_status([Status(bike=0, online=False, timestamp_ms=40)], heard_at_ms=90)
    assert state.of(0).online is False
    assert state.of(0).status_at_ms == 40
    assert state.of(0).heard_at_ms == 60
    assert state.of(1).online is None


def test_newest_event_counts() -> None:
    """The vehicle state is that of the newest event, in whatever order they come."""
    state = fleet()
    trip = Event(bike=0, vehicle_state="on_trip", timestamp_ms=20)
    back = Event(bike=0, vehicle_state="available", timestamp_ms=30)
    state.update_events([back, trip], heard_at_ms=100)
    assert (state.of(0).vehicle_state, state.of(0).vehicle_state_at_ms) == ("available", 30)
    assert state.of(0).heard_at_ms == 100
    assert state.of(0).last_ms is None


def test_grows_with_the_roster() -> None:
    """A bike that appears later gets its row; one the roster has but nobody heard is empty."""
    roster = Roster({"hello": "any"})
    state = FleetState(roster)
    for number in range(50):
        bike = roster.index("hello", f"b{number}")
        state.update(fixes((bike, number, 36.0, 3, 80)))
    roster.index("hello", "silent")
    assert [one.last_ms for one in states(state, 51)] == [*range(50), None]


def test_snapshot_under_other_numbers() -> None:
    """A restored state is the same bikes' state, though a restart has numbered them anew."""
    roster = Roster({"hello": "any"})
    before = FleetState(roster)
    for number, name in enumerate("abc"):
        before.update(fixes((roster.index("hello", name), number, 36.0 + number, 3, 80)))
    before.update_status([Status(bike=1, online=False, timestamp_ms=7)], heard_at_ms=9)
    before.update_events([Event(bike=2, vehicle_state="removed", timestamp_ms=8)])

    again = Roster({"hello": ["c", "z"]})
    bikes = np.array(again.restore(roster.keys), np.int32)
    after = FleetState(again)
    after.restore({name: column.copy() for name, column in before.state().items()}, bikes)
    for old, key in enumerate(roster.keys):
        new = again.keys.index(key)
        expected = before.of(old)
        assert after.of(new) == BikeState(
            **{n: getattr(expected, n) for n in BikeState.__struct_fields__ if n != "bike"},
            bike=new,
        )
    assert after.of(again.keys.index(BikeKey("hello", "z"))).last_ms is None
    after.update(fixes((0, 99, 40.0, 3, 80)))
    assert after.fixes().bike.tolist() == [0, 2, 3]


def test_snapshot_of_nothing() -> None:
    """A state in which nothing was heard can be stored and restored."""
    after = fleet()
    after.restore(fleet().state(), np.arange(3, dtype=np.int32))
    assert states(after, 3) == [BikeState(bike=bike) for bike in range(3)]
    after.update(fixes())


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (BikeState(bike=0), "silent"),
        (BikeState(bike=0, last_ms=NOW_MS + 5000), "live"),
        (BikeState(bike=0, last_ms=NOW_MS - 300_000), "live"),
        (BikeState(bike=0, last_ms=NOW_MS - 300_001), "stale"),
        (BikeState(bike=0, last_ms=NOW_MS - 3_600_000), "stale"),
        (BikeState(bike=0, last_ms=NOW_MS - 3_600_001), "silent"),
        (BikeState(bike=0, last_ms=NOW_MS - 9_999_999, heard_at_ms=NOW_MS), "stale"),
        (BikeState(bike=0, online=True, status_at_ms=NOW_MS), "stale"),
        (BikeState(bike=0, online=False, status_at_ms=NOW_MS), "offline"),
        (BikeState(bike=0, last_ms=NOW_MS - 1000, online=False, status_at_ms=NOW_MS), "offline"),
        (BikeState(bike=0, last_ms=NOW_MS, online=False, status_at_ms=NOW_MS - 1), "live"),
        (BikeState(bike=0, last_ms=NOW_MS, online=True, status_at_ms=NOW_MS - 1), "live"),
        (BikeState(bike=0, online=False), "offline"),
    ],
)
def test_liveness(state: BikeState, expected: Liveness) -> None:
    """A bike is live, stale, silent or offline as the table of the module says."""
    assert liveness(state, NOW_MS) == expected


@given(st.data())
def test_all_are_as_alive_at_once_as_one_by_one(data: st.DataObject) -> None:
    """Never heard, stale or silent on the boundary, offline before or after; in any order."""
    state = fleet()
    for bike in range(3):
        age_ms = data.draw(st.sampled_from([None, 0, 299_999, 300_000, 300_001, 3_600_001]))
        heard_ms = data.draw(st.sampled_from([None, NOW_MS - 3_600_000, NOW_MS - 3_600_001]))
        if age_ms is not None:
            state.update(fixes((bike, NOW_MS - age_ms, 36.2, 3, 80)), heard_at_ms=heard_ms)
        said_ms = data.draw(st.sampled_from([None, 0, 300_000, 400_000]))
        if said_ms is not None:
            online = data.draw(st.booleans())
            said = Status(bike=bike, online=online, timestamp_ms=NOW_MS - said_ms)
            state.update_status([said])
    some = state.some(np.array(data.draw(st.permutations(range(5)))))  # two have no row
    assert [LIVENESS[code] for code in some.liveness(NOW_MS).tolist()] == [
        liveness(s, NOW_MS) for s in some.states()
    ]
    assert some.states() == [state.of(bike) for bike in some.state()["fix_bike"].tolist()]
    slow = [s.bike for s in states(state, 3) if liveness(s, NOW_MS) == "live"]
    assert state.live(NOW_MS).bike.tolist() == slow
    assert state.live(NOW_MS, stale_after_s=0).bike.tolist() == [
        s.bike for s in states(state, 3) if liveness(s, NOW_MS, stale_after_s=0) == "live"
    ]
